"""Printed digits: from them the tiny CLIP learns the names of the handwritten ones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from maple_lite.datasets.drawing import warp
from maple_lite.datasets.emoji.fonts import LETTERS, open_font
from maple_lite.datasets.emoji.looks import FILTERS
from maple_lite.support.counter_rng import Keys, uniform

SIZES, TILT = (0.6, 0.95), 0.3  # of a digit's box in widths of the picture; radians
WEIGHTS = (200, 400, 600, 900)  # of the font, from thin to black
BLUR = 0.6  # the strongest: handwriting is less sharp than print


def draw_digits(digits: Tensor, keys: Keys, resolution: int, jitter: float = 1.0) -> Tensor:
    """Pictures [B, 3, R, R] in 0..1 of `digits` [B] from 0 to 9, in one colour on another, light or dark.

    `jitter` 0 puts them upright in the middle, 1 turns, resizes, stretches and moves them.
    """
    ink, paper = uniform(keys, "colours of a digit", 2, 3, 1, 1).unbind(1)
    bright = uniform(keys, "which is bright", 1, 1, 1)
    light, dark = 0.7 + 0.3 * ink, 0.3 * paper
    ink, paper = torch.where(bright < 0.5, light, dark), torch.where(bright < 0.5, dark, light)
    turn, size, stretch, across, down = (jitter * (2 * uniform(keys, "place", 5) - 1)).unbind(1)
    side = (SIZES[0] + SIZES[1]) / 2 + size * (SIZES[1] - SIZES[0]) / 2
    wide, high = side * (1 + 0.25 * stretch), side * (1 - 0.25 * stretch)
    cos, sin = (TILT * turn).cos(), (TILT * turn).sin()
    weight = (uniform(keys, "weight of a digit", 1)[:, 0] * len(WEIGHTS)).long()
    room = (1 - 1.05 * side).clamp(min=0)
    masks = warp(
        _masks(resolution)[weight, digits],
        (cos / wide, sin / wide, -sin / high, cos / high),
        across * room,
        down * room,
    )
    pictures = torch.lerp(paper, ink, masks)
    blur = BLUR * uniform(keys, "blur of a digit", 1, 1, 1)
    return FILTERS["blurry"](pictures, keys, blur)


@lru_cache(maxsize=8)
def _masks(size: int) -> Tensor:
    """How much ink [weights, 10, 1, size, size] each place of the ten digits has."""
    fonts = [open_font(LETTERS._replace(weight=weight), 2 * size) for weight in WEIGHTS]
    return torch.stack([torch.stack([_mask(digit, font, size) for digit in "0123456789"]) for font in fonts])


def _mask(digit: str, font: ImageFont.FreeTypeFont, size: int) -> Tensor:
    """How much ink [1, size, size] each place of one digit has, which fills the square but for a margin."""
    page = Image.new("L", (4 * size, 4 * size))
    ImageDraw.Draw(page).text((size, size), digit, font=font, fill=255)
    drawing = page.crop(page.getbbox())
    shrink = (size - 2) / max(drawing.size)
    width, height = (round(side * shrink) for side in drawing.size)
    square = Image.new("L", (size, size))
    square.paste(drawing.resize((width, height), Image.Resampling.LANCZOS), ((size - width) // 2, 1))
    return torch.from_numpy(np.asarray(square).copy()).float()[None] / 255
