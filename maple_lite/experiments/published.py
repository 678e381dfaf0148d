"""Stored result tables and the papers', as lessons show them beside what they train."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from maple_lite.datasets.photos.catalog import dataset_name
from maple_lite.learners import METHODS
from maple_lite.support.files import data_folder
from maple_lite.support.names import require_name

PUBLISHED_TABLES = {
    "base-to-novel": "base_to_novel",
    "cross-dataset": "cross_dataset",
    "domain-generalisation": "domain_generalisation",
}
SOURCE = "imagenet"  # of the papers' transfer
PUBLISHED = {"CLIP": "zeroshot", "DeepLanguage": "language"}  # the others are ours in capitals


def stored(name: str) -> pd.DataFrame:
    """The table data/results/NAME.csv; FileNotFoundError that names the tables there are."""
    folder = data_folder() / "results"
    file = folder / f"{name}.csv"
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.csv"))) or "none"
        raise FileNotFoundError(f"no stored results {name!r} in {folder}: the tables there are: {there}.")
    return pd.read_csv(file)


def ladder(methods: Sequence[str], dataset: str = "zodiac", name: str = "base_to_novel") -> pd.DataFrame:
    """A row (method, base, novel, hm) in percent per method, in their order: stored means over seeds on a dataset.

    `hm` is the mean of the seeds' harmonic means. Raises ValueError for a method or dataset that is not in the table.

    >>> plot_base_to_novel(ladder(["zeroshot", "coop"]))
    """
    table = stored(name)
    require_name("dataset", dataset, list(dict.fromkeys(table.dataset)))
    rows = table[table.dataset == dataset]
    for method in methods:
        require_name("method", method, list(dict.fromkeys(rows.method)))
    means = rows.groupby(["method", "split"]).accuracy.mean().unstack("split")
    ordered = means.loc[list(methods), ["base", "novel", "hm"]]
    return ordered.rename_axis(columns=None).reset_index()


def paper(name: str) -> pd.DataFrame:
    """The table data/paper/NAME.csv with our names of methods, without the methods that the course does not build.

    >>> paper("base_to_novel_average")      # columns method, base, novel, hm, epochs
    """
    table = pd.read_csv(data_folder() / "paper" / f"{name}.csv")
    table["method"] = [PUBLISHED.get(method, method.lower()) for method in table.method]
    return table[table.method.isin(METHODS)].reset_index(drop=True)


def published(method: str, dataset: str, task: str) -> pd.DataFrame:
    """The papers' numbers (split, accuracy in percent) of a method trained on a dataset; none where none are printed.

    Splits are "base", "novel" and "hm", or, of transfer, the names of the datasets tested on; means over three seeds.

    >>> published("maple", "eurosat", "base-to-novel").accuracy.tolist()
    [94.07, 73.23, 82.35]
    """
    name, own = PUBLISHED_TABLES.get(task), dataset_name(dataset)
    if name is None or own is None or method not in METHODS or (name != "base_to_novel" and own != SOURCE):
        return pd.DataFrame({"split": [], "accuracy": []})
    table = paper(name)
    rows = table[table.method == method].assign(dataset=lambda frame: frame.dataset.map(dataset_name))
    if name != "base_to_novel":
        return rows.rename(columns={"dataset": "split"})[["split", "accuracy"]].reset_index(drop=True)
    row = rows.loc[rows.dataset == own, ["base", "novel", "hm"]]
    return row.melt(var_name="split", value_name="accuracy")
