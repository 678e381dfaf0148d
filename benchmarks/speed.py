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
from collections.abc import Callable
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


def compare(task: str, classes: int, ours: Callable, theirs: Callable, peak: float, bar: str) -> dict:
    """A row: seconds of both, alternating so that the machine's moods hit both, FLOPs and the floor at the peak."""
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(REPEATS)]
    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    count = flops(ours)
    return dict(
        task=task,
        classes=classes,
        seconds=round(ours_s, 3),
        reference_seconds=round(theirs_s, 3),
        ratio=round(theirs_s / ours_s, 2),
        bar=bar,
        gflops=round(count / 1e9, 1),
        reference_gflops=round(flops(theirs) / 1e9, 1),
        floor_seconds=round(count / peak, 3),
    )


def training_row(clip: FrozenCLIP, kind: type, classes: int, bar: str, peak: float) -> dict:
    """One training step at batch 4 against the plain way, whose loss must agree to 1e-5."""
    with seeded(0):
        model, images = PromptedCLIP(clip, kind(clip), NAMES[:classes]), torch.randn(4, 3, 224, 224)
    labels, slow = torch.arange(4), plain(model)
    slow_forward = (lambda x: image_by_image(slow, x)) if kind is CoCoOp else slow
    losses = training_step(model, model, images, labels), training_step(slow, slow_forward, images, labels)
    assert abs(losses[0] - losses[1]) < 1e-5, losses
    ours, theirs = (
        lambda: training_step(model, model, images, labels),
        lambda: training_step(slow, slow_forward, images, labels),
    )
    row = compare(f"{kind.__name__} training step, batch 4", classes, ours, theirs, peak, bar)
    return dict(row, loss_difference=f"{abs(losses[0] - losses[1]):.1e}")


@torch.no_grad()
def evaluation_row(clip: FrozenCLIP, classes: int, peak: float) -> dict:
    """MaPLe's evaluation of 100 images with encoded class names against the image tower alone, without prompts."""
    with seeded(0):
        model, images = PromptedCLIP(clip, MaPLe(clip), NAMES[:classes]), torch.randn(100, 3, 224, 224)
    text_features = model.encode_classes()
    ours, tower = lambda: model.classify(model.encode_images(images), text_features), lambda: clip.encode_image(images)
    row = compare("MaPLe evaluation, batch 100, against the image tower", classes, ours, tower, peak, "")
    return dict(row, bar="at most 1.1 x", ratio=round(row["seconds"] / row["reference_seconds"], 3))


def main() -> None:
    """Measures every row, prints the table and writes it beside this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    out = parser.parse_args().out
    with seeded(0):
        clip = load_clip("ViT-B-16-quickgelu", "random", device="cpu")
    peak = peak_flops()
    measure: list[Callable[[], dict]] = [
        lambda: training_row(clip, MaPLe, 50, "at least 2 x", peak),
        lambda: training_row(clip, MaPLe, 200, "at least 4.5 x", peak),
        lambda: training_row(clip, CoCoOp, 50, "at least 5 x", peak),
        *(partial(evaluation_row, clip, classes, peak) for classes in (50, 200, 1000)),
    ]
    rows = []
    for row in measure:
        rows.append(row())
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(peak_gflops=round(peak / 1e9, 1), threads=torch.get_num_threads())
    table = table.assign(torch=torch.__version__)
    table.to_csv(out, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
