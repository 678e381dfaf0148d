"""Datasets: `open_dataset` opens drawn ones, handwritten digits, the papers' fifteen, and your own pictures."""

from maple_lite.datasets.emoji.drawn import DRAWN, VARIANTS
from maple_lite.datasets.handwritten import NAME as HANDWRITTEN
from maple_lite.datasets.opening import open_dataset
from maple_lite.datasets.photos.catalog import CATALOG, ROOT, datasets_root
from maple_lite.datasets.photos.own import TEST_SHARE
from maple_lite.datasets.photos.pictures import DamagedPicture
from maple_lite.protocol import ClassificationDataset

__all__ = [
    "CATALOG",
    "DRAWN",
    "HANDWRITTEN",
    "ROOT",
    "TEST_SHARE",
    "VARIANTS",
    "ClassificationDataset",
    "DamagedPicture",
    "datasets_root",
    "open_dataset",
]
