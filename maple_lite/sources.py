"""Where the command line finds its pictures: drawn, in the folder of all datasets (fetched if need be), or your own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import CATALOG, absent, dataset_name, named_root, open_dataset
from maple_lite.datasets.fetch.available import fetch_all
from maple_lite.datasets.fetch.fetch import SOURCES
from maple_lite.datasets.glyphs.drawn import DRAWN
from maple_lite.datasets.glyphs.styles import VARIANTS
from maple_lite.experiments.tasks import Task
from maple_lite.pretraining.gauges import pictures

HANDWRITTEN = "handwritten"


def find_data(name: str, clip: FrozenCLIP, root: str | None = None, **options: Any) -> Task:
    """The dataset that a name means, as `clip` looks at it: drawn, one of the fifteen, or the path of your own.

    One of the fifteen that is not there is fetched into `root`, its size announced first; `options` are those of
    `open_dataset`. Raises ValueError, FileNotFoundError or another OSError that says what is missing.
    """
    if name in (*DRAWN, HANDWRITTEN) and not Path(name).is_dir():
        return pictures(clip, name)
    known, folder = dataset_name(name), root and Path(root)
    if known:
        folder = named_root(root)
        _fetch_if_absent(known, folder)
    chosen = {key: value for key, value in options.items() if value is not None}
    return open_dataset(name, folder, clip, **chosen)


def find_targets(
    task: str, source: Task, named: Sequence[str] | None, clip: FrozenCLIP, root: str | None = None
) -> tuple[dict[str, Task], list[str]]:
    """({name: test set} of transfer from `source`, names that were left out because they are not there).

    Without names they are the paper's: the other datasets, or the source's own classes in other pictures. What is
    named and not there is fetched.
    """
    if named:
        return {target.name: target for target in (find_data(name, clip, root) for name in named)}, []
    if source.name in DRAWN:
        if task == "cross-dataset":
            names = [name for name in (*DRAWN, HANDWRITTEN) if name != source.name]
            return {name: pictures(clip, name) for name in names}, []
        variants = VARIANTS if source.name == "objects" else ()
        return {variant: pictures(clip, source.name, variant=variant) for variant in variants}, []
    wanted = None if task == "cross-dataset" else source.name
    names = [entry.name for entry in CATALOG.values() if entry.domain_of == wanted and entry.name != source.name]
    left = [name for name in names if absent(CATALOG[name], named_root(root))]
    return {name: find_data(name, clip, root) for name in names if name not in left}, left


def _fetch_if_absent(name: str, root: Path) -> None:
    """Fetches one of the fifteen into `root` unless it is there; OSError with what to do by hand."""
    if not absent(CATALOG[name], root):
        return
    root.mkdir(parents=True, exist_ok=True)
    failed = fetch_all([name], root, SOURCES[0])
    if failed:
        raise OSError(failed[0])
