"""Batches of a dataset on a device: the one place where images move."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def batches(
    data: Dataset, batch_size: int, n_classes: int, device: torch.device, seed: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (images [B, 3, H, W], labels [B]) of a map-style dataset, in order or, with a seed, shuffled by it.

    A shuffled pass drops the last partial batch when there is at least one full one, as the authors' loaders do.
    Raises ValueError for an empty dataset, a batch size below 1 or a label outside 0..C-1.
    """
    shuffled, full = seed is not None, full_batches(data, batch_size)
    loader = DataLoader(
        data,
        batch_size,
        shuffle=shuffled,
        drop_last=shuffled and full > 0,
        generator=torch.Generator().manual_seed(seed or 0),
    )
    for images, labels in loader:
        _require_labels(labels, n_classes)
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def count(data: Dataset) -> int:
    """Number of items of a map-style dataset; ValueError if it has no length or is empty."""
    if not isinstance(data, Sized):
        raise ValueError(f"{type(data).__name__} has no length: pass a map-style dataset of (image, label).")
    if len(data) == 0:
        raise ValueError("the dataset is empty: it needs at least one image.")
    return len(data)


def full_batches(data: Dataset, batch_size: int) -> int:
    """Number of full batches of a dataset; ValueError if it is empty or the batch size below 1."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    return count(data) // batch_size


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The autocast block of "fp32", "bf16" or, on CUDA, "fp16"; ValueError for another or for fp16 elsewhere."""
    if precision not in PRECISIONS or (precision == "fp16" and device.type != "cuda"):
        raise ValueError(f"precision must be 'fp32', 'bf16' or, on CUDA, 'fp16'; got {precision!r} on {device.type}.")
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")


def _require_labels(labels: Tensor, n_classes: int) -> None:
    """ValueError if a label is not one of 0..C-1."""
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= n_classes:
        raise ValueError(
            f"label {low if low < 0 else high} is out of range: the model has {n_classes} class names, labels are 0 to "
            f"{n_classes - 1}."
        )
