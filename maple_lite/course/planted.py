"""Text towers with planted bugs, and the loss curves that they make: for an experiment of lesson 03."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import TensorDataset

from maple_lite.clip import FrozenCLIP, write_prompt
from maple_lite.learners import CoOp
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.names import require_name
from maple_lite.training import fit

NO_BUG, NO_MASK, CUT, SOS, PLACES = BUGS = (
    "no bug",
    "no mask",
    "gradient cut",
    "reads SOS",
    "positions before the splice",
)
"""What can be wrong with a text tower, each with a curve of its own in lesson 03."""

CURVES = {"A": SOS, "B": NO_BUG, "C": CUT, "D": NO_MASK}
HIDDEN = CURVES | {"E": PLACES}  # a fifth tower, whose bug no curve shows


def planted_tower(clip: FrozenCLIP, letter: str) -> FrozenCLIP:
    """A CLIP of the same weights whose text tower has the bug of a letter from A to E."""
    bug = HIDDEN[require_name("tower", letter, HIDDEN)]

    def encode_text(tokens: Tensor, prompts: Sequence[Tensor] = (), positions: Tensor | None = None) -> Tensor:
        text, length = clip.text, tokens.shape[1]
        places, mask = text.positional_embedding[:length], text.attn_mask[:length, :length]
        x = text.token_embedding(tokens)
        if bug == PLACES:
            x = write_prompt(x + places, prompts[0]) if len(prompts) else x + places
        else:
            x = (write_prompt(x, prompts[0]) if len(prompts) else x) + places
        for block in text.transformer.resblocks:
            x = block(x, attn_mask=None if bug == NO_MASK else mask)
        read = torch.zeros(len(x), dtype=torch.long) if bug == SOS else tokens.argmax(dim=-1)
        x = F.normalize(text.ln_final(x[torch.arange(len(x)), read]) @ text.text_projection, dim=-1)
        return x.detach() + 0 * sum(prompt.sum() for prompt in prompts) if bug == CUT else x

    broken = FrozenCLIP(clip.model)
    object.__setattr__(broken, "encode_text", encode_text)
    return broken


def planted_curves(
    clip: FrozenCLIP, class_names: Sequence[str], features: Tensor, labels: Tensor, epochs: int = 15, seed: int = 1
) -> pd.DataFrame:
    """Rows (tower, epoch, loss) of CoOp's training on image features [N, D], with the towers A to E."""
    data, frames = TensorDataset(features.cpu(), labels.cpu()), []
    for letter in HIDDEN:
        tower = planted_tower(clip, letter)
        model = PromptedCLIP(tower, CoOp(tower, init="a photo of a"), class_names)
        history = fit(model, data, epochs=epochs, lr=0.002, batch_size=32, seed=seed, bar=False)
        frames.append(history.frame()[["epoch", "loss"]].assign(tower=letter))
    return pd.concat(frames, ignore_index=True)
