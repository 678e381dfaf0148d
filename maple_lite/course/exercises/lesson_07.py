"""The exercises of lesson 07, IVLP: prompts for both towers, their number, their gradients, and one branch alone."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP
from maple_lite.course.exercises.lesson_04 import NAMES
from maple_lite.course.exercises.shared import STD, cause_of_spread, draw, kept, small_clip
from maple_lite.course.teach import laws
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, choice, equals, invariant, number
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe, is_number, literal
from maple_lite.learners import IVLP, MaPLe, PromptLearner, random_prompt
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.seeds import seeded

DEPTH, N_CTX = 3, 4  # of the checks' prompts; the small CLIP has 3 text layers
TEXT, VISION, JOINT = 48, 64, 32  # widths of the small CLIP


# 07.1: prompts for both towers


def independent_prompts(clip: FrozenCLIP, words: Tensor, depth: int) -> tuple[nn.ParameterList, nn.ParameterList]:
    """IVLP's text prompts [n, d_t], `words` and then random ones, and its vision prompts [n, d_v], all random."""
    n_ctx = len(words)
    deeper = [random_prompt(n_ctx, clip.text_width, clip.device) for _ in range(depth - 1)]
    text = nn.ParameterList([words.clone(), *deeper])
    vision = nn.ParameterList([random_prompt(n_ctx, clip.vision_width, clip.device) for _ in range(depth)])
    return text, vision


WORDS = draw(N_CTX, TEXT, seed=7) * 0.3


START = """
def independent_prompts(clip, words, depth):
    n = len(words)
    deeper = [torch.randn(n, clip.text_width) * 0.02 for _ in range(depth - 1)]
    text = torch.nn.ParameterList([words.clone(), *deeper])
    random = [torch.randn(n, clip.vision_width) * 0.02 for _ in range(depth)]
    vision = torch.nn.ParameterList(random)
    return text, vision
"""
TEXT_DRAW, VISION_DRAW = "torch.randn(n, clip.text_width) * 0.02", "torch.randn(n, clip.vision_width) * 0.02"
DEEPER, RANDOM = f"deeper = [{TEXT_DRAW} for _ in range(depth - 1)]", f"random = [{VISION_DRAW} for _ in range(depth)]"
MADE, SIZES = "List(random)", "n, clip.vision_width"

START_MISTAKES = Mistakes(
    {
        "plain lists": Mistake(words="a plain list hides its prompts", patch={"torch.nn.ParameterList": "list"}),
        "one list": Mistake(words="only one list is returned", patch={"return text, vision": "return text"}),
        "no return": Mistake(words="did you forget it?", patch={"return": "made ="}),
        "a tensor per tower": Mistake(words="one tensor for all layers", patch={MADE: "(torch.stack(random))"}),
        "a random one too many": Mistake(
            "the words are the prompt of the first layer: only depth - 1 random ones follow", {"depth - 1": "depth"}
        ),
        "a vision prompt too few": Mistake(
            "the vision tower has no words, so that all of its depth prompts are random",
            {"range(depth)": "range(depth - 1)"},
        ),
        "shallow": Mistake(words="only the first layer has a prompt", patch={MADE: "List(random[:1])"}),
        "vision as wide as text": Mistake(
            words="this is the width of the other tower: vision prompts", patch={"vision_width": "text_width"}
        ),
        "text as wide as vision": Mistake(
            words="this is the width of the other tower: text prompts", patch={"text_width": "vision_width"}
        ),
        "the joint width": Mistake(words="this is the joint width D", patch={"vision_width": "embed_dim"}),
        "transposed": Mistake(words="tokens come first, then their numbers", patch={SIZES: "clip.vision_width, n"}),
        "one token": Mistake(words="this is one token; a prompt has", patch={SIZES: "clip.vision_width"}),
        "always two tokens": Mistake(words="read it from words", patch={"len(words)": "2"}),
        "words at the end": Mistake(
            words="stand in another one: put them in front", patch={"words.clone(), *deeper": "*deeper, words.clone()"}
        ),
        "no words": Mistake(words="it should start as the words", patch={"words.clone()": TEXT_DRAW}),
        "scaled words": Mistake(words="the words were scaled", patch={"words.clone()": "words * 0.02"}),
        "words in every layer": Mistake(
            words="the words are for the first layer alone", patch={TEXT_DRAW: "words.clone()"}
        ),
        "spread 1": Mistake(words="torch.randn has a standard deviation of 1", patch={" * 0.02": ""}),
        "zeros": Mistake(words="all tokens start alike", patch={VISION_DRAW: f"torch.zeros({SIZES})"}),
        "the variance": Mistake(words="squared once too often", patch={"0.02": "0.02**2"}),
        "torch.rand": Mistake(words="torch.rand draws from 0 to 1", patch={"randn": "rand"}),
        "frozen vision": Mistake(words="here, both towers learn", patch={MADE: f"{MADE}.requires_grad_(False)"}),
        "one prompt in all layers": Mistake(
            words="repeats one tensor", patch={RANDOM: f"random = [torch.nn.Parameter({VISION_DRAW})] * depth"}
        ),
        "copies of one prompt": Mistake(
            words="draw again for every layer and tower", patch={MADE: "List(random[0].clone() for _ in random)"}
        ),
        "seeded inside": Mistake(
            words="something seeds torch inside", patch={"len(words)": "len(words)\ntorch.manual_seed(0)"}
        ),
        "vision first": Mistake(
            words="finish the list of text prompts first",
            patch={"n = len(words)": f"n = len(words)\n{RANDOM}", RANDOM: ""},
        ),
        "words themselves": Mistake(words="the very tensor that was passed in", patch={"words.clone()": "words"}),
    },
    START,
    {"torch": torch},
)


