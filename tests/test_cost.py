"""Costs: operations and parameters by formula, saved memory by hand, time by a clock of the test's own."""

import itertools
import weakref
from functools import partial

import cost as benchmark
import pytest
import torch

from maple_lite import METHODS, CoOp, MaPLe, PromptedCLIP, PromptLearner, seeded
from maple_lite.analysis.cost import (
    evaluation_costs,
    flops,
    forward_costs,
    memory_costs,
    saved_bytes,
    seconds,
    size_costs,
    training_costs,
    training_step,
)
from maple_lite.learners import SEVEN
from maple_lite.presets import preset

NAMES = ["cat", "dog", "fox"]
CPU = torch.device("cpu")


def made(clip, method, **config):
    with seeded(0):
        learner = PromptLearner() if method == "zeroshot" else METHODS[method](clip, **config)
        return PromptedCLIP(clip, learner, NAMES)


def block_flops(length, width):
    """Of one sequence through one block: six products with [d, d] weights and two among tokens."""
    return 24 * length * width**2 + 4 * length**2 * width


@pytest.mark.parametrize("tower", ["visual", "text"])
def test_a_block_costs_what_the_formula_says_fused_or_not(clip, tower):
    block = getattr(clip, tower).transformer.resblocks[0]
    width, length, rows = block.ln_1.weight.numel(), 5, 3
    mask = clip.text.attn_mask[:length, :length] if tower == "text" else None
    x = torch.randn(rows, length, width)
    with torch.no_grad():  # where torch would take the fused path
        assert flops(lambda: block(x, attn_mask=mask)) == rows * block_flops(length, width)
    x.requires_grad_()
    # Backward through frozen weights: as much again for the weights' products, twice as much for those among tokens.
    both = 2 * block_flops(length, width) + 4 * length**2 * width
    assert flops(lambda: block(x, attn_mask=mask).sum().backward()) == rows * both


def test_a_forward_pass_of_maple_costs_what_the_formula_says(clip, images):
    model = made(clip, "maple")
    vision, text, joint, classes, batch, n = 64, 48, 32, 3, 5, 2
    patches, length, depth = 4, model.tokens.shape[1], len(model.learner.text)
    image = 2 * patches * 3 * 16**2 * vision + 4 * block_flops(1 + patches + n, vision) + 2 * vision * joint
    sentence = 3 * block_flops(length, text) + 2 * text * joint
    coupling = depth * 2 * n * text * vision
    expected = batch * image + classes * sentence + coupling + 2 * batch * classes * joint
    assert forward_costs(model, images)[0].value * 1e9 == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "zeroshot"])
def test_every_image_of_a_step_costs_the_same(clip, images, method):
    model = made(clip, method)
    training_step(model, images[:1], torch.zeros(1, dtype=torch.long))  # some make a teacher in their first step
    counts = [flops(lambda n=n: training_step(model, images[:n], torch.zeros(n, dtype=torch.long))) for n in (1, 2, 3)]
    assert counts[2] - counts[1] == counts[1] - counts[0] > 0


def test_prompts_in_both_towers_cost_more_than_in_one_and_cocoop_the_most(clip, images):
    labels, learners = torch.arange(5) % 3, {m: preset(m, clip=clip)[0] for m in SEVEN[1:]}
    models = {method: made(clip, method, **config) for method, config in learners.items()}
    counts = {method: flops(partial(training_step, model, images, labels)) for method, model in models.items()}
    assert counts["coop"] == counts["language"] < counts["ivlp"] < counts["maple"] < counts["cocoop"]


def test_counting_leaves_the_fused_path_as_it_was():
    assert torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(ZeroDivisionError):
        flops(lambda: 1 / 0)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize(
    "method, learned",
    [
        ("zeroshot", 0),
        ("coop", 16 * 48),
        ("cocoop", 4 * 48 + 32 * 2 + 2 + 2 * 48 + 48),
        ("vpt", 4 * 8 * 64),
        ("language", 3 * 4 * 48),
        ("ivlp", 3 * 2 * (48 + 64)),
        ("maple", 3 * (2 * 48 + 48 * 64 + 64)),
    ],
)
def test_parameters_by_formula(clip, method, learned):
    count, share = size_costs(made(clip, method))
    frozen = sum(weight.numel() for weight in clip.parameters())
    assert count.value == learned
    assert share.value == pytest.approx(100 * learned / (learned + frozen))


