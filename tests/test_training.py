"""fit: the schedule, the checkpoint that goes on to the same bits, and refusals."""

import copy
import inspect
import math
import os
import subprocess
import sys
import time

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from maple_lite import METHODS, CoOp, FrozenCLIP, MaPLe, PromptedCLIP, PromptLearner, fit, learning_rate, seeded
from maple_lite.support.batches import batches
from maple_lite.support.small import SMALL_VISION

NAMES = ["cat", "dog", "red car"]
SETTINGS: dict = dict(epochs=4, lr=0.02, batch_size=4, seed=3)


@pytest.fixture(scope="module")
def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(2)
    return TensorDataset(torch.randn(10, 3, 32, 32, generator=generator), torch.arange(10) % 3)


SRC = dict(mean=1.5, std=1.0, text_weight=0.1, image_weight=0.1)  # an average that fits short runs, and light losses
SHORT: dict = {"kgcoop": dict(weight=0.1), "promptsrc": SRC, "maple-src": SRC}


def make(clip, method: str = "maple", **options) -> PromptedCLIP:
    with seeded(0):
        return PromptedCLIP(clip, METHODS[method](clip, **options), NAMES)


def state(model) -> dict:
    return {name: value.clone() for name, value in model.learner.state_dict().items()}


def same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


class Stops(Dataset):
    """A dataset that raises when item number `after` is read: a run that dies there."""

    def __init__(self, data, after: int):
        self.data, self.left = data, after

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.data[index]


class Augmented(Dataset):
    """A dataset whose images change with torch's global generator, as torchvision's transforms do."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, label = self.data[index]
        return image + torch.randn(()), label


def test_the_schedule_is_the_authors():
    rates = [learning_rate(epoch, 5, 0.0035) for epoch in range(5)]
    assert rates[0] == 1e-5
    assert rates[1] == 0.0035
    assert rates[4] == pytest.approx(0.0035 * (1 + math.cos(0.6 * math.pi)) / 2)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "zeroshot"])
def test_training_lowers_the_loss_and_leaves_clip_alone(clip, data, method):
    model, before = make(clip, method, **SHORT.get(method, {})), copy.deepcopy(clip.state_dict())
    losses = fit(model, data, epochs=12, lr=0.1, batch_size=10).losses
    assert losses[-1] < losses[0]
    assert same(before, clip.state_dict())


def test_the_history_has_a_row_per_step(clip, data):
    history = fit(make(clip), data, **SETTINGS)
    frame = history.frame()
    assert list(frame.epoch) == [0, 0, 1, 1, 2, 2, 3, 3]  # 10 images, batches of 4, the last 2 images dropped
    assert list(frame.learning_rate) == [learning_rate(epoch, 4, 0.02) for epoch in frame.epoch]
    assert history.seconds > 0


def test_two_steps_are_sgd_with_momentum_and_decay(clip, data):
    """Two single-batch epochs against the update written out: v = 0.6 v + g + 0.5 p, then p - lr v."""
    model = make(clip, "coop")
    prompt, velocity = model.learner.ctx.detach().clone(), torch.zeros_like(model.learner.ctx)
    for rate in (1e-5, 1.0):
        twin = make(clip, "coop")
        twin.learner.ctx.data.copy_(prompt)
        torch.nn.functional.cross_entropy(twin(data.tensors[0]), data.tensors[1]).backward()
        velocity = 0.6 * velocity + twin.learner.ctx.grad + 0.5 * prompt
        prompt = prompt - rate * velocity
    fit(model, data, epochs=2, lr=1.0, batch_size=10, momentum=0.6, weight_decay=0.5)
    torch.testing.assert_close(model.learner.ctx.detach(), prompt, atol=1e-5, rtol=0)  # sums in a shuffled order


def test_momentum_and_decay_are_the_authors_unless_said_otherwise():
    defaults = {name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()}
    assert (defaults["momentum"], defaults["weight_decay"], defaults["precision"]) == (0.9, 5e-4, "fp32")


class Recorded(Dataset):
    """A dataset that writes down the order in which its items are read."""

    def __init__(self, data):
        self.data, self.order = data, []

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.order.append(index)
        return self.data[index]


def test_every_epoch_has_an_order_of_its_own(clip, data):
    recorded = Recorded(data)
    fit(make(clip, "vpt"), recorded, **dict(SETTINGS, epochs=2, batch_size=10))
    first, second = recorded.order[:10], recorded.order[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_same_seed_gives_the_same_prompts_whatever_ran_before(clip, data):
    first, second, other = make(clip), make(clip), make(clip)
    fit(first, data, **SETTINGS)
    torch.randn(11)
    fit(second, data, **SETTINGS)
    fit(other, data, **dict(SETTINGS, seed=4))
    assert same(state(first), state(second))
    assert not same(state(first), state(other))


@pytest.mark.parametrize("wrap", [lambda data: data, Augmented])
@pytest.mark.parametrize("items", [5, 17, 27])
def test_a_run_that_died_goes_on_to_the_same_bits(clip, data, tmp_path, wrap, items):
    whole, parts = make(clip), make(clip)
    expected = fit(whole, wrap(data), **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        fit(parts, Stops(wrap(data), items), **SETTINGS, checkpoint=tmp_path / "run.pt")
    parts = make(clip)
    history = fit(parts, wrap(data), **SETTINGS, checkpoint=tmp_path / "run.pt")
    assert same(state(whole), state(parts))
    assert history.losses == expected.losses
    again = make(clip)
    assert fit(again, wrap(data), **SETTINGS, checkpoint=tmp_path / "run.pt").losses == expected.losses  # nothing left
    assert same(state(whole), state(again))


KILLED = """
import sys, torch
from torch.utils.data import TensorDataset
from maple_lite import FrozenCLIP, MaPLe, PromptedCLIP, fit, save_learner, seeded
from maple_lite.support.small import small_open_clip
clip = FrozenCLIP(small_open_clip())
data = TensorDataset(torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(2)), torch.arange(40) % 3)
with seeded(0):
    model = PromptedCLIP(clip, MaPLe(clip), ["cat", "dog", "red car"])
