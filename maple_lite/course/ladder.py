"""The ladder of the course: what each of the seven methods adds to CLIP's two towers, in one figure."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

from maple_lite.support.extras import require_extra

require_extra("the ladder", "plots", "matplotlib", "seaborn")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from maple_lite.course.plots import COUPLING, FROZEN, HEIGHT, LANGUAGE, VISION
from maple_lite.experiments.titles import TITLES

LAYERS = 6  # of both towers, as in the tiny CLIP
OWN, NEW, GAP = 2.0, 1.0, 2.4  # widths: of a tower's own tokens, of its prompts, and between the towers
TEXT = OWN + NEW + GAP  # where the text tower begins
RIGHT = TEXT + NEW + OWN
ARROW: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 8, "linewidth": 1.3, "color": COUPLING}


class Step(NamedTuple):
    """A method of the ladder: its lesson, the depths (vision, text) of its prompts, its sentence, what it adds."""

    method: str
    lesson: str
    depths: tuple[int, int]
    sentence: str
    adds: str
    coupled: bool = False
    meta_net: bool = False


HAND = "a photo of a heart."
STEPS = (
    Step("zeroshot", "01", (0, 0), HAND, "Nothing is learned: the words of the sentence are chosen by hand."),
    Step("coop", "03", (0, 1), "P1 heart.", "+ learned words, at the door of the text tower."),
    Step("cocoop", "04", (0, 1), "P1 heart.", "+ a meta-net: each picture shifts the learned words.", meta_net=True),
    Step("language", "05", (0, LAYERS), "P1 heart.", "CoOp + new prompts in every text layer."),
    Step("vpt", "06", (LAYERS, 0), HAND, "Zero-shot + new prompts in every vision layer; words by hand again."),
    Step("ivlp", "07", (LAYERS, LAYERS), "P1 of a heart.", "05 and 06 at once: both towers, unconnected."),
    Step(
        "maple",
        "08",
        (5, 5),
        "P1 of a heart.",
        "+ coupling: linear functions make vision prompts of text prompts.",
        coupled=True,
    ),
)
"""The seven methods in the order of the course, at the tiny CLIP's size."""

MEANINGS = (
    "learned link between towers",
    "the last prompt travels on",
    "computed vision prompt",
    "learned vision prompt of layer 4",
    "learned text prompt of layer 5",
    "CLIP's own tokens, frozen",
)
"""What the marks of the legend mean, from below."""


def plot_ladder() -> Figure:
    """A figure with a panel per method: both towers, layer by layer, and what enters them; the last says how to read.

    >>> plot_ladder()
    """
    figure, axes = plt.subplots(2, 4, figsize=(8.5, 5.7))
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.0, top=0.995, wspace=0.04, hspace=0.06)
    for step, ax in zip(STEPS, axes.flat, strict=False):
        plot_step(step, ax=ax)
    _plot_legend(axes[1, 3])
    return figure


def plot_step(step: Step, *, ax: Axes | None = None) -> Axes:
    """Both towers of one method: a row per layer, with CLIP's own tokens in grey and the prompts beside them."""
    ax = plt.gca() if ax is None else ax
    for layer in range(LAYERS):
        _box(ax, 0, layer, OWN, FROZEN)
        _box(ax, TEXT + NEW, layer, OWN, FROZEN)
        _prompt(ax, OWN, layer, step.depths[0], VISION, computed=step.coupled)
        _prompt(ax, TEXT, layer, step.depths[1], LANGUAGE)
        if step.coupled and layer < min(step.depths):
            _arrow(ax, (TEXT, layer + HEIGHT / 2), (OWN + NEW, layer + HEIGHT / 2))
    if step.meta_net:
        _plot_meta_net(ax)
    _label(ax, step)
    return ax


