"""Which of the papers' findings show in our tables? `python benchmarks/signs.py` writes data/results/SIGNS.md.

A row per finding: our number with its 95% t-interval, the papers' number, and yes or no. Every number is a paired
difference in points. Pairs are datasets (each the mean of its seeds) in base-to-novel, transfer and domains. They are
runs of one dataset and seed in ablations and few-shot learning, which have three datasets. "yes" speaks of the mean
alone; an interval that holds the bound says that another draw could turn it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from tables import markdown

from maple_lite.experiments.grid import SOURCE
from maple_lite.experiments.published import read_paper, read_results
from maple_lite.experiments.summaries import drop_variants
from maple_lite.experiments.titles import TITLES
from maple_lite.support.files import atomic_write, data_folder

CONFIDENCE = 0.95
DEEP = ("language", "vpt", "ivlp", "maple")
HELD = -1.0  # points that transfer may cost
Series = pd.Series


class Part(NamedTuple):
    """A number of a finding: what it is, the paired differences, the papers' number, and the bound it must reach."""

    about: str
    differences: Series
    published: float | None
    bound: float = 0.0
    below: bool = False  # it must lie below the bound, not at or above it

    @property
    def shows(self) -> bool:
        """Whether the mean reaches the bound."""
        mean = self.differences.mean()
        return bool(mean < self.bound if self.below else mean >= self.bound)

    @property
    def words(self) -> str:
        """The mean with its interval, and of how many pairs."""
        return f"{self.about}: {interval(self.differences)}"


def interval(differences: Series) -> str:
    """The mean of paired differences, its t-interval, and the number of pairs."""
    values = differences.dropna().to_numpy()
    mean = f"{values.mean():+.1f}"
    if len(values) < 2:
        return f"{mean} (one pair)"
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{mean} [{values.mean() - half:+.1f}, {values.mean() + half:+.1f}] of {len(values)}"


def wide(split: str) -> pd.DataFrame:
    """Means over seeds of base-to-novel: a row per dataset, a column per method."""
    rows = drop_variants(read_results("base-to-novel")).query("split == @split")
    return rows.pivot_table(index="dataset", columns="method", values="accuracy")


def published(first: str, second: str, column: str) -> float:
    """The papers' difference of two methods' averages."""
    table = read_paper("base-to-novel-average").set_index("method")[column]
    return table[first] - table[second]


def above(first: str, second: str, split: str, bound: float = 0.0, below: bool = False) -> Part:
    """One method less another in a split of base-to-novel."""
    table = wide(split)
    about = f"{TITLES[first]} − {TITLES[second]}, {'HM' if split == 'hm' else split}"
    return Part(about, table[first] - table[second], published(first, second, split), bound, below)


def by_depth() -> list[Part]:
    """What every further layer of MaPLe's prompts brings: the slope of the harmonic mean over the depth, per run."""
    table = read_results("ablations").query("method == 'maple' and split == 'hm'")
    own = table[table.variant.str.startswith("depth: ")]
    depths = own.assign(depth=own.variant.str.removeprefix("depth: ").astype(float))
    runs = depths.pivot_table(index=["dataset", "seed"], columns="depth", values="accuracy")
    slopes = runs.apply(lambda run: np.polyfit(run.index, run, 1)[0], axis=1)
    return [Part("MaPLe's HM per layer of depth", slopes, None)]


def random_tokens() -> list[Part]:
    """CoOp's sixteen random tokens less sixteen from words, 16 shots, all classes."""
    table = read_results("few-shot").query("method == 'coop' and shots == 16")
    runs = table.pivot_table(index=["dataset", "seed"], columns="variant", values="accuracy")
    return [
        Part("16 random tokens − 16 from words, all classes", runs.preset - runs["context: 16 from words"], None, -5)
    ]


