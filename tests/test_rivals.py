"""Rivals without prompts: against their formulas written out, and refused where they cannot answer."""

import pytest
import torch
import torch.nn.functional as F

from maple_lite import PromptedCLIP, PromptLearner, accuracy, base_and_novel, load_clip, open_dataset
from maple_lite.experiments.rivals import ALPHA, BETA, RIVALS, fit_text_probe, fit_tip_adapter, train_rival


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


FEATURES, LABELS, TEXT = unit(12, 8), torch.arange(12) % 3, unit(3, 8, seed=1)


def test_tip_adapter_is_its_formula():
    images, logits = unit(2, 8, seed=2), fit_tip_adapter(FEATURES, LABELS, TEXT, 10.0)
    for image, found in zip(images, logits(images), strict=True):
        for label in range(3):
            cache = sum(torch.exp(-BETA * (1 - image @ key)) for key in FEATURES[label::3])
            torch.testing.assert_close(found[label], 10 * image @ TEXT[label] + ALPHA * cache)


@pytest.mark.parametrize("name", ["tip-adapter-f", "text-probe"])
def test_training_lowers_the_loss_on_the_shots(name):
    before = fit_tip_adapter(FEATURES, LABELS, TEXT, 10.0)(FEATURES)
    after = RIVALS[name](FEATURES, LABELS, TEXT, 10.0)(FEATURES)
    assert F.cross_entropy(after, LABELS) < F.cross_entropy(before, LABELS)


def test_the_probe_is_at_the_minimum_of_what_it_says():
    logits = fit_text_probe(FEATURES, LABELS, TEXT, 10.0)
    weights = (logits(torch.eye(8)).T / 10).requires_grad_()
    probabilities = (10 * FEATURES @ TEXT.T).softmax(1)
    held = torch.stack([probabilities[label::3, label].mean() for label in range(3)])
    loss = F.cross_entropy(10 * FEATURES @ weights.T, LABELS) + (held[:, None] * (weights - TEXT) ** 2).sum()
    loss.backward()
    assert weights.grad.abs().max() < 1e-3


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_learns_the_shots_and_knows_no_other_classes(name):
    clip = load_clip(device="cpu")
    data = open_dataset("plants", clip=clip).subset(range(6))
    base, novel = (data.subset(half) for half in base_and_novel(6))
    rival = train_rival(name, base, clip, shots=8)
    zero_shot = accuracy(PromptedCLIP(clip, PromptLearner(base.template), base.class_names), base)
    assert rival.accuracy(base) > zero_shot
    assert rival.accuracy(base) == train_rival(name, base, clip, shots=8).accuracy(base)
    with pytest.raises(ValueError, match=f"{name} knows only the 3 classes that it was trained on and cannot be asked"):
        rival.accuracy(novel)


def test_an_unknown_rival_is_named(clip):
    with pytest.raises(ValueError, match="unknown rival 'tip-adaptor': did you mean 'tip-adapter'"):
        train_rival("tip-adaptor", open_dataset("plants", clip=clip), clip)
