"""Galleries of the drawn datasets; `python -m maple_lite.course.gallery OUT_FOLDER` writes those of the README."""

from __future__ import annotations

import argparse
from pathlib import Path

from maple_lite.support.extras import require_extra

require_extra("a gallery", "plots", "matplotlib", "seaborn")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from maple_lite.course.ladder import plot_ladder
from maple_lite.course.plots.gallery import COLUMNS, plot_gallery
from maple_lite.datasets import ClassificationDataset
from maple_lite.datasets.emoji.gallery import write_galleries

INCH = 0.9  # width of one picture
HIGH = 4  # rows of one column
FINE = 150  # dots per inch of small print


def plot_galleries(datasets: dict[str, ClassificationDataset], columns: int = COLUMNS) -> Figure:
    """A figure with one row of pictures per dataset under its title; more than four rows stand in two columns."""
    across = 1 + (len(datasets) > HIGH)
    rows = -(-len(datasets) // across)
    size = (across * columns * 1.06 * INCH, rows * 1.55 * INCH)
    figure, axes = plt.subplots(rows, across, figsize=size, layout="constrained", squeeze=False)
    for ax in axes.flat[len(datasets) :]:
        ax.set_axis_off()
    for (title, dataset), ax in zip(datasets.items(), axes.flat, strict=False):
        plot_gallery(dataset, columns=columns, ax=ax)
        ax.set_title(title, loc="left", fontsize="small", fontweight="bold", pad=2)
    return figure


def write_ladder(folder: str | Path) -> Path:
    """Writes `ladder.png` into `folder` and returns its path."""
    path = Path(folder) / "ladder.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = plot_ladder()
    figure.savefig(path, dpi=FINE)
    plt.close(figure)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the galleries and the ladder of the README.")
    parser.add_argument("folder", help="where datasets.png, variants.png, looks.png, everything.png and ladder.png go")
    folder = parser.parse_args().folder
    for path in [*write_galleries(folder), write_ladder(folder)]:
        print(path)
