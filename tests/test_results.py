"""Stored results and measured bands."""

from __future__ import annotations

import json

import bands
import pandas as pd
import pytest
from scipy.stats import spearmanr

from maple_lite.datasets import DRAWN
from maple_lite.experiments.published import compare_methods, read_paper, read_results
from maple_lite.experiments.summaries import (
    average_costs,
    average_over_datasets,
    average_over_seeds,
    compare_levels,
    compute_gains,
    compute_shifts,
    drop_variants,
    keep_complete,
    spearman,
)
from maple_lite.protocol import harmonic_mean

ROWS = [
    ("coop", "plants", 1, "base", 80.0),
    ("coop", "plants", 2, "base", 90.0),
    ("coop", "plants", 1, "novel", 60.0),
    ("coop", "plants", 2, "novel", 62.0),
    ("coop", "plants", 1, "hm", 68.0),
    ("coop", "plants", 2, "hm", 73.0),
    ("zeroshot", "plants", 1, "base", 50.0),
    ("zeroshot", "plants", 1, "novel", 55.0),
    ("zeroshot", "plants", 1, "hm", 52.0),
    ("maple", "cards", 1, "base", 10.0),
]


@pytest.fixture
def data(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    frame = pd.DataFrame(ROWS, columns=["method", "dataset", "seed", "split", "accuracy"])
    frame.to_csv(tmp_path / "results" / "base_to_novel.csv", index=False)
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    return tmp_path


def test_a_ladder_has_the_methods_in_their_order_with_means_over_the_seeds_of_one_dataset(data):
    rows = compare_methods(["zeroshot", "coop"])
    assert list(rows.columns) == ["method", "base", "novel", "hm"]
    assert rows.to_numpy().tolist() == [["zeroshot", 50.0, 55.0, 52.0], ["coop", 85.0, 61.0, 70.5]]
    assert compare_methods(["coop", "zeroshot"]).method.tolist() == ["coop", "zeroshot"]


def test_what_is_not_stored_is_named(data):
    assert len(read_results("base-to-novel")) == len(ROWS)
    with pytest.raises(
        FileNotFoundError, match=r"no stored results 'second' in .*: the tables there are: base-to-novel\."
    ):
        read_results("second")
    with pytest.raises(ValueError, match="unknown method 'maple': choose one of coop, zeroshot"):
        compare_methods(["maple"])
    with pytest.raises(ValueError, match="unknown dataset 'plantz': did you mean 'plants'"):
        compare_methods(["coop"], dataset="plantz")


def test_published_tables_have_our_names_of_methods():
    table = read_paper("base-to-novel-average")
    assert table.method.tolist() == ["zeroshot", "coop", "cocoop", "vpt", "language", "ivlp", "maple"]
    assert table.set_index("method").hm["maple"] == 78.55
    assert set(read_paper("cross-dataset").method) == {"coop", "cocoop", "maple"}


def base_to_novel_rows() -> pd.DataFrame:
    """Two methods, two datasets and three seeds, with an accuracy of its own in every cell."""
    rows = []
    for method, gain in (("maple", 8.0), ("zeroshot", 0.0)):
        for dataset, easy in (("chess", 60.0), ("cards", 20.0)):
            for seed in (1, 2, 3):
                base, novel = easy + gain + seed * (gain > 0), easy + 10 + gain / 2 - seed * (gain > 0)
                for split, value in (("base", base), ("novel", novel), ("hm", harmonic_mean(base, novel))):
                    rows.append((method, "preset", dataset, seed, 16, split, value, 10 * gain + seed, gain * 100))
    columns = ["method", "variant", "dataset", "seed", "shots", "split", "accuracy", "cpu_seconds", "parameters"]
    return pd.DataFrame(rows, columns=columns)


def test_averages_have_the_harmonic_mean_of_averages_and_the_mean_of_harmonic_means():
    table = average_over_datasets(base_to_novel_rows())
    assert table.method.tolist() == ["zeroshot", "maple"]
    assert table[["base", "novel", "base_std"]].to_numpy().tolist() == [[40, 50, 0], [50, 52, 1]]
    assert table.hm_of_averages.tolist() == pytest.approx([harmonic_mean(40, 50), harmonic_mean(50, 52)])
    both = [harmonic_mean(60, 70), harmonic_mean(20, 30)]
    assert table.mean_of_hms[0] == pytest.approx(sum(both) / 2)
    assert (table.mean_of_hms < table.hm_of_averages).all()
    seeds = pd.Series([harmonic_mean(49 + k, 53 - k) for k in (0, 1, 2)])
    assert table.hm_std[1] == pytest.approx(seeds.std())


def test_an_average_over_other_datasets_or_over_several_things_is_refused():
    rows = base_to_novel_rows()
    gappy = rows[~((rows.method == "maple") & (rows.dataset == "cards") & (rows.seed == 2))]
    with pytest.raises(ValueError, match=r"\(.maple., 2\) lacks cards: average over `keep_complete\(results\)`"):
        average_over_datasets(gappy)
    assert set(keep_complete(gappy).dataset) == {"chess"}
    with pytest.raises(ValueError, match="no dataset has every run yet"):
        keep_complete(rows[(rows.dataset == "cards") == (rows.seed == 1)])
    assert len(keep_complete(rows)) == len(rows)
    with pytest.raises(ValueError, match="several values of 'split' would be averaged: choose one, or name it too"):
        average_over_seeds(rows, "method")


def test_means_and_spreads_are_over_seeds_of_averages_over_datasets():
    table = average_over_seeds(base_to_novel_rows(), "method", "split").set_index(["method", "split"])
    assert table.loc["maple", "base"].tolist() == [50, 1, 3]
    one = base_to_novel_rows().query("seed == 1")
    assert average_over_seeds(one, "method", "split")["std"].isna().all()


def test_gains_are_those_of_the_same_seed_and_dataset():
    rows = base_to_novel_rows()
    table = compute_gains(rows)
    assert set(table.method) == {"maple"}
    assert set(table.baseline) == {"zeroshot"}
    found = table.set_index(["dataset", "split"])
    assert found.loc[("cards", "base"), ["gain", "std", "seeds"]].tolist() == [10, 1, 3]
    assert found.loc[("chess", "novel"), ["gain", "std", "seeds"]].tolist() == [2, 1, 3]
    assert compute_gains(rows, baseline="maple").gain.max() == pytest.approx(-table.gain.min())
    with pytest.raises(ValueError, match="unknown method 'coop'"):
        compute_gains(rows, baseline="coop")
    with pytest.raises(ValueError, match="zeroshot lacks chess with seed 3, which maple has: leave it out"):
        compute_gains(rows[~((rows.method == "zeroshot") & (rows.dataset == "chess") & (rows.seed == 3))])


def test_levels_of_a_factor_have_the_preset_among_them():
    rows = base_to_novel_rows().query("method == 'maple'")
    more = [("depth: 3", 3.0), ("depth: 12", 12.0), ("depth: 5", 99.0), ("coupling: none", 1.0)]
    table = pd.concat([rows, *(rows.assign(variant=name, accuracy=value) for name, value in more)])
    found = compare_levels(table, "depth", preset="5")
    assert found[found.split == "base"].level.tolist() == [3, 5, 12]
    assert found[found.split == "base"]["mean"].tolist() == [
        3,
        50,
        12,
    ]  # 50 is the preset's own
    assert found[found.preset].level.unique().tolist() == [5]
    assert set(found.factor) == {"depth"}
    assert compare_levels(table, "coupling").level.unique().tolist() == ["preset", "none"]
    assert len(drop_variants(table)) == len(rows) == len(drop_variants(rows.drop(columns="variant")))
    with pytest.raises(ValueError, match="unknown factor 'dept': did you mean 'depth'"):
        compare_levels(table, "dept")
    with pytest.raises(ValueError, match="several values of 'shots'"):
        compare_levels(pd.concat([table, table.assign(shots=1)]), "depth")


def test_costs_are_means_over_runs_beside_the_harmonic_mean_of_averages():
    table = average_costs(base_to_novel_rows()).set_index("method")
    assert table.loc["maple", ["cpu_seconds", "parameters"]].tolist() == [82, 800]
    assert table.hm["zeroshot"] == pytest.approx(harmonic_mean(40, 50))


def test_shifts_are_clean_minus_own_look_of_the_eleven_drawn_datasets():
    stored = read_results("zero-shot")
    table = compute_shifts(stored).set_index("dataset")
    assert table.index.tolist() == list(DRAWN)
    first = stored.iloc[0]
    assert table.loc["objects"].tolist() == pytest.approx([first.clean, first.own, first.clean - first.own])
    symbols = compute_shifts(read_results("glyphs/zero-shot")).set_index("dataset")
    assert len(symbols) == 11
    assert symbols.loc["objects"].tolist() == pytest.approx([99.0, 43.854, 99.0 - 43.854])


def test_rank_correlation_equals_scipys():
    x, y = [3.0, 1.0, 1.0, 8.0, 5.0], [2.0, 2.5, 1.0, 9.0, -4.0]
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert spearman(x, [value**3 for value in x]) == pytest.approx(1)


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
    code = "from maple_lite.course import session\nex = session('03_coop')\nex.expect('novel', 70 + 10 * ex.seed)\n"
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