def _made(fn: Function, words: Tensor = WORDS) -> tuple[Any, Any]:
    """What a submission makes for the small CLIP, by a fixed start of the random numbers."""
    with seeded(3):
        came = fn(small_clip(), words.clone(), DEPTH)
    if not isinstance(came, tuple | list) or isinstance(came, nn.ParameterList) or len(came) != 2:
        cause = "return both lists, separated by a comma: return text, vision"
        if came is None:
            cause = cause_of_type(None, tuple)
        elif isinstance(came, nn.ParameterList):
            cause = "only one list is returned: the other tower gets none. Return text, vision"
        raise Finding("two ParameterLists, text and vision", describe(came), cause)
    return came[0], came[1]


def _two_lists(fn: Function) -> None:
    """Two ParameterLists with a prompt per layer."""
    for tower, prompts in zip(("text", "vision"), _made(fn), strict=True):
        if not isinstance(prompts, nn.ParameterList):
            cause = "wrap the list of prompts: torch.nn.ParameterList([...])"
            if isinstance(prompts, list | tuple):
                cause = "a plain list hides its prompts: parameters() would not find them, and they would never learn"
            elif isinstance(prompts, Tensor):
                cause = "one tensor for all layers: the encoders want a list with a prompt per layer"
            raise Finding(f"{tower} prompts in a torch.nn.ParameterList", describe(prompts), cause)
        if len(prompts) != DEPTH:
            cause = f"the list needs one prompt for each of the {DEPTH} layers"
            if len(prompts) == 1:
                cause = "only the first layer has a prompt: deep prompting gives every layer below depth its own"
            expected, came = f"{DEPTH} {tower} prompts, for a depth of {DEPTH}", f"{len(prompts)} {tower} prompts"
            raise Finding(expected, came, cause, [tower, len(prompts)])


def _sizes(fn: Function) -> None:
    """Every prompt has its tower's width, and as many tokens as there are words."""
    for tower, width, other, prompts in zip(("text", "vision"), (TEXT, VISION), (VISION, TEXT), _made(fn), strict=True):
        for layer, prompt in enumerate(prompts):
            shape = tuple(prompt.shape)
            if shape == (N_CTX, width):
                continue
            causes = {
                (N_CTX, other): f"this is the width of the other tower: {tower} prompts are clip.{tower}_width wide",
                (width, N_CTX): "tokens come first, then their numbers: [n, width]",
                (N_CTX, JOINT): f"this is the joint width D; prompts live inside the tower: clip.{tower}_width",
                (width,): f"this is one token; a prompt has n = len(words) = {N_CTX} of them",
            }
            cause = causes.get(
                shape, f"n is len(words), here {N_CTX}: read it from words; clip.{tower}_width is the width"
            )
            expected = f"{tower} prompt {layer} of [n, {'d_t' if tower == 'text' else 'd_v'}] = [{N_CTX}, {width}]"
            raise Finding(expected, describe(prompt.data), cause)


def _starts(fn: Function) -> None:
    """The first text prompt is the words, and the others are small random numbers."""
    text = _made(fn)[0]
    if not agree(WORDS, text[0].data, 1e-6):
        cause = "it is random: it should start as the words"
        if any(agree(WORDS, prompt.data, 1e-6) for prompt in text):
            cause = "the words are the prompt of the first layer, and stand in another one: put them in front"
        elif F.cosine_similarity(WORDS.flatten(), text[0].data.flatten(), dim=0) > 0.99:
            cause = "the words were scaled: use them as they are"
        raise Finding("words as the text prompt of layer 0", "another tensor there", cause)
    text, vision = _made(fn, WORDS.repeat(50, 1))  # 200 tokens, so that mean and spread are sharp
    for tower, prompts in (("text", text[1:]), ("vision", vision)):
        for prompt in prompts:
            _require_random(tower, prompt.data)


