"""Datasets of picture files: the fifteen of the field in CoOp's folder layout, and your own."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets.photos.catalog import (
    CATALOG,
    ROOT,
    Entry,
    absent,
    dataset_entry,
    dataset_name,
    datasets_root,
    named_root,
    require_present,
)
from maple_lite.datasets.photos.csvs import listed_csv
from maple_lite.datasets.photos.imagenet import listed_domain, listed_imagenet
from maple_lite.datasets.photos.listing import Listing
from maple_lite.datasets.photos.own import TEMPLATE, TEST_SHARE, listed_folder, require_no_test_share
from maple_lite.datasets.photos.photos import Photos
from maple_lite.datasets.photos.pictures import DamagedPicture, preparation, read_picture
from maple_lite.datasets.photos.splits import listed_by_split_file, listed_by_variant_files
from maple_lite.support.names import require_count

__all__ = [
    "CATALOG",
    "ROOT",
    "TEST_SHARE",
    "DamagedPicture",
    "Entry",
    "Photos",
    "absent",
    "dataset_entry",
    "dataset_name",
    "datasets_root",
    "named_root",
    "open_dataset",
    "read_picture",
]


def open_dataset(
    name_or_path: str | Path,
    root: str | Path | None = None,
    clip: FrozenCLIP | None = None,
    *,
    template: str | None = None,
    test_share: float | None = None,
    split_seed: int = 0,
    augment: bool = True,
    skip_damaged: bool = False,
) -> Photos:
    """The test set of a dataset: (normalised image [3, H, W], label) pairs; `.train` and `.val` have the rest.

    A name ("eurosat", "OxfordPets", "ImageNet-A") is looked for below `root`, by default the folder that the
    environment variable MAPLE_LITE_DATASETS names, in the layout of the CoOp repository. A path (a `Path`, or a str
    with a "/" or that ends in ".csv" or that no dataset is called) is your own pictures: a folder with a folder per
    class, or with train/ and test/ of such, or a CSV with the columns path and class and perhaps split, whose paths
    start in `root` or beside the CSV. Where you made no test set, `test_share` (0.3) of each class is held out for it,
    drawn by `split_seed`. `template` replaces the dataset's own; for your pictures it is "a photo of a {}.".
    Training pictures are cropped and mirrored at random, as the authors', which spoils signs, letters and left from
    right: `augment=False` sees them as a test does.
    Images are sized and normalised for `clip` (224 pixels, as OpenAI's, without one). `skip_damaged=True` leaves out
    files that cannot be read, and looks for them in every sample and test set; else the first of them is an error.
    Raises ValueError or FileNotFoundError, in one sentence, for everything that is missing, damaged or ambiguous.

    >>> data = open_dataset("eurosat", root="datasets", clip=clip)
    >>> base, novel = (data.subset(half) for half in base_and_novel(len(data.class_names)))
    >>> fit(PromptedCLIP(clip, MaPLe(clip), base.class_names), base.train(shots=16, seed=1), **fit_kwargs)
    """
    if template is not None and template.count("{}") != 1:
        raise ValueError(f"template needs one {{}} for the class name, got {template!r}.")
    if _is_path(name_or_path):
        share, seed = test_share, require_count("split_seed", split_seed, 0)
        listing = _own(Path(name_or_path).expanduser(), root, template or TEMPLATE, share, seed)
    else:
        listing = _from_catalog(str(name_or_path), root, template, test_share)
    prepared = preparation(clip.preprocess if clip else None)
    everything = tuple(range(len(listing.class_names)))
    return Photos(listing, prepared, everything, (), augment=augment, skip_damaged=skip_damaged).test()


def _is_path(name_or_path: str | Path) -> bool:
    """Whether this means your own pictures; a name of the catalogue wins over a folder of that name."""
    if isinstance(name_or_path, Path) or os.sep in name_or_path or name_or_path.lower().endswith(".csv"):
        return True
    return dataset_name(name_or_path) is None and Path(name_or_path).exists()


def _from_catalog(name: str, root: str | Path | None, template: str | None, test_share: float | None) -> Listing:
    """The listing of one of the fifteen."""
    entry = dataset_entry(name)
    require_no_test_share(test_share, entry.title)
    folder = require_present(entry, datasets_root(root))
    if entry.split_file:
        read = listed_by_split_file
    elif entry.name == "fgvc_aircraft":
        read = listed_by_variant_files
    else:
        read = listed_domain if entry.domain_of else listed_imagenet
    listing = read(entry, folder)
    return dataclasses.replace(listing, template=template) if template else listing


def _own(path: Path, root: str | Path | None, template: str, test_share: float | None, split_seed: int) -> Listing:
    """The listing of your own pictures."""
    if path.is_file() and path.suffix.lower() == ".csv":
        folder = Path(root).expanduser() if root else path.parent
        return listed_csv(path, folder, template, test_share, split_seed)
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder and no CSV: give a folder with a folder per class, or a .csv.")
    return listed_folder(Path(os.path.abspath(path)), template, test_share, split_seed)
