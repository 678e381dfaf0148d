"""Opening the data that a command names, and fetching it first if it is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import CATALOG, ROOT, ClassificationDataset, open_dataset
from maple_lite.datasets.fetch.archives import format_bytes
from maple_lite.datasets.fetch.fetch import SOURCES, fetch
from maple_lite.datasets.fetch.mirror import find_archive, list_archives
from maple_lite.datasets.opening import find_kind
from maple_lite.datasets.photos.catalog import find_missing
from maple_lite.datasets.photos.opening import PAPERS

FOLDER = "datasets"  # the folder of all datasets, if neither an option nor the environment names one


def datasets_folder(root: str | Path | None = None) -> Path:
    """The folder of all datasets: `root`, else what MAPLE_LITE_DATASETS names, else "datasets" in the current one."""
    return Path(root or os.environ.get(ROOT) or FOLDER).expanduser()


def open_or_fetch(name: str, clip: FrozenCLIP, root: str | None = None, **options: Any) -> ClassificationDataset:
    """The dataset of a name or path, as `open_dataset` opens it with `options`; those that are None do not count.

    If it is one of the fifteen and not there, it is fetched first, after saying how large it is. A folder in the
    current one wins over a drawn dataset of the same name. Raises ValueError, FileNotFoundError or another OSError
    that says what is missing.
    """
    given = {option: value for option, value in options.items() if value is not None}
    kind, known = find_kind(name)
    if kind is not PAPERS:
        return open_dataset(Path(name) if Path(name).is_dir() else name, root, clip, **given)
    folder = datasets_folder(root)
    if find_missing(CATALOG[known], folder):
        folder.mkdir(parents=True, exist_ok=True)
        for failure in fetch_all([known], folder, SOURCES[0]):
            raise OSError(failure)
    return open_dataset(known, folder, clip, **given)


def fetch_all(names: list[str], root: Path, source: str) -> list[str]:
    """Fetches datasets one by one, after saying how large they are; the sentences of those that failed."""
    todo = [name for name in names if find_missing(CATALOG[name], root)]
    failed = []
    try:
        if todo and source == SOURCES[0]:
            _announce(todo)
        for name in todo:
            try:
                print(f"{name}: {fetch(name, root, source)}", flush=True)
            except (OSError, ValueError) as error:
                failed.append(str(error))
    except OSError as error:  # of the announcement: without the mirror none would succeed
        return [f"nothing was fetched: {error}. Try again, or put by hand what is missing."]
    except KeyboardInterrupt as error:
        raise RuntimeError("stopped: what has come is kept, and the same command goes on from it.") from error
    return failed


def _announce(names: list[str]) -> None:
    """Prints the size of each dataset's archive on the mirror, and their sum."""
    files = list_archives()
    found = {name: find_archive(CATALOG[name].folder, files) for name in names}
    for name, file in found.items():
        print(f"{name}: {format_bytes(file.size) if file else 'not'} on the mirror")
    print(f"together {format_bytes(sum(file.size for file in found.values() if file))}", flush=True)
