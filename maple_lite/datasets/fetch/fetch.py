"""Fetching a dataset into the folder of all datasets, in the layout of CoOp's instructions: whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import torchvision
from filelock import FileLock, Timeout

from maple_lite.datasets.fetch import mirror
from maple_lite.datasets.fetch.archives import report_full_disk, require_room, unpack
from maple_lite.datasets.photos.catalog import Entry, dataset_entry, find_missing, is_there
from maple_lite.support.files import atomic_write
from maple_lite.support.names import require_name

SOURCES = ("hub", "torchvision")
TORCHVISION = {  # torchvision's class for each set that it downloads; it does not have the others, or only reads them
    "caltech101": "Caltech101",
    "oxford_pets": "OxfordIIITPet",
    "oxford_flowers": "Flowers102",
    "food101": "Food101",
    "fgvc_aircraft": "FGVCAircraft",
    "sun397": "SUN397",
    "dtd": "DTD",
    "eurosat": "EuroSAT",
}
BY_HAND = "imagenet"  # its terms of use keep it out of mirrors
STAGING = ".fetch"  # beside the datasets, so that finished folders only change their name
DEPTH = 2  # folders in an archive that may stand around a dataset's own
KINDS = (ValueError, FileNotFoundError, ConnectionError)  # of errors that `fetch` raises as they are, with advice
UNPACKED = 1.1  # of an archive's size: pictures hardly shrink when packed


def fetch(
    name: str,
    root: str | Path,
    source: str = "hub",
    bar: bool = True,
    *,
    endpoint: str | None = None,
) -> Path:
    """The folder of a dataset in `root`, after fetching what it lacked; a complete one is left alone.

    `source` is "hub", the mirror, or "torchvision", which has the pictures of eight sets from their authors; the
    split file comes from the mirror in both cases. `endpoint` is another server that answers as the hub does. What is
    in the folder stays as it is, and a download that was stopped goes on. Raises ValueError for unknown names and for
    files that cannot be trusted, FileNotFoundError, ConnectionError or another OSError if the mirror, the network or
    the disk fails. Each error says what to do by hand.

    >>> fetch("eurosat", "datasets")  # doctest: +SKIP
    """
    entry, source = dataset_entry(name), require_name("source", source, SOURCES)
    name = entry.name
    if source == "torchvision" and name not in TORCHVISION:
        raise ValueError(
            f"torchvision does not download {name}: leave the source out, or choose one of {_some(TORCHVISION)}."
        )
    root = Path(root).expanduser()
    if not find_missing(entry, root):
        return root / entry.folder
    if name == BY_HAND:
        lacking = _some(find_missing(entry, root))
        raise FileNotFoundError(
            f"{name} cannot be fetched: get it from image-net.org, and put {lacking} into {root / name}."
        )
    try:
        _fetch(entry, root, source, bar, endpoint)
    except Timeout as error:
        raise OSError(
            f"another process is fetching {name} into {root}: wait for it or stop it, then run again."
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        kind = next((kind for kind in KINDS if isinstance(error, kind)), OSError)
        raise kind(f"{name} was not fetched: {str(error).rstrip('.')}. {_say_by_hand(entry, root)}") from error
    return root / entry.folder


def _say_by_hand(entry: Entry, root: str | Path) -> str:
    """The sentence that says what to put where."""
    lacking = find_missing(entry, Path(root)) or list(entry.needs)
    return f"Fetch it again, or put {_some(lacking)} into {Path(root) / entry.folder} by hand."


def _fetch(entry: Entry, root: Path, source: str, bar: bool, endpoint: str | None) -> None:
    """Fetches what a dataset lacks, or raises with the reason why it still lacks something."""
    target = (root / entry.folder).resolve()  # of a link: its folder may lie on another disk
    staging = target.parent / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    with FileLock(staging / f"{entry.name}.lock", timeout=0) as lock, report_full_disk(root):
        if source == "torchvision" and _pictures(entry, root):
            _from_torchvision(entry, target, staging)
        if find_missing(entry, root):
            _from_hub(entry, root, target, staging, bar, endpoint)
        lacking = find_missing(entry, root)
        if lacking:
            raise FileNotFoundError(f"its archive on the mirror lacks {_some(lacking)}; what it holds was put in place")
        with suppress(OSError):  # parts of other downloads may lie there
            Path(lock.lock_file).unlink()
            staging.rmdir()


def _from_hub(
    entry: Entry,
    root: Path,
    target: Path,
    staging: Path,
    bar: bool,
    endpoint: str | None,
) -> None:
    """Puts in place what the mirror's archive holds: all of it, or only the lists if the pictures are there."""
    file = mirror.find_archive(entry.folder, mirror.list_archives(endpoint=endpoint))
    if file is None:
        raise FileNotFoundError(f"the mirror {mirror.REPOSITORY} has no archive of {entry.folder}")
    if not _pictures(entry, root) and file.name.endswith(".zip"):
        for need, content in mirror.read_members(file, find_missing(entry, root)).items():
            atomic_write(target / need, partial(Path.write_bytes, data=content))
        return
    require_room(staging, mirror.count_bytes_left(file, staging) + UNPACKED * file.size, file.name)
    archive = mirror.download(file, staging, bar)
    unpacked = _empty(staging / f"{entry.name}.unpacked")
    try:
        unpack(archive, unpacked, bar)
        _place(entry, unpacked, target)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    archive.unlink()


def _from_torchvision(entry: Entry, target: Path, staging: Path) -> None:
    """Puts in place the pictures that torchvision downloads; it cannot go on where it stopped, so it starts again."""
    downloaded = _empty(staging / f"{entry.name}.torchvision")
    try:
        getattr(torchvision.datasets, TORCHVISION[entry.name])(str(downloaded), download=True)
        for archive in (file for file in downloaded.rglob("*") if mirror.ARCHIVES.search(file.name)):
            archive.unlink()
        _place(entry, downloaded, target)
    finally:
        shutil.rmtree(downloaded, ignore_errors=True)


def _place(entry: Entry, unpacked: Path, target: Path) -> None:
    """Moves the folder below `unpacked` that holds most of what a dataset needs to `target`."""
    folders = [unpacked]
    for _ in range(DEPTH):
        folders += [
            child for folder in folders for child in folder.iterdir() if child.is_dir() and child not in folders
        ]
    best = max(folders, key=lambda folder: sum(is_there(folder / need) for need in entry.needs))
    if not any(is_there(best / need) for need in entry.needs):
        raise ValueError(f"what was downloaded does not hold {_some(entry.needs)}")
    _merge(best, target)


def _merge(source: Path, target: Path) -> None:
    """Moves what `target` lacks from `source`, on the same disk: whole folders at once; what is there stays."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
    elif source.is_dir() and target.is_dir():
        for child in sorted(source.iterdir(), key=Path.is_file):  # folders first: lists only when pictures are there
            _merge(child, target / child.name)


def _pictures(entry: Entry, root: Path) -> list[str]:
    """The folders of pictures that are missing."""
    return [need for need in find_missing(entry, root) if not Path(need).suffix]


def _empty(folder: Path) -> Path:
    """A new, empty folder; one that a killed process left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _some(names: Iterable[str]) -> str:
    """Names as a sentence has them: "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
