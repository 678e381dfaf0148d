"""FrozenCLIP: open_clip's own features without prompts, and refusals in words."""

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from maple_lite import FrozenCLIP, MaPLe, PromptedCLIP, PromptLearner, load_clip, tokenize
from maple_lite.clip import write_prompt
from maple_lite.support.small import SMALL_TEXT, SMALL_VISION, small_open_clip

SENTENCES = ["a photo of a cat.", "a red sports car on a road.", "dog"]


@pytest.mark.parametrize("kind", [open_clip.CLIP, open_clip.CustomTextCLIP])
def test_without_prompts_the_features_are_open_clips(kind, images):
    model = small_open_clip(kind)
    clip = FrozenCLIP(model)
    ours, theirs = clip.encode_image(images), model.encode_image(images, normalize=True)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)  # the same operations: rounding alone
    ours = clip.encode_text(tokenize(SENTENCES))
    theirs = model.encode_text(open_clip.tokenize(SENTENCES), normalize=True)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_tokens_are_open_clips_cut_after_the_longest_sentence():
    tokens, padded = tokenize(SENTENCES), open_clip.tokenize(SENTENCES)
    assert torch.equal(tokens, padded[:, : tokens.shape[1]])
    assert padded[:, tokens.shape[1] :].sum() == 0


@pytest.mark.parametrize(
    "sentences, message",
    [
        (["cat", "<end_of_text> dog"], "'<end_of_text> dog' holds CLIP's own start or end mark"),
        ("a cat", "sentences must be a list of at least one string, got 'a cat'"),
        ([], "sentences must be a list of at least one string"),
    ],
)
def test_what_are_no_sentences_is_refused(sentences, message):
    with pytest.raises(ValueError, match=message):
        tokenize(sentences)


def test_cutting_tokens_changes_nothing(clip):
    learner = MaPLe(clip, depth=2)
    cut = tokenize(["a photo of a cat.", "a photo of a very small dog."])
    padded = F.pad(cut, (0, 77 - cut.shape[1]))
    ours, full = (clip.encode_text(tokens, learner.text_prompts()) for tokens in (cut, padded))
    torch.testing.assert_close(ours, full, atol=1e-6, rtol=0)  # causal: what follows EOT is never seen


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_chunks_change_nothing(clip, chunk):
    tokens = tokenize(SENTENCES)
    per_class, per_image = torch.randn(3, 2, clip.text_width), torch.randn(5, 1, 2, clip.text_width)
    for prompts in ([], [per_class[0]], [per_class], [per_image], [per_image, per_class[0]]):
        whole, parts = clip.encode_text(tokens, prompts), clip.encode_text(tokens, prompts, chunk=chunk)
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=0)


def test_a_prompt_per_image_gives_features_per_image_and_class(clip):
    tokens, prompt = tokenize(SENTENCES), torch.randn(5, 1, 2, clip.text_width)
    features = clip.encode_text(tokens, [prompt])
    assert features.shape == (5, 3, clip.embed_dim)
    for image in range(5):
        torch.testing.assert_close(features[image], clip.encode_text(tokens, [prompt[image, 0]]), atol=1e-6, rtol=0)


def test_write_prompt_keeps_the_other_tokens():
    x, prompt = torch.zeros(2, 6, 3), torch.ones(2, 3)
    assert write_prompt(x, prompt)[:, :, 0].tolist() == [[0, 1, 1, 0, 0, 0]] * 2
    assert write_prompt(x, prompt, torch.tensor([[1, 4], [2, 3]]))[:, :, 0].tolist() == [
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 1, 0, 0],
    ]


def test_deeper_prompts_replace_and_the_last_ones_travel_on(clip, images):
    """The image tower against a loop that is written out: append, replace, let go, cut before pooling."""
    first, second = torch.randn(2, 2, clip.vision_width)
    visual = clip.visual
    patches = visual.conv1(images).flatten(2).transpose(1, 2)  # [B, N, d_v]
    x = torch.cat([visual.class_embedding.expand(len(images), 1, -1), patches], 1) + visual.positional_embedding
    x = visual.ln_pre(torch.cat([x, first.expand(len(images), -1, -1)], 1))
    x = visual.transformer.resblocks[0](x)
    x[:, -2:] = second
    for block in visual.transformer.resblocks[1:]:
        x = block(x)
    expected = F.normalize(visual.ln_post(x[:, 0]) @ visual.proj, dim=-1)
    torch.testing.assert_close(clip.encode_image(images, [first, second]), expected, atol=1e-6, rtol=0)


