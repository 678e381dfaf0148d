"""A look inside the towers: how much attention prompts get, and which words they are near."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from maple_lite.course.plots.style import (
    LANGUAGE,
    VISION,
    legend_beside,
    only,
    open_axes,
    require_columns,
    style_of,
)
from maple_lite.support.names import require_name

EVEN: dict[str, Any] = {"linestyle": "--", "linewidth": 1, "label": "if all tokens got the same"}
TOWERS = {"text": (LANGUAGE, "s", "EOT, text tower"), "vision": (VISION, "o", "CLS, image tower")}


def plot_prompt_attention(shares: pd.DataFrame, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """The share of attention that CLS or EOT gives to prompt tokens (y, percent) in every layer (x), a line each.

    `shares` has columns layer (from 1), share (0 to 1), and tower ("text" or "vision") or method, whose colour the
    lines have; rows of the same line and layer (pictures, heads, seeds) are averaged, with their standard deviation as
    a band. A column uniform (0 to 1), the share if all tokens got the same, makes a dashed line. `kwargs` go to the
    lines. Raises ValueError for an unknown tower or method, both towers of several methods, or a missing column.

    >>> from maple_lite.analysis.attention import attention_to_prompts
    >>> plot_prompt_attention(attention_to_prompts(model, images))
    """
    by = "tower" if "tower" in shares and shares.get("method", pd.Series()).nunique() < 2 else "method"
    require_columns(shares, "layer", "share", by)
    only(shares, "tower" if by == "method" else "method")
    ax = plt.gca() if ax is None else ax
    for name, rows in shares.groupby(by, sort=False):
        style = _line_of(by, str(name)) | kwargs
        found = 100 * rows.groupby("layer").share.agg(["mean", "std"])
        ax.plot(found.index, found["mean"], **style)
        band = found["mean"] - found["std"], found["mean"] + found["std"]
        ax.fill_between(found.index, *band, color=style["color"], alpha=0.15, linewidth=0)
        if "uniform" in rows:
            even = 100 * rows.groupby("layer").uniform.mean()
            ax.plot(even.index, even, color=style["color"], **EVEN)
    ax.set_xticks(sorted(shares.layer.unique()))
    ax.set(xlabel="layer", ylabel="attention to prompt tokens (%)", ylim=(0, None))
    legend_beside(ax)
    return open_axes(ax)


def plot_nearest_words(words: pd.DataFrame, *, top: int = 3, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """A table of the words nearest to each learned prompt: layers in rows, the first below, tokens in columns.

    `words` has columns layer and token (from 1), rank (1 is the nearest), word, and similarity or distance, which
    stands behind the word; `top` words per prompt. Cells are darker where the nearest word is nearer. `kwargs` are
    properties of the text. Raises ValueError for a missing column.

    >>> from maple_lite.analysis.words import nearest_words
    >>> plot_nearest_words(nearest_words(clip, learner.text_prompts()), top=2)
    """
    value = "similarity" if "similarity" in words else "distance"
    require_columns(words, "layer", "token", "rank", "word", value)
    ax = plt.gca() if ax is None else ax
    shown = words[words["rank"] <= top].sort_values("rank", kind="stable")
    nearest = shown.groupby(["layer", "token"])[value].first().unstack("token")  # [layers, tokens]
    said = shown.assign(said=[f"{word} {number:.2f}" for word, number in zip(shown.word, shown[value], strict=True)])
    texts = said.groupby(["layer", "token"]).said.agg("\n".join).unstack("token").fillna("")
    style: dict[str, Any] = {"fontsize": "small", "linespacing": 1.1} | kwargs
    cmap = sns.light_palette(LANGUAGE, as_cmap=True, reverse=value == "distance")
    bar = {"label": f"{value} of the nearest word"}
    sns.heatmap(nearest, annot=texts, fmt="", cmap=cmap, linewidths=2, annot_kws=style, cbar_kws=bar, ax=ax)
    ax.set_yticks(ax.get_yticks(), [f"layer {layer}" for layer in nearest.index], rotation=0)
    ax.set_xticks(ax.get_xticks(), [f"prompt token {token}" for token in nearest.columns])
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0)
    ax.invert_yaxis()
    return ax


def _line_of(by: str, name: str) -> dict[str, Any]:
    """Colour, marker and label of the line of a tower or a method."""
    if by == "method":
        return style_of(name)
    colour, marker, label = TOWERS[require_name("tower", name, TOWERS)]
    return {"color": colour, "marker": marker, "label": label}
