"""What prompts change inside: where images lie among each other, and which classes gain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor

from maple_lite.evaluation import per_class_accuracy
from maple_lite.loading import OWN
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.batches import MapStyle
from maple_lite.support.files import data_folder
from maple_lite.support.names import require_count, require_name
from maple_lite.training import image_features

PROJECTIONS = ("pca", "tsne")


def features(model: PromptedCLIP, data: MapStyle, batch_size: int = 100) -> tuple[Tensor, Tensor]:
    """Unit-norm image features [N, D] and labels [N] of a dataset of (image, label), on the CPU.

    They are the frozen CLIP's own where the learner leaves the image tower alone (zero-shot, CoOp, deep language).
    """
    found, labels = image_features(model, data, batch_size).tensors
    return found, labels


def feature_map(
    models: Mapping[str, PromptedCLIP], data: MapStyle, projection: str = "pca", seed: int = 0
) -> pd.DataFrame:
    """A row (x, y, class_name, panel) per model and image: image features in two dimensions, a panel per model.

    The projection is fitted on all models' features together, so that panels share their axes: "pca" (linear:
    distances can only shrink) or "tsne" (neighbours stay together, distances between groups mean nothing; drawn
    by `seed`). Raises ValueError for no model, an unknown projection, or fewer than 4 points.

    >>> feature_map({"zero-shot": zero_shot, "MaPLe": model}, test_set).panel.unique().tolist()
    ['zero-shot', 'MaPLe']
    """
    if not models:
        raise ValueError("models is empty: pass at least one, such as {'zero-shot': model}.")
    found = [features(model, data) for model in models.values()]
    points = project(torch.cat([values for values, _ in found]), projection, seed)  # [M * N, 2]
    names = [model.class_names[i] for model, (_, labels) in zip(models.values(), found, strict=True) for i in labels]
    panels = np.repeat(list(models), len(found[0][0]))
    return pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "class_name": names, "panel": panels})


def project(values: Tensor, projection: str = "pca", seed: int = 0) -> np.ndarray:
    """Points [N, 2] of features [N, D]; t-SNE is drawn by `seed`, with a perplexity of 30 or less where N is small.

    Raises ValueError for an unknown projection or fewer than 4 points.
    """
    require_name("projection", projection, PROJECTIONS)
    count = require_count("the number of images", len(values), 4)
    if projection == "pca":
        return PCA(2, svd_solver="full").fit_transform(values.numpy())
    start: dict = dict(init="random", random_state=seed)  # scikit-learn's other start, PCA, would leave the seed idle
    return TSNE(2, perplexity=min(30, (count - 1) / 3), **start).fit_transform(values.numpy())


def pretraining_frequencies(name: str = "tiny") -> pd.Series:
    """How often a CLIP of this project ("tiny" or "glyphs") saw every thing in pretraining, by name; they sum to 1."""
    folder = data_folder() / OWN[require_name("CLIP", name, OWN)]
    return pd.read_csv(folder / "frequencies.csv", index_col=0).frequency


def gain_by_frequency(
    before: PromptedCLIP,
    after: PromptedCLIP,
    data: MapStyle,
    frequencies: Mapping[str, float] | pd.Series | None = None,
) -> pd.DataFrame:
    """A row (class_name, frequency, zero_shot, prompted, gain) per class: accuracies in percent, gain in points.

    `before` and `after` are classifiers with the same class names, such as zero-shot CLIP and MaPLe. `frequencies`
    are shares by class name, by default those of the tiny CLIP's pretraining.
    Raises ValueError for other names, or a class whose frequency is not known.

    >>> gain_by_frequency(zero_shot, model, test_set).columns.tolist()
    ['class_name', 'frequency', 'zero_shot', 'prompted', 'gain']
    """
    names = before.class_names
    if names != after.class_names:
        raise ValueError(f"both models need the same class names, got {names} and {after.class_names}.")
    known = pretraining_frequencies() if frequencies is None else pd.Series(frequencies)
    for name in names:
        require_name("class of the frequencies", name, list(known.index))
    zero_shot, prompted = (per_class_accuracy(model, data).accuracy for model in (before, after))
    seen = known.loc[names].to_numpy()
    return pd.DataFrame(
        dict(class_name=names, frequency=seen, zero_shot=zero_shot, prompted=prompted, gain=prompted - zero_shot)
    )