fit(model, data, epochs=30, lr=0.02, batch_size=4, checkpoint=sys.argv[1])
torch.save(model.learner.state_dict(), sys.argv[2])
"""


def test_a_run_killed_by_the_system_goes_on_to_the_same_bits(tmp_path):
    def run(name: str) -> subprocess.Popen:
        arguments = [str(tmp_path / f"{name}.run"), str(tmp_path / f"{name}.pt")]
        return subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stderr=subprocess.DEVNULL)

    assert run("whole").wait() == 0
    process = run("killed")
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed.run").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.wait() != 0
    assert not (tmp_path / "killed.pt").exists()
    assert run("killed").wait() == 0
    assert same(torch.load(tmp_path / "whole.pt"), torch.load(tmp_path / "killed.pt"))


def test_cached_features_train_the_same_prompts(clip, data):
    plain, cached = make(clip, "cocoop"), make(clip, "cocoop")
    fit(plain, data, **SETTINGS)
    fit(cached, data, **SETTINGS, cache_features=True)
    for name, value in state(plain).items():  # batches of another size sum in another order
        torch.testing.assert_close(state(cached)[name], value, atol=1e-6, rtol=1e-5)


def test_bf16_trains_float32_prompts_close_to_float32(clip, data):
    exact, fast = make(clip), make(clip)
    reference = fit(exact, data, **SETTINGS)
    history = fit(fast, data, **SETTINGS, precision="bf16")
    assert all(value.dtype == torch.float32 for value in state(fast).values())
    assert history.losses != reference.losses
    assert history.losses == pytest.approx(reference.losses, rel=0.05)  # 8 bits of mantissa through 7 layers, 8 steps


@pytest.mark.skipif(not torch.cuda.is_available(), reason="fp16 needs CUDA")
def test_fp16_trains_float32_prompts_close_to_float32(clip, data):
    gpu = copy.deepcopy(clip).cuda()
    exact, fast = make(gpu), make(gpu)
    reference = fit(exact, data, **SETTINGS)
    history = fit(fast, data, **SETTINGS, precision="fp16")
    assert all(value.dtype == torch.float32 for value in state(fast).values())
    assert history.losses == pytest.approx(reference.losses, rel=0.05)


def test_a_shuffled_pass_sees_every_image_once_and_drops_a_partial_batch(clip, data):
    numbered = TensorDataset(torch.arange(10.0), torch.zeros(10, dtype=torch.long))
    cpu = torch.device("cpu")
    seen = [images.tolist() for images, _ in batches(numbered, 5, 1, cpu, seed=1)]
    assert sorted(seen[0] + seen[1]) == list(range(10)) != seen[0] + seen[1]
    assert [len(images) for images, _ in batches(numbered, 4, 1, cpu, seed=1)] == [4, 4]
    assert [len(images) for images, _ in batches(numbered, 16, 1, cpu, seed=1)] == [10]  # fewer images than a batch
    assert [len(images) for images, _ in batches(numbered, 4, 1, cpu)] == [4, 4, 2]  # evaluation drops nothing


def test_progress_outside_a_terminal_is_at_most_ten_lines(clip, data, capfd):
    fit(make(clip, "vpt"), data, **dict(SETTINGS, epochs=40))
    lines = capfd.readouterr().err.strip().split("\r")
    assert 2 <= len([line for line in lines if line.strip()]) <= 10
    assert "80/80" in lines[-1]


BAD_SETTINGS = [
    (dict(epochs=0), "epochs must be at least 1, got 0"),
    (dict(epochs=2.5), "epochs must be a whole number, got 2.5"),
    (dict(lr=0.0), "lr must lie above 0 up to inf, got 0.0"),
    (dict(lr=float("nan")), "lr must lie above 0 up to inf, got nan"),
    (dict(momentum=1.5), "momentum must lie from 0 up to 1.0, got 1.5"),
    (dict(weight_decay=-1), "weight_decay must lie from 0 up to inf, got -1"),
    (dict(seed=-1), "seed must be at least 0, got -1"),
    (dict(seed=None), "seed must be a whole number, got None"),
    (dict(batch_size=0), "batch_size must be at least 1, got 0"),
    (dict(precision="fp8"), "precision must be 'fp32', 'bf16' or, on CUDA, 'fp16'; got 'fp8' on cpu"),
    (dict(precision="fp16"), "got 'fp16' on cpu"),
    (dict(cache_features=True), "MaPLe prompts the image tower"),
]


@pytest.mark.parametrize("change, message", BAD_SETTINGS)
def test_bad_settings_are_refused(clip, data, change, message):
    with pytest.raises(ValueError, match=message):
        fit(make(clip), data, **{**SETTINGS, **change})


def test_zero_shot_has_nothing_to_train(clip, data):
    with pytest.raises(ValueError, match="has no parameters to train"):
        fit(PromptedCLIP(clip, PromptLearner(), NAMES), data, **SETTINGS)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range_are_refused(clip, label):
    data = TensorDataset(torch.randn(2, 3, 32, 32), torch.tensor([0, label]))
    with pytest.raises(
        ValueError, match=f"label {label} is out of range: the model has 3 class names, labels are 0 to 2"
    ):
        fit(make(clip), data, **dict(SETTINGS, batch_size=2))


WRONG_ITEMS = [
    (
        [(Image.new("RGB", (32, 32)), 0)],
        "every item of the dataset must be .image tensor, label., got .'Image', 'int'.",
    ),
    ([{"image": 1}], "every item of the dataset must be .image tensor, label., got <class 'dict'>"),
    ([(torch.zeros(3, 32, 32), 0, "name")], "every item of the dataset must be .image tensor, label."),
    ([(torch.zeros(3, 32, 32), 0), (torch.zeros(3, 32, 30), 0)], "have different shapes .*32, 30.*32, 32"),
    ([(torch.zeros(3, 32, 32), 0.5)], "labels must be whole numbers, one per image, got 0.5"),
    ([(torch.zeros(3, 32, 32), torch.tensor([1]))], r"labels must be whole numbers, one per image, got tensor\(\[1"),
    ([(torch.zeros(3, 32, 32), torch.tensor([0.0, 1.0, 0.0]))], "labels must be whole numbers, one per image"),
    ([(torch.zeros(3, 32, 32), "cat")], "labels must be whole numbers, one per image, got 'cat'"),
    ([(torch.zeros(3, 32, 32, dtype=torch.float64), 0)], "images must be normalised torch.float32"),
]


@pytest.mark.parametrize("items, message", WRONG_ITEMS)
def test_items_that_are_no_image_and_label_are_refused(clip, items, message):
    with pytest.raises(ValueError, match=message):
        fit(make(clip), items, **dict(SETTINGS, batch_size=2))


def test_a_loader_or_a_learner_in_the_wrong_place_is_refused(clip, data):
    with pytest.raises(ValueError, match=r"data must be a map-style dataset of .image, label., got DataLoader"):
        fit(make(clip), DataLoader(data), **SETTINGS)
    with pytest.raises(ValueError, match="fit trains a PromptedCLIP, got MaPLe"):
        fit(make(clip).learner, data, **SETTINGS)


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.int64])
def test_labels_of_any_integer_type_train_the_same(clip, data, kind):
    first, second = make(clip), make(clip)
    fit(first, data, **SETTINGS)
    fit(second, TensorDataset(data.tensors[0], data.tensors[1].to(kind)), **SETTINGS)
    assert same(state(first), state(second))


def test_numpys_numbers_make_a_checkpoint_that_can_be_read(clip, data, tmp_path):
    settings = dict(epochs=np.int64(2), lr=np.float64(0.02), batch_size=np.int64(4), momentum=np.float32(0.9))
    first = fit(make(clip), data, **settings, checkpoint=tmp_path / "run.pt")
    assert fit(make(clip), data, **settings, checkpoint=tmp_path / "run.pt").losses == first.losses


def test_a_checkpoint_that_could_not_be_written_is_refused_before_training(clip, data, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="is a folder: name a file for the checkpoint"):
        fit(make(clip), data, **SETTINGS, checkpoint=tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="File exists"):
        fit(make(clip), data, **SETTINGS, checkpoint=tmp_path / "file" / "run.pt")
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(PermissionError, match="is not writable: name another for the checkpoint"):
        fit(make(clip), data, **SETTINGS, checkpoint=tmp_path / "run.pt")


@pytest.mark.parametrize("method", [name for name in METHODS if name != "zeroshot"])
def test_training_has_the_same_bits_on_several_threads(method):
    """At sizes that torch splits over threads: indexing's backward, for one, would sum in a changing order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        vision, text = dict(SMALL_VISION, layers=1), dict(layers=1, width=512, heads=8)
        with seeded(0):
            wide = FrozenCLIP(open_clip.CLIP(512, vision, text))
        images = TensorDataset(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.arange(2))
        runs = []
        for _ in range(3):
            with seeded(0):
                model = PromptedCLIP(
                    wide, METHODS[method](wide, **SHORT.get(method, {})), [f"number {i}" for i in range(61)]
                )
            fit(model, images, epochs=2, lr=0.1, batch_size=1, bar=False)
            runs.append(state(model))
        assert all(same(runs[0], run) for run in runs[1:])
    finally:
        torch.set_num_threads(threads)


