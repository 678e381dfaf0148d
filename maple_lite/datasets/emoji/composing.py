"""A picture put together: an emoji before a ground, among others if it is crowded, in a look."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from maple_lite.datasets.drawing import warp
from maple_lite.datasets.emoji.grounds import paint_grounds
from maple_lite.datasets.emoji.looks import EVERY, FILTERS
from maple_lite.datasets.emoji.placing import Cast, before, place, recolour
from maple_lite.support.counter_rng import Keys, related_keys, uniform

NEIGHBOURS, IN_FRONT = 6, 2  # other emoji in a crowded picture, the last of them before the emoji itself
PAPER = 0.97


def compose(cast: Cast, ids: Tensor, keys: Keys, looks: Tensor, strengths: Tensor, jitter: float = 1.0) -> Tensor:
    """Pictures [B, 3, R, R] in 0..1 of the emoji `ids` [B] of a cast.

    `looks` [B] are places in `EVERY`, `strengths` [B] lie in 0..1; `keys` [B] decide everything else. A picture is
    the same whatever is drawn with it. `jitter` 0 puts every emoji upright in the middle, 1 is the full range.

    >>> from maple_lite.datasets.emoji.table import emoji_of
    >>> from maple_lite.support.counter_rng import random_keys
    >>> cast, keys = Cast(emoji_of("sea"), 48), random_keys(2, torch.Generator().manual_seed(0))
    >>> looks, strengths = torch.tensor([EVERY.index("blurry"), 0]), torch.tensor([0.5, 0.0])
    >>> compose(cast, torch.tensor([0, 5]), keys, looks, strengths).shape
    torch.Size([2, 3, 48, 48])
    """
    much = {name: torch.where(looks == EVERY.index(name), strengths, 0) for name in ("crowded", "cropped", "sketched")}
    pictures = paint_grounds(cast, ids, keys)
    pictures = torch.lerp(pictures, torch.tensor(PAPER), 0.8 * much["sketched"][:, None, None, None])
    pictures = _among(pictures, cast, ids, keys, much["crowded"], range(NEIGHBOURS - IN_FRONT))
    emoji = recolour(_drawn_by_an_artist(cast, ids, much["sketched"]), keys)
    pictures = before(pictures, place(emoji, cast.flips(ids, keys), keys, much["cropped"], jitter))
    pictures = _among(pictures, cast, ids, keys, much["crowded"], range(NEIGHBOURS - IN_FRONT, NEIGHBOURS))
    return _filtered(pictures, keys, looks, strengths).clamp(0, 1)


def _rows(chosen: Tensor) -> Tensor:
    """The places of what is chosen."""
    return chosen.nonzero()[:, 0]


def _drawn_by_an_artist(cast: Cast, ids: Tensor, sketched: Tensor) -> Tensor:
    """Sprites [B, 4, R, R]: in colour, or where `sketched` [B] is not 0 by the other artist.

    A sketch's paper is white at full strength; below, it keeps some of the emoji's mean colour.
    """
    sprites = cast.sprites(ids)
    rows = _rows(sketched > 0)
    if len(rows):
        coloured = sprites[rows]
        mean = coloured[:, :3].mean((2, 3)) / coloured[:, 3:].mean((2, 3))  # [b, 3]
        tint = torch.lerp(mean, torch.ones(()), sketched[rows, None])
        sketches = cast.sprites(ids[rows], "noto")
        sprites[rows] = sketches * torch.cat([tint, torch.ones(len(rows), 1)], 1)[:, :, None, None]
    return sprites


def _among(pictures: Tensor, cast: Cast, ids: Tensor, keys: Keys, crowded: Tensor, numbers: range) -> Tensor:
    """Pictures with some of the neighbours of a crowded one: the more, the larger and the clearer."""
    rows = _rows(crowded > 0)
    if not len(rows):
        return pictures
    some, strength = keys[rows.numpy()], crowded[rows]
    opacity = (2 * strength).clamp(max=1)[:, None, None, None]
    first = 2 * math.pi * uniform(some, "first neighbour", 1)[:, 0]
    scene = pictures[rows]
    for number in numbers:
        own = related_keys(some, f"neighbour {number}")
        turn, far, size = (2 * uniform(own, "place", 3) - 1).unbind(1)
        angle, tilt = first + 2 * math.pi * (0.382 * number) + 0.2 * turn, 0.5 * turn
        side = (0.24 + 0.2 * strength) * (1 + 0.15 * size)
        cos, sin = tilt.cos() / side, tilt.sin() / side
        across, down = ((0.72 + 0.08 * far) * part for part in (angle.cos(), angle.sin()))
        others = cast.small(cast.others(ids[rows], own, "emoji"))
        scene = before(scene, warp(others, (cos, sin, -sin, cos), across, down, cast.resolution), opacity)
    return pictures.index_copy(0, rows, scene)


def _filtered(pictures: Tensor, keys: Keys, looks: Tensor, strengths: Tensor) -> Tensor:
    """Pictures after the looks that change finished ones."""
    for name, filter_ in FILTERS.items():
        rows = _rows((looks == EVERY.index(name)) & (strengths > 0))
        if len(rows):
            changed = filter_(pictures[rows].clamp(0, 1), keys[rows.numpy()], strengths[rows, None, None, None])
            pictures = pictures.index_copy(0, rows, changed)
    return pictures
