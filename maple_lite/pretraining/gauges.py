"""Zero-shot accuracy of a CLIP on the drawn datasets: by it styles are chosen and a tiny CLIP is judged."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import DRAWN, HANDWRITTEN, VARIANTS, ClassificationDataset, open_dataset
from maple_lite.datasets.glyphs.styles import STYLES
from maple_lite.evaluation import accuracy
from maple_lite.learners import PromptLearner
from maple_lite.prompted import PromptedCLIP
from maple_lite.tokens import tokenize


def zero_shot_table(clip: FrozenCLIP) -> pd.DataFrame:
    """A row (dataset, style, classes, accuracy in percent) for each test set, asked with the dataset's own template.

    The eleven drawn clean and in their own styles, the four variants of objects, and handwritten digits.
    """
    sets = [(name, "clean", open_dataset(name, clip=clip, style="clean")) for name in DRAWN]
    sets += [(name, STYLES[name].kind, open_dataset(name, clip=clip)) for name in DRAWN]
    sets += [("objects", variant, open_dataset("objects", clip=clip, variant=variant)) for variant in VARIANTS]
    sets += [(HANDWRITTEN, "photographs", open_dataset(HANDWRITTEN, clip=clip))]
    rows = []
    for name, style, data in sets:
        model = PromptedCLIP(clip, PromptLearner(data.template), data.class_names)
        rows.append((name, style, len(data.class_names), accuracy(model, data)))
    return pd.DataFrame(rows, columns=["dataset", "style", "classes", "accuracy"])


@torch.no_grad()
def clean_accuracy(clip: FrozenCLIP, shots: int = 2) -> tuple[float, float]:
    """Percent of clean drawings named rightly among all symbols, and within their datasets (the mean of the eleven).

    A quick look at `shots` pictures per symbol, none of them a test picture.
    """
    right_of_all, right_within = [], []
    sets = [open_dataset(name, clip=clip, style="clean").train(shots, seed=0) for name in DRAWN]
    text_features = torch.cat([_text_features(clip, data) for data in sets])  # [S, D]
    first = 0
    for data in sets:
        images, labels = (part.to(clip.device) for part in data.batch(range(len(data))))
        similarity = clip.encode_image(images) @ text_features.T  # [B, S]
        last = first + len(data.class_names)
        right_of_all.append(similarity.argmax(dim=1) == first + labels)
        right_within.append((similarity[:, first:last].argmax(dim=1) == labels).float().mean())
        first = last
    return 100 * torch.cat(right_of_all).float().mean().item(), 100 * torch.stack(right_within).mean().item()


def _text_features(clip: FrozenCLIP, data: ClassificationDataset) -> Tensor:
    """Unit-norm text features [C, D] of a dataset's classes in its template."""
    sentences = [data.template.format(class_name) for class_name in data.class_names]
    return clip.encode_text(tokenize(sentences, clip.context_length).to(clip.device))
