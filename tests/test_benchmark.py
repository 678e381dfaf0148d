"""The benchmark's runs: resumed after every kill, on processes and on a Dask cluster, nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from maple_lite import load_clip, load_learner
from maple_lite.cli import main as cli
from maple_lite.experiments import benchmark as module
from maple_lite.experiments.benchmark import benchmark
from maple_lite.experiments.table import KEY

KILLS = int(os.environ.get("MAPLE_LITE_KILLS", 3))
SAME = [*KEY, "split", "accuracy", "parameters", "config", "code", "clip", "torch", "device"]  # all but the time
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def command(folder: Path, *options: str) -> list[str]:
    chosen = ["--tables", "base-to-novel", "--datasets", "sea", "plants", "--seeds", "1", "2", "--shots", "2"]
    program = [sys.executable, "-m", "maple_lite.cli.main", "benchmark", *chosen, "--methods", "zeroshot", "language"]
    return [*program, "--results", str(folder), *options]


def run(*arguments: str) -> int:
    return cli.main(["benchmark", *arguments])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> pd.DataFrame:
    """The table of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run(command(folder, "--jobs", "2"), check=True, capture_output=True, env=ONE_THREAD)
    return pd.read_csv(folder / "base_to_novel.csv")


def rows(table: Path) -> int:
    """How many rows stand in a table that may not be there yet."""
    return len(pd.read_csv(table)) if table.is_file() else 0


def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_table(tmp_path, whole):
    moments, path = random.Random(0), tmp_path / "base_to_novel.csv"
    last_rows = sorted(moments.sample(range(len(whole) - 6), KILLS))  # killed before the last cells are there
    for wanted in last_rows:
        process = subprocess.Popen(
            command(tmp_path, "--jobs", "2"), env=ONE_THREAD, start_new_session=True, stderr=subprocess.DEVNULL
        )
        while rows(path) < wanted:
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.05)
        time.sleep(moments.uniform(0, 0.5))
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
    subprocess.run(command(tmp_path, "--jobs", "2"), check=True, capture_output=True, env=ONE_THREAD)
    pd.testing.assert_frame_equal(pd.read_csv(path)[SAME], whole[SAME])


def test_a_dask_cluster_that_loses_a_worker_ends_with_the_same_table(tmp_path, whole):
    distributed = pytest.importorskip("distributed")
    path, options = tmp_path / "base_to_novel.csv", ["--no-nanny", "--nthreads", "1", "--no-dashboard"]
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster:
        program = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, *options]
        workers = [
            subprocess.Popen([*program, "--local-directory", str(tmp_path / f"{i}")], env=ONE_THREAD, stderr=-3)
            for i in range(2)
        ]
        done = threading.Event()

        def kill_one_half_way() -> None:
            while not path.is_file() or len(pd.read_csv(path)) < len(whole) // 2:
                if done.wait(0.2):
                    return
            workers[0].kill()

        killer = threading.Thread(target=kill_one_half_way)
        killer.start()
        try:
            subprocess.run(
                command(tmp_path, "--cluster", cluster.scheduler_address), check=True, capture_output=True, timeout=300
            )
            assert workers[0].wait(60) == -signal.SIGKILL
            assert workers[1].poll() is None
        finally:
            done.set()
            killer.join()
            for worker in workers:
                worker.kill()
                worker.wait()
    pd.testing.assert_frame_equal(pd.read_csv(path)[SAME], whole[SAME])


def test_more_cells_join_a_table_and_finished_ones_are_not_computed_again(tmp_path, monkeypatch, capsys):
    options = ["--tables", "base-to-novel", "--methods", "zeroshot", "--jobs", "1", "--results", str(tmp_path)]
    assert run(*options, "--datasets", "sea", "--seeds", "1") == 0
    computed = []
    real = module.compute_cell
    monkeypatch.setattr(module, "compute_cell", lambda cell, where: computed.append(cell.dataset) or real(cell, where))
    assert run(*options, "--datasets", "sea", "plants", "--seeds", "1") == 0
    assert computed == ["plants"]
    assert len(pd.read_csv(tmp_path / "base_to_novel.csv")) == 6
    table = pd.read_csv(tmp_path / "base_to_novel.csv").query("dataset == 'sea' and split == 'base'")
    assert f"sea zeroshot {table.accuracy.item():.1f}" in " ".join(capsys.readouterr().out.split())


def test_learners_are_kept_where_that_is_asked_for(tmp_path):
    chosen = ["base-to-novel"], ["sea"], ["language", "zeroshot"], [1], [2]
    benchmark(*chosen, folder=tmp_path, jobs=1, keep_learners=True, bar=False)
    files = sorted((tmp_path / "learners" / "base_to_novel").iterdir())
    assert [file.name for file in files] == ["sea-language-2shots-seed1.safetensors"]
    assert load_learner(files[0], load_clip()).config["n_ctx"] == 4


def test_a_cell_that_fails_leaves_the_others_that_were_finished(tmp_path, monkeypatch, capsys):
    real = module.compute_cell

    def fails(cell, where):
        if cell.method == "language":
            raise ValueError("the loss was not finite")
        return real(cell, where)

    monkeypatch.setattr(module, "compute_cell", fails)
    options = ["--tables", "base-to-novel", "--datasets", "sea", "--seeds", "1", "2", "--jobs", "1"]
    assert run(*options, "--methods", "language", "zeroshot", "--results", str(tmp_path)) == 2
    assert "the loss was not finite" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(*options, "--methods", "zeroshot", "--results", str(tmp_path)) == 0


@pytest.mark.parametrize(
    "options, words",
    [
        (["--tables", "base2novel"], "unknown table 'base2novel': did you mean 'base-to-novel'?"),
        (["--tables", "base_to_novel"], "unknown table 'base_to_novel': did you mean 'base-to-novel'?"),
        (["--datasets", "seaa"], "unknown dataset 'seaa': did you mean 'sea'?"),
        (["--methods", "mapel"], "unknown method 'mapel': did you mean 'maple' or"),
        (
            ["--tables", "transfer", "--datasets", "sea"],
            "nothing to run: no cell of transfer has dataset sea. Name others.",
        ),
        (["--jobs", "0", "--tables", "ablations"], "jobs must be at least 1, got 0"),
        (["--model", "tinny"], "tinny"),
        (["--cluster", "tcp://127.0.0.1:9", "--tables", "ablations"], "no Dask scheduler answers at tcp://127.0.0.1:9"),
        (["--results", "/dev/null/results"], "/dev/null"),
    ],
)
def test_bad_options_are_one_sentence(tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.setattr(module, "PATIENCE", 1)
    assert run("--results", str(tmp_path), *options) == 2
    message = capsys.readouterr().err
    assert message.startswith("maple-lite: ")
    assert message.count("\n") == 1
    assert words in message


def test_a_worker_that_dies_is_said_in_one_sentence(tmp_path, monkeypatch, capsys):
    def dies(cell, where):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(module, "compute_here", dies)
    options = ["--tables", "base-to-novel", "--datasets", "sea", "--methods", "zeroshot", "--jobs", "2"]
    assert run(*options, "--results", str(tmp_path)) == 2
    assert "a worker process died" in capsys.readouterr().err
