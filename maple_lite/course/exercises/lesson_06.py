"""The exercises of lesson 06, VPT: counting tokens, the image tower with prompts, the prompts, and what may be kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP, write_prompt
from maple_lite.course.exercises.shared import cause_of_spread, draw, prompts_learn, rows, unit_norm, unmixed
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, choice, equals, number, returns, unchanged
from maple_lite.course.teach.values import agree, describe
from maple_lite.learners import VPT
from maple_lite.support.seeds import seeded
from maple_lite.support.small import small_open_clip


@lru_cache
def small_clip(pool: str = "tok") -> FrozenCLIP:
    """A random CLIP of 4 vision layers, width 64, whose `ln_pre` does something; `pool` is "tok" (CLS) or "avg"."""
    model = small_open_clip()
    visual: Any = model.visual
    visual.pool_type = pool
    with torch.no_grad():
        for norm, seed in ((visual.ln_pre, 5), (visual.ln_post, 7)):  # as drawn, a second norm would change nothing
            norm.weight.add_(0.5 * draw(64, seed=seed))
            norm.bias.add_(0.5 * draw(64, seed=seed + 1))
    return FrozenCLIP(model)


# 06.1: how many tokens

TOKENS = Exercise(
    number="06.1",
    title="Count the tokens",
    reference=205,
    facets=(
        number(
            205,
            0.5,
            {
                196: "those are the patches alone, 14 x 14: CLS and the prompts are tokens, too",
                197: "those are CLS and the patches: the 8 prompt tokens stand after them",
                204: "patches and prompts are there, but CLS is missing",
                293: "prompts are replaced from layer to layer and do not pile up: there are never more than 8",
                292: "prompts do not pile up from layer to layer, and CLS is missing",
                23: "224 / 16 = 14 patches stand in a row, and there are 14 rows of them",
                45: "that is our tiny CLIP, 48 px and patches of 8: the question is about ViT-B/16",
                12552: "a token is a patch of 16 x 16 pixels, not of 4: look at the sides again",
                50185: "a pixel is not a token: a token is a patch of 16 x 16 pixels",
                2460: "that is the sum over twelve layers: how many enter one of them?",
                225: "224 is the side in pixels: count the patches",
            },
        ),
    ),
    hints=(
        "Three kinds of tokens enter every layer. Two of them are there without any prompt.",
        "How many patches of 16 pixels stand side by side on 224 pixels, and how many rows of them are there? Then "
        "think of what happens to the prompts of the layer before.",
        "1 + (224 / 16) ** 2 + n, with n = 8: the prompts of a layer take the place of those of the layer before.",
    ),
    meaning="A layer sees CLS, the patches and n prompts, in every layer the same number.",
)


# 06.2: the image tower

N_CTX = 3
IMAGES = draw(2, 3, 32, 32)
PROMPTS = [draw(N_CTX, 64, seed=10 + i) * 0.5 for i in range(4)]
WIDTH, JOINT, OWN = 64, 32, 5  # d_v, D, 1 + N of the small CLIP
Into = Callable[[Any, Tensor, int, Sequence[Tensor]], Tensor]  # (visual, x, layer, prompts) -> x


def _tower(
    *, norm: str = "prompt", place: str = "end", deeper: str = "replace", last: str = "travel", pool: str = "cut"
) -> Function:
    """An image tower with some of its parts wrong; as it stands, the right one."""

    def enter(visual: Any, x: Tensor, prompt: Tensor) -> Tensor:
        rows = prompt if norm in ("never", "twice") else visual.ln_pre(prompt)
        if place == "position":
            rows = visual.ln_pre(prompt + visual.positional_embedding[1 : 1 + len(prompt)])
        if place == "last position":
            rows = visual.ln_pre(prompt + visual.positional_embedding[-len(prompt) :])
        rows = rows.expand(len(x), -1, -1)
        parts = {"front": [rows, x], "patches": [x[:, : -len(prompt)], rows]}.get(place, [x, rows])
        x = torch.cat(parts, dim=1)
        return visual.ln_pre(x) if norm == "twice" else x

    def renew(visual: Any, x: Tensor, prompts: Sequence[Tensor], i: int) -> Tensor:
        prompt = prompts[0] if deeper == "first" else prompts[i - 1] if deeper == "late" else prompts[i]
        if deeper == "norm":
            prompt = visual.ln_pre(prompt)
        rows, n = prompt.expand(len(x), -1, -1), len(prompt)
        if deeper == "append":
            return torch.cat([x, rows], dim=1)
        if deeper == "add":
            return torch.cat([x[:, :-n], x[:, -n:] + rows], dim=1)
        return torch.cat([rows, x[:, n:]] if place == "front" else [x[:, :-n], rows], dim=1)

    def encode_image(self: FrozenCLIP, images: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        visual = self.visual
        x = visual._embeds(images)  # [B, 1 + N, d_v]
        own = x.shape[1]
        for i, block in enumerate(visual.transformer.resblocks):
            if i == 0 and prompts and place != "nowhere":
                x = enter(visual, x, prompts[0])
            elif 0 < i < len(prompts) and deeper != "never" and place != "nowhere":
                x = renew(visual, x, prompts, i)
            elif i and i == len(prompts) and last == "dropped":
                x = x[:, :own]
            x = block(x)
        if pool == "cut":
            pooled = visual._pool(x[:, :own])[0]
        elif pool == "all":
            pooled = visual._pool(x)[0]
        elif pool == "no ln_post":
            pooled = x[:, 0]
        else:
            x = visual.ln_post(x)
            pooled = {"mean": x[:, :own].mean(dim=1), "patches": x[:, 1:own].mean(dim=1), "last": x[:, -1]}[pool]
        return F.normalize(pooled @ visual.proj, dim=-1)

    return encode_image


def _walk(before: Into, after: Into | None = None, *, layers: bool = True) -> Function:
    """An image tower that changes what enters a layer, or comes out, in its own way; `layers`: whether they count."""

    def encode_image(self: FrozenCLIP, images: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        visual = self.visual
        x = visual._embeds(images)  # [B, 1 + N, d_v]
        for i, block in enumerate(visual.transformer.resblocks):
            x = before(visual, x, i, prompts)
            x = block(x) if layers else x
            x = after(visual, x, i, prompts) if after else x
        return F.normalize(visual._pool(x[:, :OWN])[0] @ visual.proj, dim=-1)

    return encode_image


def _same(visual: Any, x: Tensor, i: int, prompts: Sequence[Tensor]) -> Tensor:
    return x


def _append(which: Callable[[int, int], int]) -> Into:
    """Appends prompt number `which(layer, J)`, if there is one, in place of the old prompts."""

    def into(visual: Any, x: Tensor, i: int, prompts: Sequence[Tensor]) -> Tensor:
        chosen = which(i, len(prompts))
        if not 0 <= chosen < len(prompts):
            return x
        prompt = visual.ln_pre(prompts[chosen]) if i == 0 else prompts[chosen]
        return torch.cat([x[:, :OWN], rows(x, prompt)], dim=1)

    return into


def _over_patches(norm: bool) -> Function:
    """Prompts written over the first patches, as over words in lesson 05."""
    return _walk(
        lambda visual, x, i, prompts: (
            write_prompt(x, visual.ln_pre(prompts[i]) if norm and i == 0 else prompts[i]) if i < len(prompts) else x
        )
    )


OVER_PATCHES = "the prompts were written over the first patches, as over words in lesson 05: append them"
ENCODE_IMAGE = Exercise(
    number="06.2",
    title="Walk through the image tower",
    reference=FrozenCLIP.encode_image,
    facets=(
        returns(
            (small_clip(), IMAGES),
            (2, JOINT),
            letters="B, D",
            causes={
                (2, WIDTH): "the last step is missing: @ self.visual.proj takes [B, d_v] to [B, D]",
                (2, OWN, JOINT): "one feature per token came: self.visual._pool(x) picks CLS before you project",
                (2, OWN - 1, JOINT): "these are the patches: _pool returns (pooled, tokens), take the first",
                (2, OWN, WIDTH): "the residual stream came: pool it, project it, and normalise",
            },
        ),
        unit_norm(small_clip(), IMAGES),
        equals(
            (small_clip(), IMAGES),
            FrozenCLIP.encode_image,
            name="without prompts it is CLIP's own",
            mistakes={
                "ln_pre was applied a second time: self.visual._embeds(images) has done it already": (
                    lambda clip, images: _tower(norm="twice")(clip, images, [draw(0, WIDTH)])
                ),
                "ln_post is missing: self.visual._pool(x) applies it and reads CLS": _tower(pool="no ln_post"),
                "all tokens were averaged: CLIP reads CLS alone, self.visual._pool(x) picks it": _tower(pool="mean"),
                "the patches were averaged: CLIP reads CLS alone, self.visual._pool(x) picks it": _tower(
                    pool="patches"
                ),
                "the last token was read: CLIP reads CLS, the first one": _tower(pool="last"),
                "the blocks changed nothing: a block gives back what it made of x, so write x = block(x)": _walk(
                    _same, layers=False
                ),
                "the positional embedding was added a second time: self.visual._embeds(images) has done it": _walk(
                    lambda visual, x, i, _: x + visual.positional_embedding if i == 0 else x
                ),
            },
        ),
        equals(
            (small_clip(), IMAGES, PROMPTS[:1]),
            FrozenCLIP.encode_image,
            name="prompts in the first layer",
            mistakes={
                "the prompts changed nothing: append prompts[0] before the first block": _tower(place="nowhere"),
                "the prompt did not pass ln_pre: patches and CLS have, so append self.visual.ln_pre(prompts[0])": (
                    _tower(norm="never")
                ),
                "ln_pre acted on CLS and patches a second time: _embeds has done that, so normalise the prompt "
                "alone": _tower(norm="twice"),
                "the prompts stand before CLS, so that the pooling reads a prompt: append them at the end": _tower(
                    place="front"
                ),
                "the prompts got positions: they have no place in the picture, so add none": _tower(place="position"),
                "the prompts got the last positions, those of patches: they have no place in the picture": _tower(
                    place="last position"
                ),
                "the prompts were written over the last patches: in the first layer nothing is replaced, the sequence "
                "becomes n longer": _tower(place="patches"),
                "the last token was read, which is a prompt: cut the prompts off before the pooling": _tower(
                    pool="last"
                ),
                "the prompts were dropped after the first block: they travel on to the end": _tower(last="dropped"),
                OVER_PATCHES: _over_patches(norm=True),
                f"{OVER_PATCHES}, after self.visual.ln_pre": _over_patches(norm=False),
                "the prompt was appended after its block: write prompts[i] before x = block(x)": _walk(
                    _same, _append(lambda i, J: i)
                ),
                "prompts[0] was written again before later blocks: after the last prompt nothing is replaced": _walk(
                    _append(lambda i, J: min(i, J - 1))
                ),
            },
        ),
        equals(
            (small_clip(), IMAGES, PROMPTS[:3]),
            FrozenCLIP.encode_image,
            name="new prompts in deeper layers",
            mistakes={
                "prompts[1] and prompts[2] changed nothing: replace the last n tokens before blocks 1 and 2": _tower(
                    deeper="never"
                ),
                "every layer appended its prompts anew and the sequence grew: keep x[:, :1 + N], then append": _tower(
                    deeper="append"
                ),
                "deeper prompts passed ln_pre, too: it belongs to the tower's entrance, before block 0": _tower(
                    deeper="norm"
                ),
                "the first prompts came back in every layer: block i gets prompts[i]": _tower(deeper="first"),
                "the prompts come a layer late: block i gets prompts[i]": _tower(deeper="late"),
                "the prompts were added to what the layer before put out: they replace it": _tower(deeper="add"),
                "the last prompts were dropped after their block: they travel on to the end": _tower(last="dropped"),
                "the blocks got their prompts in reverse order: block i gets prompts[i]": _walk(
                    _append(lambda i, J: J - 1 - i)
                ),
            },
        ),
        equals(
            (small_clip("avg"), IMAGES, PROMPTS[:2]),
            FrozenCLIP.encode_image,
            name="prompts never enter the pooling (a tower that pools by averaging)",
            mistakes={
                "prompts were averaged with the patches: cut them off first, self.visual._pool(x[:, :1 + N])": _tower(
                    pool="all"
                ),
                "this tower averages its patches, and yours still reads CLS: leave the choice to self.visual._pool": (
                    lambda clip, images, prompts: _tower()(small_clip(), images, prompts)
                ),
            },
        ),
        unmixed(
            small_clip(),
            IMAGES,
            IMAGES.split(1),
            PROMPTS,
            what="picture",
            cause="a line works along the wrong dimension: tokens stand along dim=1",
        ),
        prompts_learn(small_clip(), IMAGES, PROMPTS),
        unchanged((small_clip(), IMAGES, PROMPTS)),
    ),
    hints=(
        "Without prompts it is four lines: embed, run the blocks, pool, project. The prompts add one decision before "
        "each block: is there a prompt for it, and does it come in addition (block 0) or instead (later)?",
        "Note own = x.shape[1] right after _embeds: it is 1 + N. Before block i, if i < len(prompts): keep "
        "x[:, :own], which drops the old prompts where there are some, and append the new ones for all B pictures. "
        "Only prompts[0] goes through self.visual.ln_pre.",
        "x = torch.cat([x[:, :own], prompt.expand(len(x), -1, -1)], dim=1) before x = block(x). After the loop: "
        "pooled, _ = self.visual._pool(x[:, :own]), and F.normalize(pooled @ self.visual.proj, dim=-1).",
    ),
    meaning="This is CLIP's image tower, and prompts are an argument of it: with none it is CLIP's own.",
)


# 06.3: what is learned


def new_prompts(clip: FrozenCLIP, n_ctx: int, depth: int) -> nn.ParameterList:
    """The package's prompts [n, d_v] of `depth` layers, in a ParameterList."""
    return VPT(clip, n_ctx, depth).vision


