"""The whole evaluation as one command: cells in local processes or on a Dask cluster, every result kept at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import DRAWN
from maple_lite.experiments.grid import (
    CLASSIFIERS,
    SOURCE,
    TABLES,
    Cell,
    Finished,
    Where,
    clip_at,
    compute_cell,
    digest_settings,
    estimate_effort,
    list_cells,
)
from maple_lite.experiments.table import ResultTable
from maple_lite.experiments.tasks import SEEDS
from maple_lite.learners import METHODS
from maple_lite.presets import SHOTS
from maple_lite.storage.learner_files import save_learner
from maple_lite.support.extras import require_extra
from maple_lite.support.files import file_stem
from maple_lite.support.names import require_count, require_name
from maple_lite.support.progress import progress
from maple_lite.support.version import code_version

PATIENCE = 10  # seconds for a cluster's scheduler to answer


def benchmark(
    tables: Sequence[str] = tuple(TABLES),
    datasets: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] = SEEDS,
    shots: Sequence[int] | None = None,
    *,
    where: Where | None = None,
    folder: str | Path = "results",
    jobs: int | None = None,
    cluster: str | None = None,
    keep_learners: bool = False,
    bar: bool = True,
) -> dict[str, pd.DataFrame]:
    """The tables {name: rows} of the evaluation, computed where they lack cells and kept in `folder` as CSV files.

    `datasets`, `methods` and `shots` choose among a table's cells (None: the papers' choice). Cells run in `jobs`
    processes of this machine (one per core on a CPU, one on a GPU), or on the Dask cluster whose scheduler listens at
    `cluster`, such as "tcp://127.0.0.1:8786". A run that was killed goes on where it was. `keep_learners` saves the
    trained prompts in FOLDER/learners. Raises ValueError for unknown names and tables of another version, OSError for a
    cluster that cannot be reached or a folder that cannot be written, RuntimeError for a worker that died.

    >>> benchmark(["base-to-novel"], ["sea"], ["zeroshot", "maple"])["base-to-novel"]  # doctest: +SKIP
    """
    where, folder = where or Where(), Path(folder).expanduser()
    clip, here = clip_at(where.model, where.pretrained, where.device), read_versions(where)
    names = _known(tables, datasets, methods)
    chosen = {name: _choose_cells(name, clip, datasets, methods, seeds, shots) for name in names}
    if not any(chosen.values()):
        wish = {"dataset": datasets, "method": methods}
        said = " and ".join(f"{kind} {', '.join(wanted)}" for kind, wanted in wish.items() if wanted)
        raise ValueError(f"nothing to run: no cell of {', '.join(names)} has {said}. Name others.")
    kept = {name: ResultTable(table_path(folder, name), here) for name in names if chosen[name]}
    todo = [cell for name in kept for cell in _missing(kept[name], chosen[name], where)]
    if todo:
        _run(todo, where, kept, jobs, cluster, folder / "learners" if keep_learners else None, bar)
    return {name: table.read() for name, table in kept.items()}


def table_path(folder: str | Path, name: str) -> Path:
    """The file in which `benchmark` keeps a table."""
    return Path(folder) / f"{file_stem(name)}.csv"


def read_versions(where: Where) -> dict[str, str]:
    """What must agree among the cells of one table: code, CLIP, torch and the kind of device."""
    clip = clip_at(where.model, where.pretrained, where.device)
    return {
        "code": code_version(),
        "clip": clip.fingerprint,
        "torch": torch.__version__,
        "device": clip.device.type,
    }


def compute_here(cell: Cell, where: Where) -> Finished:
    """A computed cell with the versions of the process that computed it."""
    done = compute_cell(cell, where)
    return done._replace(measured=done.measured | read_versions(where))


def _known(tables: Sequence[str], datasets: Sequence[str] | None, methods: Sequence[str] | None) -> list[str]:
    """The tables, each once, when all names are known; ValueError with the close names for one that is not."""
    for name in datasets or ():
        require_name("dataset", name, DRAWN)
    for name in methods or ():
        require_name("method", name, [*METHODS, *CLASSIFIERS])
    return [require_name("table", name, TABLES) for name in dict.fromkeys(tables)]


def _choose_cells(
    table: str,
    clip: FrozenCLIP,
    datasets: Sequence[str] | None,
    methods: Sequence[str] | None,
    seeds: Sequence[int],
    shots: Sequence[int] | None,
) -> list[Cell]:
    """The cells of a table among the datasets and methods that are wanted; none if it has no such cells."""
    there = {cell.method for cell in list_cells(table, clip, seeds=[1])}
    some = [name for name in datasets or () if table != "transfer" or name == SOURCE]
    taught = [name for name in methods or () if name in there]
    if (datasets and not some) or (methods and not taught):
        return []
    return list_cells(table, clip, some or None, taught or None, seeds, shots)


def _missing(table: ResultTable, chosen: Sequence[Cell], where: Where) -> list[Cell]:
    """The cells that a table lacks, in their order."""
    clip = clip_at(where.model, where.pretrained, where.device)
    there = table.finished({cell: digest_settings(cell, clip) for cell in chosen})
    return [cell for cell in chosen if cell not in there]


def _run(
    todo: Sequence[Cell],
    where: Where,
    tables: dict[str, ResultTable],
    jobs: int | None,
    cluster: str | None,
    learners: Path | None,
    bar: bool,
) -> None:
    """Computes cells and adds each to its table as soon as it is there."""
    clip = clip_at(where.model, where.pretrained, where.device)
    efforts = {cell: max(1, round(estimate_effort(cell, clip) / 100)) for cell in todo}
    with (
        _processes(where, jobs, cluster) as threads,
        progress(sum(efforts.values()), f"{len(todo)} cells", show=bar) as shown,
    ):
        calls = [
            delayed(compute_here)(cell, Where(where.model, where.pretrained, where.device, threads)) for cell in todo
        ]
        parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2 * n_jobs")
        for done in _alive(parallel(calls)):
            if learners and done.learner and list(done.learner.parameters()):
                save_learner(done.learner, learners / file_stem(done.cell.table) / learner_file(done.cell))
            tables[done.cell.table].add(done)
            shown.set_description(f"{done.cell.dataset}, {done.cell.method}", refresh=False)
            shown.update(efforts[done.cell])


def learner_file(cell: Cell) -> str:
    """The file of a cell's learner, such as "sea-maple-seed1.safetensors"; it names the shots unless they are 16."""
    shots = "" if cell.shots == SHOTS else f"-{cell.shots}shots"
    return f"{cell.dataset}-{cell.method}{shots}-seed{cell.seed}.safetensors"


@contextmanager
def _processes(where: Where, jobs: int | None, cluster: str | None) -> Iterator[int]:
    """joblib's backend for a run, and the threads that each of its processes may use."""
    if cluster:
        with _client(cluster), parallel_config(backend="dask", wait_for_workers_timeout=PATIENCE):
            yield 1
        return
    usual = cpu_count() if where.device == "cpu" else 1
    jobs = usual if jobs is None else require_count("jobs", jobs)
    threads = max(1, cpu_count() // jobs)
    with parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=threads):
        yield threads


def _client(address: str) -> Any:
    """A client of the Dask scheduler at `address`; OSError or ImportError with what to do."""
    require_extra("a cluster", "cluster", "distributed")
    from distributed import Client

    try:
        return Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise OSError(
            f"no Dask scheduler answers at {address}: start one with 'dask scheduler', workers with "
            f"'dask worker {address} --nthreads 1', and name the address that it prints."
        ) from error


def _alive(results: Iterator[Finished]) -> Iterator[Finished]:
    """The results as they come; RuntimeError in one sentence if a worker process died."""
    try:
        yield from results
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a worker process died, perhaps because memory ran out: finished cells are kept, so run the same command "
            "again, with fewer --jobs."
        ) from error
