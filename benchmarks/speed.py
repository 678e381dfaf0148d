"""How much faster than the plain way: training steps and evaluation on random ViT-B/16 weights in float32.

The plain way, as the authors' code does it: 77 tokens of text, class names encoded for every batch, CoCoOp image by
image. Both ways run here, with the same weights and the same prompts. `python benchmarks/speed.py` writes
`benchmarks/speed.csv`; leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from maple_lite import CoCoOp, FrozenCLIP, MaPLe, PromptedCLIP, load_clip, seeded

REPEATS = 5
ADJECTIVES = "red blue green small large old young wild dark bright iron paper stone river winter summer golden wooden"
NOUNS = (
    "apple bird boat book bridge cat chair clock cloud coat cup desk dog door drum fish flower fox gate glass "
    "hat hill horse house key kite lamp leaf lion moon mouse owl pear piano plane ring road rose sail ship "
    "shoe snake snow spoon star swan table tent tiger tower train tree truck vase wagon wall whale wheel wolf yard"
)
NAMES = [" ".join(pair) for pair in itertools.product(ADJECTIVES.split(), NOUNS.split())]


def peak_flops(size: int = 3072) -> float:
    """Floating-point operations per second of a float32 product of two [size, size] matrices, the best of nine."""
    a, b = torch.randn(2, size, size)
    return 2 * size**3 / min(seconds(lambda: a @ b) for _ in range(9))


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def flops(run: Callable[[], object]) -> int:
    """Floating-point operations of one run by torch's counter, attention's fused path (which it cannot see) off."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with FlopCounterMode(display=False) as counter:
        run()
    torch.backends.mha.set_fastpath_enabled(fused)
    return counter.get_total_flops()


def medians(runs: Sequence[Callable[[], object]]) -> list[float]:
    """Median seconds of each run over REPEATS rounds; the runs take turns, so that the machine's moods hit them all."""
    rounds = [[seconds(run) for run in runs] for _ in range(REPEATS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def plain(model: PromptedCLIP) -> PromptedCLIP:
    """The same classifier with the text padded to 77 tokens."""
    twin = PromptedCLIP(model.clip, model.learner, model.class_names)
    twin.tokens = F.pad(twin.tokens, (0, 77 - twin.tokens.shape[1]))
    return twin


def image_by_image(model: PromptedCLIP, images: Tensor) -> Tensor:
    """CoCoOp's logits [B, C] with one pass through the text tower per image."""
    features = model.encode_images(images)
    return torch.cat([model.classify(feature[None]) for feature in features])


def training_step(model: PromptedCLIP, forward: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> float:
    """The loss of one forward and backward pass."""
    model.learner.zero_grad()
    loss = F.cross_entropy(forward(images), labels)
    loss.backward()
    return loss.item()


def row(task: str, classes: int, bar: str, peak: float, times: Sequence[float], counts: Sequence[int]) -> dict:
    """A row of the table: ours and the reference, their ratio, FLOPs, and the floor of ours at the machine's peak."""
    return dict(
        task=task,
        classes=classes,
        seconds=round(times[0], 3),
        reference_seconds=round(times[1], 3),
        bar=bar,
        gflops=round(counts[0] / 1e9, 1),
        reference_gflops=round(counts[1] / 1e9, 1),
        floor_seconds=round(counts[0] / peak, 3),
    )


def training_row(clip: FrozenCLIP, kind: type, classes: int, bar: str, peak: float) -> dict:
    """One training step at batch 4 against the plain way, whose loss must agree to 1e-5."""
    with seeded(0):
        model, images = PromptedCLIP(clip, kind(clip), NAMES[:classes]), torch.randn(4, 3, 224, 224)
    labels, slow = torch.arange(4), plain(model)
    forwards = model, (partial(image_by_image, slow) if kind is CoCoOp else slow)
    steps = [partial(training_step, model, forward, images, labels) for forward in forwards]
    losses = [step() for step in steps]
    assert abs(losses[0] - losses[1]) < 1e-5, losses
    times, counts = medians(steps), [flops(step) for step in steps]
    found = row(f"{kind.__name__} training step, batch 4", classes, bar, peak, times, counts)
    return found | dict(ratio=round(times[1] / times[0], 2), loss_difference=f"{abs(losses[0] - losses[1]):.1e}")


@torch.no_grad()
def evaluation_rows(clip: FrozenCLIP, peak: float) -> list[dict]:
    """MaPLe's evaluation of 100 images with encoded class names against the image tower alone, without prompts."""
    with seeded(0):
        learner, images = MaPLe(clip), torch.randn(100, 3, 224, 224)
    models = [PromptedCLIP(clip, learner, NAMES[:classes]) for classes in (50, 200, 1000)]
    features = [model.encode_classes() for model in models]
    tower = partial(clip.encode_image, images)
    runs = [partial(evaluate, model, images, text) for model, text in zip(models, features, strict=True)]
    counts = [flops(run) for run in (*runs, tower)]  # which warms up, too
    times = medians((*runs, tower))
    return [
        row("MaPLe evaluation, batch 100", len(text), "at most 1.1 x", peak, (time_, times[-1]), (count, counts[-1]))
        | dict(ratio=round(time_ / times[-1], 3))
        for text, time_, count in zip(features, times, counts, strict=False)
    ]


def evaluate(model: PromptedCLIP, images: Tensor, text_features: Tensor) -> Tensor:
    """Logits [B, C] once the class names are encoded."""
    return model.classify(model.encode_images(images), text_features)


def main() -> None:
    """Measures every row, prints the table and writes it beside this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    out = parser.parse_args().out
    with seeded(0):
        clip = load_clip("ViT-B-16-quickgelu", "random", device="cpu")
    peak = peak_flops()
    rows = [
        training_row(clip, MaPLe, 50, "at least 2 x", peak),
        training_row(clip, MaPLe, 200, "at least 4.5 x", peak),
        training_row(clip, CoCoOp, 50, "at least 5 x", peak),
        *evaluation_rows(clip, peak),
    ]
    table = pd.DataFrame(rows).assign(
        peak_gflops=round(peak / 1e9, 1), threads=torch.get_num_threads(), torch=torch.__version__
    )
    table.to_csv(out, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
