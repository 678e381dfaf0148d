"""Pictures of a dataset side by side, each over its class name."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

from maple_lite.protocol import ClassificationDataset, items_of_classes

COLUMNS = 8


def plot_gallery(
    dataset: ClassificationDataset,
    indices: Sequence[int] | None = None,
    columns: int = COLUMNS,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The pictures `indices` of a dataset in rows of `columns`, each over its class name.

    `indices=None` shows one row: pictures of classes spread evenly over the dataset.

    >>> from maple_lite import open_dataset
    >>> axes = plot_gallery(open_dataset("sea"))
    """
    indices = spread(dataset, columns) if indices is None else indices
    images, labels = dataset.batch(indices)
    mean, std = (torch.tensor(values)[:, None, None] for values in (dataset.mean, dataset.std))
    ax = plt.gca() if ax is None else ax
    for number, (image, label) in enumerate(zip((images * std + mean).clamp(0, 1), labels.tolist(), strict=True)):
        row, column = divmod(number, columns)
        left, top = column * 1.06, row * 1.4  # in pictures
        ax.imshow(image.permute(1, 2, 0).numpy(), extent=(left, left + 1, top + 1, top), interpolation="nearest")
        name = "\n".join(textwrap.wrap(dataset.class_names[label], 15))
        ax.text(left + 0.5, top + 1.04, name, ha="center", va="top", fontsize="xx-small", linespacing=0.95)
    ax.set(xlim=(0, columns * 1.06), ylim=((len(indices) - 1) // columns * 1.4 + 1.35, 0), aspect="equal")
    ax.set_axis_off()
    return ax


def spread(dataset: ClassificationDataset, n: int) -> list[int]:
    """Indices of `n` pictures, of classes spread evenly over the dataset and each another picture of its class."""
    members = items_of_classes(dataset.labels)
    chosen = [members[i * len(dataset.class_names) // n] for i in range(n)]
    return [items[i % len(items)] for i, items in enumerate(chosen)]
