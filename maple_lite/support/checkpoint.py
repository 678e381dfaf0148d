"""The checkpoint of a run: the state of its parts in one file, which other runs refuse."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from maple_lite.support.files import atomic_write

SETTINGS = "settings"  # the entry of a checkpoint that tells runs apart


class Part(Protocol):
    """What a checkpoint keeps: a module, an optimiser, or anything else with a state of plain values and tensors."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object:
        """Takes a state."""
        ...


class Checkpoint:
    """The state of a run's parts in the file `path`. Without a path nothing is kept.

    `settings` tell this run from others: a file with other settings is refused. They are plain values. Raises
    ValueError for a folder and OSError for a place that cannot be written, before a long run begins.

    >>> optimizer = torch.optim.SGD(learner.parameters())
    >>> kept = Checkpoint("run.pt", {"lr": 0.002}, learner=learner, optimizer=optimizer)
    >>> kept.resume()     # False: there was no file
    False
    >>> kept.save()
    """

    def __init__(self, path: str | Path | None, settings: Mapping[str, Any], **parts: Part) -> None:
        self.path = None if path is None else Path(path).expanduser()
        self.settings, self.parts = dict(settings), parts
        if self.path is not None:
            require_writable(self.path)

    def save(self) -> None:
        """Writes the file, whole or not at all."""
        if self.path is None:
            return
        content = {name: part.state_dict() for name, part in self.parts.items()} | {SETTINGS: self.settings}
        atomic_write(self.path, lambda file: torch.save(content, file))

    def resume(self) -> bool:
        """Whether there was a file. If so, its states are in the parts now.

        Raises ValueError for a file that is damaged or belongs to another run.
        """
        if self.path is None or not self.path.exists():
            return False
        content = self._read()
        _require_same_settings(self.path, self.settings, content[SETTINGS])
        for name, part in self.parts.items():
            part.load_state_dict(content[name])
        return True

    def _read(self) -> dict[str, Any]:
        """The content of the file, with tensors where they were. An OSError of the system passes through."""
        path = Path(self.path or "")
        file, location = io.BytesIO(path.read_bytes()), None if torch.cuda.is_available() else "cpu"
        try:
            content = torch.load(file, map_location=location, weights_only=True)
        except MemoryError:
            raise
        except Exception as error:  # torch.load raises many kinds, by where the file was cut
            raise ValueError(
                f"the checkpoint {path} is damaged ({type(error).__name__}): restore it, or delete it to start again."
            ) from error
        if not isinstance(content, dict) or not {*self.parts, SETTINGS} <= set(content):
            raise ValueError(f"{path} is a checkpoint of something else: name another file.")
        return content


def require_writable(path: Path) -> None:
    """OSError or ValueError, before a long run begins, if a file could not be written at `path` later."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file for the checkpoint.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder {path.parent} is not writable: name another for the checkpoint.")


def digest(identity: str) -> str:
    """Sixteen hexadecimal digits of a text that says which data a run has."""
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _require_same_settings(path: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """ValueError that names the first setting in which the run of the checkpoint `path` differs from this one."""
    for key in [*ours, *theirs]:
        if ours.get(key) != theirs.get(key):
            raise ValueError(
                f"the checkpoint {path} belongs to another run: its {key} is {theirs.get(key)}, now it is "
                f"{ours.get(key)}; use the same settings or another file."
            )
