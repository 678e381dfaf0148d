"""`maple-lite benchmark`: the papers' evaluation on the drawn datasets, as tables that grow cell by cell."""

from __future__ import annotations

import argparse
from typing import Any

from maple_lite.cli.shared import add_flag, add_option
from maple_lite.experiments.ablations import PRESET
from maple_lite.experiments.benchmark import benchmark, table_path
from maple_lite.experiments.grid import TABLES, Where
from maple_lite.experiments.tasks import SEEDS, summarise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cells, on which CLIP, computed where, and where their tables are kept."""
    many: dict[str, Any] = {"nargs": "+", "metavar": "NAME"}
    numbers: dict[str, Any] = {"nargs": "+", "type": int, "metavar": "N"}
    add_option(parser, "--tables", f"some of {', '.join(TABLES)}", list(TABLES), "all", **many)
    add_option(parser, "--datasets", "drawn datasets", words="the papers' choice for every table", **many)
    add_option(parser, "--methods", "learners", words="all that a table has", **many)
    add_option(parser, "--seeds", "seeds", list(SEEDS), " ".join(map(str, SEEDS)), **numbers)
    add_option(parser, "--shots", "training pictures per class", words="16, or 1 to 16 for few-shot curves", **numbers)
    add_option(parser, "--model", "tiny, or an open_clip architecture", "tiny", metavar="NAME")
    about = "the tag of an open_clip model's weights"
    add_option(parser, "--pretrained", about, words="none, which is right for tiny", metavar="TAG")
    add_option(parser, "--device", "cpu, cuda, cuda:1, ...", "cpu")
    about = "processes on this machine"
    add_option(parser, "--jobs", about, words="one per core, or one on a GPU", type=int, metavar="N")
    about = "a Dask scheduler that gets the work, such as tcp://127.0.0.1:8786"
    add_option(parser, "--cluster", about, words="this machine", metavar="ADDRESS")
    add_option(parser, "--results", "where the tables are kept", "results", metavar="FOLDER")
    add_flag(parser, "--keep-learners", "keep the trained prompts there, too", "keep the tables only")


def run(options: argparse.Namespace) -> None:
    """Runs `benchmark` as the command line says, and prints every table's means; RuntimeError when it is stopped."""
    where = Where(options.model, options.pretrained, options.device)
    how: dict[str, Any] = dict(jobs=options.jobs, cluster=options.cluster, keep_learners=options.keep_learners)
    chosen = (options.tables, options.datasets, options.methods, options.seeds, options.shots)
    try:
        tables = benchmark(*chosen, where=where, folder=options.results, **how)
    except KeyboardInterrupt as error:
        raise RuntimeError("stopped: the finished cells are kept, and the same command goes on from them.") from error
    for name, rows in tables.items():
        shown = rows.assign(method=rows.method.where(rows.variant == PRESET, rows.method + ", " + rows.variant))
        shown["method"] += shown.shots.map(" ({} shots)".format) if name == "few-shot" else ""
        file = table_path(options.results, name)
        print(f"\n{name}: {file}, mean ± standard deviation over seeds, in percent")
        print(summarise(shown).to_string(index=False))
