"""What came after MaPLe: KgCoOp, PromptSRC and MaPLe with its losses, against the authors' numbers (promptsrc.json).

`python tests/test_after_maple.py` prints the worst difference of every part.
"""

import json
from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from test_golden import TOLERANCE, draw, error, make_clip

from maple_lite import FrozenCLIP, MaPLe, PromptedCLIP, PromptLearner, fit, seeded
from maple_lite.learners import CoOp, KgCoOp, MaPLeSRC, PromptSRC, SelfRegulated, Teacher, gaussian_weights
from maple_lite.support.small import small_open_clip

GOLDEN = json.loads((Path(__file__).parent / "promptsrc.json").read_text())
NAMES = ["cat", "big dog", "small red car"]
IMAGES = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(6) % 3


@pytest.fixture(scope="module")
def golden_clip() -> FrozenCLIP:
    return make_clip()


def golden_model(clip: FrozenCLIP, case: dict) -> PromptedCLIP:
    """The model of a golden case, whose parameters are drawn from their names."""
    learner = PromptSRC(clip, **case["options"], mean=case["gaussian"]["mean"], std=case["gaussian"]["std"])
    with torch.no_grad():
        for name, parameter in learner.named_parameters():
            if name != "text.0":
                parameter.copy_(draw(f"promptsrc:{name}", parameter.shape, 0.02))
    return PromptedCLIP(clip, learner, GOLDEN["classes"])


def differences(clip: FrozenCLIP, case: dict) -> dict[str, float]:
    """How far we are from the authors' numbers, by part."""
    labels = torch.tensor(GOLDEN["labels"])
    images = draw(GOLDEN["images"], (len(labels), 3, 64, 64), 1.0)
    model = golden_model(clip, case)
    learner, epochs = model.learner, case["epochs"]
    parts = learner.loss_parts(model, images, labels)
    errors = {f"loss, {name}": error(parts[name], case["parts"][name], case["loss"]) for name in case["parts"]}
    loss = learner.loss(model, images, labels)
    errors["loss"] = error(loss, case["loss"], case["loss"])
    loss.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in learner.named_parameters()}
    assert set(gradients) == set(case["gradients"])
    for name, (norm, projection) in case["gradients"].items():
        direction = draw(f"direction:{name}", gradients[name].shape, 1.0)
        errors[f"norm of {name}"] = error(gradients[name].norm(), norm, norm)
        errors[f"projection of {name}"] = error((gradients[name] * direction).sum(), projection, norm)
    weights = gaussian_weights(learner.mean, learner.std, epochs)
    errors["Gaussian weights"] = error(weights, case["gaussian"]["weights"], 1)
    optimizer, losses = torch.optim.SGD(learner.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4), []
    for epoch in range(epochs):
        loss = learner.loss(model, images, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        learner.end_epoch(epoch, epochs)
        losses.append(loss.item())
    errors["SGD losses"] = max(error(a, b, b) for a, b in zip(losses, case["sgd_losses"], strict=True))
    for name, parameter in learner.named_parameters():
        norm, projection = case["averaged"][name]
        direction = draw(f"direction:{name}", parameter.shape, 1.0)
        errors[f"averaged {name}, norm"] = error(parameter.detach().norm(), norm, norm)
        errors[f"averaged {name}, projection"] = error((parameter.detach() * direction).sum(), projection, norm)
    expected = torch.tensor(case["averaged_logits"])
    errors["averaged logits"] = error(model(images).detach(), expected, expected.abs().max())
    return errors


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['options']}")
def test_promptsrc_equals_the_authors_implementation(golden_clip, case):
    errors = differences(golden_clip, case)
    assert max(errors.values()) < TOLERANCE, errors


def made(clip, kind, **options) -> PromptedCLIP:
    with seeded(0):
        return PromptedCLIP(clip, kind(clip, **options), NAMES)