def _require_random(tower: str, prompt: Tensor) -> None:
    """Finding unless a prompt of many tokens looks drawn from N(0, 0.02^2)."""
    cause = cause_of_spread(prompt)
    if tower == "text" and agree(WORDS.repeat(50, 1), prompt, 1e-6):
        cause = "the words are for the first layer alone; the deeper text prompts start at random"
    if cause:
        came = f"mean {prompt.mean():.2g} and standard deviation {prompt.std():.2g}"
        raise Finding(f"random {tower} prompts, mean 0 and standard deviation {STD}", came, cause)


def _all_learn(fn: Function) -> None:
    """Every prompt is a leaf that asks for gradients."""
    for tower, prompts in zip(("text", "vision"), _made(fn), strict=True):
        for layer, prompt in enumerate(prompts):
            if not prompt.requires_grad:
                cause = "leave requires_grad as ParameterList sets it: here, both towers learn"
                raise Finding(f"{tower} prompt {layer} that learns", "one that asks for no gradient", cause)


def _own_numbers(fn: Function) -> None:
    """No two prompts share or copy numbers, and the words' tensor is not one of them."""
    words = WORDS.clone()
    with seeded(3):
        text, vision = getattr(fn, "on_originals", fn)(small_clip(), words, DEPTH)
    if text[0].data_ptr() == words.data_ptr():
        cause = "the parameter is the very tensor that was passed in: training would write into it, take words.clone()"
        raise Finding("a copy of words", "words itself", cause)
    named = [(f"text.{i}", p) for i, p in enumerate(text)] + [(f"vision.{i}", p) for i, p in enumerate(vision)]
    for place, (name, prompt) in enumerate(named):
        for other, second in named[:place]:
            flat, wide = second.data.flatten(), prompt.data.flatten()
            size = min(len(flat), len(wide))
            if second is prompt or second.data_ptr() == prompt.data_ptr():
                cause = "[p] * depth repeats one tensor: draw a new one for every layer, in a list comprehension"
                raise Finding("numbers of its own in every layer", f"{other} and {name} are one parameter", cause)
            if agree(flat[:size], wide[:size], 1e-7):
                cause = "equal numbers in two places: draw again for every layer and tower"
                raise Finding("other random numbers in every layer", f"{other} and {name} start equal", cause)


def _drawn_in_order(fn: Function) -> None:
    """Other random numbers give other prompts, and the text prompts are drawn before the vision prompts."""
    first, second = _made(fn)[1][0].data, None
    with seeded(5):
        second = fn(small_clip(), WORDS.clone(), DEPTH)[1][0].data
    if agree(first, second, 1e-7):
        cause = "something seeds torch inside the function, so that every start is the same: leave seeds to the caller"
        raise Finding("other random numbers from another start", "the same again", cause)
    with seeded(3):
        begin = random_prompt(N_CTX, VISION, first.device)
    if agree(begin, first, 1e-7):
        cause = "finish the list of text prompts first: then the same seed gives the numbers that the package draws"
        raise Finding("text prompts drawn before vision prompts", "a vision prompt drawn first", cause)


PROMPTS = Exercise(
    number="07.1",
    exempt=(laws.AGAIN, laws.RANDOM),
    title="Prompts for both towers",
    reference=independent_prompts,
    facets=(
        Facet("two ParameterLists with a prompt per layer", _two_lists),
        Facet("each as wide as its tower", _sizes),
        Facet("the start: words, then small random numbers", _starts),
        Facet("all of them learn", _all_learn),
        Facet("no number is shared", _own_numbers),
        Facet("drawn anew, text first", _drawn_in_order),
    ),
    hints=(
        "Two lists of `depth` prompts. The only difference: the text tower has words to start with, and the image "
        "tower has none. And each tower has its own width.",
        f"torch.randn(n, width) * {STD} is a random prompt; a list comprehension draws a new one per layer. The text "
        "list is words.clone() and depth - 1 random ones. torch.nn.ParameterList([...]) makes parameters of tensors.",
        f"deeper = [torch.randn(n, clip.text_width) * {STD} for _ in range(depth - 1)], then text = "
        "torch.nn.ParameterList([words.clone(), *deeper]); vision likewise, with depth random prompts of "
        "clip.vision_width. Return text, vision.",
    ),
    meaning="Two lists of parameters, and not one number that both towers share: that is IVLP.",
    mistakes=START_MISTAKES,
)


# 07.2: how many

NUMBERS = Exercise(
    number="07.2",
    title="Count IVLP's parameters",
    reference=2 * 12 * 512 + 2 * 12 * 768,
    facets=(number(30_720, 0.5),),
    hints=(
        "Count one tower, then the other, and add. Where does a prompt's width come from?",
        "A tower has 12 prompts, one per layer; a prompt has 2 tokens; a token has as many numbers as the tower is "
        "wide, 512 in the text tower and 768 in the image tower.",
        "2 * 12 * 512 + 2 * 12 * 768.",
    ),
    meaning="Both towers together learn fewer than half as many numbers as VPT's 73,728 in one.",
    mistakes=Mistakes(
        {
            "text alone": Mistake(
                "this is the text tower alone, 2 x 12 x 512: the image tower's prompts are missing", value=2 * 12 * 512
            ),
            "vision alone": Mistake(
                "this is the image tower alone, 2 x 12 x 768: the text tower's prompts are missing", value=2 * 12 * 768
            ),
            "one width for both": Mistake(
                "you took 512 for both towers: prompts of the image tower are 768 wide. (It is also the number of deep "
                "language prompting with its four tokens)",
                value=2 * 2 * 12 * 512,
            ),
            "the other width": Mistake(
                "you took 768 for both towers: prompts of the text tower are 512 wide", value=2 * 2 * 12 * 768
            ),
            "one layer": Mistake(
                "this is one layer: every prompted layer has prompts of its own", value=2 * (512 + 768)
            ),
            "one token": Mistake("this is one token in every layer: n is 2", value=12 * (512 + 768)),
            "the words are free": Mistake(
                "the first text prompt counts, too: it starts as words, and then it learns",
                value=2 * 12 * 1280 - 2 * 512,
            ),
            "one of the words is free": Mistake(
                "the first text prompt counts, too: it starts as words, and then it learns", value=2 * 12 * 1280 - 512
            ),
            "eleven layers": Mistake("the first layer counts, too: 12 prompted layers, not 11", value=2 * 11 * 1280),
            "MaPLe's depth": Mistake(
                "this is a depth of 9, which is MaPLe's; IVLP prompts all 12 layers", value=2 * 9 * 1280
            ),
            "four tokens": Mistake("four tokens in every layer: IVLP has 2", value=4 * 12 * 1280),
            "multiplied": Mistake(
                "the two towers' numbers are added, and not multiplied: neither sees the other's",
                value=2 * 12 * 512 * 768,
            ),
            "neither tokens nor layers": Mistake(
                "this is one token in one layer: times the tokens, times the layers", value=512 + 768
            ),
            "MaPLe's": Mistake("this is MaPLe, with its couplings", value=3_555_072),
            "VPT's": Mistake("this is VPT's number, with 8 tokens in the image tower alone", value=8 * 12 * 768),
            "the tiny CLIP's": Mistake(
                "this is our tiny CLIP, 6 layers of width 128: take the widths and layers of ViT-B/16",
                value=2 * 2 * 6 * 128,
            ),
            "words": Mistake(words="write digits", value="30 thousand"),
        },
    ),
)


# 07.3: gradient norms

LABELS = torch.tensor([0, 2, 1, 1, 0])
IMAGES = draw(len(LABELS), 3, 32, 32, seed=8)


def new_model() -> PromptedCLIP:
    """An untrained IVLP on the small CLIP, the same at every call."""
    with seeded(2):
        return PromptedCLIP(small_clip(), IVLP(small_clip(), 2), NAMES)


def gradient_norms(model: PromptedCLIP, images: Tensor, labels: Tensor) -> dict[str, float]:
    """{parameter: norm of the gradient of the cross-entropy} of what the learner of `model` learns; frozen ones 0."""
    model.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    named = model.learner.named_parameters()
    return {name: 0.0 if w.grad is None else w.grad.norm().item() for name, w in named}


ZERO, BACKWARD, LOSS = "model.zero_grad()", "loss.backward()", "F.cross_entropy(model(images), labels)"
IF, NORM = "0.0 if w.grad is None else ", "w.grad.norm().item()"
NORMS = f"{{name: {IF}{NORM} for name, w in named}}"


def _norm(cause: str, numbers: str) -> Mistake:
    """A mistake: something else of a gradient's numbers than their norm."""
    return Mistake(cause, {"norm()": numbers})


