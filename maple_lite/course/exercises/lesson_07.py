"""The exercises of lesson 07, IVLP: prompts for both towers, their number, their gradients, and one branch alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP
from maple_lite.course.exercises.lesson_04 import NAMES
from maple_lite.course.exercises.shared import draw, kept, small_clip
from maple_lite.course.teach.causes import cause_of_type, mismatch
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, choice, equals, invariant, number
from maple_lite.course.teach.values import agree, describe, is_number, literal
from maple_lite.learners import IVLP, MaPLe, PromptLearner, random_prompt
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.seeds import seeded

DEPTH, N_CTX = 3, 4  # of the checks' prompts; the small CLIP has 3 text layers
TEXT, VISION = 48, 64  # widths of the small CLIP
STD = 0.02  # of random prompts


# 07.1: prompts for both towers


def independent_prompts(clip: FrozenCLIP, words: Tensor, depth: int) -> tuple[nn.ParameterList, nn.ParameterList]:
    """IVLP's text prompts [n, d_t], `words` and then random ones, and its vision prompts [n, d_v], all random."""
    n_ctx = len(words)
    deeper = [random_prompt(n_ctx, clip.text_width, clip.device) for _ in range(depth - 1)]
    text = nn.ParameterList([words.clone(), *deeper])
    vision = nn.ParameterList([random_prompt(n_ctx, clip.vision_width, clip.device) for _ in range(depth)])
    return text, vision


WORDS = draw(N_CTX, TEXT, seed=7) * 0.3


def _made(fn: Function, words: Tensor = WORDS, depth: int = DEPTH) -> tuple[Any, Any]:
    """What a submission makes for the small CLIP, by a fixed start of the random numbers."""
    with seeded(3):
        came = fn(small_clip(), words.clone(), depth)
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
            if tower == "text" and len(prompts) == DEPTH + 1:
                cause = "the words are the prompt of the first layer: only depth - 1 random ones follow"
            elif tower == "vision" and len(prompts) == DEPTH - 1:
                cause = "the vision tower has no words, so that all of its depth prompts are random"
            elif len(prompts) == 1:
                cause = "only the first layer has a prompt: deep prompting gives every layer below depth its own"
            raise Finding(f"{DEPTH} {tower} prompts, for a depth of {DEPTH}", f"{len(prompts)} {tower} prompts", cause)


def _sizes(fn: Function) -> None:
    """Every prompt has its tower's width, and as many tokens as there are words."""
    for tower, width, other, prompts in zip(("text", "vision"), (TEXT, VISION), (VISION, TEXT), _made(fn), strict=True):
        for layer, prompt in enumerate(prompts):
            shape = tuple(prompt.shape)
            if shape == (N_CTX, width):
                continue
            cause = f"n is len(words), the width is clip.{tower}_width"
            if shape == (N_CTX, other):
                cause = f"this is the width of the other tower: {tower} prompts are clip.{tower}_width wide"
            elif shape == (width, N_CTX):
                cause = "tokens come first, then their numbers: [n, width]"
            elif shape == (N_CTX, small_clip().embed_dim):
                cause = f"this is the joint width D; prompts live inside the tower: clip.{tower}_width"
            elif shape == (width,):
                cause = f"this is one token; a prompt has n = len(words) = {N_CTX} of them"
            elif len(shape) == 2 and shape[1] == width:
                cause = f"n is len(words), here {N_CTX}: read it from words"
            expected = f"{tower} prompt {layer} of [n, {'d_t' if tower == 'text' else 'd_v'}] = [{N_CTX}, {width}]"
            raise Finding(expected, describe(prompt.data), cause)


