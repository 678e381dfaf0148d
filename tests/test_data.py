"""What the project ships as data: the tiny CLIP, its zero-shot band, and results that belong to it."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_series_equal

from maple_lite import PromptedCLIP, PromptLearner, accuracy, load_clip
from maple_lite.drawn import DRAWN
from maple_lite.files import data_folder
from maple_lite.zero_shot import pictures

RESULTS = sorted((data_folder() / "results").glob("*.csv"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_every_result_belongs_to_the_tiny_clip_that_is_shipped(path):
    assert set(pd.read_csv(path)["clip"]) == {load_clip().fingerprint}


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
        data = pictures(clip, dataset, style=style)
        model = PromptedCLIP(clip, PromptLearner(data.template), data.class_names)
        again[dataset, style] = accuracy(model, data)
    expected = stored[list(again)]
    assert_series_equal(pd.Series(again), expected, check_names=False, check_index=False, atol=1.0)  # other hardware


def test_the_tiny_clip_is_small_enough_for_a_clone():
    assert sum(path.stat().st_size for path in (data_folder() / "tiny-clip").iterdir()) < 30e6