def _made(fn: Function, n_ctx: int = 5, depth: int = 3, seed: int = 1) -> nn.ParameterList:
    """What a submission makes for the small CLIP; Finding if it is no ParameterList."""
    with seeded(seed):
        made = fn(small_clip(), n_ctx, depth)
    if not isinstance(made, nn.ParameterList):
        cause = "put the prompts into torch.nn.ParameterList([...]): in a plain list the learner would not find them"
        if isinstance(made, Tensor):
            cause = "there is one tensor for all layers: make a parameter per layer, in a torch.nn.ParameterList"
        if made is None:
            cause = cause_of_type(None, nn.ParameterList)
        raise Finding("a torch.nn.ParameterList", describe(made), cause)
    return made


def _shapes(fn: Function) -> None:
    """As many prompts as layers, each [n, d_v]."""
    made, clip = _made(fn), small_clip()
    if len(made) != 3:
        cause = "there must be one prompt for each of the `depth` layers"
        if len(made) == clip.vision_layers:
            cause = "there is one for every layer of the tower: only the first `depth` layers get one"
        if len(made) == 2:
            cause = "the first layer counts, too: depth 3 is layers 0, 1 and 2"
        raise Finding("3 prompts for depth=3", str(len(made)), cause)
    causes = {
        (
            5,
            clip.text_width,
        ): "that is the text tower's width: these tokens stand in the image tower, clip.vision_width",
        (5, clip.embed_dim): "that is the joint width D: inside the image tower tokens have clip.vision_width numbers",
        (clip.vision_width, 5): "the two sizes are exchanged: a row per token",
        (3, clip.vision_width): "depth and n_ctx are exchanged: each prompt has n_ctx tokens",
        (1, 5, clip.vision_width): "leave out the axis for pictures: all pictures share the prompts",
        (clip.vision_width,): "that is a single token: each prompt has n_ctx of them",
    }
    for prompt in made:
        if prompt.shape != (5, clip.vision_width):
            cause = causes.get(tuple(prompt.shape), "each prompt is [n_ctx, clip.vision_width]")
            raise Finding(f"prompts [n, d_v] = [5, {clip.vision_width}]", describe(prompt.detach()), cause)


