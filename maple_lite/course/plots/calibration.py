"""How far probabilities can be trusted: the reliability diagram."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from maple_lite.analysis.calibration import calibration_error
from maple_lite.course.plots.style import FROZEN, INK, open_axes, require_columns, style_of


def plot_reliability(table: pd.DataFrame, *, method: str | None = None, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Accuracy (y, percent) over confidence (x, percent), a bar per bin; on the diagonal a model knows what it knows.

    `table` is that of `maple_lite.analysis.calibration.reliability`. Bars have the colour of `method`, and the title
    has its name and the expected calibration error. `kwargs` go to the bars. Raises ValueError for a missing column or
    an unknown method.

    >>> from maple_lite.analysis.calibration import reliability
    >>> plot_reliability(reliability(model, test_set), method="maple")
    """
    require_columns(table, "low", "high", "images", "confidence", "accuracy")
    ax = plt.gca() if ax is None else ax
    style = style_of(method) if method else {"color": INK, "label": ""}
    known = table[table.images > 0]
    widths = known.high - known.low
    colour: dict[str, Any] = {"color": style["color"]} | kwargs
    ax.bar(known.low, known.confidence, widths, align="edge", color="none", edgecolor=FROZEN, hatch="///", linewidth=0)
    ax.bar(known.low, known.accuracy, widths, align="edge", edgecolor="white", **colour)
    ax.plot([0, 100], [0, 100], color=INK, linestyle="--", linewidth=1)
    title = f"{style['label']}: ECE {calibration_error(table):.1f}%".removeprefix(": ")
    ax.set(title=title, xlim=(0, 100), ylim=(0, 100), xlabel="highest probability (%)", ylabel="accuracy (%)")
    ax.set_aspect("equal")
    return open_axes(ax)
