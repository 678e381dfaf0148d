"""fit: the plain training loop of every learner."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.utils.data import TensorDataset

from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import ClassificationDataset
from maple_lite.support.batches import MapStyle, autocast, batches, count, full_batches
from maple_lite.support.checkpoint import Checkpoint, digest
from maple_lite.support.memory import memory_advice
from maple_lite.support.modes import in_mode
from maple_lite.support.names import require_count
from maple_lite.support.progress import progress
from maple_lite.support.seeds import derived_seed, seeded
from maple_lite.support.state import ModuleState, is_plain

OptimizerFactory = Callable[..., Optimizer]  # called with the learned parameters and lr=


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

    @property
    def next_epoch(self) -> int:
        """The epoch to go on with."""
        return self.epochs[-1] + 1 if self.epochs else 0

    def add(self, epoch: int, rate: float, losses: list[Tensor], seconds: float) -> None:
        """Adds an epoch with the losses of its steps; ValueError if one is not finite."""
        values = torch.stack(losses).tolist()
        if not all(map(math.isfinite, values)):
            raise ValueError(
                f"the loss was not finite in epoch {epoch}: look for NaN in the images, lower lr, or use "
                "precision='fp32'; an earlier checkpoint is kept as it was."
            )
        self.epochs += [epoch] * len(values)
        self.learning_rates += [rate] * len(values)
        self.losses += values
        self.seconds += seconds

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return asdict(self)

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """Takes what a checkpoint kept."""
        vars(self).update(state_dict)


def learning_rate(epoch: int, epochs: int, lr: float) -> float:
    """The learning rate of one epoch: 1e-5 in epoch 0, then lr (1 + cos(pi (e - 1) / E)) / 2.

    The authors' cosine schedule with a constant first epoch: their warm-up stands in for epoch 0 and the cosine
    starts one epoch late, so that the last epoch is not at its lowest point.
    """
    return 1e-5 if epoch == 0 else lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def fit(
    model: PromptedCLIP,
    data: MapStyle,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    optimizer: OptimizerFactory | None = None,
    precision: str = "fp32",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    cache_features: bool = False,
    bar: bool = True,
) -> History:
    """The History of training the learner of `model` on (image [3, H, W], label) pairs, down its own `loss`.

    The order of the images is a function of `seed` and the epoch. The optimiser is SGD with `momentum` and
    `weight_decay`; `optimizer` replaces it, such as `torch.optim.AdamW` or a function of (parameters, lr=...).
    "bf16" and, on CUDA, "fp16" run the encoders under autocast and keep the prompts in float32. `checkpoint` is a file
    that is saved after every epoch: a run that was killed goes on from it, on a CPU to the same bits as one that was
    not (on CUDA after `torch.use_deterministic_algorithms(True)`; draws outside torch in your data are not seeded
    here). `cache_features` encodes every image once, which is exact for learners without vision prompts on data without
    augmentation. `bar=False` hides the progress bar. The learner is in training mode meanwhile.
    Raises ValueError for a learner without parameters, bad settings, items or labels, a loss that is not finite, and
    a checkpoint that is damaged or of another run; torch's OutOfMemoryError says which sizes to try.

    >>> history = fit(model, train_set, epochs=5, lr=0.0035, batch_size=4)
    """
    settings = Settings(epochs, lr, batch_size, momentum, weight_decay, precision, seed, cache_features)
    epochs, batch_size, seed, history = settings.epochs, settings.batch_size, settings.seed, History()
    descent = _optimizer(model, optimizer, settings)
    learner, device, classes = model.learner, model.clip.device, len(model.class_names)
    cast, scaler = autocast(precision, device), torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    state: dict[str, Any] = dict(learner=ModuleState(learner), optimizer=descent, scaler=scaler, history=history)
    kept = Checkpoint(checkpoint, _identity(model, data, settings, descent), **state)
    kept.resume()
    if cache_features:
        data = image_features(model, data, precision=precision)
    steps = max(1, full_batches(data, batch_size))
    shown = progress(steps * epochs, type(learner).__name__, done=steps * history.next_epoch, show=bar)
    with shown, in_mode(model, training=True), memory_advice(model, batch_size):
        for epoch in range(history.next_epoch, epochs):
            start, losses = time.perf_counter(), []
            rate = _set_rate(descent, epoch, epochs)
            with seeded(derived_seed(seed, epoch, 1)):  # augmentation and dropout draw from the global generator
                for images, labels in batches(data, batch_size, classes, device, derived_seed(seed, epoch)):
                    with cast:
                        loss = learner.loss(model, images, labels)
                    descent.zero_grad()
                    scaler.scale(loss).backward()
                    scaler.step(descent)
                    scaler.update()
                    losses.append(loss.detach())
                    shown.update()
            history.add(epoch, rate, losses, time.perf_counter() - start)
            learner.end_epoch(epoch, epochs)
            kept.save()
    return history


@torch.no_grad()
def image_features(
    model: PromptedCLIP, data: MapStyle, batch_size: int = 100, precision: str = "fp32"
) -> TensorDataset:
    """The dataset of (image features [D], label) of a dataset of (image, label), in its order, on the CPU."""
    device, names = model.clip.device, len(model.class_names)
    pairs = []
    with in_mode(model, training=False), memory_advice(model, batch_size), autocast(precision, device):
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


def _optimizer(model: PromptedCLIP, make: OptimizerFactory | None, settings: Settings) -> Optimizer:
    """The optimiser of a run; every group of its parameters remembers the learning rate that it began with."""
    sgd = partial(SGD, momentum=settings.momentum, weight_decay=settings.weight_decay)
    made = (make or sgd)(_learned_parameters(model, settings.cache_features), lr=settings.lr)
    for group in made.param_groups:
        group.setdefault("initial_lr", float(group["lr"]))
    return made


def _set_rate(optimizer: Optimizer, epoch: int, epochs: int) -> float:
    """Sets the learning rates of an epoch, and returns that of the first group of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(epoch, epochs, group["initial_lr"])
    return optimizer.param_groups[0]["lr"]


