"""The lists of CoOp's split files, and of FGVC-Aircraft's own text files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maple_lite.datasets.photos.catalog import Entry
from maple_lite.datasets.photos.listing import (
    SPLITS,
    Item,
    Listing,
    order_names,
    read_text,
    require_inside,
    require_pictures,
)


def list_split_file(entry: Entry, folder: Path) -> Listing:
    """The listing of a split file: {"train": [[path, label, class name], ...], "val": ..., "test": ...}.

    Class names are the file's own: the authors wrote their renamed classes into it ("Annual Crop Land" of EuroSAT,
    "airplane" of Caltech101, without that set's BACKGROUND_Google and Faces_easy).
    Raises ValueError for a damaged file, FileNotFoundError for pictures that it names and that are missing.
    """
    file = folder / str(entry.split_file)
    content = _content(file)
    rows = {split: [_row(row, file) for row in content[split]] for split in SPLITS}
    pairs = [(label, name) for split in SPLITS for _, label, name in rows[split]]
    class_names = order_names(pairs, str(file))
    lists = {split: [Item(path, label) for path, label, _ in rows[split]] for split in SPLITS}
    return _checked(entry, folder, class_names, lists, file.name)


def list_variant_files(entry: Entry, folder: Path) -> Listing:
    """The listing of FGVC-Aircraft: classes are the lines of variants.txt, pictures those of images_variant_*.txt.

    A line of these is a picture's number and its class: "1025794 707-320". Raises ValueError for any other line.
    """
    class_names = tuple(_lines(folder / "variants.txt"))
    labels = {name: label for label, name in enumerate(class_names)}
    lists: dict[str, list[Item]] = {}
    for split in SPLITS:
        file = folder / f"images_variant_{split}.txt"
        lists[split] = []
        for line in _lines(file):
            number, _, name = line.partition(" ")
            if name not in labels:
                raise ValueError(f"{file} has the line {line!r}, whose class is not in variants.txt: restore the file.")
            lists[split].append(Item(f"{number}.jpg", labels[name]))
    return _checked(entry, folder, class_names, lists, "images_variant_*.txt")


def _checked(
    entry: Entry, folder: Path, class_names: tuple[str, ...], lists: dict[str, list[Item]], source: str
) -> Listing:
    """The listing of these lists, all of whose pictures are there."""
    images = folder / entry.images
    require_pictures(images, (item.path for split in SPLITS for item in lists[split]), source)
    return Listing(entry.name, images, entry.template, class_names, lists)


def _content(file: Path) -> dict[str, Any]:
    """A split file's content; ValueError unless it is an object of three lists."""
    try:
        content = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is damaged ({error}): fetch it again.") from None
    if not isinstance(content, dict) or any(not isinstance(content.get(split), list) for split in SPLITS):
        raise ValueError(f"{file} must hold the three lists train, val and test: fetch it again.")
    return content


def _row(row: Any, file: Path) -> tuple[str, int, str]:
    """(path, label, class name) of a row of a split file; ValueError for any other row."""
    match row:
        case [str(path), int(label), str(name)] if name.strip():
            return require_inside(path, str(file)), label, name
    raise ValueError(f"{file} has the row {row!r}, which is not [path, label, class name]: fetch the file again.")


def _lines(file: Path) -> list[str]:
    """The lines of a text file that are not empty; ValueError if there is none."""
    lines = [line.strip() for line in read_text(file).splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{file} is empty: fetch it again.")
    return lines
