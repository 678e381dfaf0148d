"""A picture, what a model makes of it, and both for several pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maple_lite.course.plots.gallery import plot_gallery
from maple_lite.course.plots.style import FROZEN, LANGUAGE, open_axes
from maple_lite.protocol import ClassificationDataset


def plot_picture(dataset: ClassificationDataset, index: int, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Picture number `index` of a dataset over its class name; `kwargs` are properties of that text."""
    ax = plot_gallery(dataset, [index], columns=1, ax=ax)
    ax.texts[0].set(**{"fontsize": "medium"} | kwargs)
    return ax


def plot_probabilities(
    probabilities: Mapping[str, float], *, truth: str | None = None, top: int = 5, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Bars of the `top` largest of {class name: probability in 0..1}; the true class is dark and marked.

    `kwargs` go to the bars.
    """
    ax = plt.gca() if ax is None else ax
    best = sorted(probabilities.items(), key=lambda item: -item[1])[:top]
    percents = [100 * probability for _, probability in best]
    colours = [LANGUAGE if name == truth else FROZEN for name, _ in best]
    style: dict[str, Any] = {"color": colours, "height": 0.7} | kwargs
    bars = ax.barh(range(len(best)), percents, **style)
    ax.bar_label(bars, [f"{percent:.0f}%" for percent in percents], padding=2, fontsize="small")
    ax.set_yticks(range(len(best)), [f"✓ {name}" if name == truth else name for name, _ in best])
    ax.invert_yaxis()
    ax.set(xlabel="probability (%)", xlim=(0, 118), xticks=(0, 50, 100))
    return open_axes(ax)


def plot_predictions(
    dataset: ClassificationDataset, indices: Sequence[int], probabilities: Sequence[Mapping[str, float]]
) -> Figure:
    """A figure with the pictures `indices` of a dataset, each over its bars of {class name: probability in 0..1}."""
    columns = len(indices)
    size = (3.2 * columns, 3.4)
    figure, axes = plt.subplots(2, columns, figsize=size, height_ratios=(1.25, 1), squeeze=False, layout="constrained")
    for index, named, (above, below) in zip(indices, probabilities, axes.T, strict=True):
        plot_picture(dataset, index, ax=above)
        plot_probabilities(named, truth=dataset.class_names[dataset.labels[index]], top=4, ax=below)
    return figure
