"""Running a plan: make the learner, train it on the authors' sample, test it, and set the papers' numbers beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from maple_lite.clip import FrozenCLIP
from maple_lite.evaluation import accuracy
from maple_lite.experiments.plan import Plan, Targets, choose_tests, make_plan, name_method
from maple_lite.experiments.published import find_published
from maple_lite.learners import PromptLearner
from maple_lite.presets import SHOTS, TASKS
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import ClassificationDataset, harmonic_mean
from maple_lite.support.names import require_name
from maple_lite.support.seeds import derived_seed, seeded
from maple_lite.training import fit


class Run(NamedTuple):
    """What a run gives.

    `results` has a row (method, dataset, seed, shots, split, accuracy in percent) per test set, `published` the papers'
    (split, accuracy), means over three seeds; it has no rows if they print none.
    """

    learner: PromptLearner
    results: pd.DataFrame
    published: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """A row (split, accuracy, paper) per test set; `paper` is NaN if nothing was printed."""
        paper = self.published.rename(columns={"accuracy": "paper"})
        return self.results[["split", "accuracy"]].merge(paper, on="split", how="left")


def train(
    method: str | type[PromptLearner],
    data: ClassificationDataset,
    clip: FrozenCLIP,
    task: str = TASKS[0],
    *,
    shots: int = SHOTS,
    seed: int = 1,
    targets: Targets = (),
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
    `method` is a name of METHODS, or a class of your own: a subclass of PromptLearner. Settings are those of `preset`,
    unless `learner_kwargs` and `fit_kwargs` replace them. A class of your own takes those of its nearest ancestor in
    METHODS, as far as its constructor has them; without such an ancestor `fit_kwargs` must have epochs, lr and
    batch_size. `chunk` bounds the memory of many classes (see PromptedCLIP), `precision` and `checkpoint` are those of
    `fit`. Raises ValueError for unknown names, settings and samples that cannot be, RuntimeError when memory runs out.

    >>> run = train("maple", open_dataset("sea", clip=clip), clip, seed=1)
    >>> run.table.columns.tolist()
    ['split', 'accuracy', 'paper']
    """
    how: dict[str, Any] = dict(shots=shots, seed=seed, targets=targets, precision=precision, chunk=chunk)
    plan = make_plan(method, data, clip, task, **how, learner_kwargs=learner_kwargs, fit_kwargs=fit_kwargs)
    return execute(plan, checkpoint=checkpoint, bar=bar)


def execute(plan: Plan, *, checkpoint: str | Path | None = None, bar: bool = True) -> Run:
    """The Run of a plan; `checkpoint` and `bar` are those of `fit`."""
    learner = train_learner(plan, checkpoint=checkpoint, bar=bar)
    found = _measure(learner, plan.clip, plan.task, plan.tests, plan.precision, plan.chunk)
    return _as_run(learner, plan.data, plan.task, found, seed=plan.seed, shots=plan.shots)


def evaluate(
    learner: PromptLearner,
    data: ClassificationDataset,
    clip: FrozenCLIP,
    task: str = TASKS[0],
    *,
    targets: Targets = (),
    precision: str = "fp32",
    chunk: int | None = None,
) -> Run:
    """The Run of a learner that is trained already: its accuracy on the test sets of a task, as `train` tests it.

    >>> evaluate(load_learner("maple.safetensors", clip), data, clip).table
    """
    tests = choose_tests(require_name("task", task, TASKS), data, targets)
    return _as_run(learner, data, task, _measure(learner, clip, task, tests, precision, chunk))


def make_learner(plan: Plan) -> PromptLearner:
    """The learner of a plan before its training, the same bits at every call."""
    make: Any = plan.kind
    with seeded(derived_seed(plan.seed)):
        learner: PromptLearner = make(plan.clip, **plan.learner_kwargs)
    return learner.for_template(plan.data.template)


def train_learner(plan: Plan, *, checkpoint: str | Path | None = None, bar: bool = True) -> PromptLearner:
    """The learner of a plan, trained; zero-shot CLIP, which has no parameters, is ready as it is.

    Image features are cached if the learner leaves the image tower alone and the training pictures do not change from
    one epoch to the next.
    """
    learner, data = make_learner(plan), plan.train_data
    if not any(True for _ in learner.parameters()):
        return learner
    sample = data.train(plan.shots, plan.seed)
    model = PromptedCLIP(plan.clip, learner, data.class_names, plan.chunk)
    cache = not learner.vision_prompts() and not sample.augmented
    how: dict[str, Any] = dict(seed=plan.seed, precision=plan.precision, cache_features=cache)
    fit(model, sample, **{**how, **plan.fit_kwargs}, checkpoint=checkpoint, bar=bar)
    return learner


def _measure(
    learner: PromptLearner,
    clip: FrozenCLIP,
    task: str,
    tests: Mapping[str, ClassificationDataset],
    precision: str,
    chunk: int | None,
) -> dict[str, float]:
    """Accuracies {test set: percent}, and in base-to-novel their harmonic mean "hm"."""
    found = {}
    for split, data in tests.items():
        model = PromptedCLIP(clip, learner.for_template(data.template), data.class_names, chunk)
        found[split] = accuracy(model, data.test(), precision=precision)
    return found | {"hm": harmonic_mean(found["base"], found["novel"])} if task == TASKS[0] else found


def _as_run(
    learner: PromptLearner, data: ClassificationDataset, task: str, found: Mapping[str, float], **columns: int
) -> Run:
    """The Run of accuracies by split; a user's own pictures have no published row, whatever they are called."""
    method = name_method(type(learner))
    rows = pd.DataFrame({"split": list(found), "accuracy": list(found.values())})
    about: dict[str, Any] = {"method": method, "dataset": data.name, **columns}
    rows = rows.assign(**about)[[*about, *rows.columns]]
    return Run(learner, rows, find_published(method, "" if data.own else data.name, task))
