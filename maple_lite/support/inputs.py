"""What FrozenCLIP accepts: the models that prompts fit, and the shapes of images, tokens and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn


def require_fitting_towers(model: Any) -> None:
    """ValueError in words for a model whose towers prompts do not fit."""
    if not isinstance(model, nn.Module) or not hasattr(model, "visual"):
        raise ValueError(f"prompts need an open_clip model, got {type(model).__name__}: make one with load_clip().")
    visual, text = model.visual, getattr(model, "text", model)
    unpacked = isinstance(model, open_clip.CLIP)
    pool = getattr(model, "text_pool_type", None) if unpacked else getattr(text, "pool_type", None)
    own_text = unpacked or isinstance(text, TextTransformer)
    reasons = {
        "it is a CoCa, which reads its text at an extra token": type(model).__name__ == "CoCa",
        f"its image tower is {type(visual).__name__}, not open_clip's own ViT": not isinstance(
            visual, VisionTransformer
        ),
        "its image tower pools by attention": getattr(visual, "attn_pool", None) is not None,
        f"its text tower is {type(text).__name__}, not open_clip's own": not own_text,
        "its text tower is not causal (as in SigLIP and CLIPA)": getattr(text, "attn_mask", None) is None,
        "its text is read at an extra token": getattr(text, "cls_emb", None) is not None,
        f"its text is read by pooling {pool!r} and not at EOT": pool != "argmax",
        "its text projection is no matrix": not isinstance(getattr(text, "text_projection", None), nn.Parameter),
        "it was trained with a sigmoid loss and a logit bias (SigLIP)": getattr(model, "logit_bias", None) is not None,
        "its weights are not float32 (load it with precision='fp32'; fit() has fast precisions)": any(
            weight.dtype != torch.float32 for weight in model.parameters()
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            raise ValueError(f"prompts do not fit this model: {reason}. A ViT such as 'ViT-B-16-quickgelu' fits.")


def require_images(images: Tensor, image_size: tuple[int, int]) -> None:
    """ValueError unless images are a float32 batch [B, 3, H, W] of the tower's size with at least one image."""
    expected = (3, *image_size)
    found = f"{images.dtype} of shape {list(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
    fits = isinstance(images, Tensor) and images.shape[1:] == expected and images.dtype == torch.float32
    if not fits or len(images) == 0:
        raise ValueError(
            f"images must be normalised torch.float32 of shape [B, {', '.join(map(str, expected))}], got {found}: "
            "clip.transform() makes them of pictures."
        )


def require_tokens(tokens: Tensor, context_length: int) -> None:
    """ValueError unless tokens are int64 [C, L] with 1 <= C and L <= context_length."""
    if tokens.ndim != 2 or len(tokens) == 0 or tokens.shape[1] > context_length or tokens.dtype != torch.int64:
        raise ValueError(
            f"tokens must be torch.int64 of shape [C, L] with L up to {context_length}, got {tokens.dtype} of shape "
            f"{list(tokens.shape)}: use tokenize()."
        )


def require_vision_prompts(prompts: Sequence[Tensor], width: int, layers: int) -> None:
    """ValueError unless there is at most a prompt per layer and each is [n, d_v]."""
    _require_no_more_than("vision", prompts, layers)
    for i, prompt in enumerate(prompts):
        if prompt.ndim != 2 or prompt.shape[1] != width:
            raise ValueError(_misfit("vision", i, f"[n, {width}]", prompt))


def require_text_prompts(prompts: Sequence[Tensor], width: int, layers: int, tokens: Tensor) -> None:
    """ValueError unless there is at most a prompt per layer and each fits tokens [C, L].

    That is [n, d_t], [C, n, d_t] or [B, 1, n, d_t] with one B for all, and n at most L - 2 (SOS and EOT stay).
    """
    _require_no_more_than("text", prompts, layers)
    classes, length = tokens.shape
    images = {len(prompt) for prompt in prompts if prompt.ndim == 4}
    for i, prompt in enumerate(prompts):
        leading = {2: (), 3: (classes,), 4: (max(images, default=0), 1)}.get(prompt.ndim)
        if leading is None or prompt.shape[:-2] != leading or prompt.shape[-1] != width:
            raise ValueError(_misfit("text", i, f"[n, {width}], [{classes}, n, {width}] or [B, 1, n, {width}]", prompt))
        if prompt.shape[-2] > length - 2:
            raise ValueError(
                f"text prompt {i} has {prompt.shape[-2]} tokens, the sentences have room for {length - 2}: put as many "
                "placeholder words into them."
            )


def _require_no_more_than(tower: str, prompts: Sequence[Tensor], layers: int) -> None:
    """ValueError if there are more prompts than layers."""
    if len(prompts) > layers:
        raise ValueError(f"{len(prompts)} {tower} prompts do not fit a {tower} tower of {layers} layers.")


def _misfit(tower: str, i: int, expected: str, prompt: Tensor) -> str:
    """The sentence on a prompt of a wrong shape."""
    return f"{tower} prompt {i} must have shape {expected}, got {list(prompt.shape)}: was it made for another CLIP?"
