"""fit: the plain training loop of the six learners."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from maple_lite.prompted import PromptedCLIP
from maple_lite.support.batches import autocast, batches, count, full_batches
from maple_lite.support.checkpoint import digest, read_checkpoint, require_same_settings, require_writable
from maple_lite.support.files import atomic_write
from maple_lite.support.memory import memory_advice
from maple_lite.support.names import require_count
from maple_lite.support.progress import progress
from maple_lite.support.seeds import derived_seed, seeded

CONTENT = ("learner", "optimizer", "scaler", "settings", "history")  # of a checkpoint


@dataclass
class History:
    """What a training run recorded: per step its epoch, learning rate and loss, and the seconds of all epochs."""

    epochs: list[int] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def frame(self) -> pd.DataFrame:
        """A row per step: epoch (from 0), learning_rate, loss."""
        return pd.DataFrame({"epoch": self.epochs, "learning_rate": self.learning_rates, "loss": self.losses})


def learning_rate(epoch: int, epochs: int, lr: float) -> float:
    """The learning rate of one epoch: 1e-5 in epoch 0, then lr (1 + cos(pi (e - 1) / E)) / 2.

    The authors' cosine schedule with a constant first epoch: their warm-up stands in for epoch 0 and the cosine
    starts one epoch late, so that the last epoch is not at its lowest point.
    """
    return 1e-5 if epoch == 0 else lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def fit(
    model: PromptedCLIP,
    data: Dataset,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    precision: str = "fp32",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    cache_features: bool = False,
    bar: bool = True,
) -> History:
    """The History of training the learner of `model` on (image [3, H, W], label) pairs, by SGD on cross-entropy.

    The order of the images is a function of `seed` and the epoch. "bf16" and, on CUDA, "fp16" run the encoders under
    autocast and keep the prompts in float32. `checkpoint` is a file that is saved after every epoch: a run that was
    killed goes on from it, on a CPU to the same bits as one that was not (on CUDA after
    `torch.use_deterministic_algorithms(True)`; draws outside torch in your data are not seeded here).
    `cache_features` encodes every image once, which is exact for learners without vision prompts on data without
    augmentation. `bar=False` hides the progress bar.
    Raises ValueError for a learner without parameters, bad settings, items or labels, a loss that is not finite, and
    a checkpoint that is damaged or of another run; torch's OutOfMemoryError says which sizes to try.

    >>> fit(model, train_set, epochs=5, lr=0.0035, batch_size=4)
    """
    settings = Settings(epochs, lr, batch_size, momentum, weight_decay, precision, seed, cache_features)
    run = _Run(model, settings, data)
    if cache_features:
        data = image_features(model, data, precision=precision)
    first = run.resume(checkpoint)
    steps = max(1, full_batches(data, batch_size))
    with progress(steps * epochs, type(model.learner).__name__, done=steps * first, show=bar) as shown:
        for epoch in range(first, epochs):
            run.epoch(epoch, data, shown)
            run.save(checkpoint)
    return run.history


@torch.no_grad()
def image_features(model: PromptedCLIP, data: Dataset, batch_size: int = 100, precision: str = "fp32") -> TensorDataset:
    """The dataset of (image features [D], label) of a dataset of (image, label), in its order, on the CPU."""
    device, names = model.clip.device, len(model.class_names)
    pairs = []
    with memory_advice(model, batch_size), autocast(precision, device):
        for images, labels in batches(data, batch_size, names, device):
            pairs.append((model.encode_images(images).cpu(), labels.cpu()))
    features, labels = (torch.cat(column) for column in zip(*pairs, strict=True))
    return TensorDataset(features, labels)


@dataclass(frozen=True)
class Settings:
    """The settings of `fit`, checked: ValueError names the first that cannot train."""

    epochs: int
    lr: float
    batch_size: int
    momentum: float
    weight_decay: float
    precision: str
    seed: int
    cache_features: bool

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            object.__setattr__(self, name, require_count(name, getattr(self, name), least))
        for name, high in (("lr", math.inf), ("momentum", 1.0), ("weight_decay", math.inf)):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) < high or (name == "lr" and value == 0):
                raise ValueError(f"{name} must lie {'above' if name == 'lr' else 'from'} 0 up to {high}, got {value}.")
            object.__setattr__(self, name, float(value))  # a numpy number would make the checkpoint unreadable


class _Run:
    """A training run as its checkpoint holds it: what it is, how far it came, and its state."""

    def __init__(self, model: PromptedCLIP, settings: Settings, data: Dataset) -> None:
        _require_trainable(model, settings.cache_features)
        self.model, self.settings, self.history = model, settings, History()
        self.forward = model.classify if settings.cache_features else model
        self.device = model.clip.device
        self.cast = autocast(settings.precision, self.device)
        self.optimizer = torch.optim.SGD(
            model.learner.parameters(),
            settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")
        self.identity = {"method": type(model.learner).__name__, **model.learner.config, **asdict(settings)}
        self.identity |= {"number of images": count(data), "sample": digest(data), "class names": model.class_names}
        self.identity |= {"CLIP weights": model.clip.fingerprint}

    def epoch(self, epoch: int, data: Dataset, shown: Any) -> None:
        """Trains one epoch and records it; `shown` is a progress bar.

        Raises ValueError for a loss that is not finite, before anything is saved.
        """
        start, seed, losses = time.perf_counter(), self.settings.seed, []
        rate = learning_rate(epoch, self.settings.epochs, self.settings.lr)
        self.optimizer.param_groups[0]["lr"] = rate
        loader = batches(
            data, self.settings.batch_size, len(self.model.class_names), self.device, derived_seed(seed, epoch)
        )
        seeding = seeded(derived_seed(seed, epoch, 1))  # augmentation draws from the global generator
        with seeding, memory_advice(self.model, self.settings.batch_size):
            for images, labels in loader:
                with self.cast:
                    loss = F.cross_entropy(self.forward(images), labels)
                losses.append(self.step(loss))
                shown.update()
        self.record(epoch, rate, torch.stack(losses).tolist(), time.perf_counter() - start)

    def step(self, loss: Tensor) -> Tensor:
        """The loss, a scalar without gradient, after one step of SGD down it."""
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def record(self, epoch: int, rate: float, losses: list[float], seconds: float) -> None:
        """Adds an epoch to the history; ValueError if its loss is not finite."""
        if not all(map(math.isfinite, losses)):
            raise ValueError(
                f"the loss was not finite in epoch {epoch}: look for NaN in the images, lower lr (now "
                f"{self.settings.lr}) or use precision='fp32'; an earlier checkpoint is kept as it was."
            )
        self.history.epochs += [epoch] * len(losses)
        self.history.learning_rates += [rate] * len(losses)
        self.history.losses += losses
        self.history.seconds += seconds

    def save(self, path: str | Path | None) -> None:
        """Writes the checkpoint, whole or not at all."""
        if path is None:
            return
        states = {name: getattr(self, name).state_dict() for name in ("optimizer", "scaler")}
        content = dict(states, learner=self.model.learner.state_dict(), settings=self.identity)
        content["history"] = asdict(self.history)
        atomic_write(path, lambda file: torch.save(content, file))

    def resume(self, path: str | Path | None) -> int:
        """The epoch to go on with; ValueError for a file that is damaged or belongs to another run."""
        if path is None:
            return 0
        path = Path(path).expanduser()
        require_writable(path)
        if not path.exists():
            return 0
        content = read_checkpoint(path, CONTENT)
        require_same_settings(path, self.identity, content["settings"])
        self.model.learner.load_state_dict(content["learner"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
        self.history = History(**content["history"])
        return self.history.epochs[-1] + 1


def _require_trainable(model: PromptedCLIP, cache_features: bool) -> None:
    """ValueError for a model that `fit` cannot train."""
    if not isinstance(model, PromptedCLIP):
        raise ValueError(f"fit trains a PromptedCLIP, got {type(model).__name__}.")
    name = type(model.learner).__name__
    if not model.trainable_parameters:
        raise ValueError(f"{name} has no parameters to train: evaluate it with accuracy().")
    if cache_features and model.learner.vision_prompts():
        raise ValueError(f"{name} prompts the image tower, so that image features change: use cache_features=False.")
