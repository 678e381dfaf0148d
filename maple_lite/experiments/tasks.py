"""The papers' tasks as functions that return tidy frames: base-to-novel, cross-dataset, domains, few-shot curves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from maple_lite.clip import FrozenCLIP
from maple_lite.evaluation import accuracy
from maple_lite.learners import METHODS, PromptLearner, ZeroShot
from maple_lite.presets import SHOTS, preset
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import ClassificationDataset, base_and_novel, harmonic_mean
from maple_lite.support.names import require_name
from maple_lite.support.seeds import derived_seed, seeded
from maple_lite.training import fit

SEEDS = (1, 2, 3)  # the papers' averages are over three
CURVE = (1, 2, 4, 8, 16)  # shots of CoOp's few-shot curves
UNTRAINED = (PromptLearner, ZeroShot)


class Recipe(NamedTuple):
    """Which learner is trained, with which constructor's arguments and which settings of `fit`.

    `chunk` sentences are encoded at a time (see PromptedCLIP); tests run in the precision of the training.
    """

    kind: type[PromptLearner]
    learner_kwargs: dict[str, Any]
    fit_kwargs: dict[str, Any]
    chunk: int | None = None

    def sample(self, data: ClassificationDataset, shots: int, seed: int) -> Any:
        """The training sample, None for zero-shot CLIP: it serves datasets without training pictures, too."""
        return None if self.kind in UNTRAINED else data.train(shots, seed)

    def measure(
        self, clip: FrozenCLIP, learner: PromptLearner, tests: Mapping[str, ClassificationDataset]
    ) -> dict[str, float]:
        """The percentage of the test images that a learner names rightly, for each of `tests`.

        Zero-shot CLIP, which is the same for all, asks every test set in that set's own template.
        """
        found = {}
        for split, data in tests.items():
            model = PromptedCLIP(clip, learner.for_template(data.template), data.class_names, self.chunk)
            found[split] = accuracy(model, data.test(), precision=self.fit_kwargs.get("precision", "fp32"))
        return found


def recipe(method: str, task: str, shots: int, source: str, clip: FrozenCLIP) -> Recipe:
    """The authors' settings of a method on a task, as `preset` has them."""
    return Recipe(METHODS[method], *preset(method, task, shots, source, clip))


def base_to_novel(
    clip: FrozenCLIP,
    datasets: Iterable[ClassificationDataset],
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: int = SHOTS,
) -> pd.DataFrame:
    """Tidy rows (method, dataset, seed, split, accuracy, seconds) of training on base and testing on novel classes.

    Settings are `preset`'s. `split` is "base", "novel" or "hm" (their harmonic mean), accuracies are percent, seconds
    are those of building, training and testing one cell. Raises ValueError for an unknown method.

    >>> base_to_novel(load_clip(), [open_dataset("zodiac")], ["zeroshot", "maple"], seeds=[1])
    """

    def cell(data: ClassificationDataset, method: str, seed: int) -> dict[str, float]:
        settings = recipe(method, "base-to-novel", shots, data.name, clip)
        return train_on_base(clip, data, settings, seed, shots)[1]

    return _sweep(datasets, methods, seeds, cell)


def few_shot_curve(
    clip: FrozenCLIP,
    datasets: Iterable[ClassificationDataset],
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: Sequence[int] = CURVE,
) -> pd.DataFrame:
    """Tidy rows (method, dataset, seed, split, accuracy, seconds, shots) of training and testing on all classes.

    `split` is "all". Settings as in `base_to_novel`; those that nobody published are derived (see `preset`).

    >>> few_shot_curve(load_clip(), [open_dataset("zodiac")], ["coop"], seeds=[1], shots=[1, 16])
    """
    datasets, frames = list(datasets), []
    for count in [shots] if isinstance(shots, int) else shots:

        def cell(data: ClassificationDataset, method: str, seed: int, count: int = count) -> dict[str, float]:
            settings = recipe(method, "few-shot", count, data.name, clip)
            return train_on_all(clip, data, {"all": data}, settings, seed, count)[1]

        frames.append(_sweep(datasets, methods, seeds, cell).assign(shots=count))
    if not frames:
        raise ValueError("nothing to run: name at least one number of shots.")
    return pd.concat(frames, ignore_index=True)


def cross_dataset(
    clip: FrozenCLIP,
    source: ClassificationDataset,
    targets: Iterable[ClassificationDataset],
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: int = SHOTS,
) -> pd.DataFrame:
    """Tidy rows (method, dataset, seed, split, accuracy, seconds) of training on all of `source`, testing elsewhere.

    `dataset` is the one trained on, `split` the one tested on: the source itself first, then the targets.

    >>> cross_dataset(load_clip(), open_dataset("objects"), [open_dataset("zodiac")], ["maple"], seeds=[1])
    """
    tests = {data.name: data for data in [source, *targets]}
    return _transfer("cross-dataset", clip, source, tests, methods, seeds, shots)


def domain_generalisation(
    clip: FrozenCLIP,
    source: ClassificationDataset,
    domains: Mapping[str, ClassificationDataset],
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
    shots: int = SHOTS,
) -> pd.DataFrame:
    """As `cross_dataset`, with other pictures of the source's own classes: `domains` names them, and `split` does.

    >>> sketch = open_dataset("objects", variant="sketch")
    >>> domain_generalisation(load_clip(), open_dataset("objects"), {"sketch": sketch}, ["maple"])
    """
    return _transfer("domain-generalisation", clip, source, {source.name: source, **domains}, methods, seeds, shots)