def test_the_teacher_is_the_mean_of_features_that_keep_their_length(clip):
    templates = ["a photo of a {}.", "a bad photo of the {}.", "art of {}."]
    open_model, total = small_open_clip(), 0
    for template in templates:
        tokens = open_clip.get_tokenizer("ViT-B-16")([template.format(name) for name in NAMES])
        total = total + open_model.encode_text(tokens)
    teacher = Teacher.of(FrozenCLIP(open_model), NAMES, templates)
    torch.testing.assert_close(teacher.text, F.normalize(total, dim=-1), atol=1e-6, rtol=0)
    normalised_first = PromptedCLIP(clip, PromptLearner(templates), NAMES).encode_classes()
    assert not torch.allclose(teacher.text, normalised_first, atol=1e-6)


def test_kgcoop_adds_the_mean_cosine_to_the_sentence_of_the_dataset(clip):
    model = made(clip, KgCoOp, weight=3.0, sentence="a photo of a {}, a type of pet.")
    learned = model.encode_classes()
    frozen = PromptedCLIP(clip, PromptLearner("a photo of a {}, a type of pet."), NAMES).encode_classes()
    expected = F.cross_entropy(model(IMAGES), LABELS) + 3.0 * (1 - F.cosine_similarity(learned, frozen).mean())
    torch.testing.assert_close(model.learner.loss(model, IMAGES, LABELS), expected)
    cached = model.encode_images(IMAGES)
    torch.testing.assert_close(model.learner.loss(model, cached, LABELS), expected)


def test_without_weight_kgcoop_is_coop(clip):
    model, plain = made(clip, KgCoOp, weight=0.0), made(clip, CoOp, init="a photo of a")
    torch.testing.assert_close(model.learner.loss(model, IMAGES, LABELS), plain.learner.loss(plain, IMAGES, LABELS))


class SelfRegulatedCoOp(SelfRegulated, CoOp):
    """The regulariser on a learner without vision prompts."""


