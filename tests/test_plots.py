"""The figures of the course: what they draw, read off their axes."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from maple_lite import METHODS
from maple_lite.course.plots import (
    COLOURS,
    COUPLING,
    LANGUAGE,
    TITLES,
    VISION,
    plot_base_to_novel,
    plot_loss,
    plot_picture,
    plot_predictions,
    plot_probabilities,
    plot_prompts,
    plot_reliability,
)
from maple_lite.datasets import open_dataset

matplotlib.use("agg")
ACCURACIES = pd.DataFrame(
    [dict(method="zeroshot", base=60.0, novel=70.0, hm=64.6), dict(method="maple", base=80.0, novel=75.0, hm=77.4)]
)


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    yield
    plt.close("all")


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def arrows(ax) -> list[FancyArrowPatch]:
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def count(ax, colour) -> int:
    return sum(patch.get_facecolor()[:3] == to_rgb(colour) for patch in ax.patches if patch not in arrows(ax))


def lightness(colour: str) -> float:
    """CIE L* of a colour, 0 to 100."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 116 * luminance ** (1 / 3) - 16


def test_every_method_has_one_colour_and_one_title():
    assert set(COLOURS) == set(TITLES) == set(METHODS)
    assert len(set(COLOURS.values())) == len(set(TITLES.values())) == len(METHODS)
    assert (COLOURS["language"], COLOURS["vpt"], COLOURS["maple"]) == (LANGUAGE, VISION, COUPLING)
    assert all(lightness(colour) < 78 for colour in COLOURS.values())  # seen on white


def test_figures_draw_on_the_axes_given_or_on_the_current_one():
    history = pd.DataFrame({"epoch": [0, 0, 1, 1], "learning_rate": 0.1, "loss": [2.0, 1.0, 0.6, 0.4]})
    draws = [
        lambda **kwargs: plot_loss(history, **kwargs),
        lambda **kwargs: plot_probabilities({"a": 0.6, "b": 0.4}, **kwargs),
        lambda **kwargs: plot_base_to_novel(ACCURACIES, **kwargs),
        lambda **kwargs: plot_prompts((3, 3), (2, 2), **kwargs),
        lambda **kwargs: plot_picture(open_dataset("sea", resolution=16), 0, **kwargs),
    ]
    for draw in draws:
        given, current = plt.subplots(2)[1]
        assert draw(ax=given) is given
        assert not current.patches
        assert not current.lines
        assert draw() is current


def test_a_reliability_diagram_has_a_bar_per_bin_with_images_and_says_the_error():
    table = pd.DataFrame(
        {"low": [0, 50], "high": [50, 100], "images": [0, 4], "confidence": [np.nan, 80.0], "accuracy": [np.nan, 75.0]}
    )
    ax = plot_reliability(table, method="maple")
    assert [bar.get_height() for bar in ax.patches] == [80.0, 75.0]  # what the model believes, and what is true
    assert ax.get_title() == "MaPLe: ECE 5.0%"
    assert count(ax, COLOURS["maple"]) == 1
    assert plot_reliability(table, ax=plt.figure().gca()).get_title() == "ECE 5.0%"


def test_loss_has_a_point_per_step_and_a_mean_per_epoch():
    history = pd.DataFrame({"epoch": [0, 0, 1, 1], "learning_rate": 0.1, "loss": [2.0, 1.0, 0.6, 0.4]})
    ax = plot_loss(history, linewidth=3)
    steps, means = ax.lines
    assert list(steps.get_xdata()) == [1, 2, 3, 4]
    assert list(means.get_xdata()) == [1.5, 3.5]
    assert list(means.get_ydata()) == [1.5, 0.5]
    assert means.get_linewidth() == 3
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training step", "cross-entropy (nats)")


def test_probabilities_are_percent_largest_first_and_the_truth_is_marked():
    ax = plot_probabilities({"aries": 0.2, "leo": 0.7, "libra": 0.1}, truth="aries", top=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["leo", "✓ aries"]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([70, 20])
    assert texts(ax) == ["70%", "20%"]
    assert ax.yaxis_inverted()
    assert ax.get_xlabel() == "probability (%)"


def test_predictions_stand_under_their_pictures():
    sea = open_dataset("sea", resolution=16)
    first, second, *_, last = sea.class_names
    figure = plot_predictions(sea, [0, 50], [{first: 0.9, last: 0.1}, {second: 0.3, last: 0.7}])
    assert [texts(ax) for ax in figure.axes[:2]] == [[first], [second]]
    labels = [[label.get_text() for label in ax.get_yticklabels()] for ax in figure.axes[2:]]
    assert labels == [[f"✓ {first}", last], [last, f"✓ {second}"]]


def test_base_to_novel_has_a_bar_per_method_and_split_in_the_colour_of_the_method():
    ax = plot_base_to_novel(ACCURACIES)
    assert texts(ax) == ["60.0", "70.0", "64.6", "80.0", "75.0", "77.4"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["base classes", "novel classes", "harmonic mean"]
    assert count(ax, COLOURS["zeroshot"]) == count(ax, COLOURS["maple"]) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["zero-shot", "MaPLe"]
    assert ax.get_ylabel() == "accuracy (%)"


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match=r"unknown method 'mapel'.*maple"):
        plot_base_to_novel(ACCURACIES.replace("maple", "mapel"))


@pytest.mark.parametrize(
    "depths, coupled, text, vision, couplings",
    [((0, 0), False, 0, 0, 0), ((1, 0), False, 2, 0, 0), ((0, 3), False, 0, 6, 0), ((3, 2), True, 6, 4, 2)],
)
def test_prompts_are_drawn_where_they_enter(depths, coupled, text, vision, couplings):
    ax = plot_prompts((4, 3), depths, n_ctx=2, words=["of", "a"], coupled=coupled)
    assert (count(ax, LANGUAGE), count(ax, VISION), len(arrows(ax))) == (text, vision, couplings)
    assert texts(ax).count("of") == texts(ax).count("SOS") == 4
    assert texts(ax).count("CLS") == 3
    travelling = (4 - depths[0]) * bool(depths[0]) + (3 - depths[1]) * bool(depths[1])
    assert texts(ax).count("↑") == 2 * travelling


def test_a_depth_beyond_the_tower_is_refused():
    with pytest.raises(ValueError, match="depth must be 0 to 3, the layers of the image tower, got 4"):
        plot_prompts((4, 3), (4, 4))
