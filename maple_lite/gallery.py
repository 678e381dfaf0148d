"""Galleries of the drawn datasets; `python -m maple_lite.gallery OUT_FOLDER` writes those of the README."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maple_lite.drawn import TEMPLATES, Pictures, drawn
from maple_lite.styles import VARIANTS

COLUMNS = 8
INCH = 0.9  # width of one picture
DPI, FINE = 90, 150  # of pictures, and of small print


def plot_gallery(
    dataset: Pictures, indices: Sequence[int] | None = None, columns: int = COLUMNS, *, ax: Axes | None = None
) -> Axes:
    """The pictures `indices` of a dataset in rows of `columns`, each over its class name.

    `indices=None` shows one row: pictures of classes spread evenly over the dataset.

    >>> plot_gallery(drawn("zodiac"))
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


def spread(dataset: Pictures, n: int) -> list[int]:
    """Indices of `n` pictures, of classes spread evenly over the dataset and each another picture of its class."""
    n_classes, per_class = len(dataset.class_names), dataset.per_class
    return [(i * n_classes // n) * per_class + i % per_class for i in range(n)]


def plot_galleries(datasets: dict[str, Pictures], columns: int = COLUMNS) -> Figure:
    """A figure with one row of pictures per dataset, each row under its title."""
    size = (columns * 1.06 * INCH, len(datasets) * 1.55 * INCH)
    figure, axes = plt.subplots(len(datasets), figsize=size, layout="constrained", squeeze=False)
    for (title, dataset), ax in zip(datasets.items(), axes[:, 0], strict=True):
        plot_gallery(dataset, columns=columns, ax=ax)
        ax.set_title(title, loc="left", fontsize="small", fontweight="bold", pad=2)
    return figure


def write_galleries(folder: str | Path) -> list[Path]:
    """Writes `datasets.png`, `variants.png` and `ladder.png` of the README into `folder` and returns their paths."""
    from maple_lite.ladder import plot_ladder  # whose colours come from plots, which imports this module

    sets = {f"{name} ({drawn(name).style.kind})": drawn(name) for name in TEMPLATES if name != "handwritten"}
    sets["handwritten (scikit-learn's digits)"] = drawn("handwritten")
    variants = {f"objects, {name} ({style.kind})": drawn("objects", variant=name) for name, style in VARIANTS.items()}
    Path(folder).mkdir(parents=True, exist_ok=True)
    figures = {"datasets": (plot_galleries(sets), DPI), "variants": (plot_galleries(variants), DPI)}
    figures["ladder"] = plot_ladder(), FINE
    paths = []
    for name, (figure, dpi) in figures.items():
        paths.append(Path(folder) / f"{name}.png")
        figure.savefig(paths[-1], dpi=dpi)
        plt.close(figure)
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the galleries of the README.")
    parser.add_argument("folder", help="where datasets.png, variants.png and ladder.png go")
    for path in write_galleries(parser.parse_args().folder):
        print(path)
