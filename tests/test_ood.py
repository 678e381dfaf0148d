"""Out-of-distribution detection: AUROC and FPR95 by laws and by brute force."""

import numpy as np
import ood as benchmark
import pytest
import torch
from torch.utils.data import TensorDataset

from maple_lite import IVLP, CoCoOp, PromptedCLIP, seeded
from maple_lite.analysis.ood import auroc, confidence, fpr95, logits, ood_detection

NAMES = ["cat", "dog", "horse"]


@pytest.fixture(params=[IVLP, CoCoOp])
def model(clip, request):
    with seeded(1):
        return PromptedCLIP(clip, request.param(clip), NAMES)


def images_of(seed, n=7, labels=range(5, 12)):
    return TensorDataset(torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(seed)), torch.tensor(labels))


def counted_auroc(inside, outside):
    pairs = [(a > b) + 0.5 * (a == b) for a in inside for b in outside]
    return 100 * sum(pairs) / len(pairs)


def tried_fpr95(inside, outside):
    thresholds = [t for t in {*inside, *outside} if 100 * sum(a >= t for a in inside) >= 95 * len(inside)]
    return 100 * sum(b >= max(thresholds) for b in outside) / len(outside)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 19, 20, 21, 40, 100])
def test_both_numbers_by_brute_force(n, ties):
    rng = np.random.default_rng(n)
    inside, outside = rng.normal(1, 1, n), rng.normal(0, 1, 33)
    if ties:
        inside, outside = inside.round(), outside.round()
    assert auroc(inside, outside) == pytest.approx(counted_auroc(inside, outside))
    assert fpr95(inside, outside) == pytest.approx(tried_fpr95(inside, outside))


def test_perfect_wrong_and_tied_separation():
    assert (auroc([3, 4, 5], [0, 1]), fpr95([3, 4, 5], [0, 1])) == (100, 0)
    assert (auroc([0, 1], [3, 4, 5]), fpr95([0, 1], [3, 4, 5])) == (0, 100)
    assert (auroc([1, 1], [1, 1, 1]), fpr95([1, 1], [1, 1, 1])) == (50, 100)


def test_five_percent_inside_may_fail():
    inside = [0] * 5 + [10] * 95  # the five lowest need not pass
    assert fpr95(inside, [5] * 10) == 0
    assert fpr95([0] * 6 + [10] * 94, [5] * 10) == 100


def test_only_the_order_of_scores_counts():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(1, 1, 50), rng.normal(0, 1, 60)
    assert auroc(np.exp(inside), np.exp(outside)) == pytest.approx(auroc(inside, outside))
    assert fpr95(np.exp(inside), np.exp(outside)) == fpr95(inside, outside)
    assert auroc(-np.array(outside), -np.array(inside)) == pytest.approx(auroc(inside, outside))


def test_confidence_is_that_of_every_image_alone(model):
    data = images_of(0)
    found = confidence(model, data, batch_size=3)
    for i, (image, _) in enumerate(data):
        values = model(image[None])[0].double()
        assert found.max_logit[i] == pytest.approx(values.max().item(), abs=1e-4)  # float32 logits of batches
        assert found.max_softmax[i] == pytest.approx((values.exp() / values.exp().sum()).max().item(), abs=1e-4)


def test_softmax_does_not_tie_where_float32_does(model, monkeypatch):
    sharp = torch.tensor([[30.0, 0, 0], [25, 0, 0], [20, 0, 0]])
    monkeypatch.setattr("maple_lite.analysis.ood.logits", lambda *_: sharp)
    assert sharp.softmax(dim=-1).amax(dim=-1).unique().numel() < 3
    assert confidence(model, images_of(0)).max_softmax.is_monotonic_decreasing
    assert confidence(model, images_of(0)).max_softmax.is_unique


def test_the_same_images_on_both_sides_are_told_by_chance(model):
    found = ood_detection(model, images_of(0), images_of(0, labels=[0, 1, 2, 0, 1, 2, 0]))  # labels are not read
    assert found.score.tolist() == ["max_logit", "max_softmax"]
    assert found.auroc.tolist() == pytest.approx([50, 50])
    assert (found.fpr95 >= 95).all()


def test_the_table_holds_the_numbers_of_the_scores(model):
    inside, outside = images_of(0), images_of(1)
    known, unknown = confidence(model, inside), confidence(model, outside)
    for row in ood_detection(model, inside, outside, batch_size=4).itertuples():
        assert row.auroc == pytest.approx(counted_auroc(known[row.score], unknown[row.score]))
        assert row.fpr95 == pytest.approx(tried_fpr95(known[row.score], unknown[row.score]))


def test_refusals_say_what_is_wrong(model):
    with pytest.raises(ValueError, match="inside must be a list of at least one finite score, got shape \\[0\\]"):
        auroc([], [1])
    with pytest.raises(ValueError, match="outside must be a list of at least one finite score"):
        fpr95([1], [float("nan")])
    broken = TensorDataset(torch.full((2, 3, 32, 32), float("nan")), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="the logits are not finite: look for NaN in the images"):
        logits(model, broken)


def test_the_table_sets_base_classes_against_novel_ones_and_other_datasets(clip):
    found = benchmark.table(clip, ["plants"], ["zeroshot"], [1])
    assert found.outside.tolist() == ["novel"] * 2 + ["sea"] * 2 + ["fruits"] * 2
    assert found.score.tolist() == ["max_logit", "max_softmax"] * 3
    assert set(found["clip"]) == {clip.fingerprint}
    assert found.auroc.between(0, 100).all()
