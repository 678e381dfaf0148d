"""Accuracy, per class, confusion: against counts by hand."""

import pytest
import torch
from torch.utils.data import TensorDataset

from maple_lite import METHODS, PromptedCLIP, accuracy, confusion, per_class_accuracy, predict, seeded

NAMES = ["cat", "dog", "red car"]


@pytest.fixture(scope="module")
def data() -> TensorDataset:
    return TensorDataset(torch.randn(11, 3, 32, 32, generator=torch.Generator().manual_seed(2)), torch.arange(11) % 2)


def make(clip, method: str = "maple") -> PromptedCLIP:
    with seeded(0):
        return PromptedCLIP(clip, METHODS[method]() if method == "zeroshot" else METHODS[method](clip), NAMES)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batch_size", [4, 100])
def test_accuracy_counts_the_largest_logits(clip, data, method, batch_size):
    model = make(clip, method)
    images, labels = data.tensors
    with torch.no_grad():
        expected = model(images).argmax(dim=1)
    assert torch.equal(predict(model, data, batch_size)[1], expected)
    assert accuracy(model, data, batch_size) == pytest.approx(100 * (expected == labels).sum().item() / 11)


@pytest.mark.parametrize("method, times", [("zeroshot", 1), ("vpt", 1), ("maple", 1), ("cocoop", 3)])
def test_class_names_are_encoded_once_unless_the_text_depends_on_the_image(clip, data, monkeypatch, method, times):
    calls, whole = [], clip.encode_text
    monkeypatch.setattr(clip, "encode_text", lambda *args: calls.append(1) or whole(*args))
    accuracy(make(clip, method), data, batch_size=4)
    assert len(calls) == times


def test_per_class_accuracy_and_confusion_agree_with_accuracy(clip, data):
    model = make(clip)
    table, counts = per_class_accuracy(model, data), confusion(model, data)
    assert list(table.class_name) == NAMES
    assert list(table.images) == [6, 5, 0] == list(counts.sum(axis=1))
    assert table.accuracy.isna().tolist() == [False, False, True]  # no red car among the images
    right = (table.accuracy[:2] * table.images[:2] / 100).sum()
    assert right == pytest.approx(counts.to_numpy().trace())
    assert 100 * right / 11 == pytest.approx(accuracy(model, data))
    assert (counts.index.name, counts.columns.name) == ("true", "predicted")


def test_bf16_names_nearly_all_images_the_same(clip, data):
    model = make(clip)
    agree = predict(model, data)[1] == predict(model, data, precision="bf16")[1]
    assert agree.double().mean() > 0.7  # random weights: the largest of three near-equal logits may change for a few


def test_what_is_not_finite_or_no_model_is_refused(clip):
    data = TensorDataset(torch.full((2, 3, 32, 32), torch.nan), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="the logits are not finite: look for NaN in the images"):
        accuracy(make(clip), data)
    with pytest.raises(ValueError, match="a PromptedCLIP predicts, got MaPLe"):
        accuracy(make(clip).learner, data)


def test_labels_out_of_range_and_empty_data_are_refused(clip):
    with pytest.raises(ValueError, match="label 3 is out of range"):
        accuracy(make(clip), TensorDataset(torch.randn(1, 3, 32, 32), torch.tensor([3])))
    with pytest.raises(ValueError, match="the dataset is empty"):
        accuracy(make(clip), TensorDataset(torch.randn(0, 3, 32, 32), torch.zeros(0, dtype=torch.long)))
