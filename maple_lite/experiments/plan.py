"""A plan: all that a run of the papers' protocol will do, decided in one place before anything is trained."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from maple_lite.clip import FrozenCLIP
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.presets import SHOTS, TASKS, is_published, preset
from maple_lite.protocol import ClassificationDataset, base_and_novel
from maple_lite.support.names import require_count, require_name

TRANSFER = ("cross-dataset", "domain-generalisation")
NEEDED = ("epochs", "lr", "batch_size")  # settings of `fit` that have no default
SENTENCE = "sentence"  # a setting of learners that need the zero-shot sentence of the dataset
PUBLISHED, DERIVED, GIVEN = "as published", "derived, unpublished", "given by you"
Targets = Iterable[ClassificationDataset] | Mapping[str, ClassificationDataset]


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What a run will do: which learner is trained on what, with which settings, and tested on what.

    `make_plan` decides it, `print` shows it, `execute` runs it; `vary` makes another one of it. `kind` is the class
    of the learner, `learner_kwargs` are its constructor's arguments and `fit_kwargs` those of `fit`. `origin` says
    where they come from, and `given` names those that the user gave instead.
    """

    kind: type[PromptLearner]
    task: str
    clip: FrozenCLIP
    data: ClassificationDataset
    tests: Mapping[str, ClassificationDataset]
    shots: int
    seed: int
    learner_kwargs: Mapping[str, Any]
    fit_kwargs: Mapping[str, Any]
    origin: str = GIVEN
    given: tuple[str, ...] = ()
    precision: str = "fp32"
    chunk: int | None = None

    @property
    def method(self) -> str:
        """The name of the learner in tables."""
        return name_method(self.kind)

    @property
    def train_data(self) -> ClassificationDataset:
        """The dataset whose training pictures and class names are learned from: the base half in base-to-novel."""
        return self.tests["base"] if self.task == TASKS[0] else self.data

    def vary(
        self,
        kind: type[PromptLearner] | None = None,
        learner_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
    ) -> Plan:
        """This plan with another class of learner, or with other settings; ValueError for a setting it does not have.

        >>> plan = make_plan("maple", data, clip)
        >>> plan.vary(learner_kwargs={"depth": 3}, fit_kwargs={"epochs": 10})
        """
        kind, learner_kwargs, fit_kwargs = kind or self.kind, dict(learner_kwargs or {}), dict(fit_kwargs or {})
        for name in learner_kwargs:
            _require_setting(kind, name)
        for name in ("seed", "precision", "checkpoint", "bar"):
            if name in fit_kwargs:
                raise ValueError(f"{name} is an argument of its own, and not one of fit_kwargs.")
        return replace(
            self,
            kind=kind,
            learner_kwargs={**self.learner_kwargs, **learner_kwargs},
            fit_kwargs={**self.fit_kwargs, **fit_kwargs},
            given=tuple(dict.fromkeys([*self.given, *learner_kwargs, *fit_kwargs])),
        )

    def __repr__(self) -> str:
        """Three lines: what is run, with which settings and whose they are, and what it is tested on."""
        settings = {**self.learner_kwargs, **self.fit_kwargs}
        but = f", but for {', '.join(self.given)}" if self.given and self.origin != GIVEN else ""
        shown = ", ".join(f"{name} {getattr(value, '__name__', value)}" for name, value in settings.items())
        return (
            f"{self.method} on {self.data.name}: {self.task}, {self.shots} shots, seed {self.seed}, "
            f"{self.precision} on {name_device(self.clip.device)}\n"
            f"settings ({self.origin}{but}): {shown or 'none'}\n"
            f"tested on: {', '.join(self.tests)}"
        )


