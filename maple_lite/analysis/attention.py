"""How much the reading tokens attend to prompts, layer by layer, in both towers.

A block of open_clip returns no attention weights. They are computed again from what the block reads and from its own
input projection, and the frozen model stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP, Tower, walk
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.inputs import require_images

Read = tuple[Any, Tensor, Tensor | None]  # a block, the residual stream [R, L, d] that it reads, and its mask [L, L]


@torch.no_grad()
def attention_to_prompts(model: PromptedCLIP, images: Tensor) -> pd.DataFrame:
    """A row (tower, layer, example, share, uniform, enters) per prompted tower, layer and image or class.

    `share` in 0..1 is the attention, averaged over the heads, that the reading token pays to all prompt tokens: CLS
    in the image tower (example: the image's number), EOT in the text tower (example: the class name). `uniform` is
    the share that they would have if attention were equal over all tokens that may be seen (after EOT none may).
    `enters` says whether a learned prompt enters at this layer; beyond, its tokens travel on as the layers make them.
    Layers count from 1. The shares of CoCoOp's texts are means over the images [B, 3, H, W].
    Raises ValueError for a learner without prompts, or an image tower that is not read at CLS.

    >>> attention_to_prompts(model, images).groupby(["tower", "layer"])[["share", "uniform"]].mean()
    """
    features = model.encode_images(images) if model.learner.needs_image else None
    vision, text = model.learner.vision_prompts(), model.learner.text_prompts(features)
    if not vision and not text:
        raise ValueError(f"{type(model.learner).__name__} has no prompts to attend to: pass a model with a learner.")
    rows = [] if not vision else _vision_rows(model.clip, images, vision)
    rows += [] if not text else _text_rows(model, text)
    return pd.DataFrame(rows, columns=["tower", "layer", "example", "share", "uniform", "enters"])


def attention_weights(block: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention weights [R, H, L, L] of the H heads of a block that reads x [R, L, d]; every row sums to 1.

    `mask` [L, L] is added to the scores. Raises ValueError for a block whose attention is not torch's own.
    """
    attention = block.attn
    if not isinstance(attention, nn.MultiheadAttention):
        raise ValueError(f"attention weights need torch's MultiheadAttention, got {type(attention).__name__}.")
    both = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)[:2]
    query, key = (part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in both)  # [R, H, L, d / H]
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # [R, H, L, L]
    return (scores if mask is None else scores + mask).softmax(dim=-1)


def block_inputs(tower: Tower, prompts: Sequence[Tensor] = ()) -> list[Read]:
    """What each block of a tower reads, in their order, with `prompts[i]` written at the input of block i.

    >>> tower = clip.text_tower(clip.text, model.tokens, model.positions)
    >>> block, x, mask = block_inputs(tower, learner.text_prompts())[0]     # x [C, L, d_t], mask [L, L]
    """
    found: list[Read] = []
    walk(tower, prompts, lambda *read: found.append(read))
    return found


def shares(reads: Sequence[Read], readers: Tensor, places: Tensor) -> Tensor:
    """Shares [K, R] of attention, averaged over the heads, that token `readers` [R] pays to tokens `places` [R, n]."""
    rows = torch.arange(len(readers), device=readers.device)
    found = []
    for block, x, mask in reads:
        paid = attention_weights(block, x, mask).mean(dim=1)[rows, readers]  # [R, L]
        found.append(paid.gather(1, places).sum(dim=1))
    return torch.stack(found)


def _vision_rows(clip: FrozenCLIP, images: Tensor, prompts: Sequence[Tensor]) -> list[tuple]:
    """The image tower's rows of `attention_to_prompts`."""
    if clip.visual.pool_type != "tok":
        raise ValueError(f"the image tower is read by pooling {clip.visual.pool_type!r} and not at CLS: use another.")
    require_images(images, clip.visual.image_size)
    tower = clip.image_tower(clip.visual, images)
    own, n = tower.own, len(prompts[0])
    cls = torch.zeros(len(images), dtype=torch.long, device=images.device)
    places = torch.arange(own, own + n, device=images.device).expand(len(images), -1)  # [B, n]
    found = shares(block_inputs(tower, prompts), cls, places)  # [K, B]
    return _rows("vision", range(len(images)), found, [n / (own + n)] * len(images), len(prompts))


def _text_rows(model: PromptedCLIP, prompts: Sequence[Tensor]) -> list[tuple]:
    """The text tower's rows of `attention_to_prompts`; prompts that depend on the image are walked image by image."""
    tokens, places, n = model.tokens, model.positions, prompts[0].shape[-2]
    if places is None:
        places = torch.arange(1, 1 + n, device=tokens.device).expand(len(tokens), -1)  # [C, n]
    end = tokens.argmax(dim=-1)  # [C]
    per_image = [[p[b, 0] for p in prompts] for b in range(len(prompts[0]))] if prompts[0].ndim == 4 else [prompts]
    tower = model.clip.text_tower(model.clip.text, tokens, model.positions)
    found = [shares(block_inputs(tower, each), end, places) for each in per_image]
    names = model.class_names * len(model.learner.templates)
    return _rows("text", names, torch.stack(found).mean(dim=0), [n / (last + 1) for last in end.tolist()], len(prompts))


def _rows(tower: str, examples: Sequence, found: Tensor, uniform: Sequence[float], depth: int) -> list[tuple]:
    """Rows of a tower from shares [K, R]."""
    return [
        (tower, layer, example, share, equal, layer <= depth)
        for layer, column in enumerate(found.tolist(), start=1)
        for example, share, equal in zip(examples, column, uniform, strict=True)
    ]
