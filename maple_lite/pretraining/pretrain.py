"""Contrastive pretraining of the tiny CLIP on pictures of emoji with captions: `maple-lite pretrain`."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from maple_lite.loading import load_clip
from maple_lite.pretraining.captions import caption_words, draw_captioned, frequencies, things
from maple_lite.pretraining.gauges import clean_accuracy
from maple_lite.pretraining.loss import Heads, contrast, head_targets, true_captions
from maple_lite.pretraining.tiny import HEAD_WIDTH, PATCH, Vocabulary, architecture, build, encode, export
from maple_lite.support.batches import autocast
from maple_lite.support.checkpoint import Checkpoint
from maple_lite.support.files import atomic_write
from maple_lite.support.progress import progress
from maple_lite.support.seeds import derived_seed, seeded

HEADS = 0.25  # share of the run in which the heads help
GROWING = 0.4  # share of the run in which the jitter grows from none to full
CLIP_NORM = 1.0
MEASURED = ("loss", "caption_found", "thing_seen", "thing_read")  # in every step; percent but for the loss


@dataclass(frozen=True)
class PretrainingSettings:
    """What decides the weights of a tiny CLIP: the same settings on the same machine give the same bits.

    `pairs` are drawn pictures with captions, `every` counts steps between checkpoints, `warmup` steps.
    Raises ValueError for a value that cannot train.
    """

    pairs: int = 320_000
    batch_size: int = 128
    lr: float = 1.2e-3
    weight_decay: float = 0.05
    warmup: int = 300
    seed: int = 0
    precision: str = "fp32"
    every: int = 500
    resolution: int = 48
    width: int = 128
    layers: int = 6
    embed_dim: int = 128

    def __post_init__(self) -> None:
        for name in ("every", "resolution", "width", "layers", "embed_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.batch_size < 2 or self.pairs < self.batch_size:
            raise ValueError(
                f"a batch needs at least 2 pairs and the run one batch, got batches of {self.batch_size} and "
                f"{self.pairs} pairs."
            )
        if not self.lr > 0 or self.weight_decay < 0 or self.warmup < 0 or self.seed < 0:
            raise ValueError(
                f"lr must be above 0 and weight_decay, warmup and seed not below, got {self.lr}, {self.weight_decay}, "
                f"{self.warmup} and {self.seed}."
            )
        if self.width % HEAD_WIDTH or self.resolution % PATCH:
            raise ValueError(
                f"width must be a multiple of {HEAD_WIDTH} and resolution one of {PATCH}, got {self.width} and "
                f"{self.resolution}."
            )

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.pairs // self.batch_size

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step: a linear warm-up under a cosine that ends at 0."""
        return self.lr * min(1, (step + 1) / (self.warmup + 1)) * (1 + math.cos(math.pi * step / self.steps)) / 2

    def jitter(self, step: int) -> float:
        """How far the things of a step are moved, turned and resized, from 0 to 1."""
        return min(1.0, step / (GROWING * self.steps))

    def head_weight(self, step: int) -> float:
        """The weight of the heads' loss, which falls from 1 to 0 in the first part of the run.

        Heads make all names and sentences of a thing equal; what captions alone teach is left to the rest of the run.
        """
        return max(0.0, 1 - step / (HEADS * self.steps))


def pretrain(folder: str | Path, settings: PretrainingSettings, checkpoint: str | Path) -> pd.DataFrame:
    """Trains a tiny CLIP by `settings` into an open_clip `folder`, and returns its curve, a row per checkpoint.

    The folder is written with every checkpoint, so that a first CLIP is there early. A run that was killed goes on
    from `checkpoint` and ends with the same bits as one that was not.
    Raises ValueError for a gradient that is not finite, and a checkpoint that is damaged or of another run.
    """
    folder, checkpoint = Path(folder), Path(checkpoint)
    run = _Pretraining(settings, checkpoint)
    run.kept.resume()
    first = run.curve.step
    write_lists(folder)
    measured, start = [], time.perf_counter()
    with progress(settings.steps, "pretraining", done=first) as bar:
        for step in range(first, settings.steps):
            measured.append(run.step(step))
            bar.update()
            if (step + 1) % settings.every == 0 or step + 1 == settings.steps:
                run.record(step, torch.stack(measured).mean(dim=0), time.perf_counter() - start, folder)
                run.kept.save()
                measured, start = [], time.perf_counter()
    return run.curve.frame()


