"""The papers' tasks as loops over plans that return tidy frames: base-to-novel, few-shot curves, transfer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from maple_lite.clip import FrozenCLIP
from maple_lite.experiments.plan import Plan, make_plan
from maple_lite.experiments.run import execute
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.presets import SHOTS
from maple_lite.protocol import ClassificationDataset

SEEDS = (1, 2, 3)  # the papers' averages are over three
CURVE = (1, 2, 4, 8, 16)  # shots of CoOp's few-shot curves
Method = str | type[PromptLearner]  # a name of METHODS, or a class of your own


def run_plans(plans: Iterable[Plan]) -> pd.DataFrame:
    """Tidy rows (method, dataset, seed, shots, split, accuracy, seconds) of plans, which are run one after another.

    Accuracies are percent; seconds are those of making, training and testing one learner. All plans are made before
    the first one is run, so that a mistake in any of them is said at once. Raises ValueError for no plan at all.
    """
    frames = []
    for plan in list(plans):
        start = time.perf_counter()
        results = execute(plan, bar=False).results
        frames.append(results.assign(seconds=time.perf_counter() - start))
    if not frames:
        raise ValueError("nothing to run: name at least one dataset, method, seed and number of shots.")
    return pd.concat(frames, ignore_index=True)


def base_to_novel(
    clip: FrozenCLIP,
    datasets: Iterable[ClassificationDataset],
    methods: Sequence[Method] | Method = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: int = SHOTS,
) -> pd.DataFrame:
    """Rows of `run_plans` of training on base classes, tested on base and novel ones, for every combination.

    `split` is "base", "novel" or "hm" (their harmonic mean). `methods` are names of METHODS or learner classes of
    your own; settings are those of `make_plan`.

    >>> base_to_novel(load_clip(), [open_dataset("sea")], ["zeroshot", "maple"], seeds=[1])
    """
    return run_plans(
        make_plan(method, data, clip, "base-to-novel", shots=shots, seed=seed)
        for data in datasets
        for method in _several(methods)
        for seed in seeds
    )


def few_shot_curve(
    clip: FrozenCLIP,
    datasets: Iterable[ClassificationDataset],
    methods: Sequence[Method] | Method = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: Sequence[int] | int = CURVE,
) -> pd.DataFrame:
    """Rows of `run_plans` of training and testing on all classes with some numbers of shots; `split` is "all".

    >>> few_shot_curve(load_clip(), [open_dataset("sea")], ["coop"], seeds=[1], shots=[1, 16])
    """
    datasets = list(datasets)
    return run_plans(
        make_plan(method, data, clip, "few-shot", shots=count, seed=seed)
        for count in ([shots] if isinstance(shots, int) else shots)
        for data in datasets
        for method in _several(methods)
        for seed in seeds
    )


def cross_dataset(
    clip: FrozenCLIP,
    source: ClassificationDataset,
    targets: Iterable[ClassificationDataset],
    methods: Sequence[Method] | Method = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: int = SHOTS,
) -> pd.DataFrame:
    """Rows of `run_plans` of training on all of `source` and testing on it and on other datasets.

    `dataset` is the one trained on, `split` the one tested on: the source itself first, then the targets.

    >>> cross_dataset(load_clip(), open_dataset("objects"), [open_dataset("sea")], ["maple"], seeds=[1])
    """
    targets = list(targets)
    return run_plans(
        make_plan(method, source, clip, "cross-dataset", shots=shots, seed=seed, targets=targets)
        for method in _several(methods)
        for seed in seeds
    )


def domain_generalisation(
    clip: FrozenCLIP,
    source: ClassificationDataset,
    domains: Mapping[str, ClassificationDataset],
    methods: Sequence[Method] | Method = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: int = SHOTS,
) -> pd.DataFrame:
    """As `cross_dataset`, with other pictures of the source's own classes: `domains` names them, and `split` does.

    >>> sketch = open_dataset("objects", variant="sketch")
    >>> domain_generalisation(load_clip(), open_dataset("objects"), {"sketch": sketch}, ["maple"], seeds=[1])
    """
    return run_plans(
        make_plan(method, source, clip, "domain-generalisation", shots=shots, seed=seed, targets=domains)
        for method in _several(methods)
        for seed in seeds
    )


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """A row per (dataset, method) with "mean ± std" over the seeds of each split, and mean seconds per run.

    The standard deviation is that of the sample (n - 1); a single seed has none.
    """
    cells = results.groupby(["dataset", "method", "split"], sort=False).accuracy.agg(["mean", "std"])
    text = [f"{row.mean_:.1f} ± {row.std_:.1f}" for row in cells.set_axis(["mean_", "std_"], axis=1).itertuples()]
    table = pd.Series(text, index=cells.index).unstack("split", sort=False)
    each = results.drop_duplicates(["dataset", "method", "seed"])
    seconds = each.groupby(["dataset", "method"], sort=False).seconds.mean()
    return table.assign(seconds=seconds.round(1)).reset_index()


def _several(methods: Sequence[Method] | Method) -> Sequence[Method]:
    """Methods as a sequence, even if only one is named."""
    return [methods] if isinstance(methods, str | type) else methods
