"""What lies behind an emoji: one colour, two shades of it that flow into each other, a pattern, or other emoji."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.datasets.drawing import chequered, dotted, points, striped, wavy
from maple_lite.datasets.emoji.placing import Cast, before
from maple_lite.support.counter_rng import Keys, uniform

COLOURS = {
    "white": (0.97, 0.97, 0.95),
    "yellow": (1.00, 0.91, 0.52),
    "orange": (1.00, 0.76, 0.50),
    "red": (0.94, 0.52, 0.49),
    "pink": (1.00, 0.76, 0.84),
    "purple": (0.78, 0.68, 0.95),
    "blue": (0.56, 0.76, 0.97),
    "turquoise": (0.53, 0.87, 0.84),
    "green": (0.65, 0.87, 0.56),
    "brown": (0.80, 0.67, 0.53),
    "gray": (0.74, 0.76, 0.79),
}
"""Light colours: the black outlines of emoji are seen on all of them."""

SHADE = 0.04  # how far a picture's red may lie from the table's
TILES = 2.6  # emoji from side to side where other emoji lie behind
FAINT = 0.4  # their opacity


def _plain(keys: Keys, resolution: int) -> Tensor:
    """Nothing of the second shade."""
    return torch.zeros(len(keys), 1, resolution, resolution)


def _gradient(keys: Keys, resolution: int) -> Tensor:
    """From one shade to the other, in any direction."""
    x, y = points(resolution)
    turn = 2 * math.pi * uniform(keys, "gradient", 1, 1)
    along = turn.cos() * (x - 0.5) + turn.sin() * (y - 0.5)  # [B, R, R], within 0.71 of the middle
    return (0.5 + along / 1.2).clamp(0, 1).unsqueeze(1)


PATTERNS: dict[str, tuple[float, Callable[[Keys, int], Tensor]]] = {
    "plain": (0.28, _plain),
    "gradient": (0.28, _gradient),
    "striped": (0.06, striped),
    "dotted": (0.06, dotted),
    "chequered": (0.06, chequered),
    "wavy": (0.06, wavy),
    "emoji": (0.20, _gradient),
}
"""Kinds of grounds: how often each occurs, and how much of the second shade [B, 1, R, R] in 0..1 lies where."""


def choose_grounds(keys: Keys) -> tuple[Tensor, Tensor]:
    """Ids [B] of the kinds of grounds, in the order of `PATTERNS`, and of their colours, in the order of `COLOURS`."""
    kind, colour = uniform(keys, "ground", 2).T.contiguous()
    ends = torch.tensor([share for share, _ in PATTERNS.values()]).cumsum(0)
    kinds = torch.bucketize(kind, ends, right=True).clamp(max=len(PATTERNS) - 1)
    return kinds, (colour * len(COLOURS)).long()


def paint_grounds(cast: Cast, ids: Tensor, keys: Keys) -> Tensor:
    """Grounds [B, 3, R, R] in 0..1 of pictures that show the emoji `ids` [B] of a cast."""
    kinds, colour_ids = choose_grounds(keys)
    first, second = _two_shades(keys, colour_ids)
    amount = torch.zeros(len(keys), 1, cast.resolution, cast.resolution)
    for number, (_, pattern) in enumerate(PATTERNS.values()):
        rows = (kinds == number).nonzero()[:, 0]
        if len(rows):
            amount[rows] = pattern(keys[rows.numpy()], cast.resolution)
    grounds = torch.lerp(first, second, amount)
    rows = (kinds == list(PATTERNS).index("emoji")).nonzero()[:, 0]
    if len(rows):
        some = keys[rows.numpy()]
        tiles = _tiled(cast.small(cast.others(ids[rows], some, "emoji behind")), some, cast.resolution)
        grounds[rows] = before(grounds[rows], tiles, FAINT)
    return grounds


def _two_shades(keys: Keys, colour_ids: Tensor) -> tuple[Tensor, Tensor]:
    """A colour near the table's, and a lighter or a darker shade of it [B, 3, 1, 1] each."""
    noise = 2 * uniform(keys, "shades", 4) - 1
    first = (torch.tensor(list(COLOURS.values()))[colour_ids] + SHADE * noise[:, :3]).clamp(0, 1)[:, :, None, None]
    lighter = (noise[:, 3] > 0)[:, None, None, None] & (colour_ids > 0)[:, None, None, None]  # white has a darker one
    return first, torch.where(lighter, torch.lerp(first, torch.ones(()), 0.55), 0.86 * first)


def _tiled(sprites: Tensor, keys: Keys, resolution: int) -> Tensor:
    """Sprites [B, 4, r, r] again and again over the whole picture [B, 4, R, R], in rows of any direction."""
    x, y = points(resolution)
    turn, across, down = uniform(keys, "tiles", 3, 1, 1).unbind(1)
    cos, sin = (0.7 * (turn - 0.5)).cos(), (0.7 * (turn - 0.5)).sin()
    rows = TILES * torch.stack([cos * x + sin * y + across, cos * y - sin * x + down], 3)
    rows[..., 0] += 0.5 * (rows[..., 1].floor() % 2)  # every other row begins half a tile later
    return F.grid_sample(sprites, 2.6 * (rows % 1) - 1.3, align_corners=False)
