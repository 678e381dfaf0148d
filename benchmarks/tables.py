"""The stored results as tables to read: `python benchmarks/tables.py` writes data/results/TABLES.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from maple_lite.datasets import DRAWN, VARIANTS
from maple_lite.experiments.grid import SMALL, SOURCE
from maple_lite.experiments.published import read_paper, read_results
from maple_lite.experiments.summaries import average_over_datasets, average_over_seeds, compare_levels, drop_variants
from maple_lite.experiments.titles import CLASSIFIER_TITLES, TITLES
from maple_lite.learners import METHODS
from maple_lite.pretraining.gauges import GAUGES, read_gauges
from maple_lite.support.files import atomic_write, data_folder, file_stem

READS = "the network reads"  # the factor of CoCoOp, the others are MaPLe's
PRESETS = {
    "depth": "5",
    "length, from words": "2",
    "length, random": "2, from words",
    "initialisation": "words at the first layer",
    "coupling": "one per layer",
    "deep prompts": "replaced",
    READS: "the image",
}
"""What the preset is among the levels of each factor."""
OUTSIDE = (SOURCE, "handwritten")  # not in averages of transfer: the source, and what was not drawn
AVERAGED = "base-to-novel"  # whose averages the README and the page of the evaluation show
KINDS = {"own": "own look", "clean": "clean drawings"}
ASKED = ("clean", "own", "look_named", "bare", "one", "seven", "formal", "common", "probe")  # of the zero-shot table
COLUMNS = {
    "base": "base",
    "novel": "novel",
    "hm_of_averages": "hm",
}  # of the averages, and of their deviations


def average_table(name: str = AVERAGED) -> str:
    """Base-to-novel averages over the datasets, beside the papers'."""
    header = ["", "base", "novel", "HM of averages", "mean of HMs", "paper: base", "novel", "HM of averages"]
    return markdown(header, _average_rows(name))


def readme_table() -> str:
    """The columns of `average_table` that the README shows: base, novel, and harmonic means beside the paper's."""
    shown = [[*row[:4], row[-1]] for row in _average_rows(AVERAGED)]
    return markdown(["", "base", "novel", "harmonic mean", "the paper's harmonic mean"], shown)


def clip_table() -> str:
    """Zero-shot accuracy of the tiny CLIP on every test set, asked in several ways."""
    rows = []
    for row in read_results("zero-shot").to_dict("records"):
        numbers = ["" if pd.isna(row[name]) else f"{row[name]:.1f}" for name in ASKED]
        rows.append([row["dataset"], row["look"], str(row["classes"]), *numbers])
    return markdown(["dataset", "look", "classes", *(name.replace("_", " ") for name in ASKED)], rows)


def gauges_table() -> str:
    """The gauges of the tiny CLIP, with the band of each."""
    rows = []
    values = read_gauges(read_results("zero-shot")).set_index("gauge")
    for name, gauge in GAUGES.items():
        band = f"at least {gauge.low:g}" if gauge.high == float("inf") else f"{gauge.low:g} to {gauge.high:g}"
        within = "yes" if values.within[name] else "no"
        rows.append([name, gauge.about, f"{values.value[name]:.2f}", band, within])
    return markdown(["gauge", "what it is", "value", "band", "within"], rows)


def _average_rows(name: str) -> list[list[str]]:
    """The rows of `average_table`, one per method."""
    ours = average_over_datasets(read_results(name)).to_dict("records")
    theirs = read_paper("base-to-novel-average", METHODS).set_index("method").to_dict("index")
    rows = []
    for own in ours:
        numbers = [spread(own[name], own[f"{std}_std"]) for name, std in COLUMNS.items()]
        known = theirs.get(own["method"], {})
        published = [f"{known[name]:.2f}" if known else "" for name in ("base", "novel", "hm")]
        rows.append([TITLES[own["method"]], *numbers, f"{own['mean_of_hms']:.1f}", *published])
    return rows


