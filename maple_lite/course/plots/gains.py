"""What a method gains over another: per dataset, against the shift from pretraining, against rarity in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from maple_lite.course.plots.labels import label_points
from maple_lite.course.plots.style import (
    BAR,
    INK,
    SPLITS,
    log_axis,
    look_of,
    only,
    open_axes,
    require_columns,
    style_of,
)
from maple_lite.experiments.summaries import spearman


def plot_gains(
    gains: pd.DataFrame, *, order: Sequence[str] | None = None, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Bars of one method's gain per dataset in percentage points, the largest on top, and a dashed line at their mean.

    `gains` has columns method, dataset, gain, and std for error bars, and one row per dataset: rows of one method and
    one split of what `compute_gains` returns. `order` names the datasets from above, so that panels can agree. `kwargs`
    go to the bars. Raises ValueError for several methods or splits, an unknown method, a missing column, or an order of
    other datasets.

    >>> table = compute_gains(read_results("glyphs/base-to-novel"))
    >>> plot_gains(table[(table.method == "maple") & (table.split == "novel")])
    """
    require_columns(gains, "method", "dataset", "gain")
    look, rows = look_of(only(gains, "method")), gains.set_index("dataset")
    only(gains, "split")
    rows = rows.sort_values("gain", ascending=False)
    if order is not None and (set(order) != set(rows.index) or len(order) != len(rows)):
        raise ValueError(f"order must name every dataset once: {', '.join(sorted(rows.index))}; got {list(order)}.")
    rows = rows if order is None else rows.loc[list(order)]
    ax = plt.gca() if ax is None else ax
    style: dict[str, Any] = {"color": look.colour, "ecolor": INK, "capsize": 2, "height": 0.7} | kwargs
    ax.barh(range(len(rows)), rows.gain, xerr=rows.get("std"), **style)
    mean = rows.gain.mean()
    ax.axvline(0, color=INK, linewidth=1)
    ax.axvline(mean, color=look.colour, linestyle="--", label=f"mean of {len(rows)}: {mean:+.1f}")
    ax.set_yticks(range(len(rows)), list(rows.index))
    ax.invert_yaxis()
    ax.set(xlabel=_gain_label(gains))
    ax.legend(frameon=False, loc="best")
    return open_axes(ax)


def plot_gains_by_shift(gains: pd.DataFrame, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """A labelled point per dataset: one method's gain (y) over how far the dataset is from pretraining (x).

    `gains` has columns method, dataset, gain and shift in percentage points, and std for error bars; one row per
    dataset. The title says Spearman's rank correlation. `kwargs` go to the points. Raises ValueError for several
    methods or splits, an unknown method, or a missing column.

    >>> gains = compute_gains(read_results("glyphs/base-to-novel"))
    >>> shifts = compute_shifts(read_results("glyphs/zero-shot"))
    >>> table = gains.merge(shifts, on="dataset")
    >>> plot_gains_by_shift(table[(table.method == "maple") & (table.split == "hm")])
    """
    require_columns(gains, "method", "dataset", "gain", "shift")
    only(gains, "split")
    ax = plt.gca() if ax is None else ax
    style = style_of(only(gains, "method")) | {"markersize": 7} | BAR | kwargs
    ax.errorbar(gains["shift"], gains.gain, yerr=gains.get("std"), **style)
    ax.axhline(0, color=INK, linewidth=1, zorder=0)
    ax.set(xlabel="shift: clean minus styled zero-shot accuracy (points)", ylabel=_gain_label(gains))
    ax.set_title(_correlation(gains["shift"], gains.gain, "datasets"), fontsize="medium")
    ax.margins(0.1)
    label_points(ax, gains["shift"], gains.gain, list(gains.dataset))
    return open_axes(ax)


def plot_gains_by_frequency(gains: pd.DataFrame, *, labels: int = 4, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """A point per class: the gain of prompting (y) over how often pretraining showed the class (x, log axis).

    `gains` has columns class_name, frequency (a share of the pretraining pictures, above 0) and gain in percentage
    points, and method for its colour. The `labels` largest and smallest gains are named; the title says Spearman's
    rank correlation. `kwargs` go to the points. Raises ValueError for several methods, an unknown one, a missing
    column, or a frequency that has no place on a log axis.

    >>> from maple_lite.analysis.features import gain_by_frequency
    >>> plot_gains_by_frequency(gain_by_frequency(zero_shot, model, test_set))
    """
    require_columns(gains, "class_name", "frequency", "gain")
    if not (gains.frequency > 0).all():
        raise ValueError(f"frequencies must be above 0, got {gains.frequency.min()}: leave classes never shown out.")
    ax = plt.gca() if ax is None else ax
    style = style_of(only(gains, "method") or "maple") | {"s": 28, "alpha": 0.6, "linewidth": 0} | kwargs
    ax.scatter(100 * gains.frequency, gains.gain, **style)
    ax.axhline(0, color=INK, linewidth=1, zorder=0)
    log_axis(ax)
    ax.set(xlabel="share of the pretraining pictures (%)", ylabel=_gain_label(gains))
    ax.set_title(_correlation(gains.frequency, gains.gain, "classes"), fontsize="medium")
    ranks = gains.gain.rank(method="first")
    extreme = (ranks <= labels) | (ranks > len(gains) - labels)
    ax.margins(0.1)
    label_points(ax, 100 * gains.frequency, gains.gain, list(gains.class_name.where(extreme, "")))
    return open_axes(ax)


def _gain_label(gains: pd.DataFrame) -> str:
    """What a gain is: on which classes, over which baseline."""
    split, baseline = SPLITS.get(only(gains, "split")), only(gains, "baseline") or "zeroshot"
    return f"gain over {look_of(baseline).title}{f', {split}' if split else ''} (points)"


def _correlation(x: pd.Series, y: pd.Series, things: str) -> str:
    """Spearman's rank correlation in words."""
    return f"Spearman's ρ = {spearman(x, y):+.2f} ({len(x)} {things})".replace("-", "−")