def test_an_empty_dataset_is_refused(clip):
    with pytest.raises(ValueError, match="the dataset is empty"):
        fit(make(clip), TensorDataset(torch.randn(0, 3, 32, 32), torch.zeros(0, dtype=torch.long)), **SETTINGS)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(clip, data, tmp_path):
    with pytest.raises(ValueError, match="the loss was not finite in epoch 1: look for NaN in the images, lower lr"):
        fit(make(clip), data, **dict(SETTINGS, lr=1e30), checkpoint=tmp_path / "run.pt")
    assert max(torch.load(tmp_path / "run.pt")["history"]["epochs"]) == 0


def test_a_truncated_checkpoint_is_refused(clip, data, tmp_path):
    path = tmp_path / "run.pt"
    fit(make(clip), data, **SETTINGS, checkpoint=path)
    content = path.read_bytes()
    for size in (0, 100, len(content) // 2, len(content) - 10):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"checkpoint .*run.pt is damaged"):
            fit(make(clip), data, **SETTINGS, checkpoint=path)
        assert path.stat().st_size == size  # never overwritten
    torch.save({"weights": 1}, path)
    with pytest.raises(ValueError, match="is a checkpoint of something else"):
        fit(make(clip), data, **SETTINGS, checkpoint=path)


def test_a_checkpoint_of_another_run_is_refused(clip, data, tmp_path):
    path = tmp_path / "run.pt"
    fit(make(clip), data, **SETTINGS, checkpoint=path)
    with pytest.raises(ValueError, match=r"belongs to another run: its lr is 0.02, now it is 0.5"):
        fit(make(clip), data, **dict(SETTINGS, lr=0.5), checkpoint=path)
    with pytest.raises(ValueError, match="its method is MaPLe, now it is CoOp"):
        fit(PromptedCLIP(clip, CoOp(clip), NAMES), data, **SETTINGS, checkpoint=path)
    coop = PromptedCLIP(clip, CoOp(clip), NAMES)
    fit(coop, data, **SETTINGS, checkpoint=tmp_path / "coop.pt")
    with pytest.raises(ValueError, match="its cache_features is False, now it is True"):
        fit(coop, data, **SETTINGS, checkpoint=tmp_path / "coop.pt", cache_features=True)
    with pytest.raises(ValueError, match="its class names is"):
        fit(PromptedCLIP(clip, MaPLe(clip), NAMES[::-1]), data, **SETTINGS, checkpoint=path)


def test_a_full_disk_keeps_the_last_checkpoint(clip, data, tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(make(clip), Stops(data, 17), **SETTINGS, checkpoint=path)
    content = path.read_bytes()

    def full(content, file):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        fit(make(clip), data, **SETTINGS, checkpoint=path)
    assert os.listdir(tmp_path) == ["run.pt"]
    assert path.read_bytes() == content
