"""Which tower's prompts do the work? `python benchmarks/towers.py` prints it, and writes a table (five minutes a seed).

The stored table, data/results/towers.csv, is of seeds 1 to 3; the repository holds the learners of seed 1 alone:

    maple-lite benchmark --tables base-to-novel --methods vpt language ivlp maple --keep-learners
    python benchmarks/towers.py --seeds 1 2 3 --learners results/learners --out data/results/towers.csv

The learners of the base-to-novel table, trained on the base classes of a dataset in its own look, are asked with both
towers' prompts, with those of one tower, and with none; about the pictures that they were made for ("own"), and about
the same things in clean drawings ("clean"). Prompts that are left out are replaced by nothing: the image tower then is
CLIP's own, and the text tower reads the learner's template, "a photo of a {}.", as it stands. MaPLe's vision prompts
stay functions of its text prompts, also where the text tower does not get those. All on the first 25 of the 50 test
pictures of a class.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from maple_lite import PromptedCLIP, PromptLearner, load_clip
from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import DRAWN, ClassificationDataset, open_dataset
from maple_lite.protocol import base_and_novel, harmonic_mean, items_of_classes
from maple_lite.storage.learner_files import load_learner
from maple_lite.support.files import atomic_write, data_folder

METHODS = ("vpt", "language", "ivlp", "maple")
TESTED = 25  # pictures of a class
LOOKS = ("own", "clean")
PROMPTS = {"none": (), "text": ("text",), "vision": ("vision",), "both": ("text", "vision")}
COLUMNS = ["method", "dataset", "look", "prompts", "seed", "split", "accuracy", "clip", "torch"]
Halves = dict[str, tuple[Tensor, Tensor, list[str]]]  # images [N, 3, H, W], labels [N] and class names by split


class Towers(PromptLearner):
    """A trained learner with the prompts of some towers alone; the others are left out, and nothing stands for them."""

    def __init__(self, learner: PromptLearner, kept: tuple[str, ...]) -> None:
        super().__init__(learner.templates)
        self.learner, self.kept = learner, kept

    def vision_prompts(self) -> list[Tensor]:
        """The learner's prompts of the image tower, or none."""
        return self.learner.vision_prompts() if "vision" in self.kept else []

    def text_prompts(self, image_features: Tensor | None = None) -> list[Tensor]:
        """The learner's prompts of the text tower, or none."""
        return self.learner.text_prompts(image_features) if "text" in self.kept else []


def halves(data: ClassificationDataset) -> Halves:
    """The test pictures of the base and of the novel classes."""
    parts = zip(("base", "novel"), base_and_novel(len(data.class_names)), strict=True)
    found = {}
    for split, half in parts:
        test = data.subset(half)
        first = [i for items in items_of_classes(test.labels).values() for i in items[:TESTED]]
        found[split] = (*test.batch(first), list(test.class_names))
    return found


@torch.no_grad()
def image_features(clip: FrozenCLIP, learner: PromptLearner, parts: Halves) -> dict[str, Tensor]:
    """Unit-norm features [N, D] of the pictures of both halves, with the learner's vision prompts."""
    prompts = learner.vision_prompts()
    return {
        split: torch.cat([clip.encode_image(some, prompts) for some in images.split(100)])
        for split, (images, _, _) in parts.items()
    }


@torch.no_grad()
def accuracies(
    clip: FrozenCLIP, learner: PromptLearner, parts: Halves, features: dict[str, Tensor]
) -> dict[str, float]:
    """{"base", "novel", "hm"} in percent of a learner whose image features [N, D] are known."""
    found = {}
    for split, (_, labels, names) in parts.items():
        right = PromptedCLIP(clip, learner, names).classify(features[split]).argmax(dim=-1) == labels  # [N]
        found[split] = 100 * right.double().mean().item()
    return found | {"hm": harmonic_mean(found["base"], found["novel"])}


def by_prompts(
    clip: FrozenCLIP, learner: PromptLearner, parts: Halves, plain: dict[str, Tensor]
) -> Iterator[tuple[str, dict[str, float]]]:
    """(which prompts are kept, accuracies) of a learner; `plain` are the features without prompts."""
    prompted = image_features(clip, learner, parts) if "vision" in learner.towers else plain
    for name, kept in PROMPTS.items():
        if set(kept) <= set(learner.towers):
            yield name, accuracies(clip, Towers(learner, kept), parts, prompted if "vision" in kept else plain)


def rows_of(
    data: ClassificationDataset, clip: FrozenCLIP, look: str, seed: int, learners: dict[str, PromptLearner]
) -> pd.DataFrame:
    """The rows of a dataset's test pictures in one look, of a seed's learners by their method's name."""
    parts = halves(data)
    plain = image_features(clip, PromptLearner(), parts)
    asked = PromptLearner(data.template)  # zero-shot CLIP in the dataset's own sentence
    found = [("zeroshot", "none", accuracies(clip, asked, parts, plain))]
    for method, learner in learners.items():
        found += [(method, name, each) for name, each in by_prompts(clip, learner, parts, plain)]
    tidy = [(method, name, split, value) for method, name, each in found for split, value in each.items()]
    rows = pd.DataFrame(tidy, columns=["method", "prompts", "split", "accuracy"])
    return rows.assign(dataset=data.name, look=look, seed=seed)


def stored_learners(folder: Path, name: str, clip: FrozenCLIP, seed: int) -> dict[str, PromptLearner]:
    """The learners of a dataset's base classes, by method, from a folder that `maple-lite benchmark` wrote."""
    files = {method: folder / "base_to_novel" / f"{name}-{method}-seed{seed}.safetensors" for method in METHODS}
    return {method: load_learner(file, clip) for method, file in files.items()}


def rows_of_dataset(clip: FrozenCLIP, name: str, seed: int, folder: Path) -> pd.DataFrame:
    """The rows of a dataset: in its own look, and in clean drawings."""
    stored = stored_learners(folder, name, clip, seed)
    shown = {look: open_dataset(name, clip=clip, look=None if look == "own" else look) for look in LOOKS}
    return pd.concat([rows_of(data, clip, look, seed, stored) for look, data in shown.items()])


def table(clip: FrozenCLIP, folder: Path, names: Sequence[str] = DRAWN, seeds: Sequence[int] = (1,)) -> pd.DataFrame:
    """All rows, with the CLIP's fingerprint and torch's version."""
    frames = [rows_of_dataset(clip, name, seed, folder) for seed in seeds for name in names]
    rows = pd.concat(frames, ignore_index=True)
    return rows.assign(clip=clip.fingerprint, torch=torch.__version__)[COLUMNS]


def main() -> None:
    """Writes the table and prints its means over datasets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    results = data_folder() / "results"
    parser.add_argument("--out", type=Path, default=Path("results/towers.csv"), help="the table; results/towers.csv")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--learners", type=Path, default=results / "learners", help="with a folder base_to_novel")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = table(load_clip(device="cpu"), options.learners, DRAWN, options.seeds)
    text = rows.round({"accuracy": 3}).to_csv(index=False, lineterminator="\n")
    atomic_write(options.out, lambda file: file.write_bytes(text.encode()))
    means = rows.pivot_table(index=["look", "method", "prompts"], columns="split", values="accuracy", sort=False)
    print(means.round(1).to_string())


if __name__ == "__main__":
    main()
