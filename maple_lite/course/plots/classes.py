"""Classes beside each other: which is taken for which, and where their pictures lie."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from maple_lite.course.plots.labels import label_points
from maple_lite.course.plots.style import INK, only, open_axes, require_columns
from maple_lite.support.names import require_count, require_name

HEAT: dict[str, Any] = {
    "cmap": "Blues",
    "vmin": 0,
    "vmax": 100,
    "fmt": "",
    "annot_kws": {"fontsize": "small"},
    "cbar_kws": {"label": "pictures of the true class (%)"},
}
WRITTEN = 16  # classes at most whose percents are written into the cells


def plot_confusion(counts: pd.DataFrame, *, most: int | None = None, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """A heat map of the percent of the pictures of each true class (rows) that were taken for each class (columns).

    `counts` is what `confusion` returns: counts [C, C] with the class names on both sides. `most` shows only that many
    classes, those of the largest confusions; their rows are still percent of all their pictures and then need not
    add up to 100. Cells below half a percent stay empty; names are left out where they would overlap. `kwargs` go to
    `seaborn.heatmap`. Raises ValueError unless rows and columns are the same classes, or for `most` below 2.

    >>> plot_confusion(confusion(model, test_set)).get_xlabel()
    'taken for'
    """
    if list(counts.index) != list(counts.columns):
        raise ValueError(f"rows and columns must be the same classes, got {counts.shape[0]} and {counts.shape[1]}.")
    totals = counts.sum(axis=1).to_numpy()[:, None]
    percents = pd.DataFrame(100 * counts.to_numpy() / np.maximum(totals, 1), counts.index, counts.columns)
    if most is not None and require_count("most", most, 2) < len(counts):
        kept = _most_confused(percents.to_numpy(), most)
        percents = percents.iloc[kept, kept]
    ax = plt.gca() if ax is None else ax
    few = len(percents) <= WRITTEN
    ax.tick_params(labelsize="medium" if few else "x-small", length=0)
    said = percents.map(lambda percent: f"{percent:.0f}" if percent >= 0.5 else "")
    sns.heatmap(percents, annot=said if few else None, ax=ax, **HEAT | kwargs)
    ax.set_xticklabels(ax.get_xticklabels(), rotation=45 if few else 90, ha="right" if few else "center")
    ax.tick_params(length=0)
    ax.set(xlabel="taken for", ylabel="true class")
    return ax


def plot_features(points: pd.DataFrame, *, panel: str | None = None, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """A point per picture in two dimensions, coloured by class, with the class name at the middle of its points.

    `points` has columns x and y (of a projection such as PCA or t-SNE, without unit), class_name, and panel where it
    holds several projections ("before" and "after" prompting), of which `panel` names one. `kwargs` go to the points.
    Raises ValueError for a missing column, or several panels and none named.

    >>> from maple_lite.analysis.features import feature_map
    >>> points = feature_map({"before": zero_shot, "after": model}, test_set)
    >>> for panel, ax in zip(("before", "after"), plt.subplots(1, 2)[1]):
    ...     plot_features(points, panel=panel, ax=ax)
    """
    require_columns(points, "x", "y", "class_name", *["panel"] * (panel is not None))
    if panel is not None:
        points = points[points["panel"] == require_name("panel", panel, sorted(set(points["panel"])))]
    title = only(points, "panel")
    ax = plt.gca() if ax is None else ax
    names = list(dict.fromkeys(points.class_name))
    palette = dict(zip(names, sns.husl_palette(len(names), s=0.75, l=0.55), strict=True))
    style: dict[str, Any] = {"s": 14, "alpha": 0.55, "linewidth": 0, "palette": palette, "legend": False} | kwargs
    sns.scatterplot(points, x="x", y="y", hue="class_name", ax=ax, **style)
    middles = points.groupby("class_name", sort=False)[["x", "y"]].median()
    label_points(ax, middles.x, middles.y, names, above=True, color=INK)
    ax.set(xlabel="first direction", ylabel="second direction", xticks=[], yticks=[], title=title or "")
    return open_axes(ax)


def _most_confused(percents: np.ndarray, most: int) -> list[int]:
    """The classes of the largest entries off the diagonal of [C, C], `most` of them, in the order of the labels."""
    wrong = percents * (1 - np.eye(len(percents)))
    largest = np.argsort(-wrong, axis=None, kind="stable")
    pairs = np.stack(np.unravel_index(largest, wrong.shape), axis=1)  # [C * C, 2]
    return sorted(list(dict.fromkeys(pairs.flatten().tolist()))[:most])
