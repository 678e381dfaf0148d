"""Zero-shot accuracy of a CLIP on the drawn datasets: by it styles are chosen and a tiny CLIP is judged."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets.glyphs.drawn import DRAWN, TEMPLATES, Pictures, drawn
from maple_lite.datasets.glyphs.styles import VARIANTS
from maple_lite.evaluation import accuracy
from maple_lite.learners import PromptLearner
from maple_lite.prompted import PromptedCLIP
from maple_lite.tokens import tokenize


def zero_shot_table(clip: FrozenCLIP) -> pd.DataFrame:
    """A row (dataset, style, classes, accuracy in percent) for each test set, asked with the dataset's own template.

    The eleven drawn clean and in their own styles, the four variants of objects, and handwritten digits.
    """
    sets = [(name, "clean", pictures(clip, name, style="clean")) for name in DRAWN]
    sets += [(name, data.style.kind, data) for name in DRAWN for data in [pictures(clip, name)]]
    sets += [("objects", variant, pictures(clip, "objects", variant=variant)) for variant in VARIANTS]
    sets += [("handwritten", "photographs", pictures(clip, "handwritten"))]
    rows = []
    for name, style, data in sets:
        model = PromptedCLIP(clip, PromptLearner(data.template), data.class_names)
        rows.append((name, style, len(data.class_names), accuracy(model, data)))
    return pd.DataFrame(rows, columns=["dataset", "style", "classes", "accuracy"])


def pictures(clip: FrozenCLIP, name: str, style: str | None = None, variant: str | None = None) -> Pictures:
    """A drawn dataset as `clip` looks at it: in its resolution, normalised by its mean and std."""
    look = clip.preprocess
    return drawn(name, int(clip.visual.image_size[0]), style, variant, tuple(look.mean), tuple(look.std))


@torch.no_grad()
def clean_accuracy(clip: FrozenCLIP, shots: int = 2) -> tuple[float, float]:
    """Percent of clean drawings named rightly among all symbols, and within their datasets (the mean of the eleven).

    A quick look at `shots` pictures per symbol, none of them a test picture.
    """
    right_of_all, right_within = [], []
    text_features = torch.cat([_text_features(clip, name) for name in DRAWN])  # [S, D]
    first = 0
    for name in DRAWN:
        data = pictures(clip, name, style="clean").train(shots, seed=0)
        images, labels = (part.to(clip.device) for part in data.batch(range(len(data))))
        similarity = clip.encode_image(images) @ text_features.T  # [B, S]
        last = first + len(data.class_names)
        right_of_all.append(similarity.argmax(dim=1) == first + labels)
        right_within.append((similarity[:, first:last].argmax(dim=1) == labels).float().mean())
        first = last
    return 100 * torch.cat(right_of_all).float().mean().item(), 100 * torch.stack(right_within).mean().item()


def _text_features(clip: FrozenCLIP, name: str) -> Tensor:
    """Unit-norm text features [C, D] of a dataset's classes in its template."""
    sentences = [TEMPLATES[name].format(class_name) for class_name in drawn(name).class_names]
    return clip.encode_text(tokenize(sentences, clip.context_length).to(clip.device))
