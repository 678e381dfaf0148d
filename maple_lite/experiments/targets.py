"""Which test sets a transfer has, if nobody names others."""

from __future__ import annotations

from pathlib import Path

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import CATALOG, HANDWRITTEN, VARIANTS, ClassificationDataset, open_dataset
from maple_lite.datasets.emoji.drawn import KIND
from maple_lite.datasets.glyphs import drawn as glyphs
from maple_lite.datasets.photos.catalog import datasets_root, find_missing


def transfer_targets(
    task: str, source: ClassificationDataset, clip: FrozenCLIP, root: str | Path | None = None
) -> tuple[dict[str, ClassificationDataset], list[str]]:
    """({name: test set} of transfer from `source`, names of those that are left out because they are not in `root`).

    They are the paper's. "cross-dataset" has the other datasets: drawn ones for a drawn source, the papers' for
    photographs. "domain-generalisation" has other pictures of the source's classes: the variants of objects, or
    ImageNet's four other test sets.
    """
    worlds = [(*kind.names, HANDWRITTEN) for kind in (KIND, glyphs.KIND)]
    drawn = next((names for names in worlds if source.name in names and not source.own), ())
    if drawn:
        if task == "cross-dataset":
            return {name: open_dataset(name, clip=clip) for name in drawn if name != source.name}, []
        variants = VARIANTS if source.name == drawn[0] else ()
        return {variant: open_dataset(source.name, clip=clip, variant=variant) for variant in variants}, []
    folder = Path(root).expanduser() if root else datasets_root()
    wanted = None if task == "cross-dataset" else source.name
    names = [entry.name for entry in CATALOG.values() if entry.domain_of == wanted and entry.name != source.name]
    left_out = [name for name in names if find_missing(CATALOG[name], folder)]
    return {name: open_dataset(name, folder, clip) for name in names if name not in left_out}, left_out
