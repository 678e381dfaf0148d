"""The first tables: `python benchmarks/first_look.py` writes zero_shot.csv and first_look.csv.

The second is seven learners on three drawn datasets: base-to-novel with the paper's presets and seeds 1 to 3 on the
built-in tiny CLIP, one cell (dataset, method, seed) per process and one thread each, so that the seconds are those of a
single core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed

from maple_lite import METHODS, load_clip
from maple_lite.files import data_folder, write_whole
from maple_lite.tasks import base_to_novel_cell, summary
from maple_lite.zero_shot import pictures, zero_shot_table

DATASETS = ("zodiac", "mathematics", "cards")
SEEDS = (1, 2, 3)


def cell(dataset: str, method: str, seed: int) -> pd.DataFrame:
    """The rows of one cell, with the CLIP's fingerprint and torch's version."""
    torch.set_num_threads(1)
    clip = load_clip(device="cpu")
    rows = base_to_novel_cell(clip, pictures(clip, dataset), method, seed)
    return rows.assign(clip=clip.fingerprint, torch=torch.__version__)


def write(rows: pd.DataFrame, path: Path) -> None:
    """Writes a table, whole or not at all."""
    text = rows.round({"accuracy": 3, "seconds": 1}).to_csv(index=False, lineterminator="\n")
    write_whole(path, lambda file: file.write_bytes(text.encode()))


def main(folder: Path) -> None:
    """Writes both tables into `folder` and prints the second's summary."""
    clip = load_clip(device="cpu")
    write(zero_shot_table(clip).assign(clip=clip.fingerprint, torch=torch.__version__), folder / "zero_shot.csv")
    cells = [delayed(cell)(*names) for names in ((d, m, s) for d in DATASETS for m in METHODS for s in SEEDS)]
    rows = pd.concat(Parallel(n_jobs=cpu_count(), verbose=10)(cells), ignore_index=True)
    write(rows, folder / "first_look.csv")
    print(summary(rows).to_string(index=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else data_folder() / "results")
