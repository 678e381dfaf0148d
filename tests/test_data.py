"""What the project ships as data: the tiny CLIP, its zero-shot band, and results that belong to it."""

from __future__ import annotations

import pandas as pd
import pytest
import tables
from pandas.testing import assert_series_equal

from maple_lite import PromptedCLIP, PromptLearner, accuracy, load_clip
from maple_lite.datasets import DRAWN, open_dataset
from maple_lite.experiments.grid import Cell, Where, compute_cell
from maple_lite.support.files import data_folder

RESULTS = sorted((data_folder() / "results").glob("*.csv"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_every_result_belongs_to_the_tiny_clip_that_is_shipped(path):
    table = pd.read_csv(path)
    tiny = table[table["size"] == "tiny"] if "size" in table else table  # costs are those of ViT-B/16, too
    assert len(table)
    assert set(tiny["clip"]) <= {load_clip().fingerprint}
    assert set(table.get("size", ["tiny"])) & {"tiny", "ViT-B/16"}


def test_the_tiny_clip_reads_clean_drawings_and_its_datasets_styles_leave_room():
    table = pd.read_csv(data_folder() / "results" / "zero_shot.csv")
    clean = table[table["style"] == "clean"].set_index("dataset").accuracy
    own = table[len(DRAWN) : 2 * len(DRAWN)].set_index("dataset").accuracy
    assert list(clean.index) == list(own.index) == list(DRAWN)
    assert clean.mean() >= 93
    assert clean.min() >= 65
    assert own.between(30, 80).all(), own


def test_the_stored_zero_shot_accuracies_come_out_again():
    stored = pd.read_csv(data_folder() / "results" / "zero_shot.csv").set_index(["dataset", "style"]).accuracy
    clip, again = load_clip(), {}
    for dataset, style in [("zodiac", "dotted"), ("chess", "chequered"), ("digits", "clean")]:
        data = open_dataset(dataset, clip=clip, style=style)
        model = PromptedCLIP(clip, PromptLearner(data.template), data.class_names)
        again[dataset, style] = accuracy(model, data)
    expected = stored[list(again)]
    assert_series_equal(pd.Series(again), expected, check_names=False, check_index=False, atol=1.0)  # other hardware


@pytest.mark.parametrize("method", ["zeroshot", "language"])
def test_a_stored_cell_comes_out_again(method):
    stored = pd.read_csv(data_folder() / "results" / "base_to_novel.csv").query("dataset == 'zodiac' and seed == 1")
    expected = stored[stored.method == method].set_index("split").accuracy
    found = compute_cell(Cell("base-to-novel", "zodiac", method, "preset", 1, 16), Where()).accuracies
    assert found == pytest.approx(expected.to_dict(), abs=3)  # other hardware rounds otherwise: a few pictures of 300


def test_the_page_of_results_is_that_of_the_stored_tables():
    assert (data_folder() / "results" / "TABLES.md").read_text(encoding="utf-8") == tables.page()


def test_the_tables_in_the_readme_and_in_docs_are_made_of_the_stored_results():
    root = data_folder().parent
    assert tables.readme_table() in (root / "README.md").read_text(encoding="utf-8")
    assert tables.average_table() in (root / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_tiny_clip_is_small_enough_for_a_clone():
    assert sum(path.stat().st_size for path in (data_folder() / "tiny-clip").iterdir()) < 30e6