def _parameters(fn: Function) -> None:
    """Every layer has a parameter of its own that learns."""
    made = list(_made(fn))
    if not all(isinstance(prompt, nn.Parameter) and prompt.requires_grad for prompt in made):
        cause = "leave requires_grad alone: torch.nn.Parameter asks for gradients by itself"
        raise Finding("prompts that learn", "prompts without gradient", cause)
    if len({id(prompt) for prompt in made}) < len(made):
        cause = "[prompt] * depth repeats one object: draw a new one for every layer, in a loop"
        raise Finding("a parameter of its own for every layer", "the same parameter several times", cause)


def _draws(fn: Function) -> None:
    """Normal numbers with mean 0 and standard deviation 0.02, others in every layer and draw."""
    made = _made(fn, n_ctx=40)
    numbers = torch.stack([prompt.detach() for prompt in made])
    if cause := cause_of_spread(numbers):
        came = f"mean {numbers.mean():.3g}, standard deviation {numbers.std():.3g}"
        raise Finding("normal numbers with mean 0 and standard deviation 0.02", came, cause)
    if agree(made[0].detach(), made[1].detach(), 1e-6):
        cause = "one draw was copied to all layers: call torch.randn for each"
        raise Finding("other numbers in every layer", "the same in two layers", cause)
    if agree(made[0].detach(), _made(fn, n_ctx=40, seed=2)[0].detach(), 1e-6):
        cause = "a seed is set inside: leave that to whoever calls, so that runs can differ"
        raise Finding("other numbers in every run", "the same numbers again", cause)