NORMS_MISTAKES = Mistakes(
    {
        "no return": Mistake(words="did you forget it?", patch={"return {": "found = {"}),
        "a list": Mistake(words="return {name: norm}", patch={NORMS: f"[{IF}{NORM} for name, w in named]"}),
        "CLIP as well": Mistake(
            "CLIP's weights are there, too, and they are frozen: go through model.learner only",
            {"model.learner.named": "model.named"},
        ),
        "one branch": Mistake(words="both branches", patch={"in named}": 'in named if name.startswith("text")}'}),
        "names from the model": Mistake(
            "these are the names in model; take those in model.learner, without 'learner.' in front",
            {"{name:": '{f"learner.{name}":'},
        ),
        "numbers for names": Mistake(
            words="take names and parameters from",
            patch={"{name:": "{i:", "name, w in named": "i, (_, w) in enumerate(named)"},
        ),
        "a tensor": Mistake(words="take the number out of the tensor", patch={".item()": ""}),
        "a norm per token": Mistake(
            "a norm is one number for the whole gradient: .norm() without dim, then .item()",
            {"norm().item()": "norm(dim=-1)"},
        ),
        "no backward": Mistake(
            "there is no gradient yet: call loss.backward() before you read .grad",
            {BACKWARD: "", f"{IF}{NORM}": "w.grad"},
        ),
        "no backward, zeros": Mistake("no gradient was there to read: call loss.backward() first", {BACKWARD: ""}),
        "zeroed after": Mistake(
            "the gradients were cleared before you read them: model.zero_grad() comes before backward(), not after",
            {BACKWARD: f"{BACKWARD}\n{ZERO}"},
        ),
        "sum of losses": Mistake(
            "the losses of all pictures were added: cross-entropy takes their mean",
            {LOSS: 'F.cross_entropy(model(images), labels, reduction="sum")'},
        ),
        "softmax twice": Mistake(
            "softmax was taken twice: F.cross_entropy takes logits", {"(images)": "(images).softmax(-1)"}
        ),
        "no logarithm": Mistake(
            "the logarithm is missing: F.nll_loss takes log_softmax, and F.cross_entropy does both",
            {LOSS: "F.nll_loss(model(images).softmax(-1), labels)"},
        ),
        "the first picture": Mistake(
            "only the first picture was asked: take the loss of all of them",
            {LOSS: "F.cross_entropy(model(images[:1]), labels[:1])"},
        ),
        "from the logits": Mistake(
            "you went back from the sum of the logits, and not from a loss", {LOSS: "model(images).sum()"}
        ),
        "no root": _norm("the root is missing: a norm is the root of the sum of squares", "square().sum()"),
        "mean of squares": _norm(
            "this is the root of the mean of squares; a norm takes their sum", "square().mean().sqrt()"
        ),
        "plus and minus": _norm("you added the numbers, so that plus and minus cancel: square them first", "sum()"),
        "absolute values": _norm(
            "you added absolute values, which is the 1-norm; the Euclidean norm takes the root of the sum of squares",
            "abs().sum()",
        ),
        "mean of absolute values": _norm(
            "this is the mean of absolute values; a norm is the root of the sum of squares", "abs().mean()"
        ),
        "the spectral norm": Mistake(
            "of a matrix, torch.linalg.norm(g, 2) is the largest singular value: take g.norm(), without the 2",
            {"w.grad.norm()": "torch.linalg.norm(w.grad, 2)"},
        ),
        "rounded": Mistake(words="were they rounded", patch={NORM: f"round({NORM}, 2)"}),
        "the largest": _norm("this is the largest number; a norm takes all of them", "abs().max()"),
        "mean over tokens": _norm(
            "the norms of the tokens were averaged: take one norm of the whole gradient", "norm(dim=-1).mean()"
        ),
        "sum over tokens": _norm(
            "the norms of the tokens were added: take one norm of the whole gradient", "norm(dim=-1).sum()"
        ),
        "of the parameters": Mistake(
            "these are norms of the parameters and not of their gradients: .grad", {f"{IF}w.grad": "w"}
        ),
        "half of it zeroed": Mistake(words="clear all of them", patch={ZERO: "model.learner.text.zero_grad()"}),
        "not zeroed": Mistake(words="backward() ADDS to .grad", patch={ZERO: ""}),
        "frozen ones are read": Mistake(words="its .grad is None: count that as 0.0", patch={IF: ""}),
        "frozen ones are asked for": Mistake(
            words="autograd.grad refuses frozen parameters",
            body="named = dict(model.learner.named_parameters())\n"
            f"found = torch.autograd.grad({LOSS}, list(named.values()))\n"
            "return {name: g.norm().item() for name, g in zip(named, found)}",
        ),
        "frozen ones are left out": Mistake(
            words="stays in the dict, with 0.0", patch={IF: "", "in named}": "in named if w.grad is not None}"}
        ),
        "frozen ones thawed": Mistake(
            words="you made frozen parameters learn again", patch={ZERO: f"{ZERO}\nmodel.learner.requires_grad_(True)"}
        ),
        "CLIP thawed": Mistake(
            words="ask for gradients after", patch={ZERO: f"{ZERO}\nmodel.clip.requires_grad_(True)"}
        ),
        "a step": Mistake(
            words="prompts that have moved",
            patch={
                f"return {NORMS}": f"found = {NORMS}\n"
                "torch.optim.SGD(model.learner.parameters(), lr=0.1).step()\nreturn found"
            },
        ),
        "no gradients at all": Mistake(words="RuntimeError", patch={"(images)": "(images).detach()"}),
    },
    gradient_norms,
)


def _on(fn: Function, model: PromptedCLIP) -> dict[str, float]:
    """What a submission returns for a model; CLIP is as before afterwards."""
    with kept(model.clip):
        return fn(model, IMAGES.clone(), LABELS.clone())


