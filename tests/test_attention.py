"""Attention to prompts: the rebuilt attention is the blocks' own, and its shares follow laws."""

import copy

import open_clip
import pytest
import torch
import torch.nn.functional as F

from maple_lite import IVLP, VPT, CoCoOp, CoOp, DeepLanguage, FrozenCLIP, MaPLe, PromptedCLIP, PromptLearner, seeded
from maple_lite.analysis.attention import attention_to_prompts, attention_weights, block_inputs
from maple_lite.support.small import small_open_clip

NAMES = ["cat", "red sports car", "dog"]
CLOSE = dict(atol=2e-6, rtol=1e-5)  # the same sums in another order, in float32


def prompted(clip, kind=IVLP, **config):
    with seeded(3):
        model = PromptedCLIP(clip, kind(clip, **config), NAMES)
        for weight in model.learner.parameters():
            weight.data.add_(torch.randn_like(weight), alpha=0.5)  # so that prompts count
    return model


def walks(model, images):
    learner = model.learner
    yield block_inputs(image_tower(model, images), learner.vision_prompts())
    yield block_inputs(text_tower(model), learner.text_prompts())


def image_tower(model, images):
    return model.clip.image_tower(model.clip.visual, images)


def text_tower(model):
    return model.clip.text_tower(model.clip.text, model.tokens, model.positions)


@torch.no_grad()
@pytest.mark.parametrize("kind", [open_clip.CLIP, open_clip.CustomTextCLIP])
def test_a_block_rebuilt_from_the_weights_is_the_block(kind, images):
    model = prompted(FrozenCLIP(small_open_clip(kind)), depth=2)
    for walk in walks(model, images):
        for block, x, mask in walk:
            attention = block.attn
            values = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)[2]
            heads = values.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)  # [R, H, L, d / H]
            mixed = (attention_weights(block, x, mask) @ heads).transpose(1, 2).flatten(2)
            rebuilt = x + attention.out_proj(mixed)
            rebuilt = rebuilt + block.mlp(block.ln_2(rebuilt))
            torch.testing.assert_close(rebuilt, block(x, attn_mask=mask), **CLOSE)


