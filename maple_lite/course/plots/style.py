"""The looks of the course: one colour, marker and title per method and branch, and what every figure needs."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from maple_lite.experiments.titles import CLASSIFIER_TITLES, TITLES
from maple_lite.support.names import require_name

LANGUAGE, VISION, COUPLING = "#0072B2", "#009E73", "#D55E00"
"""The colours of the branches: blue, green and vermilion of Okabe and Ito's palette for the colour-blind."""

FROZEN, INK = "#D9D9D9", "#333333"
SPLITS = {"base": "base classes", "novel": "novel classes", "hm": "harmonic mean"}
BAR: dict[str, Any] = {"capsize": 3, "elinewidth": 1.2, "linestyle": "none"}  # of points with error bars


class Look(NamedTuple):
    """How a method looks in every figure."""

    title: str
    colour: str
    marker: str


LOOKS = {
    "zeroshot": Look(TITLES["zeroshot"], "#7F7F7F", "X"),
    "coop": Look(TITLES["coop"], "#E69F00", "s"),
    "cocoop": Look(TITLES["cocoop"], "#56B4E9", "D"),
    "vpt": Look(TITLES["vpt"], VISION, "^"),
    "language": Look(TITLES["language"], LANGUAGE, "v"),
    "ivlp": Look(TITLES["ivlp"], "#CC79A7", "P"),
    "maple": Look(TITLES["maple"], COUPLING, "o"),
    "kgcoop": Look(TITLES["kgcoop"], "#B07D00", "p"),
    "promptsrc": Look(TITLES["promptsrc"], "#882255", "h"),
    "maple-src": Look(TITLES["maple-src"], "#8C3B00", "8"),
    "probe": Look(CLASSIFIER_TITLES["probe"], INK, "*"),
    "tip-adapter": Look(CLASSIFIER_TITLES["tip-adapter"], "#999933", "<"),
    "tip-adapter-f": Look(CLASSIFIER_TITLES["tip-adapter-f"], "#6B6B00", ">"),
    "text-probe": Look(CLASSIFIER_TITLES["text-probe"], "#555555", "d"),
}
"""The methods and the classifiers of image features; a method that prompts one tower has its branch's colour."""

COLOURS = {method: look.colour for method, look in LOOKS.items() if method in TITLES}
"""One colour per method, kept through the course."""

MARKERS = {method: look.marker for method, look in LOOKS.items() if method in TITLES}
"""One marker per method, so that no meaning is by colour alone."""


def look_of(method: object) -> Look:
    """The look of a method or of a classifier of image features; ValueError for another name."""
    return LOOKS[require_name("method", str(method), LOOKS)]


def require_columns(frame: pd.DataFrame, *columns: str) -> None:
    """Raises ValueError for a frame without rows, or without one of `columns`."""
    missing = [column for column in columns if column not in frame]
    if missing:
        there = ", ".join(map(str, frame.columns)) or "none"
        raise ValueError(f"the figure needs the column {missing[0]!r}; the frame has {there}: add or rename it.")
    if frame.empty:
        raise ValueError("the frame has no rows: there is nothing to draw.")


def only(frame: pd.DataFrame, column: str) -> Any:
    """The one value of a column, None where the frame has no such column; ValueError for several values."""
    values = list(frame[column].unique()) if column in frame else [None]
    if len(values) > 1:
        raise ValueError(f"the figure shows one {column}, the frame has {', '.join(map(str, values))}: choose one.")
    return values[0]


def style_of(method: object) -> dict[str, Any]:
    """Colour, marker and label of a method, as matplotlib takes them; ValueError for another name."""
    look = look_of(method)
    return {"color": look.colour, "marker": look.marker, "label": look.title}


def methods_of(frame: pd.DataFrame) -> list[str]:
    """The methods of a frame in the order of `LOOKS`; ValueError for one that is not there."""
    for method in frame.method.unique():
        look_of(method)
    return [method for method in LOOKS if method in set(frame.method)]


def log_axis(ax: Axes) -> None:
    """Makes x logarithmic, with ticks at plain numbers: at 1, 2 and 5, or at powers of ten over many decades."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 500 else (1,)))
    ax.xaxis.set_major_formatter("{x:,.10g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def legend_beside(ax: Axes, **kwargs: Any) -> None:
    """A legend without a frame, right of the axes."""
    ax.legend(**{"frameon": False, "loc": "center left", "bbox_to_anchor": (1.01, 0.5)} | kwargs)


def open_axes(ax: Axes) -> Axes:
    """The axes without its upper and right border."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax
