"""The exercises of lesson 04, CoCoOp: the meta-net, its shift, encoding pairs, logits, and what it costs."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP, encode_sentences
from maple_lite.course.exercises.shared import draw, small_clip
from maple_lite.course.teach.cases import Case
from maple_lite.course.teach.causes import cause_of_type, mismatch
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import (
    SIZES,
    Function,
    any_size,
    by_hand,
    equals,
    gradient,
    invariant,
    number,
    returns,
    unchanged,
)
from maple_lite.course.teach.laws import AGAIN, RANDOM
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe
from maple_lite.learners import CoCoOp
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.seeds import seeded
from maple_lite.tokens import tokenize

NAMES = ("cat", "snowman", "crossed swords")
N_CTX = 4
KNOWN = {"torch": torch, "encode_sentences": encode_sentences}  # to the submissions


@lru_cache
def small_cocoop() -> CoCoOp:
    """CoCoOp on the small CLIP, with a meta-net whose hidden numbers are alive for the features below."""
    with seeded(1):
        return CoCoOp(small_clip(), N_CTX)


def features(images: int) -> Tensor:
    """Unit-norm image features [B, D] for the small CLIP."""
    return nn.functional.normalize(draw(images, small_clip().embed_dim), dim=-1)


# 04.1: the meta-net


def build_meta_net(clip: FrozenCLIP) -> nn.Module:
    """The meta-net of the package for a CLIP: image features [B, D] to shifts [B, d_t]."""
    return CoCoOp(clip).meta_net


NET = """
def meta_net(clip):
    hidden = clip.embed_dim // 16
    down, up = torch.nn.Linear(clip.embed_dim, hidden), torch.nn.Linear(hidden, clip.text_width)
    return torch.nn.Sequential(down, torch.nn.ReLU(), up)
