"""The seven prompt learners: which prompts exist, how they are produced, and which loss trains them.

A learner answers two questions, `vision_prompts()` and `text_prompts(image_features)`, because CoCoOp's text prompts
need image features, which need the vision prompts first. `prompts[i]` enters layer i of its tower. A learner also owns
its objective: `fit` calls `loss` in every step and `end_epoch` after every epoch, and knows no method by name.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from statistics import NormalDist
from typing import Any

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP, TextTower, walk
from maple_lite.support.names import require_count, require_name
from maple_lite.tokens import POSITIONS, move_context, name_list, spoken, tokenize, word_ids

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class PromptLearner(nn.Module):
    """Zero-shot CLIP: the learner that learns nothing, and the parent of the six that do.

    `templates` is a sentence with one `{}` for the class name, or several, whose unit-norm features are averaged and
    normalised again (template ensembling, Radford et al. 2021).

    `config` holds the constructor's arguments, without the CLIP: `save_learner` and checkpoints keep it, and
    `load_learner` makes the learner again from it. It is filled by itself, for learners of your own, too.

    >>> PromptedCLIP(clip, PromptLearner("a photo of a {}, a type of pet."), ["beagle", "pug"]).trainable_parameters
    0
    """

    config: dict[str, Any]

    n_ctx: int = 0
    position: str = "end"
    n_classes: int | None = None
    needs_image: bool = False  # whether text prompts depend on the image
    towers: tuple[str, ...] = ("text",)  # where its prompts are
    paper_depth: int = 12  # prompted layers of ViT-B/16 in the authors' configuration

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        """A learner that has no parameters yet. Its `config` holds the constructor's arguments."""
        learner = super().__new__(cls)
        object.__setattr__(learner, "config", constructor_arguments(cls, arguments, named))
        return learner

    def __init__(self, templates: str | Sequence[str] = "a photo of a {}.", clip: FrozenCLIP | None = None) -> None:
        super().__init__()
        self.templates = [templates] if isinstance(templates, str) else list(templates or [])
        self.clip_shape = clip.shape if clip else None  # the CLIP that the parameters fit; None fits every CLIP
        self.clip_weights = clip.fingerprint if clip else None
        if not self.templates or any(str(template).count("{}") != 1 for template in self.templates):
            raise ValueError(f"every template needs one {{}} for the class name, got {self.templates}.")

    def vision_prompts(self) -> list[Tensor]:
        """Prompts [n, d_v] of the image tower, one per layer from the first on."""
        return []

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """Prompts of the text tower, [n, d_t], [C, n, d_t] or, from image features [B, D], [B, 1, n, d_t]."""
        return []

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The scalar that `fit` minimises: cross-entropy of the logits `model(images)` [B, C] with labels [B].

        `model` is the PromptedCLIP of this learner. `images` are normalised [B, 3, H, W], or image features [B, D]
        where `fit` caches them; `model(images)` and `model.encode_images(images)` take both.
        """
        return F.cross_entropy(model(images), labels)

    def end_epoch(self, epoch: int, epochs: int) -> None:
        """Called by `fit` after each of `epochs` epochs, counted from 0. Here it does nothing; a learner may define it.

        What a learner keeps from epoch to epoch, in buffers or in attributes that hold tensors, numbers, text, and
        lists or dicts of those, is part of the checkpoint.
        """

    def settle(self, **values: Any) -> None:
        """Puts the values into `config` that the constructor chose for arguments of None."""
        self.config |= {name: value for name, value in values.items() if name in self.config}

    def for_template(self, template: str) -> PromptLearner:
        """The learner to ask about a dataset whose zero-shot sentence is `template`: this one, if it learns anything.

        Zero-shot CLIP, which learns nothing, asks every dataset in the dataset's own sentence.
        """
        return self if any(True for _ in self.parameters()) else ZeroShot(templates=template)

    def tokens(self, class_names: Sequence[str], context_length: int = 77) -> tuple[Tensor, Tensor | None]:
        """Tokens [T * C, L] of T templates x C classes, and the context's positions there (None: 1..n).

        Raises ValueError for an empty list, an empty name, or a sentence beyond `context_length`.
        """
        names = [spoken(name) for name in name_list(class_names)]
        if self.n_classes not in (None, len(names)):
            raise ValueError(
                f"this learner holds contexts of its own for {self.n_classes} classes and fits no other list, "
                f"got {len(names)} class names."
            )
        sentences = [template.replace("{}", name) for template in self.templates for name in names]
        tokens = tokenize(sentences, context_length)
        if self.position == "end":
            return tokens, None
        frozen = len(word_ids(self.templates[0].replace("{}.", ""))) - self.n_ctx  # words of `init` not learned
        return move_context(tokens, [frozen + len(word_ids(name)) for name in names], self.n_ctx, self.position)


class ClassConditional(PromptLearner):
    """A learner whose text prompts depend on which classes are asked about; a parent of learners."""

    def class_prompts(self, model: Any) -> list[Tensor]:
        """Prompts [C, n, d_t] of the text tower for the classes of a PromptedCLIP, one per layer from the first on."""
        raise NotImplementedError(f"{type(self).__name__} needs a method class_prompts(model).")


class ZeroShot(PromptLearner):
    """Zero-shot CLIP, made like the learners that learn: from a CLIP, which it does not need.

    >>> ZeroShot(clip, "a photo of a {}, a type of pet.").templates
    ['a photo of a {}, a type of pet.']
    """

    def __init__(self, clip: FrozenCLIP | None = None, templates: str | Sequence[str] = "a photo of a {}.") -> None:
        if clip is not None and not isinstance(clip, FrozenCLIP):
            raise ValueError(f"ZeroShot takes a FrozenCLIP first, got {clip!r}: pass sentences as templates=.")
        super().__init__(templates)


class CoOp(PromptLearner):
    """Context Optimization (Zhou et al., IJCV 2022): the words around the class name are learned.

    `n_ctx=None` takes the tokens of `init`, 16 without one. `n_classes=C` learns a context per class [C, n, d_t],
    which fits no other class list. `position` is "end", "middle" or "front", where the class name stands among them:
    after the context, inside it, or before it.
    """

    def __init__(
        self,
        clip: FrozenCLIP,
        n_ctx: int | None = None,
        init: str | None = None,
        n_classes: int | None = None,
        position: str = "end",
    ) -> None:
        ctx, template = first_prompt(clip, n_ctx, init, n_classes)
        super().__init__(template, clip)
        self.ctx = nn.Parameter(ctx)
        self.n_ctx, self.n_classes = ctx.shape[-2], None if n_classes is None else len(ctx)
        self.position = require_name("position", position, POSITIONS)
        self.settle(n_ctx=self.n_ctx, n_classes=self.n_classes)

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """The context [n, d_t], or [C, n, d_t], for the first layer."""
        return [self.ctx]


class CoCoOp(CoOp):
    """Conditional CoOp (Zhou et al., CVPR 2022): a small network shifts the context by what the image shows.

    One shift per image is added to all n tokens. The network has a bottleneck of D // 16.
    """

    needs_image = True

    def __init__(self, clip: FrozenCLIP, n_ctx: int | None = 4, init: str | None = "a photo of a") -> None:
        super().__init__(clip, n_ctx, init)
        hidden = clip.embed_dim // 16
        layers = nn.Linear(clip.embed_dim, hidden), nn.ReLU(), nn.Linear(hidden, clip.text_width)
        self.meta_net = nn.Sequential(*layers).to(clip.device)

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """The context of every image [B, 1, n, d_t], from unit-norm image features [B, D]; ValueError without them."""
        if image_features is None:
            raise ValueError("CoCoOp's prompts depend on the image: pass image_features [B, D].")
        shift = self.meta_net(image_features)  # [B, d_t]
        return [self.ctx + shift[:, None, None]]  # [B, 1, n, d_t]


class VPT(PromptLearner):
    """Deep visual prompt tuning (Jia et al., ECCV 2022), as in MaPLe's table 1: the image tower alone gets prompts.

    Its text is always "a photo of a {}.".
    """

    towers: tuple[str, ...] = ("vision",)

    def __init__(self, clip: FrozenCLIP, n_ctx: int = 8, depth: int | None = None) -> None:
        super().__init__("a photo of a {}.", clip)
        depth = prompt_depth(clip, depth, self.paper_depth, self.towers)
        self.vision = nn.ParameterList([random_prompt(n_ctx, clip.vision_width, clip.device) for _ in range(depth)])
        self.settle(n_ctx=len(self.vision[0]), depth=depth)

    def vision_prompts(self) -> list[Tensor]:
        """Prompts [n, d_v] for layers 0..J-1."""
        return list(self.vision)


class DeepLanguage(PromptLearner):
    """Deep language prompting (MaPLe, table 1): new prompts at the first J layers of the text tower.

    The first starts as the words of `init`, the deeper ones at random.
    """

    towers: tuple[str, ...] = ("text",)

    def __init__(
        self, clip: FrozenCLIP, n_ctx: int | None = 4, depth: int | None = None, init: str | None = "a photo of a"
    ) -> None:
        first, template = first_prompt(clip, n_ctx, init)
        super().__init__(template, clip)
        depth = prompt_depth(clip, depth, self.paper_depth, self.towers)
        self.text = nn.ParameterList(
            [first, *(random_prompt(len(first), clip.text_width, clip.device) for _ in range(depth - 1))]
        )
        self.n_ctx = len(first)
        self.settle(n_ctx=self.n_ctx, depth=depth)

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """Prompts [n, d_t] for layers 0..J-1."""
        return list(self.text)


class IVLP(DeepLanguage):
    """Independent vision-language prompting (MaPLe, table 1): deep prompts in both towers, unconnected."""

    towers: tuple[str, ...] = ("text", "vision")

    def __init__(
        self, clip: FrozenCLIP, n_ctx: int | None = 2, depth: int | None = None, init: str | None = "a photo of a"
    ) -> None:
        super().__init__(clip, n_ctx, depth, init)
        self.vision = nn.ParameterList([random_prompt(self.n_ctx, clip.vision_width, clip.device) for _ in self.text])

    def vision_prompts(self) -> list[Tensor]:
        """Prompts [n, d_v] for layers 0..J-1, parameters of their own."""
        return list(self.vision)


class MaPLe(DeepLanguage):
    """Multi-modal prompt learning (Khattak et al., CVPR 2023): vision prompts are linear functions of text prompts.

    Prompt i of the image tower is `couple[i](text[i])`. As in the authors' code the deep couplings start as copies
    of one layer, while the first is drawn separately.
    """

    towers: tuple[str, ...] = ("text", "vision")
    paper_depth = 9

    def __init__(
        self, clip: FrozenCLIP, n_ctx: int | None = 2, depth: int | None = None, init: str | None = "a photo of a"
    ) -> None:
        super().__init__(clip, n_ctx, depth, init)
        first, deep = (nn.Linear(clip.text_width, clip.vision_width) for _ in range(2))
        self.couple = nn.ModuleList([first, *(copy.deepcopy(deep) for _ in self.text[1:])]).to(clip.device)

    def vision_prompts(self) -> list[Tensor]:
        """Prompts [n, d_v] for layers 0..J-1, projected from the text prompts [n, d_t]."""
        return [couple(prompt) for couple, prompt in zip(self.couple, self.text, strict=True)]


@dataclass(frozen=True)
class Teacher:
    """What the frozen CLIP says of some classes: what a learner is held close to while it trains.

    `text` [C, D] has unit norm: the mean of the features of all `templates` before they are normalised, as PromptSRC's
    authors take it. A teacher holds for one CLIP and one list of classes.

    >>> Teacher.of(clip, class_names, "a photo of a {}.").text.shape     # [C, D]
    """

    text: Tensor
    class_names: tuple[str, ...]
    clip_weights: str

    @classmethod
    @torch.no_grad()
    def of(cls, clip: FrozenCLIP, class_names: Sequence[str], templates: str | Sequence[str]) -> Teacher:
        """The teacher of a CLIP for classes; raises ValueError as `PromptLearner` and its `tokens` do."""
        asked = PromptLearner(templates)
        tokens = asked.tokens(class_names, clip.context_length)[0].to(clip.device)  # [T * C, L]
        with torch.autocast(clip.device.type, enabled=False):
            parts = [walk(UnnormalizedText(clip.text, part)) for part in tokens.split(1024)]
        means = torch.cat(parts).unflatten(0, (len(asked.templates), -1)).mean(dim=0)  # [C, D]
        return cls(F.normalize(means, dim=-1), tuple(class_names), clip.fingerprint)

    def fits(self, model: Any) -> bool:
        """Whether a PromptedCLIP has this teacher's CLIP and classes."""
        return self.clip_weights == model.clip.fingerprint and self.class_names == tuple(model.class_names)

    def require(self, model: Any) -> None:
        """ValueError unless the teacher fits a PromptedCLIP."""
        if self.clip_weights != model.clip.fingerprint:
            raise ValueError(
                f"the teacher is the CLIP {self.clip_weights}, the model's is {model.clip.fingerprint}: make another "
                "with Teacher.of(model.clip, model.class_names, templates)."
            )
        if self.class_names != tuple(model.class_names):
            raise ValueError(
                f"the teacher knows other class names ({', '.join(self.class_names[:3])}, ...) than the model "
                f"({', '.join(model.class_names[:3])}, ...): make another with Teacher.of(model.clip, "
                "model.class_names, templates)."
            )


