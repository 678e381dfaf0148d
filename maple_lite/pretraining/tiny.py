"""The tiny CLIP while it is trained: its architecture, its short vocabulary, the open_clip folder it ends in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from safetensors.torch import save_file
from torch import Tensor

from maple_lite.clip import encode_sentences
from maple_lite.pretraining.captions import caption_words
from maple_lite.support.files import atomic_write
from maple_lite.tokens import tokenize, tokenizer

HEAD_WIDTH = 32
PATCH = 8
VOCABULARY = 49408  # CLIP's own
CONTEXT = 77


def architecture(width: int, layers: int, embed_dim: int, resolution: int) -> dict[str, Any]:
    """The configuration, as open_clip writes it, of a CLIP whose towers have the same width and depth."""
    return {
        "embed_dim": embed_dim,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": resolution,
            "layers": layers,
            "width": width,
            "head_width": HEAD_WIDTH,
            "patch_size": PATCH,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": VOCABULARY,
            "width": width,
            "heads": width // HEAD_WIDTH,
            "layers": layers,
        },
    }


class Vocabulary:
    """The few hundred of CLIP's tokens that captions use, numbered from 0 in the order of CLIP's own ids.

    A model that trains on them alone spends no time on the other 49,000 rows of the embedding. EOT stays the
    largest id, which is how CLIP finds it.
    """

    def __init__(self) -> None:
        words = tokenizer()
        used = {token for word in [*caption_words(), ".", ","] for token in words.encode(word)}
        padding = 0  # a token like others, that captions do not use
        self.token_ids = torch.tensor(sorted({padding, *used, words.sot_token_id, words.eot_token_id}))  # [V]
        self.numbers = torch.full([VOCABULARY], -1)
        self.numbers[self.token_ids] = torch.arange(len(self.token_ids))

    def __len__(self) -> int:
        return len(self.token_ids)

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """Tokens [B, L] of captions in this vocabulary, L being the longest caption."""
        return self.numbers[tokenize(captions)]


def build(config: dict[str, Any], vocabulary: Vocabulary) -> open_clip.CLIP:
    """A CLIP of that architecture with random weights, its token embedding cut to the vocabulary [V, d_t]."""
    text = dict(config["text_cfg"], vocab_size=len(vocabulary))
    return open_clip.CLIP(config["embed_dim"], config["vision_cfg"], text, quick_gelu=config["quick_gelu"])


def encode(model: open_clip.CLIP, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Unit-norm image features [B, D] of images [B, 3, R, R] in 0..1, and text features [B, D] of tokens [B, L].

    Both in float32 with gradients.
    """
    mean, std = (images.new_tensor(values)[:, None, None] for values in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    image_features = F.normalize(model.encode_image((images - mean) / std).float(), dim=-1)
    return image_features, _encode_text(model, tokens)


def _encode_text(model: open_clip.CLIP, tokens: Tensor) -> Tensor:
    """Unit-norm text features [B, D] of tokens [B, L]: the shorter half is encoded apart, which saves its padding.

    open_clip's own `encode_text` cannot take fewer than 77 tokens.
    """
    lengths = tokens.argmax(dim=1) + 1  # EOT is the largest
    order = lengths.argsort(stable=True)
    halves = [tokens[part, : int(lengths[part].max())] for part in order.chunk(2)]
    features = [encode_sentences(model, half) for half in halves]
    return torch.cat(features)[order.argsort()]


def export(model: open_clip.CLIP, vocabulary: Vocabulary, config: dict[str, Any], folder: Path) -> None:
    """Writes an open_clip folder in half precision; the rows of tokens that captions do not use are zero.

    >>> load_clip(f"local-dir:{folder}")  # doctest: +SKIP
    """
    weights = {name: weight.detach().half().cpu().contiguous() for name, weight in model.state_dict().items()}
    trained = weights["token_embedding.weight"]
    weights["token_embedding.weight"] = trained.new_zeros(VOCABULARY, trained.shape[1])
    weights["token_embedding.weight"][vocabulary.token_ids] = trained
    look = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD, "interpolation": "bicubic"}

    def write_config(file: Path) -> None:
        file.write_text(json.dumps({"model_cfg": config, "preprocess_cfg": look}, indent=2) + "\n", encoding="utf-8")

    atomic_write(folder / "open_clip_config.json", write_config)
    atomic_write(folder / "open_clip_model.safetensors", lambda file: save_file(weights, file))
