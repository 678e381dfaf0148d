"""The figures of the evaluation: what they draw is what they were given."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.container import ErrorbarContainer

from maple_lite.course import plots
from maple_lite.course.plots import COLOURS, COUPLING, MARKERS, TITLES

matplotlib.use("agg")
AVERAGES = pd.DataFrame(
    {"method": ["zeroshot", "coop", "maple"], "base": [60.0, 80.0, 82.0], "novel": [70.0, 55.0, 75.0]}
)
GAINS = pd.DataFrame(
    {
        "method": "maple",
        "split": "novel",
        "dataset": ["chess", "cards", "zodiac"],
        "gain": [2.0, -3.0, 7.0],
        "std": [0.5, 1.0, 0.1],
        "shift": [20.0, 10.0, 30.0],
    }
)
CURVES = pd.DataFrame(
    [(m, k, 60.0 + k * (m != "zeroshot"), 2.0) for m in ("maple", "zeroshot", "probe") for k in (4, 1, 16)],
    columns=["method", "shots", "mean", "std"],
)
LEVELS = pd.DataFrame(
    [(level, split, 70.0 + level + len(split), 1.5, level == 5) for level in (6, 1, 5) for split in ("base", "hm")],
    columns=["level", "split", "mean", "std", "preset"],
).assign(factor="depth")
WORDY = LEVELS.assign(level=LEVELS.level.map({1: "none", 5: "one each", 6: "shared"}), factor="coupling")
COSTS = pd.DataFrame(
    {
        "method": ["zeroshot", "coop", "maple"],
        "hm": [65.0, 66.0, 78.0],
        "parameters": [0, 2048, 3_555_072],
        "cpu_seconds": [1.0, 50.0, 20.0],
    }
)
TARGETS = pd.DataFrame(
    [(m, t, 50.0 + i, 1.0) for i, m in enumerate(("maple", "coop")) for t in ("objects", "digits")],
    columns=["method", "split", "mean", "std"],
)
SCORES = pd.DataFrame({"score": ["entropy"] * 2, "method": ["coop", "maple"], "auroc": [90, 80], "fpr95": [30, 40]})
COUNTS = pd.DataFrame([[45, 5, 0], [30, 20, 0], [1, 0, 1]], index=list("abc"), columns=list("abc"))
POINTS = pd.DataFrame(
    [(x, y, name, panel) for panel in ("before", "after") for name, x in (("cat", 0), ("dog", 9)) for y in (0, 1, 2)],
    columns=["x", "y", "class_name", "panel"],
)
SHARES = pd.DataFrame(
    [
        (layer, tower, share, 0.1)
        for tower, at in (("text", 0.2), ("vision", 0.4))
        for layer in (1, 2)
        for share in (at, at + 0.1)
    ],
    columns=["layer", "tower", "share", "uniform"],
)
WORDS = pd.DataFrame(
    [
        (layer, token, rank, f"w{layer}{token}{rank}", 1 - rank / 10)
        for layer in (1, 2)
        for token in (1, 2)
        for rank in (2, 1)
    ],
    columns=["layer", "token", "rank", "word", "similarity"],
)
CLASSES = pd.DataFrame({"class_name": list("abcd"), "frequency": [0.001, 0.002, 0.004, 0.008], "gain": [9, 4, 5, -6]})
DRAWS = {
    plots.plot_base_to_novel: AVERAGES.assign(hm=1.0),
    plots.plot_base_against_novel: AVERAGES,
    plots.plot_gains: GAINS,
    plots.plot_gains_by_shift: GAINS,
    plots.plot_gains_by_frequency: CLASSES,
    plots.plot_few_shot: CURVES,
    plots.plot_levels: LEVELS,
    plots.plot_variants: WORDY,
    plots.plot_cost: COSTS,
    plots.plot_targets: TARGETS,
    plots.plot_detection: SCORES,
    plots.plot_features: POINTS[POINTS.panel == "after"],
    plots.plot_prompt_attention: SHARES,
    plots.plot_nearest_words: WORDS,
}
"""Every figure of a frame, with a frame for it."""


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    yield
    plt.close("all")


def dots(ax) -> dict[str, tuple[list[float], list[float]]]:
    """The points (x, y) of every series with error bars, by label."""
    series = [box for box in ax.containers if isinstance(box, ErrorbarContainer)]
    return {box.get_label(): tuple(map(list, box.lines[0].get_data())) for box in series}


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


def rows(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def entries(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("draw, data", DRAWS.items(), ids=lambda item: getattr(item, "__name__", ""))
def test_a_figure_takes_a_frame_an_axes_and_styles_and_leaves_the_rest_alone(draw, data):
    before, settings = data.copy(), dict(matplotlib.rcParams)
    given, current = plt.subplots(2)[1]
    assert draw(data, ax=given) is given
    assert not current.has_data()
    assert draw(data, alpha=0.5) is current
    assert current.get_ylabel() or rows(current)
    assert given.get_xlabel() == current.get_xlabel()
    pd.testing.assert_frame_equal(data, before)
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("draw, data", DRAWS.items(), ids=lambda item: getattr(item, "__name__", ""))
def test_a_missing_column_an_unknown_method_and_an_empty_frame_are_named(draw, data):
    wanted = [column for column in data if column not in ("std", "preset", "factor", "panel", "uniform", "shift")]
    optional = {plots.plot_gains_by_frequency: {"method"}, plots.plot_detection: {"fpr95"}, plots.plot_gains: {"split"}}
    optional |= {plots.plot_gains_by_shift: {"split"}, plots.plot_cost: {"parameters"}}
    for column in [column for column in wanted if column not in optional.get(draw, ())]:
        missing = "distance" if column == "similarity" else "method" if column == "tower" else column
        with pytest.raises(ValueError, match=f"needs the column '{missing}'; the frame has .*: add or rename it"):
            draw(data.drop(columns=column))
    with pytest.raises(ValueError, match="the frame has no rows"):
        draw(data.head(0))
    if "method" in data:
        with pytest.raises(ValueError, match=r"unknown method 'mapel': did you mean 'maple'"):
            draw(data.assign(method="mapel"))


def test_every_method_has_its_own_marker():
    assert set(MARKERS) == set(COLOURS) == set(TITLES)
    assert len(set(MARKERS.values())) == len(MARKERS)


def test_methods_stand_at_base_and_novel_over_contours_of_their_harmonic_mean():
    ax = plots.plot_base_against_novel(AVERAGES, paper=AVERAGES.tail(1))
    points = [tuple(dot.get_offsets()[0]) for dot in ax.collections[:4]]
    assert points == [(60, 70), (80, 55), (82, 75), (82, 75)]
    faces = [to_hex(dot.get_facecolor()[0]) for dot in ax.collections[:3]]
    assert [face.upper() for face in faces] == [COLOURS[method] for method in AVERAGES.method]
    assert not len(ax.collections[3].get_facecolor())  # the paper's is hollow
    assert entries(ax) == ["zero-shot", "CoOp", "MaPLe", "hollow: the paper"]
    contours = next(item for item in ax.collections if hasattr(item, "levels"))
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        base, novel = path.vertices.T
        np.testing.assert_allclose(2 / (1 / base + 1 / novel), level, rtol=1e-3)  # straight lines between grid points
    assert len(contours.levels) > 3


def test_gains_are_sorted_bars_with_their_mean():
    ax = plots.plot_gains(GAINS)
    assert rows(ax) == ["zodiac", "chess", "cards"]
    assert [bar.get_width() for bar in ax.patches] == [7, 2, -3]
    assert ax.yaxis_inverted()
    assert entries(ax) == ["mean of 3: +2.0"]
    assert ax.get_xlabel() == "gain over zero-shot, novel classes (points)"
    other = plots.plot_gains(GAINS, order=["cards", "zodiac", "chess"], ax=plt.figure().gca())
    assert [bar.get_width() for bar in other.patches] == [-3, 7, 2]
    with pytest.raises(ValueError, match="order must name every dataset once: cards, chess, zodiac; got"):
        plots.plot_gains(GAINS, order=["cards"])
    with pytest.raises(ValueError, match="the figure shows one split, the frame has novel, base: choose one"):
        plots.plot_gains(pd.concat([GAINS, GAINS.assign(split="base")]))


def test_gains_stand_over_shift_and_frequency_with_rank_correlations_and_names():
    ax = plots.plot_gains_by_shift(GAINS)
    assert list(dots(ax).values()) == [([20, 10, 30], [2, -3, 7])]
    assert (texts(ax), ax.get_title()) == (["chess", "cards", "zodiac"], "Spearman's ρ = +1.00 (3 datasets)")
    ax = plots.plot_gains_by_frequency(CLASSES, labels=1, ax=plt.figure().gca())
    assert ax.collections[0].get_offsets().tolist() == [[0.1, 9], [0.2, 4], [0.4, 5], [0.8, -6]]
    assert (texts(ax), ax.get_title()) == (["a", "d"], "Spearman's ρ = −0.80 (4 classes)")
    assert ax.get_xscale() == "log"
    with pytest.raises(ValueError, match="frequencies must be above 0, got 0"):
        plots.plot_gains_by_frequency(CLASSES.assign(frequency=0))


def test_labels_neither_cover_each_other_nor_points():
    ax = plt.figure(figsize=(6, 4)).gca()
    x, y = np.random.default_rng(0).normal(size=(2, 15))
    ax.scatter(x, y, s=20)
    ax.set(xlim=(-5, 5), ylim=(-5, 5))  # so that names are wide beside the gaps
    plots.labels.label_points(ax, x, y, ["a name"] * 15)
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    assert all(box.count_overlaps(boxes) == 1 for box in boxes)  # itself
    assert not any(box.contains(*point) for box in boxes for point in ax.transData.transform(np.stack([x, y], 1)))


def test_few_shot_curves_are_sorted_by_shots_with_bands_of_one_standard_deviation():
    ax = plots.plot_few_shot(CURVES)
    assert [line.get_label() for line in ax.lines] == ["zero-shot", "MaPLe", "linear probe"]
    assert ax.lines[1].get_xdata().tolist() == [1, 4, 16]
    assert ax.lines[1].get_ydata().tolist() == [61, 64, 76]
    assert (ax.lines[0].get_linestyle(), ax.lines[1].get_color()) == ("--", COLOURS["maple"])
    band = ax.collections[1].get_paths()[0].vertices
    assert band[:, 1].min() == 59
    assert band[:, 1].max() == 78
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "4", "16"]


def test_levels_are_lines_over_numbers_and_dots_beside_words_with_the_preset_marked():
    ax = plots.plot_levels(LEVELS)
    assert dots(ax) == {"base classes": ([1, 5, 6], [75, 79, 80]), "harmonic mean": ([1, 5, 6], [73, 77, 78])}
    marked = next(line for line in ax.lines if line.get_label() == "MaPLe's preset")
    assert marked.get_xdata() == [5, 5]
    assert ax.get_xlabel() == "depth of the prompts (layers)"
    with pytest.raises(ValueError, match="levels must be numbers, got 'shared': draw words with plot_variants"):
        plots.plot_levels(WORDY)
    ax = plots.plot_variants(WORDY, ax=plt.figure().gca())
    assert rows(ax) == ["shared", "none", "one each"]
    assert {name: x for name, (x, _) in dots(ax).items()} == {
        "base classes": [80, 75, 79],
        "harmonic mean": [78, 73, 77],
    }
    assert [round(y) for _, y in dots(ax).values() for y in y] == [0, 1, 2] * 2
    marked = next(line for line in ax.lines if line.get_label() == "the preset's harmonic mean")
    assert marked.get_xdata() == [77, 77]
    with pytest.raises(ValueError, match="unknown split 'novels'"):
        plots.plot_variants(WORDY.assign(split="novels"))


def test_costs_are_on_a_log_axis_and_what_costs_nothing_is_a_line():
    ax = plots.plot_cost(COSTS, "parameters")
    assert dots(ax) == {"CoOp": ([2048], [66]), "MaPLe": ([3_555_072], [78])}
    nothing = next(line for line in ax.lines if line.get_label() == "zero-shot (0)")
    assert nothing.get_ydata() == [65, 65]
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "learned parameters")
    assert len(dots(plots.plot_cost(COSTS, ax=plt.figure().gca()))) == 3
    with pytest.raises(ValueError, match=r"unknown cost 'second'"):
        plots.plot_cost(COSTS, "second")


def test_targets_and_scores_are_rows_of_dots():
    ax = plots.plot_targets(TARGETS)
    assert rows(ax) == ["objects", "digits"]
    assert {name: x for name, (x, _) in dots(ax).items()} == {"CoOp": [51, 51], "MaPLe": [50, 50]}
    assert [round(y) for _, y in dots(ax).values() for y in y] == [0, 1, 0, 1]
    ax = plots.plot_detection(SCORES, "fpr95", ax=plt.figure().gca())
    assert {name: x for name, (x, _) in dots(ax).items()} == {"CoOp": [30], "MaPLe": [40]}
    assert "lower is better" in ax.get_xlabel()
    with pytest.raises(ValueError, match=r"auroc must be percent, 0 to 100, got at most 0\.9: multiply"):
        plots.plot_detection(SCORES.assign(auroc=[0.9, 0.8]))


def test_a_confusion_is_percent_of_the_true_class_and_keeps_the_most_confused():
    ax = plots.plot_confusion(COUNTS)
    assert ax.collections[0].get_array().ravel().tolist() == [90, 10, 0, 60, 40, 0, 50, 0, 50]
    assert texts(ax) == ["90", "10", "60", "40", "50", "50"]
    assert (rows(ax), ax.get_xlabel(), ax.get_ylabel()) == (["a", "b", "c"], "taken for", "true class")
    ax = plots.plot_confusion(COUNTS, most=2, ax=plt.figure().gca())
    assert (rows(ax), texts(ax)) == (["a", "b"], ["90", "10", "60", "40"])
    with pytest.raises(ValueError, match="rows and columns must be the same classes"):
        plots.plot_confusion(COUNTS.T.set_axis(list("abd")))


def test_features_are_coloured_by_class_and_named_in_their_middle():
    shifted = POINTS.assign(x=POINTS.x + 100 * (POINTS.panel == "after"))
    ax = plots.plot_features(shifted, panel="after")
    assert ax.collections[0].get_offsets()[:, 0].tolist() == [100] * 3 + [109] * 3
    assert len({tuple(colour) for colour in ax.collections[0].get_facecolors()}) == 2
    assert [(text.get_text(), *text.xy) for text in ax.texts] == [("cat", 100, 1), ("dog", 109, 1)]
    assert ax.get_title() == "after"
    with pytest.raises(ValueError, match="the figure shows one panel, the frame has before, after: choose one"):
        plots.plot_features(POINTS)
    with pytest.raises(ValueError, match="unknown panel 'later'"):
        plots.plot_features(POINTS, panel="later")


def test_attention_is_percent_with_the_uniform_share_dashed():
    ax = plots.plot_prompt_attention(SHARES)
    values = {(line.get_label(), line.get_linestyle()): line.get_ydata().tolist() for line in ax.lines}
    assert values["EOT, text tower", "-"] == pytest.approx([25, 25])
    assert values["CLS, image tower", "-"] == pytest.approx([45, 45])
    assert values["if all tokens got the same", "--"] == pytest.approx([10, 10])
    methods = SHARES.assign(method=["ivlp"] * 4 + ["maple"] * 4)
    with pytest.raises(ValueError, match="the figure shows one tower, the frame has text, vision"):
        plots.plot_prompt_attention(methods)
    ax = plots.plot_prompt_attention(methods.assign(tower="vision"), ax=plt.figure().gca())
    assert [to_rgb(line.get_color()) for line in ax.lines[2:]] == [to_rgb(COUPLING)] * 2
    with pytest.raises(ValueError, match="unknown tower 'audio'"):
        plots.plot_prompt_attention(SHARES.assign(tower="audio"))


def test_nearest_words_stand_in_a_table_the_first_layer_below():
    ax = plots.plot_nearest_words(WORDS, top=1)
    assert texts(ax) == ["w111 0.90", "w121 0.90", "w211 0.90", "w221 0.90"]
    assert (rows(ax), ax.get_ylim()) == (["layer 1", "layer 2"], (0, 2))
    ax = plots.plot_nearest_words(WORDS.rename(columns={"similarity": "distance"}), ax=plt.figure().gca())
    assert texts(ax)[0] == "w111 0.90\nw112 0.80"
