"""The exercises of lesson 10, generalisation: an average table, one dataset's share, a bootstrap, ranks, transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    return _with_hm(cells.groupby(["method", "split"]).mean().unstack())


def _with_hm(means: pd.DataFrame) -> pd.DataFrame:
    pairs = zip(means.base, means.novel, strict=True)
    return means.assign(hm=[harmonic_mean(base, novel) for base, novel in pairs])


def _at_once(rows: pd.DataFrame) -> pd.DataFrame:
    return _with_hm(rows.groupby(["method", "split"]).accuracy.mean().unstack())


def _datasets_first(rows: pd.DataFrame) -> pd.DataFrame:
    each = rows.groupby(["method", "seed", "split"]).accuracy.mean()
    return _with_hm(each.groupby(["method", "split"]).mean().unstack())


def _mean_of_hms(rows: pd.DataFrame) -> pd.DataFrame:
    cells = rows.groupby(["method", "dataset", "split"]).accuracy.mean()
    return cells.groupby(["method", "split"]).mean().unstack()


def _hms_of_datasets(rows: pd.DataFrame) -> pd.DataFrame:
    cells = _with_hm(rows.groupby(["method", "dataset", "split"]).accuracy.mean().unstack())
    return cells.groupby("method").mean()


def _arithmetic(rows: pd.DataFrame) -> pd.DataFrame:
    return average_table(rows).assign(hm=lambda means: (means.base + means.novel) / 2)


def _geometric(rows: pd.DataFrame) -> pd.DataFrame:
    return average_table(rows).assign(hm=lambda means: (means.base * means.novel) ** 0.5)


def _without_two(rows: pd.DataFrame) -> pd.DataFrame:
    return average_table(rows).assign(hm=lambda means: means.hm / 2)


def _hms_of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    return _with_hm(rows.groupby(["method", "seed", "split"]).accuracy.mean().unstack()).groupby("method").mean()


def _best_seed(rows: pd.DataFrame) -> pd.DataFrame:
    cells = rows.groupby(["method", "dataset", "split"]).accuracy.max()
    return _with_hm(cells.groupby(["method", "split"]).mean().unstack())


def _medians(rows: pd.DataFrame) -> pd.DataFrame:
    cells = rows.groupby(["method", "dataset", "split"]).accuracy.mean()
    return _with_hm(cells.groupby(["method", "split"]).median().unstack())


AVERAGED = {
    "the column hm averages harmonic means. The papers print the HM of the averages: take it of your base and novel, "
    "at the end": _mean_of_hms,
    "these are harmonic means of datasets, averaged. The papers take one HM, at the end, of the averages": (
        _hms_of_datasets
    ),
    "seeds and datasets were averaged at once: a dataset with more seeds then counts more. Seeds first, then "
    "datasets": _at_once,
    "datasets were averaged before seeds: where a run is missing, a seed's average is then one over fewer datasets. "
    "Seeds first": _datasets_first,
    "that is the arithmetic mean of base and novel: the HM is 2 * base * novel / (base + novel)": _arithmetic,
    "these are medians: take means": _medians,
    "that is the geometric mean of base and novel: the HM is 2 * base * novel / (base + novel), which is smaller": (
        _geometric
    ),
    "the HM is half of what it should be: the factor 2 is missing": _without_two,
    "these are harmonic means of seeds, averaged. Average base and novel over everything first: one HM, at the end": (
        _hms_of_seeds
    ),
    "the best seed was taken of every dataset: that reports luck. Take the mean over seeds": _best_seed,
}


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
    """A facet of the table of `rows`: its numbers, with the known mistakes; `rows` stay as they are."""

    def test(fn: Function) -> None:
        given = rows.copy()
        came, wanted = _table(fn, given), _table(average_table, rows)
        if not agree(wanted, came, 1e-6):
            known = (cause for cause, wrong in AVERAGED.items() if agree(_table(wrong, rows), came, 1e-6))
            raise mismatch(wanted, came, next(known, ""), because)
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
)


# 10.2: one dataset's share

SHARE = Exercise(
    number="10.2",
    title="The average without EuroSAT",
    reference=0.097,
    facets=(
        number(
            0.097,
            0.003,
            {
                0.922: "that is the gain over all eleven: EuroSAT is still in it",
                9.18: "that is EuroSAT's own gain",
                0.088: "ten datasets are left: divide their sum by 10, not by 11",
                0.835: "that is what EuroSAT adds to the average of eleven: what is left of it without EuroSAT?",
                -0.097: "the sign is wrong: MaPLe minus CLIP",
                5.124: "those are harmonic means: take the column novel",
                10.471: "those are base classes: take the column novel",
                -11.162: "that is CoOp, which loses so much: take MaPLe minus CLIP",
                -2.377: "that is CoCoOp: take MaPLe minus CLIP",
            },
        ),
    ),
    hints=(
        "An average gain is a sum of eleven gains. How much of the sum comes from one dataset?",
        'Two columns by dataset: papers.pivot(index="dataset", columns="method", values="novel"). Take MaPLe minus '
        "CLIP, leave a row out, and take the mean.",
        'gain = (table["MaPLe"] - table["CLIP"]); answer = gain.drop("EuroSAT").mean()',
    ),
    meaning="Nine tenths of the average gain on novel classes are one dataset's: look at the rows before the mean.",
)


# 10.3: the bootstrap


def bootstrap(one: np.ndarray, other: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """A 95% interval (low, high) for the mean difference of two methods [datasets, seeds], by drawing datasets."""
    gaps = (one - other).mean(axis=1)  # [datasets]
    chosen = np.random.default_rng(seed).integers(len(gaps), size=(draws, len(gaps)))
    low, high = np.percentile(gaps[chosen].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


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


def _by_hand_interval(
    one: np.ndarray, other: np.ndarray, expected: tuple[float, float], name: str, because: str, causes: Any
) -> Facet:
    """A facet of a case in which no draw can differ, so that the interval is one point; `causes(low, high)` guesses."""

    def test(fn: Function) -> None:
        low, high = _interval(fn, one, other)
        if not agree(expected, (low, high), 1e-6):
            raise Finding(f"{expected}, because {because}", f"({low:.3g}, {high:.3g})", causes(low, high))

    return Facet(name, test)


SPREAD = np.array([20.0, 50.0, 65.0, 90.0])  # of four datasets, in percent
SEEDS = np.array([-6.0, 0.0, 6.0])
PAIRED = np.stack([SPREAD] * 3, axis=1) + 2, np.stack([SPREAD] * 3, axis=1)  # [4, 3]: 2 points apart everywhere
SEEDED = np.stack([2 + SEEDS] * 4), np.zeros((4, 3))  # [4, 3]: every dataset's mean is 2
CHOSEN = np.array([-1.5, -1.0, -0.5, 0.0, 0.2, 0.5, 1.0, 1.5, 3.0, 6.0, 9.0])  # gaps of eleven datasets


def _cause_of_pairs(low: float, high: float) -> str:
    if agree((-2.0, -2.0), (low, high), 1e-6):
        return "the sign is wrong: it is one minus other"
    if agree((0.02, 0.02), (low, high), 1e-6):
        return "points, not shares: do not divide by 100"
    if agree((8.0, 8.0), (low, high), 1e-6):
        return "that is the sum over the four datasets of a draw: take their mean"
    if agree((0.0, 0.0), (low, high), 1e-6):
        return "the average difference itself is missing: draw the differences as they are, without centring them"
    return (
        "the two methods got different datasets in a draw, so that easy ones meet hard ones. Draw once, and take the "
        "same datasets for both"
    )


def _cause_of_seeds(low: float, high: float) -> str:
    return (
        "seeds were drawn, as if each were a dataset of its own: take the mean over a dataset's seeds first, and draw "
        "datasets alone"
    )


def _width(fn: Function) -> None:
    """The interval holds 95% of the averages of as many datasets as there are."""
    one, other = np.stack([50 + CHOSEN] * 3, axis=1), np.full((len(CHOSEN), 3), 50.0)
    wanted = bootstrap(one, other, 40_000)
    came = _interval(fn, one, other)
    ratio = (came[1] - came[0]) / (wanted[1] - wanted[0])
    if all(abs(a - b) < 0.08 * (wanted[1] - wanted[0]) for a, b in zip(came, wanted, strict=True)):
        return
    cause = "draw eleven datasets with replacement, average them, repeat, and take the percentiles 2.5 and 97.5"
    ends = CHOSEN.min(), CHOSEN.max()
    if ratio < 0.02:
        cause = "all draws gave the same average: draw WITH replacement, so that a dataset can come twice or not at all"
    elif abs(ratio - 3**-0.5) < 0.04:
        cause = "it is too narrow by the root of 3, the number of seeds: a dataset's seeds are no further datasets"
    elif ratio > 2 and agree(ends, came, 1.6):
        cause = "these are percentiles of single datasets: average every draw of eleven before the percentiles"
    elif abs(ratio - 0.84) < 0.05:
        cause = "that holds 90% of the draws: 95% lie between the percentiles 2.5 and 97.5"
    elif 1.25 < ratio < 2:
        cause = "it is too wide: are these the extremes of all draws, or too few datasets in a draw?"
    raise Finding(f"about ({wanted[0]:.2f}, {wanted[1]:.2f})", f"({came[0]:.2f}, {came[1]:.2f})", cause)


def _number_of_draws(fn: Function) -> None:
    """As many draws are made as the argument says: the percentiles of a single one are one point."""
    low, high = _interval(fn, np.stack([50 + CHOSEN] * 3, axis=1), np.full((len(CHOSEN), 3), 50.0), draws=1)
    if high - low > 1e-6:
        cause = (
            "another number of draws was made, or the ends come from a formula: take percentiles of `draws` averages"
        )
        raise Finding("one point with draws=1: both percentiles of one average", f"({low:.2f}, {high:.2f})", cause)


def _seed_decides(fn: Function) -> None:
    """The same seed gives the same interval, another seed another, and nothing global is seeded."""
    one, other = np.stack([50 + CHOSEN] * 3, axis=1), np.full((len(CHOSEN), 3), 50.0)
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    first, again, apart = (_interval(fn, one, other, 50, seed) for seed in (1, 1, 2))
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
        _by_hand_interval(
            *PAIRED, (2.0, 2.0), "pairs stay together", "on every dataset one is 2 points above other", _cause_of_pairs
        ),
        _by_hand_interval(
            *SEEDED, (2.0, 2.0), "datasets are drawn, not seeds", "every dataset's mean gap is 2", _cause_of_seeds
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
)


# 10.4: Spearman's rank correlation


def _pearson(x: Any, y: Any) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _in_order(values: Any) -> np.ndarray:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


def _shortcut(x: Any, y: Any) -> float:
    gaps = np.asarray(pd.Series(x).rank()) - np.asarray(pd.Series(y).rank())
    return float(1 - 6 * (gaps**2).sum() / (len(x) * (len(x) ** 2 - 1)))


def _largest(values: Any) -> np.ndarray:
    return np.array([(np.asarray(values) <= value).sum() for value in values])


def _smallest(values: Any) -> np.ndarray:
    return np.array([(np.asarray(values) < value).sum() for value in values])


RANKED: dict[str, Callable[..., float]] = {
    "that is the correlation of the values themselves (Pearson's): replace them by their ranks first": _pearson,
    "np.argsort says where the smallest value stands, not which rank a value has: rank every value among all": (
        lambda x, y: _pearson(np.argsort(x, kind="stable"), np.argsort(y, kind="stable"))
    ),
    "equal values got different ranks, by the order in which they stand: they share the mean of their ranks": (
        lambda x, y: _pearson(_in_order(x), _in_order(y))
    ),
    "equal values all got the smallest of their ranks: they share the MEAN of their ranks": (
        lambda x, y: _pearson(_smallest(x), _smallest(y))
    ),
    "equal values all got the largest of their ranks: they share the MEAN of their ranks": (
        lambda x, y: _pearson(_largest(x), _largest(y))
    ),
    "the formula 1 - 6 sum(d^2) / (n (n^2 - 1)) is exact only without ties: correlate the ranks": _shortcut,
    "only one of both was ranked": lambda x, y: _pearson(pd.Series(x).rank(), y),
    "only the second was ranked: rank both": lambda x, y: _pearson(x, pd.Series(y).rank()),
    "one of both was ranked from the top: rank both in the same direction": lambda x, y: -spearman(x, y),
    "that is the covariance of the ranks: divide by both standard deviations": (
        lambda x, y: float(np.cov(pd.Series(x).rank(), pd.Series(y).rank())[0, 1])
    ),
}


def _without_sign(x: Any, y: Any) -> float:
    return abs(spearman(x, y))


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
                    mistakes=RANKED,
                    name="one order",
                ),
                by_hand(
                    (np.array([1.0, 2.0, 3.0, 100.0]), np.array([9.0, 8.0, 7.0, -50.0])),
                    -1.0,
                    "the second falls wherever the first rises",
                    mistakes={"the sign was lost: a falling order has a negative correlation": _without_sign},
                    name="the opposite order",
                ),
                equals(SKEWED, spearman, mistakes=RANKED, name="no ties"),
                equals(TIES, spearman, mistakes=RANKED, name="ties share a rank"),
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
    return load_clip()


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


def _asked(names: Callable[[PromptedCLIP, Shown], list[str]]) -> Callable[..., float]:
    """A wrong transfer that asks for other names."""
    return lambda model, data: accuracy(PromptedCLIP(model.clip, model.learner, names(model, data)), data)


class _WordsAlone(PromptLearner):
    """A learner without its vision prompts."""

    def __init__(self, learner: PromptLearner) -> None:
        super().__init__(learner.templates)
        self.learner = learner

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """The learner's own."""
        return self.learner.text_prompts(image_features)


