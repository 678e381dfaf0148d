"""Eleven datasets of drawn emoji, each in a look of its own, and four variants of the largest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from open_clip.transform import PreprocessCfg
from torch import Tensor

from maple_lite.datasets.balanced import Balanced, size_and_scale
from maple_lite.datasets.emoji.composing import compose
from maple_lite.datasets.emoji.fonts import FONTS, font_path
from maple_lite.datasets.emoji.looks import EVERY, Look, choose_looks
from maple_lite.datasets.emoji.placing import Cast
from maple_lite.datasets.emoji.table import Emoji, emoji_of
from maple_lite.datasets.kinds import Kind
from maple_lite.support.counter_rng import picture_keys
from maple_lite.support.names import require_name

CLEAN = Look("clean", 0.0)
MIXED = Look("mixed", 0.6)
"""Each picture in another of the twelve looks, in half this strength to all of it."""

TEMPLATES = {
    "objects": "a photo of a {}.",
    "animals": "a photo of a {}, a kind of animal.",
    "sea": "a photo of a {}, a thing of the sea.",
    "food": "a photo of {}, a kind of food.",
    "fruits": "a photo of a {}, a kind of fruit or vegetable.",
    "vehicles": "a photo of a {}, a kind of vehicle.",
    "plants": "a photo of a {}, a kind of plant.",
    "sports": "a photo of {}, a kind of sport.",
    "clothes": "a photo of a {}, a thing to wear.",
    "places": "a photo of a {}, a kind of place.",
    "faces": "a photo of a {} face.",
}
OWN_LOOKS = {
    "objects": MIXED,
    "animals": Look("blurry", 0.55),
    "sea": Look("pixelated", 0.55),
    "food": Look("dark", 0.75),
    "fruits": Look("dotted", 0.75),
    "vehicles": Look("noisy", 0.55),
    "plants": Look("faded", 0.8),
    "sports": Look("striped", 0.7),
    "clothes": Look("chequered", 0.7),
    "places": Look("gray", 1.0),
    "faces": Look("cropped", 0.7),
}
"""Each dataset's own look, at a strength at which a person still names the picture."""

VARIANTS = {"v2": MIXED, "sketch": Look("sketched", 1.0), "a": Look("crowded", 1.0), "r": Look("rendered", 1.0)}
"""The variants of `objects`: drawn again, by the other artist, in a crowd of other objects, in renditions."""

DRAWN = tuple(TEMPLATES)
"""The names of the eleven datasets; the first is the source of transfer."""


@dataclass(frozen=True, kw_only=True)
class Drawn(Balanced):
    """A dataset of drawn emoji in a look."""

    look: Look
    variant: str | None = None

    @property
    def emoji(self) -> tuple[Emoji, ...]:
        """The emoji of all classes of the dataset; `class_ids` are places in this list."""
        return emoji_of(self.name)

    @property
    def all_class_names(self) -> list[str]:
        """The formal names of all emoji of the dataset."""
        return [emoji.name for emoji in self.emoji]

    @property
    def common_names(self) -> list[str]:
        """What people call the classes, in the order of `class_names`; where that is the formal name, the formal name.

        >>> from maple_lite import open_dataset
        >>> sea = open_dataset("sea")
        >>> sea.class_names[1], sea.common_names[1]
        ('blowfish', 'pufferfish')
        """
        chosen = [self.emoji[class_id] for class_id in self.class_ids]
        return [emoji.other_names[0] if emoji.other_names else emoji.name for emoji in chosen]

    @property
    def template(self) -> str:
        """The sentence of this dataset, with one {} for the class name."""
        return TEMPLATES[self.name]

    def pictures(self, class_ids: Tensor, items: Tensor) -> Tensor:
        """Pictures [B, 3, R, R] in 0..1, drawn now."""
        keys = picture_keys(f"emoji/{self.name}/{self.variant}/{self.split}/{self.seed}", class_ids, items)
        return compose(Cast(self.emoji, self.resolution), class_ids, keys, *choose_looks(self.look, keys))


def open_emoji(
    name: str,
    root: str | Path | None,
    preprocess: PreprocessCfg | None,
    *,
    look: str | Look | None,
    variant: str | None,
    resolution: int | None,
) -> Drawn:
    """The test set of a dataset of emoji; `root` is not needed.

    `look=None` is the dataset's own look, "clean" is none at all, and the name of a look or a `Look` is another.
    `variant` is for objects alone: "v2" (drawn again), "sketch" (by the other artist), "a" (in a crowd) or "r"
    (renditions).
    Raises ValueError for an unknown look or variant, with the close names, and for a resolution below 16 pixels;
    ImportError for a package of fonts that is missing or of another version.
    """
    for font in FONTS.values():
        font_path(font)
    chosen, class_ids = _look(name, look, variant), tuple(range(len(emoji_of(name))))
    size, mean, std = size_and_scale(preprocess, resolution)
    return Drawn(name, size, mean, std, class_ids, look=chosen, variant=variant)


KIND = Kind(
    title="a dataset of emoji",
    names=DRAWN,
    options=("look", "variant", "resolution"),
    find=lambda spelling: spelling if spelling in DRAWN else None,
    open=open_emoji,
)


def _look(name: str, look: str | Look | None, variant: str | None) -> Look:
    """The look of a dataset or variant; ValueError for one that is unknown or does not fit."""
    if variant is not None:
        require_name("variant", variant, VARIANTS)
        if name != "objects":
            raise ValueError(f"{name} has no variants: only objects has (v2, sketch, a, r); leave variant out.")
        if look is not None:
            raise ValueError(f"variant {variant!r} has a look of its own: leave look={look!r} out.")
        return VARIANTS[variant]
    if look is None:
        return OWN_LOOKS[name]
    named = {"clean": CLEAN} | {own.name: own for own in [*OWN_LOOKS.values(), *VARIANTS.values()]}
    chosen = named[require_name("look", look, named)] if isinstance(look, str) else look
    require_name("look", chosen.name, (*EVERY, "mixed"))
    if not 0 <= chosen.strength <= 1:
        raise ValueError(f"the strength of look {chosen.name!r} must lie in 0..1, got {chosen.strength}.")
    return chosen
