"""Layers of a batch of pictures: colours, and glyph masks put in place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from maple_lite.datasets.drawing import LUMA, warp
from maple_lite.support.counter_rng import Keys, uniform

COLOURS = {
    "red": (0.85, 0.12, 0.15),
    "orange": (0.98, 0.55, 0.10),
    "yellow": (0.98, 0.88, 0.20),
    "green": (0.12, 0.52, 0.22),
    "turquoise": (0.20, 0.80, 0.78),
    "blue": (0.12, 0.28, 0.80),
    "purple": (0.48, 0.16, 0.60),
    "pink": (0.98, 0.66, 0.78),
    "brown": (0.42, 0.25, 0.12),
    "black": (0.06, 0.06, 0.06),
    "gray": (0.55, 0.55, 0.55),
    "white": (0.97, 0.97, 0.97),
}
CONTRAST = 0.25  # least difference in luma between a symbol and what lies behind it: legible without colour vision too
SHADE = 0.04  # how far a picture's red may lie from the table's
SIZES = (0.70, 0.95)  # the glyph's box in widths of the picture
INK = 1.4  # makes up for what hairlines lose between pixels
TILT = 10  # degrees; arrows that are 45 degrees apart stay apart


@dataclass(frozen=True)
class Layers:
    """A batch of pictures before their layers are put together; `resolution` R, colours in 0..1.

    `mask` [B, 1, R, R] says where the symbol is. `foreground`, `background` and `second`, another colour that stands
    clear of the foreground, are [B, 3, 1, 1] or [B, 3, R, R].
    """

    keys: Keys
    mask: Tensor
    foreground: Tensor
    background: Tensor
    second: Tensor

    @property
    def resolution(self) -> int:
        """Side R of the pictures."""
        return self.mask.shape[-1]

    def flatten(self) -> Tensor:
        """The pictures [B, 3, R, R] in 0..1."""
        return torch.lerp(self.background, self.foreground, self.mask).clamp(0, 1)


def choose_colours(keys: Keys) -> tuple[Tensor, Tensor, Tensor]:
    """Colour ids [B] of foregrounds, backgrounds and second colours.

    Background and second colour are both clearly lighter or both clearly darker than the foreground, so no mixture of
    the two hides it.
    """
    sides = _sides()
    foreground = (uniform(keys, "foreground", 1)[:, 0] * len(COLOURS)).long()
    lots = uniform(keys, "background", len(COLOURS)) + 1
    background = (lots * sides.any(0)[foreground]).argmax(1)
    side = (~sides[0, foreground, background]).long()
    lots = (lots * sides[side, foreground]).scatter(1, background[:, None], 0)
    return foreground, background, lots.argmax(1)


def _sides() -> Tensor:
    """For each colour (row) those clearly lighter, and those clearly darker [2, 12, 12]; none where it is only one."""
    luma = torch.tensor(list(COLOURS.values())) @ torch.tensor(LUMA)
    lighter = luma[None] - luma[:, None] >= CONTRAST
    sides = torch.stack([lighter, lighter.T])
    return sides & (sides.sum(2, keepdim=True) >= 2)


def shades(keys: Keys, colour_ids: Tensor, purpose: str) -> Tensor:
    """Colours [B, 3, 1, 1] near the named ones of `colour_ids` [B]: no two reds are the same."""
    colours = torch.tensor(list(COLOURS.values()))[colour_ids]
    return (colours + SHADE * (2 * uniform(keys, purpose, 3) - 1)).clamp(0, 1)[:, :, None, None]


def place(masks: Tensor, keys: Keys, jitter: float = 1.0, tilt: float = TILT) -> Tensor:
    """Glyph masks [B, 1, R, R], turned by up to `tilt` degrees, resized, and shifted as far as the picture has room.

    `jitter` 0 puts every glyph upright in the middle in the mean size, 1 is the full range.
    """
    turn, size, across, down = (2 * uniform(keys, "place", 4) - 1).mul(jitter).unbind(1)  # each in -1..1
    angle = turn * math.radians(tilt)
    side = (SIZES[0] + SIZES[1]) / 2 + size * (SIZES[1] - SIZES[0]) / 2
    cos, sin = angle.cos() / side, angle.sin() / side
    room = (1 - side * (angle.cos() + angle.sin().abs())).clamp(min=0)  # what the turned box leaves
    return (INK * warp(masks, (cos, sin, -sin, cos), across * room, down * room)).clamp(max=1)


def paint(masks: Tensor, keys: Keys, jitter: float = 1.0, tilt: float = TILT) -> Layers:
    """Layers of clean pictures: one glyph of `masks` [B, 1, R, R] each, in one colour on another.

    >>> from maple_lite.datasets.glyphs.glyphs import glyph_masks
    >>> from maple_lite.support.counter_rng import random_keys
    >>> paint(glyph_masks("☃☂", 48), random_keys(2, torch.Generator())).flatten().shape
    torch.Size([2, 3, 48, 48])
    """
    names = ("foreground shade", "background shade", "second shade")
    colours = [shades(keys, ids, name) for ids, name in zip(choose_colours(keys), names, strict=True)]
    return Layers(keys, place(masks, keys, jitter, tilt), *colours)
