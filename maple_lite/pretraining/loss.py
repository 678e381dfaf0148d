"""The loss of the tiny CLIP: contrast between pictures and captions, and heads that read symbol and colours."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.datasets.glyphs.glyphs import symbols
from maple_lite.datasets.glyphs.painting import COLOURS
from maple_lite.pretraining.captions import CaptionedPictures

UNNAMED = -100  # what cross_entropy ignores


class Mentions(NamedTuple):
    """Which caption names its symbol's colour and its background's, bool [B] each (the symbol it always names)."""

    foreground: Tensor
    background: Tensor


def mentions(pictures: CaptionedPictures) -> Mentions:
    """Which colours each of the captions names."""
    colours, everything = list(COLOURS), symbols()
    pairs = zip(pictures.foreground_ids.tolist(), pictures.symbol_ids.tolist(), strict=True)
    coloured = [f"{colours[colour]} {everything[symbol].name}" for colour, symbol in pairs]
    foreground = [name in caption for name, caption in zip(coloured, pictures.captions, strict=True)]
    return Mentions(torch.tensor(foreground), torch.tensor([" on " in caption for caption in pictures.captions]))


def true_captions(pictures: CaptionedPictures, named: Mentions) -> Tensor:
    """Whether caption j is true of picture i, bool [B, B]: its symbol fits, and every colour that it names."""
    symbol, foreground, background = (ids[:, None] == ids for ids in pictures[2:])
    return symbol & (foreground | ~named.foreground) & (background | ~named.background)


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
    """Linear heads that read the symbol and both colours from features: the same for pictures and captions.

    Sharing them pulls a picture and its caption to the same place long before the contrast does.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.sizes = [len(symbols()), len(COLOURS), len(COLOURS)]
        self.linear = nn.Linear(embed_dim, sum(self.sizes))

    def forward(self, features: Tensor, targets: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The summed cross-entropies for unit-norm features [B, D] and three targets [B], and the share of symbols."""
        logits = self.linear(features * features.shape[1] ** 0.5).split(self.sizes, dim=1)  # three times [B, classes]
        pairs = zip(logits, targets, strict=True)
        losses = [F.cross_entropy(*pair, ignore_index=UNNAMED, reduction="sum") for pair in pairs]
        right = (logits[0].argmax(dim=1) == targets[0]).float().mean()
        return torch.stack(losses).sum() / len(features), right


def head_targets(pictures: CaptionedPictures, named: Mentions) -> tuple[list[Tensor], list[Tensor]]:
    """The heads' targets, three times [B], for pictures and for captions, where a colour may go unnamed."""
    of_pictures = list(pictures[2:])
    foreground = pictures.foreground_ids.where(named.foreground, UNNAMED)
    background = pictures.background_ids.where(named.background, UNNAMED)
    return of_pictures, [pictures.symbol_ids, foreground, background]
