"""Out-of-distribution detection: telling pictures of the classes that a model knows from pictures of others.

A model's highest logit, or its highest softmax probability, is its confidence; a good detector is more confident on
pictures of its own classes ("inside") than on those of others ("outside").
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score
from torch import Tensor

from maple_lite.evaluation import batch_logits
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.batches import MapStyle

ANY_LABEL = sys.maxsize  # images from outside have labels of their own, which nobody reads


def ood_detection(model: PromptedCLIP, inside: MapStyle, outside: MapStyle, batch_size: int = 100) -> pd.DataFrame:
    """A row (score, auroc, fpr95), in percent, for each of two scores: "max_logit" and "max_softmax".

    `inside` holds images of the classes of `model`, `outside` those of others; labels are not read. A detector that
    guesses has 50 and about 95, a perfect one 100 and 0.

    >>> ood_detection(PromptedCLIP(clip, learner, base.class_names), base.test(), novel.test()).score.tolist()
    ['max_logit', 'max_softmax']
    """
    known, unknown = (confidence(model, data, batch_size) for data in (inside, outside))
    rows = [(score, auroc(known[score], unknown[score]), fpr95(known[score], unknown[score])) for score in known]
    return pd.DataFrame(rows, columns=["score", "auroc", "fpr95"])


def confidence(model: PromptedCLIP, data: MapStyle, batch_size: int = 100) -> pd.DataFrame:
    """A row (max_logit, max_softmax) per image of a dataset of (image, label), in its order.

    In float64: in float32 the softmax of CLIP's logits is 1 for many images, which would tie.
    Raises ValueError for an empty dataset or logits that are not finite.
    """
    values = logits(model, data, batch_size).double()
    scores = {"max_logit": values.amax(dim=-1), "max_softmax": values.softmax(dim=-1).amax(dim=-1)}
    return pd.DataFrame({name: score.numpy() for name, score in scores.items()})


def logits(model: PromptedCLIP, data: MapStyle, batch_size: int = 100) -> Tensor:
    """Logits [N, C] of the images of a dataset, on the CPU; ValueError for an empty one, or logits not finite."""
    return torch.cat([found for _, found in batch_logits(model, data, batch_size, n_labels=ANY_LABEL)])


def auroc(inside: ArrayLike, outside: ArrayLike) -> float:
    """Percent of the pairs (one image inside, one outside) where the one inside has the higher score; ties are half.

    `inside` [N] and `outside` [M] are scores. Raises ValueError for none, or scores that are not finite.

    >>> auroc([3, 2], [1, 2])
    87.5
    """
    known, unknown = _scores("inside", inside), _scores("outside", outside)
    labels = np.repeat([1, 0], [len(known), len(unknown)])
    return 100 * float(roc_auc_score(labels, np.concatenate([known, unknown])))


def fpr95(inside: ArrayLike, outside: ArrayLike) -> float:
    """Percent of the images outside that pass the highest threshold which at least 95% of those inside pass.

    `inside` [N] and `outside` [M] are scores; a score passes a threshold that it equals.
    Raises ValueError for none, or scores that are not finite.

    >>> fpr95([4, 3, 2, 1], [5, 0])
    50.0
    """
    known, unknown = _scores("inside", inside), _scores("outside", outside)
    passing = -(-95 * len(known) // 100)  # the ceiling of 95%, in whole numbers
    threshold = np.sort(known)[-passing]
    return 100 * float((unknown >= threshold).mean())


def _scores(name: str, values: ArrayLike) -> np.ndarray:
    """Scores [N] in float64; ValueError unless there is at least one and all are finite."""
    scores = np.asarray(values, dtype=float)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise ValueError(f"{name} must be a list of at least one finite score, got shape {list(scores.shape)}.")
    return scores
