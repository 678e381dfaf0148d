"""usage: python tests/on_a_device.py  (prints JSON: what the package computes on the CPU and on the device "strict")"""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from strict_device import register, watching

from maple_lite import (
    METHODS,
    FrozenCLIP,
    PromptedCLIP,
    accuracy,
    base_to_novel,
    confusion,
    fit,
    load_clip,
    load_learner,
    per_class_accuracy,
    preset,
    save_learner,
    seeded,
)
from maple_lite.analysis.attention import attention_to_prompts
from maple_lite.analysis.cost import forward_costs, memory_costs, training_costs
from maple_lite.analysis.features import feature_map
from maple_lite.analysis.ood import ood_detection
from maple_lite.analysis.words import nearest_words
from maple_lite.datasets import open_dataset
from maple_lite.storage.official import OFFICIAL, load_official, save_official
from maple_lite.support.batches import batches
from maple_lite.support.small import small_open_clip

CLASSES = ["cactus", "rose", "tulip"]


def main() -> None:
    """Print the findings of both devices."""
    register()
    small = FrozenCLIP(small_open_clip())
    found = {"cpu": findings(small)}
    with watching():
        found["strict"] = findings(copy.deepcopy(small).to("strict"))
    print(json.dumps(found))


def findings(clip: FrozenCLIP) -> dict[str, Any]:
    """By name, numbers that a part of the package computes with a CLIP; an exception's words where it fails."""
    found = {method: attempt(whole_life, clip, method) for method in METHODS if method != "zeroshot"}
    found["zeroshot"] = attempt(zero_shot, clip)
    found["chunks"] = attempt(in_chunks, clip)
    found["tasks"] = attempt(tasks, clip)
    found["load_clip"] = attempt(lambda: load_clip("tiny", device=clip.device).logit_scale.exp().item())
    found["a tensor left behind"] = attempt(left_behind, clip)
    return found


def attempt(work: Any, *args: Any) -> Any:
    """What `work` returns, or what it raised."""
    try:
        return work(*args)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def whole_life(clip: FrozenCLIP, method: str) -> list[float]:
    """Training that stops and goes on, evaluation, looking inside, cost, and three kinds of files."""
    pictures = open_dataset("plants", resolution=32).subset(CLASSES)
    few, test = pictures.train(shots=2, seed=1), pictures.train(shots=4, seed=2)
    learner_kwargs, fit_kwargs = preset(method, clip=clip)
    settings = {**fit_kwargs, "epochs": 2, "batch_size": 2, "bar": False}
    if "mean" in learner_kwargs:
        learner_kwargs |= {"mean": 1.5, "std": 1.0}  # an average that fits two epochs
    with seeded(1):
        model = PromptedCLIP(clip, METHODS[method](clip, **learner_kwargs), pictures.class_names)
    with tempfile.TemporaryDirectory() as folder:
        history = fit(model, few, **settings, checkpoint=f"{folder}/run.pt")
        fit(model, few, **settings, checkpoint=f"{folder}/run.pt")
        save_learner(model.learner, f"{folder}/learner.safetensors")
        again = PromptedCLIP(clip, load_learner(f"{folder}/learner.safetensors", clip), pictures.class_names)
        theirs, official = Path(folder) / "model.pth.tar-2", model
        if method in OFFICIAL:
            save_official(model.learner, theirs)
            official = PromptedCLIP(clip, load_official(theirs, clip, method), pictures.class_names)
    images, labels = next(batches(test, 4, len(CLASSES), clip.device))
    logits = torch.cat([each(images).flatten() for each in (model, again, official)]).tolist()
    insight = [
        *attention_to_prompts(model, images).share,
        *feature_map({method: model}, test)[["x", "y"]].to_numpy().flatten(),
    ]
    if method != "vpt":
        prompts = [model.learner.ctx] if method == "cocoop" else model.learner.text_prompts()
        insight += [*nearest_words(clip, prompts).distance]
    for costs in (forward_costs(model, images), memory_costs(model, images, labels)):
        assert all(cost.value > 0 for cost in costs)  # by the device's own attention: not the same on both
    training_costs(model, images, labels, repeats=1)
    scores = [accuracy(model, test), *per_class_accuracy(model, test).accuracy, *confusion(model, test).to_numpy().flat]
    scores += [*ood_detection(model, test, few)[["auroc", "fpr95"]].to_numpy().flat]
    return [*map(float, [*history.losses, *logits, *insight, *scores])]


def zero_shot(clip: FrozenCLIP) -> list[float]:
    """CLIP itself, with one sentence and with several."""
    pictures = open_dataset("plants", resolution=32).subset(CLASSES)
    images = pictures.batch(range(3))[0].to(clip.device)
    learners = [METHODS["zeroshot"](clip, sentences) for sentences in ("a photo of a {}.", ["a {}.", "the {}."])]
    return torch.stack([PromptedCLIP(clip, learner, CLASSES)(images) for learner in learners]).flatten().tolist()


def in_chunks(clip: FrozenCLIP) -> list[float]:
    """Losses with stored image features, and sentences in pieces that are computed again in the backward pass."""
    few = open_dataset("plants", resolution=32).subset(CLASSES).train(shots=2, seed=1)
    with seeded(1):
        learner = METHODS["language"](clip, n_ctx=2, depth=2)
    model = PromptedCLIP(clip, learner, CLASSES, chunk=2)
    return fit(model, few, epochs=2, batch_size=2, lr=0.1, bar=False, cache_features=True).losses


def tasks(clip: FrozenCLIP) -> list[float]:
    """A row of the base-to-novel table."""
    found = base_to_novel(clip, [open_dataset("sea", resolution=32)], methods=["zeroshot"], seeds=[1])
    return [float(value) for value in found.accuracy]


def left_behind(clip: FrozenCLIP) -> str:
    """What comes of pictures that were not moved to the device."""
    model = PromptedCLIP(clip, METHODS["maple"](clip, n_ctx=2, depth=2), CLASSES)
    return str(tuple(model(torch.zeros(2, 3, 32, 32)).shape))


if __name__ == "__main__":
    main()
