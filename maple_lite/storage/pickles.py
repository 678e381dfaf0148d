"""Reading what others pickled without running any of it."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch


def stand_in(name: str, **own: Any) -> type:
    """An empty class with another's full name: a file's data of that class go there, and its code never runs."""
    module, _, last = name.rpartition(".")
    return type(last, (), {"__module__": module, **own})


ALLOWED = (
    stand_in("torch.optim.lr_scheduler.CosineAnnealingLR"),
    stand_in("torch.optim.sgd.SGD"),
    stand_in("collections.defaultdict", __new__=lambda kind, *default: {}),  # newer torch fills plain dicts only
    dict,
)
"""What files of the authors' training loop (Dassl) hold beside tensors and plain values.

They pickle the state of a warm-up scheduler, and with it the cosine scheduler that follows, its optimiser and the
optimiser's state. The warm-up scheduler's own class is not in the file.
"""


def read_pickle(path: Path) -> Any:
    """The content, on the CPU, of a file of `torch.save`, new (zip) or old: tensors, plain values and `ALLOWED`.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one and for any other object in it, which is
    named and neither made nor imported.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: name a file, such as model.pth.tar-5 in the output folder.")
    with path.open("rb") as file, only_allowed():  # what the system refuses passes through
        return _loaded(path, file)


def _loaded(path: Path, file: BinaryIO) -> Any:
    """What torch reads from an open file; ValueError that says whether a foreign object or damage was the reason."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch.load raises many kinds, OSError among them, by where the file was cut
        foreign = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if foreign:
            raise ValueError(
                f"{path} holds {foreign[1]}, which is no tensor and could run code: it was not read; get the file "
                "from a source that you trust."
            ) from error
        raise ValueError(
            f"{path} is damaged or was not written by torch.save ({type(error).__name__}): fetch it again."
        ) from error


@contextmanager
def only_allowed() -> Iterator[None]:
    """A block in which `torch.load(weights_only=True)` accepts `ALLOWED`, whatever else this process has allowed it."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(list(ALLOWED))
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
