"""Scikit-learn's handwritten digits: the one dataset of photographs that needs no download."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.transform import PreprocessCfg
from sklearn.datasets import load_digits
from torch import Tensor

from maple_lite.datasets.balanced import TEST_IMAGES, Balanced, size_and_scale
from maple_lite.datasets.kinds import Kind

NAME = "handwritten"
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEMPLATE = "a photo of the handwritten number {}."


class Handwritten(Balanced):
    """Handwritten digits [8, 8], enlarged; the first 50 of each digit are for testing."""

    @property
    def all_class_names(self) -> list[str]:
        """The names of the digits from zero to nine."""
        return list(CLASS_NAMES)

    @property
    def template(self) -> str:
        """The zero-shot sentence, with one {} for the class name."""
        return TEMPLATE

    def train(self, shots: int, seed: int = 1) -> Handwritten:
        """`shots` training pictures per class, drawn without repetition; ValueError beyond the rarest digit's."""
        most = min(len(digits) for digits in _digits()) - TEST_IMAGES
        if shots > most:
            raise ValueError(
                f"{self.name} has {most} training images per class, {shots} shots were asked for: ask for fewer."
            )
        return super().train(shots, seed)

    def pictures(self, class_ids: Tensor, items: Tensor) -> Tensor:
        """Pictures [B, 3, R, R] in 0..1: white ink on black."""
        chosen = [_digits()[c][self._row(c, item)] for c, item in zip(class_ids.tolist(), items.tolist(), strict=True)]
        inside = round(self.resolution * 0.85)
        images = F.interpolate(torch.stack(chosen), inside, mode="bicubic", align_corners=False).clamp(0, 1)
        low = (self.resolution - inside) // 2
        high = self.resolution - inside - low
        return F.pad(images, (low, high, low, high)).expand(-1, 3, -1, -1)

    def _row(self, class_id: int, item: int) -> int:
        """Which of a digit's images is number `item` of this split."""
        if self.split == "test":
            return item
        return TEST_IMAGES + _order(class_id, self.seed)[item]


def open_handwritten(
    name: str, root: str | Path | None, preprocess: PreprocessCfg | None, *, resolution: int | None
) -> Handwritten:
    """The test set of the handwritten digits; `root` is not needed."""
    return Handwritten(name, *size_and_scale(preprocess, resolution), class_ids=tuple(range(len(CLASS_NAMES))))


KIND = Kind(
    title="a set of photographs of digits",
    names=(NAME,),
    options=("resolution",),
    find=lambda spelling: NAME if spelling == NAME else None,
    open=open_handwritten,
)


@lru_cache
def _digits() -> list[Tensor]:
    """Scikit-learn's digits in 0..1, one tensor [n, 1, 8, 8] per digit."""
    digits = load_digits()
    images = torch.from_numpy(digits.images).float()[:, None] / 16
    return [images[torch.from_numpy(digits.target == digit)] for digit in range(10)]


@lru_cache(maxsize=256)
def _order(class_id: int, seed: int) -> list[int]:
    """A random order of a digit's training images."""
    generator = torch.Generator().manual_seed(1000 * seed + class_id)
    return torch.randperm(len(_digits()[class_id]) - TEST_IMAGES, generator=generator).tolist()
