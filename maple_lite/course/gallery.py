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
from maple_lite.datasets import DRAWN, HANDWRITTEN, VARIANTS, ClassificationDataset, open_dataset
from maple_lite.datasets.glyphs.styles import STYLES

INCH = 0.9  # width of one picture
DPI, FINE = 90, 150  # of pictures, and of small print


def plot_galleries(datasets: dict[str, ClassificationDataset], columns: int = COLUMNS) -> Figure:
    """A figure with one row of pictures per dataset, each row under its title."""
    size = (columns * 1.06 * INCH, len(datasets) * 1.55 * INCH)
    figure, axes = plt.subplots(len(datasets), figsize=size, layout="constrained", squeeze=False)
    for (title, dataset), ax in zip(datasets.items(), axes[:, 0], strict=True):
        plot_gallery(dataset, columns=columns, ax=ax)
        ax.set_title(title, loc="left", fontsize="small", fontweight="bold", pad=2)
    return figure


def write_galleries(folder: str | Path) -> list[Path]:
    """Writes `datasets.png`, `variants.png` and `ladder.png` of the README into `folder` and returns their paths."""
    sets = {f"{name} ({STYLES[name].kind})": open_dataset(name) for name in DRAWN}
    sets[f"{HANDWRITTEN} (scikit-learn's digits)"] = open_dataset(HANDWRITTEN)
    variants = {
        f"objects, {name} ({style.kind})": open_dataset("objects", variant=name) for name, style in VARIANTS.items()
    }
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
