"""Which tower's prompts do the work? `python benchmarks/towers.py` prints it, and writes a table (five minutes a seed).

The stored table, data/results/towers.csv, is of seeds 1 to 3; the repository holds the learners of seed 1 alone:

    maple-lite benchmark --tables base-to-novel --methods vpt language ivlp maple --keep-learners
    python benchmarks/towers.py --seeds 1 2 3 --learners results/learners --out data/results/towers.csv

The question: on the drawn datasets VPT, which prompts the image tower, leads, and deep language prompts gain little; in
the paper it is the other way round. The guess: here what is new about a dataset lies in its pictures. Two tests of it:

- "own" and "clean": the learners of the base-to-novel table, trained on the base classes of a dataset in its own
  style, are asked with both towers' prompts, with those of one tower, and with none; about the pictures that they
  were made for ("own"), and about the same symbols in clean drawings ("clean"). Prompts that are left out are
  replaced by nothing: the image tower then is CLIP's own, and the text tower reads the learner's template, "a photo
  of a {}.", as it stands. MaPLe's vision prompts stay functions of its text prompts, also where the text tower does
  not get those.
- "words": new learners (the same seeds and settings) for clean drawings whose class names are asked in a clumsy
  sentence, `CLUMSY`, on the nine datasets of at most thirty classes. The shift lies in the words now, and not in the
  pictures. Of 27 sentences that were tried it costs zero-shot CLIP most nearly as much as the styles do; nothing was
  trained yet.

The guess would be refuted if the learners without their vision prompts kept most of their gain, or if VPT led deep
language prompts with the shift in the words, too. All on the first 25 of the 50 test pictures of a class.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from maple_lite import PromptedCLIP, PromptLearner, fit, load_clip
from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import DRAWN, ClassificationDataset, open_dataset
from maple_lite.experiments.plan import make_plan
from maple_lite.experiments.run import make_learner
from maple_lite.protocol import base_and_novel, harmonic_mean, items_of_classes
from maple_lite.storage.learner_files import load_learner
from maple_lite.support.files import atomic_write, data_folder

METHODS = ("vpt", "language", "ivlp", "maple")
NEW = ("vpt", "language", "ivlp")  # those that are trained on clumsy names
MANY = 30  # classes: datasets of more take long to train on
TESTED = 25  # pictures of a class
CLUMSY = "photo that nobody took of a {}"
STYLES = ("own", "clean", "words")
PROMPTS = {"none": (), "text": ("text",), "vision": ("vision",), "both": ("text", "vision")}
COLUMNS = ["method", "dataset", "style", "prompts", "seed", "split", "accuracy", "clip", "torch"]
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


def halves(data: ClassificationDataset, sentence: str = "{}") -> Halves:
    """The test pictures of the base and of the novel classes, whose names stand in `sentence`."""
    parts = zip(("base", "novel"), base_and_novel(len(data.class_names)), strict=True)
    found = {}
    for split, half in parts:
        test = data.subset(half)
        first = [i for items in items_of_classes(test.labels).values() for i in items[:TESTED]]
        found[split] = (*test.batch(first), [sentence.replace("{}", name) for name in test.class_names])
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
    data: ClassificationDataset, clip: FrozenCLIP, style: str, seed: int, learners: dict[str, PromptLearner]
) -> pd.DataFrame:
    """The rows of a dataset's test pictures in one style, of a seed's learners by their method's name."""
    sentence = CLUMSY if style == "words" else "{}"
    parts = halves(data, sentence)
    plain = image_features(clip, PromptLearner(), parts)
    asked = PromptLearner(data.template)  # zero-shot CLIP in the dataset's own sentence
    found = [("zeroshot", "none", accuracies(clip, asked, parts, plain))]
    for method, learner in learners.items():
        found += [(method, name, each) for name, each in by_prompts(clip, learner, parts, plain)]
    tidy = [(method, name, split, value) for method, name, each in found for split, value in each.items()]
    rows = pd.DataFrame(tidy, columns=["method", "prompts", "split", "accuracy"])
    return rows.assign(dataset=data.name, style=style, seed=seed)


def stored_learners(folder: Path, name: str, clip: FrozenCLIP, seed: int) -> dict[str, PromptLearner]:
    """The learners of a dataset's base classes, by method, from a folder that `maple-lite benchmark` wrote."""
    files = {method: folder / "base_to_novel" / f"{name}-{method}-seed{seed}.safetensors" for method in METHODS}
    return {method: load_learner(file, clip) for method, file in files.items()}


def new_learners(data: ClassificationDataset, clip: FrozenCLIP, seed: int) -> dict[str, PromptLearner]:
    """Learners trained on a dataset's base classes under their clumsy names, by method."""
    base = data.subset(base_and_novel(len(data.class_names))[0])
    names = [CLUMSY.replace("{}", name) for name in base.class_names]
    learners = {}
    for method in NEW:
        plan = make_plan(method, data, clip, "base-to-novel", seed=seed)
        learner = make_learner(plan)
        cache = not learner.vision_prompts()
        train_set = base.train(plan.shots, seed)
        fit(
            PromptedCLIP(clip, learner, names), train_set, seed=seed, cache_features=cache, bar=False, **plan.fit_kwargs
        )
        learners[method] = learner
    return learners


def rows_of_dataset(
    clip: FrozenCLIP, name: str, seed: int, folder: Path, styles: Sequence[str] = STYLES
) -> pd.DataFrame:
    """The rows of a dataset: in its own style, in clean drawings, and under clumsy names where it is small."""
    clean, frames = open_dataset(name, clip=clip, style="clean"), []
    if "own" in styles or "clean" in styles:
        stored = stored_learners(folder, name, clip, seed)
        shown = {"own": open_dataset(name, clip=clip), "clean": clean}
        frames = [rows_of(data, clip, style, seed, stored) for style, data in shown.items() if style in styles]
    if "words" in styles and len(clean.class_names) <= MANY:
        frames.append(rows_of(clean, clip, "words", seed, new_learners(clean, clip, seed)))
    return pd.concat(frames) if frames else pd.DataFrame()


def table(
    clip: FrozenCLIP,
    folder: Path,
    names: Sequence[str] = DRAWN,
    seeds: Sequence[int] = (1,),
    styles: Sequence[str] = STYLES,
) -> pd.DataFrame:
    """All rows, with the CLIP's fingerprint and torch's version."""
    frames = [rows_of_dataset(clip, name, seed, folder, styles) for seed in seeds for name in names]
    rows = pd.concat(frames, ignore_index=True)
    return rows.assign(clip=clip.fingerprint, torch=torch.__version__)[COLUMNS]


def main() -> None:
    """Writes the table and prints its means over datasets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    results = data_folder() / "results"
    parser.add_argument("--out", type=Path, default=Path("results/towers.csv"), help="the table; results/towers.csv")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--learners", type=Path, default=results / "learners", help="with a folder base_to_novel")
    parser.add_argument("--styles", nargs="+", default=STYLES, choices=STYLES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = table(load_clip(device="cpu"), options.learners, DRAWN, options.seeds, options.styles)
    text = rows.round({"accuracy": 3}).to_csv(index=False, lineterminator="\n")
    atomic_write(options.out, lambda file: file.write_bytes(text.encode()))
    means = rows.pivot_table(index=["style", "method", "prompts"], columns="split", values="accuracy", sort=False)
    print(means.round(1).to_string())


if __name__ == "__main__":
    main()