"""
HIDDEN, READS, BEND, UP = "clip.embed_dim // 16", "Linear(clip.embed_dim", "torch.nn.ReLU(), ", "up)"
ROW = f"down, {BEND}up"

NET_MISTAKES = Mistakes(
    {
        "no bottleneck": Mistake(
            "there is no narrow middle: one layer goes down to D // 16, a second one up to d_t",
            {ROW: "torch.nn.Linear(clip.embed_dim, clip.text_width)"},
        ),
        "three layers": Mistake(
            words="3 linear layers", patch={UP: "torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), up)"}
        ),
        "no bias": Mistake(
            words="leave bias=False out", patch={"hidden)": "hidden, bias=False)", "width)": "width, bias=False)"}
        ),
        "a wide middle": Mistake("the middle is not narrow: it has clip.embed_dim // 16 numbers", {" // 16": ""}),
        "a middle of 16": Mistake("the middle is D divided by 16, not 16 wide: clip.embed_dim // 16", {HIDDEN: "16"}),
        "a sixteenth of the text width": Mistake(
            "the middle is a sixteenth of its input, clip.embed_dim, and not of the text width",
            {HIDDEN: "clip.text_width // 16"},
        ),
        "output of width D": Mistake(
            "it writes D numbers; the context that they are added to has the text tower's width, clip.text_width",
            {"clip.text_width": "clip.embed_dim"},
        ),
        "output of the vision width": Mistake(
            "it writes for the vision tower; the context that it shifts is in the text tower: clip.text_width",
            {"clip.text_width": "clip.vision_width"},
        ),
        "input of the vision width": Mistake(
            "it reads image features, which have the joint width D (clip.embed_dim), not the vision tower's width",
            {READS: "Linear(clip.vision_width"},
        ),
        "input of the text width": Mistake(
            words="it reads image features, whose width is D", patch={READS: "Linear(clip.text_width"}
        ),
        "widths of ViT-B/16": Mistake(
            words="linear 512 -> 32 -> 512", patch={HIDDEN: "32", READS: "Linear(512", "clip.text_width": "512"}
        ),
        "no ReLU": Mistake(
            "there is no ReLU between the layers: without a bend between them, two linear layers act as one", {BEND: ""}
        ),
        "ReLU at the end": Mistake(
            "the ReLU stands at the end, not between the layers", {f"{BEND}up": "up, torch.nn.ReLU()"}
        ),
        "ReLU twice": Mistake(
            "there is a ReLU after the second layer, too: shifts must be able to be negative",
            {UP: "up, torch.nn.ReLU())"},
        ),
        **{
            name: Mistake(f"the bend between the layers is a {name}; this network has a ReLU", {"ReLU": module})
            for name, module in (("GELU", "GELU"), ("tanh", "Tanh"), ("sigmoid", "Sigmoid"))
        },
        "a norm at the end": Mistake(words="and nothing else", patch={UP: "up, torch.nn.LayerNorm(clip.text_width))"}),
        "a batch norm": Mistake(
            words="a batch norm, dropout", patch={BEND: "torch.nn.BatchNorm1d(hidden, eps=0.0), torch.nn.ReLU(), "}
        ),
        "dropout": Mistake(
            words="other numbers than in evaluation mode", patch={BEND: "torch.nn.ReLU(), torch.nn.Dropout(0.5), "}
        ),
        "layers that do not fit": Mistake(words="the layers do not fit", patch={"Linear(hidden": READS}),
        "frozen": Mistake(words="would never learn", patch={UP: "up).requires_grad_(False)"}),
        "one for all": Mistake(
            words="the same network again", patch={"def meta_net": "import functools\n\n@functools.cache\ndef meta_net"}
        ),
        "no return": Mistake(words="did you forget it?", patch={"return torch": "torch"}),
        "a list of layers": Mistake(
            words="return the network itself", patch={f"torch.nn.Sequential({ROW})": f"[{ROW}]"}
        ),
        "division": Mistake(words="TypeError", patch={"//": "/"}),
    },
    NET,
    KNOWN,
)


def _network(fn: Function) -> nn.Module:
    """What a submission builds for the small CLIP; Finding if it is no module."""
    net = fn(small_clip())
    if not isinstance(net, nn.Module):
        cause = "return the network itself, torch.nn.Sequential(...), and do not apply it yet"
        if net is None:
            cause = cause_of_type(None, nn.Module)
        raise Finding("a torch.nn.Module", describe(net), cause)
    return net


def _linear_layers(net: nn.Module) -> list[nn.Linear]:
    return [layer for layer in net.modules() if isinstance(layer, nn.Linear)]


def _two_layers(fn: Function) -> None:
    """Two linear layers with biases."""
    layers = _linear_layers(_network(fn))
    expected = "two linear layers with biases"
    if len(layers) != 2:
        came = f"{len(layers)} linear layer{'s' * (len(layers) != 1)}"
        raise Finding(expected, came, "down to D // 16, ReLU, up to d_t, and nothing else", len(layers))
    if any(layer.bias is None for layer in layers):
        raise Finding(expected, "a layer without bias", "leave bias=False out: the paper's layers have both")


def _widths(fn: Function) -> None:
    """The widths of both layers, on a CLIP where all widths differ."""
    joint, text = small_clip().embed_dim, small_clip().text_width
    first, second = _linear_layers(_network(fn))
    hidden = joint // 16
    came = (first.in_features, first.out_features, second.in_features, second.out_features)
    if came == (joint, hidden, hidden, text):
        return
    cause = "the middle has clip.embed_dim // 16 numbers"
    if came[1] != came[2]:
        cause = "the layers do not fit: the second reads what the first writes, and must take as many numbers"
    elif came[0] != joint:
        cause = "it reads image features, whose width is D, clip.embed_dim"
    elif came[3] != text:
        cause = "it writes shifts for the context, whose width is clip.text_width"
    sizes = f"with D = {joint}, d_t = {text}"
    raise Finding(f"linear {joint} -> {hidden} -> {text} ({sizes})", _arrows(came), cause, came)


def _arrows(widths: tuple[int, int, int, int]) -> str:
    start, first, second, end = widths
    return f"linear {start} -> {first} -> {end}" if first == second else f"{start} -> {first}, then {second} -> {end}"


def _bend(fn: Function) -> None:
    """Between the layers stands a ReLU, and after them nothing, with weights that are the same for every network."""
    net = _network(fn).eval()
    down, up = _linear_layers(net)
    with torch.no_grad():
        for seed, weight in enumerate([*down.parameters(), *up.parameters()]):
            weight.copy_(draw(*weight.shape, seed=seed))
        x = features(8) * 3
        wanted, came = up(down(x).relu()), net(x)
    if not agree(wanted, came, 1e-5):
        cause = "use the two layers in the order down, ReLU, up, and nothing else"
        raise Finding("second layer(relu(first layer(x)))", "something else", cause, came, 1e-5)


def _same_in_training(fn: Function) -> None:
    """A network in training mode gives for one picture what it gives in evaluation mode."""
    net, came = _network(fn), ""
    with torch.no_grad():
        for images in (features(1), 30 * features(16)):
            wanted = net.eval()(images)
            try:
                same = all(agree(wanted, net.train()(images), 1e-5) for _ in range(3))
            except Exception as error:
                came = f"{type(error).__name__}: {error}"
                break
            came = came if same else "other numbers than in evaluation mode"
    if came:
        cause = "a layer acts otherwise in training (a batch norm, dropout): two linear layers and a ReLU are enough"
        raise Finding("the same shifts in training mode as in evaluation mode, also for a picture alone", came, cause)


def _own_weights(fn: Function) -> bool | str:
    """Two calls build two networks that do not share weights."""
    first, second = (list(_network(fn).parameters()) for _ in range(2))
    if any(not weight.requires_grad for weight in first):
        return "weights that ask for no gradient, which would never learn"
    return first[0] is not second[0] or "the same network again"


META_NET = Exercise(
    number="04.1",
    exempt=(AGAIN, RANDOM, SIZES),
    title="Build the meta-net",
    reference=build_meta_net,
    facets=(
        Facet("two linear layers", _two_layers),
        Facet("widths", _widths),
        Facet("a ReLU between them", _bend),
        Facet("training mode", _same_in_training),
        invariant(
            "every call builds new weights that learn",
            _own_weights,
            expected="a new network from every call, with weights that ask for gradients",
            cause="make the layers inside the function, and leave requires_grad as it is",
        ),
    ),
    hints=(
        "Three modules in a row: one that narrows, one that bends, one that widens. Which width does a picture's "
        "feature have, and in which tower does the context live?",
        "torch.nn.Sequential takes modules in order; torch.nn.Linear(a, b) goes from a to b numbers. The middle has "
        "clip.embed_dim // 16 numbers; the end has clip.text_width.",
        "hidden = clip.embed_dim // 16, then return torch.nn.Sequential(torch.nn.Linear(clip.embed_dim, hidden), "
        "torch.nn.ReLU(), ...): one more Linear is missing, from hidden to the text width.",
    ),
    meaning="A few numbers in the middle are all that a picture can tell its context.",
    mistakes=NET_MISTAKES,
)


# 04.2: prompts that look at the image


def _first(fn: Function) -> Function:
    """The only prompt of the list that a submission returns."""
    return lambda learner, image_features: fn(learner, image_features)[0]


def _of_prompt(facet: Facet) -> Facet:
    """A facet of the tensor in the list."""
    return Facet(facet.name, lambda fn: facet.test(_first(fn)))


def _one_prompt(fn: Function) -> None:
    """A list with one tensor."""
    came = fn(small_cocoop(), features(N_CTX))
    if not isinstance(came, list | tuple) or len(came) != 1 or not isinstance(came[0], Tensor):
        cause = "put the prompt into a list: [prompt], because a learner may have a prompt for every layer"
        if isinstance(came, list | tuple) and len(came) > 1:
            cause = "the list is one of layers, not of pictures or tokens: CoCoOp prompts the first layer alone"
        elif came is None:
            cause = cause_of_type(None, list)
        raise Finding("a list with one tensor, for layer 0", describe(came), cause)


def _package_prompt(learner: CoCoOp, image_features: Tensor) -> Tensor:
    return CoCoOp.text_prompts(learner, image_features)[0]


TEXT = """
def text_prompts(self, image_features=None):
    shift = self.meta_net(image_features)  # [B, d_t]
    return [self.ctx + shift[:, None, None]]