def _label(ax: Axes, step: Step) -> None:
    """What goes in below, what comes out above, and over it the method's name and what it adds."""
    for x, name in ((OWN / 2, "image\nfeatures"), (RIGHT - OWN / 2, "text\nfeatures")):
        ax.text(x, LAYERS + 0.05, name, ha="center", va="bottom", fontsize=7, linespacing=0.95)
    ax.text(RIGHT / 2, LAYERS + 0.3, "← cosine →", ha="center", va="bottom", fontsize=7)
    ax.text(OWN / 2, -0.25, "picture", ha="center", va="top", fontsize=7)
    ax.text(RIGHT, -0.25, step.sentence, ha="right", va="top", fontsize=7)
    _head(ax, f"{step.lesson}  {TITLES[step.method]}", step.adds)


def _head(ax: Axes, title: str, text: str) -> None:
    """A title and a few words over a panel, and the same frame for all of them, without axes."""
    ax.text(0, LAYERS + 3.7, title, fontweight="bold", fontsize=9.5, va="top")
    ax.text(0, LAYERS + 2.85, textwrap.fill(text, 36), fontsize=7.5, va="top", linespacing=1.1)
    ax.set(xlim=(-0.1, RIGHT + 1.0), ylim=(-1.0, LAYERS + 3.8))
    ax.set_axis_off()


def _box(ax: Axes, left: float, layer: float, width: float, colour: str, **style: Any) -> None:
    ax.add_patch(Rectangle((left + 0.05, layer), width - 0.1, HEIGHT, **{"facecolor": colour} | style))


def _prompt(ax: Axes, left: float, layer: float, depth: int, colour: str, *, computed: bool = False) -> None:
    """The prompts of a layer: filled where learned, framed where computed, dotted where they travel on, or none."""
    if not depth:
        return
    new = layer < depth
    face = colour if new and not computed else "white"
    _box(ax, left, layer, NEW, face, edgecolor=colour, linestyle="-" if new else ":", linewidth=1.3 if new else 1)
    ink = "white" if face == colour else colour
    label = f"P{layer + 1:.0f}" if new else "↑"
    ax.text(left + NEW / 2, layer + HEIGHT / 2 - 0.03, label, ha="center", va="center", fontsize=7, color=ink)


def _plot_meta_net(ax: Axes) -> None:
    """The meta-net between the towers: from the image features to the prompts of the first text layer."""
    middle, layer = OWN + NEW + GAP / 2, LAYERS / 2
    _arrow(ax, (OWN + 0.1, LAYERS + 0.15), (middle, layer + 2 * HEIGHT), bend=-0.2)
    _arrow(ax, (middle, layer), (TEXT, HEIGHT / 2), bend=0.2)
    style: dict[str, Any] = {"edgecolor": COUPLING, "linewidth": 1.3}
    ax.add_patch(Rectangle((middle - 1, layer), 2, 2 * HEIGHT, facecolor="white", **style))
    ax.text(middle, layer + HEIGHT, "meta-\nnet", ha="center", va="center", fontsize=7, linespacing=0.95)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
    ax.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", shrinkA=1, shrinkB=1, **ARROW))


def _plot_legend(ax: Axes) -> None:
    """How to read the other panels."""
    about = "The number is the lesson's. A row is a layer of the tiny CLIP, the first below. Left the image tower, "
    _head(ax, "How to read it", about + "right the text tower.")
    _box(ax, 0, 5, NEW, FROZEN)
    for layer, colour, depth, computed in ((4, LANGUAGE, 5, False), (3, VISION, 4, False), (2, VISION, 3, True)):
        _prompt(ax, 0, layer, depth, colour, computed=computed)
    _prompt(ax, 0, 1, 1, LANGUAGE)
    _arrow(ax, (0, HEIGHT / 2), (NEW, HEIGHT / 2))
    for layer, meaning in enumerate(MEANINGS):
        ax.text(NEW + 0.3, layer + HEIGHT / 2, meaning, fontsize=7.5, va="center")
