"""Naming pictures from files: the most probable classes of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from maple_lite.datasets.photos.pictures import (
    DamagedPicture,
    is_readable,
    make_preparation,
    map_in_threads,
    read_picture,
)
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.batches import autocast
from maple_lite.support.memory import memory_advice
from maple_lite.support.names import require_count

COLUMNS = ["path", "rank", "class_name", "probability"]


@torch.no_grad()
def name_pictures(
    model: PromptedCLIP,
    paths: Iterable[str | Path],
    top: int = 5,
    *,
    skip_damaged: bool = False,
    precision: str = "fp32",
    batch_size: int = 32,
) -> pd.DataFrame:
    """A row (path, rank from 1, class_name, probability in percent) for each of the `top` classes of each picture.

    A probability is the softmax over the model's class names: it says how one name compares with the others, not that
    any of them is right. Pictures are turned as their camera says, and cropped and normalised as in a test.
    Raises FileNotFoundError for a file that is not there, ValueError for none at all, a folder, or files that hold no
    picture, which `skip_damaged` leaves out (the frame's `attrs["damaged"]` names them).

    >>> name_pictures(PromptedCLIP(clip, learner, ["snowman", "umbrella"]), ["holiday.jpg"], top=1)
    """
    files = _require_files(paths)
    top, size = min(require_count("top", top), len(model.class_names)), require_count("batch_size", batch_size)
    damaged = _damaged(files, skip_damaged)
    files = [path for path in files if path not in set(damaged)]
    rows = []
    with memory_advice(model, size), autocast(precision, model.clip.device):
        text_features = None if model.learner.needs_image else model.encode_classes()
        for first in range(0, len(files), size):
            rows += _named(model, files[first : first + size], text_features, top)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame.attrs["damaged"] = damaged
    return frame


def _named(model: PromptedCLIP, paths: Sequence[str], text_features: Tensor | None, top: int) -> list[tuple]:
    """The rows (path, rank, class name, percent) of some files."""
    logits = model.classify(model.encode_images(_images(model, paths)), text_features)  # [B, C]
    best = (100 * logits.softmax(dim=-1)).topk(top)
    rows = []
    for path, shares, places in zip(paths, best.values.tolist(), best.indices.tolist(), strict=True):
        names = [model.class_names[place] for place in places]
        rows += [(path, *row) for row in zip(range(1, top + 1), names, shares, strict=True)]
    return rows


def _damaged(files: Sequence[str], skip: bool) -> list[str]:
    """The files that hold no picture; DamagedPicture if there are any and they are not skipped, or no others."""
    damaged = [path for path, good in zip(files, map_in_threads(is_readable, files), strict=True) if not good]
    alone = len(damaged) == len(files)
    if damaged and (alone or not skip):
        advice = "restore it" if alone else "restore them, or leave them out (--skip-damaged)"
        count = f"{len(damaged)} of {len(files)} files"
        raise DamagedPicture(f"{count} hold no picture, the first is {damaged[0]}: {advice}.")
    return damaged


def _images(model: PromptedCLIP, paths: Sequence[str]) -> Tensor:
    """Normalised images [B, 3, H, W] of files, on the model's device."""
    prepared = make_preparation(model.clip.preprocess)

    def image(path: str) -> Tensor:
        return prepared.tensor(prepared.testing.cut(read_picture(path, upright=True), None))

    return torch.stack(map_in_threads(image, paths)).to(model.clip.device)


def _require_files(paths: Iterable[str | Path]) -> list[str]:
    """The paths, once each is known to be a file that is there."""
    files = [str(Path(path).expanduser()) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise ValueError("no picture to name: give at least one file.")
    for path in files:
        if os.path.isdir(path):
            raise ValueError(f"{path} is a folder: name the pictures in it, such as {os.path.join(path, '*.jpg')}.")
        if not os.path.exists(path):
            raise FileNotFoundError(f"no picture at {path}: correct the path.")
    return files