def _starts(fn: Function) -> None:
    """The first text prompt is the words, and the others are small random numbers."""
    text = _made(fn)[0]
    if not agree(WORDS, text[0].data, 1e-6):
        causes = {
            "the words are the prompt of the first layer, and stand in another one: put them in front": any(
                agree(WORDS, prompt.data, 1e-6) for prompt in text
            ),
            "the words were scaled: use them as they are": bool(
                F.cosine_similarity(WORDS.flatten(), text[0].data.flatten(), dim=0) > 0.99
            ),
        }
        cause = next((cause for cause, found in causes.items() if found), "it is random: it should start as the words")
        raise Finding("words as the text prompt of layer 0", "another tensor there", cause)
    with seeded(3):
        plenty = [
            ("text", fn(small_clip(), WORDS.repeat(50, 1), DEPTH)[0][1:]),
            ("vision", fn(small_clip(), WORDS.repeat(50, 1), DEPTH)[1]),
        ]
    for tower, prompts in plenty:  # 200 tokens, so that mean and spread are sharp
        for prompt in prompts:
            _require_random(tower, prompt.data)


def _require_random(tower: str, prompt: Tensor) -> None:
    """Finding unless a prompt of many tokens looks drawn from N(0, 0.02^2)."""
    mean, std = prompt.mean().item(), prompt.std().item()
    if abs(std / STD - 1) < 0.1 and abs(mean) < 0.1 * STD:
        return
    cause = f"its spread should be {STD}: torch.randn(...) * {STD}"
    if prompt.shape == (50 * N_CTX, TEXT) and agree(WORDS.repeat(50, 1), prompt, 1e-6):
        cause = "the words are for the first layer alone; the deeper text prompts start at random"
    elif std == 0:
        cause = "all of its tokens are equal, and would get equal gradients for ever: draw them at random"
    elif abs(std / 1 - 1) < 0.1:
        cause = f"torch.randn has spread 1: multiply it by {STD}"
    elif abs(std / STD**2 - 1) < 0.1:
        cause = f"{STD} is the standard deviation, and not the variance: multiply by {STD}, once"
    elif abs(mean) > 0.3 * std:
        cause = "the numbers are all on one side of 0: torch.rand draws from 0 to 1, torch.randn around 0"
    elif abs(std / (STD / 3**0.5) - 1) < 0.1:
        cause = "these are uniform numbers; torch.randn draws normal ones"
    elif abs(std / STD - 2**0.5) < 0.1:
        cause = "two random tensors were added"
    raise Finding(
        f"random {tower} prompts, mean 0 and standard deviation {STD}",
        f"mean {mean:.2g} and standard deviation {std:.2g}",
        cause,
    )


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
        cause = (
            "the parameter is the very tensor that was passed in, so that training would write into it: words.clone()"
        )
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
        cause = "something seeds torch inside the function, so that all starts are one: the notebook seeds around it"
        raise Finding("other random numbers from another start", "the same again", cause)
    with seeded(3):
        begin = random_prompt(N_CTX, VISION, first.device)
    if agree(begin, first, 1e-7):
        cause = "finish the list of text prompts first: then the same seed gives the numbers that the package draws"
        raise Finding("text prompts drawn before vision prompts", "a vision prompt drawn first", cause)


PROMPTS = Exercise(
    number="07.1",
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
)


# 07.2: how many

