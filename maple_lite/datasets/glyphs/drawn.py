"""Glyph-11, eleven small datasets of drawn symbols, and scikit-learn's handwritten digits in the same form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import Dataset

from maple_lite.datasets.glyphs.glyphs import glyph_masks, symbols_of
from maple_lite.datasets.glyphs.styles import CLEAN, KINDS, STYLES, VARIANTS, Style, draw
from maple_lite.protocol import class_places
from maple_lite.support.counter_rng import picture_keys
from maple_lite.support.names import require_name

TEST_IMAGES = 50  # per class
TARGETS = (
    "faces",
    "cards",
    "chess",
    "zodiac",
    "planets",
    "letters",
    "digits",
    "greek",
    "mathematics",
    "currency",
)
DRAWN = ("objects", *TARGETS)
TEMPLATES = {
    "objects": "a photo of a {}.",
    "faces": "a photo of a {}, a type of emoji.",
    "cards": "a photo of the {}, a playing card.",
    "chess": "a photo of a {}, a chess piece.",
    "zodiac": "a photo of {}, a sign of the zodiac.",
    "planets": "a photo of {}, a sign of astronomy.",
    "letters": "a photo of the capital {}.",
    "digits": "a photo of the number {}.",
    "greek": "a photo of the greek letter {}.",
    "mathematics": "a photo of the {}, a sign of mathematics.",
    "currency": "a photo of the {} sign, a currency.",
    "handwritten": "a photo of the handwritten number {}.",
}


def drawn(
    name: str,
    resolution: int = 48,
    style: str | Style | None = None,
    variant: str | None = None,
    mean: tuple[float, ...] = OPENAI_DATASET_MEAN,
    std: tuple[float, ...] = OPENAI_DATASET_STD,
) -> Pictures:
    """The test set of a drawn dataset, or of "handwritten": (normalised image [3, R, R], label); `.train` has the rest.

    `style=None` is the dataset's own style, "clean" leaves it out, and the name of a style or a `Style` sets another.
    `variant` is for objects alone: "v2" (drawn again), "sketch", "a" (adversarial clutter) or "r" (renditions).
    `mean` and `std` are those of the CLIP that will look (OpenAI's unless you say otherwise).
    Raises ValueError for what is unknown, with the close names.

    >>> zodiac = drawn("zodiac")
    >>> images, labels = zodiac.train(shots=16, seed=1).batch(range(4))     # [4, 3, 48, 48], [4]
    """
    require_name("dataset", name, TEMPLATES)
    if resolution < 16:
        raise ValueError(f"resolution must be at least 16 pixels, got {resolution}: glyphs are not legible below.")
    style = _style(name, style, variant)
    kind = Handwritten if name == "handwritten" else Drawn
    n_classes = len(symbols_of(_symbols_name(name)))
    return kind(name, resolution, style, variant, mean, std, tuple(range(n_classes)))


def _symbols_name(name: str) -> str:
    """The dataset whose names a dataset's classes have: handwritten digits are called like drawn ones."""
    return "digits" if name == "handwritten" else name


def _style(name: str, style: str | Style | None, variant: str | None) -> Style:
    """The style of a dataset or variant; ValueError for one that is unknown or does not fit."""
    if variant is not None:
        require_name("variant", variant, VARIANTS)
        if name != "objects":
            raise ValueError(f"{name} has no variants: only objects has (v2, sketch, a, r); leave variant out.")
        if style is not None:
            raise ValueError(f"variant {variant!r} is a style of its own: leave style={style!r} out.")
        return VARIANTS[variant]
    if name == "handwritten":
        if style not in (None, "clean"):
            raise ValueError(f"handwritten digits are photographs, not drawn: leave style={style!r} out.")
        return CLEAN
    if style is None:
        return STYLES[name]
    named = {"clean": CLEAN} | {own.kind: own for own in [*STYLES.values(), *VARIANTS.values()]}
    chosen = named[require_name("style", style, named)] if isinstance(style, str) else style
    require_name("style", chosen.kind, KINDS)
    if not 0 <= chosen.strength <= 1:
        raise ValueError(f"the strength of style {chosen.kind!r} must lie in 0..1, got {chosen.strength}.")
    return chosen


@dataclass(frozen=True)
class Pictures(Dataset[tuple[Tensor, int]]):
    """What all datasets here share: a list of classes with `per_class` pictures each, class after class.

    Never changed in place: `train`, `test` and `subset` return new ones, and may be called in any order. A picture
    depends on the dataset, the split, the seed, its class and its number in the class, and on nothing else; so the
    first 4 of 16 shots are the pictures of 4 shots.
    """

    name: str
    resolution: int
    style: Style
    variant: str | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_ids: tuple[int, ...]
    split: str = "test"
    per_class: int = TEST_IMAGES
    seed: int = 0

    @property
    def class_names(self) -> list[str]:
        """Names of the classes; label i is `class_names[i]`."""
        everything = symbols_of(_symbols_name(self.name))
        return [everything[i].name for i in self.class_ids]

    @property
    def template(self) -> str:
        """The caption of this dataset's pictures, with one {} for the class name."""
        return TEMPLATES[self.name]

    @property
    def labels(self) -> list[int]:
        """Labels of all items."""
        return [i // self.per_class for i in range(len(self))]

    @property
    def sample(self) -> str:
        """Which pictures these are: equal for equal ones."""
        own = self.name, self.variant, self.style, self.resolution, self.split, self.seed
        return repr((*own, self.class_ids, self.per_class))

    def train(self, shots: int, seed: int = 1) -> Pictures:
        """`shots` training pictures per class, others for every seed; ValueError for shots < 1 or too many."""
        if shots < 1:
            raise ValueError(f"shots must be at least 1, got {shots}.")
        return replace(self, split="train", per_class=shots, seed=seed)

    def test(self) -> Pictures:
        """The 50 test pictures per class."""
        return replace(self, split="test", per_class=TEST_IMAGES, seed=0)

    def subset(self, class_ids: Iterable[int | str]) -> Pictures:
        """The pictures of some classes, by label or name, relabelled from 0 in the given order.

        Raises ValueError for an unknown class, one that is named twice, or none at all.

        >>> base, novel = base_and_novel(12)
        >>> drawn("zodiac").subset(novel).class_names[0]
        'libra'
        """
        places = class_places(self.name, self.class_names, class_ids)
        return replace(self, class_ids=tuple(self.class_ids[place] for place in places))

    def __len__(self) -> int:
        return len(self.class_ids) * self.per_class

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        images, labels = self.batch([index])
        return images[0], int(labels[0])

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, int]]:
        """Items of a whole batch at once: torch's DataLoader asks for them so."""
        images, labels = self.batch(indices)
        return list(zip(images, labels.tolist(), strict=True))

    def batch(self, indices: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images [B, 3, R, R] and labels [B] of the items `indices` [B]; IndexError beyond the last."""
        places = torch.as_tensor(indices, dtype=torch.long)
        if len(places) and (places.min() < 0 or places.max() >= len(self)):
            raise IndexError(f"{self.name} holds items 0 to {len(self) - 1}, got {places.tolist()}.")
        labels = places // self.per_class
        images = self.pictures(torch.tensor(self.class_ids)[labels], places % self.per_class)
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std, labels

    def pictures(self, class_ids: Tensor, items: Tensor) -> Tensor:
        """Pictures [B, 3, R, R] in 0..1: number `items` [B] of classes `class_ids` [B]."""
        raise NotImplementedError


class Drawn(Pictures):
    """A dataset of drawn symbols."""

    def pictures(self, class_ids: Tensor, items: Tensor) -> Tensor:
        """Pictures [B, 3, R, R] in 0..1, drawn now."""
        characters = "".join(symbol.character for symbol in symbols_of(self.name))
        keys = picture_keys(f"{self.name}/{self.variant}/{self.split}/{self.seed}", class_ids, items)
        return draw(glyph_masks(characters, self.resolution, self.style.font), class_ids, keys, self.style)


class Handwritten(Pictures):
    """Scikit-learn's handwritten digits [8, 8], enlarged; the first 50 of each digit are for testing."""

    def train(self, shots: int, seed: int = 1) -> Pictures:
        """`shots` training pictures per class, drawn without repetition; ValueError beyond the rarest digit's."""
        most = min(len(digits) for digits in _handwritten()) - TEST_IMAGES
        if shots > most:
            raise ValueError(
                f"handwritten has {most} training images per class, {shots} shots were asked for: ask for fewer."
            )
        return super().train(shots, seed)

    def pictures(self, class_ids: Tensor, items: Tensor) -> Tensor:
        """Pictures [B, 3, R, R] in 0..1: white ink on black."""
        chosen = [
            _handwritten()[c][self._row(c, item)] for c, item in zip(class_ids.tolist(), items.tolist(), strict=True)
        ]
        inside = round(self.resolution * 0.85)
        images = F.interpolate(torch.stack(chosen), inside, mode="bicubic", align_corners=False).clamp(0, 1)
        low = (self.resolution - inside) // 2
        high = self.resolution - inside - low
        return F.pad(images, (low, high, low, high)).expand(-1, 3, -1, -1)

    def _row(self, class_id: int, item: int) -> int:
        """Which of a digit's images is number `item` of this split."""
        if self.split == "test":
            return item
        return TEST_IMAGES + _order(class_id, self.seed)[item]


@lru_cache
def _handwritten() -> list[Tensor]:
    """Scikit-learn's digits in 0..1, one tensor [n, 1, 8, 8] per digit."""
    digits = load_digits()
    images = torch.from_numpy(digits.images).float()[:, None] / 16
    return [images[torch.from_numpy(digits.target == digit)] for digit in range(10)]


@lru_cache(maxsize=256)
def _order(class_id: int, seed: int) -> list[int]:
    """A random order of a digit's training images."""
    generator = torch.Generator().manual_seed(1000 * seed + class_id)
    return torch.randperm(len(_handwritten()[class_id]) - TEST_IMAGES, generator=generator).tolist()