def write_lists(folder: Path) -> None:
    """Writes what captions hold beside the weights: words.txt, and frequencies.csv of the things."""
    columns = {"thing": [thing.name for thing in things()], "dataset": [thing.dataset for thing in things()]}
    table = pd.DataFrame(columns | {"frequency": frequencies().tolist()})
    words = pd.Series(caption_words())
    atomic_write(folder / "frequencies.csv", lambda file: table.to_csv(file, index=False))
    atomic_write(folder / "words.txt", lambda file: words.to_csv(file, index=False, header=False))


class Curve:
    """What was measured so far, a row per checkpoint."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    @property
    def step(self) -> int:
        """The step to go on with."""
        return int(self.rows[-1]["step"]) if self.rows else 0

    def frame(self) -> pd.DataFrame:
        """The rows as a frame."""
        return pd.DataFrame(self.rows)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """Takes what a checkpoint kept."""
        self.rows = list(state_dict["rows"])


class _Pretraining:
    """A pretraining run: model, heads, optimizer, and the curve so far; `kept` is their checkpoint."""

    def __init__(self, settings: PretrainingSettings, checkpoint: Path) -> None:
        self.settings, self.vocabulary, self.curve = settings, Vocabulary(), Curve()
        self.config = architecture(settings.width, settings.layers, settings.embed_dim, settings.resolution)
        with seeded(settings.seed):
            self.model, self.heads = build(self.config, self.vocabulary), Heads(settings.embed_dim)
        self.frequencies, self.cast = frequencies(), autocast(settings.precision, torch.device("cpu"))
        self.optimizer = torch.optim.AdamW(_groups(self.model, self.heads, settings.weight_decay), betas=(0.9, 0.98))
        identity = {**asdict(settings), "things": len(things()), "vocabulary": len(self.vocabulary)}
        state: dict[str, Any] = dict(model=self.model, heads=self.heads, optimizer=self.optimizer, curve=self.curve)
        self.kept = Checkpoint(checkpoint, identity, **state)

    def step(self, step: int) -> Tensor:
        """What was MEASURED, a tensor [4], in one step of training; the pictures are a function of seed and step."""
        settings = self.settings
        generator = torch.Generator().manual_seed(derived_seed(settings.seed, step))
        pictures = draw_captioned(
            settings.batch_size, generator, self.frequencies, settings.jitter(step), settings.resolution
        )
        with self.cast:
            features = encode(self.model, pictures.images, self.vocabulary.tokenize(pictures.captions))
        loss, found = contrast(*features, self.model.logit_scale, true_captions(pictures))
        read = [self.heads(*pair) for pair in zip(features, head_targets(pictures), strict=True)]
        total = loss + settings.head_weight(step) * (read[0][0] + read[1][0]) / 2
        self.update(total, settings.learning_rate(step))
        return torch.stack([loss.detach(), 100 * found, 100 * read[0][1], 100 * read[1][1]])

    def update(self, loss: Tensor, rate: float) -> None:
        """One step of AdamW with clipped gradients; the logit scale stays at or below 100, as in CLIP.

        Raises ValueError for a gradient that is not finite, before the weights take it.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_([*self.model.parameters(), *self.heads.parameters()], CLIP_NORM)
        if not norm.isfinite():
            raise ValueError(f"the loss (now {loss.item()}) has no finite gradient: lower lr, now {self.settings.lr}.")
        self.optimizer.step()
        self.model.logit_scale.data.clamp_(max=math.log(100))

    def record(self, step: int, measured: Tensor, seconds: float, folder: Path) -> None:
        """Writes the folder, looks at how good it is, adds a row to the curve and writes that."""
        export(self.model, self.vocabulary, self.config, folder)
        rows = self.curve.rows
        before = rows[-1]["seconds"] if rows else 0.0
        everything, within = clean_accuracy(load_clip(f"local-dir:{folder}", device="cpu"))
        row = {"step": step + 1, "pairs": (step + 1) * self.settings.batch_size, "seconds": round(before + seconds)}
        row |= {name: round(value, 3) for name, value in zip(MEASURED, measured.tolist(), strict=True)}
        rows.append(row | {"clean_all": everything, "clean_within": within})
        frame = self.curve.frame()
        atomic_write(folder / "training.csv", lambda file: frame.to_csv(file, index=False, float_format="%.5g"))


def _groups(model: nn.Module, heads: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: only matrices of linear layers decay; not norms, biases, embeddings and the logit scale."""
    named = [*model.named_parameters(), *heads.named_parameters()]
    decayed = [weight for name, weight in named if weight.ndim >= 2 and "embedding" not in name]
    others = [weight for name, weight in named if weight.ndim < 2 or "embedding" in name]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
