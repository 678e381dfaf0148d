"""Gauges of a drawn world, read from zero-shot CLIP alone: by them a world is chosen, before any prompt is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import HANDWRITTEN, ClassificationDataset, open_dataset
from maple_lite.datasets.emoji.drawn import CLEAN, KIND, VARIANTS, Drawn
from maple_lite.evaluation import accuracy, per_class_accuracy
from maple_lite.learners import PromptLearner
from maple_lite.pretraining.captions import BARE, frequencies, things, with_look
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.batches import MapStyle
from maple_lite.tokens import tokenize
from maple_lite.training import image_features

SEVEN = (
    "a photo of a {}.",
    "a blurry photo of the {}.",
    "a dark photo of a {}.",
    "a cropped picture of a {}.",
    "a drawing of a {}.",
    "a close photo of the {}.",
    "a small picture of a {}.",
)
"""In the image of CLIP's: they tell of good photos and of bad ones."""
SHOTS = 16


class Gauge(NamedTuple):
    """What a gauge asks, and the band in which its number lies in a world like the real one."""

    about: str
    low: float
    high: float = float("inf")


GAUGES = {
    "clean": Gauge("accuracy on clean drawings, within datasets", 85),
    "own look": Gauge("accuracy in the datasets' own looks", 55, 75),
    "lowest": Gauge("the lowest of the eleven in its own look", 30),
    "naming the look": Gauge("gain by naming a dataset's look in its sentence, mean of ten", 2),
    "own sentence": Gauge("gain of the dataset's sentence over the bare name", 2),
    "seven templates": Gauge("gain of seven general sentences over one", 0.5),
    "common names": Gauge("gain of common over formal names, classes that have both", 3),
    "rarity": Gauge("rank correlation of accuracy with how often a thing was seen", 0.1),
    "sketch": Gauge("loss on objects by the other artist, from clean ones", 10, 30),
    "probe": Gauge("gain of a linear probe of 16 shots over zero-shot", 8),
}
"""The causes that make prompts of words, looks and depth matter in real CLIP, each with the number that shows it."""


def zero_shot_table(clip: FrozenCLIP) -> pd.DataFrame:
    """A row per drawn dataset, variant of objects and set of photographs; accuracies in percent, zero-shot but `probe`.

    Columns: dataset, look, classes; `clean` drawings and its `own` look, asked in the dataset's sentence; its own look
    asked with `look_named`, with a `bare` name, with `one` general sentence and with `seven`; `formal` and `common`
    names, over the classes that have both; a linear `probe` of 16 shots; `rarity`, a rank correlation.
    """
    rows = [_row(clip, open_dataset(name, clip=clip)) for name in KIND.names]
    variants = [(variant, open_dataset(KIND.names[0], clip=clip, variant=variant)) for variant in VARIANTS]
    for look, data in [*variants, ("photographs", open_dataset(HANDWRITTEN, clip=clip))]:
        row: dict[str, str | float] = {"dataset": data.name, "look": look, "classes": len(data.class_names)}
        rows.append(row | {"own": accuracy(_asked(clip, data.template, data.class_names), data)})
    return pd.DataFrame(rows)


def read_gauges(table: pd.DataFrame) -> pd.DataFrame:
    """A row (gauge, value, low, high, within) for each of `GAUGES`, from a table of `zero_shot_table`."""
    eleven = table[table["clean"].notna()]
    means = eleven.mean(numeric_only=True)
    sketch = table.loc[table["look"] == "sketch", "own"].iloc[0]
    values = {
        "clean": means["clean"],
        "own look": means["own"],
        "lowest": eleven["own"].min(),
        "naming the look": (eleven["look_named"] - eleven["own"]).mean(),
        "own sentence": means["own"] - means["bare"],
        "seven templates": means["seven"] - means["one"],
        "common names": means["common"] - means["formal"],
        "rarity": means["rarity"],
        "sketch": eleven["clean"].iloc[0] - sketch,
        "probe": means["probe"] - means["own"],
    }
    rows = [(name, values[name], g.low, g.high, g.low <= values[name] <= g.high) for name, g in GAUGES.items()]
    return pd.DataFrame(rows, columns=["gauge", "value", "low", "high", "within"])