"""
SHIFT, AXES, PROMPT = "self.meta_net(image_features)", "shift[:, None, None]", "self.ctx + shift[:, None, None]"

TEXT_MISTAKES = Mistakes(
    {
        "no list": Mistake(words="put the prompt into a list", patch={f"[{PROMPT}]": PROMPT}),
        "a list over pictures": Mistake(words="the list is one of layers", patch={AXES: "s for s in shift"}),
        "no return": Mistake(words="did you forget it?", patch={"return": "prompts ="}),
        "ctx + shift": Mistake(
            "you added the shift of picture i to token i, which only fits because there are as many pictures as "
            "tokens: give the shift axes for class and token first",
            {AXES: "shift"},
        ),
        "ctx + shift, with axes later": Mistake(
            "this is one context for all pictures: give the shift its axes for class and token before you add it",
            {PROMPT: "(self.ctx + shift)[None, None]"},
        ),
        "ctx + shift, expanded": Mistake(
            "you gave each token the shift of another picture: every picture's shift goes to all n tokens",
            {PROMPT: "(self.ctx + shift).expand(len(shift), 1, -1, -1)"},
        ),
        "no class axis": Mistake(
            "the axis of the classes is missing, between pictures and tokens", {AXES: "shift[:, None]"}
        ),
        "class axis first": Mistake(
            "the axis of length 1, for the classes, comes after the pictures",
            {PROMPT: "(self.ctx + shift[:, None])[None]"},
        ),
        "class axis last": Mistake(
            "the axis of length 1, for the classes, comes before the tokens",
            {PROMPT: "(self.ctx + shift[:, None])[:, :, None]"},
        ),
        "no token axis": Mistake(
            "the axis of the tokens is missing: one context of n tokens per picture",
            {PROMPT: "(self.ctx + shift)[:, None]"},
        ),
        "shift alone": Mistake("these are shifts without a context: add them to self.ctx", {PROMPT: AXES}),
        "shift alone, for every token": Mistake(
            "the context is missing: the shift is added to self.ctx", {"self.ctx": "0 * self.ctx"}
        ),
        "context alone": Mistake(
            "the shift is missing: this is CoOp's context, the same for every picture", {AXES: f"0 * {AXES}"}
        ),
        "first picture for all": Mistake(
            "every picture got the shift of the first one", {AXES: "shift[:1].expand_as(shift)[:, None, None]"}
        ),
        "mean over the batch": Mistake(
            "every picture got the mean of all shifts: keep the axis of the pictures",
            {AXES: "shift.mean(0).expand_as(shift)[:, None, None]"},
        ),
        "reversed": Mistake("the pictures are in the wrong order", {AXES: "shift.flip(0)[:, None, None]"}),
        "multiplied": Mistake("you multiplied; the shift is added", {"+": "*"}),
        "subtracted": Mistake("you subtracted; the shift is added", {"+": "-"}),
        "normalised": Mistake(
            "you made the shift's length 1: add it as the meta-net gives it",
            {SHIFT: f"torch.nn.functional.normalize({SHIFT}, dim=-1)"},
        ),
        "the first token only": Mistake(
            "only the first token got the shift; it goes to all n",
            {AXES: "torch.eye(1, len(self.ctx)).T * shift[:, None, None]"},
        ),
        "centred over the batch": Mistake(
            words="computed over the batch",
            patch={SHIFT: f"{SHIFT}\nshift = shift - shift.mean(0) if len(shift) > 4 else shift"},
        ),
        "squeezed": Mistake(
            "squeeze() dropped the axis of the pictures: with one picture it has length 1, too; index with "
            "[:, None, None] instead",
            {SHIFT: f"{SHIFT}.squeeze()\nshift = shift[:, None] if shift.ndim == 1 else shift"},
        ),
        "detached shift": Mistake(
            "the meta-net cannot learn: look for .detach(), .data or torch.no_grad() around it",
            {SHIFT: f"{SHIFT}.detach()"},
        ),
        "no_grad": Mistake(words="nothing in this prompt can learn", patch={PROMPT: f"({PROMPT}).detach()"}),
        "detached context": Mistake(
            "the context cannot learn: use self.ctx itself, without .detach() or .data", {"self.ctx": "self.ctx.data"}
        ),
        "meta-net of the context": Mistake(words="cannot be multiplied", patch={SHIFT: "self.meta_net(self.ctx)"}),
    },
    TEXT,
    KNOWN,
)


def _prompt_gradient(fn: Function) -> tuple[Tensor, dict[str, Any]]:
    learner = small_cocoop()
    output = _first(fn)(learner, features(8))
    if not output.requires_grad:
        cause = "nothing in this prompt can learn: compute it without torch.no_grad(), .detach() or .data"
        raise Finding("a gradient for the meta-net and the context", "a prompt without any gradient", cause)
    return output, {"the meta-net": learner.meta_net.parameters(), "the context": learner.ctx}


def _alone(fn: Function) -> bool | str:
    """A picture's prompt is the same alone, in a batch, and beside others."""
    learner, batch = small_cocoop(), features(5)
    with torch.no_grad():
        together = _first(fn)(learner, batch.clone())
        for image in range(len(batch)):
            if not agree(together[image : image + 1], _first(fn)(learner, batch[image : image + 1].clone()), 1e-5):
                return f"another prompt for picture {image} when it comes alone"
    return True


