"""Opening datasets of picture files: one of the papers' fifteen, or your own."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from open_clip.transform import PreprocessCfg

from maple_lite.datasets.kinds import Kind
from maple_lite.datasets.photos.catalog import CATALOG, dataset_entry, dataset_name, datasets_root, require_present
from maple_lite.datasets.photos.csvs import list_csv
from maple_lite.datasets.photos.imagenet import list_domain, list_imagenet
from maple_lite.datasets.photos.listing import Listing
from maple_lite.datasets.photos.own import TEMPLATE, list_folder, require_no_test_share
from maple_lite.datasets.photos.photos import Photos
from maple_lite.datasets.photos.pictures import make_preparation
from maple_lite.datasets.photos.splits import list_split_file, list_variant_files
from maple_lite.support.names import require_count


def open_listed(
    name: str,
    root: str | Path | None,
    preprocess: PreprocessCfg | None,
    *,
    template: str | None,
    test_share: float | None,
    augment: bool,
    skip_damaged: bool,
) -> Photos:
    """The test set of one of the fifteen, whose folder lies in `root`.

    Raises ValueError or FileNotFoundError for what is missing or damaged there.
    """
    if template is not None:
        _require_one_gap(template)
    entry = dataset_entry(name)
    require_no_test_share(test_share, entry.title)
    folder = require_present(entry, datasets_root(root))
    if entry.split_file:
        read = list_split_file
    elif entry.name == "fgvc_aircraft":
        read = list_variant_files
    else:
        read = list_domain if entry.domain_of else list_imagenet
    listing = read(entry, folder)
    listing = dataclasses.replace(listing, template=template or listing.template)
    return _test_set(listing, preprocess, augment, skip_damaged)


def open_own(
    name: str,
    root: str | Path | None,
    preprocess: PreprocessCfg | None,
    *,
    template: str | None,
    test_share: float | None,
    split_seed: int,
    augment: bool,
    skip_damaged: bool,
) -> Photos:
    """The test set of your own pictures at the path `name`; `root` is where a CSV's paths start, if not beside it.

    Raises ValueError or FileNotFoundError for what is missing or ambiguous there.
    """
    path, template = Path(name).expanduser(), TEMPLATE if template is None else template
    _require_one_gap(template)
    seed = require_count("split_seed", split_seed, 0)
    if path.is_file() and path.suffix.lower() == ".csv":
        folder = Path(root).expanduser() if root else path.parent
        listing = list_csv(path, folder, template, test_share, seed)
    elif path.is_dir():
        listing = list_folder(Path(os.path.abspath(path)), template, test_share, seed)
    else:
        raise FileNotFoundError(
            f"{path} is neither a folder nor a CSV: give a folder with a folder per class, or a .csv file."
        )
    return _test_set(listing, preprocess, augment, skip_damaged)


PAPERS = Kind(
    title="one of the papers' datasets",
    names=tuple(CATALOG),
    options=("template", "test_share", "augment", "skip_damaged"),
    find=dataset_name,
    open=open_listed,
)
OWN = Kind(
    title="a path of your own pictures",
    names=(),
    options=("template", "test_share", "split_seed", "augment", "skip_damaged"),
    find=lambda spelling: spelling if Path(spelling).expanduser().exists() else None,
    open=open_own,
)


def _require_one_gap(template: str) -> None:
    """ValueError unless a template has one {} for the class name."""
    if template.count("{}") != 1:
        raise ValueError(f"template needs one {{}} for the class name, got {template!r}.")


def _test_set(listing: Listing, preprocess: PreprocessCfg | None, augment: bool, skip_damaged: bool) -> Photos:
    """The test set of a listing, all its classes."""
    everything = tuple(range(len(listing.class_names)))
    data = Photos(listing, make_preparation(preprocess), everything, (), augment=augment, skip_damaged=skip_damaged)
    return data.test()
