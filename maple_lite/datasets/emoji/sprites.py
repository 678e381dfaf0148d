"""Sprites: emoji cut out of the fonts, in colour by one artist and in black and white by the other."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import binary_fill_holes
from torch import Tensor

from maple_lite.datasets.emoji.fonts import artist_font, draws, open_font

FINE = 1.5  # the font's size, in sprites: an emoji is drawn a little larger than the sprite, then made smaller
LEAST = 96  # pixels of the font at least, so that lines stay even in small sprites


@lru_cache(maxsize=16)
def sprites(characters: str, size: int, artist: str = "openmoji") -> Tensor:
    """Sprites [S, 4, size, size], uint8, of S characters: red, green, blue times opacity, and opacity.

    The longer side of an emoji fills the square but for a pixel's margin. Cached, so never write to the result.
    Raises ValueError for an emoji that the font lacks, ImportError for a package that is missing or of another version.

    >>> sprites("🦊🍕", 48).shape
    torch.Size([2, 4, 48, 48])
    """
    return torch.stack([_sprite(character, size, artist) for character in characters])


@lru_cache(maxsize=4096)
def _sprite(character: str, size: int, artist: str) -> Tensor:
    """One sprite [4, size, size]."""
    if not draws(artist, character):
        font = artist_font(artist)
        raise ValueError(
            f"the font of {font.package} {font.version} has no emoji {character!r} (U+{ord(character):04X}): take it "
            "out of the table of pictures."
        )
    drawing = _drawing(character, max(LEAST, round(FINE * size)), artist).convert("RGBa")  # colours times opacity
    shrink = (size - 2) / max(drawing.size)
    width, height = (max(1, round(side * shrink)) for side in drawing.size)
    square = Image.new("RGBa", (size, size))
    square.paste(drawing.resize((width, height), Image.Resampling.LANCZOS), ((size - width) // 2, (size - height) // 2))
    values = np.asarray(square)
    return torch.from_numpy(np.minimum(values, values[:, :, 3:]).transpose(2, 0, 1).copy())


def _drawing(character: str, pixels: int, artist: str) -> Image.Image:
    """An RGBA picture of one emoji, cut to its edges."""
    font = open_font(artist_font(artist), pixels)
    in_colour = artist_font(artist).weight is None
    picture = Image.new("RGBA" if in_colour else "L", (2 * pixels, 2 * pixels))
    ImageDraw.Draw(picture).text(
        (pixels // 2, pixels // 2), character, font=font, fill="white", embedded_color=in_colour
    )
    drawing = picture.crop(picture.getbbox())
    return drawing if in_colour else _on_paper(drawing)


def _on_paper(ink: Image.Image) -> Image.Image:
    """Black ink, white wherever the ink encloses it, transparent outside."""
    shade = np.asarray(ink)
    inside = binary_fill_holes(shade >= 128)
    paper = np.where(inside, 255 - shade, 0)
    return Image.fromarray(np.dstack([paper] * 3 + [np.where(inside, 255, shade)]).astype(np.uint8))
