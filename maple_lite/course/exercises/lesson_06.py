"""The exercises of lesson 06, VPT: counting tokens, the image tower with prompts, the prompts, and what may be kept."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from maple_lite.clip import FrozenCLIP
from maple_lite.course.exercises.shared import cause_of_spread, draw, prompts_learn, unit_norm, unmixed
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, choice, equals, number, returns, unchanged
from maple_lite.course.teach.laws import AGAIN, RANDOM
from maple_lite.course.teach.mistakes import Mistake, Mistakes
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


NAMES = {"torch": torch, "F": F}

# 06.1: how many tokens

TOKENS = Exercise(
    number="06.1",
    title="Count the tokens",
    reference=205,
    facets=(number(205, 0.5),),
    hints=(
        "Three kinds of tokens enter every layer. Two of them are there without any prompt.",
        "How many patches of 16 pixels stand side by side on 224 pixels, and how many rows of them are there? Then "
        "think of what happens to the prompts of the layer before.",
        "1 + (224 / 16) ** 2 + n, with n = 8: the prompts of a layer take the place of those of the layer before.",
    ),
    meaning="A layer sees CLS, the patches and n prompts: the same number of tokens in every layer.",
    mistakes=Mistakes(
        {
            "patches": Mistake(
                "those are the patches alone, 14 x 14: CLS and the prompts are tokens, too", value=14 * 14
            ),
            "no prompts": Mistake(
                "those are CLS and the patches: the 8 prompt tokens stand after them", value=1 + 14 * 14
            ),
            "no CLS": Mistake("patches and prompts are there, but CLS is missing", value=14 * 14 + 8),
            "piled up": Mistake(
                "prompts are replaced from layer to layer and do not pile up: there are never more than 8",
                value=1 + 14 * 14 + 12 * 8,
            ),
            "piled up, no CLS": Mistake(
                "prompts do not pile up from layer to layer, and CLS is missing", value=14 * 14 + 12 * 8
            ),
            "one row": Mistake(
                "224 / 16 = 14 patches stand in a row, and there are 14 rows of them", value=1 + 224 // 16 + 8
            ),
            "ours": Mistake(
                "that is our tiny CLIP, 48 px and patches of 8: the question is about ViT-B/16", value=1 + 36 + 8
            ),
            "pixels": Mistake("a pixel is not a token: a token is a patch of 16 x 16 pixels", value=1 + 224 * 224 + 8),
            "the side": Mistake("224 is the side in pixels: count the patches", value=1 + 224),
            "all layers": Mistake("that is the sum over twelve layers: how many enter one of them?", value=12 * 205),
            "words": Mistake(words="write digits", value="205 tokens"),
        },
    ),
)


# 06.2: the image tower

N_CTX = 3
IMAGES = draw(2, 3, 32, 32)
PROMPTS = [draw(N_CTX, 64, seed=10 + i) * 0.5 for i in range(4)]
JOINT = 32  # D of the small CLIP
TOWER = """
def encode_image(self, images, prompts=()):
    visual = self.visual
    x = visual._embeds(images)  # [B, 1 + N, d_v]
    own = x.shape[1]
    for i, block in enumerate(visual.transformer.resblocks):
        if i < len(prompts):
            prompt = prompts[i] if i else visual.ln_pre(prompts[0])
            x = torch.cat([x[:, :own], prompt.expand(len(x), -1, -1)], dim=1)
        x = block(x)
    pooled = visual._pool(x[:, :own])[0]
    return F.normalize(pooled @ visual.proj, dim=-1)
