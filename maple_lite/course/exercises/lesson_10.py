"""The exercises of lesson 10, generalisation: an average table, one dataset's share, a bootstrap, ranks, transfer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from maple_lite.clip import FrozenCLIP
from maple_lite.course.exercises.shared import draw, kept
from maple_lite.course.teach.causes import cause_of_type, mismatch
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, by_hand, equals, number, unchanged
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe, is_number
from maple_lite.datasets import ClassificationDataset, open_dataset
from maple_lite.evaluation import accuracy
from maple_lite.experiments.summaries import spearman
from maple_lite.learners import IVLP, PromptLearner
from maple_lite.loading import load_clip
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import harmonic_mean, items_of_classes
from maple_lite.support.seeds import seeded

NOISE = 0.05  # of the prompts of a model for checks
COLUMNS = ["base", "novel", "hm"]
Cells = dict[tuple[str, str], Sequence[tuple[float, float]]]  # (base, novel) of every seed by (method, dataset)


# 10.1: the average table


def average_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per method with base, novel and hm: means over seeds, then over datasets, and the HM of those averages."""
    cells = rows.groupby(["method", "dataset", "split"]).accuracy.mean()
    means = cells.groupby(["method", "split"]).mean().unstack()
    means["hm"] = 2 * means.base * means.novel / (means.base + means.novel)
    return means


MEANS, RETURN = '.groupby(["method", "split"]).mean().unstack()', "return means"
HARMONIC = "2 * means.base * means.novel / (means.base + means.novel)"
OF_EACH = {MEANS: ".unstack()", RETURN: 'return means.groupby("method").mean()'}  # an HM each, which are averaged
AVERAGE_MISTAKES = Mistakes(
    {
        "mean of the HMs": Mistake(
            "the column hm averages harmonic means. The papers print the HM of the averages: take it of your base and "
            "novel, at the end",
            {f'means["hm"] = {HARMONIC}': ""},
        ),
        "HMs of datasets": Mistake(
            "these are harmonic means of datasets, averaged. The papers take one HM, at the end, of the averages",
            OF_EACH,
        ),
        "at once": Mistake(
            "seeds and datasets were averaged at once: a dataset with more seeds then counts more. Seeds first, then "
            "datasets",
            {'"dataset", ': ""},
        ),
        "datasets first": Mistake(
            "datasets were averaged before seeds: where a run is missing, a seed's average is then one over fewer "
            "datasets. Seeds first",
            {"dataset": "seed"},
        ),
        "arithmetic": Mistake(
            "that is the arithmetic mean of base and novel: the HM is 2 * base * novel / (base + novel)",
            {HARMONIC: "(means.base + means.novel) / 2"},
        ),
        "medians": Mistake("these are medians: take means", {MEANS: MEANS.replace("mean()", "median()")}),
        "geometric": Mistake(
            "that is the geometric mean of base and novel: the HM is 2 * base * novel / (base + novel), which is "
            "smaller",
            {HARMONIC: "(means.base * means.novel) ** 0.5"},
        ),
        "without 2": Mistake("the HM is half of what it should be: the factor 2 is missing", {"2 * means": "means"}),
        "HMs of seeds": Mistake(
            "these are harmonic means of seeds, averaged. Average base and novel over everything first: one HM, at the "
            "end",
            {"dataset": "seed", **OF_EACH},
        ),
        "the best seed": Mistake(
            "the best seed of every dataset was taken: that reports luck. Take the mean over seeds",
            {"accuracy.mean()": "accuracy.max()"},
        ),
        "still by dataset": Mistake(words="still one per method and dataset", patch={MEANS: ".unstack()"}),
        "a series": Mistake(words=".unstack('split')", patch={".unstack()": "", f'means["hm"] = {HARMONIC}': ""}),
        "the method is a column": Mistake(
            words=".set_index('method') at the end", patch={RETURN: "return means.reset_index()"}
        ),
        "without hm": Mistake(words="and their harmonic mean hm", patch={RETURN: 'return means[["base", "novel"]]'}),
        "one row for all": Mistake(
            words="group by the method", patch={f"cells{MEANS}": 'rows.groupby("split").accuracy.mean().to_frame().T'}
        ),
        "in place": Mistake(
            words="writes into `rows`", patch={"cells = ": 'rows["accuracy"] = rows.accuracy.round()\ncells = '}
        ),
        "no return": Mistake(words="did you forget it", patch={RETURN: ""}),
    },
    average_table,
)