TRANSFERS: dict[str, Callable[..., float]] = {
    "the old class names were kept: `model` still asks for those that it was trained with. Make a PromptedCLIP with "
    "data.class_names": _asked(lambda model, data: model.class_names),
    "the learned prompts were thrown away: that is zero-shot CLIP. Take model.learner": (
        lambda model, data: accuracy(PromptedCLIP(model.clip, PromptLearner(), data.class_names), data)
    ),
    "nothing learned is in it: a new learner, or the dataset's own sentence, is not the trained learner of `model`": (
        lambda model, data: accuracy(PromptedCLIP(model.clip, PromptLearner(data.template), data.class_names), data)
    ),
    "the learned vision prompts are missing: model.clip.encode_image(images) is CLIP's own. A PromptedCLIP with "
    "model.learner has all its prompts": lambda model, data: accuracy(
        PromptedCLIP(model.clip, _WordsAlone(model.learner), data.class_names), data
    ),
    "training pictures were asked: ask about `data` as it is, its test pictures": (
        lambda model, data: transfer(model, data.train(len(data)))
    ),
    "the template was written into the class names: the learned prompt is the sentence already. Give the names alone": (
        _asked(lambda model, data: [data.template.format(name) for name in data.class_names])
    ),
    "old and new names were asked together, so that label i is no longer name i: only those of data": (
        _asked(lambda model, data: [*model.class_names, *data.class_names])
    ),
    "the names are in another order: label i is data.class_names[i]": _asked(
        lambda model, data: sorted(data.class_names)
    ),
    "that is a share: accuracies are percent": lambda model, data: transfer(model, data) / 100,
}


def _transfer_facet(fn: Function) -> None:
    """The accuracy of the same prompts under other names, of a model that stays what it is."""
    model, data = _scene()
    before = [weight.detach().clone() for weight in model.learner.parameters()]
    wanted = transfer(model, data)
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
        known = (cause for cause, wrong in TRANSFERS.items() if agree(wrong(*_scene()), float(value), 1e-3))
        cause = "it needs three things: the CLIP of `model`, the trained learner of `model`, and the names of `data`"
        raise Finding(f"{wanted:g} percent", f"{float(value):g}", next(known, cause))


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
)

EXERCISES: tuple[Exercise, ...] = (AVERAGE, SHARE, BOOTSTRAP, RANKS, TRANSFER)