"""
EMBED, BLOCK, POOL = "visual._embeds(images)", "x = block(x)", "visual._pool(x[:, :own])[0]"
IF, FIRST, PROMPT = (
    "if i < len(prompts):",
    "visual.ln_pre(prompts[0])",
    "prompts[i] if i else visual.ln_pre(prompts[0])",
)
ROWS = "prompt.expand(len(x), -1, -1)"
JOINED = f"[x[:, :own], {ROWS}]"
DOOR = f"{IF}\n    prompt = {PROMPT}\n    x = torch.cat({JOINED}, dim=1)"
OVER = f"[x[:, :1], {ROWS}, x[:, 1 + len(prompt) :]]"
OVER_PATCHES = "the prompts were written over the first patches, as over words in lesson 05: append them"

TOWER_MISTAKES = Mistakes(
    {
        "no ln_pre": Mistake(
            "the prompt did not pass ln_pre: patches and CLS have, so append self.visual.ln_pre(prompts[0])",
            {FIRST: "prompts[0]"},
        ),
        "ln_pre twice": Mistake(
            "ln_pre acted on CLS and patches a second time: _embeds has done that, so normalise the prompt alone",
            {FIRST: "prompts[0]", BLOCK: f"x = x if i or not prompts else visual.ln_pre(x)\n{BLOCK}"},
        ),
        "ln_pre twice, always": Mistake(
            "ln_pre was applied a second time: self.visual._embeds(images) has done it already",
            {EMBED: f"visual.ln_pre({EMBED})"},
        ),
        "over the first patches": Mistake(OVER_PATCHES, {JOINED: OVER}),
        "over the first patches, no ln_pre": Mistake(
            f"{OVER_PATCHES}, after self.visual.ln_pre", {JOINED: OVER, FIRST: "prompts[0]"}
        ),
        "after its block": Mistake(
            "the prompt was appended after its block: write prompts[i] before x = block(x)", {DOOR: BLOCK, BLOCK: DOOR}
        ),
        "the last again": Mistake(
            "prompts[0] was written again before later blocks: after the last prompt nothing is replaced",
            {IF: "if prompts:", "prompts[i] if i": "prompts[min(i, len(prompts) - 1)] if i"},
        ),
        "reversed": Mistake(
            "the blocks got their prompts in reverse order: block i gets prompts[i]",
            {"prompts[i]": "prompts[-1 - i]", "prompts[0]": "prompts[-1]"},
        ),
        "what the blocks make is lost": Mistake(
            "the blocks changed nothing: a block gives back what it made of x, so write x = block(x)",
            {BLOCK: "block(x)"},
        ),
        "positions once more": Mistake(
            "the positional embedding was added a second time: self.visual._embeds(images) has done it",
            {EMBED: f"{EMBED} + visual.positional_embedding"},
        ),
        "before CLS": Mistake(
            "the prompts stand before CLS, so that the pooling reads a prompt: append them at the end",
            {JOINED: f"[{ROWS}, x[:, :own]]"},
        ),
        "positions of patches": Mistake(
            "the prompts got positions: they have no place in the picture, so add none",
            {FIRST: "visual.ln_pre(prompts[0] + visual.positional_embedding[1 : 1 + len(prompts[0])])"},
        ),
        "last positions": Mistake(
            "the prompts got the last positions, those of patches: they have no place in the picture",
            {FIRST: "visual.ln_pre(prompts[0] + visual.positional_embedding[-len(prompts[0]) :])"},
        ),
        "over patches": Mistake(
            "the prompts were written over the last patches: the first layer replaces "
            "nothing, and the sequence grows by n tokens",
            {JOINED: f"[x[:, : own - len(prompt)], {ROWS}]"},
        ),
        "appended in every layer": Mistake(
            "every layer kept the old prompts and the sequence grew: keep x[:, :1 + N] alone, then append",
            {JOINED: f"[x, {ROWS}]"},
        ),
        "first layer alone": Mistake(
            "prompts[1] and prompts[2] changed nothing: replace the last n tokens before blocks 1 and 2",
            {IF: "if i == 0 and prompts:"},
        ),
        "the first again": Mistake(
            "the first prompts came back in every layer: block i gets prompts[i]", {"prompts[i]": "prompts[0]"}
        ),
        "a layer late": Mistake(
            "the prompts come a layer late: block i gets prompts[i]", {"prompts[i]": "prompts[i - 1]"}
        ),
        "ln_pre in every layer": Mistake(
            "deeper prompts passed ln_pre, too: it belongs to the tower's entrance, before block 0",
            {PROMPT: "visual.ln_pre(prompts[i])"},
        ),
        "added": Mistake(
            "the prompts were added to what the layer before put out: they replace it",
            {JOINED: f"[x[:, :own], {ROWS} + (x[:, own:] if i else 0)]"},
        ),
        "dropped after their block": Mistake(
            "the prompts were dropped after the first block: they travel on to the end", {BLOCK: f"{BLOCK}[:, :own]"}
        ),
        "not cut": Mistake(
            "prompts were averaged with the patches: cut them off first, self.visual._pool(x[:, :1 + N])",
            {POOL: "visual._pool(x)[0]"},
        ),
        "CLS by hand": Mistake(
            "this tower averages its patches, and yours still reads CLS: leave the choice to self.visual._pool",
            {POOL: "visual.ln_post(x[:, 0])"},
        ),
        "no ln_post": Mistake("ln_post is missing: self.visual._pool(x) applies it and reads CLS", {POOL: "x[:, 0]"}),
        "mean": Mistake(
            "all tokens were averaged: CLIP reads CLS alone, self.visual._pool(x) picks it",
            {POOL: "visual.ln_post(x[:, :own]).mean(dim=1)"},
        ),
        "mean of the patches": Mistake(
            "the patches were averaged: CLIP reads CLS alone, self.visual._pool(x) picks it",
            {POOL: "visual.ln_post(x[:, 1:own]).mean(dim=1)"},
        ),
        "last token": Mistake(
            "the last token was read: CLIP reads CLS, the first one", {POOL: "visual.ln_post(x[:, -1])"}
        ),
        "ignored": Mistake("the prompts changed nothing: append prompts[0] before the first block", {DOOR: ""}),
        "not normalised": Mistake(
            words="features of norm 1", patch={"F.normalize(pooled @ visual.proj, dim=-1)": "pooled @ visual.proj"}
        ),
        "over the batch": Mistake(words="works along another dimension", patch={"proj, dim=-1": "proj, dim=0"}),
        "no projection": Mistake(
            "the last step is missing: @ self.visual.proj takes [B, d_v] to [B, D]", {" @ visual.proj": ""}
        ),
        "patches returned": Mistake(
            "these are the patches: _pool returns (pooled, tokens), take the first",
            {POOL: "visual._pool(x[:, :own])[1]"},
        ),
        "no pooling": Mistake(
            "one feature per token came: self.visual._pool(x) picks CLS before you project",
            {POOL: "visual.ln_post(x[:, :own])"},
        ),
        "neither pooled nor projected": Mistake(
            "the residual stream came: pool it, project it, and normalise", {"pooled @ visual.proj": "x"}
        ),
        "pair not unpacked": Mistake(words="unsupported operand", patch={POOL: "visual._pool(x[:, :own])"}),
        "not expanded": Mistake(words="same number of dimensions", patch={ROWS: "prompt"}),
        "no gradient": Mistake(words="no gradient for prompts[0]", patch={"dim=-1)": "dim=-1).detach()"}),
        "deeper ones cut off": Mistake(words="no gradient for prompts[1]", patch={"prompts[i]": "prompts[i].detach()"}),
        "no return": Mistake(words="did you forget", patch={"return F": "F"}),
    },
    TOWER,
    NAMES,
)


def _same(name: str, *prompts: Any, pool: str = "tok") -> Facet:
    """A facet: with these prompts the features are the package's."""
    return equals((small_clip(pool), IMAGES, *prompts), FrozenCLIP.encode_image, name=name)


ENCODE_IMAGE = Exercise(
    number="06.2",
    title="Walk through the image tower",
    reference=FrozenCLIP.encode_image,
    facets=(
        returns((small_clip(), IMAGES), (2, JOINT), letters="B, D"),
        unit_norm(small_clip(), IMAGES),
        _same("without prompts it is CLIP's own"),
        _same("prompts in the first layer", PROMPTS[:1]),
        _same("new prompts in deeper layers", PROMPTS[:3]),
        _same("prompts never enter the pooling (a tower that pools by averaging)", PROMPTS[:2], pool="avg"),
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
    mistakes=TOWER_MISTAKES,
)


# 06.3: what is learned


def new_prompts(clip: FrozenCLIP, n_ctx: int, depth: int) -> nn.ParameterList:
    """The package's prompts [n, d_v] of `depth` layers, in a ParameterList."""
    return VPT(clip, n_ctx, depth).vision


START = """
def new_prompts(clip, n_ctx, depth):
    prompts = [0.02 * torch.randn(n_ctx, clip.vision_width) for _ in range(depth)]
    return torch.nn.ParameterList(prompts)
"""
NUMBERS, SIZES, MADE = (
    "0.02 * torch.randn(n_ctx, clip.vision_width)",
    "n_ctx, clip.vision_width",
    "ParameterList(prompts)",
)
DRAW, RETURNED = f"[{NUMBERS} for _ in range(depth)]", f"torch.nn.{MADE}"

START_MISTAKES = Mistakes(
    {
        "text width": Mistake(
            "that is the text tower's width: these tokens stand in the image tower, clip.vision_width",
            {"clip.vision_width": "clip.text_width"},
        ),
        "joint width": Mistake(
            "that is the joint width D: inside the image tower tokens have clip.vision_width numbers",
            {"clip.vision_width": "clip.embed_dim"},
        ),
        "128": Mistake(words="each prompt is [n_ctx, clip.vision_width]", patch={"clip.vision_width": "128"}),
        "exchanged": Mistake("the two sizes are exchanged: every token is a row", {SIZES: "clip.vision_width, n_ctx"}),
        "depth and length": Mistake(
            "depth and n_ctx are exchanged: each prompt has n_ctx tokens", {"n_ctx, clip": "depth, clip"}
        ),
        "an axis too many": Mistake(
            "leave out the axis for pictures: all pictures share the prompts", {"randn(": "randn(1, "}
        ),
        "one token": Mistake("that is a single token: each prompt has n_ctx of them", {"randn(n_ctx, ": "randn("}),
        "variance": Mistake(words="squared once too often", patch={"0.02": "0.02**2"}),
        "root": Mistake(words="square root of 0.02", patch={"0.02": "0.02**0.5"}),
        "too large": Mistake(words="a standard deviation of 1", patch={"0.02 * torch": "torch"}),
        "uniform": Mistake(words="draws from 0 to 1", patch={"randn": "rand"}),
        "uniform around 0": Mistake(
            words="these are not normal", patch={NUMBERS: f"0.04 * torch.rand({SIZES}) - 0.02"}
        ),
        "around 0.02": Mistake(words="the mean is not 0", patch={"0.02": "0.02 + 0.02"}),
        "zeros": Mistake(words="all tokens start alike", patch={"0.02 * torch.randn": "torch.zeros"}),
        "ten times": Mistake(words="10 times what it should be", patch={"0.02": "0.2"}),
        "frozen": Mistake(words="leave requires_grad alone", patch={MADE: f"{MADE}.requires_grad_(False)"}),
        "the same object": Mistake(
            words="repeats one object", patch={DRAW: f"[torch.nn.Parameter({NUMBERS})] * depth"}
        ),
        "the same numbers": Mistake(
            words="one draw was copied",
            patch={DRAW: f"[{NUMBERS}] * depth", MADE: "ParameterList(p.clone() for p in prompts)"},
        ),
        "a plain list": Mistake(
            "put the prompts into torch.nn.ParameterList([...]): in a plain list the learner would not find them",
            {RETURNED: "[torch.nn.Parameter(prompt) for prompt in prompts]"},
        ),
        "one tensor": Mistake(
            "there is one tensor for all layers: make a parameter per layer, in a torch.nn.ParameterList",
            {RETURNED: "torch.nn.Parameter(torch.stack(prompts))"},
        ),
        "every layer of the tower": Mistake(
            "there is one for every layer of the tower: only the first `depth` layers get one",
            {"depth)]": "clip.vision_layers)]"},
        ),
        "one too few": Mistake(
            "the first layer counts, too: depth 3 is layers 0, 1 and 2", {"range(depth": "range(1, depth"}
        ),
        "a seed inside": Mistake(
            words="a seed is set inside", patch={"prompts = ": "torch.manual_seed(0)\nprompts = "}
        ),
        "no return": Mistake(words="did you forget", patch={"return torch": "torch"}),
    },
    START,
    NAMES,
)


def _made(fn: Function, n_ctx: int = 5, depth: int = 3, seed: int = 1) -> nn.ParameterList:
    """What a submission makes for the small CLIP; Finding if it is no ParameterList."""
    with seeded(seed):
        made = fn(small_clip(), n_ctx, depth)
    if not isinstance(made, nn.ParameterList):
        cause = "return a torch.nn.ParameterList([...]) with a prompt for each of the `depth` layers"
        if made is None:
            cause = cause_of_type(None, nn.ParameterList)
        raise Finding("a torch.nn.ParameterList", describe(made), cause, type(made).__name__)
    return made


def _shapes(fn: Function) -> None:
    """As many prompts as layers, each [n, d_v]."""
    made, width = _made(fn), small_clip().vision_width
    if len(made) != 3:
        cause = "there must be one prompt for each of the `depth` layers"
        raise Finding("3 prompts for depth=3", str(len(made)), cause, len(made))
    for prompt in made:
        if prompt.shape != (5, width):
            cause = "each prompt is [n_ctx, clip.vision_width]"
            raise Finding(f"prompts [n, d_v] = [5, {width}]", describe(prompt.detach()), cause, tuple(prompt.shape))


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
        cause = "a seed is set inside: leave seeds to the caller, so that runs can differ"
        raise Finding("other numbers in every run", "the same numbers again", cause)


NEW_PROMPTS = Exercise(
    number="06.3",
    exempt=(AGAIN, RANDOM),
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
    mistakes=START_MISTAKES,
)


# 06.4: what may be kept

KEPT = "CoOp, CoCoOp, deep language"
CACHED = Exercise(
    number="06.4",
    title="Who may encode the pictures once?",
    reference=KEPT,
    facets=(choice(KEPT, ["CoOp, deep language", "all of them", "VPT", "none of them"]),),
    hints=(
        "When does the feature of a picture change during training? Only if something that learns lies on its way.",
        "Go through the methods and ask of each: in which tower do its prompts stand?",
        "CoOp, CoCoOp and deep language have theirs in the text tower; VPT has them in the image tower.",
    ),
    meaning="Image features may be kept as long as nothing that learns stands in the image tower.",
    mistakes=Mistakes(
        {
            "not CoCoOp": Mistake(
                "CoCoOp's text depends on the picture, but its image features never change: "
                "lesson 04 computed them once",
                value="CoOp, deep language",
            ),
            "all": Mistake(
                "VPT's prompts stand in the image tower: after every step the same picture has other features",
                value="all of them",
            ),
            "VPT": Mistake(
                "it is the other way round: VPT may keep its text features, because its sentences never change",
                value="VPT",
            ),
            "none": Mistake(
                "in lessons 03 to 05 training went over stored image features: what was frozen there?",
                value="none of them",
            ),
            "something else": Mistake(words="none of the choices", value="IVLP"),
        },
    ),
)

EXERCISES: tuple[Exercise, ...] = (TOKENS, ENCODE_IMAGE, NEW_PROMPTS, CACHED)
