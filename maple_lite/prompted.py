"""PromptedCLIP: a frozen CLIP + a prompt learner + class names = logits."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP
from maple_lite.learners import ClassConditional, PromptLearner
from maple_lite.support.names import require_count
from maple_lite.tokens import name_list


class PromptedCLIP(nn.Module):
    """A classifier of images into `class_names`: `model(images)` gives logits [B, C] for images [B, 3, H, W].

    Only the learner has trainable parameters; it is moved to the CLIP's device. Other class names are another object
    with the same learner. Duplicate names are accepted (ImageNet has two pairs) and tie.
    `chunk` bounds the memory of many classes: so many sentences are encoded at a time (default: 1,024), and computed
    again in the backward pass where there are more. Results do not depend on it.
    Raises ValueError for an empty list or name, a name too long, or a learner of another CLIP.

    >>> model = PromptedCLIP(clip, MaPLe(clip), ["snowman", "crossed swords"])
    >>> model(images).shape       # [B, 2]
    """

    tokens: Tensor  # [T * C, L]
    positions: Tensor | None  # [T * C, n] where the context does not stand at 1..n

    def __init__(
        self, clip: FrozenCLIP, learner: PromptLearner, class_names: Iterable[str], chunk: int | None = None
    ) -> None:
        super().__init__()
        if not isinstance(clip, FrozenCLIP) or not isinstance(learner, PromptLearner):
            kinds = f"{type(clip).__name__} and {type(learner).__name__}"
            raise ValueError(f"PromptedCLIP takes a FrozenCLIP and a learner, got {kinds}.")
        self.class_names = name_list(class_names)
        if learner.clip_shape not in (None, clip.shape):
            raise ValueError(f"this learner was made for a CLIP of {learner.clip_shape}, not for {clip.shape}.")
        tokens, positions = learner.tokens(self.class_names, clip.context_length)
        self.clip, self.learner = clip, learner.to(clip.device)
        self.chunk = None if chunk is None else require_count("chunk", chunk)
        self.register_buffer("tokens", tokens.to(clip.device), persistent=False)
        self.register_buffer("positions", None if positions is None else positions.to(clip.device), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, C] of normalised images [B, 3, H, W], or of image features [B, D] that were encoded before."""
        return self.classify(self.encode_images(images))

    def encode_images(self, images: Tensor) -> Tensor:
        """Unit-norm image features [B, D] of normalised images [B, 3, H, W].

        Features [B, D] that were encoded before pass as they are: `fit` trains on cached ones with the same loss.
        """
        if images.ndim == 2:
            return images
        return self.clip.encode_image(images, self.learner.vision_prompts())

    def encode_classes(self, image_features: Tensor | None = None) -> Tensor:
        """Unit-norm text features of the classes: [C, D], or [B, C, D] where the text depends on the image (CoCoOp)."""
        if isinstance(self.learner, ClassConditional):
            prompts = self.learner.class_prompts(self)
        else:
            prompts = self.learner.text_prompts(image_features)
        chunk = {} if self.chunk is None else {"chunk": self.chunk}
        features = self.clip.encode_text(self.tokens, prompts, self.positions, **chunk)
        templates = len(self.learner.templates)
        if templates == 1:
            return features
        return F.normalize(features.unflatten(0, (templates, -1)).mean(dim=0), dim=-1)  # [C, D]

    def encode_fixed_classes(self) -> Tensor | None:
        """Text features [C, D] that serve all images, or None where the text depends on the image (CoCoOp)."""
        return None if self.learner.needs_image else self.encode_classes()

    def classify(self, image_features: Tensor, text_features: Tensor | None = None) -> Tensor:
        """Logits [B, C] of image features [B, D], with the classes' features [C, D] or [B, C, D] where known."""
        if text_features is None:
            text_features = self.encode_classes(image_features)
        equation = "bd,cd->bc" if text_features.ndim == 2 else "bd,bcd->bc"
        with torch.autocast(image_features.device.type, enabled=False):  # bf16 would round logits to 0.1
            return self.clip.logit_scale.exp() * torch.einsum(equation, image_features, text_features)

    @property
    def trainable_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(weight.numel() for weight in self.learner.parameters())

    def __repr__(self) -> str:
        learned, total = self.trainable_parameters, sum(weight.numel() for weight in self.parameters())
        share = f"{learned:,} of {total:,} parameters learned ({100 * learned / total:.3f}%)"
        return f"PromptedCLIP({type(self.learner).__name__}, {len(self.class_names)} classes, {share})"