def per_dataset_table() -> str:
    """Harmonic means of every dataset and method."""
    means = average_over_seeds(drop_variants(read_results("base-to-novel")).query("split == 'hm'"), "dataset", "method")
    return crossed(means, "dataset", DRAWN)


def transfer_table(targets: Sequence[str], published: str) -> str:
    """Accuracy of the methods trained on objects, on some test sets, and the averages of a table of the papers'."""
    table = drop_variants(read_results("transfer"))
    means = average_over_seeds(table[table.split.isin(targets)].drop(columns="dataset"), "split", "method")
    theirs = read_paper(published).query("dataset != 'ImageNet'").groupby("method").accuracy.mean()
    return crossed(means, "split", targets, theirs)


def few_shot_table(dataset: str) -> str:
    """Accuracy of every method and variant on a dataset by shots."""
    table = read_results("few-shot").query("dataset == @dataset")
    label = table.method.map(TITLES | CLASSIFIER_TITLES)
    table = table.assign(label=label.where(table.variant == "preset", label + ", " + table.variant))
    means = average_over_seeds(table.drop(columns=["method", "variant"]), "label", "shots")
    cells = spreads(means, "label", "shots")
    shots = sorted(means.shots.unique())
    labels = dict.fromkeys(means.label)
    return markdown(["shots", *map(str, shots)], [[name, *(cells[name, k] for k in shots)] for name in labels])


def calibration_table() -> str:
    """Calibration error, precision and recall of base and novel classes, and accuracy where both are asked at once."""
    table = read_results("calibration").rename(columns={"value": "accuracy"})
    rows = []
    asked = {
        ("base", "calibration_error"): "base: calibration error",
        ("novel", "calibration_error"): "novel: calibration error",
        ("base", "precision"): "base: precision",
        ("novel", "precision"): "novel: precision",
        ("novel", "recall"): "novel: recall",
        ("base of all", "accuracy"): "all names: base",
        ("novel of all", "accuracy"): "all names: novel",
        ("hm of all", "accuracy"): "all names: HM",
    }
    means = {
        key: spreads(average_over_seeds(part.drop(columns=["split", "measure"]), "method"), "method")
        for key, part in table.groupby(["split", "measure"])
    }
    methods = [method for method in TITLES if method in set(table.method)]
    rows = [[TITLES[method], *(means[key][method,] for key in asked)] for method in methods]
    return markdown(["", *asked.values()], rows)


def towers_table() -> str:
    """Harmonic means with the prompts of one tower or both, and their gain over none ± its error over datasets."""
    hms = read_results("towers").query("split == 'hm'")
    keys = ["look", "method", "prompts"]
    wide = hms.pivot_table(index=keys, columns="dataset", values="accuracy").T  # [datasets, kinds], means over seeds
    rows = []
    for look, method, prompts in hms[hms.prompts != "none"][keys].drop_duplicates().itertuples(index=False):
        own = wide[look, method, prompts].dropna()
        gain = (own - wide[look, method, "none"]).dropna()
        error = f"{gain.mean():+.1f} ± {gain.sem():.1f}"
        ahead = f"{(gain > 0).sum()} of {len(gain)}"
        rows.append([KINDS[look], TITLES[method], prompts, f"{own.mean():.1f}", error, ahead])
    header = ["asked about", "method", "prompts kept", "mean of HMs", "gain over none ± standard error", "gains on"]
    return markdown(header, rows)


def ablation_table() -> str:
    """MaPLe and CoCoOp with one factor changed at a time, averaged over the three datasets."""
    rows, table = [], read_results("ablations")
    for factor, preset in PRESETS.items():
        method = "cocoop" if factor == READS else "maple"
        own = table[table.method == method]
        if own.empty:
            continue
        found = compare_levels(own, factor, preset)
        for level, splits in sorted(found.groupby("level", sort=False), key=_size):
            means = spreads(splits, "split")
            name = f"**{level}** (preset)" if splits.preset.all() else f"{level}"
            rows.append([TITLES[method], factor, name, *(means[split,] for split in ("base", "novel", "hm"))])
    return markdown(["method", "factor", "level", "base", "novel", "mean of HMs"], rows)


