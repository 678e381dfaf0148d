"""Bringing a dataset into the folder of all datasets, laid out as CoOp's instructions have it: whole or not at all."""

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
from maple_lite.datasets.fetch.archives import full_disk_said, require_room, unpack
from maple_lite.datasets.photos.catalog import Entry, absent, dataset_entry
from maple_lite.support.files import atomic_write
from maple_lite.support.names import require_name

SOURCES = ("hub", "torchvision")
TORCHVISION = {  # torchvision's class for each set that it downloads; the others it has not, or only reads
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
    """The folder of a dataset below `root`, where what it lacked has been put; a complete one is left alone.

    `source` is "hub", the mirror, or "torchvision", which has the pictures of eight sets from their authors; the
    split file comes from the mirror in both cases. `endpoint` is another server that answers as the hub does. What is
    in the folder stays as it is, and a download that was stopped goes on. Raises ValueError for unknown names and what
    cannot be trusted, FileNotFoundError, ConnectionError or another OSError for the mirror, the network and the disk,
    each with what to do by hand.

    >>> fetch("eurosat", "datasets")
    """
    entry, source = dataset_entry(name), require_name("source", source, SOURCES)
    name = entry.name
    if source == "torchvision" and name not in TORCHVISION:
        raise ValueError(f"torchvision does not download {name}: leave the source out, or choose {_some(TORCHVISION)}.")
    root = Path(root).expanduser()
    if not absent(entry, root):
        return root / entry.folder
    if name == BY_HAND:
        lacking = _some(absent(entry, root))
        raise FileNotFoundError(f"{name} is not fetched: get it from image-net.org, put {lacking} into {root / name}.")
    try:
        _fetch(entry, root, source, bar, endpoint)
    except Timeout as error:
        raise OSError(
            f"another process fetches {name} into {root}: wait for it, or stop it, then run again."
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        kind = next((kind for kind in KINDS if isinstance(error, kind)), OSError)
        raise kind(f"{name} was not fetched: {str(error).rstrip('.')}. {by_hand(entry, root)}") from error
    return root / entry.folder


def by_hand(entry: Entry, root: str | Path) -> str:
    """The sentence that says what to put where."""
    lacking = absent(entry, Path(root)) or list(entry.needs)
    return f"Fetch it again, or put {_some(lacking)} into {Path(root) / entry.folder} by hand."


def _fetch(entry: Entry, root: Path, source: str, bar: bool, endpoint: str | None) -> None:
    """Brings what a dataset lacks, or raises with the reason why it still lacks something."""
    target = (root / entry.folder).resolve()  # of a link: its folder may lie on another disk
    staging = target.parent / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    with FileLock(staging / f"{entry.name}.lock", timeout=0) as lock, full_disk_said(root):
        if source == "torchvision" and _pictures(entry, root):
            _from_torchvision(entry, target, staging)
        if absent(entry, root):
            _from_hub(entry, root, target, staging, bar, endpoint)
        lacking = absent(entry, root)
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
    """Puts what the mirror's archive holds in place: all of it, or only the lists where the pictures are there."""
    file = mirror.of_folder(entry.folder, mirror.archives(endpoint=endpoint))
    if file is None:
        raise FileNotFoundError(f"the mirror {mirror.REPOSITORY} has no archive of {entry.folder}")
    if not _pictures(entry, root) and file.name.endswith(".zip"):
        for need, content in mirror.read_members(file, absent(entry, root)).items():
            atomic_write(target / need, partial(Path.write_bytes, data=content))
        return
    require_room(staging, mirror.left_to_download(file, staging) + UNPACKED * file.size, file.name)
    archive = mirror.download(file, staging, bar)
    unpacked = _empty(staging / f"{entry.name}.unpacked")
    try:
        unpack(archive, unpacked, bar)
        _place(entry, unpacked, target)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    archive.unlink()


def _from_torchvision(entry: Entry, target: Path, staging: Path) -> None:
    """Puts the pictures in place that torchvision downloads; it cannot go on where it stopped, so it begins anew."""
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
    best = max(folders, key=lambda folder: sum(_is_there(folder / need) for need in entry.needs))
    if not any(_is_there(best / need) for need in entry.needs):
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
    """What is missing beside the lists: the folders of pictures."""
    return [need for need in absent(entry, root) if not Path(need).suffix]


def _is_there(path: Path) -> bool:
    """Whether there is a file, or a folder with something in it."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _empty(folder: Path) -> Path:
    """A new folder, in the place of one that a killed process left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _some(names: Iterable[str]) -> str:
    """Names as a sentence has them: "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