def test_saved_memory_by_hand():
    x = torch.randn(1000, requires_grad=True)
    assert saved_bytes(lambda: x.exp().sum()) == 4000  # exp keeps its result, the sum nothing
    assert saved_bytes(lambda: (x * x).sum()) == 4000  # twice the same tensor
    assert saved_bytes(lambda: (x * x).sum(), weights=[x]) == 0
    assert saved_bytes(lambda: x.exp().exp().sum()) == 8000
    with torch.no_grad():
        assert saved_bytes(lambda: x.exp().sum()) == 0


def test_what_was_saved_is_freed_afterwards():
    x, outputs = torch.randn(1000, requires_grad=True), []

    def run():
        y = x.exp()
        outputs.append(weakref.ref(y))
        return y.sum()

    saved_bytes(run)
    assert outputs[0]() is None


def test_methods_that_leave_the_image_tower_alone_keep_nothing_of_it(clip, images):
    def saved(method, n):
        labels = torch.zeros(n, dtype=torch.long)
        return memory_costs(made(clip, method), images[:n], labels)[0].value

    assert saved("coop", 5) - saved("coop", 1) < 0.01  # MiB: logits and features alone
    assert saved("vpt", 5) == pytest.approx(5 * saved("vpt", 1), rel=0.02)
    assert saved("coop", 5) < saved("maple", 5)


def test_seconds_are_the_median_and_keep_to_the_budget(monkeypatch):
    took = iter([5.0, 1.0, 2.0, 9.0])
    ticks = itertools.accumulate(part for t in took for part in (0.0, t))
    monkeypatch.setattr("maple_lite.analysis.cost.time.process_time", lambda: next(ticks))
    monkeypatch.setattr("maple_lite.analysis.cost.time.perf_counter", lambda: next(ticks))
    assert seconds(lambda: None, CPU, repeats=3, budget=100) == 2.0
    assert seconds(lambda: None, CPU, repeats=3, budget=1) == 9.0  # one run is over the budget and counts


def test_rows_name_their_batch_and_unit(clip, images):
    model, labels = PromptedCLIP(clip, CoOp(clip), NAMES), torch.arange(5) % 3
    gflops, time_ = training_costs(model, images, labels, repeats=1)
    assert (gflops.measure, gflops.batch, gflops.unit) == ("step_gflops", 5, "GFLOPs")
    assert (time_.measure, time_.batch, time_.unit) == ("step_seconds", 5, "s")
    assert time_.value > 0
    (rate,) = evaluation_costs(model, images, repeats=1)
    assert (rate.measure, rate.batch, rate.unit) == ("images_per_second", 5, "1/s")


def test_a_step_fills_the_gradients_of_the_learner_alone(clip, images):
    model = PromptedCLIP(clip, MaPLe(clip), NAMES)
    assert not training_step(model, images, torch.arange(5) % 3).requires_grad
    assert all(weight.grad is not None for weight in model.learner.parameters())
    assert all(weight.grad is None for weight in clip.parameters())


def test_the_table_has_every_measure_of_every_method(clip):
    size = benchmark.Size("small", None, (1, 2), (1, 3), repeats=1, budget=0.0)
    found = {method: benchmark.costs(clip, method, size) for method in ("zeroshot", "coop", "maple")}
    batches = {method: {row.batch for row in rows if row.measure == "step_seconds"} for method, rows in found.items()}
    assert batches == {"zeroshot": set(), "coop": {1, 2, 32}, "maple": {1, 2, 4}}  # its preset's, too
    assert {row.batch for row in found["zeroshot"] if row.measure == "images_per_second"} == {1, 3}
    assert {row.measure for row in found["maple"]} - {row.measure for row in found["zeroshot"]} == {
        "preset_batch",
        "saved_memory",
        "step_gflops",
        "step_seconds",
    }