def _size(level: tuple[Any, pd.DataFrame]) -> float:
    """The number that a level begins with; words keep their order."""
    number = str(level[0]).partition(",")[0]
    return float(number) if number.replace(".", "").isdigit() else 0.0


def spread(mean: float, std: float) -> str:
    """A mean and, where there is one, its standard deviation."""
    return f"{mean:.1f}" if pd.isna(std) else f"{mean:.1f} ± {std:.1f}"


def spreads(means: pd.DataFrame, *by: str) -> dict[tuple[Any, ...], str]:
    """{values of the columns `by`: mean ± std} of a frame of `average_over_seeds`."""
    return {tuple(row[name] for name in by): spread(row["mean"], row["std"]) for row in means.to_dict("records")}


def crossed(means: pd.DataFrame, rows: str, order: Sequence[str], published: pd.Series | None = None) -> str:
    """A table with a row per value of `rows`, a column per method, the average, and the papers' where it is given."""
    cells = spreads(means, rows, "method")
    methods = [method for method in TITLES if method in set(means.method)]
    targets = means if rows == "dataset" else means[~means[rows].isin(OUTSIDE)]
    average = targets.groupby("method")["mean"].mean()
    lines = [[name, *(cells[name, method] for method in methods)] for name in order]
    name = "average" if rows == "dataset" else f"average of {targets[rows].nunique()}"
    lines.append([name, *(f"{average[m]:.1f}" for m in methods)])
    if published is not None:
        lines.append(["paper: average", *(f"{published[m]:.1f}" if m in published else "" for m in methods)])
    return markdown(["", *(TITLES[method] for method in methods)], lines)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def sections() -> dict[str, str]:
    """All tables by their titles, those whose results are stored."""
    others = partial(transfer_table, [*DRAWN[1:], "handwritten"], "cross-dataset")
    variants = [SOURCE, *(f"{SOURCE} {variant}" for variant in VARIANTS)]
    domains = partial(transfer_table, variants, "domain-generalisation")
    tables: dict[str, tuple[str, Callable[[], str]]] = {
        "The tiny CLIP without prompts: its gauges": ("zero-shot", gauges_table),
        "The tiny CLIP without prompts: accuracy on every test set": ("zero-shot", clip_table),
        "Base-to-novel: averages of eleven datasets": ("base-to-novel", partial(average_table, "base-to-novel")),
        "Base-to-novel: harmonic mean of every dataset": ("base-to-novel", per_dataset_table),
        "Base-to-novel: can the answers be trusted?": ("calibration", calibration_table),
        "Trained on objects, tested on other datasets": ("transfer", others),
        "Trained on objects, tested on its variants": ("transfer", domains),
        "Whose prompts do the work? The towers' prompts apart": ("towers", towers_table),
        f"One factor changed at a time: {SMALL[0]}, {SMALL[1]} and {SMALL[2]}": ("ablations", ablation_table),
    }
    tables |= {f"Few shots, all classes of {name}": ("few-shot", partial(few_shot_table, name)) for name in SMALL}
    there = {path.stem for path in (data_folder() / "results").glob("*.csv")}
    return {title: make() for title, (name, make) in tables.items() if file_stem(name) in there}


def page() -> str:
    """The whole page."""
    intro = (
        "# Results on the tiny CLIP\n\nMade by `python benchmarks/tables.py` of the tables beside it. Percent, mean ± "
        "standard deviation over seeds 1 to 3, 16 shots and the papers' settings where nothing else is said. The "
        "papers' numbers are those of OpenAI's ViT-B/16 on eleven datasets of photographs.\n"
    )
    return intro + "".join(f"\n## {title}\n\n{table}" for title, table in sections().items())


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else data_folder() / "results" / "TABLES.md"
    atomic_write(target, lambda file: file.write_text(page(), encoding="utf-8"))
