"""The cells of the evaluation's tables: what one is, which there are, which plan it is, and computing it."""

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
from maple_lite.experiments.ablations import PRESET, Variant, cocoop_variants, coop_variants, maple_variants
from maple_lite.experiments.plan import Plan, make_plan
from maple_lite.experiments.rivals import RIVALS, train_rival
from maple_lite.experiments.run import execute
from maple_lite.experiments.tasks import CURVE, SEEDS
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.files import file_stem
from maple_lite.support.names import require_count, require_name
from maple_lite.support.version import class_version
from maple_lite.training import image_features

TABLES = {
    "base-to-novel": "base-to-novel",
    "ablations": "base-to-novel",
    "few-shot": "few-shot",
    "transfer": "cross-dataset",
}
"""The tables of the evaluation, and the task of each one's plans. Transfer is tested on other domains, too."""
PROBE = "probe"  # a linear probe of the image features
CLASSIFIERS = (PROBE, *RIVALS)  # of image features, beside the learners in few-shot curves: they know no other classes
SOURCE = "objects"  # of transfer
SMALL = ("sea", "plants", "fruits")  # the three datasets with the fewest classes: those of curves and ablations


@dataclass(frozen=True)
class Cell:
    """One training and its tests: a row group of a table."""

    table: str
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
    """What a cell gives: its accuracies {split: percent}, what was measured beside them, and an unchanged learner."""

    cell: Cell
    accuracies: dict[str, float]
    measured: dict[str, Any]
    learner: PromptLearner | None


def list_cells(
    table: str,
    clip: FrozenCLIP,
    datasets: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] = SEEDS,
    shots: Sequence[int] | None = None,
) -> list[Cell]:
    """The cells of a table, seed after seed, the longest first within a seed; None takes the papers' choice.

    Raises ValueError for an unknown table, for a dataset or method that the table does not have, and for counts below
    1.
    """
    require_name("table", table, TABLES)
    known = (SOURCE,) if table == "transfer" else DRAWN
    usual = SMALL if table in ("ablations", "few-shot") else known
    learners = {"few-shot": [*METHODS, *CLASSIFIERS], "ablations": ["maple", "cocoop"]}.get(table, [*METHODS])
    datasets = [require_name(f"dataset of {table}", name, known) for name in datasets or usual]
    methods = [require_name(f"method of {table}", name, learners) for name in methods or learners]
    found = [
        Cell(table, dataset, method, variant, require_count("seed", seed, 0), require_count("shots", k))
        for dataset in datasets
        for method in methods
        for variant in _variants(table, method, clip)
        for k in shots or (CURVE if table == "few-shot" else (SHOTS,))
        for seed in seeds
    ]
    return sorted(dict.fromkeys(found), key=lambda cell: (cell.seed, -estimate_effort(cell, clip)))


def plan_cell(cell: Cell, clip: FrozenCLIP) -> Plan:
    """The plan of a cell: its method's on its dataset, changed by its variant; classifiers have zero-shot CLIP's."""
    data, task = open_dataset(cell.dataset, clip=clip), TABLES[cell.table]
    method = "zeroshot" if cell.method in CLASSIFIERS else cell.method
    targets = _targets(clip) if cell.table == "transfer" else {}
    plan = make_plan(method, data, clip, task, shots=cell.shots, seed=cell.seed, targets=targets)
    return plan if cell.variant == PRESET else _variant(cell, plan).apply(plan)


