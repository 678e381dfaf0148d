"""How the tiny CLIP is made: captions, loss, training, gauges."""