def transferred(splits: Callable[[str], bool], name: str, about: str, bound: float) -> list[Part]:
    """MaPLe trained on the source less zero-shot CLIP, on some test sets."""
    table = drop_variants(read_results("transfer"))
    runs = table[table.split.map(splits)].pivot_table(index="split", columns="method", values="accuracy")
    theirs = read_paper(name).query("dataset != 'ImageNet'").pivot(index="dataset", columns="method", values="accuracy")
    known = theirs.maple.mean() - theirs.zeroshot.mean() if "zeroshot" in theirs else None
    return [Part(about, runs.maple - runs.zeroshot, known, bound)]


def _is_variant(split: str) -> bool:
    return split.startswith(f"{SOURCE} ")


SIGNS: dict[str, tuple[str, Callable[[], list[Part]]]] = {
    "CoOp gains at least 8 on base and loses on novel": (
        "base-to-novel",
        lambda: [above("coop", "zeroshot", "base", 8.0), above("coop", "zeroshot", "novel", below=True)],
    ),
    "CoCoOp's novel lies above CoOp's": ("base-to-novel", lambda: [above("cocoop", "coop", "novel")]),
    "The deep methods' harmonic mean lies above CoOp's": (
        "base-to-novel",
        lambda: [above(method, "coop", "hm") for method in DEEP],
    ),
    "Text prompts and vision prompts each help alone": (
        "base-to-novel",
        lambda: [above(method, "zeroshot", "hm") for method in ("language", "vpt")],
    ),
    "Both together are at least as good as either": (
        "base-to-novel",
        lambda: [above(both, one, "hm") for both in ("ivlp", "maple") for one in ("language", "vpt")],
    ),
    "The harmonic mean rises with depth": ("ablations", by_depth),
    "Sixteen random tokens come within 5 of words": ("few-shot", random_tokens),
    "MaPLe trained on objects holds zero-shot's average on the others within 1": (
        "transfer",
        lambda: transferred(
            lambda split: split != SOURCE and not _is_variant(split) and split != "handwritten",
            "cross-dataset", "MaPLe − zero-shot CLIP, ten other datasets", HELD,
        ),
    ),
    "MaPLe gains on sketch, v2, a and r on average": (
        "transfer",
        lambda: transferred(_is_variant, "domain-generalisation", "MaPLe − zero-shot CLIP, four variants", 0.0),
    ),
}  # fmt: skip
"""The findings that a world like the real one must show, with the table in which each is read."""


def read_signs() -> pd.DataFrame:
    """A row (sign, ours, papers, shows) per finding; `shows` is "yes", "no" or "not computed yet"."""
    there = {path.stem.replace("_", "-") for path in (data_folder() / "results").glob("*.csv")}
    rows = []
    for sign, (table, make) in SIGNS.items():
        parts = make() if table in there else []
        known = "; ".join("not printed" if p.published is None else f"{p.published:+.1f}" for p in parts)
        shows = ("yes" if all(part.shows for part in parts) else "no") if parts else "not computed yet"
        rows.append((sign, "; ".join(part.words for part in parts), known, shows))
    return pd.DataFrame(rows, columns=["sign", "ours", "papers", "shows"])


def page() -> str:
    """The whole page."""
    signs = read_signs()
    rows = [[f"{number}", *row] for number, row in enumerate(signs.itertuples(index=False, name=None), start=1)]
    intro = (
        "# The papers' findings in our tables\n\nMade by `python benchmarks/signs.py` of the tables beside it. Numbers "
        "are differences in points, with a 95% t-interval and the number of pairs. Pairs are datasets, each the mean "
        "of its seeds; in rows 6 and 7 they are runs of one dataset and seed. \"yes\" speaks of the means alone.\n\n"
    )  # fmt: skip
    return intro + markdown(["", "finding", "ours", "the papers'", "shows"], rows)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else data_folder() / "results" / "SIGNS.md"
    atomic_write(target, lambda file: file.write_text(page(), encoding="utf-8"))