def _named_numbers(fn: Function) -> None:
    """A dict of plain numbers, by the names of the learner's parameters."""
    came = _on(fn, model := new_model())
    names = [name for name, _ in model.learner.named_parameters()]
    expected = f"a dict with the keys {', '.join(names)}"
    if not isinstance(came, dict):
        cause = cause_of_type(None, dict) if came is None else "return {name: norm}, a number for every parameter"
        raise Finding(expected, describe(came), cause)
    if set(came) != set(names):
        keys = list(map(str, came))
        cause = "take names and parameters from model.learner.named_parameters()"
        if set(keys) < set(names):
            cause = "some parameters are missing: go through model.learner.named_parameters(), both branches"
        listed = f"{len(keys)} keys: {', '.join(keys[:4])}{', ...' * (len(keys) > 4)}"
        raise Finding(expected, listed, cause, sorted(keys))
    for name, value in came.items():
        if not is_number(value):
            cause = "take the number out of the tensor: .item()"
            said = describe(value)
            raise Finding("a plain number for every name", f"{name!r}: {said}", cause, said)


@lru_cache
def _reference_norms() -> dict[str, float]:
    return gradient_norms(new_model(), IMAGES, LABELS)


def _right_norms(fn: Function) -> None:
    """The values; the evidence is what came, and whether a gradient went through the prompts at all."""
    model, wanted, went = new_model(), _reference_norms(), []
    model.learner.text_prompts()[0].register_hook(lambda gradient: went.append(True))
    came = _on(fn, model)
    if agree(wanted, came, 1e-7):
        return
    cause = "in this order: logits, F.cross_entropy, backward, and the root of the sum of squares of every .grad"
    if agree(wanted, came, 0.06) and any(came.values()):
        cause = "nearly right: were they rounded? Return the numbers as they are"
    raise Finding(literal(wanted), literal(came), cause, [came, bool(went)], 1e-7)


def _twice(fn: Function) -> None:
    """A second call, with gradients of the first still there, gives the same numbers."""
    model = new_model()
    first, second = _on(fn, model), _on(fn, model)
    if agree(first, second, 1e-6):
        return
    name = next(name for name in first if not agree(first[name], second[name], 1e-6))
    cause = "backward() ADDS to .grad, and gradients of the first call are still there: clear all of them first"
    raise Finding(f"the same numbers from a second call ({name} {literal(first[name])})", literal(second[name]), cause)


def _frozen_is_zero(fn: Function) -> None:
    """A frozen branch has norm 0, and the other one its own."""
    model = new_model()
    model.learner.vision.requires_grad_(False)
    expected = "0.0 for the frozen vision prompts, and no exception"
    try:
        came = _on(fn, model)
    except (AttributeError, TypeError, RuntimeError) as error:
        cause = "a frozen parameter gets no gradient, its .grad is None: count that as 0.0"
        if isinstance(error, RuntimeError):
            cause = (
                "autograd.grad refuses frozen parameters: ask for those with requires_grad, and count the others as 0"
            )
        raise Finding(expected, f"{type(error).__name__}: {str(error)[:80]}", cause) from None
    wanted = {name: 0.0 if name.startswith("vision") else norm for name, norm in _reference_norms().items()}
    if not agree(wanted, came, 1e-7):
        cause = "a frozen parameter stays in the dict, with 0.0, and the text prompts' norms are what they were"
        if any(norm for name, norm in came.items() if name.startswith("vision")):
            cause = "you made frozen parameters learn again: leave requires_grad as it is"
        raise Finding(expected, literal(came), cause)


def _nothing_moves(fn: Function) -> bool | str:
    """Looking at gradients changes no parameter, and thaws none of CLIP."""
    model = new_model()
    before = [weight.detach().clone() for weight in model.learner.parameters()]
    came = fn(model, IMAGES.clone(), LABELS.clone())
    thawed = any(weight.requires_grad for weight in model.clip.parameters())
    small_clip().requires_grad_(False)
    if thawed:
        return "CLIP's weights ask for gradients after your call"
    return (came is not None and agree(before, [w.detach() for w in model.learner.parameters()], 0)) or (
        "prompts that have moved"
    )


GRADIENTS = Exercise(
    number="07.3",
    title="How large is each gradient?",
    reference=gradient_norms,
    facets=(
        Facet("a number for every parameter of the learner", _named_numbers),
        Facet("the norms of the gradients", _right_norms),
        invariant(
            "looking changes nothing",
            _nothing_moves,
            expected="prompts as they were, and a frozen CLIP",
            cause="only compute the gradients and read them: no optimizer step, and requires_grad stays as it is",
        ),
        Facet("a second call gives the same numbers", _twice),
        Facet("a frozen branch counts as 0", _frozen_is_zero),
    ),
    hints=(
        "The first half of a training step: logits, loss, backward. Then read, and do not step. What does backward() "
        "do with gradients that are already there?",
        "model.zero_grad() clears old gradients. After loss.backward() every parameter that learns has .grad; a frozen "
        "one has None there. model.learner.named_parameters() gives names and parameters.",
        "model.zero_grad(); F.cross_entropy(model(images), labels).backward(); then a dict comprehension over "
        "model.learner.named_parameters() with 0.0 if weight.grad is None else weight.grad.norm().item().",
    ),
    meaning="One loss fills both branches with gradients, and nothing in CLIP.",
    mistakes=NORMS_MISTAKES,
)