class UnnormalizedText(TextTower):
    """A text tower whose features [R, D] keep their length."""

    def read(self, x: Tensor) -> Tensor:
        """Features [R, D] before they are normalised."""
        return self.project(x)


class Taught(PromptLearner):
    """A learner that trains beside a teacher; a parent of learners.

    `teacher` is yours to set. Where it is None, the learner makes one for the model that it trains in, from `lessons`.
    """

    teacher: Teacher | None = None
    lessons: tuple[str, ...] = ()  # the teacher's templates
    _made: Teacher | None = None

    def find_teacher(self, model: Any) -> Teacher:
        """The teacher for a PromptedCLIP; ValueError for one of another CLIP or other classes."""
        if self.teacher is not None:
            self.teacher.require(model)
            return self.teacher
        if self._made is None or not self._made.fits(model):
            self._made = Teacher.of(model.clip, model.class_names, self.lessons)
        return self._made


class KgCoOp(Taught, CoOp):
    """Knowledge-guided CoOp (Yao et al., CVPR 2023): CoOp whose text features stay near those of a sentence by hand.

    The loss is cross-entropy + `weight` (1 - mean cosine of the learned and the frozen text features). The frozen ones
    are those of `sentence`, the zero-shot sentence of the dataset.
    """

    def __init__(
        self,
        clip: FrozenCLIP,
        n_ctx: int | None = None,
        init: str | None = "a photo of a",
        weight: float = 8.0,
        sentence: str = "a photo of a {}.",
    ) -> None:
        super().__init__(clip, n_ctx, init)
        self.weight, self.lessons = require_weight("weight", weight), tuple(PromptLearner(sentence).templates)

    def loss(self, model: Any, images: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the logits [B, C], and how far the text features [C, D] are from the teacher's."""
        text = model.encode_classes()
        logits = model.classify(model.encode_images(images), text)
        cosine = (text * self.find_teacher(model).text).sum(dim=-1)  # [C]
        return F.cross_entropy(logits, labels) + self.weight * (1 - cosine.mean())


class SelfRegulated(Taught):
    """PromptSRC's regularisers and its average of epochs (Khattak et al., ICCV 2023); put it before any learner.

    The loss adds three distances to cross-entropy: of the prompted text features, image features and logits from the
    frozen CLIP's. After the last epoch the parameters are the mean of those after every epoch, weighted by a Gaussian
    over epochs 1 to E.

    >>> class SelfRegulatedCoOp(SelfRegulated, CoOp): ...
    """

    lessons = tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES[:60])  # the authors take the first 60
    text_weight, image_weight, mean, std = 25.0, 10.0, 15.0, 1.0
    average: dict[str, Tensor] | None = None

    def regulate(self, text_weight: float, image_weight: float, mean: float, std: float) -> None:
        """Sets the weights of the losses, and the Gaussian of the average in epochs, counted from 1."""
        self.text_weight = require_weight("text_weight", text_weight)
        self.image_weight = require_weight("image_weight", image_weight)
        self.mean, self.std = float(mean), require_weight("std", std)
        if self.std == 0:
            raise ValueError("std must be above 0, got 0.")

    def loss(self, model: Any, images: Tensor, labels: Tensor) -> Tensor:
        """The sum of `loss_parts`."""
        return torch.stack(list(self.loss_parts(model, images, labels).values())).sum()

    def loss_parts(self, model: Any, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The four scalars of the loss: "cross_entropy", and weighted, "text", "image" and "logits".

        `images` are [B, 3, H, W], or features [B, D] that are cached, which then are the frozen ones as well.
        """
        teacher = self.find_teacher(model)
        with torch.no_grad():
            frozen = images if images.ndim == 2 else model.clip.encode_image(images)
            known = model.classify(frozen, teacher.text).log_softmax(dim=-1)  # [B, C]
        features, text = model.encode_images(images), model.encode_classes()
        logits = model.classify(features, text)
        return {
            "cross_entropy": F.cross_entropy(logits, labels),
            "text": self.text_weight * F.l1_loss(text, teacher.text),
            "image": self.image_weight * F.l1_loss(features, frozen),
            "logits": (known.exp() * (known - logits.log_softmax(dim=-1))).mean(),  # KL, by the number of logits
        }

    def end_epoch(self, epoch: int, epochs: int) -> None:
        """Adds the parameters to the average; after the last epoch they become it."""
        weight = gaussian_weights(self.mean, self.std, epochs)[epoch]
        own = {name: weight * parameter.detach() for name, parameter in self.named_parameters()}
        before = self.average if epoch and self.average else {}
        self.average = {name: value + before[name] if before else value for name, value in own.items()}
        if epoch == epochs - 1:
            with torch.no_grad():
                for name, parameter in self.named_parameters():
                    parameter.copy_(self.average[name])
            self.average = None


class PromptSRC(SelfRegulated, IVLP):
    """Self-regulating prompts (Khattak et al., ICCV 2023): IVLP, held close to the frozen CLIP."""

    paper_depth = 9

    def __init__(
        self,
        clip: FrozenCLIP,
        n_ctx: int | None = 4,
        depth: int | None = None,
        init: str | None = "a photo of a",
        text_weight: float = 25.0,
        image_weight: float = 10.0,
        mean: float = 15,
        std: float = 1.0,
    ) -> None:
        super().__init__(clip, n_ctx, depth, init)
        self.regulate(text_weight, image_weight, mean, std)


class MaPLeSRC(SelfRegulated, MaPLe):
    """MaPLe with PromptSRC's losses and average. A method of this project: nobody published it."""

    def __init__(
        self,
        clip: FrozenCLIP,
        n_ctx: int | None = 2,
        depth: int | None = None,
        init: str | None = "a photo of a",
        text_weight: float = 25.0,
        image_weight: float = 10.0,
        mean: float = 15,
        std: float = 1.0,
    ) -> None:
        super().__init__(clip, n_ctx, depth, init)
        self.regulate(text_weight, image_weight, mean, std)


METHODS: dict[str, type[PromptLearner]] = {
    "zeroshot": ZeroShot,
    "coop": CoOp,
    "cocoop": CoCoOp,
    "vpt": VPT,
    "language": DeepLanguage,
    "ivlp": IVLP,
    "maple": MaPLe,
    "kgcoop": KgCoOp,
    "promptsrc": PromptSRC,
    "maple-src": MaPLeSRC,
}
SEVEN = ("zeroshot", "coop", "cocoop", "vpt", "language", "ivlp", "maple")
"""The methods that lessons 01 to 08 build, in their order."""


def constructor_arguments(kind: type, arguments: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments {name: value} of `kind(*arguments, **named)`, defaults included, without a FrozenCLIP.

    Arguments that fit no parameter's name (a surplus for the constructor to refuse, or `*arguments`) are left out.
    """
    signature = inspect.signature(kind.__init__)  # type: ignore[misc]
    try:
        bound = signature.bind(None, *arguments, **named)
    except TypeError:  # the constructor itself will say it better
        return {}
    bound.apply_defaults()
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    found = {name: value for name, value in list(bound.arguments.items())[1:] if kinds[name] not in VARIADIC}
    for name, value in bound.arguments.items():
        if kinds[name] is inspect.Parameter.VAR_KEYWORD:
            found |= value
    return {name: value for name, value in found.items() if name != "clip" and not isinstance(value, FrozenCLIP)}


def random_prompt(n_ctx: int, width: int, device: torch.device) -> Tensor:
    """A prompt [n, width] from N(0, 0.02^2), drawn on the CPU by torch's global generator; ValueError for n_ctx < 1."""
    return (torch.randn(require_count("n_ctx", n_ctx), width) * 0.02).to(device)


def first_prompt(
    clip: FrozenCLIP, n_ctx: int | None, init: str | None, n_classes: int | None = None
) -> tuple[Tensor, str]:
    """The first text prompt [n, d_t], or [C, n, d_t], and the template that it stands in.

    With `init` it is the embeddings of its first n words, the others stay in the template as frozen text; without one
    it is random, over the placeholder words "X X ... X". Raises ValueError if `init` has fewer than n tokens, or for
    a count below 1.
    """
    if not isinstance(clip, FrozenCLIP):
        raise ValueError(f"a learner needs a FrozenCLIP, got {type(clip).__name__}: make one with load_clip().")
    classes = () if n_classes is None else (require_count("n_classes", n_classes),)
    n_ctx = None if n_ctx is None else require_count("n_ctx", n_ctx)
    if init is None:
        n_ctx = 16 if n_ctx is None else n_ctx
        drawn = random_prompt(n_ctx * math.prod(classes), clip.text_width, clip.device)
        return drawn.unflatten(0, (*classes, n_ctx)), " ".join(["X"] * n_ctx) + " {}."
    ids = word_ids(init) if isinstance(init, str) and "{}" not in init else []
    n_ctx = len(ids) if n_ctx is None else n_ctx
    if not ids:
        raise ValueError(f"init must be words such as 'a photo of a', or None, got {init!r}.")
    if n_ctx > len(ids):
        raise ValueError(f"init {init!r} has {len(ids)} tokens, n_ctx must be 1 to {len(ids)}, got {n_ctx}.")
    words = clip.text.token_embedding.weight[ids[:n_ctx]].detach().clone()  # [n, d_t]
    return words.expand(*classes, -1, -1).clone(), init.replace("_", " ") + " {}."


def require_weight(name: str, value: float) -> float:
    """`value` as a float; ValueError unless it is a finite number of at least 0."""
    if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}.")
    return float(value)


def gaussian_weights(mean: float, std: float, epochs: int) -> list[float]:
    """Weights of epochs 1 to E in an average, in proportion to N(mean, std^2) there; they sum to 1.

    Raises ValueError where more than half of the Gaussian lies outside the epochs.

    >>> [round(weight, 2) for weight in gaussian_weights(3, 1.0, 4)]
    [0.06, 0.26, 0.43, 0.26]
    """
    gaussian = NormalDist(mean, std)
    inside = gaussian.cdf(epochs + 0.5) - gaussian.cdf(0.5)
    if inside < 0.5:
        raise ValueError(
            f"a mean of {mean:g} and a std of {std:g} put {100 * (1 - inside):.0f}% of the average's weight outside "
            f"epochs 1 to {epochs}: choose a mean between them, or more epochs."
        )
    heights = [gaussian.pdf(epoch) for epoch in range(1, epochs + 1)]
    return [height / sum(heights) for height in heights]


def prompt_depth(clip: FrozenCLIP, depth: int | None, paper_depth: int, towers: Sequence[str]) -> int:
    """Number J of prompted layers: `depth`, or the paper's share of the shallower tower, max(1, ceil(paper K / 12)).

    Raises ValueError for a depth below 1 or beyond one of the towers ("text", "vision").
    """
    layers = {tower: clip.shape[f"{tower}_layers"] for tower in towers}
    if depth is None:
        return max(1, math.ceil(paper_depth * min(layers.values()) / 12))
    depth = require_count("depth", depth)
    for tower, count in layers.items():
        if depth > count:
            raise ValueError(f"depth must be 1 to {count}, the layers of the {tower} tower, got {depth}.")
    return depth
