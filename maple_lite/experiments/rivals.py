"""Rivals without prompts: classifiers of frozen image features, trained on the same shots as prompts.

They hold weights or pictures of the classes that they were trained on, and know no others: unlike prompts, they cannot
be asked about novel classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.learners import PromptLearner
from maple_lite.presets import SHOTS
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import ClassificationDataset
from maple_lite.support.names import require_name
from maple_lite.support.seeds import derived_seed, seeded
from maple_lite.training import image_features

ALPHA, BETA = 1.0, 5.5  # Tip-Adapter's published weight and sharpness of the cache
EPOCHS, LR, BATCH = 20, 1e-3, 256  # Tip-Adapter-F's
STEPS = 200  # of L-BFGS at most: the probe's objective is convex, and far fewer are used


@dataclass(frozen=True)
class FeatureClassifier:
    """A classifier of image features [N, D] of a CLIP into the classes that it was trained on, and no others."""

    name: str
    clip: FrozenCLIP
    template: str
    class_names: tuple[str, ...]
    logits: Callable[[Tensor], Tensor]

    def accuracy(self, data: ClassificationDataset) -> float:
        """Percent of the images of `data` that are named rightly; ValueError for other classes than its own."""
        if tuple(data.class_names) != self.class_names:
            raise ValueError(
                f"{self.name} knows only the {len(self.class_names)} classes that it was trained on and cannot be "
                f"asked about others: test it on those, or train prompts, which can."
            )
        features, labels = _features(self.clip, data, self.template)
        return 100 * (self.logits(features).argmax(dim=1) == labels).double().mean().item()


Fitting = Callable[[Tensor, Tensor, Tensor, float], Callable[[Tensor], Tensor]]


def train_rival(
    name: str, data: ClassificationDataset, clip: FrozenCLIP, shots: int = SHOTS, seed: int = 1
) -> FeatureClassifier:
    """A rival trained on `shots` images per class of `data`, on the same sample as prompts of that seed.

    `name` is one of `RIVALS`. The text features are those of the dataset's zero-shot sentence.

    >>> train_rival("tip-adapter", base, clip).accuracy(base)
    """
    fitting = RIVALS[require_name("rival", name, RIVALS)]
    features, labels = _features(clip, data.train(shots, seed), data.template)
    with torch.no_grad():
        text = PromptedCLIP(clip, PromptLearner(data.template), data.class_names).encode_classes().cpu()  # [C, D]
    with seeded(derived_seed(seed)):
        logits = fitting(features, labels, text, clip.logit_scale.exp().item())
    return FeatureClassifier(name, clip, data.template, tuple(data.class_names), logits)


def fit_tip_adapter(features: Tensor, labels: Tensor, text: Tensor, scale: float) -> Callable[[Tensor], Tensor]:
    """Tip-Adapter (Zhang et al., ECCV 2022): zero-shot logits plus a cache of the shots; nothing is trained.

    Features [N, D] and text [C, D] have unit norm, labels are [N].
    """
    return _tip_adapter(features, F.one_hot(labels, len(text)).float(), text, scale)


def fit_tip_adapter_f(features: Tensor, labels: Tensor, text: Tensor, scale: float) -> Callable[[Tensor], Tensor]:
    """Tip-Adapter-F: the keys of the cache are trained on, with the published settings."""
    keys = features.clone().requires_grad_()
    values = F.one_hot(labels, len(text)).float()
    steps = EPOCHS * -(-len(labels) // BATCH)
    optimizer = torch.optim.AdamW([keys], lr=LR, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(labels)).split(BATCH):
            loss = F.cross_entropy(_tip_adapter(keys, values, text, scale)(features[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return _tip_adapter(keys.detach(), values, text, scale)


def fit_text_probe(features: Tensor, labels: Tensor, text: Tensor, scale: float) -> Callable[[Tensor], Tensor]:
    """A linear probe that starts at the text features and is held near them, as CLAP is (Silva-Rodriguez et al., 2024).

    The loss is cross-entropy plus, for every class, the squared distance of its weights from its text features, times
    zero-shot CLIP's mean probability of that class on its shots: names that CLIP knows well are held closer.
    """
    start = (scale * features @ text.T).softmax(dim=1)  # [N, C]
    own = start[torch.arange(len(labels)), labels]
    held = torch.zeros(len(text)).scatter_reduce(0, labels, own, "mean", include_self=False)  # [C]
    weights = text.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        distance = (held[:, None] * (weights - text).square()).sum()
        value = F.cross_entropy(scale * features @ weights.T, labels) + distance
        value.backward()
        return value

    optimizer.step(loss)
    found = weights.detach()
    return lambda images: scale * images @ found.T


RIVALS: dict[str, Fitting] = {
    "tip-adapter": fit_tip_adapter,
    "tip-adapter-f": fit_tip_adapter_f,
    "text-probe": fit_text_probe,
}
"""The rivals by name: (features [N, D], labels [N], text features [C, D], exp(logit scale)) -> features -> logits."""


def _tip_adapter(keys: Tensor, values: Tensor, text: Tensor, scale: float) -> Callable[[Tensor], Tensor]:
    """Logits [B, C] of image features [B, D] by the text features [C, D] and a cache of keys [N, D], values [N, C]."""
    return lambda images: scale * images @ text.T + ALPHA * (BETA * (images @ keys.T - 1)).exp() @ values


def _features(clip: FrozenCLIP, data: ClassificationDataset, template: str | Sequence[str]) -> tuple[Tensor, ...]:
    """Unit-norm image features [N, D] and labels [N] of a dataset."""
    return image_features(PromptedCLIP(clip, PromptLearner(template), data.class_names), data).tensors
