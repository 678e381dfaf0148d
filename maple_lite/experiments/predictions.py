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
from maple_lite.evaluation import batch_logits
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.names import require_count

COLUMNS = ["path", "rank", "class_name", "probability"]


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
    logits = torch.cat([found for _, found in batch_logits(model, _Files(model, files), size, precision)])  # [N, C]
    rows = _best(files, 100 * logits.softmax(dim=-1), model.class_names, top)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame.attrs["damaged"] = damaged
    return frame


def _best(files: Sequence[str], percents: Tensor, class_names: Sequence[str], top: int) -> list[tuple]:
    """The rows (path, rank, class name, percent) of files with the probabilities [N, C] of their classes."""
    best = percents.topk(top)
    rows = []
    for path, shares, places in zip(files, best.values.tolist(), best.indices.tolist(), strict=True):
        names = [class_names[place] for place in places]
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


class _Files:
    """Picture files as a dataset of (normalised image [3, H, W], 0): nobody knows their classes."""

    def __init__(self, model: PromptedCLIP, files: Sequence[str]) -> None:
        self.files, self.preparation = files, make_preparation(model.clip.preprocess)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int, /) -> tuple[Tensor, int]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """Items of a whole batch at once: torch's DataLoader asks for them so, and threads read them."""
        return [(image, 0) for image in map_in_threads(self._image, [self.files[index] for index in indices])]

    def _image(self, path: str) -> Tensor:
        return self.preparation.tensor(self.preparation.testing.cut(read_picture(path, upright=True), None))


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
