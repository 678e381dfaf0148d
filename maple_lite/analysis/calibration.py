"""How far a model's probabilities can be trusted, what it finds of every class, and both halves asked at once.

The expected calibration error (ECE; Guo et al., ICML 2017) takes bins of equal width of the highest probability.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import precision_recall_fscore_support
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.evaluation import batch_logits, predict
from maple_lite.learners import PromptLearner
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import ClassificationDataset, base_and_novel, harmonic_mean
from maple_lite.support.batches import MapStyle
from maple_lite.support.names import require_count

BINS = 15


def reliability(model: PromptedCLIP, data: MapStyle, bins: int = BINS, batch_size: int = 100) -> pd.DataFrame:
    """A row (low, high, images, confidence, accuracy) per bin of the highest probability; all but images in percent.

    Bins are equally wide, and a confidence on an edge belongs to the lower bin. `confidence` is the mean of a bin's
    highest probabilities; it and `accuracy` are NaN in a bin without images. Raises ValueError for less than one bin,
    and as `batch_logits`.

    >>> reliability(model, test_set, bins=2).high.tolist()
    [50.0, 100.0]
    """
    require_count("bins", bins)
    return _fill_bins(*_answers(model, data, batch_size), bins)


def _answers(
    model: PromptedCLIP, data: MapStyle, batch_size: int, precision: str = "fp32"
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels [N], predicted classes [N] and their probabilities [N] of a dataset."""
    pairs = [
        (labels, logits.double().softmax(dim=-1).max(dim=-1))
        for labels, logits in batch_logits(model, data, batch_size, precision)
    ]
    labels, predictions, confidence = zip(*((each, top.indices, top.values) for each, top in pairs), strict=True)
    return torch.cat(labels), torch.cat(predictions), torch.cat(confidence)


def _fill_bins(labels: Tensor, predictions: Tensor, confidences: Tensor, bins: int) -> pd.DataFrame:
    """The table of `reliability` of answers [N]."""
    edges = np.linspace(0, 1, bins + 1)
    confidence, right = confidences.numpy(), (labels == predictions).numpy()
    place = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, bins - 1)
    images = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (confidence, right)]
    means = [np.divide(100 * total, images, out=np.full(bins, np.nan), where=images > 0) for total in sums]
    columns = {"low": 100 * edges[:-1], "high": 100 * edges[1:], "images": images}
    return pd.DataFrame(columns | dict(zip(("confidence", "accuracy"), means, strict=True)))


def calibration_error(table: pd.DataFrame) -> float:
    """The expected calibration error in percent of a table of `reliability`: the mean gap of confidence and accuracy.

    Every bin counts as much as it has images.

    >>> calibration_error(pd.DataFrame({"images": [3, 1], "confidence": [90, 40], "accuracy": [80, 0]}))
    17.5
    """
    gaps = (table.confidence - table.accuracy).abs() * table.images
    return float(gaps.sum() / table.images.sum())


def precision_and_recall(model: PromptedCLIP, data: MapStyle, batch_size: int = 100) -> pd.DataFrame:
    """A row (class_name, images, precision, recall) per class, in the order of the labels; the last two in percent.

    Precision is the share of a class's predictions that are right, 0 for a class that is never predicted. Recall is the
    share of its images that are found, NaN for a class without images. Their means over classes are the macro ones.

    >>> precision_and_recall(model, test_set)[["precision", "recall"]].mean()     # macro precision and recall
    """
    return _score_classes(*predict(model, data, batch_size), model.class_names)


def measure_quality(
    model: PromptedCLIP, data: MapStyle, bins: int = BINS, batch_size: int = 100, precision: str = "fp32"
) -> dict[str, float]:
    """{"accuracy", "calibration_error", "precision", "recall"} in percent, of one pass over `data`.

    Precision and recall are the macro ones: means over the classes, of recall over those that have images.

    >>> measure_quality(model, test_set)["calibration_error"]
    """
    require_count("bins", bins)
    labels, predictions, confidences = _answers(model, data, batch_size, precision)
    classes = _score_classes(labels, predictions, model.class_names)
    return {
        "accuracy": 100 * (labels == predictions).double().mean().item(),
        "calibration_error": calibration_error(_fill_bins(labels, predictions, confidences, bins)),
        "precision": float(classes.precision.mean()),
        "recall": float(classes.recall.mean()),
    }


def _score_classes(labels: Tensor, predictions: Tensor, class_names: list[str]) -> pd.DataFrame:
    """The table of `precision_and_recall` of answers [N]."""
    everything = range(len(class_names))
    found = precision_recall_fscore_support(labels, predictions, labels=everything, zero_division=0)
    precision, recall, _, images = found
    recall = np.where(images > 0, 100 * recall, np.nan)
    names = {"class_name": class_names, "images": images}
    return pd.DataFrame({**names, "precision": 100 * precision, "recall": recall})


def asked_together(
    clip: FrozenCLIP,
    learner: PromptLearner,
    data: ClassificationDataset,
    precision: str = "fp32",
    chunk: int | None = None,
) -> dict[str, float]:
    """{"base", "novel", "hm"} in percent of a learner that is asked about base and novel classes at once.

    Every picture may be taken for any class of `data`. That is harder than base-to-novel, where each half is asked
    with its own names alone, and it shows whether a learner prefers the classes that it was trained on.
    """
    model = PromptedCLIP(clip, learner.for_template(data.template), data.class_names, chunk)
    return score_halves(*predict(model, data.test(), precision=precision), len(data.class_names))


def score_halves(labels: Tensor, predictions: Tensor, n_classes: int) -> dict[str, float]:
    """{"base", "novel", "hm"} in percent of predictions [N] among all classes of a dataset."""
    right = (labels == predictions).double()
    halves = base_and_novel(n_classes)
    base, novel = (100 * right[torch.isin(labels, torch.tensor(half))].mean().item() for half in halves)
    return {"base": base, "novel": novel, "hm": harmonic_mean(base, novel)}
