"""The lists of ImageNet and of its four other test sets, from class folders and classnames.txt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maple_lite.datasets.photos.catalog import CLASSNAMES, Entry
from maple_lite.datasets.photos.listing import Item, Listing, list_class_folders, list_items, read_text


@dataclass(frozen=True)
class ImageNet(Listing):
    """ImageNet. Its test list is the validation set, as in the authors' code; its train list is read only if needed.

    Files are listed in sorted order. The authors' order was that of their file system, which is not known. So their
    few-shot samples of ImageNet cannot be drawn again; those of the other datasets can.
    """

    folders: tuple[str, ...] = ()

    @cached_property
    def training(self) -> list[Item]:
        """The train list: 1.3 million items, which an evaluation never needs."""
        _require_folders(self.folder / "train", self.folders)
        return list_items(self.folder, self.folders, "train")

    def items(self, split: str) -> list[Item]:
        """The items of "train" or "test"; ValueError for "val"."""
        return self.training if split == "train" else super().items(split)

    def without(self, split: str) -> str:
        """The error for a list that this dataset does not have."""
        return f"{self.name} has no {split} list of its own: the authors, and test() too, use its validation pictures."


def list_imagenet(entry: Entry, folder: Path) -> Listing:
    """The listing of ImageNet; ValueError for class folders that are missing, unknown or empty."""
    names = _class_names(folder / CLASSNAMES)
    folders = tuple(sorted(names))
    images = folder / entry.images
    _require_folders(images / "val", folders)
    lists = {"test": list_items(images, folders, "val")}
    return ImageNet(entry.name, images, entry.template, tuple(names[f] for f in folders), lists, folders=folders)


def list_domain(entry: Entry, folder: Path) -> Listing:
    """The listing of ImageNetV2, -Sketch, -A or -R, which have only a test list.

    V2's folders are line numbers of classnames.txt, from 0. A and R have some of the classes, relabelled from 0 in
    sorted order. Raises ValueError for class folders that are missing, unknown or empty.
    """
    names = _class_names(folder / CLASSNAMES)
    images = folder / entry.images
    if entry.name == "imagenetv2":
        names = {str(line): name for line, name in enumerate(names.values())}
    folders = list(names) if entry.name == "imagenetv2" else list_class_folders(images)
    if entry.name in ("imagenetv2", "imagenet_sketch"):
        _require_folders(images, tuple(names))
    if not folders:
        raise ValueError(f"{images} holds no class folders: extract the pictures again.")
    unknown = [name for name in folders if name not in names]
    if unknown:
        raise ValueError(f"{images} holds the folder {unknown[0]!r}, which {CLASSNAMES} does not name: restore it.")
    class_names = tuple(names[name] for name in folders)
    return Listing(entry.name, images, entry.template, class_names, {"test": list_items(images, folders)})


def _class_names(file: Path) -> dict[str, str]:
    """{folder: class name} of classnames.txt, in its order; ValueError for a line without both, or a folder twice."""
    names: dict[str, str] = {}
    for line in read_text(file).splitlines():
        folder, _, name = line.strip().partition(" ")
        if not folder:
            continue
        if not name.strip() or folder in names:
            raise ValueError(
                f"{file} has the line {line!r}, but each line names one more folder and its class: restore it."
            )
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
