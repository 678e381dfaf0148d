"""The two towers of CLIP, layer by layer, and the prompts that enter them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch, Rectangle

from maple_lite.course.plots.style import COUPLING, FROZEN, INK, LANGUAGE, VISION

PROMPT = "prompt"
HEIGHT, GAP = 0.6, 2.0  # of a token, and between the towers, in widths of a token and layers


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
        handles.append(Patch(facecolor="white", edgecolor=INK, linestyle=":", label="↑ travels on"))
    handles.append(Patch(color=FROZEN, label="frozen"))
    ax.legend(handles=handles, frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 0.0), fontsize="small")
    return ax


def plot_conditional_prompts(layers: tuple[int, int], *, n_ctx: int = 4, ax: Axes | None = None) -> Axes:
    """CoCoOp: the prompts of `plot_prompts`, and the way from the image features through the meta-net to them."""
    ax = plot_prompts(layers, (1, 0), n_ctx=n_ctx, ax=ax)
    line: dict[str, Any] = {"color": COUPLING, "linewidth": 1.8}
    top, between, first = layers[1], 5.0, 7.5  # y above the image tower; x between the towers, and of the first prompt
    last = first + n_ctx - 1
    ax.plot([2, between, between], [top - 0.15, top - 0.15, 0.8], **line)
    ax.plot([between, last], [0.8, 0.8], **line)
    for place in range(n_ctx):
        x = first + place
        ax.annotate("", (x, 0.58), (x, 0.84), arrowprops={"arrowstyle": "-|>", **line})
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": COUPLING}
    ax.text(between, top / 2, "meta-\nnet", ha="center", va="center", color=COUPLING, bbox=box)
    ax.text(last + 0.2, 0.8, "+ the same shift", va="center", color=COUPLING, fontsize=9)
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
        ink = "white" if new else colour if old else INK
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
