"""A learner of the user's own: it has a regulariser, dropout and a memory; it is killed, resumed, saved and loaded."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from maple_lite import CoOp, MaPLe, PromptedCLIP, accuracy, fit, load_learner, predict, save_learner, seeded

NAMES = ["cat", "dog", "red car"]
SETTINGS: dict = dict(epochs=4, lr=0.02, batch_size=4, seed=3, bar=False)


class HeldCoOp(CoOp):
    """CoOp held near the frozen text features, whose context ends as the mean over all epochs; with dropout."""

    def __init__(self, clip, n_ctx=None, init="a photo of a", weight=2.0):
        super().__init__(clip, n_ctx, init)
        self.weight = weight
        self.dropout = nn.Dropout(0.2)
        self.register_buffer("total", None)
        self.register_buffer("start", self.ctx.detach().clone(), persistent=False)
        self.seen, self.drift = 0, []

    def text_prompts(self, image_features=None):
        return [self.dropout(self.ctx)]

    def loss(self, model, images, labels):
        with torch.no_grad():
            frozen = model.clip.encode_text(model.tokens)
        distance = 1 - F.cosine_similarity(model.encode_classes(), frozen).mean()
        return super().loss(model, images, labels) + self.weight * distance

    def end_epoch(self, epoch, epochs):
        ctx = self.ctx.detach()
        self.total = ctx.clone() if self.total is None else self.total + ctx
        self.seen += 1
        self.drift.append({"epoch": epoch, "moved": (ctx - self.start).norm()})
        if epoch == epochs - 1:
            self.ctx.data.copy_(self.total / self.seen)


@pytest.fixture(scope="module")
def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(2)
    return TensorDataset(torch.randn(10, 3, 32, 32, generator=generator), torch.arange(10) % 3)


def make(clip, kind=HeldCoOp, **kwargs) -> PromptedCLIP:
    with seeded(0):
        return PromptedCLIP(clip, kind(clip, **kwargs), NAMES)


class Dies(torch.utils.data.Dataset):
    """A dataset whose reader is stopped at item number `after`."""

    def __init__(self, data, after):
        self.data, self.left = data, after

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.data[index]


@pytest.mark.parametrize("items", [3, 12, 17, 31])
def test_what_a_learner_accumulates_survives_a_kill_to_the_last_bit(clip, data, tmp_path, items):
    whole, path = make(clip), tmp_path / "run.pt"
    expected = fit(whole, data, **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        fit(make(clip), Dies(data, items), **SETTINGS, checkpoint=path)
    resumed = make(clip)
    assert fit(resumed, data, **SETTINGS, checkpoint=path).losses == expected.losses
    assert torch.equal(resumed.learner.ctx, whole.learner.ctx)
    assert torch.equal(resumed.learner.total, whole.learner.total)
    assert torch.equal(resumed.learner.start, whole.learner.start)
    assert resumed.learner.seen == whole.learner.seen == 4
    assert resumed.learner.drift == whole.learner.drift
    assert [each["epoch"] for each in resumed.learner.drift] == [0, 1, 2, 3]


SCRIPT = """
import sys, os, signal, torch
sys.path.insert(0, sys.argv[1])
from test_own_learner import HeldCoOp, NAMES, SETTINGS, make
from maple_lite import FrozenCLIP, fit
from maple_lite.support.small import small_open_clip
from torch.utils.data import TensorDataset
class Killed(HeldCoOp):
    def end_epoch(self, epoch, epochs):
        super().end_epoch(epoch, epochs)
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
Killed.__name__ = "HeldCoOp"
data = TensorDataset(torch.randn(10, 3, 32, 32, generator=torch.Generator().manual_seed(2)), torch.arange(10) % 3)
fit(make(FrozenCLIP(small_open_clip()), Killed), data, **SETTINGS, checkpoint=sys.argv[2])
"""


def test_a_run_killed_by_the_system_goes_on_in_another_process(clip, data, tmp_path):
    path, whole, resumed = tmp_path / "run.pt", make(clip), make(clip)
    folder = str(Path(__file__).parent)
    died = subprocess.run([sys.executable, "-c", SCRIPT, folder, str(path)], stderr=subprocess.PIPE, text=True)
    assert died.returncode == -9, died.stderr
    expected = fit(whole, data, **SETTINGS)
    assert fit(resumed, data, **SETTINGS, checkpoint=path).losses == expected.losses
    assert torch.equal(resumed.learner.ctx, whole.learner.ctx)


def test_it_is_saved_loaded_and_evaluated_like_the_others(clip, data, tmp_path):
    model, path = make(clip, weight=3.5), tmp_path / "held.safetensors"
    fit(model, data, **SETTINGS)
    save_learner(model.learner, path)
    back = load_learner(path, clip, HeldCoOp)
    assert back.config == model.learner.config == dict(n_ctx=4, init="a photo of a", weight=3.5)
    assert torch.equal(predict(PromptedCLIP(clip, back, NAMES), data)[1], predict(model, data)[1])
    with pytest.raises(ValueError, match="pass that class"):
        load_learner(path, clip)


def test_a_learner_with_dropout_is_evaluated_without_it_and_left_in_its_mode(clip, data):
    model = make(clip)
    model.train()
    model.learner.dropout.p = 0.9
    first, second = (predict(model, data) for _ in range(2))
    assert torch.equal(first[1], second[1])
    assert accuracy(model, data) == accuracy(model, data)
    assert model.training
    assert model.learner.dropout.training
    model.eval()
    fit(model, data, **SETTINGS)
    assert not model.training
    assert not model.learner.dropout.training


def test_dropout_acts_while_training(clip, data):
    modes = []

    class Notes(HeldCoOp):
        def loss(self, model, images, labels):
            modes.append(self.training)
            return super().loss(model, images, labels)

    model = make(clip, Notes).eval()
    fit(model, data, **dict(SETTINGS, epochs=1))
    assert modes == [True, True]


def test_fit_minimises_the_learners_own_loss(clip, data):
    def losses(weight: float) -> list[float]:
        return fit(make(clip, weight=weight), data, **dict(SETTINGS, epochs=1)).losses

    without, held, twice = (losses(weight)[0] for weight in (0.0, 1.0, 2.0))
    assert held > without
    assert twice - held == pytest.approx(held - without, rel=1e-3)  # the same prompts and dropout: float32's rounding


def test_cached_features_go_through_the_learners_own_loss(clip, data):
    class Plain(HeldCoOp):
        def text_prompts(self, image_features=None):
            return [self.ctx]

    plain, cached = make(clip, Plain), make(clip, Plain)
    fit(plain, data, **SETTINGS)
    fit(cached, data, **SETTINGS, cache_features=True)
    torch.testing.assert_close(cached.learner.ctx, plain.learner.ctx, atol=1e-6, rtol=1e-5)  # sums in another order


@pytest.mark.parametrize("make_optimizer", [torch.optim.AdamW, lambda learned, lr: torch.optim.SGD(learned, lr / 2)])
def test_an_optimizer_factory_replaces_sgd(clip, data, make_optimizer, tmp_path):
    plain, other = make(clip, MaPLe), make(clip, MaPLe)
    fit(plain, data, **SETTINGS)
    fit(other, data, **SETTINGS, optimizer=make_optimizer, checkpoint=tmp_path / "run.pt")
    assert not torch.equal(plain.learner.text[0], other.learner.text[0])
    with pytest.raises(ValueError, match="belongs to another run: its optimizer"):
        fit(make(clip, MaPLe), data, **SETTINGS, checkpoint=tmp_path / "run.pt")


def test_groups_of_an_optimizer_keep_their_own_rates(clip, data):
    rates = []

    def two_groups(learned, lr):
        first, *others = learned
        made = torch.optim.SGD([{"params": [first], "lr": 0.0}, {"params": others}], lr=lr)
        made.register_step_pre_hook(lambda made, *_: rates.append([group["lr"] for group in made.param_groups]))
        return made

    model = make(clip, MaPLe)
    fit(model, data, **SETTINGS, optimizer=two_groups)
    assert [first for first, _ in rates[2:]] == [0.0] * 6  # but for the constant first epoch
    assert all(second > 0 for _, second in rates)


class Learnt(MaPLe):
    def __init__(self, *args, scale=1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = scale


def test_constructors_with_any_arguments_are_remembered(clip, tmp_path):
    path = tmp_path / "learnt.safetensors"
    save_learner(Learnt(clip, n_ctx=1, depth=2, scale=0.5), path)
    back = load_learner(path, clip, Learnt)
    assert (back.config, back.scale, len(back.text)) == (dict(n_ctx=1, depth=2, scale=0.5), 0.5, 2)
    assert copy.deepcopy(back).config == back.config


def test_a_frozen_parameter_stays_and_a_frozen_learner_is_refused(clip, data):
    model = make(clip, MaPLe)
    model.learner.text[1].requires_grad_(False)
    before = model.learner.text[1].detach().clone()
    fit(model, data, **SETTINGS)
    assert torch.equal(model.learner.text[1], before)
    model.learner.requires_grad_(False)
    with pytest.raises(ValueError, match="has no parameters to train"):
        fit(model, data, **SETTINGS)
