"""Glyph-11: eleven small datasets of drawn symbols, each in a style of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from open_clip.transform import PreprocessCfg
from torch import Tensor

from maple_lite.datasets.balanced import Balanced, size_and_scale
from maple_lite.datasets.glyphs.glyphs import glyph_masks, symbols_of
from maple_lite.datasets.glyphs.styles import CLEAN, KINDS, STYLES, VARIANTS, Style, draw
from maple_lite.datasets.kinds import Kind
from maple_lite.support.counter_rng import picture_keys
from maple_lite.support.names import require_name

TARGETS = (
    "faces",
    "cards",
    "chess",
    "zodiac",
    "planets",
    "letters",
    "digits",
    "greek",
    "mathematics",
    "currency",
)
DRAWN = ("objects", *TARGETS)
PREFIX = "glyphs:"
"""Before a name, it says that these datasets are meant, not those of emoji, which also have objects and faces."""

SHARED = ("objects", "faces")
TEMPLATES = {
    "objects": "a photo of a {}.",
    "faces": "a photo of a {}, a type of emoji.",
    "cards": "a photo of the {}, a playing card.",
    "chess": "a photo of a {}, a chess piece.",
    "zodiac": "a photo of {}, a sign of the zodiac.",
    "planets": "a photo of {}, a sign of astronomy.",
    "letters": "a photo of the capital {}.",
    "digits": "a photo of the number {}.",
    "greek": "a photo of the greek letter {}.",
    "mathematics": "a photo of the {}, a sign of mathematics.",
    "currency": "a photo of the {} sign, a currency.",
}


@dataclass(frozen=True, kw_only=True)
class Drawn(Balanced):
    """A dataset of drawn symbols in a style."""

    style: Style
    variant: str | None = None

    @property
    def bare_name(self) -> str:
        """The name without the prefix."""
        return self.name.removeprefix(PREFIX)

    @property
    def all_class_names(self) -> list[str]:
        """Names of all symbols of the dataset."""
        return [symbol.name for symbol in symbols_of(self.bare_name)]

    @property
    def template(self) -> str:
        """The caption of this dataset's pictures, with one {} for the class name."""
        return TEMPLATES[self.bare_name]

    def pictures(self, class_ids: Tensor, items: Tensor) -> Tensor:
        """Pictures [B, 3, R, R] in 0..1, drawn now."""
        characters = "".join(symbol.character for symbol in symbols_of(self.bare_name))
        keys = picture_keys(f"{self.bare_name}/{self.variant}/{self.split}/{self.seed}", class_ids, items)
        return draw(glyph_masks(characters, self.resolution, self.style.font), class_ids, keys, self.style)


def open_drawn(
    name: str,
    root: str | Path | None,
    preprocess: PreprocessCfg | None,
    *,
    style: str | Style | None,
    variant: str | None,
    resolution: int | None,
) -> Drawn:
    """The test set of a drawn dataset; `root` is not needed.

    `style=None` is the dataset's own style, "clean" is none at all, and the name of a style or a `Style` is another.
    `variant` is for objects alone: "v2" (drawn again), "sketch", "a" (adversarial clutter) or "r" (renditions).
    Raises ValueError for an unknown style or variant, with the close names, and for a resolution below 16 pixels.
    """
    size, mean, std = size_and_scale(preprocess, resolution)
    chosen, class_ids = _style(name, style, variant), tuple(range(len(symbols_of(name))))
    shown = f"{PREFIX}{name}" if name in SHARED else name
    return Drawn(shown, size, mean, std, class_ids, style=chosen, variant=variant)


def _find(spelling: str) -> str | None:
    """The name that a spelling means, with or without the prefix, which objects and faces need."""
    name = spelling.removeprefix(PREFIX)
    return name if name in DRAWN and (spelling != name or name not in SHARED) else None


KIND = Kind(
    title="a dataset of symbols",
    names=tuple(f"{PREFIX}{name}" if name in SHARED else name for name in DRAWN),
    options=("style", "variant", "resolution"),
    find=_find,
    open=open_drawn,
)


def _style(name: str, style: str | Style | None, variant: str | None) -> Style:
    """The style of a dataset or variant; ValueError for one that is unknown or does not fit."""
    if variant is not None:
        require_name("variant", variant, VARIANTS)
        if name != "objects":
            raise ValueError(f"{name} has no variants: only objects has them (v2, sketch, a, r); leave variant out.")
        if style is not None:
            raise ValueError(f"variant {variant!r} is a style of its own: leave style={style!r} out.")
        return VARIANTS[variant]
    if style is None:
        return STYLES[name]
    named = {"clean": CLEAN} | {own.kind: own for own in [*STYLES.values(), *VARIANTS.values()]}
    chosen = named[require_name("style", style, named)] if isinstance(style, str) else style
    require_name("style", chosen.kind, KINDS)
    if not 0 <= chosen.strength <= 1:
        raise ValueError(f"the strength of style {chosen.kind!r} must lie in 0..1, got {chosen.strength}.")
    return chosen