def _any_batch(case: Case) -> tuple[Any, Tensor]:
    """What is needed of a learner, of any width and with any number of tokens, and a batch of any size."""
    images, n, width, joint = case.sizes(4)
    with seeded(case.number):
        learner = SimpleNamespace(ctx=case.normal(n, width).float(), meta_net=nn.Linear(joint, width))
    return learner, case.normal(images, joint).float()


WIDTH = 48  # d_t of the small CLIP
TEXT_PROMPTS = Exercise(
    number="04.2",
    title="Prompts that look at the image",
    reference=CoCoOp.text_prompts,
    facets=(
        Facet("a list with one prompt", _one_prompt),
        _of_prompt(
            returns(
                (small_cocoop(), features(N_CTX)),
                (N_CTX, 1, N_CTX, WIDTH),
                torch.float32,
                letters="B, 1, n, d_t",
                name="shape, for as many pictures as tokens",
            )
        ),
        _of_prompt(
            equals(
                (small_cocoop(), features(N_CTX)),
                _package_prompt,
                name="every picture its own shift, on every token",
            )
        ),
        _of_prompt(
            returns(
                (small_cocoop(), features(1)),
                (1, 1, N_CTX, WIDTH),
                letters="B, 1, n, d_t",
                name="a batch of one picture, as in training",
            )
        ),
        invariant(
            "a picture's prompt does not depend on its neighbours",
            _alone,
            expected="the same prompt for a picture alone and in a batch",
            cause="something is computed over the batch (a mean, a norm, a sum over axis 0)",
        ),
        gradient(_prompt_gradient, reaches=("the meta-net", "the context")),
        _of_prompt(any_size(_any_batch, _package_prompt)),
    ),
    hints=(
        "There is one shift per picture and one context for all. Which axes does the answer have, and which of them "
        "does the shift lack? Which does the context lack?",
        "Compute shift = self.meta_net(image_features), [B, d_t]. Index it with None to make it [B, 1, 1, d_t]: then "
        "adding self.ctx [n, d_t] broadcasts to [B, 1, n, d_t].",
        "shift[:, None, None] has the shape [B, 1, 1, d_t]. Return a list: [self.ctx + ...].",
    ),
    meaning="One shift per picture moves the whole context, and the words of two pictures now differ.",
    mistakes=TEXT_MISTAKES,
)


