"""What CLIP's space looks like: angles, similarities of pictures and sentences, and both in one plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import seaborn as sns
import torch
from matplotlib.axes import Axes
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.course.plots.labels import label_points
from maple_lite.course.plots.style import COUPLING, FROZEN, LANGUAGE, VISION, open_axes


def visible(clip: FrozenCLIP, image: Tensor) -> Any:
    """A normalised image [3, H, W] as matplotlib shows it: [H, W, 3] on the CPU, from 0 to 1."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (clip.preprocess.mean, clip.preprocess.std))
    return (image.cpu() * std + mean).clamp(0, 1).permute(1, 2, 0).numpy()


def plot_pictures(clip: FrozenCLIP, images: Tensor, titles: Sequence[str], *, columns: int = 8) -> Any:
    """A figure of normalised images [B, 3, H, W], each under its title, in rows of `columns`."""
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    lines = 1 + max(title.count("\n") for title in titles)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.45 * columns, (1.45 + 0.19 * lines) * rows), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for image, title, ax in zip(images, titles, axes.flat, strict=False):
        ax.imshow(visible(clip, image))
        ax.set_title(title, fontsize="small")
    return figure


def plot_angles(arrows: Mapping[str, tuple[float, float, str]], *, ax: Axes | None = None) -> Axes:
    """Arrows from one point, by name: (length, angle in degrees, colour); circles mark where they have length 1."""
    ax = plt.gca() if ax is None else ax
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="#999999", linestyle=":"))
    for name, (length, angle, colour) in arrows.items():
        x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        style = {"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (length * x, length * y), (0, 0), arrowprops=style)
        ax.plot([0, x], [0, y], color=colour, linestyle=":")
        ax.plot(x, y, "o", color=colour, markerfacecolor="white", markersize=8)
        ax.text(max(length, 1) * x + 0.07, max(length, 1) * y + 0.05, name, color=colour)
    ax.set(xlim=(-1.2, 2.8), ylim=(-0.1, 1.5), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def plot_similarities(
    clip: FrozenCLIP, similarity: Tensor, images: Tensor, sentences: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """A heat map of similarities [B, C]: images [B, 3, H, W] beside their rows, sentences below, a framed diagonal."""
    ax = plt.gca() if ax is None else ax
    style: dict[str, Any] = {"annot": True, "fmt": ".2f", "cmap": "Blues", "vmin": -0.2, "vmax": 1, "cbar": False}
    sns.heatmap(similarity.detach().cpu(), ax=ax, annot_kws={"fontsize": "small"}, **style)
    for i, image in enumerate(images):
        ax.imshow(visible(clip, image), extent=(-0.96, -0.04, i + 0.96, i + 0.04))
    for i in range(min(similarity.shape)):
        ax.add_patch(plt.Rectangle((i, i), 1, 1, fill=False, edgecolor=COUPLING, linewidth=2))
    columns = [place + 0.5 for place in range(len(sentences))]
    ax.set_xticks(columns, sentences, rotation=30, ha="right", rotation_mode="anchor")
    ax.set(xlim=(-1, len(sentences)), ylim=(len(images), 0), yticks=[], aspect="equal")
    return ax


def plot_pairs(
    image_features: Tensor, labels: Tensor, text_features: Tensor, names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Image features [B, D] and text features [C, D] in the plane of their two main directions.

    A line leads from every picture to the sentence of its label [B].
    """
    ax = plt.gca() if ax is None else ax
    both = torch.cat([image_features, text_features]).detach().cpu()
    centred = both - both.mean(dim=0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
    dots, words = (centred @ axes.T).split([len(image_features), len(text_features)])
    for dot, label in zip(dots.tolist(), labels.tolist(), strict=True):
        ax.plot(*zip(dot, words[label].tolist(), strict=True), color=FROZEN, linewidth=0.8, zorder=0)
    ax.scatter(dots[:, 0], dots[:, 1], color=VISION, s=22, label="picture")
    ax.scatter(words[:, 0], words[:, 1], color=LANGUAGE, marker="^", s=90, label="sentence")
    ax.margins(0.12)
    ax.set(xlabel="first principal component", ylabel="second principal component")
    across, up = zip(*words.tolist(), *dots.tolist(), strict=True)
    label_points(ax, across, up, [*names, *[""] * len(dots)], color=LANGUAGE, fontsize="medium")
    ax.legend(frameon=False)
    return open_axes(ax)
