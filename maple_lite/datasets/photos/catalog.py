"""The fifteen datasets of the field: their names, their folders, and what each folder must hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from maple_lite.presets import template
from maple_lite.support.names import require_name

ROOT = "MAPLE_LITE_DATASETS"  # the environment variable that names the folder of all datasets


@dataclass(frozen=True)
class Entry:
    """One dataset: where its pictures and lists lie below the folder of all datasets, as CoOp's instructions have it.

    `images` is relative to `folder`; so are `needs`, all that must exist before the dataset can be opened.
    `domain_of` names the dataset that has the same classes, if these are other pictures of them.
    """

    name: str
    title: str
    folder: str
    split_file: str | None
    images: str
    needs: tuple[str, ...]
    domain_of: str | None = None

    @property
    def template(self) -> str:
        """The paper's zero-shot sentence, with one {} for the class name."""
        return template(self.domain_of or self.name)


def _with_split(name: str, title: str, folder: str, images: str, split: str) -> Entry:
    """A dataset with a split file that lists its pictures; paths start in `images`, or in its folder if that is ""."""
    split_file = f"split_zhou_{split}.json"
    pictures = ("cars_train", "cars_test") if name == "stanford_cars" else (images,)
    return Entry(name, title, folder, split_file, images, (*pictures, split_file))


def _domain(name: str, title: str, folder: str, images: str) -> Entry:
    """Other pictures of ImageNet's classes, for testing."""
    return Entry(name, title, folder, None, images, (images, CLASSNAMES), "imagenet")


CLASSNAMES = "classnames.txt"  # "n01440764 tench" a line, ImageNet's classes in the order of their labels
VARIANTS = ("variants.txt", *(f"images_variant_{split}.txt" for split in ("train", "val", "test")))
_ENTRIES = (
    Entry("imagenet", "ImageNet", "imagenet", None, "images", ("images/train", "images/val", CLASSNAMES)),
    _with_split("caltech101", "Caltech101", "caltech-101", "101_ObjectCategories", "Caltech101"),
    _with_split("oxford_pets", "OxfordPets", "oxford_pets", "images", "OxfordPets"),
    _with_split("stanford_cars", "StanfordCars", "stanford_cars", "", "StanfordCars"),
    _with_split("oxford_flowers", "Flowers102", "oxford_flowers", "jpg", "OxfordFlowers"),
    _with_split("food101", "Food101", "food-101", "images", "Food101"),
    Entry("fgvc_aircraft", "FGVCAircraft", "fgvc_aircraft", None, "images", ("images", *VARIANTS)),
    _with_split("sun397", "SUN397", "sun397", "SUN397", "SUN397"),
    _with_split("dtd", "DTD", "dtd", "images", "DescribableTextures"),
    _with_split("eurosat", "EuroSAT", "eurosat", "2750", "EuroSAT"),
    _with_split("ucf101", "UCF101", "ucf101", "UCF-101-midframes", "UCF101"),
    _domain("imagenetv2", "ImageNetV2", "imagenetv2", "imagenetv2-matched-frequency-format-val"),
    _domain("imagenet_sketch", "ImageNet-Sketch", "imagenet-sketch", "images"),
    _domain("imagenet_a", "ImageNet-A", "imagenet-adversarial", "imagenet-a"),
    _domain("imagenet_r", "ImageNet-R", "imagenet-rendition", "imagenet-r"),
)
CATALOG: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
_OTHER_SPELLINGS = {"describabletextures": "dtd", "oxfordflowers102": "oxford_flowers", "aircraft": "fgvc_aircraft"}


def dataset_name(spelling: str) -> str | None:
    """The name in the catalogue that a spelling means ("OxfordPets", "caltech-101", "ImageNet-A"), or None.

    Names, titles, folders and the authors' names of their classes are known, whatever their case and punctuation.
    """
    spellings = dict(_OTHER_SPELLINGS)
    for entry in CATALOG.values():
        spellings |= {_letters(own): entry.name for own in (entry.name, entry.title, entry.folder)}
    return spellings.get(_letters(spelling))


def _letters(spelling: str) -> str:
    """A spelling's letters and digits in lower case."""
    return "".join(character for character in spelling.lower() if character.isalnum())


def dataset_entry(spelling: str) -> Entry:
    """The catalogue's entry of a name in any spelling; ValueError with the close names.

    >>> dataset_entry("OxfordPets").folder
    'oxford_pets'
    """
    return CATALOG[dataset_name(spelling) or require_name("dataset", spelling, CATALOG)]


def datasets_root(root: str | Path | None = None) -> Path:
    """The folder of all datasets: `root`, else what the environment variable MAPLE_LITE_DATASETS names.

    Raises ValueError if neither is given, and FileNotFoundError if it is not a folder.
    """
    named = root or os.environ.get(ROOT)
    if not named:
        raise ValueError(
            f"no folder of datasets is named: set the environment variable {ROOT}, or pass root= (--root)."
        )
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: correct {'root' if root else ROOT}, or make it.")
    return folder


def find_missing(entry: Entry, root: Path) -> list[str]:
    """What a dataset needs and its folder in `root` does not have, in the order of its needs."""
    return [need for need in entry.needs if not is_there(root / entry.folder / need)]


def is_there(path: Path) -> bool:
    """Whether there is a file, or a folder with something in it."""
    return any(path.iterdir()) if path.is_dir() else path.exists()


def require_present(entry: Entry, root: Path) -> Path:
    """The folder of a dataset that has all it needs; otherwise FileNotFoundError that says what to put where."""
    folder, missing = root / entry.folder, find_missing(entry, root)
    if missing:
        raise FileNotFoundError(
            f"{entry.title} is {'incomplete' if folder.is_dir() else 'not there'}: put {' and '.join(missing)} into "
            f"{folder}, as the DATASETS page of the CoOp repository says, or run "
            f"`maple-lite datasets --fetch {entry.name}`."
        )
    return folder
