"""The examples in the docstrings of the package are run.

An example sees what its module sees, the names that `maple_lite` offers, the readers of stored results, and the names
of `usual` below. Datasets that it opens have four classes, and a plan that it executes trains for two epochs. What an
example prints is compared if the docstring shows it; an example that shows nothing only has to run. An example that
needs the network, a real CLIP, files of the user's own, or minutes is marked `# doctest: +SKIP`; NOT_RUN lists their
docstrings.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from typing import Any

import matplotlib
import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from PIL import Image

import maple_lite
from maple_lite import MaPLe, PromptedCLIP, PromptLearner, fit, load_clip, open_dataset, save_learner, seeded, tokenize
from maple_lite.experiments import published, run, summaries
from maple_lite.protocol import ClassificationDataset

matplotlib.use("agg")

NOT_RUN = {
    "maple_lite.clip.FrozenCLIP",
    "maple_lite.datasets.fetch.fetch.fetch",
    "maple_lite.datasets.opening.open_dataset",
    "maple_lite.experiments.benchmark.benchmark",
    "maple_lite.loading.load_clip",
    "maple_lite.pretraining.tiny.export",
}
"""The docstrings with an example that is not run. Nothing else is allowed to be left out."""


def all_modules() -> list[str]:
    """The names of all modules of the package."""
    return ["maple_lite", *(found.name for found in pkgutil.walk_packages(maple_lite.__path__, "maple_lite."))]


def all_examples() -> list[doctest.DocTest]:
    """Every docstring of the package that holds an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for name in all_modules() for test in finder.find(importlib.import_module(name)) if test.examples]


EXAMPLES = all_examples()


class Shown(doctest.OutputChecker):
    """Compares only output that the docstring shows."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


def open_small(*arguments: Any, **named: Any) -> ClassificationDataset:
    """Four classes of a dataset of `open_dataset`, so that an example takes no minutes."""
    return open_dataset(*arguments, **named).subset(range(4))


def fit_shortly(model: PromptedCLIP, data: ClassificationDataset, **settings: Any) -> None:
    """Two epochs of `fit`, whatever the settings say."""
    fit(model, data, **{**settings, "epochs": 2})


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> dict[str, Any]:
    """What examples may take for given: a CLIP, four classes of a drawn dataset in two halves, a trained learner."""
    clip = load_clip(device="cpu")
    data = open_dataset("plants", clip=clip).subset(range(4))
    base, novel = data.subset([0, 1]), data.subset([2, 3])
    with seeded(1):
        model = PromptedCLIP(clip, MaPLe(clip), base.class_names)
    history = fit(model, base.train(shots=1), epochs=1, lr=0.0035, batch_size=2)
    images, labels = base.batch(range(2))
    everything = {name: getattr(maple_lite, name) for name in maple_lite.__all__}
    everything |= {name: value for module in (published, summaries) for name, value in vars(module).items()}
    packages = {"np": np, "open_clip": open_clip, "pd": pd, "plt": importlib.import_module("matplotlib.pyplot")}
    own = {"clip": clip, "data": data, "base": base, "novel": novel, "model": model, "learner": model.learner}
    own |= {"history": history, "images": images, "labels": labels, "class_names": base.class_names}
    own["zero_shot"] = PromptedCLIP(clip, PromptLearner(base.template), base.class_names)
    own |= {"open_dataset": open_small, "tokens": tokenize(base.class_names)}
    own |= {"train_set": base.train(shots=1), "test_set": base, "generator": torch.Generator().manual_seed(0)}
    return {**everything, **packages, "torch": torch, **own}


@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: test.name.removeprefix("maple_lite."))
def test_the_example_runs(test, usual, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_learner(usual["learner"], "maple.safetensors")
    Image.new("RGB", (60, 40), "red").save("holiday.jpg")
    monkeypatch.setattr(run, "fit", fit_shortly)
    test.globs = {**usual, **test.globs}
    said: list[str] = []
    runner = doctest.DocTestRunner(Shown(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    failed, _ = runner.run(test, out=said.append)
    assert failed == 0, "".join(said)
    importlib.import_module("matplotlib.pyplot").close("all")


def test_what_is_not_run_is_listed():
    marked = {test.name for test in EXAMPLES for example in test.examples if doctest.SKIP in example.options}
    assert marked == NOT_RUN
