"""Which of the fifteen datasets are there, and what the others lack."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from maple_lite.datasets.photos.catalog import CATALOG, Entry, find_missing

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm")
COLUMNS = ["name", "folder", "state", "missing", "bytes", "images"]


def available(root: str | Path) -> pd.DataFrame:
    """A row per dataset: name, folder, state, missing, bytes, images.

    The state is "ready", "incomplete" or "missing"; `missing` is the first thing that a folder lacks, "" for a ready
    one; bytes and images count what the folder holds.

    >>> len(available("datasets"))
    15
    """
    return pd.DataFrame([_row(entry, Path(root).expanduser()) for entry in CATALOG.values()], columns=COLUMNS)


def _row(entry: Entry, root: Path) -> tuple[str, str, str, str, int, int]:
    """A dataset's row of the table."""
    lacking = find_missing(entry, root)
    size, images = _measured(root / entry.folder)
    state = "ready" if not lacking else "incomplete" if size else "missing"
    return entry.name, entry.folder, state, lacking[0] if lacking else "", size, images


def _measured(folder: Path) -> tuple[int, int]:
    """Bytes and images in a folder and all folders below; links to folders count, because CoOp's page proposes them."""
    size = images = 0
    for where, _, files in os.walk(folder, followlinks=True):
        size += sum(os.lstat(os.path.join(where, file)).st_size for file in files)
        images += sum(file.lower().endswith(PICTURES) for file in files)
    return size, images
