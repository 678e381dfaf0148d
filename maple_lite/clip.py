"""FrozenCLIP: the two encoders of an open_clip model, frozen, with prompts as arguments.

`walk` is the one loop over blocks. `ImageTower` and `TextTower` are what it knows of open_clip's towers; a tower of
another kind would enter here, as a third class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transform import PreprocessCfg
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from maple_lite.support.inputs import (
    require_fitting_towers,
    require_images,
    require_text_prompts,
    require_tokens,
    require_vision_prompts,
)
from maple_lite.support.memory import ROWS
from maple_lite.support.names import require_count
from maple_lite.tokens import tokenize

Visit = Callable[[Any, Tensor, Tensor | None], object]  # sees a block, what it reads [R, L, d], and its mask [L, L]


class Tower(Protocol):
    """One tower with its input: what `walk` needs of it. R rows are images or sentences."""

    @property
    def blocks(self) -> Sequence[Any]:
        """The layers in their order."""
        ...

    @property
    def mask(self) -> Tensor | None:
        """The attention mask [L, L] of all layers, or None."""
        ...

    def embed(self, prompt: Tensor | None) -> Tensor:
        """What the first layer reads [R, L, d], with the first prompt in it, if there is one."""
        ...

    def replace(self, x: Tensor, prompt: Tensor) -> Tensor:
        """The residual stream [R, L, d] with a deeper prompt in place of the prompt tokens of the layer before."""
        ...

    def read(self, x: Tensor) -> Tensor:
        """Unit-norm features [R, D] of what the last layer put out."""
        ...


def walk(tower: Tower, prompts: Sequence[Tensor] = (), visit: Visit | None = None) -> Tensor:
    """Unit-norm features [R, D]: a tower's blocks one after another, with `prompts[i]` at the input of block i.

    After the last prompt the prompt tokens travel on. `visit` sees what every block reads.
    """
    x, mask = tower.embed(prompts[0] if len(prompts) else None), tower.mask  # [R, L, d]
    for i, block in enumerate(tower.blocks):
        if 0 < i < len(prompts):
            x = tower.replace(x, prompts[i])
        if visit is not None:
            visit(block, x, mask)
        x = block(x, attn_mask=mask)  # by keyword: by position open_clip takes the mask for keys and drops it
    return tower.read(x)


@dataclass(frozen=True)
class ImageTower:
    """open_clip's ViT `visual` with normalised images [B, 3, H, W]. Prompts are [n, d_v]."""

    visual: Any
    images: Tensor
    mask: None = None

    @property
    def blocks(self) -> Sequence[Any]:
        """The layers in their order."""
        return self.visual.transformer.resblocks

    @property
    def own(self) -> int:
        """Number of the tower's own tokens, CLS and patches: 1 + N."""
        return self.visual.positional_embedding.shape[0]

    def embed(self, prompt: Tensor | None) -> Tensor:
        """CLS and patches [B, 1 + N, d_v], then the prompt: without a position of its own, and before `ln_pre`."""
        x = self.visual._embeds(self.images)  # [B, 1 + N, d_v], ln_pre applied
        return x if prompt is None else self._joined(x, self.visual.ln_pre(prompt))

    def replace(self, x: Tensor, prompt: Tensor) -> Tensor:
        """The residual stream [B, 1 + N + n, d_v] with `prompt` as its last n tokens."""
        return self._joined(x, prompt)

    def read(self, x: Tensor) -> Tensor:
        """Unit-norm features [B, D]; the prompts never enter the pooling."""
        pooled, _ = self.visual._pool(x[:, : self.own])  # [B, d_v]
        return F.normalize((pooled @ self.visual.proj).float(), dim=-1)

    def _joined(self, x: Tensor, prompt: Tensor) -> Tensor:
        """CLS and patches, then a prompt: [B, 1 + N + n, d_v]."""
        return torch.cat([x[:, : self.own], prompt.expand(len(x), -1, -1)], dim=1)


@dataclass(frozen=True)
class TextTower:
    """open_clip's text transformer `text` with tokens [R, L]. Prompts are [n, d_t] or [R, n, d_t].

    They stand at 1..n, or at `positions` [R, n]. `text` is a CLIP or a TextTransformer of open_clip.
    """

    text: Any
    tokens: Tensor
    positions: Tensor | None = None

    @property
    def blocks(self) -> Sequence[Any]:
        """The layers in their order."""
        return self.text.transformer.resblocks

    @property
    def mask(self) -> Tensor:
        """The causal mask [L, L]."""
        length = self.tokens.shape[1]
        return self.text.attn_mask[:length, :length]

    def embed(self, prompt: Tensor | None) -> Tensor:
        """Words [R, L, d_t], some of them replaced by the prompt; then the positional embedding is added."""
        x = self.text.token_embedding(self.tokens)  # [R, L, d_t]
        x = x if prompt is None else write_prompt(x, prompt, self.positions)
        return x + self.text.positional_embedding[: x.shape[1]]

    def replace(self, x: Tensor, prompt: Tensor) -> Tensor:
        """The residual stream [R, L, d_t] with `prompt` at its places."""
        return write_prompt(x, prompt, self.positions)

    def read(self, x: Tensor) -> Tensor:
        """Unit-norm features [R, D], read at EOT, which is the largest token id."""
        return F.normalize(self.project(x), dim=-1)

    def project(self, x: Tensor) -> Tensor:
        """Features [R, D] before they are normalised."""
        end = self.tokens.argmax(dim=-1)  # [R]
        x = self.text.ln_final(x[torch.arange(len(x), device=x.device), end])  # [R, d_t]
        return (x @ self.text.text_projection).float()


class FrozenCLIP(nn.Module):
    """A frozen CLIP whose encoders accept prompts; without prompts they are the wrapped model's own.

    `open_clip_model` is any open_clip CLIP with open_clip's own ViT and a causal text transformer read at EOT, in
    float32. It is put in eval mode and its parameters stop asking for gradients; nothing else of it changes.
    Raises ValueError in words for towers that prompts do not fit (ResNet, SigLIP, EVA, CoCa, CLIPA, HF text).

    >>> clip = FrozenCLIP(open_clip.create_model("ViT-B-16-quickgelu"))  # doctest: +SKIP
    >>> clip.encode_image(images).shape, clip.encode_text(tokens).shape     # [B, D], [C, D]
    """

    image_tower: type[ImageTower] = ImageTower
    text_tower: type[TextTower] = TextTower

    def __init__(self, open_clip_model: nn.Module) -> None:
        super().__init__()
        require_fitting_towers(open_clip_model)
        self.model: Any = open_clip_model.eval().requires_grad_(False)
        self.preprocess = _preprocess(open_clip_model)
        _require_equal_features(self)

    @property
    def visual(self) -> Any:
        """The image tower."""
        return self.model.visual

    @property
    def text(self) -> Any:
        """What holds the text tower: `CustomTextCLIP.text`, or the model itself (`CLIP` unpacks the tower)."""
        return getattr(self.model, "text", self.model)

    @property
    def text_width(self) -> int:
        """Width d_t of the text tower."""
        return self.text.token_embedding.embedding_dim

    @property
    def vision_width(self) -> int:
        """Width d_v of the image tower."""
        return self.visual.conv1.out_channels

    @property
    def embed_dim(self) -> int:
        """Width D of the joint space."""
        return self.visual.proj.shape[1]

    @property
    def text_layers(self) -> int:
        """Number of layers of the text tower."""
        return len(self.text.transformer.resblocks)

    @property
    def vision_layers(self) -> int:
        """Number of layers of the image tower."""
        return len(self.visual.transformer.resblocks)

    @property
    def shape(self) -> dict[str, int]:
        """The five sizes that a learner must fit."""
        names = ("text_width", "vision_width", "embed_dim", "text_layers", "vision_layers")
        return {name: getattr(self, name) for name in names}

    @property
    def context_length(self) -> int:
        """Longest sentence in tokens, SOS and EOT included."""
        return self.text.positional_embedding.shape[0]

    @property
    def logit_scale(self) -> Tensor:
        """The logarithm of the factor between cosine similarities and logits, a scalar."""
        return self.model.logit_scale.squeeze()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.visual.proj.device

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the weights, the same on every device.

        They are made from the sum of each tensor's bits as whole numbers. The order of summing does not change it.
        """
        sums = [weight.detach().contiguous().view(torch.int32).sum(dtype=torch.int64) for weight in self.parameters()]
        return hashlib.sha256(torch.stack(sums).cpu().numpy().tobytes()).hexdigest()[:16]

    def train(self, mode: bool = True) -> FrozenCLIP:
        """The model itself, in eval mode whatever `mode` says: a frozen CLIP has no training mode."""
        return super().train(False)

    def transform(self) -> Callable[[Any], Tensor]:
        """The function from a PIL picture to a normalised tensor [3, H, W], resized and cropped by `preprocess`."""
        return open_clip.transform.image_transform_v2(self.preprocess, is_train=False)

    def encode_image(self, images: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        """Unit-norm image features [B, D] of normalised images [B, 3, H, W]; `prompts[i]` [n, d_v] enters layer i.

        The first prompt is appended after the patches, without a position of its own and before `ln_pre`; a deeper
        one replaces the prompt tokens that the layer before put out. After the last prompt they travel on, and they
        never enter the pooling (VPT-deep as in the authors' code of MaPLe). Raises ValueError for a wrong shape.
        """
        require_images(images, self.visual.image_size)
        require_vision_prompts(prompts, self.vision_width, self.vision_layers)
        return walk(self.image_tower(self.visual, images), prompts)

    def encode_text(
        self, tokens: Tensor, prompts: Sequence[Tensor] = (), positions: Tensor | None = None, chunk: int = ROWS
    ) -> Tensor:
        """Unit-norm text features [C, D] of tokens [C, L]; `prompts[i]` enters layer i.

        A prompt is [n, d_t], one per class [C, n, d_t], or one per image [B, 1, n, d_t], which returns [B, C, D].
        It stands at 1..n, or at `positions` [C, n]. At most `chunk` sentences are encoded at a time; where there are
        more and prompts are trained, the backward pass computes each chunk again, so that memory does not grow with C.
        Raises ValueError for a wrong shape.
        """
        require_tokens(tokens, self.context_length)
        require_text_prompts(prompts, self.text_width, self.text_layers, tokens)
        images = next((len(prompt) for prompt in prompts if prompt.ndim == 4), None)
        pairs, classes = (images or 1) * len(tokens), len(tokens)  # (image, class), image after image
        chunk = require_count("chunk", chunk)
        trained = torch.is_grad_enabled() and any(prompt.requires_grad for prompt in prompts)
        encode = partial(_recomputed, self._encode) if trained and pairs > chunk else self._encode
        features = []
        for first in range(0, pairs, chunk):
            part = torch.arange(first, min(first + chunk, pairs), device=tokens.device) % classes  # [R]
            own = [_prompts_of_pairs(prompt, first, len(part), classes) for prompt in prompts]
            features.append(encode(tokens[part], own, None if positions is None else positions[part]))
        joined = torch.cat(features)  # [C, D] or [B * C, D]
        return joined if images is None else joined.unflatten(0, (images, classes))

    def _encode(self, tokens: Tensor, prompts: Sequence[Tensor], positions: Tensor | None) -> Tensor:
        """Unit-norm features [R, D] of tokens [R, L] with prompts [n, d_t] or [R, n, d_t]."""
        return walk(self.text_tower(self.text, tokens, positions), prompts)


def encode_sentences(
    text: Any, tokens: Tensor, prompts: Sequence[Tensor] = (), positions: Tensor | None = None
) -> Tensor:
    """Unit-norm features [R, D], by the text tower `text`, of tokens [R, L]; prompts are [n, d_t] or [R, n, d_t].

    Prompts stand at 1..n, or at `positions` [R, n]. `text` is open_clip's CLIP or TextTransformer.
    """
    return walk(TextTower(text, tokens, positions), prompts)


_recomputed = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)


def write_prompt(x: Tensor, prompt: Tensor, positions: Tensor | None = None) -> Tensor:
    """The residual stream [R, L, d] with `prompt` [n, d] or [R, n, d] written over 1..n, or over `positions` [R, n]."""
    prompt = prompt.expand(len(x), -1, -1)  # [R, n, d]
    if positions is None:
        return torch.cat([x[:, :1], prompt, x[:, 1 + prompt.shape[1] :]], dim=1)
    return x.scatter(1, positions[..., None].expand_as(prompt), prompt)


def _prompts_of_pairs(prompt: Tensor, first: int, rows: int, classes: int) -> Tensor:
    """The prompt of `rows` (image, class) pairs from pair `first` on: [n, d] for all, or [R, n, d].

    By expanding and not by indexing, whose backward on several CPU threads sums in a changing order.
    """
    if prompt.ndim == 2:
        return prompt
    image, last = first // classes, (first + rows - 1) // classes
    images = prompt[None] if prompt.ndim == 3 else prompt[image : last + 1]
    pairs = images.expand(last + 1 - image, classes, -1, -1).flatten(0, 1)
    return pairs[first - image * classes :][:rows]


def _preprocess(model: Any) -> PreprocessCfg:
    """Image size, mean and std as open_clip keeps them; a square size is one number."""
    config = PreprocessCfg(**getattr(model.visual, "preprocess_cfg", {"size": model.visual.image_size}))
    height, width = config.input_size[1:]
    config.size = height if height == width else (height, width)
    return config


@torch.no_grad()
def _require_equal_features(clip: FrozenCLIP) -> None:
    """ValueError unless, without prompts, both encoders give what open_clip's give (to 1e-3 of unit norm)."""
    size = clip.visual.image_size
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(clip.device)
    tokens = tokenize(["a photo of a cat."]).to(clip.device)
    padded = F.pad(tokens, (0, clip.context_length - tokens.shape[1]))
    pairs = {
        "image": (clip.encode_image(image), clip.model.encode_image(image, normalize=True)),
        "text": (clip.encode_text(tokens), clip.model.encode_text(padded, normalize=True)),
    }
    for tower, (ours, theirs) in pairs.items():
        if not torch.allclose(ours, theirs, atol=1e-3):
            raise ValueError(
                f"prompts do not fit this model: without prompts its {tower} features differ from open_clip's by "
                f"{(ours - theirs).abs().max():.1e}; this tower has a part that FrozenCLIP does not know."
            )