# 07.4: what a gradient depends on

CHANGED = Exercise(
    number="07.4",
    title="Other text prompts: what happens to the vision prompts' gradient?",
    reference="other numbers",
    facets=(choice("other numbers", ["the same numbers", "zero"]),),
    hints=(
        "Follow the loss backwards into the image tower. Through which product does it have to go?",
        "A logit is image feature times text feature. What is its derivative by the image feature?",
        "The derivative by the image feature is the text feature (times the logit scale). Does a text feature change "
        "when its prompts do?",
    ),
    meaning="The branches share no number, but they meet in every logit: each one's gradient depends on the other.",
    mistakes=Mistakes(
        {
            "the same": Mistake(
                "no parameter is shared, but the loss is: the gradient of the image features is made of the text "
                "features, and those have changed",
                value="the same numbers",
            ),
            "zero": Mistake(
                "freezing text prompts stops what is learned THERE; the loss still reaches the image tower, through "
                "the image features",
                value="zero",
            ),
            "something else": Mistake(words="this is none of the choices", value=True),
        },
    ),
)


# 07.5: one branch alone


def branches(learner: PromptLearner, keep: Collection[str]) -> tuple[list[Tensor], list[Tensor]]:
    """Text and vision prompts of a learner, with those of a tower that is not in `keep` left out: []."""
    text = learner.text_prompts() if "text" in keep else []
    vision = learner.vision_prompts() if "vision" in keep else []
    return text, vision


RETURN, TEXT_ALONE, VISION_ALONE = "return text, vision", ' if "text" in keep else []', ' if "vision" in keep else []'


def _otherwise(expression: str) -> dict[str, str]:
    """A patch: prompts of a tower that is not in `keep`, from all of its prompts, `{}`."""
    towers = {tower: expression.format(f"learner.{tower}_prompts()") for tower in ("text", "vision")}
    return {f'"{tower}" in keep else []': f'"{tower}" in keep else {made}' for tower, made in towers.items()}


BRANCHES_MISTAKES = Mistakes(
    {
        "no return": Mistake(words="did you forget it?", patch={RETURN: "pass"}),
        "one list": Mistake(words="return both, also where one is empty", patch={RETURN: "return text or vision"}),
        "None for nothing": Mistake(words="no prompts is an empty list", patch={"else []": "else None"}),
        "zeros for nothing": Mistake(
            "zeros are prompts, too: their tokens stand in the sentence and are attended to. Leave the list empty",
            _otherwise("[0 * p for p in {}]"),
        ),
        "first layer left": Mistake(
            "the first layer still has its prompt: leave all of them out", _otherwise("{}[:1]")
        ),
        "the wrong branch": Mistake(
            "the wrong branch was left out: keep names the towers that KEEP their prompts",
            {'"text" in': '"vision" in', '"vision" in': '"text" in'},
        ),
        "the wrong order": Mistake(
            "the branches are in the wrong order: text first, then vision", {RETURN: "return vision, text"}
        ),
        "text always": Mistake("text prompts are there although 'text' is not in keep", {TEXT_ALONE: ""}),
        "vision always": Mistake("vision prompts are there although 'vision' is not in keep", {VISION_ALONE: ""}),
        "all": Mistake("everything is kept, whatever keep says", {TEXT_ALONE: "", VISION_ALONE: ""}),
        "nothing": Mistake("nothing is kept, whatever keep says", {" in keep": " == keep"}),
        "elif": Mistake(
            "with both towers in keep, both have prompts: ask for each tower on its own, and not with elif",
            body='if "text" in keep:\n    return learner.text_prompts(), []\n'
            'elif "vision" in keep:\n    return [], learner.vision_prompts()\nreturn [], []',
        ),
        "destroys": Mistake(
            words="change nothing in the learner",
            patch={RETURN: f"for p in learner.parameters():\n    p.data *= len(keep) > 0\n{RETURN}"},
        ),
        "freezes": Mistake(words="prompts are frozen", patch={RETURN: f"learner.requires_grad_(False)\n{RETURN}"}),
        "empty tensors": Mistake(words="an empty tensor per layer", patch=_otherwise("[p[:0] for p in {}]")),
        "methods without brackets": Mistake(words="call the method", patch={"_prompts()": "_prompts"}),
        "text and vision in keep": Mistake(
            "in Python, 'text' and 'vision' in keep asks for 'vision' alone: write in keep for each of them",
            body="text, vision = learner.text_prompts(), learner.vision_prompts()\n"
            'if "text" and "vision" in keep:\n    return text, vision\nreturn text if "text" in keep else [], []',
        ),
        "by attributes": Mistake(
            words="ask the learner by its methods",
            patch={f"learner.{tower}_prompts()": f"list(learner.{tower})" for tower in ("text", "vision")},
        ),
    },
    branches,
)