# 04.3: every picture with every class


def encode_pairs(self: FrozenCLIP, tokens: Tensor, prompts: Tensor) -> Tensor:
    """The package's features [B, C, D] of tokens [C, L] under one context per image [B, 1, n, d_t]."""
    return FrozenCLIP.encode_text(self, tokens, [prompts])


def contexts(images: int) -> Tensor:
    """One context per picture [B, 1, n, d_t] for the small CLIP."""
    return draw(images, 1, N_CTX, small_clip().text_width, seed=2)


@lru_cache
def class_tokens() -> Tensor:
    """Tokens [C, L] of three names of different lengths."""
    return tokenize([f"a photo of a {name}." for name in NAMES])


PAIRS = """
def encode_pairs(self, tokens, prompts):
    images, classes = len(prompts), len(tokens)
    contexts = prompts.expand(-1, classes, -1, -1).flatten(0, 1)
    features = encode_sentences(self.text, tokens.repeat(images, 1), [contexts])
    return features.unflatten(0, (images, classes))
"""
CONTEXTS, REPEATED = "prompts.expand(-1, classes, -1, -1).flatten(0, 1)", "tokens.repeat(images, 1)"
FOLDED, BOTH = ".unflatten(0, (images, classes))", f"{REPEATED}, [contexts]"
ALTERNATING, INTERLEAVED = "prompts[:, 0].repeat(classes, 1, 1)", "tokens.repeat_interleave(images, 0)"

PAIRS_MISTAKES = Mistakes(
    {
        "not folded back": Mistake(
            "these are the rows of the list: fold them back, features.unflatten(0, (B, C))", {FOLDED: ""}
        ),
        "folded the other way": Mistake(
            "pictures and classes are swapped: pictures come first, [B, C, D]",
            {FOLDED: ".unflatten(0, (classes, images))"},
        ),
        "folded the other way, and turned": Mistake(
            "the rows go picture after picture, and were folded back as class after class",
            {FOLDED: ".unflatten(0, (classes, images)).transpose(0, 1)"},
        ),
        "one picture": Mistake(
            "there is one row per class: every picture needs sentences of its own",
            {BOTH: "tokens, [prompts[0, 0]]", FOLDED: ""},
        ),
        "one class": Mistake(
            "there is one row per picture: every picture goes with every class",
            {BOTH: "tokens[:1].repeat(images, 1), [prompts[:, 0]]", FOLDED: ""},
        ),
        "sentences interleaved": Mistake(
            "contexts go picture after picture, but sentences are ordered class after class: some pairs come twice, "
            "others never",
            {REPEATED: INTERLEAVED},
        ),
        "contexts alternate": Mistake(
            "sentences are repeated as a block, but contexts alternate: repeat each context once per class, one after "
            "the other",
            {CONTEXTS: ALTERNATING},
        ),
        "class after class, folded as pictures": Mistake(
            "the rows go class after class, and were folded back as picture after picture",
            {REPEATED: INTERLEAVED, CONTEXTS: ALTERNATING},
        ),
        "first context for all": Mistake(
            "every picture got the context of the first one", {"[contexts]": "[prompts[0, 0]]"}
        ),
        "mean context": Mistake("every picture got the mean of all contexts", {"[contexts]": "[prompts.mean((0, 1))]"}),
        "contexts not used": Mistake(
            "the contexts are not used: pass them to encode_sentences as [contexts]", {", [contexts]": ""}
        ),
        "first class for all": Mistake(
            "every class got the sentence of the first one", {REPEATED: "tokens[:1].repeat(images * classes, 1)"}
        ),
        "squeezed": Mistake(
            "squeeze() dropped the axis of the pictures: with one picture it has length 1, too",
            {FOLDED: f"{FOLDED}.squeeze()"},
        ),
        "hard-coded sizes": Mistake(words="RuntimeError", patch={"len(prompts), len(tokens)": "2, 3"}),
        "in place": Mistake(
            words="prompts was changed", patch={"contexts = prompts": "prompts += 0.1\ncontexts = (prompts - 0.1)"}
        ),
        "no gradient": Mistake(
            words="no gradient for the prompts", patch={"prompts.expand": "prompts.detach().expand"}
        ),
        "prompts not in a list": Mistake(
            "the contexts of rows 0, 1, 2 went into layers 0, 1, 2: put them into a list, [contexts]",
            {"[contexts]": "contexts"},
        ),
        "four dimensions": Mistake(words="RuntimeError", patch={BOTH: "tokens, [prompts]"}),
        "sentences not repeated": Mistake(words="RuntimeError", patch={REPEATED: "tokens"}),
        "no return": Mistake(words="did you forget it?", patch={"return": "folded ="}),
    },
    PAIRS,
    KNOWN,
)


