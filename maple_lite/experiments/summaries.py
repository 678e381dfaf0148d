"""Small tables for figures, made of result tables: averages, gains, shifts, levels of a factor, costs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from maple_lite.datasets import VARIANTS
from maple_lite.experiments.ablations import PRESET
from maple_lite.learners import METHODS
from maple_lite.support.names import require_name

CELL = ("method", "variant", "seed", "shots")  # what makes a run, beside its dataset


def drop_variants(results: pd.DataFrame) -> pd.DataFrame:
    """The rows of unchanged methods; all rows of a table without variants."""
    return results[results.variant == PRESET] if "variant" in results else results


def keep_complete(results: pd.DataFrame) -> pd.DataFrame:
    """The rows of those datasets on which every method has every seed; for tables that lack some runs.

    Raises ValueError if no dataset is complete.

    >>> average_over_datasets(keep_complete(read_results("glyphs/base-to-novel")))
    """
    runs = [column for column in CELL if column in results]
    cells = results.drop_duplicates(["dataset", *runs]).groupby("dataset").size()
    whole = cells.index[cells == len(results.drop_duplicates(runs))]
    if not len(whole):
        raise ValueError("no dataset has every run yet: run `maple-lite benchmark` on, or choose fewer seeds.")
    return results[results.dataset.isin(whole)]


def average_over_seeds(results: pd.DataFrame, *by: str) -> pd.DataFrame:
    """A row per group `by` with mean and std (percent) over the seeds; within a seed everything else is averaged first.

    Columns: `by`, mean, std (of the sample, n - 1; NaN for a single seed) and seeds, their number.
    Raises ValueError if a seed lacks a dataset of its group, or if several methods, variants, splits or shots would be
    averaged.

    >>> average_over_seeds(drop_variants(read_results("glyphs/few-shot")), "method", "shots")
    """
    keys = list(by)
    _require_one_of_each(results, keys)
    if "dataset" not in keys and "dataset" in results:
        _require_all_datasets(results, keys)
    each = results.groupby([*keys, "seed"], sort=False).accuracy.mean()
    found = each.groupby(keys, sort=False)
    return pd.DataFrame({"mean": found.mean(), "std": found.std(), "seeds": found.size()}).reset_index()


def average_over_datasets(results: pd.DataFrame) -> pd.DataFrame:
    """A row per method: its averages over datasets and seeds in percent, of a base-to-novel table.

    Columns: method, base, novel, hm_of_averages (the papers': the harmonic mean of base and novel), mean_of_hms (the
    mean of the runs' harmonic means, which is smaller or equal), and base_std, novel_std, hm_std over seeds, the
    last of the harmonic means of a seed's averages.

    >>> average_over_datasets(read_results("glyphs/base-to-novel"))
    """
    rows = drop_variants(results)
    _require_all_datasets(rows, ["method"])
    each = rows.groupby(["method", "seed", "split"]).accuracy.mean().unstack("split")  # [methods x seeds, 3]
    each["of_averages"] = _harmonic_mean(each)
    means, stds = each.groupby("method").mean(), each.groupby("method").std()
    found = means[["base", "novel"]].assign(hm_of_averages=_harmonic_mean(means), mean_of_hms=means.hm)
    found = found.assign(base_std=stds.base, novel_std=stds.novel, hm_std=stds.of_averages)
    return found.loc[[method for method in METHODS if method in found.index]].rename_axis(columns=None).reset_index()


def compute_gains(results: pd.DataFrame, baseline: str = "zeroshot") -> pd.DataFrame:
    """A row per (method, dataset, split): what a method gains over `baseline`, in percentage points.

    Columns: method, dataset, split, gain and its std over seeds (each against the same seed of the baseline), seeds,
    and baseline, its name.
    Raises ValueError for a baseline that is not in the table, or that lacks a dataset, seed or number of shots.

    >>> compute_gains(read_results("glyphs/base-to-novel")).query("method == 'maple' and split == 'novel'")
    """
    rows = drop_variants(results)
    require_name("method", baseline, list(dict.fromkeys(rows.method)))
    keys = [key for key in ("dataset", "shots", "seed", "split") if key in rows]
    own = rows.merge(rows[rows.method == baseline][[*keys, "accuracy"]], on=keys, how="left", suffixes=("", "_base"))
    if own.accuracy_base.isna().any():
        row = own[own.accuracy_base.isna()].iloc[0]
        raise ValueError(f"{baseline} lacks {row.dataset} with seed {row.seed}, which {row.method} has: leave it out.")
    own["accuracy"] -= own.accuracy_base
    found = average_over_seeds(own[own.method != baseline], "method", "dataset", "split")
    return found.rename(columns={"mean": "gain"}).assign(baseline=baseline)


def compute_shifts(zero_shot: pd.DataFrame) -> pd.DataFrame:
    """A row per drawn dataset: zero-shot accuracy (percent) on clean drawings, in its own look, and their difference.

    Columns: dataset, clean, own, shift. `zero_shot` is `read_results("zero-shot")`, whose variants and photographs are
    left out. (The table of symbols, `read_results("glyphs/zero-shot")`, has a row per style.)
    """
    if "look" in zero_shot:
        both = zero_shot.dropna(subset="clean").set_index("dataset")[["clean", "own"]]
        return both.assign(shift=both.clean - both.own).reset_index()
    table = zero_shot[~zero_shot["style"].isin(VARIANTS)].set_index("dataset")
    clean = table["style"] == "clean"
    both = pd.DataFrame({"clean": table.accuracy[clean], "own": table.accuracy[~clean]}).dropna()
    return both.assign(shift=both.clean - both.own).reset_index()


def compare_levels(results: pd.DataFrame, factor: str, preset: str = PRESET) -> pd.DataFrame:
    """A row per (level, split) of one factor of the ablations, the preset among them as the level named `preset`.

    Columns: factor, level (a number, if all levels are), split, mean, std and seeds as in `average_over_seeds`, and
    preset, True for the preset, which takes the place of a variant of the same level. The harmonic mean is the mean of
    those of the runs. Raises ValueError for a factor that is not in the table, several methods or numbers of shots.

    >>> compare_levels(read_results("glyphs/ablations"), "depth", preset="5")        # MaPLe's depth at the tiny CLIP
    """
    split_up = results.variant.str.split(": ", n=1, expand=True)
    require_name("factor", factor, [name for name in dict.fromkeys(split_up[0]) if name != PRESET])
    own = results.variant == PRESET
    level = split_up[1].where(~own, preset)
    rows = results.assign(level=level)[own | ((split_up[0] == factor) & (level != preset))].drop(columns="variant")
    found = average_over_seeds(rows, "level", "split").assign(preset=lambda table: table.level == preset)
    numbers = pd.to_numeric(found.level, errors="coerce")
    found = found if numbers.isna().any() else found.assign(level=numbers).sort_values("level", kind="stable")
    return found.assign(factor=factor).reset_index(drop=True)


def average_costs(results: pd.DataFrame) -> pd.DataFrame:
    """A row per method: what one run costs on average, and its harmonic mean of averages, of a base-to-novel table.

    Columns: method, hm and hm_std (percent), and seconds, cpu_seconds and parameters, if the table has them.

    >>> average_costs(read_results("glyphs/base-to-novel"))
    """
    rows = drop_variants(results).drop_duplicates(["method", "dataset", "seed"])
    known = [column for column in ("seconds", "cpu_seconds", "parameters") if column in rows]
    means = average_over_datasets(results).rename(columns={"hm_of_averages": "hm"})[["method", "hm", "hm_std"]]
    return means.merge(rows.groupby("method")[known].mean().reset_index(), on="method")


def spearman(x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series) -> float:
    """Spearman's rank correlation of two columns of numbers, -1 to 1; equal values share their mean rank."""
    ranks = (pd.Series(list(values)).rank() for values in (x, y))
    return float(next(ranks).corr(next(ranks)))


def _harmonic_mean(table: pd.DataFrame) -> pd.Series:
    """The harmonic mean of the columns base and novel, row by row."""
    return 2 * table.base * table.novel / (table.base + table.novel)


def _require_one_of_each(results: pd.DataFrame, by: list[str]) -> None:
    """Raises ValueError for several methods, variants, splits or shots that `by` does not tell apart."""
    for column in {"method", "variant", "split", "shots"}.intersection(results.columns).difference(by):
        if results[column].nunique() > 1:
            raise ValueError(f"rows of several values of {column!r} would be averaged: choose one, or name it too.")


def _require_all_datasets(results: pd.DataFrame, by: list[str]) -> None:
    """Raises ValueError unless every seed of every group has the same datasets."""
    for key, rows in results.groupby([*by, "seed"]).dataset.unique().items():
        missing = set(results.dataset) - set(rows)
        if missing:
            lacking = ", ".join(sorted(missing))
            raise ValueError(f"{key} lacks {lacking}: average over `keep_complete(results)` instead.")
