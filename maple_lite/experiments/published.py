"""Stored result tables and the papers', as lessons show them beside what they train."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from maple_lite.datasets.photos.catalog import dataset_name
from maple_lite.experiments.plan import TRANSFER
from maple_lite.learners import METHODS, SEVEN
from maple_lite.support.files import data_folder, file_stem
from maple_lite.support.names import require_name

PRINTED = ("base-to-novel", *TRANSFER)  # the tasks of which the papers print tables
SOURCE = "imagenet"  # of the papers' transfer
OURS = {"CLIP": "zeroshot", "DeepLanguage": "language"}  # the papers' other names are ours in capitals


def read_results(name: str) -> pd.DataFrame:
    """The stored table of a name; FileNotFoundError that names the tables there are.

    >>> read_results("glyphs/base-to-novel")       # data/results/glyphs/base_to_novel.csv
    """
    file = data_folder() / "results" / f"{file_stem(name)}.csv"
    folder = file.parent
    if not file.is_file():
        there = ", ".join(sorted(path.stem.replace("_", "-") for path in folder.glob("*.csv"))) or "none"
        raise FileNotFoundError(f"no stored results {name!r} in {folder}: the tables there are: {there}.")
    return pd.read_csv(file)


def compare_methods(methods: Sequence[str], dataset: str = "plants", name: str = "base-to-novel") -> pd.DataFrame:
    """A row (method, base, novel, hm) in percent per method, in their order: stored means over seeds on a dataset.

    `hm` is the mean of the seeds' harmonic means. Raises ValueError for a method or dataset that is not in the table.

    >>> compare_methods(["zeroshot", "coop"], "zodiac", "glyphs/base-to-novel").method.tolist()
    ['zeroshot', 'coop']
    """
    table = read_results(name)
    require_name("dataset", dataset, list(dict.fromkeys(table.dataset)))
    rows = table[table.dataset == dataset]
    for method in methods:
        require_name("method", method, list(dict.fromkeys(rows.method)))
    means = rows.groupby(["method", "split"]).accuracy.mean().unstack("split")
    ordered = means.loc[list(methods), ["base", "novel", "hm"]]
    return ordered.rename_axis(columns=None).reset_index()


def read_paper(name: str, methods: Collection[str] = SEVEN) -> pd.DataFrame:
    """The papers' rows of some methods, by default of the seven that the course builds; with our names of methods.

    >>> read_paper("base-to-novel-average")      # columns method, base, novel, hm, epochs
    """
    table = pd.read_csv(data_folder() / "paper" / f"{file_stem(name)}.csv")
    table["method"] = [OURS.get(method, method.lower()) for method in table.method]
    return table[table.method.isin(list(methods))].reset_index(drop=True)


def find_published(method: str, dataset: str, task: str) -> pd.DataFrame:
    """The papers' numbers (split, accuracy in percent) of a method trained on a dataset; no rows if they print none.

    Splits are "base", "novel" and "hm", or, for transfer, the names of the datasets tested on; means over three seeds.

    >>> find_published("maple", "eurosat", "base-to-novel").accuracy.tolist()
    [94.07, 73.23, 82.35]
    """
    own, halves = dataset_name(dataset), task == "base-to-novel"
    if task not in PRINTED or own is None or method not in METHODS or (not halves and own != SOURCE):
        return pd.DataFrame({"split": [], "accuracy": []})
    table = read_paper(task, METHODS)
    rows = table[table.method == method].assign(dataset=lambda frame: frame.dataset.map(dataset_name))
    if not halves:
        return rows.rename(columns={"dataset": "split"})[["split", "accuracy"]].reset_index(drop=True)
    row = rows.loc[rows.dataset == own, ["base", "novel", "hm"]]
    return row.melt(var_name="split", value_name="accuracy")
