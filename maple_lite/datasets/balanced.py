"""What datasets share whose pictures are made on demand: every class has the same number of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.transform import PreprocessCfg
from torch import Tensor
from torch.utils.data import Dataset

from maple_lite.protocol import class_places
from maple_lite.support.names import require_count

RESOLUTION = 48  # pixels of a picture's side, unless a CLIP needs others
LEAST = 16  # pixels of a picture's side: below, a picture shows nothing that a person can name
TEST_IMAGES = 50  # per class


@dataclass(frozen=True)
class Balanced(Dataset[tuple[Tensor, int]]):
    """A list of classes with `per_class` pictures each, class after class.

    Never changed in place: `train`, `test` and `subset` return new ones, and may be called in any order. A picture
    depends on the dataset, the split, the seed, its class and its number in the class, and on nothing else; so the
    first 4 of 16 shots are the pictures of 4 shots.
    """

    name: str
    resolution: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_ids: tuple[int, ...]
    split: str = "test"
    per_class: int = TEST_IMAGES
    seed: int = 0

    @property
    def all_class_names(self) -> list[str]:
        """Names of all classes of the dataset; `class_ids` are places in this list."""
        raise NotImplementedError

    @property
    def template(self) -> str:
        """The caption of this dataset's pictures, with one {} for the class name."""
        raise NotImplementedError

    def pictures(self, class_ids: Tensor, items: Tensor) -> Tensor:
        """Pictures [B, 3, R, R] in 0..1: number `items` [B] of classes `class_ids` [B]."""
        raise NotImplementedError

    @property
    def class_names(self) -> list[str]:
        """Names of the classes; label i is `class_names[i]`."""
        everything = self.all_class_names
        return [everything[i] for i in self.class_ids]

    @property
    def labels(self) -> list[int]:
        """Labels of all items."""
        return [i // self.per_class for i in range(len(self))]

    @property
    def identity(self) -> str:
        """Which pictures these are: equal for equal ones."""
        return repr(self)

    @property
    def augmented(self) -> bool:
        """False: a picture is the same each time that it is made."""
        return False

    @property
    def own(self) -> bool:
        """False: these are not a user's own pictures."""
        return False

    def train(self, shots: int, seed: int = 1) -> Self:
        """`shots` training pictures per class, others for every seed; ValueError for shots < 1 or too many."""
        if shots < 1:
            raise ValueError(f"shots must be at least 1, got {shots}.")
        return replace(self, split="train", per_class=shots, seed=seed)

    def test(self) -> Self:
        """The 50 test pictures per class."""
        return replace(self, split="test", per_class=TEST_IMAGES, seed=0)

    def subset(self, class_ids: Iterable[int | str]) -> Self:
        """The pictures of some classes, by label or name, relabelled from 0 in the given order.

        Raises ValueError for an unknown class, one that is named twice, or none at all.

        >>> from maple_lite import base_and_novel, open_dataset
        >>> base, novel = base_and_novel(24)
        >>> open_dataset("sea").subset(novel).class_names[0]
        'ring buoy'
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


def size_and_scale(
    preprocess: PreprocessCfg | None, resolution: int | None
) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """(resolution, mean, std) of pictures for a CLIP's `preprocess`; without one 48 pixels and OpenAI's numbers.

    `resolution` replaces the CLIP's. Raises ValueError below 16 pixels.
    """
    usual, mean, std = RESOLUTION, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    if preprocess is not None:
        usual, mean, std = preprocess.input_size[1], tuple(preprocess.mean), tuple(preprocess.std)
    return require_count("resolution", usual if resolution is None else resolution, LEAST), mean, std
