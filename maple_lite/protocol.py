"""The rules of the papers' evaluation: what a dataset offers, few-shot samples, base and novel classes, their mean."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from maple_lite.support.names import require_count, require_name


@runtime_checkable
class ClassificationDataset(Protocol):
    """What a dataset must offer: normalised images with labels, its classes, and views of itself.

    `open_dataset` returns one. A class of your own with these members is one too; it needs no parent class. It is
    never changed in place: `train`, `test` and `subset` return new views, and may be called in any order.

    >>> from maple_lite import open_dataset
    >>> isinstance(open_dataset("sea"), ClassificationDataset)
    True
    """

    @property
    def name(self) -> str:
        """The name in tables, which also chooses published settings and results."""
        ...

    @property
    def class_names(self) -> list[str]:
        """Names of the classes; label i is `class_names[i]`."""
        ...

    @property
    def template(self) -> str:
        """The zero-shot sentence, with one {} for the class name."""
        ...

    @property
    def labels(self) -> list[int]:
        """Labels of all items, without reading a picture."""
        ...

    @property
    def identity(self) -> str:
        """Which items these are: equal for two views if and only if they hold the same pictures and labels.

        A checkpoint keeps a digest of it, so that a run goes on with its own training pictures only.
        """
        ...

    @property
    def augmented(self) -> bool:
        """Whether an image changes at random each time it is read; if it does, its features cannot be cached."""
        ...

    @property
    def own(self) -> bool:
        """Whether these are a user's own pictures: published results never stand beside them, whatever their name."""
        ...

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean of each channel with which images are normalised; a plot undoes it."""
        ...

    @property
    def std(self) -> tuple[float, ...]:
        """The standard deviation of each channel with which images are normalised."""
        ...

    def train(self, shots: int, seed: int = 1) -> ClassificationDataset:
        """`shots` training pictures per class; another seed draws others."""
        ...

    def test(self) -> ClassificationDataset:
        """The test pictures."""
        ...

    def subset(self, class_ids: Iterable[int | str]) -> ClassificationDataset:
        """The pictures of some classes, by label or name, relabelled from 0 in the given order."""
        ...

    def batch(self, indices: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images [B, 3, H, W] and labels [B] of the items `indices` [B]."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Tensor, int]: ...


def items_of_classes(labels: Iterable[int]) -> dict[int, list[int]]:
    """{label: indices of its items}, labels in order of their first appearance; ValueError for one that is no label.

    >>> items_of_classes([1, 0, 1])
    {1: [0, 2], 0: [1]}
    """
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(require_count("label", label, 0), []).append(index)
    return members


def few_shot(labels: Iterable[int], shots: int, seed: int | random.Random) -> list[int]:
    """Indices of exactly `shots` items per class, classes in order of their first appearance.

    The draw is that of the authors' data code: one `random.Random(seed)`, `sample` per class. Pass a generator to go
    on with its stream (their validation sample follows the training sample).
    Raises ValueError for shots < 1 or a class with fewer items.

    >>> few_shot([0, 0, 1, 1], shots=1, seed=1)
    [0, 2]
    """
    shots = require_count("shots", shots)
    generator = seed if isinstance(seed, random.Random) else random.Random(seed)
    members = items_of_classes(labels)
    if not members:
        raise ValueError("labels is empty: pass the label of every image.")
    for label, indices in members.items():
        if len(indices) < shots:
            raise ValueError(f"class {label} has {len(indices)} images, {shots} shots were asked for: ask for fewer.")
    return [index for indices in members.values() for index in generator.sample(indices, shots)]


def class_places(dataset: str, class_names: Sequence[str], class_ids: Iterable[int | str]) -> list[int]:
    """Labels of the classes of a subset, given by label or name, in their order.

    Raises ValueError for a class that `dataset` does not have, one that is named twice, or none at all.

    >>> class_places("chess", ["king", "queen"], ["queen", 0])
    [1, 0]
    """
    places = [_class_place(dataset, class_names, class_id) for class_id in class_ids]
    if not places or len(set(places)) < len(places):
        raise ValueError(f"a subset needs at least one class and each class once, got {places}.")
    return places


def _class_place(dataset: str, class_names: Sequence[str], class_id: int | str) -> int:
    """The label of one class."""
    if isinstance(class_id, str):
        return class_names.index(require_name(f"class of {dataset}", class_id, class_names))
    place, classes = require_count("class_id", class_id, 0), len(class_names)
    if place >= classes:
        raise ValueError(f"{dataset} has no class {place}: its {classes} classes are 0 to {classes - 1}.")
    return place


def base_and_novel(n_classes: int) -> tuple[list[int], list[int]]:
    """Base classes, the first ceil(C / 2) of the sorted labels, and the novel rest; ValueError below two classes.

    >>> base_and_novel(5)
    ([0, 1, 2], [3, 4])
    """
    n_classes = require_count("n_classes", n_classes, 2)
    base = (n_classes + 1) // 2
    return list(range(base)), list(range(base, n_classes))


def harmonic_mean(base: float, novel: float) -> float:
    """2 base novel / (base + novel) of two accuracies in percent, 0 if both are 0; ValueError outside 0 to 100.

    >>> round(harmonic_mean(82.28, 75.14), 2)     # MaPLe's averages
    78.55
    """
    if not (0 <= base <= 100 and 0 <= novel <= 100):
        raise ValueError(f"accuracies are percent from 0 to 100, got {base} and {novel}.")
    return 2 * base * novel / (base + novel) if base + novel else 0.0
