"""Dots in rows: methods on test sets, on scores that detect the unknown, and variants of one method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from maple_lite.course.plots.curves import LINES
from maple_lite.course.plots.style import (
    BAR,
    FROZEN,
    INK,
    SPLITS,
    legend_beside,
    look_of,
    methods_of,
    open_axes,
    require_columns,
    style_of,
)
from maple_lite.support.names import require_name

METRICS = {"auroc": "AUROC (%), higher is better", "fpr95": "false alarms at 95% recall, FPR95 (%), lower is better"}


def plot_targets(accuracies: pd.DataFrame, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Accuracy (x, percent) on every test set (a row each), a dot per method, with error bars.

    `accuracies` has columns method, split (the test set) and mean in percent, and std for error bars; rows come in
    the order of the frame. `kwargs` go to the dots. Raises ValueError for an unknown method or a missing column.

    >>> plot_targets(average_over_seeds(drop_variants(read_results("glyphs/transfer")), "method", "split"))
    """
    require_columns(accuracies, "method", "split", "mean")
    ax = plt.gca() if ax is None else ax
    rows = list(accuracies.split.unique())
    for series, method in enumerate(methods := methods_of(accuracies)):
        part = accuracies[accuracies.method == method].set_index("split")
        _plot_series(ax, rows, part["mean"], part.get("std"), series, len(methods), style_of(method) | kwargs)
    return _labelled(ax, rows, "accuracy (%)")


def plot_detection(scores: pd.DataFrame, metric: str = "auroc", *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """How well every score (a row each) tells unknown pictures from known ones: a dot per method.

    `scores` has columns score, method and auroc or fpr95, in percent; `metric` says which is drawn. For AUROC a
    dotted line marks 50, a coin. `kwargs` go to the dots. Raises ValueError for an unknown method or metric, a
    missing column, or values that are shares instead of percent.

    >>> plot_detection(read_results("glyphs/ood"), "fpr95")
    """
    require_columns(scores, "score", "method", require_name("metric", metric, METRICS))
    if scores[metric].max() <= 1:
        raise ValueError(f"{metric} must be percent, 0 to 100, got at most {scores[metric].max()}: multiply by 100.")
    ax = plt.gca() if ax is None else ax
    rows = list(scores.score.unique())
    for series, method in enumerate(methods := methods_of(scores)):
        part = scores[scores.method == method].set_index("score")
        _plot_series(ax, rows, part[metric], None, series, len(methods), style_of(method) | kwargs)
    if metric == "auroc":
        ax.axvline(50, color=INK, linestyle=":", label="a coin")
    return _labelled(ax, rows, METRICS[metric])


def plot_variants(levels: pd.DataFrame, method: str = "maple", *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Accuracy (x, percent) of every variant of a method (a row each), a dot per split with error bars.

    `levels` has columns level (words), split ("base", "novel", "hm" or "all") and mean in percent, and as it has them
    std for error bars and preset (True for the unchanged method, whose harmonic mean gets a dotted line): what
    `compare_levels` of `maple_lite.experiments.summaries` returns. Dots have the colour of `method`, and `kwargs` go to
    them.
    Raises ValueError for an unknown method or split, or a missing column.

    >>> plot_variants(compare_levels(read_results("glyphs/ablations"), "coupling"))
    """
    require_columns(levels, "level", "split", "mean")
    ax = plt.gca() if ax is None else ax
    names, splits = list(levels.level.unique()), list(levels.split.unique())
    for series, split in enumerate(splits):
        marker, label = LINES[require_name("split", str(split), LINES)][0], SPLITS.get(split, "all classes")
        part = levels[levels.split == split].set_index("level")
        style: dict[str, Any] = {
            "color": look_of(method).colour,
            "marker": marker,
            "label": label,
        }
        if split == "base":
            style["markerfacecolor"] = "white"
        _plot_series(ax, names, part["mean"], part.get("std"), series, len(splits), style | kwargs)
    _mark_preset(ax, levels, splits[-1])
    return _labelled(ax, names, "accuracy (%)")


def _plot_series(
    ax: Axes, rows: Sequence[str], values: pd.Series, spread: pd.Series | None, series: int, count: int, style: Any
) -> None:
    """The dots of one of `count` series, each in its row and a little below the dot of the series before."""
    places = [rows.index(name) + 0.64 * ((series + 0.5) / count - 0.5) for name in values.index]
    ax.errorbar(values, places, xerr=spread, **{"markersize": 6} | BAR | {"capsize": 2} | style)


def _mark_preset(ax: Axes, levels: pd.DataFrame, split: str) -> None:
    """A dotted line at the preset's accuracy on a split, where the frame has a preset."""
    if "preset" in levels and (own := levels[levels.preset & (levels.split == split)]["mean"]).size:
        ax.axvline(own.iloc[0], color=INK, linestyle=":", zorder=0, label=f"the preset's {SPLITS.get(split, split)}")


def _labelled(ax: Axes, rows: Sequence[str], xlabel: str) -> Axes:
    """The axes with the names of its rows, from above, a band behind every second row, and a legend."""
    for place in range(0, len(rows), 2):
        ax.axhspan(place - 0.5, place + 0.5, color=FROZEN, alpha=0.25, linewidth=0, zorder=0)
    ax.set_yticks(range(len(rows)), [str(name) for name in rows])
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)
    legend_beside(ax)
    return open_axes(ax)