def new_learner(kind: type[IVLP] | type[MaPLe] = IVLP) -> IVLP | MaPLe:
    """A new learner on the small CLIP, the same at every call: what a submission does to one, the next does not see."""
    with seeded(4):
        return kind(small_clip(), 2)


KEPT: dict[str, tuple[str, ...]] = {
    "both towers": ("text", "vision"),
    "no tower": (),
    "text alone": ("text",),
    "vision alone": ("vision",),
}


def _pair(fn: Function) -> None:
    """A pair of lists, whatever is kept."""
    for keep in KEPT.values():
        came = fn(new_learner(), keep)
        expected = "two lists, text prompts and vision prompts"
        if not isinstance(came, tuple | list) or len(came) != 2:
            cause = "return both, also where one is empty: return text, vision"
            if came is None:
                cause = cause_of_type(None, tuple)
            raise Finding(expected, f"{describe(came)} for keep={keep}", cause)
        for tower, prompts in zip(("text", "vision"), came, strict=True):
            if not isinstance(prompts, list | tuple | nn.ParameterList):
                cause = "each tower's prompts are a list, one per layer"
                if prompts is None:
                    cause = "no prompts is an empty list, []: the encoders go through it"
                elif callable(prompts):
                    cause = f"call the method: learner.{tower}_prompts(), with brackets"
                raise Finding(expected, f"{describe(prompts)} as {tower} prompts for keep={keep}", cause)
            if any(not isinstance(prompt, Tensor) or not len(prompt) for prompt in prompts):
                cause = "a tower without prompts gets [], and not a list with a None or an empty tensor per layer"
                raise Finding(expected, f"{len(prompts)} {tower} prompts without tokens for keep={keep}", cause)


def _lists(fn: Function) -> Function:
    """A submission with plain lists of constants for what it returns."""
    return lambda learner, keep: tuple([p.detach() for p in prompts] for prompts in fn(learner, keep))


def _equal(name: str, keep: tuple[str, ...]) -> Facet:
    """A facet: for these towers, the branches are the package's."""
    return Facet(name, lambda fn: equals((new_learner(), keep), _lists(branches), name=name).test(_lists(fn)))


def _still_there(fn: Function) -> bool | str:
    """The learner has all of its prompts after the call, and they still learn."""
    learner = new_learner()
    before = [p.detach().clone() for p in learner.parameters()]
    for keep in KEPT.values():
        fn(learner, keep)
        if not agree(before, [p.detach() for p in learner.parameters()], 0):
            return f"a learner that lost prompts, after keep={keep}"
        if not all(p.requires_grad for p in learner.parameters()):
            return f"a learner whose prompts are frozen, after keep={keep}"
    return True


def _any_learner(fn: Function) -> None:
    """A learner whose vision prompts are computed answers, too."""
    expected = "the prompts of MaPLe, too, where vision prompts are computed from others"
    cause = "ask the learner by its methods, text_prompts() and vision_prompts(): not every learner keeps such lists"
    try:
        text, vision = fn(new_learner(MaPLe), ("vision",))
    except AttributeError as error:
        raise Finding(expected, f"AttributeError: {error}", cause) from None
    if not agree([], list(text), 0) or not agree(new_learner(MaPLe).vision_prompts(), list(vision), 1e-6):
        raise Finding(expected, f"{len(text)} text prompts and {len(vision)} vision prompts", cause)


BRANCHES = Exercise(
    number="07.5",
    title="One branch alone",
    reference=branches,
    facets=(
        Facet("two lists", _pair),
        *(_equal(name, keep) for name, keep in KEPT.items()),
        invariant(
            "the learner keeps its prompts",
            _still_there,
            expected="a learner with all of its prompts after the call",
            cause="choose what to return, and change nothing in the learner: no del, zero_, .data = or requires_grad_",
        ),
        Facet("works for any learner", _any_learner),
    ),
    hints=(
        "A tower without prompts is the frozen CLIP itself. How does a learner say that a tower has no prompts? "
        "(Zero-shot CLIP is a learner, too.)",
        "learner.text_prompts() and learner.vision_prompts() return lists. Replace each by an empty list if its tower "
        "is not in keep, each on its own.",
        'text = learner.text_prompts() if "text" in keep else []; the same for vision; return text, vision.',
    ),
    meaning="An empty list is the frozen tower: words where prompts stood, and pictures as CLIP sees them.",
    mistakes=BRANCHES_MISTAKES,
)


EXERCISES: tuple[Exercise, ...] = (PROMPTS, NUMBERS, GRADIENTS, CHANGED, BRANCHES)