def _asked(clip: FrozenCLIP, templates: str | Sequence[str], class_names: Sequence[str]) -> PromptedCLIP:
    """Zero-shot CLIP that asks for the classes in one sentence, or in the mean of several."""
    return PromptedCLIP(clip, PromptLearner(templates), class_names)


def _row(clip: FrozenCLIP, data: ClassificationDataset) -> dict[str, str | float]:
    """The row of one dataset; its image features are computed once and asked in many ways."""
    assert isinstance(data, Drawn)
    asked = _asked(clip, data.template, data.class_names)
    own = image_features(asked, data, 100)
    clean = image_features(asked, replace(data, look=CLEAN), 100)
    per_class = per_class_accuracy(asked, own)["accuracy"].to_numpy()
    has_both = np.array([a != b for a, b in zip(data.class_names, data.common_names, strict=True)])
    common = per_class_accuracy(_asked(clip, data.template, data.common_names), own)["accuracy"].to_numpy()
    row: dict[str, str | float] = {"dataset": data.name, "look": data.look.name, "classes": len(data.class_names)}
    return row | {
        "clean": accuracy(asked, clean),
        "own": accuracy(asked, own),
        "look_named": _naming_the_look(clip, data, own),
        "bare": accuracy(_asked(clip, BARE, data.class_names), own),
        "one": accuracy(_asked(clip, SEVEN[0], data.class_names), own),
        "seven": accuracy(_asked(clip, SEVEN, data.class_names), own),
        "formal": float(per_class[has_both].mean()),
        "common": float(common[has_both].mean()),
        "probe": _probe(image_features(asked, data.train(SHOTS, seed=1), 100).tensors, own.tensors),
        "rarity": float(spearmanr(_how_often(data), per_class).statistic),
    }


def _naming_the_look(clip: FrozenCLIP, data: Drawn, own: MapStyle) -> float:
    """Accuracy asked in a sentence that names the look; there is none to name where looks are mixed."""
    if data.look.name == "mixed":
        return float("nan")
    return accuracy(_asked(clip, with_look(data.template, data.look.name), data.class_names), own)


def _probe(train: Sequence[Tensor], test: Sequence[Tensor]) -> float:
    """Accuracy in percent of a logistic regression on image features."""
    probe = LogisticRegression(C=100, max_iter=1000).fit(train[0].numpy(), train[1].numpy())
    return 100 * float(probe.score(test[0].numpy(), test[1].numpy()))


def _how_often(data: Drawn) -> list[float]:
    """How often pretraining saw the classes of a dataset."""
    seen = {thing.character: often for thing, often in zip(things(), frequencies().tolist(), strict=True)}
    return [seen[emoji.character] for emoji in data.emoji]


@torch.no_grad()
def clean_accuracy(clip: FrozenCLIP, shots: int = 2) -> tuple[float, float]:
    """Percent of clean drawings named rightly among all emoji, and within their datasets (the mean of the eleven).

    A quick look at `shots` pictures per emoji, none of them a test picture.
    """
    right_of_all, right_within = [], []
    sets = [open_dataset(name, clip=clip, look="clean").train(shots, seed=0) for name in KIND.names]
    text_features = torch.cat([_text_features(clip, data) for data in sets])  # [S, D]
    first = 0
    for data in sets:
        images, labels = (part.to(clip.device) for part in data.batch(range(len(data))))
        similarity = clip.encode_image(images) @ text_features.T  # [B, S]
        last = first + len(data.class_names)
        right_of_all.append(similarity.argmax(dim=1) == first + labels)
        right_within.append((similarity[:, first:last].argmax(dim=1) == labels).float().mean())
        first = last
    return 100 * torch.cat(right_of_all).float().mean().item(), 100 * torch.stack(right_within).mean().item()


def _text_features(clip: FrozenCLIP, data: ClassificationDataset) -> Tensor:
    """Unit-norm text features [C, D] of a dataset's classes in its template."""
    sentences = [data.template.format(class_name) for class_name in data.class_names]
    return clip.encode_text(tokenize(sentences, clip.context_length).to(clip.device))