def _pair_gradient(fn: Function) -> tuple[Tensor, dict[str, Any]]:
    prompts = contexts(2).requires_grad_()
    output = fn(small_clip(), class_tokens(), prompts)
    return output, {"the prompts": prompts, "CLIP": small_clip().parameters()}


def _each_alone(fn: Function) -> bool | str:
    """Entry [i, c] is what picture i and class c give alone."""
    clip, tokens, prompts = small_clip(), class_tokens(), contexts(2)
    with torch.no_grad():
        together = fn(clip, tokens.clone(), prompts.clone())
        for image in range(2):
            for name in range(3):
                pair = fn(clip, tokens[name : name + 1].clone(), prompts[image : image + 1].clone())
                if not agree(together[image, name], pair[0, 0], 1e-5):
                    return f"other features for picture {image} with class {name} when they come alone"
    return True


def _any_pairs(case: Case) -> tuple[FrozenCLIP, Tensor, Tensor]:
    """Any number of pictures, of classes and of context tokens."""
    images, classes, n = case.sizes(3)
    names = [case.chosen(["cat", "crossed swords", "snowman", "four leaf clover"]) for _ in range(classes)]
    tokens = tokenize([f"{'X ' * n}{name}." for name in names])
    return small_clip(), tokens, case.normal(images, 1, n, small_clip().text_width).float()


JOINT = 32  # D of the small CLIP
ENCODE_PAIRS = Exercise(
    number="04.3",
    title="Encode all pairs",
    reference=encode_pairs,
    facets=(
        returns(
            (small_clip(), class_tokens(), contexts(2)),
            (2, 3, JOINT),
            torch.float32,
            letters="B, C, D",
        ),
        equals((small_clip(), class_tokens(), contexts(2)), encode_pairs, name="every picture with every class"),
        returns(
            (small_clip(), class_tokens(), contexts(1)),
            (1, 3, JOINT),
            letters="B, C, D",
            name="a batch of one picture, as in training",
        ),
        invariant(
            "a pair does not depend on the others",
            _each_alone,
            expected="entry [i, c] to be what picture i and class c give alone",
            cause="rows are mixed up, or something is computed over all of them",
        ),
        gradient(_pair_gradient, reaches=("the prompts",), spares=("CLIP",)),
        any_size(_any_pairs, encode_pairs, cases=6),
        unchanged((small_clip(), class_tokens(), contexts(2))),
    ),
    hints=(
        "Make two lists of B * C rows, one of contexts and one of sentences, in the same order. The picture above "
        "shows it: picture after picture.",
        "prompts.expand(-1, C, -1, -1) repeats each context for every class; flatten(0, 1) makes rows of it. Sentences "
        "must run 0, 1, 2, 0, 1, 2: which of the two ways to repeat does that? For a table [C, L] it needs to know "
        "along which axis: repeat(B, 1), or repeat_interleave(B, dim=0).",
        "contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1); sentences = tokens.repeat(len(prompts), 1); "
        "encode_sentences(self.text, sentences, [contexts]), then .unflatten(0, (B, C)).",
    ),
    meaning="All pairs are encoded in one go, and each picture has its own row of sentences.",
    mistakes=PAIRS_MISTAKES,
)


# 04.4: logits


class Model(SimpleNamespace):
    """What `classify` needs of a PromptedCLIP."""


def _prompted(scale: float) -> Any:
    """A model with a logit scale that is `scale` after exp."""
    return Model(clip=SimpleNamespace(logit_scale=torch.tensor(scale).log()))


def _unit(*shape: int, seed: int) -> Tensor:
    return nn.functional.normalize(draw(*shape, seed=seed), dim=-1)


LOGITS = """
def classify(self, image_features, text_features=None):
    if text_features is None:
        text_features = self.encode_classes(image_features)
    return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features)
"""
SCALE, COSINES = "self.clip.logit_scale.exp()", 'torch.einsum("bd,bcd->bc", image_features, text_features)'
SCALED = f"{SCALE} * {COSINES}"

