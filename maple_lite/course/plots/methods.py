"""Methods beside each other: base and novel classes as bars, against each other, and against what they cost."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from maple_lite.course.plots.style import (
    BAR,
    FROZEN,
    INK,
    SPLITS,
    legend_beside,
    log_axis,
    look_of,
    open_axes,
    require_columns,
    style_of,
)
from maple_lite.support.names import require_name

POINT: dict[str, Any] = {"s": 80, "zorder": 3, "edgecolor": "white"}
HOLLOW: dict[str, Any] = {"s": 80, "zorder": 3, "facecolor": "none", "label": None}
COSTS = {
    "cpu_seconds": "processor time of one run (s)",
    "seconds": "time of one run (s)",
    "parameters": "learned parameters",
}


def plot_base_to_novel(accuracies: pd.DataFrame, *, hm: str = "hm", ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Bars of base, novel and harmonic mean, from a frame with columns method, base, novel, hm in percent.

    Methods are named as in `METHODS`, one row each; `hm` names the column of the harmonic mean. `kwargs` go to the
    bars. Raises ValueError for another method or a missing column.

    >>> plot_base_to_novel(compare_methods(["zeroshot", "coop"], "zodiac", "glyphs/base-to-novel"))
    """
    require_columns(accuracies, "method", "base", "novel", hm)
    ax = plt.gca() if ax is None else ax
    width = 0.8 / len(accuracies)
    for i, row in enumerate(accuracies.to_dict("records")):
        look = look_of(row["method"])
        places = [split - 0.4 + (i + 0.5) * width for split in range(len(SPLITS))]
        style: dict[str, Any] = {"color": look.colour, "label": look.title, "edgecolor": "white"} | kwargs
        bars = ax.bar(places, [row[column] for column in ("base", "novel", hm)], width, **style)
        ax.bar_label(bars, fmt="%.1f", fontsize="small", padding=1)
    ax.set_xticks(range(len(SPLITS)), list(SPLITS.values()))
    ax.set(ylabel="accuracy (%)", ylim=(0, 108))
    ax.legend(frameon=False, loc="upper center", ncols=len(accuracies), bbox_to_anchor=(0.5, 1.14))
    return open_axes(ax)


def plot_base_against_novel(
    averages: pd.DataFrame, *, paper: pd.DataFrame | None = None, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """A point per method at its accuracy on base (x) and novel classes (y), over contours of equal harmonic mean.

    `averages` has columns method, base and novel in percent, one row per method; the harmonic mean read off the
    contours is that of the averages. `paper`, a frame of the same columns, is drawn hollow. `kwargs` go to the points.
    Raises ValueError for an unknown method or a missing column.

    >>> averages = average_over_datasets(read_results("glyphs/base-to-novel"))
    >>> plot_base_against_novel(averages, paper=read_paper("base-to-novel-average"))
    """
    ax = plt.gca() if ax is None else ax
    for frame in (averages,) if paper is None else (averages, paper):
        require_columns(frame, "method", "base", "novel")
        for row in frame.to_dict("records"):
            style, ours = style_of(row["method"]), frame is averages
            style |= POINT if ours else HOLLOW | {"edgecolor": style.pop("color")}
            ax.scatter(row["base"], row["novel"], **style | kwargs)
    if paper is not None:
        ax.scatter([], [], marker="o", edgecolor=INK, **HOLLOW | {"label": "hollow: the paper"})
    _plot_equal_means(ax)
    ax.set(xlabel="accuracy on base classes (%)", ylabel="accuracy on novel classes (%)")
    legend_beside(ax)
    return open_axes(ax)


def plot_cost(costs: pd.DataFrame, cost: str = "cpu_seconds", *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """A point per method: harmonic mean (y, percent) over what a run costs (x, log axis).

    `costs` has columns method, hm (percent) and `cost`: "cpu_seconds", "seconds" or "parameters"; hm_std (percent),
    where there, makes error bars. A method of cost 0 has no place on a log axis: it is a dashed line. `kwargs` go to
    the points. Raises ValueError for an unknown method or cost, or a missing column.

    >>> plot_cost(average_costs(read_results("glyphs/base-to-novel")), "parameters")
    """
    require_columns(costs, "method", "hm", require_name("cost", cost, COSTS))
    ax = plt.gca() if ax is None else ax
    for row in costs.to_dict("records"):
        style = style_of(row["method"]) | {"markersize": 9} | BAR | kwargs
        if row[cost] == 0:
            ax.axhline(row["hm"], color=style["color"], linestyle="--", label=f"{style['label']} (0)")
            continue
        ax.errorbar(row[cost], row["hm"], yerr=row.get("hm_std"), **style)
    log_axis(ax)
    ax.set(xlabel=COSTS[cost], ylabel="harmonic mean (%)")
    legend_beside(ax)
    return open_axes(ax)


def _plot_equal_means(ax: Axes) -> None:
    """Contours of equal harmonic mean over the whole axes, whose limits stay."""
    ax.margins(0.12)
    limits = ax.get_xlim(), ax.get_ylim()
    base, novel = np.meshgrid(*(np.linspace(low, high, 200) for low, high in limits))
    means = 2 * base * novel / (base + novel)
    steps = MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(means.min(), means.max())
    lines = ax.contour(base, novel, means, levels=steps, colors=FROZEN, linewidths=1, zorder=0)
    ax.clabel(lines, fmt="HM %g", fontsize=8, colors="#7F7F7F")
    ax.set(xlim=limits[0], ylim=limits[1])
