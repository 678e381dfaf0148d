"""Accuracy of a prompted CLIP: overall, per class, and which class is taken for which."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor

from maple_lite.prompted import PromptedCLIP
from maple_lite.support.batches import MapStyle, autocast, batches
from maple_lite.support.memory import memory_advice
from maple_lite.support.modes import in_mode


@torch.no_grad()
def batch_logits(
    model: PromptedCLIP,
    data: MapStyle,
    batch_size: int = 100,
    precision: str = "fp32",
    n_labels: int | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Labels [B] and logits [B, C], on the CPU, of a dataset of (image, label), batch after batch in its order.

    The model is in evaluation mode meanwhile. The class names are encoded once, not once per batch, unless the text
    depends on the image (CoCoOp). Labels are 0 to `n_labels` - 1, by default those of the model's class names.
    Raises ValueError for an empty dataset, a label out of range, or logits that are not finite, and torch's
    OutOfMemoryError with the sizes to try.
    """
    if not isinstance(model, PromptedCLIP):
        raise ValueError(f"a PromptedCLIP predicts, got {type(model).__name__}.")
    device, labels_known = model.clip.device, len(model.class_names) if n_labels is None else n_labels
    with in_mode(model, training=False), memory_advice(model, batch_size), autocast(precision, device):
        text_features = model.encode_fixed_classes()
        for images, labels in batches(data, batch_size, labels_known, device):
            logits = model.classify(model.encode_images(images), text_features)  # [B, C]
            if not logits.isfinite().all():
                raise ValueError("the logits are not finite: look for NaN in the images, or use precision='fp32'.")
            yield labels.cpu(), logits.cpu()


def predict(
    model: PromptedCLIP, data: MapStyle, batch_size: int = 100, precision: str = "fp32"
) -> tuple[Tensor, Tensor]:
    """Labels [N] and predicted classes [N] of a dataset of (image, label), on the CPU; raises as `batch_logits`."""
    pairs = [(labels, logits.argmax(dim=-1)) for labels, logits in batch_logits(model, data, batch_size, precision)]
    labels, predictions = (torch.cat(column) for column in zip(*pairs, strict=True))
    return labels, predictions


def accuracy(model: PromptedCLIP, data: MapStyle, batch_size: int = 100, precision: str = "fp32") -> float:
    """Percent of the images of `data` that `model` names rightly.

    >>> accuracy(PromptedCLIP(clip, learner, novel.class_names), novel.test())
    """
    labels, predictions = predict(model, data, batch_size, precision)
    return 100 * (labels == predictions).double().mean().item()


def per_class_accuracy(
    model: PromptedCLIP, data: MapStyle, batch_size: int = 100, precision: str = "fp32"
) -> pd.DataFrame:
    """A row per class, in the order of the labels: class_name, images, accuracy in percent (NaN without images)."""
    labels, predictions = predict(model, data, batch_size, precision)
    classes = len(model.class_names)
    images = labels.bincount(minlength=classes)  # [C]
    right = labels[labels == predictions].bincount(minlength=classes)  # [C]
    return pd.DataFrame(
        {"class_name": model.class_names, "images": images.numpy(), "accuracy": (100 * right / images).numpy()}
    )


def confusion(model: PromptedCLIP, data: MapStyle, batch_size: int = 100, precision: str = "fp32") -> pd.DataFrame:
    """Counts [C, C] of images, true classes in rows and predicted ones in columns, both in the order of the labels."""
    labels, predictions = predict(model, data, batch_size, precision)
    names = model.class_names
    counts = confusion_matrix(labels, predictions, labels=range(len(names)))
    return pd.DataFrame(counts, index=pd.Index(names, name="true"), columns=pd.Index(names, name="predicted"))
