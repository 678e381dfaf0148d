"""Calibration, precision and recall, and both halves asked at once: against numbers by hand and scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
import torch
from calibration import table as measured_table
from sklearn.metrics import precision_score, recall_score
from torch.utils.data import TensorDataset

from maple_lite import (
    CoOp,
    PromptedCLIP,
    PromptLearner,
    accuracy,
    base_and_novel,
    load_clip,
    load_learner,
    open_dataset,
    predict,
    seeded,
)
from maple_lite.analysis import calibration
from maple_lite.analysis.calibration import (
    asked_together,
    calibration_error,
    measure_quality,
    precision_and_recall,
    reliability,
)
from maple_lite.support.files import data_folder

NAMES = ["cat", "big dog", "small red car"]


@pytest.fixture
def model(clip):
    return PromptedCLIP(clip, PromptLearner(), NAMES)


@pytest.fixture
def data():
    images = torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    return TensorDataset(images, torch.arange(40) % 3)


def answers(monkeypatch, labels, logits):
    """Makes every model answer with these logits."""
    found = [(torch.tensor(labels), torch.tensor(logits, dtype=torch.float32))]
    monkeypatch.setattr(calibration, "batch_logits", lambda *args, **kwargs: iter(found))


def test_bins_hold_what_is_between_their_edges(monkeypatch, model, data):
    tops = np.array([0.51, 0.59, 0.95, 0.99, 1.0])
    answers(monkeypatch, [0, 1, 0, 0, 1], np.log(np.stack([tops, 1 - tops], 1) + 1e-12).tolist())
    table = reliability(model, data, bins=10)
    assert table.images.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 3]
    assert table.low.tolist() == pytest.approx([10 * i for i in range(10)])
    assert table.confidence[5] == pytest.approx(55)
    assert table.accuracy[5] == 50
    assert table.accuracy[9] == pytest.approx(200 / 3)
    assert table.confidence.isna().tolist() == [images == 0 for images in table.images]
    expected = (2 * abs(55 - 50) + 3 * abs(98 - 200 / 3)) / 5
    assert calibration_error(table) == pytest.approx(expected, abs=1e-4)


def test_a_perfectly_calibrated_model_has_no_error(monkeypatch, model, data):
    answers(monkeypatch, [0] * 3 + [1], np.log([[0.75, 0.25]] * 4).tolist())
    assert calibration_error(reliability(model, data)) == pytest.approx(0, abs=1e-4)


def test_all_images_are_counted_and_their_accuracy_is_the_models(model, data):
    table = reliability(model, data, bins=4)
    assert table.images.sum() == 40
    assert np.nansum(table.images * table.accuracy) / 40 == pytest.approx(accuracy(model, data))


def test_precision_and_recall_are_scikit_learns(model, data):
    labels, predictions = predict(model, data)
    table = precision_and_recall(model, data)
    how = dict(average="macro", labels=range(3), zero_division=0)
    assert table.precision.mean() == pytest.approx(100 * precision_score(labels, predictions, **how))
    assert table.recall.mean() == pytest.approx(100 * recall_score(labels, predictions, **how))
    assert table.images.tolist() == [14, 13, 13]


def test_a_class_without_images_has_no_recall(model):
    data = TensorDataset(torch.randn(4, 3, 32, 32), torch.tensor([0, 0, 1, 1]))
    table = precision_and_recall(model, data).set_index("class_name")
    assert np.isnan(table.recall["small red car"])
    assert table.precision["small red car"] == 0


def test_asked_together_every_class_can_be_the_answer(clip):
    data = open_dataset("plants", clip=clip).subset(range(4))
    with seeded(1):
        learner = CoOp(clip, init="a photo of a")
    found = asked_together(clip, learner, data)
    base, novel = (data.subset(half) for half in base_and_novel(4))
    whole = PromptedCLIP(clip, learner, data.class_names)
    assert (found["base"] + found["novel"]) / 2 == pytest.approx(accuracy(whole, data))
    assert found["base"] <= accuracy(PromptedCLIP(clip, learner, base.class_names), base)
    assert found["novel"] <= accuracy(PromptedCLIP(clip, learner, novel.class_names), novel)
    other = open_dataset("plants", clip=clip, look="clean").subset(range(4))
    asked = asked_together(clip, PromptLearner(), other)["base"]
    assert asked == asked_together(clip, PromptLearner("{}"), other)["base"]  # zero-shot: the sentence of the dataset


@pytest.mark.parametrize("bins", [0, 2.5])
def test_bins_are_a_count(model, data, bins):
    with pytest.raises(ValueError, match="bins must be"):
        reliability(model, data, bins=bins)


def test_the_error_counts_bins_by_their_images():
    table = pd.DataFrame({"images": [3, 1, 0], "confidence": [90, 40, np.nan], "accuracy": [80, 0, np.nan]})
    assert calibration_error(table) == 17.5


def test_the_quality_of_one_pass_is_that_of_the_separate_measures(model, data):
    found = measure_quality(model, data, bins=7)
    classes = precision_and_recall(model, data)
    assert found == pytest.approx(
        {
            "accuracy": accuracy(model, data),
            "calibration_error": calibration_error(reliability(model, data, bins=7)),
            "precision": classes.precision.mean(),
            "recall": classes.recall.mean(),
        }
    )


def test_the_stored_learners_are_measured_on_the_pictures_of_each_half():
    clip, data = load_clip(), open_dataset("sea")
    folder = data_folder() / "results" / "learners"
    rows = measured_table(clip, folder, ["sea"], ["zeroshot", "maple"], [1])
    found = rows.set_index(["method", "split", "measure"]).value
    learner = load_learner(folder / "base_to_novel" / "sea-maple-seed1.safetensors", clip)
    for split, half in zip(("base", "novel"), base_and_novel(len(data.class_names)), strict=True):
        test = data.subset(half)
        model = PromptedCLIP(clip, learner, test.class_names)
        for measure, value in measure_quality(model, test.test()).items():
            assert found["maple", split, measure] == pytest.approx(value, abs=1e-3)
    for split, value in asked_together(clip, PromptLearner(data.template), data).items():
        assert found["zeroshot", f"{split} of all", "accuracy"] == pytest.approx(value)