def tidy(cells: Cells) -> pd.DataFrame:
    """Rows (method, dataset, seed, split, accuracy) of cells, three per run, in a mixed order."""
    rows = [
        (method, dataset, seed, split, value)
        for (method, dataset), runs in cells.items()
        for seed, (base, novel) in enumerate(runs, 1)
        for split, value in zip(COLUMNS, (base, novel, harmonic_mean(base, novel)), strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["method", "dataset", "seed", "split", "accuracy"])
    return frame.sample(frac=1, random_state=0).reset_index(drop=True)


def _random_cells() -> Cells:
    values = (60 + 15 * draw(3, 4, 3, 2)).clamp(5, 99).tolist()  # [methods, datasets, seeds, splits]
    methods, datasets = ("zeroshot", "coop", "maple"), ("cards", "chess", "digits", "zodiac")
    return {
        (method, dataset): [(base, novel) for base, novel in values[i][j]]
        for i, method in enumerate(methods)
        for j, dataset in enumerate(datasets)
    }


TWO_SETS = tidy({("coop", "chess"): [(80.0, 80.0)] * 2, ("coop", "cards"): [(100.0, 10.0), (100.0, 30.0)]})
MISSING = tidy({("coop", "chess"): [(90.0, 60.0)] * 3, ("coop", "cards"): [(60.0, 40.0)]})
FULL = tidy(_random_cells())


def _table(fn: Function, rows: pd.DataFrame) -> list[list[float]]:
    """The numbers of a submission's table, methods in alphabetical order; Finding where it is no such table."""
    methods = sorted(rows.method.unique())
    expected = "a DataFrame whose index is the method, with the columns base, novel and hm"
    came = fn(rows)
    if not isinstance(came, pd.DataFrame):
        cause = "return a DataFrame"
        if came is None:
            cause = cause_of_type(None, pd.DataFrame)
        elif isinstance(came, pd.Series):
            cause = "one number per method and split below each other: .unstack('split') puts the splits side by side"
        raise Finding(expected, describe(came), cause)
    index = "an index of " + ", ".join(map(str, came.index.names))
    if came.index.nlevels > 1:
        cause = "the rows are still one per " + " and ".join(map(str, came.index.names)) + ": average further"
        raise Finding(expected, index, cause)
    if set(came.index) != set(methods):
        column = "method" in came
        cause = "group by the method: one row each"
        raise Finding(expected, index, ".set_index('method') at the end makes it the index" if column else cause)
    missing = [column for column in COLUMNS if column not in came]
    if missing:
        cause = "name them as in the table: base and novel averages, and their harmonic mean hm"
        raise Finding(expected, f"columns {', '.join(map(str, came.columns))}", cause)
    return [[float(came.loc[method, column]) for column in COLUMNS] for method in methods]


def _averages(rows: pd.DataFrame, name: str, because: str = "") -> Facet:
    """A facet of the table of `rows`: its numbers; `rows` stay as they are."""

    def test(fn: Function) -> None:
        given = rows.copy()
        came, wanted = _table(fn, given), _table(average_table, rows)
        if not agree(wanted, came, 1e-6):
            raise mismatch(wanted, came, because=because, atol=1e-6)
        if not given.equals(rows):
            cause = "a line writes into `rows`, which are needed again: work on what groupby returns, or on rows.copy()"
            raise Finding("rows as they were before the call", "changed rows", cause)

    return Facet(name, test)


AVERAGE = Exercise(
    number="10.1",
    title="The average table",
    reference=average_table,
    facets=(
        _averages(
            TWO_SETS,
            "the HM of the averages",
            "over seeds the datasets have (base, novel) = (80, 80) and (100, 20), which average to 90 and 50: HM 64.29",
        ),
        _averages(
            MISSING,
            "missing runs",
            "one dataset has 90 and 60 with three seeds, the other 60 and 40 with one, and both count the same",
        ),
        _averages(FULL, "several methods"),
    ),
    hints=(
        "There are three steps, and their order matters: seeds, then datasets, then the harmonic mean. What happens to "
        "a dataset with one seed if you average everything at once?",
        'rows.groupby(["method", "dataset", "split"]).accuracy.mean() is a mean over seeds. Group what comes out by '
        "method and split for the mean over datasets; .unstack() puts the splits into columns. It has a column hm: "
        "is that the one?",
        'means = cells.groupby(["method", "split"]).mean().unstack(), and then means["hm"] = 2 * means.base * '
        "means.novel / (means.base + means.novel).",
    ),
    meaning="Every dataset counts the same, and the last column is what the papers print.",
    mistakes=AVERAGE_MISTAKES,
)


# 10.2: one dataset's share

SHARE = Exercise(
    number="10.2",
    title="The average without EuroSAT",
    reference=0.097,
    facets=(number(0.097, 0.003),),
    hints=(
        "An average gain is a sum of eleven gains. How much of the sum comes from one dataset?",
        'Two columns by dataset: papers.pivot(index="dataset", columns="method", values="novel"). Take MaPLe minus '
        "CLIP, leave a row out, and take the mean.",
        'gain = (table["MaPLe"] - table["CLIP"]); answer = gain.drop("EuroSAT").mean()',
    ),
    meaning="Nine tenths of the average gain on novel classes are one dataset's: look at the rows before the mean.",
    mistakes=Mistakes(
        {
            "all eleven": Mistake("that is the gain over all eleven: EuroSAT is still in it", value=0.922),
            "EuroSAT alone": Mistake("that is EuroSAT's own gain", value=73.23 - 64.05),
            "by eleven": Mistake("ten datasets are left: divide their sum by 10, not by 11", value=0.088),
            "its share": Mistake(
                "that is what EuroSAT adds to the average of eleven: what is left of it without EuroSAT?",
                value=9.18 / 11,
            ),
            "the other way": Mistake("the sign is wrong: MaPLe minus CLIP", value=-0.097),
            "HM": Mistake("those are harmonic means: take the column novel", value=5.124),
            "base": Mistake("those are base classes: take the column novel", value=10.471),
            "CoOp": Mistake("that is CoOp, which loses so much: take MaPLe minus CLIP", value=-11.162),
            "CoCoOp": Mistake("that is CoCoOp: take MaPLe minus CLIP", value=-2.377),
            "in quotes": Mistake(words="without quotes", value="0.097"),
        }
    ),
)


# 10.3: the bootstrap


def bootstrap(one: np.ndarray, other: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """A 95% interval (low, high) for the mean difference of two methods [datasets, seeds], by drawing datasets."""
    gaps = (one - other).mean(axis=1)  # [datasets]
    chosen = np.random.default_rng(seed).integers(len(gaps), size=(draws, len(gaps)))
    low, high = np.percentile(gaps[chosen].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


DIFFERENCES, SIZE, ENDS = "(one - other).mean(axis=1)", "size=(draws, len(gaps))", "(2.5, 97.5)"
PICKED, AVERAGED = f"np.random.default_rng(seed).integers(len(gaps), {SIZE})", "gaps[chosen].mean(axis=1)"
BOOTSTRAP_MISTAKES = Mistakes(
    {
        "other minus one": Mistake("the sign is wrong: it is one minus other", {"one - other": "other - one"}),
        "shares": Mistake("points, not shares: do not divide by 100", {DIFFERENCES: f"{DIFFERENCES} / 100"}),
        "sums": Mistake(
            "that is the sum over the four datasets of a draw: take their mean", {AVERAGED: "gaps[chosen].sum(axis=1)"}
        ),
        "centred": Mistake(
            "the average difference itself is missing: draw the differences as they are, without centring them",
            {AVERAGED: f"{AVERAGED} - gaps.mean()"},
        ),
        "without replacement": Mistake(
            "all draws gave the same average: draw WITH replacement, so that a dataset can come twice or not at all",
            {PICKED: "np.random.default_rng(seed).permuted([range(len(gaps))] * draws, axis=1)"},
        ),
        "as many as there are runs": Mistake(
            "it is too narrow by the root of 3, the number of seeds: a dataset's seeds are no further datasets",
            {SIZE: "size=(draws, one.size)"},
        ),
        "single datasets": Mistake(
            "these are percentiles of single datasets: average every draw of eleven before the percentiles",
            {SIZE: "size=(draws, 1)"},
        ),
        "90 percent": Mistake(
            "that holds 90% of the draws: 95% lie between the percentiles 2.5 and 97.5", {ENDS: "(5, 95)"}
        ),
        "the extremes": Mistake(words="the extremes of all draws", patch={ENDS: "(0, 100)"}),
        "methods apart": Mistake(
            words="got different datasets",
            patch={
                f"{AVERAGED}, {ENDS}": f"one[chosen].mean(axis=(1, 2)) - other[chosen[::-1]].mean(axis=(1, 2)), {ENDS}"
            },
        ),
        "seeds as datasets": Mistake(words="seeds were drawn", patch={DIFFERENCES: "(one - other).ravel()"}),
        "high before low": Mistake(words="swap them", patch={ENDS: "(97.5, 2.5)"}),
        "the global generator": Mistake(
            words="global generator moved",
            patch={f"chosen = {PICKED}": f"np.random.seed(seed)\nchosen = np.random.randint(len(gaps), {SIZE})"},
        ),
        "a seed in the code": Mistake(words="written into the code", patch={"default_rng(seed)": "default_rng(0)"}),
        "no seed": Mistake(words="do not use `seed`", patch={"default_rng(seed)": "default_rng()"}),
        "always 2000 draws": Mistake(words="another number of draws", patch={"size=(draws": "size=(2000"}),
        "in place": Mistake(
            words="writes into its input", patch={f"gaps = {DIFFERENCES}": "one -= other\ngaps = one.mean(axis=1)"}
        ),
        "all averages": Mistake(words="return two numbers", patch={"low, high = ": f"return {AVERAGED}\nlow, high = "}),
    },
    bootstrap,
)


def _interval(
    fn: Function, one: np.ndarray, other: np.ndarray, draws: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """What a submission returns, as two numbers; Finding where it is something else."""
    came = fn(one, other, draws, seed)
    expected = "a pair of numbers (low, high)"
    if came is None:
        raise Finding(expected, "None", cause_of_type(None, tuple))
    try:
        low, high = (float(value) for value in came)
    except (TypeError, ValueError):
        cause = "return two numbers: the 2.5th and the 97.5th percentile of the averages that you drew"
        raise Finding(expected, describe(came), cause) from None
    if low > high:
        raise Finding(expected, f"({low:.3g}, {high:.3g})", "low is above high: swap them")
    return low, high


def _point(name: str, one: np.ndarray, other: np.ndarray, because: str, cause: str) -> Facet:
    """A facet of a case in which all draws have the average 2, so that the interval is one point."""

    def test(fn: Function) -> None:
        low, high = _interval(fn, one, other)
        if not agree((2.0, 2.0), (low, high), 1e-6):
            raise Finding(f"(2.0, 2.0), because {because}", f"({low:.3g}, {high:.3g})", cause, (low, high), 1e-6)

    return Facet(name, test)


SPREAD = np.array([20.0, 50.0, 65.0, 90.0])  # of four datasets, in percent
SEEDS = np.array([-6.0, 0.0, 6.0])
PAIRED = np.stack([SPREAD] * 3, axis=1) + 2, np.stack([SPREAD] * 3, axis=1)  # [4, 3]: 2 points apart everywhere
SEEDED = np.stack([2 + SEEDS] * 4), np.zeros((4, 3))  # [4, 3]: every dataset's mean is 2
GAPS = np.array([-1.5, -1.0, -0.5, 0.0, 0.2, 0.5, 1.0, 1.5, 3.0, 6.0, 9.0])
ELEVEN = np.stack([50 + GAPS] * 3, axis=1), np.full((len(GAPS), 3), 50.0)  # [11, 3]
INTERVAL = bootstrap(*ELEVEN, 40_000)


def _width(fn: Function) -> None:
    """The interval holds 95% of the averages of as many datasets as there are."""
    width, came = INTERVAL[1] - INTERVAL[0], _interval(fn, *ELEVEN)
    if not agree(INTERVAL, came, 0.08 * width, 0.0):
        cause = "draw eleven datasets with replacement, average them, repeat, and take the percentiles 2.5 and 97.5"
        if came[1] - came[0] > 1.25 * width:
            cause = "it is too wide: are these the extremes of all draws, or too few datasets in a draw?"
        expected, got = (f"({low:.2f}, {high:.2f})" for low, high in (INTERVAL, came))
        raise Finding(f"about {expected}", got, cause, came, 0.04 * width)


def _number_of_draws(fn: Function) -> None:
    """As many draws are made as the argument says: the percentiles of a single one are one point."""
    low, high = _interval(fn, *ELEVEN, draws=1)
    if high - low > 1e-6:
        cause = (
            "another number of draws was made, or the ends come from a formula: take percentiles of `draws` averages"
        )
        raise Finding("one point with draws=1: both percentiles of one average", f"({low:.2f}, {high:.2f})", cause)


def _seed_decides(fn: Function) -> None:
    """The same seed gives the same interval, another seed another, and nothing global is seeded."""
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    first, again, apart = (_interval(fn, *ELEVEN, 50, seed) for seed in (1, 1, 2))
    expected = "the same interval for the same seed, and another one for another seed"
    if not np.array_equal(state, np.random.get_state()[1]):  # type: ignore[index]
        cause = "numpy's global generator moved: make one of your own, np.random.default_rng(seed)"
        raise Finding("draws from a generator of its own", "draws from the global one", cause)
    if first != again:
        raise Finding(
            expected, "two intervals for one seed", "the draws do not use `seed`: np.random.default_rng(seed)"
        )
    if first == apart:
        raise Finding(expected, "one interval for two seeds", "a seed is written into the code: take `seed`")


BOOTSTRAP = Exercise(
    number="10.3",
    title="A bootstrap over datasets",
    reference=bootstrap,
    facets=(
        _point(
            "pairs stay together",
            *PAIRED,
            "on every dataset one is 2 points above other",
            "the two methods got different datasets in a draw, so that easy ones meet hard ones. Draw once, and take "
            "the same datasets for both",
        ),
        _point(
            "datasets are drawn, not seeds",
            *SEEDED,
            "every dataset's mean gap is 2",
            "seeds were drawn, as if each were a dataset of its own: take the mean over a dataset's seeds first, and "
            "draw datasets alone",
        ),
        Facet("as wide as 95% of the averages", _width),
        Facet("as many draws as asked for", _number_of_draws),
        Facet("the seed decides", _seed_decides),
        unchanged((*PAIRED, 10, 0)),
    ),
    hints=(
        "What would be drawn anew if someone repeated the whole study with other datasets? And what belongs together?",
        "One number per dataset first: the mean over seeds of one - other. A draw picks as many datasets as there are, "
        "with replacement, and averages their numbers. The interval: percentiles 2.5 and 97.5 of all averages.",
        "gaps = (one - other).mean(axis=1); chosen = np.random.default_rng(seed).integers(len(gaps), size=(draws, "
        "len(gaps))); np.percentile(gaps[chosen].mean(axis=1), (2.5, 97.5)).",
    ),
    meaning="It says how far the average could move had the datasets been others of their kind.",
    mistakes=BOOTSTRAP_MISTAKES,
)


# 10.4: Spearman's rank correlation


RANKS_SOURCE = """
def spearman(x, y):
    rank = lambda v: (v[:, None] > v).sum(1) + ((v[:, None] == v).sum(1) - 1) / 2
    return np.corrcoef(rank(x), rank(y))[0, 1]
"""
SMALLER, SHARED = "(v[:, None] > v).sum(1)", " + ((v[:, None] == v).sum(1) - 1) / 2"
CORRELATION, SORTED = "np.corrcoef(rank(x), rank(y))[0, 1]", 'np.argsort(v, kind="stable")'
RANKS_MISTAKES = Mistakes(
    {
        "Pearson": Mistake(
            "that is the correlation of the values themselves (Pearson's): replace them by their ranks first",
            {"rank(x)": "x", "rank(y)": "y"},
        ),
        "argsort once": Mistake(
            "np.argsort says where the smallest value stands, not which rank a value has: rank every value among all",
            {SMALLER + SHARED: SORTED},
        ),
        "ties in order": Mistake(
            "equal values got different ranks, by the order in which they stand: they share the mean of their ranks",
            {SMALLER + SHARED: f'np.argsort({SORTED}, kind="stable")'},
        ),
        "the smallest rank": Mistake(
            "equal values all got the smallest of their ranks: they share the MEAN of their ranks", {SHARED: ""}
        ),
        "the largest rank": Mistake(
            "equal values all got the largest of their ranks: they share the MEAN of their ranks",
            {SMALLER + SHARED: SMALLER.replace(">", ">=")},
        ),
        "the short formula": Mistake(
            "the formula 1 - 6 sum(d^2) / (n (n^2 - 1)) is exact only without ties: correlate the ranks",
            {CORRELATION: "1 - 6 * ((rank(x) - rank(y)) ** 2).sum() / (len(x) * (len(x) ** 2 - 1))"},
        ),
        "one ranked": Mistake("only x was ranked: rank both", {"rank(y)": "y"}),
        "the other ranked": Mistake("only y was ranked: rank both", {"rank(x)": "x"}),
        "from the top": Mistake(
            "one of the two was ranked from the top: rank both in the same direction", {"rank(y)": "rank(-y)"}
        ),
        "covariance": Mistake(
            "that is the covariance of the ranks: divide by both standard deviations", {"corrcoef": "cov"}
        ),
        "the sign lost": Mistake(
            "the sign was lost: a falling order has a negative correlation", {CORRELATION: f"abs({CORRELATION})"}
        ),
        "the whole table": Mistake(words="table of all pairs", patch={"[0, 1]": ""}),
        "no return": Mistake(words="did you forget it", patch={"return": "found ="}),
    },
    RANKS_SOURCE,
    {"np": np},
)


def _as_number(facet: Facet) -> Facet:
    """A facet of a submission whose result must be one number."""

    def test(fn: Function) -> None:
        def checked(*arguments: Any) -> float:
            came = fn(*arguments)
            if came is None:
                raise Finding("a number", "None", cause_of_type(None, float))
            array = np.asarray(came)
            if array.shape == (2, 2):
                cause = "np.corrcoef returns a table of all pairs: entry [0, 1] is the one of x with y"
                raise Finding("a number", "a table [2, 2]", cause)
            if array.size != 1 or not is_number(array.item()):
                raise Finding("a number", describe(came), "return one number, the correlation")
            return float(array.item())

        facet.test(checked)

    return Facet(facet.name, test)


SKEWED = np.array([22.7, 24.8, 25.7, 28.7, 44.4, 55.1]), np.array([9.6, 8.7, 5.3, -6.6, 6.0, 24.4])
TIES = np.array([30.0, 10.0, 20.0, 20.0, 50.0, 20.0]), np.array([1.0, 0.0, 0.0, 5.0, 2.0, 0.0])
RANKS = Exercise(
    number="10.4",
    title="Spearman's rank correlation",
    reference=spearman,
    facets=tuple(
        map(
            _as_number,
            (
                by_hand(
                    (np.array([1.0, 2.0, 3.0, 100.0]), np.array([5.0, 6.0, 8.0, 9.0])),
                    1.0,
                    "both rise together, and ranks do not see by how much",
                    name="one order",
                ),
                by_hand(
                    (np.array([1.0, 2.0, 3.0, 100.0]), np.array([9.0, 8.0, 7.0, -50.0])),
                    -1.0,
                    "the second falls wherever the first rises",
                    name="the opposite order",
                ),
                equals(SKEWED, spearman, name="no ties"),
                equals(TIES, spearman, name="ties share a rank"),
            ),
        )
    ),
    hints=(
        "A rank says how many values are smaller. Ranks correlate by the ordinary formula: where is the trouble with "
        "equal values?",
        "x[:, None] > x[None, :] compares every value with every other, [n, n]. The rank of a value: how many are "
        "smaller, plus half of how many others are equal. np.corrcoef(a, b)[0, 1] is the ordinary correlation.",
        "rank = (v[:, None] > v).sum(axis=1) + ((v[:, None] == v).sum(axis=1) - 1) / 2 for v = x and v = y; return "
        "np.corrcoef of the two, entry [0, 1].",
    ),
    meaning="One dataset far out cannot make this number: it asks for the order of the datasets alone.",
    mistakes=RANKS_MISTAKES,
)


# 10.5: transfer


class Shown(Dataset):
    """A small test set for checks, pictures of some classes, held in memory; its training pictures are others."""

    def __init__(self, data: ClassificationDataset, per_class: int) -> None:
        self.class_names, self.template, self.data = data.class_names, data.template, data
        first = [i for items in items_of_classes(data.labels).values() for i in items[:per_class]]
        self.images, labels = data.batch(first)
        self.labels = labels.tolist()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], self.labels[index]

    def test(self) -> Shown:
        """The test set itself."""
        return self

    def train(self, shots: int, seed: int = 1) -> Shown:
        """Some training pictures: enough for one who trains where nothing must be trained."""
        return Shown(self.data.train(7, seed), 7)


SOURCE = ["aries", "taurus", "gemini", "cancer", "leo", "virgo"]
TARGET = [6, 0, 8, 3, 10, 1]  # classes of chess, not in the order of their names


@lru_cache
def tiny_clip() -> FrozenCLIP:
    """The tiny CLIP, loaded once."""
    return load_clip("glyphs")


def shown(name: str, classes: Sequence[str | int], per_class: int) -> Shown:
    """A few test pictures of some classes of a drawn dataset."""
    return Shown(open_dataset(name, clip=tiny_clip()).subset(classes), per_class)


def transfer(model: PromptedCLIP, data: Any) -> float:
    """Percent of a test set that the prompts of a model name rightly among that set's own class names."""
    return accuracy(PromptedCLIP(model.clip, model.learner, data.class_names), data)


def _scene() -> tuple[PromptedCLIP, Shown]:
    """A model with prompts in both towers that are not those of a new learner, and a test set of other classes."""
    clip = tiny_clip()
    with seeded(3):
        learner = IVLP(clip, n_ctx=4)
        for weight in learner.parameters():
            nn.init.normal_(weight, std=NOISE)
    return PromptedCLIP(clip, learner, SOURCE), shown("chess", TARGET, 8)


ASKED = "PromptedCLIP(model.clip, model.learner, data.class_names)"
TRANSFER_MISTAKES = Mistakes(
    {
        "a share": Mistake("that is a share: accuracies are percent", {"return ": "return 0.01 * "}),
        "the old names": Mistake(
            "the old class names were kept: `model` still asks for those that it was trained with. Make a PromptedCLIP "
            "with data.class_names",
            {ASKED: "model"},
        ),
        "zero-shot": Mistake(
            "the learned prompts were thrown away: that is zero-shot CLIP. Take model.learner",
            {"model.learner": "PromptLearner()"},
        ),
        "a new learner": Mistake(
            "nothing learned is in it: a new learner, or the dataset's own sentence, is not the trained learner of "
            "`model`",
            {"model.learner": "type(model.learner)(model.clip, n_ctx=4)"},
        ),
        "without vision prompts": Mistake(
            "the learned vision prompts are missing: model.clip.encode_image(images) is CLIP's own. A PromptedCLIP "
            "with model.learner has all its prompts",
            body=f"""
images, labels = zip(*data)
logits = {ASKED}.classify(model.clip.encode_image(torch.stack(images)))
return 100 * (logits.argmax(dim=-1) == torch.tensor(labels)).double().mean().item()
""",
        ),
        "training pictures": Mistake(
            "training pictures were asked: ask about `data` as it is, its test pictures",
            {", data)": ", data.train(16))"},
        ),
        "template in the names": Mistake(
            "the template was written into the class names: the learned prompt is the sentence already. Give the names "
            "alone",
            {"data.class_names": "[data.template.format(name) for name in data.class_names]"},
        ),
        "both lists": Mistake(
            "old and new names were asked together, so that label i is no longer name i: only those of data",
            {"data.class_names": "model.class_names + data.class_names"},
        ),
        "sorted": Mistake(
            "the names are in another order: label i is data.class_names[i]",
            {"data.class_names": "sorted(data.class_names)"},
        ),
        "trained again": Mistake(
            words="trained again",
            patch={
                "return": "from maple_lite import fit\n"
                f"fit({ASKED}, data.train(16), epochs=1, lr=0.01, batch_size=16, bar=False)\nreturn"
            },
        ),
        "overwritten names": Mistake(
            words="its tokens are still the old ones",
            patch={"return": "model.class_names = data.class_names\nreturn", ASKED: "model"},
        ),
        "the model": Mistake(words="return the accuracy", patch={f"accuracy({ASKED}, data)": ASKED}),
    },
    transfer,
    {"accuracy": accuracy, "PromptedCLIP": PromptedCLIP, "PromptLearner": PromptLearner, "torch": torch},
)


@lru_cache
def _transferred() -> float:
    """What transfer returns for the scene."""
    return transfer(*_scene())


def _transfer_facet(fn: Function) -> None:
    """The accuracy of the same prompts under other names, of a model that stays what it is."""
    model, data = _scene()
    before = [weight.detach().clone() for weight in model.learner.parameters()]
    wanted = _transferred()
    with kept(model.clip), seeded(0), torch.no_grad():
        with torch.enable_grad():
            came = fn(model, data)
        same = all(torch.equal(*pair) for pair in zip(before, model.learner.parameters(), strict=True))
    if not same:
        cause = "the prompts were trained again on the new dataset: then it is no transfer. Train nothing, only ask"
        raise Finding("a learner that stays as it was trained", "another one after the call", cause)
    if model.class_names != SOURCE:
        cause = "the names of `model` were overwritten, and its tokens are still the old ones: make a new PromptedCLIP"
        raise Finding("a model that keeps its own names", "a model with other names", cause)
    if came is None:
        raise Finding("a number", "None", cause_of_type(None, float))
    value = came.item() if isinstance(came, Tensor) and came.numel() == 1 else came
    if not is_number(value):
        raise Finding("a number, the accuracy in percent", describe(came), "return the accuracy, and nothing else")
    if not agree(wanted, float(value), 1e-3):
        cause = "it needs three things: the CLIP of `model`, the trained learner of `model`, and the names of `data`"
        raise Finding(f"{wanted:g} percent", f"{float(value):g}", cause, float(value), 1e-3)


def _more_classes(fn: Function) -> None:
    """A test set may have more or fewer classes than the training had."""
    model, _ = _scene()
    for count in (2, 9):
        data = shown("planets", range(count), 2)
        came, wanted = float(fn(model, data)), transfer(model, data)
        if not agree(wanted, came, 1e-3):
            cause = "there are as many names as `data` has, however many the training had"
            raise Finding(f"{wanted:g} percent with {count} classes", f"{came:g}", cause)


TRANSFER = Exercise(
    number="10.5",
    title="Transfer: the same prompts, other names",
    reference=transfer,
    facets=(Facet("the same prompts, other names", _transfer_facet), Facet("any number of classes", _more_classes)),
    hints=(
        "What is learned does not know the classes: where do class names come in? Not in the learner.",
        "A PromptedCLIP is a CLIP, a learner and class names. Two of these are `model`'s, the third is `data`'s. "
        "accuracy(model, data) is percent.",
        "accuracy(PromptedCLIP(model.clip, model.learner, ...), data), with the names of data in place of the dots.",
    ),
    meaning="Transfer trains nothing: a prompt is a sentence with a gap, and any names fit into the gap.",
    mistakes=TRANSFER_MISTAKES,
)

EXERCISES: tuple[Exercise, ...] = (AVERAGE, SHARE, BOOTSTRAP, RANKS, TRANSFER)
