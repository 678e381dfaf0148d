"""What a dataset lists: which picture has which label, in which split, and the checks that every list needs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SPLITS = ("train", "val", "test")


class Item(NamedTuple):
    """One picture: its path below the listing's folder, and its label."""

    path: str
    label: int


@dataclass(frozen=True)
class Listing:
    """The lists of a dataset in their order; label i is `class_names[i]`, paths start in `folder`."""

    name: str
    folder: Path
    template: str
    class_names: tuple[str, ...]
    lists: Mapping[str, list[Item]]
    own: bool = False  # a user's own pictures are turned as their camera says; the authors' code turns none

    def items(self, split: str) -> list[Item]:
        """The items of "train", "val" or "test"; ValueError if the dataset has no such list."""
        if split not in self.lists:
            raise ValueError(self.without(split))
        return self.lists[split]

    def without(self, split: str) -> str:
        """The error for a list that this dataset does not have."""
        kind = {"train": "training", "val": "validation"}.get(split, split)
        return f"{self.name} has no {kind} list, only {' and '.join(self.lists)}: use another dataset or list."


def order_names(pairs: Iterable[tuple[int, str]], source: str) -> tuple[str, ...]:
    """Class names in the order of their labels, from (label, name) pairs; `source` says in errors where they come from.

    Raises ValueError for two names of one label, or labels that are not 0 to C - 1.
    """
    names: dict[int, str] = {}
    for label, name in pairs:
        if names.setdefault(label, name) != name:
            raise ValueError(f"{source} calls label {label} both {names[label]!r} and {name!r}: restore the file.")
    gap = next((label for label in range(len(names)) if label not in names), None)
    if gap is not None or not names:
        raise ValueError(f"{source} has {len(names)} classes, but none with label {gap or 0}: restore the file.")
    return tuple(names[label] for label in range(len(names)))


def require_inside(path: str, source: str) -> str:
    """`path` in its shortest form; ValueError unless it stays inside the folder that it starts in."""
    short = os.path.normpath(path)
    if not path or os.path.isabs(path) or short == os.curdir or short.split(os.sep)[0] == os.pardir:
        raise ValueError(f"{source} names {path!r}, which is not a file inside its folder: give a path inside it.")
    return short


def require_pictures(folder: Path, paths: Iterable[str], source: str) -> None:
    """FileNotFoundError, with their number and the first, for `paths` that are not in `folder`.

    Each folder is listed once. To ask for every file would be slow: there may be a hundred thousand.
    """
    wanted = list(paths)
    found: dict[str, set[str]] = {}
    missing = []
    for path in wanted:
        parent, name = os.path.split(path)
        if parent not in found:
            found[parent] = set(os.listdir(folder / parent)) if (folder / parent).is_dir() else set()
        if name not in found[parent]:
            missing.append(path)
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(wanted)} pictures that {source} lists are missing in {folder}, the first "
            f"is {missing[0]}: restore them."
        )


def list_class_folders(folder: Path) -> list[str]:
    """Sorted names of the folders in `folder`; hidden ones (".name") and files do not count."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def list_pictures(folder: Path) -> list[str]:
    """Sorted names of the files in a class folder; hidden ones (".DS_Store") do not count.

    Raises ValueError for an empty folder and for one that holds folders.
    """
    inside = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    deeper = sorted(entry.name for entry in inside if entry.is_dir())
    if deeper:
        raise ValueError(f"the class folder {folder} holds the folder {deeper[0]!r}: put its pictures directly in it.")
    if not inside:
        raise ValueError(f"the class folder {folder} is empty: put pictures into it, or remove it.")
    return sorted(entry.name for entry in inside)


def list_items(folder: Path, class_names: Iterable[str], below: str = "") -> list[Item]:
    """The items of the class folders in `folder`/`below`, class after class, label i for the i-th.

    Paths start in `folder`.
    """
    items = []
    for label, name in enumerate(class_names):
        place = os.path.join(below, name)
        items += [Item(os.path.join(place, picture), label) for picture in list_pictures(folder / place)]
    return items


def require_shots(items: list[Item], shots: int, class_names: tuple[str, ...], name: str) -> None:
    """ValueError that names the first class with fewer than `shots` items.

    The authors' code would draw such a class's pictures repeatedly; no class of the fifteen is so small at 16 shots.
    """
    counts = Counter(item.label for item in items)
    for label, class_name in enumerate(class_names):
        if counts[label] < shots:
            raise ValueError(
                f"class {class_name!r} of {name} has {counts[label]} images to draw from, {shots} shots were asked "
                "for: ask for fewer, or add pictures."
            )


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; ValueError for another encoding."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8."
        ) from None
