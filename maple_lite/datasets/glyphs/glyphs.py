"""The symbols of the drawn datasets and their masks.

The masks were cut from the DejaVu fonts that matplotlib ships. Those of 48 pixels, the size of the tiny CLIP, are
stored: one sheet per font in `data/glyphs`. `python -m maple_lite.datasets.glyphs.glyphs data/glyphs` draws the sheets
again. Masks of another size are drawn when they are asked for, which needs matplotlib.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from maple_lite.support.extras import require_extra
from maple_lite.support.files import data_folder
from maple_lite.support.names import require_name

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

STORED = 48  # pixels across a stored mask
ROW = 19  # masks in a row of a sheet; 17 rows hold all 323
FONTS = {"regular": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf", "oblique": "DejaVuSans-Oblique.ttf"}


class Symbol(NamedTuple):
    """A symbol: the dataset that it belongs to, its name in captions, its Unicode character."""

    dataset: str
    name: str
    character: str


@lru_cache
def symbols() -> tuple[Symbol, ...]:
    """All symbols of all datasets, in the order of `data/glyphs.csv`; a symbol's id is its place in it.

    Raises FileNotFoundError if the table is missing.
    """
    path = data_folder() / "glyphs.csv"
    if not path.is_file():
        raise FileNotFoundError(f"the table of symbols {path} is missing: restore the data folder.")
    table = pd.read_csv(path, keep_default_na=False)
    return tuple(Symbol(*row) for row in table[["group", "name", "character"]].itertuples(index=False))


def symbols_of(dataset: str) -> tuple[Symbol, ...]:
    """The symbols of one dataset in the order of its labels."""
    return tuple(symbol for symbol in symbols() if symbol.dataset == dataset)


@lru_cache(maxsize=32)
def glyph_masks(characters: str, size: int, font: str = "regular") -> Tensor:
    """Masks [S, 1, size, size] in 0..1 of S characters: antialiased, centred, scaled to fill the same box.

    The result is cached: never write to it. Bold and oblique change letters, digits and currencies; DejaVu's other
    symbols look the same in all three fonts.
    Raises FileNotFoundError for a missing font file, ValueError for a character that the font lacks.

    >>> glyph_masks("☃☂", size=48).shape
    torch.Size([2, 1, 48, 48])
    """
    require_name("font", font, FONTS)
    stored = _stored_masks(font) if size == STORED else {}
    if not set(characters) <= set(stored):
        return draw_masks(characters, size, font)
    return torch.stack([stored[character] for character in characters])


def draw_masks(characters: str, size: int, font: str = "regular") -> Tensor:
    """The masks [S, 1, size, size] of `glyph_masks`, drawn now by matplotlib.

    Raises ImportError without matplotlib, and what `glyph_masks` raises.
    """
    face = _open_font(font)
    known = face.get_charmap()
    for character in characters:
        if ord(character) not in known:
            raise ValueError(
                f"{FONTS[font]} has no character {character!r} (U+{ord(character):04X}): take it out of the table of "
                "symbols."
            )
    return torch.from_numpy(np.stack([_mask(face, character, size) for character in characters])).unsqueeze(1)


def write_sheets(folder: str | Path) -> None:
    """Draws the masks of all symbols and writes them into `folder`: a PNG per font, in the order of `symbols`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    characters = "".join(symbol.character for symbol in symbols())
    for font in FONTS:
        masks = (draw_masks(characters, STORED, font) * 255).round().byte().reshape(-1, ROW, STORED, STORED)
        sheet = masks.transpose(1, 2).reshape(-1, ROW * STORED)
        Image.fromarray(sheet.numpy()).save(Path(folder) / f"{font}.png", optimize=True)


@lru_cache
def _stored_masks(font: str) -> dict[str, Tensor]:
    """The stored mask [1, STORED, STORED] in 0..1 of every symbol; FileNotFoundError if the sheet is missing."""
    path = data_folder() / "glyphs" / f"{font}.png"
    if not path.is_file():
        raise FileNotFoundError(f"the sheet of symbols {path} is missing: restore the data folder.")
    sheet = torch.from_numpy(np.array(Image.open(path), dtype=np.float32) / 255)
    masks = sheet.reshape(-1, STORED, ROW, STORED).transpose(1, 2).reshape(-1, 1, STORED, STORED)
    return {symbol.character: mask for symbol, mask in zip(symbols(), masks, strict=True)}


def _open_font(font: str) -> FT2Font:
    """One of matplotlib's own font files; FileNotFoundError if it is missing."""
    require_extra("a symbol of this size", "plots", "matplotlib")
    import matplotlib
    from matplotlib.ft2font import FT2Font

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / FONTS[font]
    if not path.is_file():
        raise FileNotFoundError(f"matplotlib's font {FONTS[font]} is missing: reinstall matplotlib.")
    return FT2Font(str(path))


def _mask(face: FT2Font, character: str, size: int) -> np.ndarray:
    """Coverage [size, size] in 0..1 of one character whose longer side fills the square but for a pixel's margin."""
    trial = max(_ink(face, character, 2 * size).shape) / 2  # the font's own boxes are wider than some glyphs' ink
    ink = _ink(face, character, size * (size - 3) / trial)
    mask = np.zeros((size, size), dtype=np.float32)
    top, start = ((size - side) // 2 for side in ink.shape)
    mask[top : top + ink.shape[0], start : start + ink.shape[1]] = ink
    return mask


def _ink(face: FT2Font, character: str, points: float) -> np.ndarray:
    """Coverage of one character at a size in points, cut to its ink."""
    from matplotlib.ft2font import LoadFlags

    face.set_size(points, 72)  # at 72 dots per inch a point is a pixel
    face.set_text(character, 0, flags=LoadFlags.NO_HINTING)
    face.draw_glyphs_to_bitmap(antialiased=True)
    image = np.asarray(face.get_image(), dtype=np.float32) / 255
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


if __name__ == "__main__":
    write_sheets(sys.argv[1])