def make_plan(
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
    learner_kwargs: Mapping[str, Any] | None = None,
    fit_kwargs: Mapping[str, Any] | None = None,
) -> Plan:
    """The Plan of one run; the arguments are those of `train`. Nothing is trained, and no picture is read.

    A class of learners whose constructor has a setting `sentence` gets the zero-shot sentence of `data` for it.
    Raises ValueError for a method, task, setting, seed or target that cannot be.

    >>> plan = make_plan("maple", open_dataset("sea", clip=clip), clip)
    >>> print(plan)
    >>> run = execute(plan)
    """
    kind, ancestor = find_learner(method)
    require_name("task", task, TASKS)
    if not isinstance(data, ClassificationDataset):
        raise ValueError(f"data must be a dataset such as open_dataset('sea'), got {data!r}.")
    shots, seed = require_count("shots", shots), require_count("seed", seed, 0)
    defaults, settings = preset(ancestor, task, shots, None if data.own else data.name, clip) if ancestor else ({}, {})
    takes = list_settings(kind)
    if SENTENCE in (takes or ()):
        defaults = {SENTENCE: data.template, **defaults}
    plan = Plan(
        kind,
        task,
        clip,
        data,
        choose_tests(task, data, targets),
        shots,
        seed,
        {name: value for name, value in defaults.items() if takes is None or name in takes},
        settings,
        origin=_find_origin(kind, ancestor, task, shots),
        precision=precision,
        chunk=chunk,
    ).vary(None, learner_kwargs, fit_kwargs)
    missing = [name for name in NEEDED if name not in plan.fit_kwargs]
    if missing and ancestor is None:
        raise ValueError(
            f"{kind.__name__} has no published settings: give fit_kwargs with {', '.join(NEEDED)}; "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
        )
    return plan


def find_learner(method: str | type[PromptLearner]) -> tuple[type[PromptLearner], str | None]:
    """(class of learners, name of the method whose settings it takes) of a name of METHODS, or a class of your own.

    A class of your own takes the settings of its nearest ancestor in METHODS; None if there is no such ancestor.
    """
    if not isinstance(method, type):
        return METHODS[require_name("method", method, METHODS)], method
    if not issubclass(method, PromptLearner):
        raise ValueError(f"{method.__name__} is no class of learners: make it a subclass of PromptLearner.")
    names = {kind: name for name, kind in METHODS.items()}
    return method, next((names[parent] for parent in method.__mro__ if parent in names), None)


def name_method(kind: type[PromptLearner]) -> str:
    """The name of a class of learners in tables: that of METHODS, or the name of a class of your own."""
    return next((name for name, known in METHODS.items() if known is kind), kind.__name__)


def choose_tests(task: str, data: ClassificationDataset, targets: Targets = ()) -> dict[str, ClassificationDataset]:
    """The test sets of a task by name; ValueError for targets if a task has none, or for two of one name."""
    pairs = list(targets.items()) if isinstance(targets, Mapping) else [(target.name, target) for target in targets]
    if task in TRANSFER:
        return {data.name: data, **dict(pairs)}
    if pairs:
        raise ValueError(f"{task} is tested on its own dataset: leave the targets out, or choose {TRANSFER[0]}.")
    if task != TASKS[0]:
        return {"all": data}
    halves = base_and_novel(len(data.class_names))
    return {split: data.subset(half) for split, half in zip(("base", "novel"), halves, strict=True)}


def list_settings(kind: type[PromptLearner]) -> list[str] | None:
    """The settings that the constructor of a class of learners takes; None if it takes any name.

    Neither the CLIP nor zero-shot CLIP's templates are settings: the template of every dataset is the dataset's own.
    """
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # without self
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return [each.name for each in parameters if each.name not in ("clip", "templates")]


def name_device(device: torch.device) -> str:
    """The name of the GPU, or "CPU"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def _require_setting(kind: type[PromptLearner], name: str) -> None:
    """ValueError unless a class of learners has a setting of that name."""
    takes, method = list_settings(kind), name_method(kind)
    if takes == []:
        raise ValueError(f"{method} has no settings, got {name}: leave it out.")
    if takes is not None:
        require_name(f"setting of {method}", name, takes)


def _find_origin(kind: type[PromptLearner], ancestor: str | None, task: str, shots: int) -> str:
    """Where the settings of a plan come from, in words."""
    if ancestor is None:
        return GIVEN
    if kind is not METHODS[ancestor]:
        return f"derived from those of {ancestor}"
    return PUBLISHED if is_published(ancestor, task, shots) else DERIVED
