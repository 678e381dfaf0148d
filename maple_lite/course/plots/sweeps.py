"""One quantity over another, and one bar or two dots per row: figures of what a lesson measures itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from maple_lite.course.plots.style import COUPLING, FROZEN, INK, LANGUAGE, VISION, legend_beside, open_axes

LINES = ((VISION, "s"), (COUPLING, "o"), (LANGUAGE, "^"), (INK, "D"), ("#CC79A7", "v"), ("#E69F00", "P"))


def plot_lines(
    table: pd.DataFrame,
    x: str,
    y: str,
    by: str | None = None,
    *,
    log: bool = False,
    ax: Axes | None = None,
    **axes: Any,
) -> Axes:
    """Means of column `y` over column `x`, a line per value of `by`; bands are one standard deviation over the rows.

    `log` makes x logarithmic to base 2. `axes` are properties of the axes, such as `xlabel` and `ylim`.
    """
    ax = plt.gca() if ax is None else ax
    groups = [(None, table)] if by is None else list(table.groupby(by, sort=False))
    for (name, rows), (colour, marker) in zip(groups, LINES, strict=False):
        found = rows.groupby(x)[y].agg(["mean", "std"])
        ax.plot(found.index, found["mean"], color=colour, marker=marker, label=name)
        ax.fill_between(
            found.index, found["mean"] - found["std"], found["mean"] + found["std"], color=colour, alpha=0.15
        )
    if log:
        ax.set_xscale("log", base=2)
        values = sorted(table[x].unique())
        ax.set_xticks(values, [f"{value:g}" if value >= 1 else f"1/{1 / value:g}" for value in values])
    if by is not None:
        legend_beside(ax)
    ax.set(**{"xlabel": x, "ylabel": y} | axes)
    return open_axes(ax)


def plot_bars(
    values: Mapping[str, float],
    *,
    errors: Mapping[str, float] | None = None,
    notes: Mapping[str, str] | None = None,
    line: float | None = None,
    ax: Axes | None = None,
    **axes: Any,
) -> Axes:
    """A bar per name, the first on top, with its number and what `notes` say of it; a dotted line at `line`.

    `errors` are the half lengths of error bars. `axes` are properties of the axes, such as `xlabel`.
    """
    ax = plt.gca() if ax is None else ax
    names = list(values)
    style: dict[str, Any] = {"xerr": [errors[name] for name in names], "capsize": 3} if errors else {}
    ax.barh(names, [values[name] for name in names], color=LANGUAGE, height=0.7, **style)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    for row, name in enumerate(names):
        end = values[name] + (errors[name] if errors else 0)
        note = f"  {values[name]:.0f}" + (f", {notes[name]}" if notes and notes.get(name) else "")
        ax.text(end, row, note, va="center", fontsize="small", bbox=box)
    if line is not None:
        ax.axvline(line, color="#7F7F7F", linestyle=":", zorder=0)
    ax.invert_yaxis()
    ax.margins(x=0.15 if not notes else 0.5)
    ax.set(**axes)
    return open_axes(ax)


def plot_two(
    table: pd.DataFrame, first: str, second: str, *, labels: Sequence[str] = (), ax: Axes | None = None, **axes: Any
) -> Axes:
    """Two dots per row of a table, joined by a line: the columns `first` and `second`; rows are named by the index."""
    ax = plt.gca() if ax is None else ax
    titles = list(labels) or [first, second]
    ax.hlines(table.index, table[first], table[second], color=FROZEN, linewidth=3, zorder=0)
    ax.scatter(table[first], table.index, color=VISION, label=titles[0])
    ax.scatter(table[second], table.index, color=COUPLING, marker="D", label=titles[1])
    ax.invert_yaxis()
    legend_beside(ax)
    ax.set(**axes)
    return open_axes(ax)
