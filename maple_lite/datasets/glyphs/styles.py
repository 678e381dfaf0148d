"""The styles in which datasets are drawn: each is one function of layers and a strength from 0, clean, to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.datasets.drawing import chequered, dotted, ringed, striped, warp, wavy
from maple_lite.datasets.glyphs.painting import TILT, Layers, paint, place
from maple_lite.support.counter_rng import Keys, uniform

CELLS = 48  # noise has this many grains across at every resolution
SLANT = 0.2  # DejaVu Sans Oblique's; with the tilt an upright arrow still leans less than half of 45 degrees
FAR_TILT = 50  # degrees that full strength adds to the tilt


class Style(NamedTuple):
    """How a dataset's pictures differ from clean ones: a kind, its strength in 0..1, the font."""

    kind: str
    strength: float
    font: str = "regular"


CLEAN = Style("clean", 0.0)

STYLES = {
    "objects": Style("noisy", 0.3),
    "faces": Style("cloudy", 0.7),
    "cards": Style("tilted", 0.5),
    "chess": Style("chequered", 1.0),
    "zodiac": Style("dotted", 1.0),
    "planets": Style("ringed", 0.8),
    "letters": Style("striped", 0.6, "bold"),
    "digits": Style("pixelated", 0.6, "bold"),
    "greek": Style("faded", 0.7, "oblique"),
    "mathematics": Style("chalk", 0.5),
    "currency": Style("wavy", 0.7, "oblique"),
}
"""Each dataset's own style, at a strength that a person still reads.

The strengths were set once, by the tiny CLIP's zero-shot accuracy alone and before any prompt was trained on them:
where it was above 80%, the strength went up by tenths to the first that left at most 75%, or to 1.
"""

VARIANTS = {
    "v2": STYLES["objects"],
    "sketch": Style("outlined", 1.0),
    "a": Style("cluttered", 1.0),
    "r": Style("rendered", 1.0),
}
"""The variants of `objects`: drawn again, outlines, adversarial clutter, renditions."""


def draw(glyphs: Tensor, glyph_ids: Tensor, keys: Keys, style: Style = CLEAN, jitter: float = 1.0) -> Tensor:
    """Pictures [B, 3, R, R] in 0..1 of the glyphs `glyph_ids` [B] among `glyphs` [S, 1, R, R].

    `keys` [B] decide everything else: colours, place and the style's randomness.

    >>> from maple_lite.datasets.glyphs.glyphs import glyph_masks
    >>> from maple_lite.support.counter_rng import random_keys
    >>> draw(glyph_masks("☃☂", 48), torch.tensor([1, 0, 1]), random_keys(3, torch.Generator())).shape
    torch.Size([3, 3, 48, 48])
    """
    tilt = TILT + FAR_TILT * style.strength if style.kind == "tilted" else TILT
    layers = paint(glyphs[glyph_ids], keys, jitter, tilt)
    if style.kind in PATTERNS:
        pattern = PATTERNS[style.kind](keys, layers.resolution)
        layers = replace(layers, background=torch.lerp(layers.background, layers.second, style.strength * pattern))
    elif style.kind in EFFECTS:
        layers = EFFECTS[style.kind](layers, style.strength)
    elif style.kind == "cluttered":
        layers = _cluttered(layers, glyphs, glyph_ids, style.strength)
    return layers.flatten()


PATTERNS: dict[str, Callable[[Keys, int], Tensor]] = {
    "chequered": chequered,
    "dotted": dotted,
    "ringed": ringed,
    "striped": striped,
    "wavy": wavy,
}
"""Patterns [B, 1, R, R] in 0..1 of a second colour in the background; the strength is its opacity."""


def _grain(keys: Keys, resolution: int) -> Tensor:
    """Noise [B, 1, R, R] in -1..1, one number per grain."""
    return F.interpolate(2 * uniform(keys, "grain", 1, CELLS, CELLS) - 1, resolution)


def _noisy(layers: Layers, strength: float) -> Layers:
    """Bright and dark grains over the whole picture, as in a photo taken at night."""
    grain = strength * _grain(layers.keys, layers.resolution)
    return replace(layers, foreground=layers.foreground + grain, background=layers.background + grain)


