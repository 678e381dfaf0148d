"""What a method costs: learned parameters, floating-point operations, memory and time of training and evaluation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from maple_lite.prompted import PromptedCLIP

MIB = 2**20


class Cost(NamedTuple):
    """A number that was measured with a batch of so many images."""

    measure: str
    batch: int
    value: float
    unit: str


def size_costs(model: PromptedCLIP) -> list[Cost]:
    """The learned parameters and their share in percent of all parameters of `model`."""
    learned, total = model.trainable_parameters, sum(weight.numel() for weight in model.parameters())
    return [Cost("parameters", 0, learned, "parameters"), Cost("parameters_share", 0, 100 * learned / total, "%")]


def training_costs(
    model: PromptedCLIP, images: Tensor, labels: Tensor, repeats: int = 3, budget: float = 1.0
) -> list[Cost]:
    """GFLOPs and median seconds of a training step, forward and backward, on images [B, 3, H, W] and labels [B]."""
    step = partial(training_step, model, images, labels)
    counted = flops(step)  # which warms up, too
    return [
        Cost("step_gflops", len(images), counted / 1e9, "GFLOPs"),
        Cost("step_seconds", len(images), seconds(step, images.device, repeats, budget), "s"),
    ]


def memory_costs(model: PromptedCLIP, images: Tensor, labels: Tensor) -> list[Cost]:
    """What the forward pass of a training step keeps for the backward pass, in MiB, and on CUDA the peak of a step."""
    kept = saved_bytes(lambda: model.learner.loss(model, images, labels), model.parameters())
    found = [Cost("saved_memory", len(images), kept / MIB, "MiB")]
    if images.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(images.device)
        training_step(model, images, labels)
        peak = torch.cuda.max_memory_allocated(images.device)
        found.append(Cost("peak_memory", len(images), peak / MIB, "MiB"))
    return found


@torch.no_grad()
def evaluation_costs(model: PromptedCLIP, images: Tensor, repeats: int = 3, budget: float = 1.0) -> list[Cost]:
    """Images [B, 3, H, W] classified per second, the class names encoded beforehand (CoCoOp cannot)."""
    text_features = model.encode_fixed_classes()

    def run() -> Tensor:
        return model.classify(model.encode_images(images), text_features)

    run()  # warms up
    rate = len(images) / seconds(run, images.device, repeats, budget)
    return [Cost("images_per_second", len(images), rate, "1/s")]


@torch.no_grad()
def forward_costs(model: PromptedCLIP, images: Tensor) -> list[Cost]:
    """GFLOPs of one forward pass of images [B, 3, H, W], the texts of all classes included."""
    return [Cost("forward_gflops", len(images), flops(partial(model, images)) / 1e9, "GFLOPs")]


def training_step(model: PromptedCLIP, images: Tensor, labels: Tensor) -> Tensor:
    """The loss, a scalar without gradient, of one forward and backward pass."""
    model.learner.zero_grad()
    loss = model.learner.loss(model, images, labels)
    loss.backward()
    return loss.detach()


def flops(run: Callable[[], object]) -> int:
    """Floating-point operations of one run, a multiplication and an addition being two: those of matrix products.

    Attention's fused paths, which torch's counter cannot see or counts otherwise, are off meanwhile; so that the count
    is the same on every device.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counter.get_total_flops()


def saved_bytes(run: Callable[[], object], weights: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for a backward pass of `run`, what is stored once counted once, without `weights`."""
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage  # kept alive, so that no other takes its place
        return tensor.detach()  # an output that holds itself would never be freed

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    others = {weight.untyped_storage().data_ptr() for weight in weights}
    return sum(storage.nbytes() for place, storage in kept.items() if place not in others)


def seconds(run: Callable[[], object], device: torch.device, repeats: int = 3, budget: float = 1.0) -> float:
    """Median seconds of a run: `repeats` runs, or fewer (at least one) once they took `budget` seconds together.

    On one CPU thread they are seconds of the process's own, which other processes disturb little.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    found: list[float] = []
    while not found or (len(found) < repeats and sum(found) < budget):
        _finish(device)
        start = clock()
        run()
        _finish(device)
        found.append(clock() - start)
    return statistics.median(found)


def _finish(device: torch.device) -> None:
    """Waits for what a GPU has still to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