def test_the_sizes_are_read_from_the_model(clip):
    sizes = dict(text_width=48, vision_width=64, embed_dim=32, text_layers=3, vision_layers=4)
    assert clip.shape == sizes
    assert clip.preprocess.size == 32
    assert clip.preprocess.mean == open_clip.OPENAI_DATASET_MEAN
    assert clip.logit_scale.exp().item() == pytest.approx(1 / 0.07, rel=1e-6)


def test_the_model_is_frozen(clip):
    assert not any(weight.requires_grad for weight in clip.parameters())
    assert not clip.train().training
    assert not clip.model.training


def test_the_fingerprint_tells_weights_apart(clip):
    assert FrozenCLIP(small_open_clip()).fingerprint == clip.fingerprint
    for change in ("text_projection", "visual.transformer.resblocks.0.mlp.c_fc.weight", "visual.conv1.weight"):
        other = small_open_clip()
        other.get_parameter(change).data[0, 0] += 1e-3
        assert FrozenCLIP(other).fingerprint != clip.fingerprint, change


@pytest.mark.parametrize("name, size", [("ViT-B-32", 224), ("ViT-B-16", 224), ("ViT-L-14", 224)])
def test_maple_runs_on_the_common_architectures(name, size):
    clip = load_clip(name, "random", device="cpu")
    learner = MaPLe(clip)
    assert len(learner.text) == 9  # the paper's depth: all of them have 12 text layers, L-14 has 24 vision layers
    images = torch.randn(1, 3, size, size)
    prompted, plain = (PromptedCLIP(clip, each, ["cat", "dog"])(images) for each in (learner, PromptLearner()))
    assert prompted.shape == (1, 2)
    assert not torch.allclose(prompted, plain)


def shrunk(name: str) -> nn.Module:
    """An architecture of open_clip with one or two layers: the same kind of towers, made in a moment."""
    config = open_clip.get_model_config(name)
    custom = config.pop("custom_text", False)
    for tower in ("vision_cfg", "text_cfg"):
        if not isinstance(config[tower].get("layers"), list):
            config[tower]["layers"] = 1
    config["text_cfg"]["vocab_size"] = 100
    return (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**config)


def hugging_face_text() -> nn.Module:
    """A CLIP whose text tower is not open_clip's own."""
    model = small_open_clip(open_clip.CustomTextCLIP)
    model.text = type("HFTextEncoder", (nn.Module,), {})()
    return model


def coca() -> nn.Module:
    """open_clip's CoCa with one layer a tower."""
    config = open_clip.get_model_config("coca_ViT-B-32")
    config.pop("custom_text")
    for tower in ("vision_cfg", "text_cfg", "multimodal_cfg"):
        config[tower]["layers"] = 1
    return open_clip.CoCa(**config)


def one_layer(vision: dict, **options) -> nn.Module:
    """An open_clip CLIP with one layer a tower and a part that prompts do not fit."""
    return open_clip.CLIP(32, dict(SMALL_VISION, layers=1, **vision), dict(SMALL_TEXT, layers=1), **options)