def train_on_base(
    clip: FrozenCLIP, data: ClassificationDataset, settings: Recipe, seed: int, shots: int
) -> tuple[PromptLearner, dict[str, float]]:
    """The learner trained on base classes, and its accuracies {"base", "novel", "hm"} in percent."""
    halves = base_and_novel_of(data)
    learner = trained(clip, halves["base"], settings.sample(halves["base"], shots, seed), settings, seed)
    return learner, with_harmonic_mean(settings.measure(clip, learner, halves))


def train_on_all(
    clip: FrozenCLIP,
    source: ClassificationDataset,
    tests: Mapping[str, ClassificationDataset],
    settings: Recipe,
    seed: int,
    shots: int,
) -> tuple[PromptLearner, dict[str, float]]:
    """The learner trained on all classes of `source`, and its accuracy in percent on each of `tests`."""
    learner = trained(clip, source, settings.sample(source, shots, seed), settings, seed)
    return learner, settings.measure(clip, learner, tests)


def base_and_novel_of(data: ClassificationDataset) -> dict[str, Any]:
    """{"base": ..., "novel": ...}: the dataset's first half of the classes, and the rest."""
    halves = base_and_novel(len(data.class_names))
    return {split: data.subset(half) for split, half in zip(("base", "novel"), halves, strict=True)}


def with_harmonic_mean(found: dict[str, float]) -> dict[str, float]:
    """Accuracies {"base", "novel"} in percent, and their harmonic mean "hm"."""
    return found | {"hm": harmonic_mean(found["base"], found["novel"])}


def trained(
    clip: FrozenCLIP, data: ClassificationDataset, train_set: ClassificationDataset, settings: Recipe, seed: int
) -> PromptLearner:
    """A learner for the classes of `data`, trained on `train_set`; zero-shot takes the data's template.

    Image features are cached for learners that leave the image tower alone, unless `train_set.augmented` says that its
    pictures change from one epoch to the next (photographs; drawn ones have no augmentation).
    """
    if settings.kind in UNTRAINED:
        return ZeroShot(templates=data.template)
    make: Any = settings.kind
    with seeded(derived_seed(seed)):
        learner: PromptLearner = make(clip, **settings.learner_kwargs)
    model = PromptedCLIP(clip, learner, data.class_names, settings.chunk)
    cache = not learner.vision_prompts() and not train_set.augmented
    fit(model, train_set, **{"seed": seed, "cache_features": cache, "bar": False} | settings.fit_kwargs)
    return learner


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row per (dataset, method) with "mean ± std" over the seeds of each split, and mean seconds per cell.

    The standard deviation is that of the sample (n - 1); a single seed has none.
    """
    cells = results.groupby(["dataset", "method", "split"], sort=False).accuracy.agg(["mean", "std"])
    text = [f"{row.mean_:.1f} ± {row.std_:.1f}" for row in cells.set_axis(["mean_", "std_"], axis=1).itertuples()]
    table = pd.Series(text, index=cells.index).unstack("split", sort=False)
    each = results.drop_duplicates(["dataset", "method", "seed"])
    seconds = each.groupby(["dataset", "method"], sort=False).seconds.mean()
    return table.assign(seconds=seconds.round(1)).reset_index()


def _transfer(
    task: str,
    clip: FrozenCLIP,
    source: ClassificationDataset,
    tests: Mapping[str, ClassificationDataset],
    methods: Sequence[str],
    seeds: Sequence[int],
    shots: int,
) -> pd.DataFrame:
    """The rows of `cross_dataset` and `domain_generalisation`."""

    def cell(data: ClassificationDataset, method: str, seed: int) -> dict[str, float]:
        return train_on_all(clip, data, tests, recipe(method, task, shots, data.name, clip), seed, shots)[1]

    return _sweep([source], methods, seeds, cell)


def _sweep(
    datasets: Iterable[ClassificationDataset],
    methods: Sequence[str],
    seeds: Sequence[int],
    cell: Callable[[ClassificationDataset, str, int], dict[str, float]],
) -> pd.DataFrame:
    """Tidy rows of `cell(data, method, seed)`, which gives {split: accuracy}, for every combination."""
    methods = [methods] if isinstance(methods, str) else list(methods)
    for method in methods:
        require_name("method", method, METHODS)
    datasets = list(datasets)
    if not all(isinstance(data, ClassificationDataset) for data in datasets):
        raise ValueError(f"datasets must be a list of datasets, such as [open_dataset('zodiac')], got {datasets}.")
    rows = []
    for data, method, seed in ((data, method, seed) for data in datasets for method in methods for seed in seeds):
        start = time.perf_counter()
        found = cell(data, method, seed)
        seconds = time.perf_counter() - start
        rows += [(method, data.name, seed, split, value, seconds) for split, value in found.items()]
    if not rows:
        raise ValueError("nothing to run: name at least one dataset, method and seed.")
    return pd.DataFrame(rows, columns=["method", "dataset", "seed", "split", "accuracy", "seconds"])
