"""The figures of the course: every one takes plain numbers or a frame, and draws one idea on one Axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch, Rectangle

from maple_lite.drawn import Pictures
from maple_lite.gallery import plot_gallery
from maple_lite.names import require_name

LANGUAGE, VISION, COUPLING = "#0072B2", "#009E73", "#D55E00"
"""The colours of the branches: blue, green and vermilion of Okabe and Ito's palette for the colour-blind."""

COLOURS = {
    "zeroshot": "#7F7F7F",
    "coop": "#E69F00",
    "cocoop": "#56B4E9",
    "vpt": VISION,
    "language": LANGUAGE,
    "ivlp": "#CC79A7",
    "maple": COUPLING,
}
"""One colour per method, kept through the course; a method that prompts one tower has its branch's colour."""

TITLES = {
    "zeroshot": "zero-shot",
    "coop": "CoOp",
    "cocoop": "CoCoOp",
    "vpt": "VPT",
    "language": "deep language",
    "ivlp": "IVLP",
    "maple": "MaPLe",
}
FROZEN = "#D9D9D9"
PROMPT = "prompt"
HEIGHT, GAP = 0.6, 2.0  # of a token, and between the towers, in widths of a token and layers
SPLITS = {"base": "base classes", "novel": "novel classes", "hm": "harmonic mean"}