NUMBERS = Exercise(
    number="07.2",
    title="Count IVLP's parameters",
    reference=2 * 12 * 512 + 2 * 12 * 768,
    facets=(
        number(
            30_720,
            0.5,
            {
                12_288: "this is the text tower alone, 2 x 12 x 512: the image tower's prompts are missing",
                18_432: "this is the image tower alone, 2 x 12 x 768: the text tower's prompts are missing",
                24_576: "you took 512 for both towers: prompts of the image tower are 768 wide. (It is also the number "
                "of deep language prompting with its four tokens)",
                36_864: "you took 768 for both towers: prompts of the text tower are 512 wide",
                2_560: "this is one layer: every prompted layer has prompts of its own",
                15_360: "this is one token in every layer: n is 2",
                30_208: "the first text prompt counts, too: it starts as words, and then it learns",
                29_696: "the first text prompt counts, too: it starts as words, and then it learns",
                28_160: "the first layer counts, too: 12 prompted layers, not 11",
                23_040: "this is a depth of 9, which is MaPLe's; IVLP prompts all 12 layers",
                61_440: "four tokens in every layer: IVLP has 2",
                9_437_184: "the two towers' numbers are added, and not multiplied: neither sees the other's",
                1_280: "this is one token in one layer: times the tokens, times the layers",
                3_072: "this is our tiny CLIP, 6 layers of width 128: take the widths and layers of ViT-B/16",
                3_555_072: "this is MaPLe, with its couplings",
                73_728: "this is VPT's number, with 8 tokens in the image tower alone",
            },
        ),
    ),
    hints=(
        "Count one tower, then the other, and add. Where does a prompt's width come from?",
        "A tower has 12 prompts, one per layer; a prompt has 2 tokens; a token has as many numbers as the tower is "
        "wide, 512 in the text tower and 768 in the image tower.",
        "2 * 12 * 512 + 2 * 12 * 768.",
    ),
    meaning="Both towers together learn fewer than half as many numbers as VPT's 73,728 in one.",
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
    return _norms_of(model, images, labels)


def _norms_of(
    model: PromptedCLIP,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Callable[[Tensor], Tensor] = torch.linalg.vector_norm,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    weights: bool = False,
) -> dict[str, float]:
    """`gradient_norms`; with another norm, another loss, or of the parameters themselves, the known mistakes."""
    named = dict(model.learner.named_parameters())
    asking = {name: weight for name, weight in named.items() if weight.requires_grad}
    gradients = torch.autograd.grad(loss(model(images), labels), list(asking.values()))
    found = dict(zip(asking, asking.values() if weights else gradients, strict=True))
    return {name: norm(found[name].detach()).item() if name in found else 0.0 for name in named}


def _wrong(**changes: Any) -> Function:
    return lambda model, images, labels: _norms_of(model, images, labels, **changes)


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
        if any(key.startswith("clip.") for key in keys):
            cause = "CLIP's weights are there, too, and they are frozen: go through model.learner only"
        elif any(key.startswith("learner.") for key in keys):
            cause = "these are the names in model; take those in model.learner, without 'learner.' in front"
        elif set(keys) < set(names):
            cause = "some parameters are missing: go through model.learner.named_parameters(), both branches"
        raise Finding(expected, f"{len(keys)} keys: {', '.join(keys[:4])}{', ...' * (len(keys) > 4)}", cause)
    for name, value in came.items():
        if not is_number(value):
            cause = "take the number out of the tensor: .item()"
            if isinstance(value, Tensor) and value.numel() > 1:
                cause = "a norm is one number for the whole gradient: .norm() without dim, then .item()"
            elif value is None:
                cause = "there is no gradient yet: call loss.backward() before you read .grad"
            raise Finding("a plain number for every name", f"{name!r}: {describe(value)}", cause)


@lru_cache
def _reference_norms() -> Mapping[str, float]:
    return _norms_of(new_model(), IMAGES, LABELS)


def _right_norms(fn: Function) -> None:
    """The values, with the known mistakes by name."""
    model, wanted, went = new_model(), dict(_reference_norms()), []
    model.learner.text_prompts()[0].register_hook(lambda gradient: went.append(True))
    came = _on(fn, model)
    if agree(wanted, came, 1e-7):
        return
    variants: dict[str, Function] = {
        "the losses of all pictures were added: cross-entropy takes their mean": _wrong(
            loss=lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")
        ),
        "the logarithm is missing: F.nll_loss takes log_softmax, and F.cross_entropy does both": _wrong(
            loss=lambda logits, labels: F.nll_loss(logits.softmax(dim=-1), labels)
        ),
        "only the first picture was asked: take the loss of all of them": _wrong(
            loss=lambda logits, labels: F.cross_entropy(logits[:1], labels[:1])
        ),
        "softmax was taken twice: F.cross_entropy takes logits": _wrong(
            loss=lambda logits, labels: F.cross_entropy(logits.softmax(dim=-1), labels)
        ),
        "the sign and size of all logits: you went back from the logits and not from a loss": _wrong(
            loss=lambda logits, labels: logits.sum()
        ),
        "the root is missing: a norm is the root of the sum of squares": _wrong(norm=lambda g: g.square().sum()),
        "this is the root of the mean of squares; a norm takes their sum": _wrong(
            norm=lambda g: g.square().mean().sqrt()
        ),
        "you added the numbers, so that plus and minus cancel: square them first": _wrong(norm=torch.sum),
        "you added absolute values, which is the 1-norm; the Euclidean norm takes the root of the sum of squares": (
            _wrong(norm=lambda g: g.abs().sum())
        ),
        "this is the mean of absolute values; a norm is the root of the sum of squares": _wrong(
            norm=lambda g: g.abs().mean()
        ),
        "of a matrix, torch.linalg.norm(g, 2) is the largest singular value: take g.norm(), without the 2": _wrong(
            norm=lambda g: torch.linalg.matrix_norm(g, 2)
        ),
        "this is the largest number; a norm takes all of them": _wrong(norm=lambda g: g.abs().max()),
        "the norms of the tokens were averaged: take one norm of the whole gradient": _wrong(
            norm=lambda g: g.norm(dim=-1).mean()
        ),
        "the norms of the tokens were added: take one norm of the whole gradient": _wrong(
            norm=lambda g: g.norm(dim=-1).sum()
        ),
        "these are norms of the parameters and not of their gradients: .grad": _wrong(weights=True),
    }
    for cause, wrong in variants.items():
        if agree(wrong(new_model(), IMAGES, LABELS), came, 1e-7):
            raise mismatch(wanted, came, cause)
    first = next(name for name in wanted if not agree(wanted[name], came[name], 1e-7))
    if not any(came.values()):
        cause = "no gradient was there to read: call loss.backward() first"
        if went:
            cause = (
                "the gradients were cleared before you read them: model.zero_grad() comes before backward(), not after"
            )
        raise Finding(f"{first} {literal(wanted[first])}", "0 everywhere", cause)
    cause = "in this order: logits, F.cross_entropy, backward, and the root of the sum of squares of every .grad"
    if agree(wanted, came, 0.06):
        cause = "nearly right: were they rounded? Return the numbers as they are"
    raise Finding(f"{first} {literal(wanted[first])}", literal(came[first]), cause)


def _twice(fn: Function) -> None:
    """A second call, with gradients of the first still there, says the same."""
    model = new_model()
    first, second = _on(fn, model), _on(fn, model)
    if agree(first, second, 1e-6):
        return
    others = [name for name in first if not agree(first[name], second[name], 1e-6)]
    name, cause = others[0], "something is left over from the first call"
    if all(agree(2 * first[name], second[name], 1e-6) for name in others):
        cause = "backward() ADDS to .grad, and the gradients of the first call are still there: model.zero_grad() first"
        if len(others) < len(first):
            cause = "some gradients of the first call are still there, and backward() ADDS to them: clear all of them"
    raise Finding(f"the same numbers from a second call ({name} {literal(first[name])})", literal(second[name]), cause)


def _frozen_is_zero(fn: Function) -> None:
    """A frozen branch has norm 0, and the other one its own."""
    model = new_model()
    model.learner.vision.requires_grad_(False)
    expected = "0.0 for the frozen vision prompts, and no exception"
    try:
        came = _on(fn, model)
    except (AttributeError, TypeError) as error:
        cause = "a frozen parameter gets no gradient, its .grad is None: count that as 0.0"
        raise Finding(expected, f"{type(error).__name__}: {error}", cause) from None
    except RuntimeError as error:
        cause = "autograd.grad refuses frozen parameters: ask for those with requires_grad, and count the others as 0.0"
        raise Finding(expected, f"RuntimeError: {str(error)[:80]}", cause) from None
    frozen = {name: value for name, value in came.items() if name.startswith("vision")}
    if len(frozen) < DEPTH or any(frozen.values()):
        cause = "a frozen parameter stays in the dict, with 0.0"
        if any(frozen.values()):
            cause = "you made frozen parameters learn again: leave requires_grad as it is"
        raise Finding(expected, literal(frozen), cause)
    wanted = {name: value for name, value in _reference_norms().items() if name.startswith("text")}
    if not agree(wanted, {name: value for name, value in came.items() if name.startswith("text")}, 1e-7):
        cause = "the text prompts still learn, and their gradients are what they were"
        raise Finding("the text prompts' norms as before", "other ones", cause)


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
        Facet("a second call says the same", _twice),
        Facet("a frozen branch counts 0", _frozen_is_zero),
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
)


