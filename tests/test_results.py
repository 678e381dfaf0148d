"""Stored results and measured bands."""

from __future__ import annotations

import json

import bands
import pandas as pd
import pytest

from maple_lite.results import ladder, stored

ROWS = [
    ("coop", "zodiac", 1, "base", 80.0),
    ("coop", "zodiac", 2, "base", 90.0),
    ("coop", "zodiac", 1, "novel", 60.0),
    ("coop", "zodiac", 2, "novel", 62.0),
    ("coop", "zodiac", 1, "hm", 68.0),
    ("coop", "zodiac", 2, "hm", 73.0),
    ("zeroshot", "zodiac", 1, "base", 50.0),
    ("zeroshot", "zodiac", 1, "novel", 55.0),
    ("zeroshot", "zodiac", 1, "hm", 52.0),
    ("maple", "cards", 1, "base", 10.0),
]


@pytest.fixture
def data(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    frame = pd.DataFrame(ROWS, columns=["method", "dataset", "seed", "split", "accuracy"])
    frame.to_csv(tmp_path / "results" / "first_look.csv", index=False)
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    return tmp_path


def test_a_ladder_has_the_methods_in_their_order_with_means_over_the_seeds_of_one_dataset(data):
    rows = ladder(["zeroshot", "coop"])
    assert list(rows.columns) == ["method", "base", "novel", "hm"]
    assert rows.to_numpy().tolist() == [["zeroshot", 50.0, 55.0, 52.0], ["coop", 85.0, 61.0, 70.5]]
    assert ladder(["coop", "zeroshot"]).method.tolist() == ["coop", "zeroshot"]


def test_what_is_not_stored_is_named(data):
    assert len(stored("first_look")) == len(ROWS)
    with pytest.raises(
        FileNotFoundError, match=r"no stored results 'second' in .*: the tables there are: first_look\."
    ):
        stored("second")
    with pytest.raises(ValueError, match="unknown method 'maple': choose one of coop, zeroshot"):
        ladder(["maple"])
    with pytest.raises(ValueError, match="unknown dataset 'zodiacs': did you mean 'zodiac'"):
        ladder(["coop"], dataset="zodiacs")


def records(*values, lesson="03_coop", name="novel"):
    return [{"lesson": lesson, "seed": seed, "name": name, "value": value} for seed, value in enumerate(values, 1)]


def test_a_band_has_a_margin_as_wide_as_the_seeds_are_apart_and_two_points_at_least():
    assert bands.band([70.0, 71.0, 75.0]) == [65.0, 80.0]
    assert bands.band([70.04, 70.04, 70.04]) == [68.0, 72.0]
    found = bands.bands(records(70, 71, 75) + records(1, 1, 1, name="hm") + records(3, 3, 3, lesson="04_cocoop"))
    assert found == {"03_coop": {"novel": [65.0, 80.0], "hm": [-1.0, 3.0]}, "04_cocoop": {"novel": [1.0, 5.0]}}


@pytest.mark.parametrize("wrong", [records(70, 71), records(1, 2, 3) + records(1), records(1, 2, float("nan"))])
def test_a_number_that_is_missing_twice_there_or_none_has_no_band(wrong):
    with pytest.raises(ValueError, match=r"03_coop: 'novel' is wanted once with each seed, got \{1:"):
        bands.bands(wrong)


def test_a_lesson_runs_once_per_seed_and_other_bands_stay(data, tmp_path, monkeypatch, capsys):
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    code = "from maple_lite.teach import session\nex = session('03_coop')\nex.expect('novel', 70 + 10 * ex.seed)\n"
    (lessons / "03_coop.py").write_text(f"# %%\n{code}")
    (tmp_path / "solutions").mkdir()
    monkeypatch.setattr(bands.build, "ROOT", tmp_path)
    (data / "expected.json").write_text(json.dumps({"03_coop": {"old": [1, 2]}, "04_cocoop": {"hm": [1, 2]}}))
    for name in ("MAPLE_LITE_SEED", "MAPLE_LITE_RECORD"):
        monkeypatch.setenv(name, "")  # so that what `recorded` sets ends with this test
    monkeypatch.setattr("sys.argv", ["bands.py", "03_coop"])
    bands.main()
    assert json.loads((data / "expected.json").read_text()) == {
        "03_coop": {"novel": [60, 120]},
        "04_cocoop": {"hm": [1, 2]},
    }
    assert capsys.readouterr().out == '03_coop {"novel": [60.0, 120.0]}\n'
