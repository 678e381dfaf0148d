"""The looks of pictures: what a look is, and those that change a finished picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.datasets.drawing import LUMA, chequered, dotted, points, striped
from maple_lite.support.counter_rng import Keys, related_keys, uniform

GRAINS = 48  # noise has this many grains across at every resolution
COARSEST = 9  # pixels across that full pixelation leaves
WIDEST = 0.06  # the standard deviation of full blur, in pictures
OVERLAYS = ((0.10, 0.12, 0.18), (0.98, 0.98, 0.96), (0.80, 0.16, 0.20), (0.12, 0.30, 0.68), (0.10, 0.45, 0.26))
FOG = (0.86, 0.85, 0.82)


class Look(NamedTuple):
    """How pictures look: the name of a look, and its strength from 0, which is clean, to 1."""

    name: str
    strength: float


def _blurry(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
    """Out of focus."""
    places = torch.arange(images.shape[-1]) / images.shape[-1]
    apart = places[:, None] - places
    width = (WIDEST * strength).clamp(min=1e-6)
    weights = (-((apart / width) ** 2) / 2).clamp(min=-30).exp()  # [B, 1, R, R]; smaller numbers would be slow
    return _mixed(weights / weights.sum(3, keepdim=True), images)


def _mixed(weights: Tensor, images: Tensor) -> Tensor:
    """Images [B, 3, R, R] whose rows and columns are mixed by weights [B, 1, R, R] that sum to 1."""
    return weights @ images @ weights.transpose(2, 3)


def _pixelated(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
    """In coarse squares."""
    side = images.shape[-1]
    across = (COARSEST / strength.clamp(min=1e-6)).round().clamp(max=side)  # [B, 1, 1, 1]
    square = (torch.arange(side) * across / side).floor()  # [B, 1, 1, R]: which square a pixel lies in
    together = (square == square.transpose(2, 3)).float()
    return _mixed(together / together.sum(3, keepdim=True), images)


def _noisy(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
    """With grains of all colours, as in a photo taken at night."""
    grains = 2 * uniform(keys, "grains", 3, GRAINS, GRAINS) - 1
    return images + strength * F.interpolate(grains, images.shape[-1])


def _faded(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
    """Pale, as a photo that hung in the sun."""
    return torch.lerp(images, torch.tensor(FOG)[:, None, None], 0.92 * strength)


def _gray(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
    """Without colours."""
    luma = (images * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return torch.lerp(images, luma, strength)


def _dark(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
    """Almost without light, least of it in the corners."""
    x, y = points(images.shape[-1])
    shadow = 0.8 + 0.4 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)  # 0.8 in the middle, 1 in the corners
    return images * (1 - 0.95 * strength * shadow)


def _through(pattern: Callable[[Keys, int], Tensor]) -> Callable[[Tensor, Keys, Tensor], Tensor]:
    """A look: a pattern of one colour over the whole picture, as if one looked through a curtain."""

    def look(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
        own = related_keys(keys, "overlay")
        colours = torch.tensor(OVERLAYS)[(uniform(own, "colour", 1)[:, 0] * len(OVERLAYS)).long()]
        return torch.lerp(images, colours[:, :, None, None], strength * pattern(own, images.shape[-1]))

    return look


def _negative(images: Tensor, keys: Keys) -> Tensor:
    """A photographic negative."""
    return 1 - images


def _poster(images: Tensor, keys: Keys) -> Tensor:
    """Four steps of one colour, as a print."""
    dark, light = uniform(keys, "poster", 2, 3, 1, 1).unbind(1)
    luma = (images * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return torch.lerp(0.45 * dark, 0.6 + 0.4 * light, (3.99 * luma.clamp(0, 1)).floor() / 3)


def _slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    """How much brighter [B, 1, R, R] each place is than its neighbours to the left and above."""
    luma = (images * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    reach = max(1, round(images.shape[-1] / 48))
    padded = F.pad(luma, (reach, 0, reach, 0), mode="replicate")
    return luma - padded[:, :, reach:, :-reach], luma - padded[:, :, :-reach, reach:]


def _relief(images: Tensor, keys: Keys) -> Tensor:
    """Cut in stone, with light from above."""
    right, below = _slopes(images)
    stone = torch.lerp(torch.full((3, 1, 1), 0.62), uniform(keys, "stone", 3, 1, 1), 0.2)
    return stone + 0.55 * (right + below)


def _chalk(images: Tensor, keys: Keys) -> Tensor:
    """Bright lines on a dark board."""
    right, below = _slopes(images)
    board, chalk = (torch.tensor(colour)[:, None, None] for colour in ((0.10, 0.20, 0.17), (0.95, 0.94, 0.86)))
    return torch.lerp(board, chalk, (2.2 * (right.abs() + below.abs())).clamp(0, 1))


def _stitched(images: Tensor, keys: Keys) -> Tensor:
    """Embroidered: small squares, each with a cross."""
    coarse = _pixelated(images, keys, torch.full((len(images), 1, 1, 1), COARSEST / 24))
    x, y = points(images.shape[-1])
    cross = torch.minimum(((24 * (x + y)) % 1 - 0.5).abs(), ((24 * (x - y)) % 1 - 0.5).abs())
    return coarse * (0.72 + 0.56 * cross * 2).clamp(max=1)


RENDITIONS = (_negative, _poster, _relief, _chalk, _stitched)


def _rendered(images: Tensor, keys: Keys, strength: Tensor) -> Tensor:
    """In one of five renditions: a negative, a poster, a relief, chalk, embroidery."""
    choice = (uniform(keys, "rendition", 1)[:, 0] * len(RENDITIONS)).long()
    result = images.clone()
    for number, rendition in enumerate(RENDITIONS):
        rows = (choice == number).nonzero()[:, 0]
        if len(rows):
            result[rows] = rendition(images[rows], keys[rows.numpy()])
    return torch.lerp(images, result, strength)


FILTERS: dict[str, Callable[[Tensor, Keys, Tensor], Tensor]] = {
    "blurry": _blurry,
    "noisy": _noisy,
    "faded": _faded,
    "pixelated": _pixelated,
    "gray": _gray,
    "dark": _dark,
    "striped": _through(striped),
    "dotted": _through(dotted),
    "chequered": _through(chequered),
    "rendered": _rendered,
}
"""Looks that change finished pictures [B, 3, R, R], by keys [B] and strengths [B, 1, 1, 1]."""

LOOKS = (
    "blurry",
    "noisy",
    "faded",
    "pixelated",
    "gray",
    "dark",
    "striped",
    "dotted",
    "chequered",
    "crowded",
    "cropped",
    "sketched",
)
"""The twelve looks that sentences name."""

EVERY = ("clean", *LOOKS, "rendered")
"""All looks of a picture; a look's id is its place here."""


def choose_looks(look: Look, keys: Keys) -> tuple[Tensor, Tensor]:
    """Places in `EVERY` and strengths [B] of the looks of pictures: of "mixed", each picture has another.

    >>> from maple_lite.support.counter_rng import random_keys
    >>> choose_looks(Look("blurry", 0.5), random_keys(1, torch.Generator().manual_seed(0)))
    (tensor([1]), tensor([0.5000]))
    """
    if look.name != "mixed":
        return torch.full((len(keys),), EVERY.index(look.name)), torch.full((len(keys),), look.strength)
    choice, strength = uniform(keys, "look", 2).unbind(1)
    return 1 + (choice * len(LOOKS)).long(), look.strength * (1 + strength) / 2
