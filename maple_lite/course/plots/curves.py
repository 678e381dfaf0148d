"""Accuracy and loss as curves: over training steps, over shots, over the levels of one factor."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from maple_lite.course.plots.style import (
    BAR,
    COUPLING,
    FROZEN,
    INK,
    SPLITS,
    legend_beside,
    look_of,
    methods_of,
    only,
    open_axes,
    require_columns,
    style_of,
)
from maple_lite.support.names import require_name

LINES = {"base": ("^", "--"), "novel": ("v", ":"), "hm": ("D", "-"), "all": ("o", "-")}
"""Marker and line of every split: all splits of one method share its colour."""

FACTORS = {
    "depth": "depth of the prompts (layers)",
    "length, from words": "length of the prompts (tokens), from words",
    "length, random": "length of the prompts (tokens), random",
}
"""What the numeric factors of the ablations count."""


def plot_loss(history: pd.DataFrame, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """The loss of every training step and its mean per epoch, from `History.frame()` (epoch, learning_rate, loss).

    `kwargs` go to the line of the means.
    """
    ax = plt.gca() if ax is None else ax
    steps = pd.Series(range(1, len(history) + 1), index=history.index)
    means = history.loss.groupby(history.epoch).mean()
    middles = steps.groupby(history.epoch).mean()
    style: dict[str, Any] = {"color": COUPLING, "marker": "o", "label": "mean of an epoch"} | kwargs
    ax.plot(steps, history.loss, color=FROZEN, linewidth=1, label="one batch")
    ax.plot(middles, means, **style)
    ax.set(xlabel="training step", ylabel="cross-entropy (nats)", ylim=(0, None))
    ax.legend(frameon=False)
    return open_axes(ax)


def plot_few_shot(curves: pd.DataFrame, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Accuracy over shots per class (log axis), a line per method; its band is one standard deviation over seeds.

    `curves` has columns method (or classifier of a few-shot table), shots and mean (percent), and std (percent) for the
    bands. Zero-shot, which learns nothing, is dashed. `kwargs` go to the lines. Raises ValueError for an unknown method
    or a missing column.

    >>> plot_few_shot(average_over_seeds(drop_variants(read_results("glyphs/few-shot")), "method", "shots"))
    """
    require_columns(curves, "method", "shots", "mean")
    ax = plt.gca() if ax is None else ax
    for method in methods_of(curves):
        rows = curves[curves.method == method].sort_values("shots")
        line = "--" if method == "zeroshot" else "-"
        ax.plot(rows.shots, rows["mean"], **style_of(method) | {"linestyle": line} | kwargs)
        if "std" in rows:
            band = rows["mean"] - rows["std"], rows["mean"] + rows["std"]
            ax.fill_between(rows.shots, *band, color=look_of(method).colour, alpha=0.15, linewidth=0)
    ax.set_xscale("log", base=2)
    shots = sorted(curves.shots.unique())
    ax.set_xticks(shots, [f"{k}" for k in shots])
    ax.set(xlabel="training images per class", ylabel="accuracy (%)")
    legend_beside(ax)
    return open_axes(ax)


def plot_levels(levels: pd.DataFrame, method: str = "maple", *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Accuracy over the numeric levels of one factor, a line per split with error bars; a dotted line marks the preset.

    `levels` has columns level (a number), split ("base", "novel", "hm" or "all") and mean (percent), and as it has
    them std (percent) for the error bars, preset (True at the method's own level) and factor: what `compare_levels` of
    `maple_lite.experiments.summaries` returns. Lines have the colour of `method`; `kwargs` go to them.
    Raises ValueError for an unknown method or split, a missing column, or levels that are words.

    >>> plot_levels(compare_levels(read_results("glyphs/ablations"), "depth", preset="5"))
    """
    require_columns(levels, "level", "split", "mean")
    if not pd.api.types.is_numeric_dtype(levels.level):
        raise ValueError(f"levels must be numbers, got {levels.level.iloc[0]!r}: draw words with plot_variants.")
    ax = plt.gca() if ax is None else ax
    colour = look_of(method).colour
    for split, rows in levels.sort_values("level").groupby("split", sort=False):
        marker, line = LINES[require_name("split", str(split), LINES)]
        label = SPLITS.get(str(split), "all classes")
        style: dict[str, Any] = {"color": colour, "marker": marker, "label": label} | BAR | {"linestyle": line} | kwargs
        ax.errorbar(rows.level, rows["mean"], yerr=rows.get("std"), **style)
    if "preset" in levels:
        for level in levels.level[levels.preset].unique():
            ax.axvline(level, color=INK, linestyle=":", zorder=0, label=f"{look_of(method).title}'s preset")
    ax.set_xticks(sorted(levels.level.unique()))
    factor = only(levels, "factor")
    ax.set(xlabel=FACTORS.get(factor, factor), ylabel="accuracy (%)")
    legend_beside(ax)
    return open_axes(ax)
