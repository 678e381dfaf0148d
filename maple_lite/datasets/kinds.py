"""What the door to data knows of one kind of dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from maple_lite.protocol import ClassificationDataset


class Kind(NamedTuple):
    """A kind of dataset, as `open_dataset` needs it.

    `open(name, root, preprocess, **options)` returns the test set; `preprocess` is a CLIP's, or None. `options` names
    the options of `open_dataset` that apply to this kind, `title` is how a message calls such a dataset, and `names`
    are its datasets. `find` gives the name that a spelling means, None if this kind has none of that name.
    """

    title: str
    names: tuple[str, ...]
    options: tuple[str, ...]
    find: Callable[[str], str | None]
    open: Callable[..., ClassificationDataset]
