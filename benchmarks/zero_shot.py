"""Zero-shot accuracy of the tiny CLIP on every test set: `python benchmarks/zero_shot.py` writes zero_shot.csv."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from maple_lite import load_clip
from maple_lite.pretraining.gauges import zero_shot_table
from maple_lite.support.files import atomic_write, data_folder


def main(folder: Path) -> None:
    """Writes the table into `folder`, whole or not at all."""
    clip = load_clip(device="cpu")
    table = zero_shot_table(clip).assign(clip=clip.fingerprint, torch=torch.__version__).round(3)
    text = table.to_csv(index=False, lineterminator="\n")
    atomic_write(folder / "zero_shot.csv", lambda file: file.write_bytes(text.encode()))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else data_folder() / "results")
