"""Your own pictures from a CSV with the columns path and class, and perhaps split."""

from __future__ import annotations

import csv
from pathlib import Path

from maple_lite.datasets.photos.listing import SPLITS, Item, Listing, read_text, require_inside, require_pictures
from maple_lite.datasets.photos.own import hold_out, require_distinct, require_no_test_share

COLUMNS = ("path", "class")


def list_csv(file: Path, folder: Path, template: str, test_share: float | None = None, split_seed: int = 0) -> Listing:
    """The listing of a CSV with the columns path (inside `folder`), class and, if you like, split (train, val, test).

    Class names are sorted. Without the column split, `test_share` of each class is held out for testing.
    Raises ValueError for other columns, a row with an empty or strange cell, a path outside the folder or given
    twice, and class names that CLIP reads alike; FileNotFoundError for missing pictures.
    """
    rows = _rows(file)
    class_names = tuple(sorted({row["class"] for row in rows}))
    require_distinct(class_names, str(file))
    labels = {name: label for label, name in enumerate(class_names)}
    items = [Item(row["path"], labels[row["class"]]) for row in rows]
    require_pictures(folder, (item.path for item in items), file.name)
    if "split" in rows[0]:
        require_no_test_share(test_share, str(file))
        lists = _lists(items, [row["split"] for row in rows], class_names, file)
    else:
        lists = hold_out(items, class_names, str(file), test_share, split_seed)
    return Listing(file.stem, folder, template, class_names, lists, own=True)


def _rows(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV, its cells stripped and its paths in their shortest form; ValueError for the first bad one."""
    table = list(csv.reader(read_text(file).splitlines()))
    header = [column.strip() for column in table[0]] if table else []
    if sorted(header) not in (sorted(COLUMNS), sorted((*COLUMNS, "split"))):
        raise ValueError(
            f"{file} has the columns {header}: it needs path and class, and may have split, separated by commas."
        )
    rows: list[dict[str, str]] = []
    seen: dict[str, int] = {}
    for number, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        if len(cells) != len(header) or not all(row.values()):
            raise ValueError(f"{file} has {cells} in line {number}: give each of {', '.join(header)} one value.")
        if row.get("split", "train") not in SPLITS:
            raise ValueError(f"{file} has the split {row['split']!r} in line {number}: use train, val or test.")
        row["path"] = require_inside(row["path"], f"{file}, line {number},")
        first = seen.setdefault(row["path"], number)
        if first != number:
            raise ValueError(f"{file} names {row['path']} in lines {first} and {number}: name every picture once.")
        rows.append(row)
    if not rows:
        raise ValueError(f"{file} has no rows: give it a row per picture.")
    return rows


def _lists(items: list[Item], splits: list[str], class_names: tuple[str, ...], file: Path) -> dict[str, list[Item]]:
    """The items of each split; ValueError for a class without a training or a test picture."""
    lists = {
        split: [item for item, own in zip(items, splits, strict=True) if own == split]
        for split in SPLITS
        if split in splits or split != "val"
    }
    for split in ("train", "test"):
        there = {item.label for item in lists[split]}
        missing = next((name for label, name in enumerate(class_names) if label not in there), None)
        if missing is not None:
            raise ValueError(
                f"{file} has no {split} picture of class {missing!r}: give every class pictures of both kinds."
            )
    return lists
