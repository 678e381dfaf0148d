"""`maple-lite datasets`: which of the papers' datasets are there, and fetching others."""

from __future__ import annotations

import argparse

from maple_lite.cli.fetching import datasets_folder, fetch_all
from maple_lite.cli.shared import add_option, add_root
from maple_lite.datasets import CATALOG, datasets_root
from maple_lite.datasets.fetch.archives import format_bytes
from maple_lite.datasets.fetch.available import available
from maple_lite.datasets.fetch.fetch import BY_HAND, SOURCES, TORCHVISION
from maple_lite.datasets.photos.catalog import dataset_entry
from maple_lite.support.names import require_name

EVERYTHING = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the datasets are, which to fetch, and from where."""
    add_root(parser)
    about = f"fetch these, or {EVERYTHING} for all but {BY_HAND}"
    add_option(parser, "--fetch", about, words="fetch none", nargs="+", metavar="NAME")
    add_option(parser, "--source", f"hub, or torchvision for {', '.join(TORCHVISION)}", SOURCES[0])


def run(options: argparse.Namespace) -> None:
    """Fetches the datasets that are asked for, after saying how large they are; then prints which are there.

    Raises ValueError for unknown names before anything is fetched, OSError at the end with all that went wrong.
    """
    names, folder = _names(options.fetch or []), datasets_folder(options.root)
    source = require_name("source", options.source, SOURCES)
    if names:
        folder.mkdir(parents=True, exist_ok=True)
    root = datasets_root(folder)
    failed = fetch_all(names, root, source)
    table = available(root)
    print(f"datasets in {root}")
    print(table.assign(bytes=table.bytes.map(format_bytes)).rename(columns={"bytes": "on disk"}).to_string(index=False))
    if failed:
        raise OSError("\n".join(failed))


def _names(names: list[str]) -> list[str]:
    """The datasets to fetch, each once; ValueError with the close names for an unknown one."""
    if EVERYTHING in names:
        return [name for name in CATALOG if name != BY_HAND]
    return list(dict.fromkeys(dataset_entry(name).name for name in names))