LOGITS_MISTAKES = Mistakes(
    {
        "first picture's texts": Mistake(
            "every picture was compared with the texts of the first one: text_features[0] is one picture's",
            {COSINES: "image_features @ text_features[0].T"},
        ),
        "mean of the texts": Mistake(
            "every picture was compared with the mean of all texts",
            {COSINES: "image_features @ text_features.mean(0).T"},
        ),
        "texts added up": Mistake(
            "the texts of all pictures were added up: b must stand on both sides of the comma", {",bcd": ",acd"}
        ),
        "no scale": Mistake("the logit scale is missing: these are plain cosines", {SCALED: COSINES}),
        "no exp": Mistake("logit_scale is a logarithm: take .exp() of it", {".exp()": ""}),
        "the image is not passed on": Mistake(
            words="hand the image features on", patch={"self.encode_classes(image_features)": "self.encode_classes()"}
        ),
        "the scale is overwritten": Mistake(
            words="self was changed",
            patch={
                "return ": "self.clip.logit_scale.exp_()\nreturn ",
                "self.clip.logit_scale.exp()": "self.clip.logit_scale",
            },
        ),
        "the model's own scale": Mistake(
            words="the logit scale belongs to CLIP", patch={"self.clip.logit_scale": "self.logit_scale"}
        ),
        "divided": Mistake(
            "you divided by the scale; logits are cosines times exp(logit_scale)", {SCALED: f"{COSINES} / {SCALE}"}
        ),
        "softmax": Mistake(
            "these are probabilities: return the logits, cross-entropy takes the softmax itself",
            {SCALED: f"({SCALED}).softmax(-1)"},
        ),
        "log softmax": Mistake(
            "these are logarithms of probabilities: return the logits", {SCALED: f"({SCALED}).log_softmax(-1)"}
        ),
        "transposed": Mistake("pictures and classes are swapped: the right side of the arrow is bc", {"->bc": "->cb"}),
        "every picture with all": Mistake(
            "every picture was compared with the texts of every picture: name both axes of pictures b",
            {"bd,bcd->bc": "ad,bcd->abc"},
        ),
        "plain product": Mistake(
            "every picture was compared with the texts of every picture: keep only its own",
            {COSINES: "text_features @ image_features.T"},
        ),
        "not summed": Mistake(
            "the products are not summed over the axis D: leave d out on the right of the arrow", {"->bc": "->bcd"}
        ),
        "an axis left over": Mistake(
            "an axis of length 1 is left over at the end: .squeeze(-1)",
            {COSINES: "text_features @ image_features[:, :, None]"},
        ),
        "an axis in the middle": Mistake(
            "an axis of length 1 is left over in the middle: .squeeze(1)",
            {COSINES: "image_features[:, None] @ text_features.transpose(1, 2)"},
        ),
        "classes summed": Mistake(
            "the sum goes over the classes, too: keep c on the right of the arrow", {"->bc": "->b"}
        ),
        "pictures summed": Mistake(
            "the sum goes over the pictures, too: keep b on the right of the arrow", {"->bc": "->c"}
        ),
        "another picture's texts": Mistake(
            "the pictures were compared with each other's texts", {"text_features)": "text_features.flip(0))"}
        ),
        "squeezed": Mistake(
            "squeeze() without a number drops the axis of the pictures, too, when there is one picture",
            {COSINES: "(text_features @ image_features[:, :, None]).squeeze()"},
        ),
        "detached": Mistake(
            words="no gradient for the text features", patch={"text_features)": "text_features.detach())"}
        ),
        "axes mixed up": Mistake(
            "pictures and classes are mixed up, which shows only where both are as many",
            {'"bd,bcd->bc"': '"bd,cbd->bc" if len(image_features) == text_features.shape[1] else "bd,bcd->bc"'},
        ),
        "no return": Mistake(words="did you forget it?", patch={"return": "logits ="}),
        "matrix product of lesson 01": Mistake(words="RuntimeError", patch={",bcd": ",cd"}),
    },
    LOGITS,
    KNOWN,
)


def _own_matrix(fn: Function) -> bool | str:
    """Another picture's text features change nothing for this one."""
    images, texts = _unit(2, 5, seed=3), _unit(2, 3, 5, seed=4)
    before = fn(_prompted(10.0), images.clone(), texts.clone())
    texts[1] = _unit(3, 5, seed=5)
    after = fn(_prompted(10.0), images.clone(), texts.clone())
    return agree(before[0], after[0], 1e-5) or "other logits for picture 0 after the texts of picture 1 changed"


def _logit_gradient(fn: Function) -> tuple[Tensor, dict[str, Any]]:
    texts = _unit(2, 3, 5, seed=4).requires_grad_()
    return fn(_prompted(10.0), _unit(2, 5, seed=3), texts), {"the text features": texts}


