"""Can the answers be trusted? `python benchmarks/calibration.py` prints it, and writes a table (a minute a seed).

The stored table, data/results/calibration.csv, is of seeds 1 to 3; the repository holds the learners of seed 1 alone:

    maple-lite benchmark --tables base-to-novel --keep-learners
    python benchmarks/calibration.py --seeds 1 2 3 --learners results/learners --out data/results/calibration.csv

The learners of the base-to-novel table, trained on the base classes of a dataset, are asked about the test pictures of
base and of novel classes: with the names of that half alone ("base", "novel"), as the papers do, and with all names of
the dataset at once ("base of all", "novel of all", "hm of all"). The expected calibration error has 15 bins of equal
width; precision and recall are means over classes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch.utils.data import TensorDataset

from maple_lite import METHODS, PromptedCLIP, PromptLearner, base_and_novel, load_clip, predict
from maple_lite.analysis.calibration import measure_quality, score_halves
from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import DRAWN, ClassificationDataset, open_dataset
from maple_lite.storage.learner_files import load_learner
from maple_lite.support.files import atomic_write, data_folder
from maple_lite.training import image_features

COLUMNS = ["method", "dataset", "seed", "split", "measure", "value", "clip", "torch"]


def rows_of(
    clip: FrozenCLIP, learner: PromptLearner, data: ClassificationDataset, features: TensorDataset
) -> Iterator[tuple[str, str, float]]:
    """(split, measure, percent) of a learner; `features` are those of all test pictures, with its vision prompts."""
    learner, names = learner.for_template(data.template), data.class_names
    vectors, labels = features.tensors
    for split, half in zip(("base", "novel"), base_and_novel(len(names)), strict=True):
        own = torch.isin(labels, torch.tensor(half))
        test = TensorDataset(vectors[own], torch.searchsorted(torch.tensor(half), labels[own]))
        model = PromptedCLIP(clip, learner, [names[label] for label in half])
        for measure, value in measure_quality(model, test).items():
            yield split, measure, value
    predictions = predict(PromptedCLIP(clip, learner, names), features)[1]
    for split, value in score_halves(labels, predictions, len(names)).items():
        yield f"{split} of all", "accuracy", value


def rows_of_dataset(
    clip: FrozenCLIP, name: str, folder: Path, methods: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[str, str, int, str, str, float]]:
    """The rows of a dataset, without versions. Its pictures are drawn once, and encoded once without prompts."""
    data = open_dataset(name, clip=clip)
    test = data.test()
    pictures = TensorDataset(*test.batch(range(len(test))))
    plain = image_features(PromptedCLIP(clip, PromptLearner(), data.class_names), pictures)
    for method in methods:
        for seed in seeds:
            file = folder / "base_to_novel" / f"{name}-{method}-seed{seed}.safetensors"
            learner = PromptLearner() if method == "zeroshot" else load_learner(file, clip)
            model = PromptedCLIP(clip, learner, data.class_names)
            features = image_features(model, pictures) if learner.vision_prompts() else plain
            for row in rows_of(clip, learner, data, features):
                yield method, name, seed, *row


def table(
    clip: FrozenCLIP, folder: Path, names: Sequence[str], methods: Sequence[str], seeds: Sequence[int]
) -> pd.DataFrame:
    """All rows, with the CLIP's fingerprint and torch's version."""
    rows = [row for name in names for row in rows_of_dataset(clip, name, folder, methods, seeds)]
    found = pd.DataFrame(rows, columns=COLUMNS[:6])
    return found.assign(clip=clip.fingerprint, torch=torch.__version__)[COLUMNS]


def main() -> None:
    """Writes the table and prints its means over datasets and seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    learners = data_folder() / "results" / "learners"
    parser.add_argument("--out", type=Path, default=Path("results/calibration.csv"), help="the table")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--learners", type=Path, default=learners, help="with a folder base_to_novel")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = table(load_clip(device="cpu"), options.learners, DRAWN, options.methods, options.seeds)
    text = rows.round({"value": 3}).to_csv(index=False, lineterminator="\n")
    atomic_write(options.out, lambda file: file.write_bytes(text.encode()))
    means = rows.pivot_table(index="method", columns=["measure", "split"], values="value", sort=False)
    print(means.round(1).to_string())


if __name__ == "__main__":
    main()
