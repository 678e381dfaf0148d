"""The emoji that are drawn: their datasets, their names, and what kind of thing each of them is."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import pandas as pd

from maple_lite.support.files import data_folder

COLUMNS = ["character", "dataset", "name", "other names", "kind", "mirrored"]


class Emoji(NamedTuple):
    """An emoji of a dataset.

    `name` is the formal name (Unicode's, as a rule) and the class name; `other_names` are what people say instead.
    `kind` completes "a kind of"; `mirrored` is whether its mirror image shows the same thing.
    """

    character: str
    dataset: str
    name: str
    other_names: tuple[str, ...]
    kind: str
    mirrored: bool


@lru_cache
def all_emoji() -> tuple[Emoji, ...]:
    """All emoji of all datasets, in the order of `data/pictures.csv`; an emoji's id is its place in it.

    Raises FileNotFoundError if the table is missing.

    >>> fox = next(emoji for emoji in all_emoji() if emoji.name == "fox")
    >>> fox.character, fox.dataset, fox.kind
    ('🦊', 'animals', 'animal')
    """
    path = data_folder() / "pictures.csv"
    if not path.is_file():
        raise FileNotFoundError(f"the table of pictures {path} is missing: restore the data folder.")
    table = pd.read_csv(path, keep_default_na=False)[COLUMNS]
    return tuple(_emoji(*row) for row in table.itertuples(index=False))


def _emoji(character: str, dataset: str, name: str, others: str, kind: str, mirrored: str) -> Emoji:
    """The emoji of one row."""
    return Emoji(character, dataset, name, tuple(others.split("; ")) if others else (), kind, mirrored == "yes")


def emoji_of(dataset: str) -> tuple[Emoji, ...]:
    """The emoji of one dataset, in the order of its labels.

    >>> [emoji.name for emoji in emoji_of("sea")][:3]
    ['anchor', 'blowfish', 'coral']
    """
    return tuple(emoji for emoji in all_emoji() if emoji.dataset == dataset)
