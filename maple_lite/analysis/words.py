"""The words that lie nearest to learned prompts, as CoOp's paper reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets.glyphs.captions import caption_words as words_of_symbols
from maple_lite.pretraining.captions import caption_words
from maple_lite.support.names import require_count, require_name
from maple_lite.tokens import tokenizer

MEASURES = ("euclidean", "cosine")
END = "</w>"  # how CLIP's vocabulary marks the end of a word


@torch.no_grad()
def nearest_words(
    clip: FrozenCLIP,
    prompts: Sequence[Tensor],
    k: int = 5,
    words: Iterable[str] | None = None,
    measure: str = "euclidean",
) -> pd.DataFrame:
    """A row (layer, token, rank, word, distance) for the k words nearest to every token of text prompts [n, d_t].

    `prompts` are `learner.text_prompts()`, or [learner.ctx] of CoCoOp (what the image shifts) or [learner.ctx[c]] of
    contexts per class. Layers, tokens and ranks count from 1. `words` are `known_words(clip)` by default;
    `vocabulary()` has those of a real CLIP. A word of several tokens has no embedding of its own
    and is left out. Distances are Euclidean, as in CoOp's paper, or 1 - cosine similarity.
    Only the first layer reads embeddings of words: deeper prompts are compared with them for want of better.
    Raises ValueError for prompts that are not [n, d_t], fewer than k words, or an unknown measure.

    >>> nearest_words(clip, CoOp(clip, init="a photo of a").text_prompts(), k=1).word.tolist()
    ['a', 'photo', 'of', 'a']
    """
    ids = single_tokens(known_words(clip) if words is None else words)
    if require_count("k", k) > len(ids):
        raise ValueError(f"k must be 1 to {len(ids)}, the words that are single tokens, got {k}.")
    require_name("measure", measure, MEASURES)
    names, rows = list(ids), clip.text.token_embedding.weight[list(ids.values())]  # [V, d_t]
    found: list[tuple] = []
    for layer, prompt in enumerate(prompts, start=1):
        if prompt.ndim != 2 or prompt.shape[1] != clip.text_width:
            raise ValueError(
                f"the prompt of layer {layer} must have shape [n, {clip.text_width}], got {list(prompt.shape)}."
            )
        values, places = _distances(prompt, rows, measure).topk(k, largest=False)  # [n, k]
        for token, nearest in enumerate(zip(values.tolist(), places.tolist(), strict=True), start=1):
            for rank, (value, place) in enumerate(zip(*nearest, strict=True), start=1):
                found.append((layer, token, rank, names[place], value))
    return pd.DataFrame(found, columns=["layer", "token", "rank", "word", "distance"])


def known_words(clip: FrozenCLIP) -> list[str]:
    """The words, sorted, of captions in pretraining that this CLIP knows: a tiny CLIP has zeros for all others."""
    words = sorted({*caption_words(), *words_of_symbols()})
    weights = clip.text.token_embedding.weight
    return [word for word in words if (weights[tokenizer().encode(word)] != 0).any(dim=1).all()]


def single_tokens(words: Iterable[str]) -> dict[str, int]:
    """{word: token id} of those among `words`, in lower case and each once, that are one token of CLIP's vocabulary."""
    known = tokenizer().encoder
    lower = [word.lower() for word in words]
    return {word: known[word + END] for word in lower if word + END in known}


def vocabulary() -> list[str]:
    """The words of letters a to z among CLIP's 49,408 tokens, in the vocabulary's order (some are ends of words)."""
    words = [token.removesuffix(END) for token in tokenizer().encoder if token.endswith(END)]
    return [word for word in words if word.isascii() and word.isalpha() and word.islower()]


def _distances(prompt: Tensor, rows: Tensor, measure: str) -> Tensor:
    """Distances [n, V] of tokens [n, d] from embeddings [V, d]."""
    if measure == "cosine":
        return 1 - F.normalize(prompt, dim=-1) @ F.normalize(rows, dim=-1).T
    return torch.cdist(prompt, rows, compute_mode="donot_use_mm_for_euclid_dist")  # exact where they are equal
