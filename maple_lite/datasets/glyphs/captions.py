"""Pictures of all symbols with captions: what the tiny CLIP is pretrained on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from maple_lite.datasets import handwritten
from maple_lite.datasets.glyphs.drawn import TEMPLATES
from maple_lite.datasets.glyphs.glyphs import glyph_masks, symbols
from maple_lite.datasets.glyphs.painting import COLOURS, choose_colours
from maple_lite.datasets.glyphs.styles import draw
from maple_lite.support.counter_rng import random_keys, uniform

GENERAL_TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "a drawing of the {}.", "a {}.")
BACKGROUNDS = (" on a {} background", " on {}")
PALE = 0.35  # share of captions that leave the symbol's colour out; as many, drawn apart, leave the background's out
TAIL = 10.0  # the commonest symbol is this many times as frequent as the rarest


class CaptionedPictures(NamedTuple):
    """Pictures [B, 3, R, R] in 0..1, B captions, and ids [B] of symbols, foreground and background colours."""

    images: Tensor
    captions: list[str]
    symbol_ids: Tensor
    foreground_ids: Tensor
    background_ids: Tensor


def symbol_frequencies(seed: int = 0) -> Tensor:
    """Frequencies [S] of all symbols, summing to 1: a long tail of 10 to 1 in an order that `seed` shuffles."""
    n_symbols = len(symbols())
    rank = torch.randperm(n_symbols, generator=torch.Generator().manual_seed(seed))
    weights = TAIL ** -(rank.double() / (n_symbols - 1))
    return (weights / weights.sum()).float()


def draw_captioned(
    n: int, generator: torch.Generator, frequencies: Tensor, jitter: float = 1.0, resolution: int = 48
) -> CaptionedPictures:
    """`n` clean, coloured pictures of symbols drawn by `frequencies` [S], each with a caption.

    `jitter` 0 puts every symbol upright in the middle, 1 is the full range that the datasets have.
    Raises ValueError for n < 1, a jitter outside 0..1 or frequencies that do not fit the symbols.

    >>> pictures = draw_captioned(192, torch.Generator().manual_seed(0), symbol_frequencies())
    >>> pictures.captions[0]     # such as "a photo of a red snowman on a blue background."
    """
    if n < 1 or not 0 <= jitter <= 1:
        raise ValueError(f"n must be at least 1 and jitter lie in 0..1, got n={n} and jitter={jitter}.")
    if frequencies.shape != (len(symbols()),):
        raise ValueError(f"frequencies must be [{len(symbols())}], one per symbol, got {list(frequencies.shape)}.")
    symbol_ids = torch.multinomial(frequencies, n, replacement=True, generator=generator)
    keys = random_keys(n, generator)
    glyphs = glyph_masks("".join(symbol.character for symbol in symbols()), resolution)
    foreground_ids, background_ids, _ = choose_colours(keys)
    choices = uniform(keys, "caption", 4).tolist()
    ids = zip(symbol_ids.tolist(), foreground_ids.tolist(), background_ids.tolist(), choices, strict=True)
    captions = [_caption(*chosen) for chosen in ids]
    images = draw(glyphs, symbol_ids, keys, jitter=jitter)
    return CaptionedPictures(images, captions, symbol_ids, foreground_ids, background_ids)


def templates_of(dataset: str) -> list[str]:
    """The caption templates of a dataset's symbols: the general ones, and its own twice, so that it is well known."""
    own = [TEMPLATES[dataset]] * 2 + [handwritten.TEMPLATE] * (dataset == "digits")
    return [*GENERAL_TEMPLATES, *own]


def caption_words() -> list[str]:
    """All words, sorted, that captions can use: of names, templates and colours, without punctuation."""
    names = [symbol.name for symbol in symbols()]
    sentences = [*names, *GENERAL_TEMPLATES, *TEMPLATES.values(), handwritten.TEMPLATE, *BACKGROUNDS, *COLOURS]
    text = " ".join(sentences).replace("{}", " ").replace(",", " ").replace(".", " ")
    return sorted(set(text.split()))


def _caption(symbol_id: int, foreground_id: int, background_id: int, choices: list[float]) -> str:
    """The caption of one picture; the four `choices` in 0..1 decide on the template and which colours are named."""
    symbol, colours = symbols()[symbol_id], list(COLOURS)
    templates = templates_of(symbol.dataset)
    template = templates[int(choices[0] * len(templates))]
    name = symbol.name if choices[1] < PALE else f"{colours[foreground_id]} {symbol.name}"
    where = BACKGROUNDS[int(choices[3] * len(BACKGROUNDS))].format(colours[background_id])
    ending = "." if choices[2] < PALE else f"{where}."
    return template.removesuffix(".").format(name) + ending
