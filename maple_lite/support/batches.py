"""Batches of a dataset on a device: the one place where images move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from maple_lite.support.names import require_count

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@runtime_checkable
class MapStyle(Protocol):
    """A map-style dataset: torch's, a plain list, or one of ours. Its items are (image [3, H, W], label)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def batches(
    data: MapStyle, batch_size: int, n_classes: int, device: torch.device, seed: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (images [B, 3, H, W], labels [B]) of a map-style dataset, in order or, with a seed, shuffled by it.

    A shuffled pass drops the last partial batch when there is at least one full one, as the authors' loaders do.
    Raises ValueError for an empty dataset, items that are no pair of an image tensor and a label, a batch size below 1
    or a label outside 0..C-1.
    """
    shuffled, full = seed is not None, full_batches(data, batch_size)
    loader = DataLoader(
        cast(Dataset, data),
        int(batch_size),
        shuffle=shuffled,
        drop_last=shuffled and full > 0,
        generator=torch.Generator().manual_seed(seed or 0),
        collate_fn=_stacked,
    )
    for images, labels in loader:
        labels = _whole_labels(labels, n_classes)
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def count(data: MapStyle) -> int:
    """Number of items of a map-style dataset; ValueError if it has no length, is empty, or is a loader."""
    if not isinstance(data, MapStyle):
        raise ValueError(f"data must be a map-style dataset of (image, label), got {type(data).__name__}.")
    if len(data) == 0:
        raise ValueError("the dataset is empty: it needs at least one image.")
    return len(data)


def full_batches(data: MapStyle, batch_size: int) -> int:
    """Number of full batches of a dataset; ValueError if it is empty or the batch size below 1."""
    return count(data) // require_count("batch_size", batch_size)


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The autocast block of "fp32", "bf16" or, on CUDA, "fp16"; ValueError for another or for fp16 elsewhere."""
    if precision not in PRECISIONS or (precision == "fp16" and device.type != "cuda"):
        raise ValueError(f"precision must be 'fp32', 'bf16' or, on CUDA, 'fp16'; got {precision!r} on {device.type}.")
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")


def _stacked(items: list[Any]) -> tuple[Tensor, list[Any]]:
    """Images [B, ...] and labels of the items of a batch; ValueError for items that cannot be a batch."""
    if any(not isinstance(item, tuple | list) or len(item) != 2 or not torch.is_tensor(item[0]) for item in items):
        kinds = [type(part).__name__ for part in items[0]] if isinstance(items[0], tuple | list) else type(items[0])
        raise ValueError(
            f"every item of the dataset must be (image tensor, label), got {kinds}: clip.transform() makes a tensor of "
            "a picture."
        )
    images, labels = zip(*items, strict=True)
    if len({image.shape for image in images}) > 1:
        shapes = sorted({tuple(image.shape) for image in images})
        raise ValueError(f"the images of a batch have different shapes {shapes}: clip.transform() makes them alike.")
    return torch.stack(images), list(labels)


def _whole_labels(labels: list[Any], n_classes: int) -> Tensor:
    """Labels [B] as int64; ValueError if one is no whole number in 0..C-1."""
    for label in labels:
        whole = torch.as_tensor(label) if not isinstance(label, str) else None
        if whole is None or whole.ndim > 0 or whole.is_floating_point() or whole.dtype == torch.bool:
            raise ValueError(f"labels must be whole numbers, one per image, got {label!r}.")
        if not 0 <= int(whole) < n_classes:
            raise ValueError(
                f"label {int(whole)} is out of range: the model has {n_classes} class names, labels are 0 to "
                f"{n_classes - 1}."
            )
    return torch.tensor([int(label) for label in labels])
