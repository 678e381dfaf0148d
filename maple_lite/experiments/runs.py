"""A run of the papers' protocol: sample, preset, training and tests of one method on one dataset, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from maple_lite.clip import FrozenCLIP
from maple_lite.experiments.published import published
from maple_lite.experiments.tasks import (
    Recipe,
    base_and_novel_of,
    recipe,
    train_on_all,
    train_on_base,
    with_harmonic_mean,
)
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.presets import SHOTS, TASKS
from maple_lite.protocol import ClassificationDataset
from maple_lite.support.names import require_count, require_name

TRANSFER = ("cross-dataset", "domain-generalisation")


class Run(NamedTuple):
    """What a run gives.

    `results` has a row (method, dataset, seed, shots, split, accuracy in percent) per test set, `published` the papers'
    (split, accuracy), means over three seeds; without rows where they print none.
    """

    learner: PromptLearner
    results: pd.DataFrame
    published: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """A row (split, accuracy, paper) per test set; `paper` is NaN where nothing was printed."""
        paper = self.published.rename(columns={"accuracy": "paper"})
        return self.results[["split", "accuracy"]].merge(paper, on="split", how="left")


def train(
    method: str,
    data: ClassificationDataset,
    clip: FrozenCLIP,
    task: str = "base-to-novel",
    *,
    shots: int = SHOTS,
    seed: int = 1,
    targets: Iterable[ClassificationDataset] | Mapping[str, ClassificationDataset] = (),
    precision: str = "fp32",
    chunk: int | None = None,
    checkpoint: str | Path | None = None,
    learner_kwargs: Mapping[str, Any] | None = None,
    fit_kwargs: Mapping[str, Any] | None = None,
    bar: bool = True,
) -> Run:
    """The Run of a method on a dataset: the authors' sample and settings, training, and accuracy beside the paper's.

    Base-to-novel trains on the first half of the classes and tests on both; "few-shot" trains and tests on all;
    "cross-dataset" and "domain-generalisation" train on all and test on `targets`, too (a mapping names them).
    Settings are those of `preset`, as far as `learner_kwargs` and `fit_kwargs` do not replace them. `chunk` bounds the
    memory of many classes (see PromptedCLIP), `precision` and `checkpoint` are those of `fit`.
    Raises ValueError for unknown names, settings and samples that cannot be, RuntimeError when memory runs out.

    >>> clip = load_clip("ViT-B-16-quickgelu", "openai")
    >>> run = train("maple", open_dataset("eurosat", "datasets", clip), clip, seed=1)
    >>> run.table       # a row (split, accuracy, paper) for base, novel and hm
    """
    require_name("method", method, METHODS)
    settings = recipe(method, task, shots, data.name, clip)
    others = dict(precision=precision, checkpoint=checkpoint, bar=bar)
    settings = settings._replace(
        learner_kwargs=settings.learner_kwargs | dict(learner_kwargs or {}),
        fit_kwargs=settings.fit_kwargs | others | dict(fit_kwargs or {}),
        chunk=chunk,
    )
    seed, tests = require_count("seed", seed, 0), sets_to_test(task, data, targets)
    if task == "base-to-novel":
        learner, found = train_on_base(clip, data, settings, seed, shots)
    else:
        learner, found = train_on_all(clip, data, tests, settings, seed, shots)
    return _run(method, data, task, learner, found, seed=seed, shots=shots)


def evaluate(
    learner: PromptLearner,
    data: ClassificationDataset,
    clip: FrozenCLIP,
    task: str = "base-to-novel",
    *,
    targets: Iterable[ClassificationDataset] | Mapping[str, ClassificationDataset] = (),
    precision: str = "fp32",
    chunk: int | None = None,
) -> Run:
    """The Run of a learner that is trained already: its accuracy on the test sets of a task, as `train` tests it.

    >>> evaluate(load_learner("maple.safetensors", clip), data, clip).table
    """
    require_name("task", task, TASKS)
    settings = Recipe(type(learner), {}, {"precision": precision}, chunk)
    found = settings.measure(clip, learner, sets_to_test(task, data, targets))
    if task == "base-to-novel":
        found = with_harmonic_mean(found)
    method = next((name for name, kind in METHODS.items() if kind is type(learner)), type(learner).__name__)
    return _run(method, data, task, learner, found)


def sets_to_test(
    task: str,
    data: ClassificationDataset,
    targets: Iterable[ClassificationDataset] | Mapping[str, ClassificationDataset],
) -> dict[str, ClassificationDataset]:
    """The test sets of a task by name; ValueError for targets where a task has none, or two of one name."""
    named = dict(targets) if isinstance(targets, Mapping) else {target.name: target for target in list(targets)}
    if task in TRANSFER:
        return {data.name: data, **named}
    if named:
        raise ValueError(f"{task} is tested on its own dataset: leave the targets out, or choose {TRANSFER[0]}.")
    return base_and_novel_of(data) if task == "base-to-novel" else {"all": data}


def _run(
    method: str,
    data: ClassificationDataset,
    task: str,
    learner: PromptLearner,
    found: Mapping[str, float],
    **columns: int,
) -> Run:
    """The Run of accuracies by split; a user's own pictures have no published row, whatever they are called."""
    rows = pd.DataFrame({"split": list(found), "accuracy": list(found.values())})
    about: dict[str, Any] = {"method": method, "dataset": data.name, **columns}
    rows = rows.assign(**about)[[*about, *rows.columns]]
    return Run(learner, rows, published(method, "" if data.own else data.name, task))
