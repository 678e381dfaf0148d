"""A result table on disk: whole cells of one version, whatever happens to it."""

from __future__ import annotations

import os

import pandas as pd
import pytest

from maple_lite.experiments.grid import Cell, Finished
from maple_lite.experiments.table import COLUMNS, ResultTable

HERE = {"code": "c0de", "clip": "c11b", "torch": "2.15.0", "device": "cpu"}


def cell(method="maple", dataset="sea", seed=1):
    return Cell("base-to-novel", dataset, method, "preset", seed, 16)


def done(chosen, config="c0", accuracies=(80.0, 70.0), **versions):
    measured = dict(seconds=1.23, cpu_seconds=1.2, parameters=7, config=config) | HERE | versions
    return Finished(chosen, dict(zip(("base", "novel"), accuracies, strict=True)), measured, None)


@pytest.fixture
def table(tmp_path):
    return ResultTable(tmp_path / "results" / "base_to_novel.csv", HERE)


def test_cells_stand_in_order_whatever_order_they_came_in(table):
    for chosen in (cell(seed=2), cell("zeroshot"), cell(dataset="plants"), cell()):
        table.add(done(chosen))
    rows = table.read()
    assert list(rows.columns) == COLUMNS
    found = rows.drop_duplicates(["dataset", "method", "seed"])[["dataset", "method", "seed"]]
    expected = [("sea", "zeroshot", 1), ("sea", "maple", 1), ("sea", "maple", 2), ("plants", "maple", 1)]
    assert list(found.itertuples(index=False, name=None)) == expected
    assert rows.accuracy.tolist() == [80.0, 70.0] * 4
    assert rows.seconds.tolist() == [1.2] * 8


def test_a_finished_cell_is_known_again_and_never_counted_twice(table):
    table.add(done(cell()))
    table.add(done(cell(), accuracies=(1.0, 2.0)))
    again = ResultTable(table.path, HERE)
    assert again.finished({cell(): "c0", cell(seed=2): "c0"}) == {cell()}
    assert again.read().accuracy.tolist() == [80.0, 70.0]


def test_a_cell_without_parameters_stays_without(table):
    probe = done(cell("probe"))
    table.add(probe._replace(measured=probe.measured | {"parameters": None}))
    table.add(done(cell()))
    assert table.path.read_text().splitlines()[1].split(",")[9] == "7"
    assert table.read().parameters.isna().tolist() == [False, False, True, True]


@pytest.mark.parametrize("name", HERE)
def test_cells_of_another_version_are_not_mixed_in(table, name):
    table.add(done(cell()))
    before = table.path.read_bytes()
    words = f"belongs to another version: its {name} is {HERE[name]}, now it is other; name another folder"
    with pytest.raises(ValueError, match=words):
        ResultTable(table.path, HERE | {name: "other"})
    with pytest.raises(ValueError, match=f"its {name} is other, now it is {HERE[name]}"):  # of a worker
        table.add(done(cell(seed=2), **{name: "other"}))
    assert table.path.read_bytes() == before


def test_a_cell_with_other_settings_is_refused(table):
    table.add(done(cell()))
    with pytest.raises(ValueError, match=r"holds maple preset sea 1 16 with other settings \(c0, now c1\)"):
        table.finished({cell(): "c1"})


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda text: text[: len(text) // 2].rsplit(",", 4)[0] + '"', "damaged"),
        (lambda text: "", "damaged"),
        (lambda text: text.replace("accuracy", "acc"), "damaged .it has no column accuracy"),
        (lambda text: text.replace("80.0", ""), "damaged .values are missing"),
        (lambda text: text + text.splitlines()[1] + "\n", "damaged .a cell stands in it twice"),
        (lambda text: "\x00\x01\x02", "damaged"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(table, damage, words):
    table.add(done(cell()))
    table.path.write_text(damage(table.path.read_text()))
    before = table.path.read_bytes()
    with pytest.raises(ValueError, match=words):
        ResultTable(table.path, HERE)
    with pytest.raises(ValueError, match="restore the file, or move it away"):
        table.add(done(cell(seed=2)))
    assert table.path.read_bytes() == before


def test_a_full_disk_keeps_the_finished_cells_and_leaves_no_half_file(table, monkeypatch):
    table.add(done(cell()))
    before = table.path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match=r"could not be written \(No space left on device\): make room or name"):
            table.add(done(cell(seed=2)))
    assert table.path.read_bytes() == before
    assert {path.name for path in table.path.parent.iterdir()} <= {table.path.name, f".{table.path.name}.lock"}
    table.add(done(cell(seed=2)))
    assert len(table.read()) == 4


def test_what_a_killed_writer_left_is_cleared_away(table):
    left = table.path.with_name(f".{table.path.name}.abc123")
    left.write_text("half")
    table.add(done(cell()))
    assert not left.exists()


def test_a_folder_that_cannot_be_written_is_named_before_anything_runs(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(OSError, match="results is a file: name a folder for the results"):
        ResultTable(tmp_path / "results" / "base_to_novel.csv", HERE)


def test_an_empty_table_has_its_columns(table):
    assert list(table.read().columns) == COLUMNS
    assert isinstance(table.read(), pd.DataFrame)