def _identity(model: PromptedCLIP, data: MapStyle, settings: Settings, optimizer: Optimizer) -> dict[str, Any]:
    """What distinguishes a run from others. Its checkpoint is refused by all others."""
    learner = model.learner
    found = {"method": type(learner).__name__, **_plain(learner.config), **asdict(settings)}
    found |= {"number of images": count(data), "sample": _sample(data), "class names": model.class_names}
    found |= {"CLIP weights": model.clip.fingerprint, "optimizer": type(optimizer).__name__}
    return found | {"optimizer settings": _plain(optimizer.defaults)}


def _sample(data: MapStyle) -> str:
    """A digest of which pictures a dataset holds; "unknown" for a plain torch dataset, which does not tell."""
    return digest(data.identity) if isinstance(data, ClassificationDataset) else "unknown"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values that a checkpoint can keep. Others are replaced by the names of their types."""
    return {name: value if is_plain(value) else type(value).__name__ for name, value in values.items()}


def _learned_parameters(model: PromptedCLIP, cache_features: bool) -> list[nn.Parameter]:
    """The parameters that `fit` trains; ValueError for a model that it cannot train."""
    if not isinstance(model, PromptedCLIP):
        raise ValueError(f"fit trains a PromptedCLIP, got {type(model).__name__}.")
    name = type(model.learner).__name__
    learned = [weight for weight in model.learner.parameters() if weight.requires_grad]
    if not learned:
        raise ValueError(f"{name} has no parameters to train: evaluate it with accuracy().")
    if cache_features and model.learner.vision_prompts():
        raise ValueError(f"{name} prompts the image tower, so that image features change: use cache_features=False.")
    return learned