def plot_loss(history: pd.DataFrame, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """The loss of every training step and its mean per epoch, from `History.frame()` (epoch, learning_rate, loss).

    `kwargs` go to the line of the means.
    """
    ax = plt.gca() if ax is None else ax
    steps = pd.Series(range(1, len(history) + 1), index=history.index)
    means = history.loss.groupby(history.epoch).mean()
    middles = steps.groupby(history.epoch).mean()
    style = {"color": COUPLING, "marker": "o", "label": "mean of an epoch"} | kwargs
    ax.plot(steps, history.loss, color=FROZEN, linewidth=1, label="one batch")
    ax.plot(middles, means, **style)
    ax.set(xlabel="training step", ylabel="cross-entropy (nats)", ylim=(0, None))
    ax.legend(frameon=False)
    return _open(ax)


def plot_picture(dataset: Pictures, index: int, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
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
    return _open(ax)


def plot_predictions(dataset: Pictures, indices: Sequence[int], probabilities: Sequence[Mapping[str, float]]) -> Figure:
    """A figure with the pictures `indices` of a dataset, each over its bars of {class name: probability in 0..1}."""
    columns = len(indices)
    size = (3.2 * columns, 3.4)
    figure, axes = plt.subplots(2, columns, figsize=size, height_ratios=(1.25, 1), squeeze=False, layout="constrained")
    for index, named, (above, below) in zip(indices, probabilities, axes.T, strict=True):
        plot_picture(dataset, index, ax=above)
        plot_probabilities(named, truth=dataset.class_names[dataset.labels[index]], top=4, ax=below)
    return figure


def plot_base_to_novel(accuracies: pd.DataFrame, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Bars of base, novel and harmonic mean, from a frame with columns method, base, novel, hm in percent.

    Methods are named as in `METHODS`, one row each. `kwargs` go to the bars. Raises ValueError for another name.
    """
    ax = plt.gca() if ax is None else ax
    width = 0.8 / len(accuracies)
    for i, row in enumerate(accuracies.to_dict("records")):
        method = require_name("method", str(row["method"]), COLOURS)
        places = [split - 0.4 + (i + 0.5) * width for split in range(len(SPLITS))]
        style = {"color": COLOURS[method], "label": TITLES[method], "edgecolor": "white"} | kwargs
        bars = ax.bar(places, [row[split] for split in SPLITS], width, **style)
        ax.bar_label(bars, fmt="%.1f", fontsize="small", padding=1)
    ax.set_xticks(range(len(SPLITS)), list(SPLITS.values()))
    ax.set(ylabel="accuracy (%)", ylim=(0, 108))
    ax.legend(frameon=False, loc="upper center", ncols=len(accuracies), bbox_to_anchor=(0.5, 1.14))
    return _open(ax)


def plot_prompts(
    layers: tuple[int, int],
    depths: tuple[int, int],
    *,
    n_ctx: int = 2,
    words: Sequence[str] = (),
    coupled: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """The tokens that enter every layer of both towers, with the prompts in the colours of their branches.

    `layers` and `depths` are (text, image): a new prompt enters each of the first `depth` layers of a tower, and the
    last one travels on. `words` are frozen ones before the class name. `coupled` draws the functions that make
    vision prompts of text prompts. Raises ValueError for a depth beyond its tower.

    >>> plot_prompts((6, 6), (5, 5), words=["of", "a"], coupled=True)     # MaPLe
    """
    for tower, count, depth in zip(("text", "image"), layers, depths, strict=True):
        if not 0 <= depth <= count:
            raise ValueError(f"depth must be 0 to {count}, the layers of the {tower} tower, got {depth}.")
    ax = plt.gca() if ax is None else ax
    image = ["CLS", "patch", "patch", "…", *[PROMPT] * (n_ctx if depths[1] else 0)]
    text = ["SOS", *[PROMPT] * (n_ctx if depths[0] else 0), *words, "class", ".", "EOT"]
    start = len(image) + GAP  # of the text tower, right of the image tower
    for layer in range(layers[1]):
        _plot_tokens(ax, image, 0, layer, depths[1], VISION)
    for layer in range(layers[0]):
        _plot_tokens(ax, text, start, layer, depths[0], LANGUAGE)
    for layer in range(min(depths) if coupled else 0):
        ends = (start + 1 + n_ctx / 2, layer + HEIGHT), (len(image) - n_ctx / 2, layer + HEIGHT)
        style: dict[str, Any] = {
            "arrowstyle": "-|>",
            "mutation_scale": 11,
            "linewidth": 1.8,
            "color": COUPLING,
            "shrinkA": 1,
        }
        ax.add_patch(FancyArrowPatch(*ends, connectionstyle="arc3,rad=0.12", shrinkB=1, **style))
    _label_towers(ax, layers, start, len(text))
    branches = [(LANGUAGE, "new text prompt", depths[0]), (VISION, "new vision prompt", depths[1])]
    handles: list[Any] = [Patch(color=colour, label=label) for colour, label, depth in branches if depth]
    if coupled:
        handles.append(Line2D([], [], color=COUPLING, marker="<", label="coupling: a linear function"))
    if any(0 < depth < count for depth, count in zip(depths, layers, strict=True)):
        handles.append(Patch(facecolor="white", edgecolor="#333333", linestyle=":", label="↑ travels on"))
    handles.append(Patch(color=FROZEN, label="frozen"))
    ax.legend(handles=handles, frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 0.0), fontsize="small")
    return ax


def _plot_tokens(ax: Axes, tokens: Sequence[str], left: float, layer: int, depth: int, colour: str) -> None:
    """The tokens that enter one layer: new prompts filled, prompts that travel on as outlines, the rest grey."""
    for place, token in enumerate(tokens):
        new, old = token == PROMPT and layer < depth, token == PROMPT and layer >= depth
        face = colour if new else "white" if old else FROZEN
        style: dict[str, Any] = {
            "facecolor": face,
            "edgecolor": colour if old else face,
            "linestyle": ":" if old else "-",
        }
        ax.add_patch(Rectangle((left + place + 0.04, layer), 0.92, HEIGHT, **style))
        label = f"P{layer + 1}" if new else "↑" if old else token
        ink = "white" if new else colour if old else "#333333"
        ax.text(left + place + 0.5, layer + HEIGHT / 2, label, ha="center", va="center", fontsize=7.5, color=ink)


def _label_towers(ax: Axes, layers: tuple[int, int], start: float, length: int) -> None:
    """Names of towers and layers, what goes in below and what comes out above."""
    top = max(layers)
    for left, right, tower, source in (
        (0.0, start - GAP, "image", "a picture"),
        (start, start + length, "text", "a sentence with the class name"),
    ):
        ax.text((left + right) / 2, -0.2, source, ha="center", va="top", fontsize=9)
        ax.text((left + right) / 2, top + 0.1, f"{tower} features", ha="center", fontsize=9)
        ax.text((left + right) / 2, top + 0.75, f"{tower} tower", ha="center", fontweight="bold")
    ax.text(start - GAP / 2, top + 0.1, "← cosine →\nsimilarity", ha="center", fontsize=9)
    ax.set_yticks([layer + HEIGHT / 2 for layer in range(top)], [f"layer {layer + 1}" for layer in range(top)])
    ax.set(xlim=(-0.2, start + length + 0.2), ylim=(-0.7, top + 1.2), xticks=[])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _open(ax: Axes) -> Axes:
    """The axes without its upper and right border."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax
