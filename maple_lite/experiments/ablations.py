"""Variants of MaPLe, CoOp and CoCoOp, one factor changed at a time, and a CLIP that adds deep prompts to its layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP, ImageTower, TextTower
from maple_lite.experiments.plan import Plan
from maple_lite.learners import (
    IVLP,
    ClassConditional,
    CoCoOp,
    MaPLe,
    PromptLearner,
    Taught,
    first_prompt,
    prompt_depth,
    random_prompt,
)
from maple_lite.prompted import PromptedCLIP

WORDS = {
    4: "a photo of a",
    8: "this is a nice close photo of a",
    16: "look at the picture here you see that it is a nice close photo of a",
}  # contexts of n tokens, of words that captions of the tiny CLIP use


class WordsAtEveryLayer(MaPLe):
    """MaPLe whose deeper text prompts start as the words of `init` too, instead of at random."""

    def __init__(self, clip: FrozenCLIP, **kwargs: Any) -> None:
        super().__init__(clip, **kwargs)
        self.text = nn.ParameterList([self.text[0].detach().clone() for _ in self.text])


class SharedCoupling(MaPLe):
    """MaPLe with one linear function for all layers."""

    def __init__(self, clip: FrozenCLIP, **kwargs: Any) -> None:
        super().__init__(clip, **kwargs)
        self.couple = nn.ModuleList([self.couple[0] for _ in self.text])


class MLPCoupling(MaPLe):
    """MaPLe with a small network (linear, ReLU, linear) per layer, of as many weights as the linear function."""

    def __init__(self, clip: FrozenCLIP, **kwargs: Any) -> None:
        super().__init__(clip, **kwargs)
        wide, high = clip.text_width, clip.vision_width
        hidden = round(wide * high / (wide + high))
        first, deep = (nn.Sequential(nn.Linear(wide, hidden), nn.ReLU(), nn.Linear(hidden, high)) for _ in range(2))
        self.couple = nn.ModuleList([first, *(copy.deepcopy(deep) for _ in self.text[1:])]).to(clip.device)


class ReversedCoupling(PromptLearner):
    """MaPLe the other way round: vision prompts are learned, text prompts are linear functions of them.

    Its first text prompt is such a function as well, and therefore cannot start from words.
    """

    towers: tuple[str, ...] = ("text", "vision")

    def __init__(
        self, clip: FrozenCLIP, n_ctx: int = 2, depth: int | None = None, init: str | None = "a photo of a"
    ) -> None:
        super().__init__(first_prompt(clip, n_ctx, init)[1], clip)
        depth = prompt_depth(clip, depth, MaPLe.paper_depth, self.towers)
        self.vision = nn.ParameterList([random_prompt(n_ctx, clip.vision_width, clip.device) for _ in range(depth)])
        first, deep = (nn.Linear(clip.vision_width, clip.text_width) for _ in range(2))
        self.couple = nn.ModuleList([first, *(copy.deepcopy(deep) for _ in self.vision[1:])]).to(clip.device)
        self.n_ctx, self.config = n_ctx, dict(n_ctx=n_ctx, depth=depth, init=init)

    def vision_prompts(self) -> list[Tensor]:
        """Prompts [n, d_v] for layers 0..J-1."""
        return list(self.vision)

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """Prompts [n, d_t] for layers 0..J-1, projected from the vision prompts [n, d_v]."""
        return [couple(prompt) for couple, prompt in zip(self.couple, self.vision, strict=True)]


class CoCoOpOnClassText(Taught, ClassConditional, CoCoOp):
    """CoCoOp whose network reads what the frozen CLIP says of a class's name, instead of what the image shows.

    Its prompts are [C, n, d_t], one context per class, and serve all images. Unlike contexts that are learned class by
    class they exist for novel classes, too.
    """

    needs_image = False
    lessons = ("a photo of a {}.",)

    def class_prompts(self, model: PromptedCLIP) -> list[Tensor]:
        """The context of every class [C, n, d_t] of a PromptedCLIP."""
        return [self.ctx + self.meta_net(self.find_teacher(model).text)[:, None]]


class CoCoOpOnNoise(CoCoOp):
    """CoCoOp whose network reads a fixed direction of noise in place of the image: its shift is the same for all."""

    needs_image = False
    noise: Tensor  # [D], of unit norm as image features are

    def __init__(self, clip: FrozenCLIP, n_ctx: int | None = 4, init: str | None = "a photo of a") -> None:
        super().__init__(clip, n_ctx, init)
        self.register_buffer("noise", F.normalize(torch.randn(clip.embed_dim), dim=0).to(clip.device))

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """The context [n, d_t], whatever the image shows."""
        return [self.ctx + self.meta_net(self.noise)]


class AddingImageTower(ImageTower):
    """An image tower that adds a deeper prompt to what the layer before put out at its place."""

    def replace(self, x: Tensor, prompt: Tensor) -> Tensor:
        """The residual stream [B, 1 + N + n, d_v] with `prompt` added to its last n tokens."""
        return torch.cat([x[:, : self.own], x[:, self.own :] + prompt], dim=1)


class AddingTextTower(TextTower):
    """A text tower that adds a deeper prompt to what the layer before put out at its place."""

    def replace(self, x: Tensor, prompt: Tensor) -> Tensor:
        """The residual stream [R, L, d_t] with `prompt` [n, d_t] added to tokens 1..n."""
        return x + F.pad(prompt, (0, 0, 1, x.shape[1] - 1 - len(prompt)))


class ProgressiveCLIP(FrozenCLIP):
    """A CLIP that adds a deeper prompt to what the layer before put out at its place, instead of replacing that.

    A variant of this project. The first layer's prompts enter as ever; prompts are [n, d], the same for all.
    """

    image_tower = AddingImageTower
    text_tower = AddingTextTower


class Variant(NamedTuple):
    """One level of one factor: what differs from the preset of `method`."""

    factor: str
    level: str
    method: str = "maple"
    kind: type[PromptLearner] | None = None
    change: Mapping[str, Any] = MappingProxyType({})
    clip: type[FrozenCLIP] = FrozenCLIP

    def apply(self, plan: Plan) -> Plan:
        """A plan of the method with this one change."""
        changed = plan.vary(self.kind, self.change)
        return changed if self.clip is FrozenCLIP else replace(changed, clip=self.clip(plan.clip.model))


PRESET = "preset"  # the name of the variant that changes nothing


def maple_variants(clip: FrozenCLIP) -> dict[str, Variant]:
    """The variants of MaPLe for base-to-novel, by name; depths beyond the layers of `clip` are left out."""
    layers = min(clip.text_layers, clip.vision_layers)
    depths = [depth for depth in (1, 2, 3, 4, 6, 9, 12) if depth <= layers]
    found = [Variant("depth", f"{depth}", change=dict(depth=depth)) for depth in depths]
    found += [Variant("length, from words", f"{n}", change=dict(n_ctx=n)) for n in (1, 2, 3, 4)]
    found += [Variant("length, random", f"{n}", change=dict(n_ctx=n, init=None)) for n in (1, 2, 4, 8, 16)]
    found += [
        Variant("initialisation", "other words", change=dict(init="a drawing of the")),
        Variant("initialisation", "words at every layer", kind=WordsAtEveryLayer),
        Variant("coupling", "none", kind=IVLP),
        Variant("coupling", "one for all layers", kind=SharedCoupling),
        Variant("coupling", "small network", kind=MLPCoupling),
        Variant("coupling", "vision to text", kind=ReversedCoupling),
        Variant("deep prompts", "added", clip=ProgressiveCLIP),
    ]
    return _named(found)


def coop_variants(n_classes: int) -> dict[str, Variant]:
    """The variants of CoOp for few-shot learning of `n_classes` classes, by name; the preset has 16 random tokens."""
    found = [Variant("context", f"{n} random", "coop", change=dict(n_ctx=n)) for n in (4, 8)]
    found += [Variant("context", f"{n} from words", "coop", change=dict(n_ctx=n, init=WORDS[n])) for n in (4, 8, 16)]
    found += [
        Variant("context", "class-specific", "coop", change=dict(n_classes=n_classes)),
        Variant("class position", "middle", "coop", change=dict(position="middle")),
        Variant("class position", "front", "coop", change=dict(position="front")),
    ]
    return _named(found)


def cocoop_variants() -> dict[str, Variant]:
    """The variants of CoCoOp for base-to-novel, by name: its network reads something else than the image."""
    read = {"class text": CoCoOpOnClassText, "fixed noise": CoCoOpOnNoise}
    return _named([Variant("the network reads", level, "cocoop", kind) for level, kind in read.items()])


def _named(variants: Sequence[Variant]) -> dict[str, Variant]:
    """Variants by "factor: level"."""
    return {f"{variant.factor}: {variant.level}": variant for variant in variants}
