"""The loss of the tiny CLIP: contrast between pictures and captions, and heads that read what both say."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.datasets.emoji.grounds import COLOURS
from maple_lite.datasets.emoji.looks import EVERY
from maple_lite.pretraining.captions import CaptionedPictures, things

UNNAMED = -100  # what cross_entropy ignores


def true_captions(pictures: CaptionedPictures) -> Tensor:
    """Whether caption j is true of picture i, bool [B, B]: its thing fits, and so do look and ground if it names them.

    A caption that names the wrong thing is not true of its own picture, and may be true of another.
    """
    thing = pictures.shown[:, None] == pictures.named
    look = pictures.looks[:, None] == pictures.looks
    ground = pictures.grounds[:, None] == pictures.grounds
    return thing & (look | ~pictures.names_look) & (ground | ~pictures.names_ground)


def contrast(image_features: Tensor, text_features: Tensor, logit_scale: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """CLIP's loss, a scalar, for features [B, D] each, and the share of pictures that find their own caption.

    A caption that is `true` [B, B] of another picture than its own is left out there: it would be a false negative.
    """
    logits = logit_scale.exp() * image_features @ text_features.T  # [B, B], pictures by captions
    own = torch.arange(len(logits), device=logits.device)
    logits = logits.masked_fill(true & ~torch.eye(len(own), dtype=torch.bool, device=own.device), -torch.inf)
    loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    return loss, (logits.argmax(dim=1) == own).float().mean()


class Heads(nn.Module):
    """Linear heads that read thing, look and ground from features: the same for pictures and captions.

    Sharing them pulls a picture and its caption to the same place long before the contrast does.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.sizes = [len(things()), len(EVERY), len(COLOURS)]
        self.linear = nn.Linear(embed_dim, sum(self.sizes))

    def forward(self, features: Tensor, targets: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The summed cross-entropies for unit-norm features [B, D] and three targets [B], and the share of things."""
        logits = self.linear(features * features.shape[1] ** 0.5).split(self.sizes, dim=1)  # three times [B, classes]
        pairs = zip(logits, targets, strict=True)
        losses = [F.cross_entropy(*pair, ignore_index=UNNAMED, reduction="sum") for pair in pairs]
        right = (logits[0].argmax(dim=1) == targets[0]).float().mean()
        return torch.stack(losses).sum() / len(features), right


def head_targets(pictures: CaptionedPictures) -> tuple[list[Tensor], list[Tensor]]:
    """The heads' targets, three times [B], for pictures and for captions, which may leave look and ground unnamed."""
    looks = pictures.looks.where(pictures.names_look, UNNAMED)
    grounds = pictures.grounds.where(pictures.names_ground, UNNAMED)
    return [pictures.shown, pictures.looks, pictures.grounds], [pictures.named, looks, grounds]
