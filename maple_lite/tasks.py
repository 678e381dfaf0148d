"""The papers' tasks as functions that return tidy frames: base-to-novel generalisation."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import pandas as pd
from torch.utils.data import Dataset

from maple_lite.clip import FrozenCLIP
from maple_lite.evaluation import accuracy
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.names import require_name
from maple_lite.presets import SHOTS, preset
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import base_and_novel, harmonic_mean
from maple_lite.seeds import derived_seed, seeded
from maple_lite.training import fit


class Task(Protocol):
    """What a dataset must offer to be a task: its names, its zero-shot template, samples and splits."""

    @property
    def name(self) -> str:
        """The dataset's name."""
        ...

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the labels."""
        ...

    @property
    def template(self) -> str:
        """The zero-shot sentence, with one {} for the class name."""
        ...

    def train(self, shots: int, seed: int) -> Any:
        """`shots` training images per class."""
        ...

    def test(self) -> Any:
        """The test images."""
        ...

    def subset(self, class_ids: Iterable[int]) -> Any:
        """The images of some classes, relabelled from 0."""
        ...


def base_to_novel(
    clip: FrozenCLIP,
    datasets: Iterable[Task],
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = (1, 2, 3),
    shots: int = SHOTS,
) -> pd.DataFrame:
    """Tidy rows (method, dataset, seed, split, accuracy, seconds) of training on base and testing on novel classes.

    Settings are `preset`'s. `split` is "base", "novel" or "hm" (their harmonic mean), accuracies are percent, seconds
    are those of building, training and testing one cell. Raises ValueError for an unknown method.

    >>> base_to_novel(load_clip(), [drawn("zodiac")], ["zeroshot", "maple"], seeds=[1])
    """
    methods = [methods] if isinstance(methods, str) else list(methods)
    for method in methods:
        require_name("method", method, METHODS)
    datasets = list(datasets)
    if any(not hasattr(data, "class_names") for data in datasets):
        raise ValueError(f"datasets must be datasets such as drawn('zodiac'), got {datasets}.")
    cells = [(data, method, seed) for data in datasets for method in methods for seed in seeds]
    if not cells:
        raise ValueError("nothing to run: name at least one dataset, method and seed.")
    return pd.concat([base_to_novel_cell(clip, *cell, shots=shots) for cell in cells], ignore_index=True)


def base_to_novel_cell(clip: FrozenCLIP, data: Task, method: str, seed: int, shots: int = SHOTS) -> pd.DataFrame:
    """The three rows of `base_to_novel` for one dataset, method and seed."""
    start = time.perf_counter()
    base, novel = (data.subset(half) for half in base_and_novel(len(data.class_names)))
    learner_kwargs, fit_kwargs = preset(method, "base-to-novel", shots, data.name, clip)
    learner = trained(clip, method, base, base.train(shots, seed), seed, learner_kwargs, fit_kwargs)
    rows = {}
    for split, half in (("base", base), ("novel", novel)):
        rows[split] = accuracy(PromptedCLIP(clip, learner, half.class_names), half.test())
    rows["hm"] = harmonic_mean(rows["base"], rows["novel"])
    seconds = time.perf_counter() - start
    return pd.DataFrame(
        [(method, data.name, seed, split, value, seconds) for split, value in rows.items()],
        columns=["method", "dataset", "seed", "split", "accuracy", "seconds"],
    )


def trained(
    clip: FrozenCLIP,
    method: str,
    data: Task,
    train_set: Dataset,
    seed: int,
    learner_kwargs: dict[str, Any],
    fit_kwargs: dict[str, Any],
) -> PromptLearner:
    """A learner of `method` for the classes of `data`, trained on `train_set`; zero-shot takes the data's template.

    Image features are cached for learners that leave the image tower alone: drawn pictures have no augmentation.
    """
    if method == "zeroshot":
        return PromptLearner(data.template)
    with seeded(derived_seed(seed)):
        learner: PromptLearner = METHODS[method](clip, **learner_kwargs)  # type: ignore[arg-type]
    model = PromptedCLIP(clip, learner, data.class_names)
    fit(model, train_set, **fit_kwargs, seed=seed, cache_features=not learner.vision_prompts(), bar=False)
    return learner


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row per (dataset, method) with "mean ± std" over the seeds of each split, and mean seconds per cell.

    The standard deviation is that of the sample (n - 1); a single seed has none.
    """
    cells = results.groupby(["dataset", "method", "split"], sort=False).accuracy.agg(["mean", "std"])
    text = [f"{row.mean_:.1f} ± {row.std_:.1f}" for row in cells.set_axis(["mean_", "std_"], axis=1).itertuples()]
    table = pd.Series(text, index=cells.index).unstack("split", sort=False)
    seconds = results[results.split == "base"].groupby(["dataset", "method"], sort=False).seconds.mean()
    return table.assign(seconds=seconds.round(1)).reset_index()