UNSUPPORTED = {
    "ResNet": (lambda: shrunk("RN50"), "image tower is ModifiedResNet"),
    "SigLIP": (lambda: shrunk("ViT-B-16-SigLIP"), "image tower is TimmModel"),
    "EVA": (lambda: shrunk("EVA02-B-16"), "image tower is TimmModel"),
    "CoCa": (coca, "it is a CoCa"),
    "CLIPA": (lambda: shrunk("ViT-L-14-CLIPA"), "not causal"),
    "HF text": (hugging_face_text, "text tower is HFTextEncoder"),
    "other tokenizer": (lambda: shrunk("ViT-H-14-worldwide"), "not at EOT"),
    "class token in text": (lambda: small_open_clip(open_clip.CustomTextCLIP, embed_cls=True), "at an extra token"),
    "attention pooling": (lambda: one_layer({"attentional_pool": True}), "pools by attention"),
    "logit bias": (lambda: one_layer({}, init_logit_bias=-10.0), "logit bias"),
    "half precision": (lambda: small_open_clip().half(), "not float32"),
    "no CLIP": (lambda: nn.Linear(2, 2), "prompts need an open_clip model, got Linear"),
    "a name": (lambda: "ViT-B-16", "prompts need an open_clip model, got str"),
}  # fmt: skip


@pytest.mark.parametrize("tower", UNSUPPORTED)
def test_other_towers_are_refused_in_words(tower):
    make, reason = UNSUPPORTED[tower]
    with pytest.raises(ValueError, match=reason):
        FrozenCLIP(make())


def test_a_tower_with_an_unknown_part_is_refused():
    model = small_open_clip()
    model.visual.forward = lambda images: model.visual._pool(model.visual._embeds(images))[0] @ model.visual.proj
    with pytest.raises(ValueError, match="image features differ from open_clip's"):
        FrozenCLIP(model)


def test_wrong_images_are_refused(clip):
    for images in (
        torch.randn(2, 3, 32, 16),
        torch.randn(3, 32, 32),
        torch.randn(0, 3, 32, 32),
        torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
        torch.randn(2, 3, 32, 32, dtype=torch.float64),
        np.zeros((2, 3, 32, 32)),
    ):
        with pytest.raises(ValueError, match=r"images must be normalised torch.float32 of shape \[B, 3, 32, 32\], got"):
            clip.encode_image(images)


def test_wrong_tokens_are_refused(clip):
    for tokens in (torch.zeros(2, 78, dtype=torch.long), torch.zeros(0, 5, dtype=torch.long), torch.zeros(2, 5)):
        with pytest.raises(ValueError, match=r"tokens must be torch.int64 of shape \[C, L\] with L up to 77, got"):
            clip.encode_text(tokens)


def test_wrong_prompts_are_refused(clip, images):
    for shape in ([2, 48], [5, 2, 64]):
        with pytest.raises(ValueError, match=r"vision prompt 0 must have shape \[n, 64\], got \["):
            clip.encode_image(images, [torch.randn(shape)])
    with pytest.raises(ValueError, match="5 vision prompts do not fit a vision tower of 4 layers"):
        clip.encode_image(images, [torch.randn(2, 64)] * 5)
    with pytest.raises(ValueError, match="4 text prompts do not fit a text tower of 3 layers"):
        clip.encode_text(tokenize(["cat"]), [torch.randn(2, 48)] * 4)


def test_text_prompts_that_do_not_fit_the_sentences_are_refused(clip):
    tokens = tokenize(["a photo of a cat.", "a photo of a dog."])
    wrong = [[[3, 2, 48]], [[5, 2, 2, 48]], [[5, 1, 2, 48], [4, 1, 2, 48]], [[2, 64]], [[48]], [[2, 2, 64]]]
    for shapes in wrong:
        with pytest.raises(
            ValueError, match=r"text prompt \d must have shape \[n, 48\], \[2, n, 48\] or \[B, 1, n, 48\]"
        ):
            clip.encode_text(tokens, [torch.randn(shape) for shape in shapes])
    with pytest.raises(ValueError, match="text prompt 0 has 7 tokens, the sentences have room for 6"):
        clip.encode_text(tokens, [torch.randn(7, 48)])
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        clip.encode_text(tokens, chunk=0)


def test_pictures_become_tensors_as_the_model_wants_them(clip):
    tensor = clip.transform()(Image.new("RGB", (50, 40), (255, 0, 0)))
    assert tensor.shape == (3, 32, 32)
    assert tensor[0, 0, 0].item() == pytest.approx((1 - clip.preprocess.mean[0]) / clip.preprocess.std[0], rel=1e-5)
