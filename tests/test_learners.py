"""Laws of the seven learners."""

import csv
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maple_lite import (
    IVLP,
    METHODS,
    VPT,
    CoCoOp,
    CoOp,
    DeepLanguage,
    MaPLe,
    PromptedCLIP,
    PromptLearner,
    load_clip,
    seeded,
    tokenize,
)
from maple_lite.support.files import data_folder
from maple_lite.tokens import word_ids

NAMES = ["cat", "boeing_747", "annual crop land"]
TRAINED = [name for name in METHODS if name != "zeroshot"]


def make(clip, method: str, **options) -> PromptLearner:
    with seeded(3):
        return METHODS[method]() if method == "zeroshot" else METHODS[method](clip, **options)


def logits(clip, learner, images, names=NAMES) -> torch.Tensor:
    with torch.no_grad():
        return PromptedCLIP(clip, learner, names)(images)


@pytest.mark.parametrize("method", METHODS)
def test_logits_have_a_column_per_class(clip, images, method):
    assert logits(clip, make(clip, method), images).shape == (5, 3)


def test_zero_shot_is_cosine_similarity_times_the_scale(clip, images):
    sentences = ["a photo of a cat.", "a photo of a boeing 747.", "a photo of a annual crop land."]
    expected = 1 / 0.07 * clip.encode_image(images) @ clip.encode_text(tokenize(sentences)).T
    torch.testing.assert_close(logits(clip, PromptLearner(), images), expected, atol=1e-5, rtol=0)


