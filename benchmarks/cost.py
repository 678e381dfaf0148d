"""What the seven methods cost at two sizes: `python benchmarks/cost.py` writes data/results/cost.csv.

The sizes are the tiny CLIP and ViT-B/16 with random weights (what a step costs does not depend on them), both in
float32 with the base-to-novel presets and 50 classes. `python benchmarks/cost.py --device cuda --out FILE` measures a
GPU; on a CPU leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from speed import NAMES

from maple_lite import METHODS, PromptedCLIP, load_clip, seeded
from maple_lite.analysis.cost import Cost, evaluation_costs, forward_costs, memory_costs, size_costs, training_costs
from maple_lite.clip import FrozenCLIP
from maple_lite.presets import preset
from maple_lite.support.files import atomic_write, data_folder

CLASSES = 50


class Size(NamedTuple):
    """A CLIP, the batches that are measured, and how long: at most so many repeats within so many seconds."""

    name: str
    pretrained: str | None
    training: tuple[int, ...]
    evaluation: tuple[int, ...]
    repeats: int
    budget: float


SIZES = {
    "tiny": Size("tiny", None, (1, 4, 32), (1, 32, 100), 15, 1.0),
    "ViT-B/16": Size("ViT-B-16-quickgelu", "random", (1, 4), (1, 8), 3, 5.0),
}


def costs(clip: FrozenCLIP, method: str, size: Size) -> list[Cost]:
    """All that is measured of a method; zero-shot CLIP has no training."""
    learner_kwargs, fit_kwargs = preset(method, clip=clip)
    make: Any = METHODS[method]
    with seeded(0):
        learner = make(clip, **learner_kwargs) if fit_kwargs else make()
        model = PromptedCLIP(clip, learner, NAMES[:CLASSES])
        own = fit_kwargs.get("batch_size", 1)
        images = torch.randn(max(own, *size.training, *size.evaluation), 3, *clip.visual.image_size).to(clip.device)
    labels = torch.arange(len(images), device=clip.device) % CLASSES
    found = [*size_costs(model), *forward_costs(model, images[:1])]
    if fit_kwargs:
        found += [Cost("preset_batch", 0, own, "images"), *memory_costs(model, images[:own], labels[:own])]
        for n in sorted({own, *size.training}):
            found += training_costs(model, images[:n], labels[:n], size.repeats, size.budget)
    for n in size.evaluation:
        found += evaluation_costs(model, images[:n], size.repeats, size.budget)
    return found


def table(name: str, size: Size, device: str) -> pd.DataFrame:
    """The rows of all methods at one size, with what they were measured on."""
    with seeded(0):
        clip = load_clip(size.name, size.pretrained, device)
    frames = [pd.DataFrame(costs(clip, method, size)).assign(method=method) for method in METHODS]
    rows = pd.concat(frames, ignore_index=True).assign(size=name, clip=clip.fingerprint, torch=torch.__version__)
    rows = rows.assign(device=clip.device.type, threads=torch.get_num_threads())
    return rows[["size", "method", "measure", "batch", "value", "unit", "clip", "torch", "device", "threads"]]


def main() -> None:
    """Writes the table and prints it with a column per method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=data_folder() / "results" / "cost.csv")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    rows = pd.concat([table(name, SIZES[name], chosen.device) for name in chosen.sizes], ignore_index=True)
    text = rows.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    atomic_write(chosen.out, lambda file: file.write_bytes(text.encode()))
    wide = rows.pivot_table(index=["size", "measure", "batch"], columns="method", values="value", sort=False)
    print(wide.to_string(float_format="{:.4g}".format))


if __name__ == "__main__":
    main()
