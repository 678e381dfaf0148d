"""Your own pictures: a folder with one sub-folder per class, as one set or as train/ and test/."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from mimetypes import guess_type
from pathlib import Path

from maple_lite.datasets.photos.listing import SPLITS, Item, Listing, list_class_folders, list_items

TEMPLATE = "a photo of a {}."
TEST_SHARE = 0.3  # of each class, held out for testing if you have made no test set


def list_folder(folder: Path, template: str, test_share: float | None = None, split_seed: int = 0) -> Listing:
    """The listing of a folder of class folders, or of train/ and test/ (and val/) that each hold the class folders.

    Class names are the folders' names, sorted. If there is no test/, `test_share` of each class is held out for
    testing, drawn by `split_seed`. Hidden files and folders (".name") do not count.
    Raises ValueError for an empty class folder, names that CLIP reads alike, pictures outside the class folders, or
    splits with different classes.
    """
    _require_no_loose_pictures(folder)
    names = list_class_folders(folder)
    splits = [split for split in SPLITS if split in names]
    if splits and ({"train", "test"} <= set(names) or set(names) <= set(SPLITS)):
        return _with_splits(folder, names, template, test_share)
    require_distinct(names, str(folder))
    if not names:
        raise ValueError(f"{folder} holds no class folders: give every class a folder with its pictures.")
    items = list_items(folder, names)
    lists = hold_out(items, tuple(names), str(folder), test_share, split_seed)
    return Listing(folder.name, folder, template, tuple(names), lists, own=True)


def hold_out(
    items: list[Item], class_names: tuple[str, ...], source: str, test_share: float | None, split_seed: int
) -> dict[str, list[Item]]:
    """{"train": ..., "test": ...} of one set. A share of each class is for testing: rounded, at least one, never all.

    Which pictures these are depends on `split_seed`, the class's name and its pictures, and on nothing else: one more
    class changes no other. Raises ValueError for a share outside 0 to 1, or a class of one picture.
    """
    share = TEST_SHARE if test_share is None else test_share
    if not 0 < share < 1:
        raise ValueError(f"test_share must lie between 0 and 1, got {test_share}.")
    members: dict[int, list[Item]] = {label: [] for label in range(len(class_names))}
    for item in items:
        members[item.label].append(item)
    chosen: set[Item] = set()
    for label, own in members.items():
        if len(own) < 2:
            raise ValueError(
                f"class {class_names[label]!r} of {source} has {len(own)} picture: it needs one to train on and one "
                "to test on."
            )
        count = min(max(1, round(share * len(own))), len(own) - 1)
        chosen |= set(random.Random(f"{split_seed}/{class_names[label]}").sample(sorted(own), count))
    return {
        "train": [item for item in items if item not in chosen],
        "test": [item for item in items if item in chosen],
    }


def require_distinct(names: Iterable[str], source: str) -> None:
    """ValueError for class names that CLIP reads alike ("red_fox" and "Red fox"): their logits would tie."""
    seen: dict[str, str] = {}
    for name in names:
        spoken = " ".join(name.replace("_", " ").lower().split())
        if not spoken:
            raise ValueError(f"{source} has a class named {name!r}, which holds no word: rename it.")
        if spoken in seen:
            raise ValueError(
                f"{source} has the classes {seen[spoken]!r} and {name!r}, which CLIP reads alike: rename one."
            )
        seen[spoken] = name


def require_no_test_share(test_share: float | None, source: str) -> None:
    """ValueError for a share to hold out of data that has a test set."""
    if test_share is not None:
        raise ValueError(f"{source} has a test set of its own: leave test_share={test_share} out.")


def _with_splits(folder: Path, names: list[str], template: str, test_share: float | None) -> Listing:
    """The listing of train/ and test/ (and val/), which must hold the same classes."""
    strange = [name for name in names if name not in SPLITS]
    if strange or not {"train", "test"} <= set(names):
        raise ValueError(
            f"{folder} holds {' and '.join(names[:4])}: give it train/ and test/ (and val/ if you like) and no other "
            "folder, or one folder per class."
        )
    require_no_test_share(test_share, str(folder))
    classes = {split: list_class_folders(folder / split) for split in names}
    for split, own in classes.items():
        odd = sorted(set(own) ^ set(classes["train"]))
        if odd or not own:
            what = f"the class {odd[0]!r} is in only one of them" if odd else "they hold no class folders"
            raise ValueError(f"train/ and {split}/ of {folder} must hold the same classes: {what}.")
        _require_no_loose_pictures(folder / split)
    require_distinct(classes["train"], str(folder))
    lists = {split: list_items(folder, own, split) for split, own in classes.items()}
    return Listing(folder.name, folder, template, tuple(classes["train"]), lists, own=True)


def _require_no_loose_pictures(folder: Path) -> None:
    """ValueError for pictures beside the class folders: they have no label. Other files there do not count."""
    files = (entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))
    loose = sorted(name for name in files if str(guess_type(name, strict=False)[0]).startswith("image/"))
    if loose:
        raise ValueError(
            f"pictures lie in {folder} itself ({len(loose)}, the first is {loose[0]}): put each into the folder of its "
            "class."
        )
