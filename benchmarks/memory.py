"""What one MaPLe step at ViT-B/16 keeps in memory with many classes: `python benchmarks/memory.py`.

It writes data/results/memory.csv: MiB that autograd keeps between the forward and the backward pass, and the largest
that the process grew during the whole step, for 500 and 1,000 classes (half of ImageNet and all of it), all of them at
once and in chunks that are computed again. Each row is measured in a process of its own, of one thread; `--device cuda`
measures a GPU.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from speed import NAMES

from maple_lite import MaPLe, PromptedCLIP, load_clip, seeded
from maple_lite.analysis.cost import MIB, saved_bytes
from maple_lite.support.batches import autocast
from maple_lite.support.files import atomic_write, data_folder

CLASSES, BATCH = (500, 1000), 4  # ImageNet's base classes, and all of them
CHUNKS = (None, 125)
SIZE = "ViT-B/16"
PRECISIONS = ("fp32", "bf16")
COLUMNS = [
    "classes",
    "tokens",
    "chunk",
    "precision",
    "batch",
    "saved_mib",
    "peak_mib",
    "cpu_seconds",
    "torch",
    "device",
]


def measured(classes: int, chunk: int | None, precision: str, device: str) -> list[object]:
    """A row: MiB kept for the backward pass, MiB of growth in a step, and seconds of the process in it."""
    with seeded(0):
        clip = load_clip("ViT-B-16-quickgelu", "random", device)
        names = [" ".join(pair) for pair in itertools.islice(itertools.product(NAMES, NAMES), classes)]
        model = PromptedCLIP(clip, MaPLe(clip), names, chunk)
        images = torch.randn(BATCH, 3, *clip.visual.image_size).to(clip.device)
    labels = torch.arange(BATCH, device=clip.device)

    def loss() -> torch.Tensor:
        with autocast(precision, clip.device):
            return F.cross_entropy(model(images), labels)

    start = time.process_time()
    peak = peak_of(lambda: loss().backward(), clip.device)
    took = time.process_time() - start
    kept = saved_bytes(loss, model.parameters()) / MIB  # last: what it frees would hide the growth
    length = model.tokens.shape[1]
    about = clip.fingerprint, torch.__version__, clip.device.type
    return [SIZE, classes, length, chunk, precision, BATCH, kept, peak, took, *about]


def peak_of(step: Callable[[], object], device: torch.device) -> float:
    """MiB by which memory grew at most during `step()`: the allocator's on CUDA, the process's on a CPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return (torch.cuda.max_memory_allocated(device) - before) / MIB
    start, found, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            found[0] = max(found[0], resident() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    step()
    done.set()
    watcher.join()
    return found[0]


def resident() -> float:
    """MiB of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MIB


def main() -> None:
    """Writes the table; with `--row` prints one row, measured here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=data_folder() / "results" / "memory.csv")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--row", nargs=3, metavar=("CLASSES", "CHUNK", "PRECISION"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.row:
        classes, chunk, precision = chosen.row
        print(*measured(int(classes), int(chunk) or None, precision, chosen.device), sep=",")
        return
    rows = []
    for row in itertools.product(CLASSES, CHUNKS, PRECISIONS):
        options = ["--row", *(str(value or 0) for value in row), "--device", chosen.device]
        printed = subprocess.run([sys.executable, __file__, *options], check=True, capture_output=True, text=True)
        rows.append(printed.stdout.strip().splitlines()[-1].split(","))
        print(*rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=COLUMNS).replace("None", "")
    for column in ("saved_mib", "peak_mib", "cpu_seconds"):
        table[column] = table[column].astype(float).round(1)
    text = table.to_csv(index=False, lineterminator="\n")
    atomic_write(chosen.out, lambda file: file.write_bytes(text.encode()))


if __name__ == "__main__":
    main()
