"""Zero-shot accuracy of a CLIP on the drawn datasets: by it a world is chosen and a tiny CLIP is judged."""

from __future__ import annotations

import torch
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import ClassificationDataset, open_dataset
from maple_lite.datasets.emoji.drawn import KIND
from maple_lite.tokens import tokenize


@torch.no_grad()
def clean_accuracy(clip: FrozenCLIP, shots: int = 2) -> tuple[float, float]:
    """Percent of clean drawings named rightly among all emoji, and within their datasets (the mean of the eleven).

    A quick look at `shots` pictures per emoji, none of them a test picture.
    """
    right_of_all, right_within = [], []
    sets = [open_dataset(name, clip=clip, look="clean").train(shots, seed=0) for name in KIND.names]
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