@torch.no_grad()
def test_weights_are_those_that_torch_returns_when_asked(clip, images):
    for walk in walks(prompted(clip), images):
        for block, x, mask in walk:
            read = block.ln_1(x)
            theirs = block.attn(read, read, read, attn_mask=mask, average_attn_weights=False)[1]
            torch.testing.assert_close(attention_weights(block, x, mask), theirs, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize(
    "kind, config", [(IVLP, {}), (MaPLe, {"depth": 1}), (VPT, {}), (CoOp, {"position": "middle", "n_classes": 3})]
)
def test_the_walks_end_at_the_features_of_the_encoders(clip, images, kind, config):
    model = prompted(clip, kind, **config)
    towers = list(walks(model, images))
    block, x, _ = list(towers[0])[-1]
    pooled = clip.visual._pool(block(x))[0] @ clip.visual.proj
    torch.testing.assert_close(F.normalize(pooled, dim=-1), model.encode_images(images), **CLOSE)
    block, x, mask = list(towers[1])[-1]
    read = clip.text.ln_final(block(x, attn_mask=mask))[range(3), model.tokens.argmax(dim=-1)]
    torch.testing.assert_close(F.normalize(read @ clip.text.text_projection, dim=-1), model.encode_classes(), **CLOSE)


@pytest.mark.parametrize("kind", [VPT, DeepLanguage, IVLP, MaPLe, CoOp, CoCoOp])
def test_equal_attention_gives_every_prompt_the_uniform_share(clip, images, kind):
    blind = FrozenCLIP(copy.deepcopy(clip.model))
    for block in [*blind.visual.transformer.resblocks, *blind.text.transformer.resblocks]:
        block.attn.in_proj_weight.zero_()  # every key is equal
    found = attention_to_prompts(prompted(blind, kind), images)
    torch.testing.assert_close(torch.tensor(found.share), torch.tensor(found.uniform), atol=1e-6, rtol=0)
    assert found.share.gt(0).all()


def test_uniform_counts_the_tokens_that_may_be_seen(clip, images):
    found = attention_to_prompts(prompted(clip, MaPLe), images)
    vision, text = (found[found.tower == tower] for tower in ("vision", "text"))
    assert set(vision.uniform) == {2 / (1 + 4 + 2)}  # CLS, 2 x 2 patches, two prompts
    # SOS, "a photo of a" (two of its words learned), the name's tokens, ".", EOT
    assert text.uniform[text.layer == 1].tolist() == [2 / 8, 2 / 10, 2 / 8]


def test_rows_are_examples_by_layers_and_say_where_prompts_enter(clip, images):
    found = attention_to_prompts(prompted(clip, depth=2), images)
    sizes = found.groupby(["tower", "layer"]).size().unstack(fill_value=0)
    assert sizes.columns.tolist() == [1, 2, 3, 4]
    assert sizes.loc["vision"].tolist() == [5, 5, 5, 5]
    assert sizes.loc["text"].tolist() == [3, 3, 3, 0]
    assert found.groupby("layer").enters.all().tolist() == [True, True, False, False]
    assert found.share.between(0, 1).all()
    assert set(found[found.tower == "text"].example) == set(NAMES)


def test_another_order_of_classes_and_images_permutes_the_rows(clip, images):
    model = prompted(clip)
    other = PromptedCLIP(clip, model.learner, NAMES[::-1])
    before, after = attention_to_prompts(model, images), attention_to_prompts(other, images.flip(0))
    after.loc[after.tower == "vision", "example"] = 4 - after.example[after.tower == "vision"].astype(int)
    shares = [found.set_index(["tower", "layer", "example"]).share for found in (before, after)]
    difference = shares[0] - shares[1].reindex(shares[0].index)
    assert difference.abs().max() < 1e-6  # other batches, other rounding


def test_cocoops_share_is_the_mean_over_images_one_at_a_time(clip, images):
    model = prompted(clip, CoCoOp)
    alone = [attention_to_prompts(model, image[None]).share for image in images]
    mean = torch.tensor([list(share) for share in alone]).mean(dim=0)
    torch.testing.assert_close(torch.tensor(attention_to_prompts(model, images).share), mean.double(), **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("position, places", [("end", [1, 2, 3, 4]), ("middle", [1, 2, 4, 5]), ("front", [2, 3, 4, 5])])
def test_a_context_is_found_where_it_stands(clip, images, position, places):
    model = prompted(clip, CoOp, n_ctx=4, init=None, position=position)
    block, x, mask = block_inputs(text_tower(model), model.learner.text_prompts())[0]
    paid = attention_weights(block, x, mask).mean(dim=1)[0, 7]  # by EOT of SOS, ctx x 4 and cat, ".", EOT
    assert attention_to_prompts(model, images).share[0] == pytest.approx(paid[places].sum().item(), abs=1e-6)


@torch.no_grad()
def test_vision_prompts_are_found_behind_cls_and_the_patches(clip, images):
    model = prompted(clip, VPT, n_ctx=3)
    block, x, _ = block_inputs(image_tower(model, images), model.learner.vision_prompts())[0]
    paid = attention_weights(block, x).mean(dim=1)[:, 0, 5:8].sum(dim=1)  # CLS, 2 x 2 patches, three prompts
    assert attention_to_prompts(model, images).share[:5].tolist() == pytest.approx(paid.tolist(), abs=1e-6)


def test_the_frozen_model_and_the_learner_stay_as_they_are(clip, images):
    model = prompted(clip, MaPLe)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attention_to_prompts(model, images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_refusals_say_what_to_do(clip, images):
    with pytest.raises(ValueError, match="PromptLearner has no prompts to attend to: pass a model with a learner"):
        attention_to_prompts(PromptedCLIP(clip, PromptLearner(), NAMES), images)
    with pytest.raises(ValueError, match="images must be normalised"):
        attention_to_prompts(prompted(clip), images[0])
    averaging = FrozenCLIP(copy.deepcopy(clip.model))
    averaging.visual.pool_type = "avg"
    with pytest.raises(ValueError, match="read by pooling 'avg' and not at CLS"):
        attention_to_prompts(prompted(averaging), images)
    block = copy.deepcopy(clip.visual.transformer.resblocks[0])
    block.attn = torch.nn.Identity()
    with pytest.raises(ValueError, match="need torch's MultiheadAttention, got Identity"):
        attention_weights(block, torch.zeros(1, 5, 64))
