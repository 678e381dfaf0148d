"""Looking inside a prompted CLIP: attention, words, features, what it does not know, what it costs."""
