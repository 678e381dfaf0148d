"""What the project ships as data: its CLIPs, their zero-shot tables, and results that belong to them."""

from __future__ import annotations

import pandas as pd
import pytest
import signs
import tables

from maple_lite import PromptedCLIP, PromptLearner, accuracy, load_clip
from maple_lite.datasets import DRAWN, open_dataset
from maple_lite.experiments.grid import Cell, Where, compute_cell
from maple_lite.experiments.published import read_results
from maple_lite.pretraining.gauges import read_gauges
from maple_lite.support.files import data_folder

FOLDERS = {"tiny": data_folder() / "results", "glyphs": data_folder() / "results" / "glyphs"}
RESULTS = [(name, path) for name, folder in FOLDERS.items() for path in sorted(folder.glob("*.csv"))]
ROOT = data_folder().parent


@pytest.mark.parametrize("name, path", RESULTS, ids=lambda value: getattr(value, "stem", value))
def test_every_result_belongs_to_the_clip_that_is_shipped(name, path):
    table = pd.read_csv(path)
    tiny = table[table["size"] == "tiny"] if "size" in table else table  # costs are those of ViT-B/16, too
    assert len(table)
    assert set(tiny["clip"]) <= {load_clip(name).fingerprint}
    assert set(table.get("size", ["tiny"])) & {"tiny", "ViT-B/16"}


def test_the_tiny_clip_reads_clean_drawings_and_its_datasets_looks_leave_room():
    table = read_results("zero-shot")
    gauges = read_gauges(table).set_index("gauge").within
    assert table.dataset[: len(DRAWN)].tolist() == list(DRAWN)
    assert gauges["clean"]
    assert gauges["lowest"]


def test_the_stored_zero_shot_accuracies_come_out_again():
    stored = read_results("zero-shot").set_index("dataset")
    clip = load_clip()
    for dataset, look, column in [("sea", None, "own"), ("plants", "clean", "clean"), ("fruits", None, "bare")]:
        data = open_dataset(dataset, clip=clip, look=look)
        template = "{}" if column == "bare" else data.template
        found = accuracy(PromptedCLIP(clip, PromptLearner(template), data.class_names), data)
        assert found == pytest.approx(stored[column][dataset], abs=1.0)  # other hardware rounds otherwise


@pytest.mark.parametrize("method", ["zeroshot", "language"])
@pytest.mark.parametrize("name, dataset", [("tiny", "sea"), ("glyphs", "zodiac")])
def test_a_stored_cell_comes_out_again(name, dataset, method):
    path = FOLDERS[name] / "base_to_novel.csv"
    if not path.is_file():
        pytest.skip("base-to-novel is not computed yet for the tiny CLIP that is shipped")
    stored = pd.read_csv(path).query("dataset == @dataset and seed == 1 and method == @method")
    if stored.empty:
        pytest.skip(f"{method} on {dataset} is not computed yet for the tiny CLIP that is shipped")
    cell = Cell("base-to-novel", dataset, method, "preset", 1, 16)
    found = compute_cell(cell, Where(name)).accuracies
    expected = stored.set_index("split").accuracy.to_dict()
    assert found == pytest.approx(expected, abs=3)  # other hardware rounds otherwise: a few pictures of hundreds


def test_the_pages_of_results_are_those_of_the_stored_tables():
    results = FOLDERS["tiny"]
    assert (results / "TABLES.md").read_text(encoding="utf-8") == tables.page()
    assert (results / "SIGNS.md").read_text(encoding="utf-8") == signs.page()


def test_the_tables_in_the_readme_in_docs_and_on_the_card_are_made_of_the_stored_results():
    assert tables.readme_table() in (ROOT / "README.md").read_text(encoding="utf-8")
    assert tables.average_table() in (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    card = (data_folder() / "tiny-clip" / "README.md").read_text(encoding="utf-8")
    assert tables.gauges_table() in card
    assert tables.clip_table() in card
    assert load_clip().fingerprint in card


@pytest.mark.parametrize("folder", ["tiny-clip", "glyphs/clip"])
def test_a_tiny_clip_is_small_enough_for_a_clone(folder):
    assert sum(path.stat().st_size for path in (data_folder() / folder).iterdir()) < 30e6
