"""Does prompting help to detect what is foreign? `python benchmarks/ood.py` writes data/results/ood.csv.

Zero-shot CLIP, CoOp, IVLP and MaPLe, trained on the base classes of a drawn dataset (16 shots, the base-to-novel
presets, seeds 1 to 3), tell the test images of these classes from those of the dataset's novel classes ("novel", the
same style of pictures) and of two other datasets (all their classes, in styles of their own).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from maple_lite import PromptedCLIP, load_clip
from maple_lite.analysis.ood import ood_detection
from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import ClassificationDataset, open_dataset
from maple_lite.experiments.grid import SMALL
from maple_lite.experiments.plan import make_plan
from maple_lite.experiments.run import train_learner
from maple_lite.experiments.tasks import SEEDS
from maple_lite.support.files import atomic_write, data_folder

METHODS = ("zeroshot", "coop", "ivlp", "maple")


def cell(clip: FrozenCLIP, data: ClassificationDataset, method: str, seed: int) -> pd.DataFrame:
    """The rows (method, dataset, outside, seed, score, auroc, fpr95) of one training."""
    plan = make_plan(method, data, clip, "base-to-novel", seed=seed)
    base, novel = plan.tests["base"], plan.tests["novel"]
    model = PromptedCLIP(clip, train_learner(plan, bar=False), base.class_names)
    strangers = {"novel": novel} | {name: open_dataset(name, clip=clip) for name in SMALL if name != data.name}
    frames = [
        ood_detection(model, base.test(), stranger.test()).assign(outside=name) for name, stranger in strangers.items()
    ]
    return pd.concat(frames).assign(method=method, dataset=data.name, seed=seed)


def table(clip: FrozenCLIP, datasets: Sequence[str], methods: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    """The rows of all cells, with the CLIP's fingerprint and torch's version."""
    cells = [(open_dataset(name, clip=clip), method, seed) for name in datasets for method in methods for seed in seeds]
    rows = pd.concat([cell(clip, *each) for each in cells], ignore_index=True)
    rows = rows.assign(clip=clip.fingerprint, torch=torch.__version__)
    return rows[["method", "dataset", "outside", "seed", "score", "auroc", "fpr95", "clip", "torch"]]


def main() -> None:
    """Writes the table and prints its means over datasets and seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=data_folder() / "results" / "ood.csv")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    rows = table(load_clip(device="cpu"), SMALL, METHODS, SEEDS)
    text = rows.round({"auroc": 3, "fpr95": 3}).to_csv(index=False, lineterminator="\n")
    atomic_write(out, lambda file: file.write_bytes(text.encode()))
    kinds = rows.assign(outside=rows.outside.where(rows.outside == "novel", "another dataset"))
    print(kinds.groupby(["outside", "score", "method"], sort=False)[["auroc", "fpr95"]].mean().round(1).to_string())


if __name__ == "__main__":
    main()
