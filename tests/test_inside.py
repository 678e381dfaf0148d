"""Features before and after prompting, their projection, and gains by frequency."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from maple_lite import IVLP, CoOp, PromptedCLIP, PromptLearner, seeded
from maple_lite.analysis.features import feature_map, features, gain_by_frequency, pretraining_frequencies, project
from maple_lite.datasets import DRAWN, HANDWRITTEN, open_dataset
from maple_lite.datasets.glyphs import drawn as glyphs
from maple_lite.evaluation import accuracy

NAMES = ["snowman", "anchor", "fox"]


@pytest.fixture
def data():
    images = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    return TensorDataset(images, torch.arange(12) % 3)


@pytest.fixture
def models(clip):
    with seeded(1):
        return {"before": PromptedCLIP(clip, PromptLearner(), NAMES), "after": PromptedCLIP(clip, IVLP(clip), NAMES)}


def test_features_are_the_models_in_the_order_of_the_data(models, data):
    found, labels = features(models["after"], data, batch_size=5)
    one_by_one = torch.cat([models["after"].encode_images(image[None]) for image, _ in data])
    torch.testing.assert_close(found, one_by_one.detach(), atol=1e-6, rtol=0)  # batches round differently
    assert torch.equal(labels, torch.arange(12) % 3)


def test_the_map_has_a_panel_per_model_and_a_row_per_image(models, data):
    found = feature_map(models, data)
    assert list(found.columns) == ["x", "y", "class_name", "panel"]
    assert found.panel.tolist() == ["before"] * 12 + ["after"] * 12
    assert found.class_name.tolist() == NAMES * 8


def test_both_panels_share_the_projection(clip, models, data):
    twins = {"zero-shot": models["before"], "CoOp": PromptedCLIP(clip, CoOp(clip), NAMES)}  # equal image features
    found = feature_map(twins, data)
    assert np.allclose(found[["x", "y"]][:12], found[["x", "y"]][12:], atol=1e-6)


def test_pca_is_the_first_two_singular_vectors():
    values = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([5, 3, 1, 1, 1, 1])
    centred = (values - values.mean(dim=0)).double()
    _, _, directions = torch.linalg.svd(centred)
    found = torch.from_numpy(project(values)).double()
    torch.testing.assert_close(found.abs(), (centred @ directions[:2].T).abs(), atol=1e-4, rtol=1e-4)  # float32


def test_tsne_keeps_far_groups_apart_and_follows_its_seed():
    values = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    values[15:] += 100
    points = project(values, "tsne", seed=1)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(30)
    assert ((distances.argmin(axis=1) < 15) == (np.arange(30) < 15)).all()
    assert np.array_equal(points, project(values, "tsne", seed=1))
    assert not np.allclose(points, project(values, "tsne", seed=2))


def test_frequencies_are_of_every_symbol_and_sum_to_one():
    for clip, sets in (("tiny", [*DRAWN, HANDWRITTEN]), ("glyphs", glyphs.KIND.names)):
        known = pretraining_frequencies(clip)
        assert known.index.is_unique
        assert known.sum() == pytest.approx(1, abs=1e-6)  # the file is rounded
        assert {name for dataset in sets for name in open_dataset(dataset).class_names} == set(known.index)


def test_gains_are_differences_whose_mean_is_the_gain_of_accuracy(models, data):
    found = gain_by_frequency(*models.values(), data)
    before, after = (accuracy(model, data) for model in models.values())
    assert found.gain.mean() == pytest.approx(after - before)  # as many images of every class
    assert found.zero_shot.mean() == pytest.approx(before)
    assert found.class_name.tolist() == NAMES
    assert found.frequency.tolist() == [pretraining_frequencies()[name] for name in NAMES]


def test_a_model_gains_nothing_over_itself(models, data):
    assert (gain_by_frequency(models["before"], models["before"], data).gain == 0).all()


def test_refusals_say_what_to_do(clip, models, data):
    other = PromptedCLIP(clip, PromptLearner(), NAMES[::-1])
    with pytest.raises(ValueError, match="both models need the same class names"):
        gain_by_frequency(models["before"], other, data)
    with pytest.raises(ValueError, match="unknown class of the frequencies 'fox'"):
        gain_by_frequency(*models.values(), data, frequencies={"snowman": 0.5, "anchor": 0.5})
    with pytest.raises(ValueError, match="models is empty"):
        feature_map({}, data)
    with pytest.raises(ValueError, match="unknown projection 'umap'"):
        feature_map(models, data, "umap")
    with pytest.raises(ValueError, match="the number of images must be at least 4, got 3"):
        project(torch.zeros(3, 5))
