"""The cells of the evaluation: what one is, which there are, and computing one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from sklearn.linear_model import LogisticRegression

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import DRAWN, HANDWRITTEN, VARIANTS, ClassificationDataset, open_dataset
from maple_lite.experiments.ablations import PRESET, Variant, coop_variants, maple_variants, varied
from maple_lite.experiments.tasks import CURVE, SEEDS, Recipe, recipe, train_on_all, train_on_base
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import base_and_novel
from maple_lite.support.names import require_count, require_name
from maple_lite.training import image_features

TASKS = ("base_to_novel", "ablations", "few_shot", "transfer")
PROBE = "probe"  # a linear probe of the image features, beside the seven learners in few-shot curves
SOURCE = "objects"  # of transfer
SMALL = ("zodiac", "chess", "digits")  # the three datasets with the fewest classes: those of curves and ablations


@dataclass(frozen=True)
class Cell:
    """One training and its tests: a row group of the table of `task`."""

    task: str
    dataset: str
    method: str
    variant: str
    seed: int
    shots: int


@dataclass(frozen=True)
class Where:
    """The CLIP of a run, its device, and the threads of one process."""

    model: str = "tiny"
    pretrained: str | None = None
    device: str = "cpu"
    threads: int = 1


class Finished(NamedTuple):
    """What a cell gives: its accuracies {split: percent}, what was measured beside them, and the learner."""

    cell: Cell
    accuracies: dict[str, float]
    measured: dict[str, Any]
    learner: PromptLearner | None


def cells(
    task: str,
    clip: FrozenCLIP,
    datasets: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] = SEEDS,
    shots: Sequence[int] | None = None,
) -> list[Cell]:
    """The cells of a task, seed after seed, the longest first within a seed; None takes the paper's choice.

    Raises ValueError for an unknown task, dataset or method, one that the task has not, and for counts below 1.
    """
    require_name("task", task, TASKS)
    known = (SOURCE,) if task == "transfer" else DRAWN
    usual = SMALL if task in ("ablations", "few_shot") else known
    learners = {"few_shot": [*METHODS, PROBE], "ablations": ["maple"]}.get(task, [*METHODS])
    datasets = [require_name(f"dataset of {task}", name, known) for name in datasets or usual]
    methods = [require_name(f"method of {task}", name, learners) for name in methods or learners]
    found = [
        Cell(task, dataset, method, variant, require_count("seed", seed, 0), require_count("shots", k))
        for dataset in datasets
        for method in methods
        for variant in _variants(task, method, clip)
        for k in shots or (CURVE if task == "few_shot" else (SHOTS,))
        for seed in seeds
    ]
    return sorted(dict.fromkeys(found), key=lambda cell: (cell.seed, -effort(cell, clip)))


def compute(cell: Cell, where: Where) -> Finished:
    """The result of one cell, in a process of `where.threads` threads."""
    torch.set_num_threads(where.threads)
    clip = clip_at(where.model, where.pretrained, where.device)
    data = open_dataset(cell.dataset, clip=clip)
    start, start_cpu = time.perf_counter(), time.process_time()
    if cell.method == PROBE:
        learner, accuracies = None, {"all": probe_accuracy(clip, data, cell.seed, cell.shots)}
    else:
        learner, accuracies = _train(cell, clip, data)
    measured = dict(
        seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - start_cpu,
        parameters=sum(weight.numel() for weight in learner.parameters()) if learner else None,
        config=config(cell, clip),
    )
    return Finished(cell, accuracies, measured, learner if learner and type(learner) in METHODS.values() else None)


@lru_cache(maxsize=1)
def clip_at(model: str, pretrained: str | None, device: str) -> FrozenCLIP:
    """The CLIP of a run, loaded once per process."""
    return load_clip(model, pretrained, device)


def config(cell: Cell, clip: FrozenCLIP) -> str:
    """Eight hexadecimal digits of all settings of a cell."""
    settings = None if cell.method == PROBE else _recipe(cell, clip)
    content = [asdict(cell), settings and [settings.kind.__name__, settings.learner_kwargs, settings.fit_kwargs]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def effort(cell: Cell, clip: FrozenCLIP) -> float:
    """About how long a cell takes, in sentences and pictures that it encodes: for the order of work and time left."""
    classes = len(open_dataset(cell.dataset, clip=clip).class_names)
    tested = 50 * classes * (1 + 11 * (cell.task == "transfer"))
    if cell.method in ("zeroshot", PROBE):
        return tested
    settings = _recipe(cell, clip)
    taught = classes if cell.task in ("few_shot", "transfer") else len(base_and_novel(classes)[0])
    batch, towers = settings.fit_kwargs["batch_size"], settings.kind.towers
    steps = settings.fit_kwargs["epochs"] * taught * cell.shots / batch
    texts = taught * (batch if settings.kind.needs_image else 1)
    return tested * (classes if settings.kind.needs_image else 1) + steps * (texts + 4 * batch * ("vision" in towers))


def probe_accuracy(clip: FrozenCLIP, data: ClassificationDataset, seed: int, shots: int) -> float:
    """Percent of the test images named rightly by logistic regression on the frozen image features of the shots."""
    model = PromptedCLIP(clip, PromptLearner(data.template), data.class_names)
    train, test = (image_features(model, part).tensors for part in (data.train(shots, seed), data.test()))
    probe = LogisticRegression(C=100, max_iter=1000).fit(train[0].numpy(), train[1].numpy())
    return 100 * float(probe.score(test[0].numpy(), test[1].numpy()))


def _variants(task: str, method: str, clip: FrozenCLIP) -> list[str]:
    """The names of the variants of a method in a task, the preset first."""
    if task == "ablations":
        return [PRESET, *maple_variants(clip)]
    return [PRESET, *(coop_variants(1) if task == "few_shot" and method == "coop" else ())]


def _recipe(cell: Cell, clip: FrozenCLIP) -> Recipe:
    """How the learner of a cell is made and trained."""
    task = {"ablations": "base-to-novel", "transfer": "cross-dataset"}.get(cell.task, cell.task.replace("_", "-"))
    if cell.variant == PRESET:
        return recipe(cell.method, task, cell.shots, cell.dataset, clip)
    return varied(_variant(cell, clip), task, cell.shots, cell.dataset, clip)


def _variant(cell: Cell, clip: FrozenCLIP) -> Variant:
    """The variant that a cell names."""
    classes = len(open_dataset(cell.dataset, clip=clip).class_names)
    known = maple_variants(clip) if cell.task == "ablations" else coop_variants(classes)
    return known[require_name("variant", cell.variant, known)]


def _train(cell: Cell, clip: FrozenCLIP, data: ClassificationDataset) -> tuple[PromptLearner, dict[str, float]]:
    """The trained learner of a cell and its accuracies."""
    settings = _recipe(cell, clip)
    if cell.task in ("base_to_novel", "ablations"):
        changed = FrozenCLIP if cell.variant == PRESET else _variant(cell, clip).clip
        clip = clip if changed is FrozenCLIP else changed(clip.model)
        return train_on_base(clip, data, settings, cell.seed, cell.shots)
    tests = {"all": data} if cell.task == "few_shot" else _targets(clip)
    return train_on_all(clip, data, tests, settings, cell.seed, cell.shots)


def _targets(clip: FrozenCLIP) -> dict[str, ClassificationDataset]:
    """The test sets of transfer by name: the source, the ten others, handwritten digits, and the source's variants."""
    sets = {name: open_dataset(name, clip=clip) for name in [*DRAWN, HANDWRITTEN]}
    return sets | {f"{SOURCE} {variant}": open_dataset(SOURCE, clip=clip, variant=variant) for variant in VARIANTS}
