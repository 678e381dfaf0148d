"""Where the project's data lies, and writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def data_folder() -> Path:
    """The folder `data/`: MAPLE_LITE_DATA if set, else the checkout's, else the copy inside the installed package.

    Raises FileNotFoundError where MAPLE_LITE_DATA names no folder.
    """
    package = Path(__file__).parents[1]
    named = os.environ.get("MAPLE_LITE_DATA")
    if named:
        if not Path(named).is_dir():
            raise FileNotFoundError(f"MAPLE_LITE_DATA names {named}, which is no folder: correct or unset it.")
        return Path(named)
    checkout = package.parent
    return checkout / "data" if (checkout / "pyproject.toml").is_file() else package / "data"


def file_stem(name: str) -> str:
    """The name of a task or table as files have it, without an ending.

    >>> file_stem("base-to-novel")
    'base_to_novel'
    """
    return name.replace("-", "_")


def atomic_write(path: str | Path, write: Callable[[Path], object]) -> None:
    """Has `write` fill a temporary file beside `path` and puts it there at once, so that no reader sees half of it.

    A failure (a full disk, a kill) leaves what was at `path` before. Raises ValueError for a folder.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