# 07.4: what a gradient depends on

CHANGED = Exercise(
    number="07.4",
    title="Other text prompts: what happens to the vision prompts' gradient?",
    reference="other numbers",
    facets=(
        choice(
            "other numbers",
            {
                "the same numbers": "no parameter is shared, but the loss is: the gradient of the image features is "
                "made of the text features, and those have changed",
                "zero": "freezing text prompts stops what is learned THERE; the loss still reaches the image tower, "
                "through the image features",
            },
        ),
    ),
    hints=(
        "Follow the loss backwards into the image tower. Through which product does it have to go?",
        "A logit is image feature times text feature. What is its derivative by the image feature?",
        "The derivative by the image feature is the text feature (times the logit scale). Does a text feature change "
        "when its prompts do?",
    ),
    meaning="The branches share no number, but they meet in every logit: each one's gradient depends on the other.",
)


# 07.5: one branch alone


def branches(learner: PromptLearner, keep: Collection[str]) -> tuple[list[Tensor], list[Tensor]]:
    """Text and vision prompts of a learner, with those of a tower that is not in `keep` left out: []."""
    text = learner.text_prompts() if "text" in keep else []
    vision = learner.vision_prompts() if "vision" in keep else []
    return list(text), list(vision)


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


def _zeros(learner: PromptLearner, keep: Collection[str]) -> tuple[list[Tensor], list[Tensor]]:
    """Branches with zeros in place of nothing."""
    text, vision = learner.text_prompts(), learner.vision_prompts()
    none = ([torch.zeros_like(p) for p in text], [torch.zeros_like(p) for p in vision])
    return text if "text" in keep else none[0], vision if "vision" in keep else none[1]