def test_an_ensemble_averages_unit_norm_features_and_normalises_again(clip, images):
    templates = ["a photo of a {}.", "a drawing of the {}.", "{} texture."]
    model = PromptedCLIP(clip, PromptLearner(templates), NAMES)
    single = [PromptedCLIP(clip, PromptLearner(template), NAMES).encode_classes() for template in templates]
    expected = F.normalize(torch.stack(single).mean(0), dim=-1)
    torch.testing.assert_close(model.encode_classes(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("options", [{}, {"n_classes": 3}, {"n_ctx": 2}])
def test_context_from_words_starts_as_zero_shot(clip, images, options):
    learner = make(clip, "coop", init="a photo of a", **options)
    torch.testing.assert_close(logits(clip, learner, images), logits(clip, PromptLearner(), images), atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", ["language", "ivlp", "maple"])
def test_depth_one_from_words_has_the_text_of_zero_shot(clip, method):
    ours = PromptedCLIP(clip, make(clip, method, depth=1), NAMES).encode_classes()
    zero_shot = PromptedCLIP(clip, PromptLearner(), NAMES).encode_classes()
    torch.testing.assert_close(ours, zero_shot, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_permuted_classes_permute_logits(clip, images, method):
    learner, order = make(clip, method), [2, 0, 1]
    permuted = logits(clip, learner, images, [NAMES[i] for i in order])
    torch.testing.assert_close(permuted, logits(clip, learner, images)[:, order], atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_duplicate_names_tie(clip, images, method):
    first, _, second = logits(clip, make(clip, method), images, ["crane", "cat", "crane"]).T
    torch.testing.assert_close(first, second, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", TRAINED)
def test_every_learned_tensor_gets_a_gradient_and_clip_none(clip, images, method):
    model = PromptedCLIP(clip, make(clip, method), NAMES)
    if method == "cocoop":
        torch.nn.init.ones_(model.learner.meta_net[0].bias)  # so few hidden units may all be shut by their ReLU
    F.cross_entropy(model(images), torch.tensor([0, 1, 2, 0, 1])).backward()
    for name, parameter in model.learner.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert all(weight.grad is None for weight in clip.parameters())


@pytest.mark.parametrize("chunk", [3, 7, 1000])
def test_cocoop_in_chunks_equals_image_by_image(clip, images, chunk):
    model = PromptedCLIP(clip, make(clip, "cocoop"), NAMES, chunk)
    one_by_one = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(model(images), one_by_one, atol=1e-5, rtol=0)


def test_cocoop_is_the_written_out_sum(clip, images):
    learner = make(clip, "cocoop")
    features = clip.encode_image(images)
    [prompt] = learner.text_prompts(features)
    hidden = torch.relu(features @ learner.meta_net[0].weight.T + learner.meta_net[0].bias)
    shift = hidden @ learner.meta_net[2].weight.T + learner.meta_net[2].bias
    assert prompt.shape == (5, 1, 4, clip.text_width)
    for image in range(5):
        torch.testing.assert_close(prompt[image, 0], learner.ctx + shift[image])


@pytest.mark.parametrize("position", ["end", "middle", "front"])
@pytest.mark.parametrize("options", [dict(n_ctx=5), dict(init="a photo of a"), dict(n_ctx=2, init="a photo of a")])
def test_the_class_stands_where_position_says(clip, position, options):
    """Each class against one spliced by hand and sent through the blocks with the full causal mask."""
    learner = make(clip, "coop", position=position, **options)
    n, text, table = learner.n_ctx, clip.text, clip.text.token_embedding.weight
    frozen = word_ids(options.get("init", ""))[n:]
    features = PromptedCLIP(clip, learner, NAMES).encode_classes()
    for name, feature in zip(NAMES, features, strict=True):
        words, ctx = table[[*frozen, *word_ids(name)]], learner.ctx
        before = {"end": n, "middle": n // 2, "front": 0}[position]
        stop, end = table[word_ids(".")], table[[49407]]
        x = torch.cat([table[[49406]], ctx[:before], words, ctx[before:], stop, end])[None]
        x = x + text.positional_embedding[: x.shape[1]]
        x = text.transformer(x, attn_mask=text.attn_mask[: x.shape[1], : x.shape[1]])
        expected = F.normalize(text.ln_final(x[0, -1]) @ text.text_projection, dim=-1)
        torch.testing.assert_close(feature, expected, atol=1e-6, rtol=0)


def test_class_specific_contexts_touch_their_class_alone(clip):
    model = PromptedCLIP(clip, make(clip, "coop", n_ctx=4, n_classes=3), NAMES)
    assert model.learner.ctx.shape == (3, 4, clip.text_width)
    model.encode_classes()[1].sum().backward()
    assert [bool(gradient.abs().max() > 0) for gradient in model.learner.ctx.grad] == [False, True, False]


def test_maple_couples_every_layer(clip):
    learner = make(clip, "maple", depth=3)
    for prompt, text, couple in zip(learner.vision_prompts(), learner.text, learner.couple, strict=True):
        torch.testing.assert_close(prompt, text @ couple.weight.T + couple.bias)


def test_maples_text_learns_through_the_image_tower(clip, images):
    learner = make(clip, "maple", depth=3)
    clip.encode_image(images, learner.vision_prompts()).sum().backward()
    assert all(prompt.grad.abs().max() > 0 for prompt in learner.text)


def test_maples_deep_couplings_start_equal_and_the_first_apart(clip):
    first, *deep = make(clip, "maple", depth=3).couple
    assert all(torch.equal(a.weight, b.weight) and a.weight is not b.weight for a, b in pairwise(deep))
    assert not torch.equal(first.weight, deep[0].weight)


def test_deep_prompts_matter(clip, images):
    for method in ("vpt", "language", "ivlp", "maple"):
        learner = make(clip, method, depth=3)
        before = logits(clip, learner, images)
        with torch.no_grad():
            prompt = (learner.vision if method == "vpt" else learner.text)[2]
            prompt.copy_(torch.randn(prompt.shape))  # no constant: LayerNorm would take it out
        assert not torch.allclose(before, logits(clip, learner, images), atol=1e-4), method


def test_the_same_seed_makes_the_same_learner_whatever_ran_before(clip):
    for method in TRAINED:
        first = make(clip, method).state_dict()
        torch.randn(17)
        assert all(torch.equal(value, first[name]) for name, value in make(clip, method).state_dict().items())


@pytest.mark.parametrize("method", ["coop", "vpt", "language", "ivlp", "maple"])
def test_random_prompts_are_drawn_from_a_normal_of_002(clip, method):
    drawn = [
        v.flatten() for name, v in make(clip, method).named_parameters() if name.startswith(("ctx", "text", "vis"))
    ]
    numbers = torch.cat(drawn if method in ("coop", "vpt") else drawn[1:])  # the first of the others is words
    assert numbers.std().item() == pytest.approx(0.02, rel=4 / (2 * len(numbers)) ** 0.5)  # 4 standard errors
    assert abs(numbers.mean().item()) < 4 * 0.02 / len(numbers) ** 0.5


def test_seeded_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.randn(2)
    torch.manual_seed(5)
    with seeded(1):
        torch.randn(9)
    assert torch.equal(torch.randn(2), expected)


def test_parameter_names_are_the_fixed_ones(clip):
    names = {method: [name for name, _ in make(clip, method).named_parameters()] for method in METHODS}
    meta_net = [f"meta_net.{i}.{part}" for i in (0, 2) for part in ("weight", "bias")]
    couple = [f"couple.{i}.{part}" for i in range(3) for part in ("weight", "bias")]
    assert names == {
        "zeroshot": [],
        "coop": ["ctx"],
        "cocoop": ["ctx", *meta_net],
        "vpt": [f"vision.{i}" for i in range(4)],
        "language": [f"text.{i}" for i in range(3)],
        "ivlp": [f"text.{i}" for i in range(3)] + [f"vision.{i}" for i in range(3)],
        "maple": [f"text.{i}" for i in range(3)] + couple,
        "kgcoop": ["ctx"],
        "promptsrc": [f"text.{i}" for i in range(3)] + [f"vision.{i}" for i in range(3)],
        "maple-src": [f"text.{i}" for i in range(3)] + couple,
    }  # 3 text and 4 vision layers: VPT has 4, MaPLe ceil(9 * 3 / 12) = 3


def test_trainable_parameters_at_vit_b_16_are_the_papers():
    clip = load_clip("ViT-B-16-quickgelu", "random", device="cpu")
    kinds = {kind.__name__: kind for kind in METHODS.values()}
    with (data_folder() / "paper" / "presets.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    for row in rows:
        options: dict = dict(n_ctx=int(row["n_ctx"]))
        if row["method"] != "VPT":
            options["init"] = None if row["init"] == "random" else row["init"]
        if row["method"] not in ("CoOp", "CoCoOp", "KgCoOp"):
            options["depth"] = int(row["depth"])
        model = PromptedCLIP(clip, kinds[row["method"]](clip, **options), ["cat"])
        assert model.trainable_parameters == int(row["trainable_parameters"]), row
    assert [len(VPT(clip).vision), len(DeepLanguage(clip).text), len(IVLP(clip).text)] == [12, 12, 12]
    assert len(MaPLe(clip).text) == 9


def test_repr_says_what_is_learned(clip):
    text = repr(PromptedCLIP(clip, make(clip, "coop", n_ctx=2), NAMES))
    assert text.startswith("PromptedCLIP(CoOp, 3 classes, 96 of 2,7")


BAD_LEARNERS = [
    (lambda clip: VPT(clip, depth=5), "depth must be 1 to 4, the layers of the vision tower, got 5"),
    (lambda clip: DeepLanguage(clip, depth=4), "depth must be 1 to 3, the layers of the text tower, got 4"),
    (lambda clip: IVLP(clip, depth=4), "depth must be 1 to 3, the layers of the text tower, got 4"),
    (lambda clip: MaPLe(clip, depth=0), "depth must be at least 1, got 0"),
    (lambda clip: MaPLe(clip, n_ctx=5), "init 'a photo of a' has 4 tokens, n_ctx must be 1 to 4, got 5"),
    (lambda clip: CoOp(clip, init=""), "init must be words such as 'a photo of a', or None, got ''"),
    (lambda clip: CoOp(clip, n_ctx=0), "n_ctx must be at least 1, got 0"),
    (lambda clip: CoOp(clip, n_ctx=-3), "n_ctx must be at least 1, got -3"),
    (lambda clip: CoOp(clip, n_classes=0), "n_classes must be at least 1, got 0"),
    (lambda clip: VPT(clip, n_ctx=0), "n_ctx must be at least 1, got 0"),
    (lambda clip: CoOp(clip, position="ende"), "unknown position 'ende': did you mean 'end'"),
    (lambda clip: PromptLearner("a photo."), "every template needs one {} for the class name"),
    (lambda clip: PromptLearner([]), "every template needs one {} for the class name"),
    (lambda clip: CoCoOp(clip).text_prompts(), "pass image_features"),
    (lambda clip: PromptLearner(None), "every template needs one {}"),
    (lambda clip: PromptLearner([1]), "every template needs one {}"),
    (lambda clip: CoOp(clip, init=3), "init must be words such as 'a photo of a', or None, got 3"),
    (lambda clip: CoOp(clip, init="a {} of"), "init must be words"),
    (lambda clip: MaPLe(clip, n_ctx="2"), "n_ctx must be a whole number, got '2'"),
    (lambda clip: MaPLe(clip, depth=2.0), "depth must be a whole number, got 2.0"),
    (lambda clip: VPT(clip, n_ctx=None), "n_ctx must be a whole number, got None"),
    (lambda clip: MaPLe(clip.model), "a learner needs a FrozenCLIP, got CLIP"),
    (
        lambda clip: PromptedCLIP(MaPLe(clip), clip, ["cat"]),
        "takes a FrozenCLIP and a learner, got MaPLe and FrozenCLIP",
    ),
    (lambda clip: PromptedCLIP(clip, MaPLe, ["cat"]), "takes a FrozenCLIP and a learner, got FrozenCLIP and type"),
]


@pytest.mark.parametrize("build, message", BAD_LEARNERS)
def test_bad_settings_are_refused(clip, build, message):
    with pytest.raises(ValueError, match=message):
        build(clip)


BAD_NAMES = [
    ([], "class_names is empty"),
    (["cat", " "], "class name 1 is empty"),
    (["_"], "class name 0 is empty"),
    ("cat", "class_names is 'cat': pass a list of names"),
    (None, "class_names is None: pass a list of names"),
    (["cat", float("nan")], "class name 1 is nan, not a string"),
    ([1, 2], "class name 0 is 1, not a string"),
    (["cat", "very " * 80 + "large dog"], "has 89 tokens, the context length is 77"),
]


@pytest.mark.parametrize("names, message", BAD_NAMES)
def test_bad_class_names_are_refused(clip, names, message):
    with pytest.raises(ValueError, match=message):
        PromptedCLIP(clip, MaPLe(clip), names)


def test_class_names_may_come_from_any_iterable(clip):
    model = PromptedCLIP(clip, MaPLe(clip), (name for name in np.array(["cat", "dog"])))
    assert model.class_names == ["cat", "dog"]
    assert {type(name) for name in model.class_names} == {str}


def test_class_specific_contexts_refuse_another_list(clip):
    with pytest.raises(ValueError, match="for 3 classes and fits no other list, got 2 class names"):
        PromptedCLIP(clip, CoOp(clip, n_ctx=2, n_classes=3), ["cat", "dog"])


def test_a_learner_of_another_clip_is_refused(clip):
    learner = VPT(clip)
    learner.clip_shape = dict(clip.shape, vision_width=768)
    with pytest.raises(ValueError, match=r"made for a CLIP of .*768.*, not for .*64"):
        PromptedCLIP(clip, learner, NAMES)


def test_zero_shot_clip_is_made_like_the_others(clip):
    learner = METHODS["zeroshot"](clip)
    assert isinstance(learner, PromptLearner)
    assert learner.templates == ["a photo of a {}."]
    assert METHODS["zeroshot"](clip, ["a {}.", "the {}."]).config == {"templates": ["a {}.", "the {}."]}
    assert METHODS["zeroshot"]().for_template("a centered satellite photo of {}.").templates[0].startswith("a centered")
    maple = METHODS["maple"](clip)
    assert maple.for_template("a {}.") is maple
    with pytest.raises(
        ValueError, match=r"ZeroShot takes a FrozenCLIP first, got 'a {}\.': pass sentences as templates="
    ):
        METHODS["zeroshot"]("a {}.")
