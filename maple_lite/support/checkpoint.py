"""Reading the checkpoint of a run, and making sure that it is this run's."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch


def require_writable(path: Path) -> None:
    """OSError or ValueError, before a long run begins, if a file could not be written at `path` later."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file for the checkpoint.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder {path.parent} is not writable: name another for the checkpoint.")


def read_checkpoint(path: Path, keys: Collection[str]) -> dict[str, Any]:
    """The content, on the CPU, of a checkpoint that holds at least `keys`.

    Raises ValueError if it is damaged or of another kind; what the system refuses (OSError) passes through.
    """
    file = io.BytesIO(path.read_bytes())
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch.load raises many kinds, by where the file was cut
        raise ValueError(
            f"the checkpoint {path} is damaged ({type(error).__name__}): restore it, or delete it to start again."
        ) from error
    if not isinstance(content, dict) or not set(keys) <= set(content):
        raise ValueError(f"{path} is a checkpoint of something else: name another file.")
    return content


def digest(data: Any) -> str:
    """Sixteen hexadecimal digits of what a dataset tells of its items without reading them, "unknown" if nothing.

    That is its `sample` (ours have one: which pictures, with which labels), or its `labels`.
    """
    told = getattr(data, "sample", None) or getattr(data, "labels", None)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16] if told else "unknown"


def require_same_settings(path: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """ValueError that names the first setting in which the run of the checkpoint `path` differs from this one."""
    for key in [*ours, *theirs]:
        if ours.get(key) != theirs.get(key):
            raise ValueError(
                f"the checkpoint {path} belongs to another run: its {key} is {theirs.get(key)}, now it is "
                f"{ours.get(key)}; use the same settings or another file."
            )
