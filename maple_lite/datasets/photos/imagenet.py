"""The lists of ImageNet and of its four other test sets, from class folders and classnames.txt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maple_lite.datasets.photos.catalog import CLASSNAMES, Entry
from maple_lite.datasets.photos.listing import Item, Listing, class_folders, items_of_folders, read_text


@dataclass(frozen=True)
class ImageNet(Listing):
    """ImageNet: its test list is the validation set, as the authors have it, and its train list is read when asked.

    Files are listed in sorted order. The authors' order was that of their file system, so that their few-shot samples
    of ImageNet, alone among the fifteen, cannot be drawn again.
    """

    folders: tuple[str, ...] = ()

    @cached_property
    def training(self) -> list[Item]:
        """The train list: 1.3 million items, which an evaluation never needs."""
        _require_folders(self.folder / "train", self.folders)
        return items_of_folders(self.folder, self.folders, "train")

    def items(self, split: str) -> list[Item]:
        """The items of "train" or "test"; ValueError for "val"."""
        return self.training if split == "train" else super().items(split)

    def without(self, split: str) -> str:
        """The sentence for a list that this dataset has not."""
        return f"{self.name} has no {split} list of its own: the authors test on its validation pictures, test() them."


def listed_imagenet(entry: Entry, folder: Path) -> Listing:
    """The listing of ImageNet; ValueError for class folders that are missing, unknown or empty."""
    names = _class_names(folder / CLASSNAMES)
    folders = tuple(sorted(names))
    images = folder / entry.images
    _require_folders(images / "val", folders)
    lists = {"test": items_of_folders(images, folders, "val")}
    return ImageNet(entry.name, images, entry.template, tuple(names[f] for f in folders), lists, folders=folders)


def listed_domain(entry: Entry, folder: Path) -> Listing:
    """The listing of ImageNetV2, -Sketch, -A or -R, which have a test list alone.

    V2's folders are line numbers of classnames.txt, from 0. A and R have some of the classes, labelled anew from 0 in
    sorted order. Raises ValueError for class folders that are missing, unknown or empty.
    """
    names = _class_names(folder / CLASSNAMES)
    images = folder / entry.images
    if entry.name == "imagenetv2":
        names = {str(line): name for line, name in enumerate(names.values())}
    folders = list(names) if entry.name == "imagenetv2" else class_folders(images)
    if entry.name in ("imagenetv2", "imagenet_sketch"):
        _require_folders(images, tuple(names))
    unknown = [name for name in folders if name not in names]
    if unknown or not folders:
        raise ValueError(f"{images} holds {unknown[:1] or 'no class folder'}, not a class of {CLASSNAMES}: restore it.")
    class_names = tuple(names[name] for name in folders)
    return Listing(entry.name, images, entry.template, class_names, {"test": items_of_folders(images, folders)})


def _class_names(file: Path) -> dict[str, str]:
    """{folder: class name} of classnames.txt, in its order; ValueError for a line without both, or twice the same."""
    names: dict[str, str] = {}
    for line in read_text(file).splitlines():
        folder, _, name = line.strip().partition(" ")
        if not folder:
            continue
        if not name.strip() or folder in names:
            raise ValueError(f"{file} has the line {line!r}, a line is a folder of its own and its name: restore it.")
        names[folder] = name.strip()
    if not names:
        raise ValueError(f"{file} is empty: fetch it again.")
    return names


def _require_folders(place: Path, folders: tuple[str, ...]) -> None:
    """FileNotFoundError unless `place` holds all these class folders."""
    there = {entry.name for entry in os.scandir(place) if entry.is_dir()} if place.is_dir() else set()
    missing = [folder for folder in folders if folder not in there]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(folders)} class folders of {place} are missing, the first is {missing[0]}: "
            "extract the pictures again."
        )
