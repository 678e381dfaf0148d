"""What both drawn worlds draw with: masks and sprites put in place, and patterns that are turned at random."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.support.counter_rng import Keys, uniform

LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue look."""


def warp(
    masks: Tensor,
    matrix: tuple[Tensor, Tensor, Tensor, Tensor],
    across: Tensor,
    down: Tensor,
    resolution: int | None = None,
) -> Tensor:
    """Masks or sprites [B, c, r, r] read at `matrix (p - (across, down))` for each point p of the picture, [-1, 1]².

    The four entries of the 2 x 2 matrix, row by row, and the shifts are [B]. The result is [B, c, R, R], of
    `resolution` R, by default the masks' own; outside the masks it is 0.
    """
    xx, xy, yx, yy = matrix
    rows = [xx, xy, -(xx * across + xy * down), yx, yy, -(yx * across + yy * down)]
    theta = torch.stack(rows, 1).view(-1, 2, 3)
    side = masks.shape[-1] if resolution is None else resolution
    grid = F.affine_grid(theta, [*masks.shape[:2], side, side], align_corners=False)
    return F.grid_sample(masks, grid, align_corners=False)


def points(resolution: int) -> tuple[Tensor, Tensor]:
    """Coordinates x [R, R] and y [R, R] of the pixels' middles in 0..1."""
    middles = (torch.arange(resolution) + 0.5) / resolution
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return x, y


def turned(keys: Keys, resolution: int) -> tuple[Tensor, Tensor]:
    """Coordinates [B, R, R] of the pixels' middles, turned and shifted at random per picture."""
    x, y = points(resolution)
    turn, across, down = uniform(keys, "turned", 3, 1, 1).unbind(1)
    cos, sin = (math.pi * turn).cos(), (math.pi * turn).sin()
    return cos * x + sin * y + across, cos * y - sin * x + down


def soft_steps(wave: Tensor, pixels: float) -> Tensor:
    """Soft black and white [B, 1, R, R] of a wave [B, R, R] in -1..1 whose period is `pixels` long."""
    return (wave * pixels / 6 + 0.5).clamp(0, 1).unsqueeze(1)  # the edge is about one pixel wide


def striped(keys: Keys, resolution: int) -> Tensor:
    """Straight stripes in any direction."""
    x, _ = turned(keys, resolution)
    return soft_steps((2 * math.pi * 7 * x).sin(), resolution / 7)


def chequered(keys: Keys, resolution: int) -> Tensor:
    """A chequered board, eight squares wide and a little turned."""
    x, y = points(resolution)
    turn, across, down = uniform(keys, "chequered", 3, 1, 1).unbind(1)
    slope = 0.3 * (turn - 0.5)
    wave = (math.pi * (8 * (x + slope * y) + across)).sin() * (math.pi * (8 * (y - slope * x) + down)).sin()
    return soft_steps(wave, resolution / 4)


def dotted(keys: Keys, resolution: int) -> Tensor:
    """A grid of dots in any direction."""
    x, y = turned(keys, resolution)
    wave = (2 * math.pi * 7 * x).cos() + (2 * math.pi * 7 * y).cos() - 0.6
    return soft_steps(wave, resolution / 7)


def ringed(keys: Keys, resolution: int) -> Tensor:
    """Rings around a point near a corner, like orbits."""
    x, y = points(resolution)
    across, down = uniform(keys, "ringed", 2, 1, 1).round().add(0.3 * uniform(keys, "ring shift", 2, 1, 1)).unbind(1)
    radius = ((x - across) ** 2 + (y - down) ** 2).sqrt()
    return soft_steps((2 * math.pi * 7 * radius).sin(), resolution / 7)


def wavy(keys: Keys, resolution: int) -> Tensor:
    """Wavy lines, as on a banknote."""
    x, y = points(resolution)
    across, down = uniform(keys, "wavy", 2, 1, 1).unbind(1)
    height = y + 0.06 * (2 * math.pi * (2 * x + across)).sin()
    return soft_steps((2 * math.pi * (8 * height + down)).sin(), resolution / 8)