@pytest.mark.parametrize("kind", [PromptSRC, MaPLeSRC, SelfRegulatedCoOp])
def test_the_regulariser_is_one_object_for_every_learner(clip, kind):
    model = made(clip, kind, init="a photo of a")
    parts = model.learner.loss_parts(model, IMAGES, LABELS)
    frozen_text = Teacher.of(clip, NAMES, SelfRegulated.lessons).text
    frozen_image = clip.encode_image(IMAGES)
    frozen = model.classify(frozen_image, frozen_text).softmax(dim=1)
    logits = model(IMAGES)
    expected = {
        "cross_entropy": F.cross_entropy(logits, LABELS),
        "text": 25 * (model.encode_classes() - frozen_text).abs().mean(),
        "image": 10 * (model.encode_images(IMAGES) - frozen_image).abs().mean(),
        "logits": (frozen * (frozen.log() - logits.log_softmax(dim=1))).sum() / logits.numel(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(parts[name], value, atol=1e-6, rtol=1e-5)
    assert len(SelfRegulated.lessons) == 60
    assert (parts["image"] == 0) == (kind is SelfRegulatedCoOp)


def test_maple_with_the_losses_has_maples_parameters(clip):
    ours, maples = (dict(made(clip, kind).learner.named_parameters()) for kind in (MaPLeSRC, MaPLe))
    assert {name: weight.shape for name, weight in ours.items()} == {name: w.shape for name, w in maples.items()}


def data():
    return torch.utils.data.TensorDataset(IMAGES, LABELS)


SETTINGS: dict = dict(epochs=4, lr=0.02, batch_size=2, bar=False)


def test_the_parameters_end_as_the_gaussian_mean_of_those_after_every_epoch(clip):
    class Watched(PromptSRC):
        def end_epoch(self, epoch, epochs):
            kept.append([parameter.detach().clone() for parameter in self.parameters()])
            super().end_epoch(epoch, epochs)

    kept: list = []
    model = made(clip, Watched, mean=3, std=1.0)
    fit(model, data(), **SETTINGS)
    weights = torch.exp(-((torch.arange(1, 5) - 3.0) ** 2) / 2)
    weights /= weights.sum()
    for place, parameter in enumerate(model.learner.parameters()):
        expected = sum(weight * epoch[place] for weight, epoch in zip(weights, kept, strict=True))
        torch.testing.assert_close(parameter.detach(), expected)
    assert not torch.allclose(kept[-1][0], next(model.learner.parameters()))


@pytest.mark.parametrize("kind", [PromptSRC, MaPLeSRC])
def test_the_average_survives_a_kill_to_the_last_bit(clip, tmp_path, kind):
    class Dies(kind):
        def end_epoch(self, epoch, epochs):
            if epoch == 2:
                raise KeyboardInterrupt
            super().end_epoch(epoch, epochs)

    Dies.__name__ = kind.__name__
    path, whole, resumed = tmp_path / "run.pt", made(clip, kind, mean=3), made(clip, kind, mean=3)
    fit(whole, data(), **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        fit(made(clip, Dies, mean=3), data(), **SETTINGS, checkpoint=path)
    fit(resumed, data(), **SETTINGS, checkpoint=path)
    for ours, expected in zip(resumed.learner.parameters(), whole.learner.parameters(), strict=True):
        assert torch.equal(ours, expected)


def test_a_teacher_is_made_again_for_other_classes(clip):
    learner = made(clip, KgCoOp).learner
    for names in (NAMES, ["one", "two"], NAMES[:2]):
        model = PromptedCLIP(clip, learner, names)
        assert learner.find_teacher(model).class_names == tuple(names)


# Bad input


def other_clip() -> FrozenCLIP:
    with seeded(7):
        return FrozenCLIP(small_open_clip())


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda clip: KgCoOp(clip, weight=-1), "weight must be a number of at least 0, got -1"),
        (lambda clip: PromptSRC(clip, text_weight=-0.5), "text_weight must be a number of at least 0, got -0.5"),
        (
            lambda clip: MaPLeSRC(clip, image_weight=float("nan")),
            "image_weight must be a number of at least 0, got nan",
        ),
        (lambda clip: PromptSRC(clip, std=0), "std must be above 0, got 0"),
        (lambda clip: KgCoOp(clip, sentence="a photo."), "every template needs one {}"),
        (lambda clip: gaussian_weights(30, 1.0, 20), "100% of the average's weight outside epochs 1 to 20"),
        (lambda clip: fit(made(clip, PromptSRC), data(), **SETTINGS), "outside epochs 1 to 4: choose a mean between"),
    ],
)
def test_mistakes_are_one_sentence(clip, call, words):
    with pytest.raises(ValueError, match=words):
        call(clip)


@pytest.mark.parametrize(
    "teacher, words",
    [
        (lambda clip: Teacher.of(clip, ["one", "two"], "{}."), "the teacher knows other class names"),
        (lambda clip: Teacher(torch.ones(3, 32), tuple(NAMES), "0123"), "the teacher is the CLIP 0123, the model's is"),
    ],
)
def test_a_teacher_of_something_else_is_refused_with_the_call_that_makes_the_right_one(clip, teacher, words):
    model = made(clip, PromptSRC)
    model.learner.teacher = teacher(clip)
    with pytest.raises(ValueError, match=words) as found:
        model.learner.loss(model, IMAGES, LABELS)
    assert "Teacher.of(model.clip, model.class_names, templates)" in str(found.value)
    model.learner.teacher = Teacher.of(model.clip, model.class_names, "a photo of a {}.")
    assert model.learner.loss(model, IMAGES, LABELS).isfinite()


if __name__ == "__main__":
    clip = make_clip()
    for case in GOLDEN["cases"]:
        found = differences(clip, case)
        for part in dict.fromkeys(name.split(" of ")[0].split(" text")[0].split(" vision")[0] for name in found):
            print(f"{max(value for name, value in found.items() if name.startswith(part)):.1e}  {part}")
