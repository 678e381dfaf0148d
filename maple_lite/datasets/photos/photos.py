"""Photos: a dataset of picture files, with few-shot samples drawn in the authors' order."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from maple_lite.datasets.photos.listing import Item, Listing, require_shots
from maple_lite.datasets.photos.pictures import (
    Crop,
    DamagedPicture,
    Preparation,
    is_readable,
    map_in_threads,
    picture_size,
    read_picture,
)
from maple_lite.protocol import class_places, few_shot
from maple_lite.support.names import require_count

VAL_SHOTS = 4  # of the authors' validation sample, at most


@dataclass(frozen=True, eq=False)
class Photos(Dataset[tuple[Tensor, int]]):
    """A test set of (normalised image [3, H, W], label); `.train` and `.val` have samples of the others.

    Never changed in place: `train`, `val`, `test` and `subset` return new ones, and may be called in any order. The
    sample is always drawn from all classes and then cut to the subset's, as the authors draw it.
    `damaged` names the pictures that were left out because they cannot be read.
    """

    listing: Listing
    preparation: Preparation
    class_ids: tuple[int, ...]
    items: tuple[Item, ...]
    augmented: bool = False
    augment: bool = True  # whether training pictures are cropped and mirrored at random
    skip_damaged: bool = False
    damaged: tuple[str, ...] = ()
    readable: dict[str, bool] = field(default_factory=dict)  # what all views found, so that no file is checked twice

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.listing.name

    @property
    def own(self) -> bool:
        """Whether these are a user's own pictures: no published row stands beside them, whatever their name."""
        return self.listing.own

    @property
    def template(self) -> str:
        """The zero-shot sentence, with one {} for the class name."""
        return self.listing.template

    @property
    def class_names(self) -> list[str]:
        """Names of the classes; label i is `class_names[i]`."""
        return [self.listing.class_names[i] for i in self.class_ids]

    @property
    def labels(self) -> list[int]:
        """Labels of all items."""
        places = self._places
        return [places[item.label] for item in self.items]

    @property
    def paths(self) -> list[str]:
        """Files of all items."""
        return [self._path(item) for item in self.items]

    @property
    def identity(self) -> str:
        """Which pictures these are, with their labels, whether they are augmented, and how they are prepared."""
        pictures = [(item.path, label) for item, label in zip(self.items, self.labels, strict=True)]
        return repr((self.augmented, self.preparation.training.size, self.mean, self.std, pictures))

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean of each channel with which images are normalised."""
        return self.preparation.mean

    @property
    def std(self) -> tuple[float, ...]:
        """The standard deviation of each channel with which images are normalised."""
        return self.preparation.std

    def train(self, shots: int, seed: int = 1) -> Photos:
        """`shots` training pictures per class, randomly cropped and mirrored each time that they are read (or not, if
        the dataset was opened with `augment=False`).

        The authors' draw: one `random.Random(seed)`, classes in order of their first appearance in the train list.
        Raises ValueError for a class with fewer pictures, and for a dataset for testing only.
        """
        return self._view(self._sample("train", shots, random.Random(seed)), augmented=self.augment)

    def val(self, shots: int, seed: int = 1) -> Photos:
        """The authors' validation sample beside `train(shots, seed)`: at most 4 pictures per class, not augmented.

        It follows the training sample in the same stream. Raises ValueError as `train`, or without a validation list.
        """
        generator = random.Random(seed)
        self._sample("train", shots, generator)
        return self._view(self._sample("val", min(shots, VAL_SHOTS), generator), augmented=False)

    def test(self) -> Photos:
        """All test pictures."""
        return self._view(self.listing.items("test"), augmented=False)

    def subset(self, class_ids: Iterable[int | str]) -> Photos:
        """The pictures of some classes, by label or name, relabelled from 0 in the given order.

        Raises ValueError for an unknown class, one that is named twice, or none at all.
        """
        places = class_places(self.name, self.class_names, class_ids)
        kept = tuple(self.class_ids[place] for place in places)
        wanted = set(kept)
        return replace(self, class_ids=kept, items=tuple(item for item in self.items if item.label in wanted))

    def _sample(self, split: str, shots: int, generator: random.Random) -> list[Item]:
        """`shots` items per class of a list, of all classes, drawn from the generator's stream."""
        shots, items = require_count("shots", shots), self.listing.items(split)
        require_shots(items, shots, self.listing.class_names, self.name)
        return [items[i] for i in few_shot([item.label for item in items], shots, generator)]

    def _view(self, items: Iterable[Item], augmented: bool) -> Photos:
        """Those of the items whose classes this view has."""
        wanted = set(self.class_ids)
        kept = tuple(item for item in items if item.label in wanted)
        view = replace(self, items=kept, augmented=augmented, damaged=())
        return view._without_damaged() if self.skip_damaged else view

    def _without_damaged(self) -> Photos:
        """The view without the pictures that cannot be read; ValueError for a class that has no others."""
        damaged = self._unreadable()
        kept = tuple(item for item, path in zip(self.items, self.paths, strict=True) if path not in damaged)
        lost = set(self.class_ids) - {item.label for item in kept}
        if damaged and lost:
            raise ValueError(
                f"none of the pictures of class {self.listing.class_names[min(lost)]!r} that are needed here can be "
                f"read, such as {damaged[0]}: restore them."
            )
        return replace(self, items=kept, damaged=tuple(damaged))

    def _unreadable(self) -> list[str]:
        """The files of this view that hold no picture, each read once for all views."""
        new = [path for path in self.paths if path not in self.readable]
        self.readable.update(zip(new, map_in_threads(is_readable, new), strict=True))
        return [path for path in self.paths if not self.readable[path]]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """Items of a whole batch at once: torch's DataLoader asks for them so, and threads read them.

        What is random is drawn first, item after item, so that threads change nothing.
        """
        if any(not 0 <= index < len(self) for index in indices):
            raise IndexError(f"{self.name} holds items 0 to {len(self) - 1}, got {list(indices)}.")
        items = [self.items[index] for index in indices]
        try:
            pictures = self._pictures([self._path(item) for item in items])
        except DamagedPicture as error:
            raise DamagedPicture(
                f"{max(1, len(self._unreadable()))} of these {len(self)} pictures of {self.name} are damaged, {error}: "
                "restore them, or open the dataset with skip_damaged=True to go on without them."
            ) from error
        places = self._places
        return [
            (self.preparation.tensor(picture), places[item.label])
            for picture, item in zip(pictures, items, strict=True)
        ]

    def batch(self, indices: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images [B, 3, H, W] and labels [B] of the items `indices` [B]; IndexError beyond the last."""
        images, labels = zip(*self.__getitems__([int(index) for index in indices]), strict=True)
        return torch.stack(images), torch.tensor(labels)

    def _pictures(self, paths: Sequence[str]) -> list[Image.Image]:
        """The cropped pictures of some files."""
        upright = self.listing.own
        crop: Crop = self.preparation.training if self.augmented else self.preparation.testing
        plans = [crop.plan(*picture_size(path, upright)) if self.augmented else None for path in paths]
        planned = list(zip(paths, plans, strict=True))
        return map_in_threads(lambda pair: crop.cut(read_picture(pair[0], upright), pair[1]), planned)

    def _path(self, item: Item) -> str:
        """The file of an item."""
        return os.path.join(self.listing.folder, item.path)

    @property
    def _places(self) -> dict[int, int]:
        """{label in the listing: label here}."""
        return {class_id: place for place, class_id in enumerate(self.class_ids)}