def compute_cell(cell: Cell, where: Where) -> Finished:
    """The result of one cell, in a process of `where.threads` threads."""
    torch.set_num_threads(where.threads)
    clip = clip_at(where.model, where.pretrained, where.device)
    start, start_cpu = time.perf_counter(), time.process_time()
    plan, learner = plan_cell(cell, clip), None
    if cell.method == PROBE:
        accuracies = {"all": probe_accuracy(clip, plan.data, cell.seed, cell.shots)}
    elif cell.method in RIVALS:
        rival = train_rival(cell.method, plan.data, clip, cell.shots, cell.seed)
        accuracies = {"all": rival.accuracy(plan.data.test())}
    else:
        learner, results, _ = execute(plan, bar=False)
        accuracies = dict(zip(results.split, results.accuracy, strict=True))
    measured = dict(
        seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - start_cpu,
        parameters=sum(weight.numel() for weight in learner.parameters()) if learner else None,
        config=digest_settings(cell, clip),
    )
    return Finished(cell, accuracies, measured, learner if cell.variant == PRESET else None)


@lru_cache(maxsize=1)
def clip_at(model: str, pretrained: str | None, device: str) -> FrozenCLIP:
    """The CLIP of a run, loaded once per process."""
    return load_clip(model, pretrained, device)


def digest_settings(cell: Cell, clip: FrozenCLIP) -> str:
    """Eight hexadecimal digits of all settings of a cell, the code of its learner among them."""
    plan, about = plan_cell(cell, clip), {"task": file_stem(cell.table), **asdict(cell)}
    del about["table"]
    learner = [plan.kind.__name__, class_version(plan.kind), plan.learner_kwargs, plan.fit_kwargs]
    settings = None if cell.method in CLASSIFIERS else learner
    return hashlib.sha256(json.dumps([about, settings], sort_keys=True).encode()).hexdigest()[:8]


def estimate_effort(cell: Cell, clip: FrozenCLIP) -> float:
    """About how long a cell takes, in sentences and pictures that it encodes: for the order of work and time left."""
    plan = plan_cell(cell, clip)
    classes, taught = len(plan.data.class_names), len(plan.train_data.class_names)
    tested = 50 * classes * (12 if cell.table == "transfer" else 1)
    batch, kind = plan.fit_kwargs.get("batch_size", 1), plan.kind
    steps = plan.fit_kwargs.get("epochs", 0) * taught * cell.shots / batch
    texts = taught * (batch if kind.needs_image else 1)
    return tested * (classes if kind.needs_image else 1) + steps * (texts + 4 * batch * ("vision" in kind.towers))


def probe_accuracy(clip: FrozenCLIP, data: ClassificationDataset, seed: int, shots: int) -> float:
    """Percent of the test images named rightly by logistic regression on the frozen image features of the shots."""
    model = PromptedCLIP(clip, PromptLearner(data.template), data.class_names)
    train, test = (image_features(model, part).tensors for part in (data.train(shots, seed), data.test()))
    probe = LogisticRegression(C=100, max_iter=1000).fit(train[0].numpy(), train[1].numpy())
    return 100 * float(probe.score(test[0].numpy(), test[1].numpy()))


def _variants(table: str, method: str, clip: FrozenCLIP) -> list[str]:
    """The names of the variants of a method in a table, the preset first."""
    return [PRESET, *_known_variants(table, method, clip, 1)]


def _known_variants(table: str, method: str, clip: FrozenCLIP, n_classes: int) -> dict[str, Variant]:
    """The variants of a method in a table by name; none for most."""
    if table == "ablations":
        return maple_variants(clip) if method == "maple" else cocoop_variants()
    return coop_variants(n_classes) if (table, method) == ("few-shot", "coop") else {}


def _variant(cell: Cell, plan: Plan) -> Variant:
    """The variant that a cell names."""
    known = _known_variants(cell.table, cell.method, plan.clip, len(plan.data.class_names))
    return known[require_name("variant", cell.variant, known)]


@lru_cache(maxsize=1)
def _targets(clip: FrozenCLIP) -> dict[str, ClassificationDataset]:
    """The test sets of transfer by name: the other datasets, handwritten digits, and the source's variants."""
    sets = {name: open_dataset(name, clip=clip) for name in (*DRAWN, HANDWRITTEN)}
    return sets | {f"{SOURCE} {variant}": open_dataset(SOURCE, clip=clip, variant=variant) for variant in VARIANTS}