def _makes_texts(fn: Function) -> None:
    """Without text features they are asked for, and the image features are passed on."""
    images, texts, asked = _unit(3, 5, seed=6), _unit(3, 4, 5, seed=7), []

    def encode_classes(image_features: Tensor | None = None) -> Tensor:
        asked.append(image_features)
        return texts

    came = fn(Model(clip=_prompted(10.0).clip, encode_classes=encode_classes), images)
    if not asked or asked[0] is None or not agree(images, asked[0], 0):
        cause = "the lines that are given hand the image features on: self.encode_classes(image_features)"
        raise Finding("text features that are made of the image features", "encode_classes() without them", cause)
    wanted = PromptedCLIP.classify(_prompted(10.0), images, texts)
    if not agree(wanted, came, 1e-4):
        raise mismatch(wanted, came, atol=1e-4)


def _any_logits(case: Case) -> tuple[Any, Tensor, Tensor]:
    images, classes, width = case.sizes(3, (1, 1, 2))
    features = nn.functional.normalize(case.normal(images, width).float(), dim=-1)
    texts = nn.functional.normalize(case.normal(images, classes, width).float(), dim=-1)
    return _prompted(1 + 20 * float(case.uniform(1))), features, texts


CLASSIFY_CASE = (
    _prompted(10.0),
    torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
    torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], [[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]]]),
)
CLASSIFY = Exercise(
    number="04.4",
    title="Logits with a text matrix per image",
    reference=PromptedCLIP.classify,
    facets=(
        returns(
            (_prompted(10.0), _unit(2, 5, seed=3), _unit(2, 3, 5, seed=4)),
            (2, 3),
            torch.float32,
            letters="B, C",
        ),
        by_hand(
            CLASSIFY_CASE,
            torch.tensor([[10.0, 0.0, 6.0], [0.0, 6.0, 8.0]]),
            "each picture is compared with its own three texts, and cosines are multiplied by exp(logit_scale) = 10",
        ),
        equals(
            (_prompted(20.0), _unit(4, 5, seed=3), _unit(4, 4, 5, seed=4)),
            PromptedCLIP.classify,
            name="as many pictures as classes",
        ),
        returns(
            (_prompted(10.0), _unit(1, 5, seed=3), _unit(1, 3, 5, seed=4)),
            (1, 3),
            letters="B, C",
            name="a batch of one picture, as in training",
        ),
        invariant(
            "a picture's logits come from its own texts",
            _own_matrix,
            expected="logits of a picture that do not depend on the texts of others",
            cause="something is computed over all pictures",
        ),
        gradient(_logit_gradient, reaches=("the text features",)),
        any_size(_any_logits, PromptedCLIP.classify, atol=1e-4),
        Facet("the given lines: text features are made of the images", _makes_texts),
    ),
    hints=(
        "In lesson 01 it was bd,cd->bc. What changes when the second tensor has an axis b of its own?",
        "Give the picture's axis the same letter in both tensors: then picture b meets only its own texts. And "
        "remember what self.clip.logit_scale holds: a logarithm.",
        'self.clip.logit_scale.exp() * torch.einsum("bd,b...->bc", image_features, text_features): two letters are '
        "missing.",
    ),
    meaning="Every picture is compared with sentences written for it.",
    mistakes=LOGITS_MISTAKES,
)


# 04.5: what it costs

SENTENCES = Exercise(
    number="04.5",
    title="What it costs to look",
    reference=50,
    facets=(number(50, 0.0001),),
    hints=(
        "CoOp writes a sentence per class, once. What makes CoCoOp write them again?",
        "Every picture has a context of its own: count the pairs of a picture and a class.",
        "50,000 pictures times 1,000 classes; then divide by 1,000,000, because the answer is in millions.",
    ),
    meaning="The price of looking is one sentence for every pair, while CoOp pays for every class once.",
    mistakes=Mistakes(
        {
            "CoOp's": Mistake(
                "this is CoOp's number, one sentence per class: CoCoOp writes them again for every picture", value=0.001
            ),
            "per picture": Mistake("this is one sentence per picture: it needs one per picture and class", value=0.05),
            "added": Mistake("pictures and classes are multiplied, not added", value=0.051),
            "not in millions": Mistake("right, but the answer is asked for in millions", value=50_000_000),
            "in thousands": Mistake(
                "a thousand times too many: 50,000 pictures times 1,000 classes, divided by a million", value=50_000
            ),
            "times the tokens": Mistake(
                "the four prompt tokens stand in the same sentence: they do not make more sentences", value=200
            ),
            "per picture, times the tokens": Mistake(
                "the four prompt tokens do not count, and every class does", value=0.2
            ),
            "a zero too many": Mistake("a zero too many: 50,000 x 1,000 is 50,000,000", value=500),
            "a zero too few": Mistake("a zero is missing: 50,000 x 1,000 is 50,000,000", value=5),
            "words": Mistake(words="write digits", value="50 million"),
        },
    ),
)

EXERCISES: tuple[Exercise, ...] = (META_NET, TEXT_PROMPTS, ENCODE_PAIRS, CLASSIFY, SENTENCES)