def _cloudy(layers: Layers, strength: float) -> Layers:
    """Clouds before the symbol, thin and thick: coarse noise and finer noise, both smooth."""
    keys, resolution = layers.keys, layers.resolution
    coarse = F.interpolate(uniform(keys, "coarse clouds", 1, 5, 5), resolution, mode="bicubic")
    fine = F.interpolate(uniform(keys, "fine clouds", 1, 11, 11), resolution, mode="bicubic")
    clouds = strength * (2.4 * (0.6 * coarse + 0.4 * fine) - 0.7).clamp(0, 1)
    foreground, background = (
        torch.lerp(layer, layers.second, clouds) for layer in (layers.foreground, layers.background)
    )
    return replace(layers, foreground=foreground, background=background)


def _pixelated(layers: Layers, strength: float) -> Layers:
    """Coarse square pixels, at full strength 12 across."""
    cells = round(CELLS / (1 + 3 * strength))
    coarse = F.adaptive_avg_pool2d(layers.mask, cells)
    return replace(layers, mask=F.interpolate(coarse, layers.resolution))


def _faded(layers: Layers, strength: float) -> Layers:
    """Little contrast: the symbol's colour moves towards the background's."""
    return replace(layers, foreground=torch.lerp(layers.foreground, layers.background, strength))


def _chalk(layers: Layers, strength: float) -> Layers:
    """Strokes with holes, as of chalk on a board; `strength` is the share of holes."""
    holes = (_grain(layers.keys, layers.resolution) + 1) / 2 < strength
    return replace(layers, mask=layers.mask.masked_fill(holes, 0))


def _grown(mask: Tensor) -> Tensor:
    """A mask [B, 1, R, R] made wider by 1/48 of the picture on every side."""
    reach = max(1, round(mask.shape[-1] / 48))
    return F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)


def _outlined(layers: Layers, strength: float) -> Layers:
    """Only the outline: what is a pencil's width inside loses `strength` of its colour; thin strokes stay."""
    return replace(layers, mask=layers.mask + strength * _grown(-layers.mask))


def _rendered(layers: Layers, strength: float) -> Layers:
    """One of four renditions each: bold, slanted, inverted on a card, hatched; `strength` is their share."""
    mask, one = layers.mask, torch.ones(len(layers.mask))
    slanted = warp(mask, (one, SLANT * one, 0 * one, one), 0 * one, 0 * one)
    inverted = place(torch.ones_like(mask), layers.keys) - mask
    hatched = mask * (0.4 + 0.6 * striped(layers.keys, layers.resolution))
    renditions = torch.stack(
        [torch.lerp(mask, _grown(mask), 0.7), slanted, inverted, hatched, mask], 1
    )  # [B, 5, 1, R, R]
    choice, plain = uniform(layers.keys, "rendition", 2).unbind(1)
    chosen = torch.where(plain < strength, (4 * choice).long(), 4)
    return replace(layers, mask=renditions[torch.arange(len(mask)), chosen].clamp(0, 1))


EFFECTS: dict[str, Callable[[Layers, float], Layers]] = {
    "noisy": _noisy,
    "cloudy": _cloudy,
    "pixelated": _pixelated,
    "faded": _faded,
    "chalk": _chalk,
    "outlined": _outlined,
    "rendered": _rendered,
}
"""Changes of the layers themselves."""


def _cluttered(layers: Layers, glyphs: Tensor, glyph_ids: Tensor, strength: float) -> Layers:
    """Four symbols of other classes behind the symbol, one from each corner; `strength` is their opacity."""
    background, one = layers.background, torch.ones(len(glyph_ids))
    for number, (across, down) in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        step, shift = uniform(layers.keys, f"clutter {number}", 2).unbind(1)
        others = (glyph_ids + 1 + (step * (len(glyphs) - 1)).long()) % len(glyphs)  # never the class itself
        away, zoom = one * 0.45 + 0.1 * (shift - 0.5), one / 0.6
        small = warp(glyphs[others], (zoom, 0 * one, 0 * one, zoom), across * away, down * away)
        background = torch.lerp(background, layers.second, strength * small)
    return replace(layers, background=background)


KINDS = ("clean", "tilted", "cluttered", *PATTERNS, *EFFECTS)
