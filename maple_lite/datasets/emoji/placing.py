"""Emoji put into a picture: turned, resized, mirrored, moved, and recoloured a little."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.datasets.drawing import LUMA, warp
from maple_lite.datasets.emoji.sprites import sprites
from maple_lite.datasets.emoji.table import Emoji
from maple_lite.support.counter_rng import Keys, uniform

TILT = 14  # degrees: an upside-down face stays apart from an upright one
SIZES = (0.70, 0.94)  # the sprite's box in widths of the picture
HUE, SATURATION, BRIGHTNESS = 6, 0.2, 0.08  # degrees and shares by which colours differ at most
CLOSER, ASIDE = 0.5, 0.75  # how much larger and how far from the middle, in half pictures, full cropping puts an emoji


@dataclass(frozen=True)
class Cast:
    """The emoji that may stand in pictures of `resolution` R: an emoji's id is its place in `emoji`."""

    emoji: Sequence[Emoji]
    resolution: int

    def sprites(self, ids: Tensor, artist: str = "openmoji") -> Tensor:
        """Sprites [B, 4, R, R] in 0..1 of the emoji `ids` [B], colours times opacity."""
        characters = "".join(emoji.character for emoji in self.emoji)
        return sprites(characters, self.resolution, artist)[ids].float() / 255

    def small(self, ids: Tensor) -> Tensor:
        """The sprites in half their size [B, 4, R // 2, R // 2]."""
        return F.avg_pool2d(self.sprites(ids), 2)

    def others(self, ids: Tensor, keys: Keys, purpose: str) -> Tensor:
        """Ids [B] of other emoji of the cast, never those of `ids` [B]; of a cast of one, the one."""
        step = (uniform(keys, purpose, 1)[:, 0] * (len(self.emoji) - 1)).long()
        return (ids + 1 + step) % len(self.emoji)

    def flips(self, ids: Tensor, keys: Keys) -> Tensor:
        """-1 for emoji that are mirrored, else 1 [B]: half of those whose mirror image shows the same thing."""
        may = torch.tensor([emoji.mirrored for emoji in self.emoji])[ids]
        return 1 - 2 * (may & (uniform(keys, "mirrored", 1)[:, 0] < 0.5)).float()


def place(sprites: Tensor, flips: Tensor, keys: Keys, cropped: Tensor, jitter: float = 1.0) -> Tensor:
    """Sprites [B, 4, R, R], turned by up to `TILT` degrees, resized, mirrored by `flips` [B], and moved.

    They stay inside the picture, but for the share that `cropped` [B] in 0..1 moves out of it. `jitter` 0 puts them
    upright in the middle in the mean size, 1 is the full range.
    """
    draw = 2 * uniform(keys, "place", 5) - 1
    turn, size, across, down = draw[:, :4].mul(jitter).unbind(1)  # each in -1..1
    angle = turn * math.radians(TILT)
    side = (SIZES[0] + SIZES[1]) / 2 + size * (SIZES[1] - SIZES[0]) / 2
    room = (1 - side * (angle.cos() + angle.sin().abs())).clamp(min=0)  # what the turned box leaves
    side = side * (1 + CLOSER * cropped)
    cos, sin = angle.cos() / side, angle.sin() / side
    way = math.pi * draw[:, 4]  # in which an emoji is moved out of the picture
    across = across * room + ASIDE * cropped * way.cos()
    down = down * room + ASIDE * cropped * way.sin()
    return warp(sprites, (flips * cos, flips * sin, -sin, cos), across, down)


def recolour(sprites: Tensor, keys: Keys) -> Tensor:
    """Sprites [B, 4, R, R] in other hues, paler or stronger, brighter or darker: each a little."""
    hue, saturation, brightness = (2 * uniform(keys, "colours", 3) - 1).unbind(1)  # each in -1..1
    matrix = _hue_matrix(hue * math.radians(HUE))
    gray = torch.tensor([LUMA] * 3)
    strength = (1 + SATURATION * saturation)[:, None, None]
    matrix = (strength * matrix + (1 - strength) * gray) * (1 + BRIGHTNESS * brightness)[:, None, None]
    red, green, blue, opacity = sprites.unsqueeze(2).unbind(1)  # [B, 1, R, R] each
    weights = matrix[:, :, :, None, None]
    colours = weights[:, :, 0] * red + weights[:, :, 1] * green + weights[:, :, 2] * blue
    return torch.cat([torch.minimum(colours.clamp(min=0), opacity), opacity], 1)


def _hue_matrix(angle: Tensor) -> Tensor:
    """Matrices [B, 3, 3] that turn colours by `angle` [B] around the grays."""
    around = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return cos * torch.eye(3) + (1 - cos) / 3 + sin * around


def before(picture: Tensor, sprites: Tensor, opacity: Tensor | float = 1.0) -> Tensor:
    """Pictures [B, 3, R, R] with `sprites` [B, 4, R, R] before them; `opacity` [B, 1, 1, 1] makes these fainter."""
    return picture * (1 - opacity * sprites[:, 3:]) + opacity * sprites[:, :3]