NEW_PROMPTS = Exercise(
    number="06.3",
    title="Make the prompts",
    reference=new_prompts,
    facets=(
        Facet("a ParameterList with a prompt per layer", _shapes),
        Facet("every layer learns its own", _parameters),
        Facet("the draw", _draws),
    ),
    hints=(
        "How wide is a token of the image tower, and how many prompts are there in all layers together?",
        "Draw torch.randn(n_ctx, clip.vision_width) once per layer, scale it, make a torch.nn.Parameter of it, and "
        "collect them in a torch.nn.ParameterList, which PyTorch searches for parameters.",
        "torch.nn.ParameterList([torch.nn.Parameter(0.02 * torch.randn(...)) for _ in range(depth)]).",
    ),
    meaning="These few thousand numbers are all that VPT learns; there are no words to start from.",
)


# 06.4: what may be kept

KEPT = "CoOp, CoCoOp, deep language"
CACHED = Exercise(
    number="06.4",
    title="Who may encode the pictures once?",
    reference=KEPT,
    facets=(
        choice(
            KEPT,
            {
                "CoOp, deep language": "CoCoOp's text depends on the picture, but its image features never change: "
                "lesson 04 computed them once",
                "all of them": "VPT's prompts stand in the image tower: after every step the same picture has other "
                "features",
                "VPT": "it is the other way round: VPT may keep its text features, for its sentences never change",
                "none of them": "in lessons 03 to 05 training went over stored image features: what was frozen there?",
            },
        ),
    ),
    hints=(
        "When does the feature of a picture change during training? Only if something that learns lies on its way.",
        "Go through the methods and ask of each: in which tower do its prompts stand?",
        "CoOp, CoCoOp and deep language have theirs in the text tower; VPT has them in the image tower.",
    ),
    meaning="Image features may be kept as long as nothing that learns stands in the image tower.",
)

EXERCISES: tuple[Exercise, ...] = (TOKENS, ENCODE_IMAGE, NEW_PROMPTS, CACHED)
