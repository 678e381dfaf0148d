"""`maple-lite datasets`: which of the fifteen datasets are there, what they lack, and fetching them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pandas as pd

from maple_lite.datasets.fetch.archives import in_units
from maple_lite.datasets.fetch.fetch import BY_HAND, SOURCES, TORCHVISION, fetch, missing
from maple_lite.datasets.fetch.mirror import archives, of_folder
from maple_lite.datasets.photos.catalog import CATALOG, FOLDER, ROOT, Entry, dataset_entry, datasets_root, named_root
from maple_lite.support.names import require_name

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm")
COLUMNS = ["name", "folder", "state", "missing", "bytes", "images"]
EVERYTHING = "all"


def available(root: str | Path) -> pd.DataFrame:
    """A row per dataset: name, folder, state, missing, bytes, images.

    The state is "ready", "incomplete" or "missing"; `missing` is the first thing that a folder lacks, "" for a ready
    one; bytes and images are what the folder holds, whatever it is.

    >>> available("datasets").query("state == 'ready'")
    """
    return pd.DataFrame([_row(entry, Path(root).expanduser()) for entry in CATALOG.values()], columns=COLUMNS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `maple-lite datasets`."""
    parser.add_argument("--root", metavar="FOLDER", help=f"the folder of all datasets; {ROOT} or ./{FOLDER} without it")
    parser.add_argument("--fetch", nargs="+", metavar="NAME", help=f"bring these; {EVERYTHING}: all but {BY_HAND}")
    parser.add_argument("--source", default=SOURCES[0], help=f"hub, or torchvision for {', '.join(TORCHVISION)}")


def run(options: argparse.Namespace) -> None:
    """Fetches what is asked for, saying first how large it is, then prints what is there.

    Raises ValueError for unknown names before anything is fetched, OSError at the end with all that went wrong.
    """
    wanted, named = _named(options.fetch or []), named_root(options.root)
    if wanted:
        named.mkdir(parents=True, exist_ok=True)
    root = datasets_root(named)
    failed = fetch_all(wanted, root, require_name("source", options.source, SOURCES))
    table = available(root)
    print(f"datasets in {root}")
    print(table.assign(bytes=table.bytes.map(in_units)).rename(columns={"bytes": "on disk"}).to_string(index=False))
    if failed:
        raise OSError("\n".join(failed))


def fetch_all(names: list[str], root: Path, source: str) -> list[str]:
    """Fetches datasets one by one, saying first how large they are; the sentences of those that failed."""
    todo = [name for name in names if missing(CATALOG[name], root)]
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
    files = archives()
    found = {name: of_folder(CATALOG[name].folder, files) for name in names}
    for name, file in found.items():
        print(f"{name}: {in_units(file.size) if file else 'not'} on the mirror")
    print(f"together {in_units(sum(file.size for file in found.values() if file))}", flush=True)


def _named(names: list[str]) -> list[str]:
    """The datasets to fetch, each once; ValueError with the close names for an unknown one."""
    if EVERYTHING in names:
        return [name for name in CATALOG if name != BY_HAND]
    return list(dict.fromkeys(dataset_entry(name).name for name in names))


def _row(entry: Entry, root: Path) -> tuple[str, str, str, str, int, int]:
    """A dataset's row of the table."""
    lacking = missing(entry, root)
    size, images = _measured(root / entry.folder)
    state = "ready" if not lacking else "incomplete" if size else "missing"
    return entry.name, entry.folder, state, lacking[0] if lacking else "", size, images


def _measured(folder: Path) -> tuple[int, int]:
    """Bytes and images in a folder and those below it; folders that are links count, as CoOp's page proposes them."""
    size = images = 0
    for where, _, files in os.walk(folder, followlinks=True):
        size += sum(os.lstat(os.path.join(where, file)).st_size for file in files)
        images += sum(file.lower().endswith(PICTURES) for file in files)
    return size, images