def _first_layer_left(learner: PromptLearner, keep: Collection[str]) -> tuple[list[Tensor], list[Tensor]]:
    text, vision = learner.text_prompts(), learner.vision_prompts()
    return text if "text" in keep else text[:1], vision if "vision" in keep else vision[:1]


MISTAKES: dict[str, Function] = {
    "everything is kept, whatever keep says": lambda learner, keep: branches(learner, ("text", "vision")),
    "nothing is kept, whatever keep says": lambda learner, keep: ([], []),
    "zeros are prompts, too: their tokens stand in the sentence and are attended to. Leave the list empty": _zeros,
    "the first layer still has its prompt: leave all of them out": _first_layer_left,
    "the wrong branch was left out: keep names the towers that KEEP their prompts": lambda learner, keep: branches(
        learner, {"text", "vision"} - set(keep)
    ),
    "the branches are in the wrong order: text first, then vision": lambda learner, keep: branches(learner, keep)[::-1],
    "text prompts are there although 'text' is not in keep": lambda learner, keep: branches(learner, {"text", *keep}),
    "vision prompts are there although 'vision' is not in keep": lambda learner, keep: branches(
        learner, {"vision", *keep}
    ),
    "with both towers in keep, both have prompts: ask for each tower on its own, and not with elif": (
        lambda learner, keep: branches(learner, tuple(keep)[:1])
    ),
}


def _lists(fn: Function) -> Function:
    """A submission with plain lists for what it returns."""
    return lambda learner, keep: tuple(list(prompts) for prompts in fn(learner, keep))


ONE_TOWER = {
    "in Python, 'text' and 'vision' in keep asks for 'vision' alone: write in keep for each of them": (
        lambda learner, keep: branches(learner, ("text", "vision") if "vision" in keep else keep)
    ),
}


def _equal(name: str, keep: tuple[str, ...]) -> Facet:
    mistakes = (ONE_TOWER if keep == ("vision",) else {}) | MISTAKES
    return Facet(
        name, lambda fn: equals((new_learner(), keep), branches, name=name, mistakes=mistakes).test(_lists(fn))
    )


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
)


EXERCISES: tuple[Exercise, ...] = (PROMPTS, NUMBERS, GRADIENTS, CHANGED, BRANCHES)
