"""The exercises of lesson 08, MaPLe: couplings, coupled prompts, their number, a gradient's way, and J = 1."""

from __future__ import annotations

import copy
import math
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
from maple_lite.course.teach.facets import Function, call, choice, equals, gradient, number, returns
from maple_lite.course.teach.laws import AGAIN, RANDOM
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe
from maple_lite.learners import MaPLe
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.seeds import seeded

DEPTH, N_CTX = 3, 2
WIDTH, VISION, JOINT = 48, 64, 32  # d_t, d_v and D of the small CLIP


def new_maple(depth: int = DEPTH) -> MaPLe:
    """A new MaPLe on the small CLIP, the same at every call, with long text prompts, and couplings that all differ."""
    with seeded(1):
        learner = MaPLe(small_clip(), N_CTX, depth)
        for couple in learner.couple:
            couple.reset_parameters()  # type: ignore[operator]
        for prompt in learner.text:
            nn.init.normal_(prompt)
    return learner


# 08.1: the couplings


def couplings(clip: FrozenCLIP, depth: int) -> nn.ModuleList:
    """The package's couplings, `depth` linear layers d_t -> d_v: one apart, and then copies of another one."""
    first, deep = (torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(2))
    return torch.nn.ModuleList([first, *(copy.deepcopy(deep) for _ in range(depth - 1))])


TEXT, IMAGE, LINEAR = "clip.text_width", "clip.vision_width", "torch.nn.Linear(clip.text_width, clip.vision_width)"
COPIES, LAYERS = "*(copy.deepcopy(deep) for _ in range(depth - 1))", "torch.nn.ModuleList([first, "
LISTED = f"{LAYERS}{COPIES}])"
FEATURES = "clip.embed_dim is the width of features, behind both towers; prompts live inside the towers"
COUPLINGS_MISTAKES = Mistakes(
    {
        "a plain list": Mistake(
            "a plain list hides its layers: parameters() would not find them, and they would never learn",
            {LISTED: f"[first, {COPIES}]"},
        ),
        "sequential": Mistake(
            "Sequential sends one layer's output into the next; these stand side by side, in a ModuleList",
            {LISTED: f"torch.nn.Sequential(first, {COPIES})"},
        ),
        "one coupling for all": Mistake(
            "that is one coupling for all: every prompted layer has its own", {LISTED: LINEAR}
        ),
        "the deep ones alone": Mistake(
            "these are the deep ones alone: the first layer's coupling comes before them",
            {LAYERS: "torch.nn.ModuleList(["},
        ),
        "one too many": Mistake(
            "one too many: depth counts the first layer, so that depth - 1 copies follow it", {"depth - 1": "depth"}
        ),
        "the whole tower": Mistake(
            "how many there are does not follow `depth`: only so many layers are prompted, not the whole tower",
            {"depth - 1": "clip.text_layers - 1"},
        ),
        "two at least": Mistake(
            "with a depth of 1 there is no deep layer: depth - 1 couplings are copies, and those may be none",
            {"depth - 1": "max(1, depth - 1)"},
        ),
        "a bend": Mistake(
            words="no second layer, no bend", patch={LINEAR: f"torch.nn.Sequential({LINEAR}, torch.nn.ReLU())"}
        ),
        "no bias": Mistake(words="leave bias=False out", patch={IMAGE: f"{IMAGE}, bias=False"}),
        "reversed": Mistake(
            "the direction is reversed: they read text prompts (d_t) and write vision prompts (d_v)",
            {TEXT: IMAGE, IMAGE: TEXT},
        ),
        "text to text": Mistake(
            "they write numbers for the text tower; a vision prompt has the width clip.vision_width", {IMAGE: TEXT}
        ),
        "vision to vision": Mistake(
            "they read the image tower's width; what goes in is a text prompt, clip.text_width wide", {TEXT: IMAGE}
        ),
        "joint width": Mistake(FEATURES, {TEXT: "clip.embed_dim"}),
        "to the joint width": Mistake(FEATURES, {IMAGE: "clip.embed_dim"}),
        "one module many times": Mistake(words="would stay the same for ever", patch={COPIES: "*[deep] * (depth - 1)"}),
        "copies of the data only": Mistake(
            words="makes two layers look at one tensor",
            patch={
                "return": f"layers = [first, *({LINEAR} for _ in range(depth - 1))]\nfor layer in layers[1:]:\n"
                "    layer.weight.data, layer.bias.data = deep.weight.data, deep.bias.data\nreturn",
                f"[first, {COPIES}]": "layers",
            },
        ),
        "all drawn apart": Mistake(words="draw ONE layer for the deep ones", patch={"copy.deepcopy(deep)": LINEAR}),
        "all copies of one": Mistake(
            "the first one is a copy like the others: draw two layers, one for it, one for the copies",
            {LAYERS: "torch.nn.ModuleList([deep, "},
        ),
        "the single one last": Mistake(
            "the layer that is drawn by itself stands last: it belongs to the first prompted layer",
            {f"first, {COPIES}": f"{COPIES}, first"},
        ),
        "copies without their bias": Mistake(
            "a copy has the bias, too: copy.deepcopy(layer)",
            {
                "return": f"layers = [first, *({LINEAR} for _ in range(depth - 1))]\nfor layer in layers[1:]:\n"
                "    layer.weight.data.copy_(deep.weight.data)\nreturn",
                f"[first, {COPIES}]": "layers",
            },
        ),
        "small numbers": Mistake(
            words="as torch.nn.Linear draws them",
            patch={"return": "for layer in (first, deep):\n    torch.nn.init.normal_(layer.weight, std=0.02)\nreturn"},
        ),
        "frozen": Mistake(words="leave requires_grad as it is", patch={LISTED: f"{LISTED}.requires_grad_(False)"}),
        "the deep one drawn first": Mistake(words="was drawn first", patch={"first, deep = ": "deep, first = "}),
        "seeded inside": Mistake(
            words="something seeds torch inside", patch={"first, deep = ": "torch.manual_seed(0)\nfirst, deep = "}
        ),
        "no return": Mistake(words="did you forget", patch={"return": "layers ="}),
    },
    couplings,
)


def _list_of_layers(fn: Function) -> None:
    """A ModuleList with as many modules as layers are prompted."""
    came = fn(small_clip(), DEPTH)
    if not isinstance(came, nn.ModuleList):
        cause = "return a torch.nn.ModuleList with one linear layer for every prompted layer"
        cause = cause_of_type(None, nn.ModuleList) if came is None else cause
        expected = f"a torch.nn.ModuleList of {DEPTH} linear layers, for a depth of {DEPTH}"
        raise Finding(expected, describe(came), cause, type(came).__name__)
    counts = [len(came), len(fn(small_clip(), 1))]
    if counts != [DEPTH, 1]:
        expected = f"{DEPTH} couplings for a depth of {DEPTH}, and one for a depth of 1"
        cause = "one coupling for each of `depth` layers: the first, and depth - 1 copies of another one"
        raise Finding(expected, f"{counts[0]} couplings, and {counts[1]}", cause, counts)


def _linear(fn: Function) -> None:
    """Every coupling is linear, with a bias."""
    expected = "linear layers with biases"
    for layer in fn(small_clip(), DEPTH):
        if not isinstance(layer, nn.Linear):
            cause = "a coupling is one torch.nn.Linear: no second layer, no bend"
            raise Finding(expected, describe(layer), cause)
        if layer.bias is None:
            raise Finding(expected, "a layer without bias", "leave bias=False out: the authors' couplings have one")


def _direction(fn: Function) -> None:
    """Every coupling leads from the text tower's width to the image tower's."""
    for layer in fn(small_clip(), DEPTH):
        came = (layer.in_features, layer.out_features)
        if came != (WIDTH, VISION):
            expected = f"linear {WIDTH} -> {VISION} (d_t = {WIDTH}, d_v = {VISION})"
            cause = "they lead from clip.text_width to clip.vision_width"
            raise Finding(expected, f"linear {came[0]} -> {came[1]}", cause, came)


def _apart(fn: Function) -> None:
    """No two couplings share a weight."""
    weights = [weight for layer in fn(small_clip(), DEPTH) for weight in layer.parameters()]
    if len({weight.data_ptr() for weight in weights}) == len(weights):
        return
    cause = "the same layer stands there several times, and would stay the same for ever: copy it, copy.deepcopy(...)"
    if len({id(weight) for weight in weights}) == len(weights):
        cause = (
            "x.data = y.data makes two layers look at one tensor: what one learns, the other has. copy.deepcopy(...)"
        )
    raise Finding(f"{DEPTH} layers with weights of their own", "layers that share their weights", cause)


def _same(first: nn.Linear, second: nn.Linear) -> bool:
    return torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)


def _start(fn: Function) -> None:
    """The deep couplings start equal, the first by itself, as torch draws a linear layer."""
    layers = list(fn(small_clip(), DEPTH))
    equal = _same(layers[0], layers[1]), _same(layers[1], layers[2]), torch.equal(layers[1].weight, layers[2].weight)
    if equal != (False, True, True):
        came = [f"{i} and {i + 1} {'are equal' if equal[i] else 'differ'}" for i in range(2)]
        cause = "draw ONE layer for the deep ones, and put copies of it there"
        expected = "the first drawn by itself, and the deep ones copies of one other layer"
        raise Finding(expected, f"couplings {' and '.join(came)}", cause, equal)
    bound = 1 / math.sqrt(WIDTH)
    for layer in layers[:2]:
        drawn = all(tensor.abs().max() <= bound and tensor.std() > bound / 3 for tensor in (layer.weight, layer.bias))
        if not drawn:
            cause = "leave the numbers as torch.nn.Linear draws them, weight and bias"
            raise Finding(f"numbers between -{bound:.3f} and {bound:.3f}, as torch draws them", "other numbers", cause)


def _in_order(fn: Function) -> None:
    """The layer that is drawn first is the coupling of the first prompted layer."""
    with seeded(3):
        drawn = nn.Linear(WIDTH, VISION)
    with seeded(3):
        layers = fn(small_clip(), DEPTH)
    if _same(layers[1], drawn):
        cause = "the layer for the copies was drawn first: draw that of the first prompted layer before it"
        raise Finding("the first layer's coupling drawn first, as the package does", "the deep one first", cause)


def _fresh(fn: Function) -> None:
    """Two calls draw different couplings, which all learn."""
    first, second = (list(fn(small_clip(), DEPTH)) for _ in range(2))
    expected = "new layers from every call, which ask for gradients"
    if any(not weight.requires_grad for layer in first for weight in layer.parameters()):
        cause = "couplings are learned with the prompts: leave requires_grad as it is"
        raise Finding(expected, "weights that ask for no gradient", cause)
    if _same(first[0], second[0]):
        cause = "something seeds torch inside the function: the notebook does that around it"
        raise Finding(expected, "the same numbers again", cause)


COUPLINGS = Exercise(
    number="08.1",
    exempt=(AGAIN, RANDOM),
    title="Build the couplings",
    reference=couplings,
    facets=(
        Facet("one for every prompted layer", _list_of_layers),
        Facet("linear with bias", _linear),
        Facet("from text to vision", _direction),
        Facet("weights of their own", _apart),
        Facet("the authors' start", _start),
        Facet("new weights that learn", _fresh),
        Facet("drawn in the order of layers", _in_order),
    ),
    hints=(
        "Two layers are drawn at random. One is the first coupling. What becomes of the other, and how often?",
        "torch.nn.Linear(a, b) goes from a to b numbers, here from clip.text_width to clip.vision_width. "
        "copy.deepcopy(layer) is a new layer with the same numbers. torch.nn.ModuleList takes a list of modules.",
        "first, deep = (torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(2)); then a ModuleList of "
        "[first, ...] with depth - 1 copies of deep.",
    ),
    meaning="Every prompted layer has a way from its text prompt to its vision prompt, and all of them can learn.",
    mistakes=COUPLINGS_MISTAKES,
)


# 08.2: vision prompts from text prompts

PROMPTS = """
def vision_prompts(self):
    return [couple(prompt) for couple, prompt in zip(self.couple, self.text)]
"""
CALLED, MADE = "couple(prompt)", "[couple(prompt) for couple, prompt in zip(self.couple, self.text)]"
PROMPTS_MISTAKES = Mistakes(
    {
        "stacked": Mistake(
            "the image tower takes a list, entry i for layer i: do not stack or add the prompts",
            {MADE: f"torch.stack({MADE})"},
        ),
        "a generator": Mistake(
            "round brackets make a generator, which is empty after one use: take square ones", {MADE: f"({MADE[1:-1]})"}
        ),
        "couplings": Mistake(words="return a list of tensors", patch={MADE: "list(self.couple)"}),
        "the first alone": Mistake(
            words="each makes one vision prompt", patch={MADE: "[self.couple[0](self.text[0])]"}
        ),
        "text prompts": Mistake(
            "these are the text prompts as they are: send prompt i through coupling i", {MADE: "list(self.text)"}
        ),
        "mean token": Mistake(
            "the tokens were averaged or summed: a coupling takes each of the n tokens by itself",
            {CALLED: f"{CALLED}.mean(dim=0)"},
        ),
        "an axis for the pictures": Mistake(
            "an axis of length 1 is too many: a prompt is [n, d_v], the same for all pictures",
            {CALLED: f"{CALLED}[None]"},
        ),
        "the first text prompt for all": Mistake(
            "every layer got the first text prompt: use prompt i for layer i", {CALLED: "couple(self.text[0])"}
        ),
        "the first coupling for all": Mistake(
            "every prompt went through the first coupling: prompt i has its own, coupling i",
            {CALLED: "self.couple[0](prompt)"},
        ),
        "reversed": Mistake("the layers are in reverse order: entry 0 is for the first layer", {MADE: f"{MADE}[::-1]"}),
        "paired backwards": Mistake(
            "couplings and text prompts are paired the wrong way round: both are in the order of layers",
            {"self.text": "reversed(list(self.text))"},
        ),
        "one layer early": Mistake(
            "couplings and text prompts are one layer apart", {"self.text": "[*self.text[1:], self.text[0]]"}
        ),
        "one layer late": Mistake(
            "the prompt of the layer before was taken: prompt i goes with coupling i",
            {"self.text": "[self.text[0], *self.text]"},
        ),
        "no bias": Mistake(
            "the bias is missing: call the layer, couple(prompt), instead of multiplying by its weight",
            {CALLED: "prompt @ couple.weight.T"},
        ),
        "unit length": Mistake(
            "the prompts were brought to length 1: leave them as the couplings give them",
            {CALLED: f"F.normalize({CALLED}, dim=-1)"},
        ),
        "a bend": Mistake(
            "the prompts were bent (ReLU): a coupling is linear, and nothing comes after it",
            {CALLED: f"{CALLED}.relu()"},
        ),
        "summed over layers": Mistake(
            "the prompts of the layers below were added: prompt i is coupling i of text prompt i, and no more",
            {MADE: f"list(torch.stack({MADE}).cumsum(dim=0))"},
        ),
        "tokens reversed": Mistake("the tokens of a prompt are in reverse order", {CALLED: f"{CALLED}.flip(0)"}),
        "detached": Mistake(
            "the way back to the text prompts is cut: take self.text[i] itself, without .detach() or .data. This way "
            "is what MaPLe is about",
            {CALLED: "couple(prompt.detach())"},
        ),
        "couplings detached": Mistake(
            "the couplings cannot learn: call them, without .detach() on weight and bias",
            {CALLED: "F.linear(prompt, couple.weight.detach(), couple.bias.detach())"},
        ),
        "no gradient": Mistake(
            words="nothing behind these prompts can learn", patch={"return": "with torch.no_grad():\n    return"}
        ),
        "kept from the first call": Mistake(
            words="they are kept from the first call",
            patch={"return": 'if not hasattr(self, "made"):\n    self.made =', MADE: f"{MADE}\nreturn self.made"},
        ),
        "new text prompts": Mistake(
            words="something of self is replaced",
            patch={"return": "self.text = torch.nn.ParameterList([p.detach().clone() for p in self.text])\nreturn"},
        ),
        "the weight's transpose": Mistake(
            words="is a transpose (.T) missing", patch={CALLED: "prompt @ couple.weight"}
        ),
        "a fixed number of layers": Mistake(
            words="IndexError", patch={MADE: "[self.couple[i](self.text[i]) for i in range(3)]"}
        ),
        "no return": Mistake(words="did you forget", patch={"return": "found ="}),
    },
    PROMPTS,
    {"torch": torch, "F": F},
)


def _list_of_prompts(fn: Function) -> None:
    """A list with one tensor [n, d_v] per prompted layer."""
    for depth in (DEPTH, 1):
        came = fn(new_maple(depth))
        expected = f"a list of {depth} tensor{'s' * (depth > 1)} [n, d_v] = [{N_CTX}, {VISION}]"
        if not isinstance(came, list | tuple) or not all(isinstance(prompt, Tensor) for prompt in came):
            cause = "return a list of tensors, one for each prompted layer"
            cause = cause_of_type(None, list) if came is None else cause
            raise Finding(expected, describe(came), cause, type(came).__name__)
        if len(came) != depth:
            cause = f"there are {depth} text prompts in self.text, and each makes one vision prompt"
            raise Finding(expected, f"a list of {len(came)}", cause)


def _stacked(facet: Facet) -> Facet:
    """A facet of the prompts as one tensor [J, n, d_v]."""
    return Facet(facet.name, lambda fn: facet.test(lambda learner: torch.stack(list(fn(learner)))))


def _right_prompts(learner: MaPLe) -> Tensor:
    return torch.stack(MaPLe.vision_prompts(learner))


def _prompt_gradient(fn: Function) -> tuple[Tensor, dict[str, Any]]:
    learner = new_maple()
    output = torch.stack(list(fn(learner)))
    if not output.requires_grad:
        cause = "nothing behind these prompts can learn: compute them without torch.no_grad() and .detach()"
        raise Finding("a gradient for text prompts and couplings", "prompts without any gradient", cause)
    return output, {"the text prompts": learner.text, "the couplings": learner.couple.parameters()}


def _anew(fn: Function) -> None:
    """Prompts are computed anew in every call, from parameters that stay what they are."""
    learner = new_maple()
    parameters = {name: id(weight) for name, weight in learner.named_parameters()}
    fn(learner)
    if parameters != {name: id(weight) for name, weight in learner.named_parameters()}:
        cause = "something of self is replaced or added: the optimiser would go on with the old one. Only read from it"
        raise Finding("a learner with the parameters that it had", "other parameters", cause)
    with torch.no_grad():
        for weight in learner.parameters():
            weight.mul_(2)  # a step of training
    if not agree(_right_prompts(learner), torch.stack(list(fn(learner))), 1e-5):
        cause = "they are kept from the first call: compute them in every call, for text prompts and couplings learn"
        raise Finding("other prompts after a step of training", "other ones than these parameters make", cause)


VISION_PROMPTS = Exercise(
    number="08.2",
    title="Vision prompts from text prompts",
    reference=MaPLe.vision_prompts,
    facets=(
        Facet("a list with a prompt per layer", _list_of_prompts),
        _stacked(returns((new_maple(),), (DEPTH, N_CTX, VISION), torch.float32, letters="J, n, d_v", name="shapes")),
        _stacked(equals((new_maple(),), _right_prompts, name="prompt i is coupling i of text prompt i")),
        gradient(
            _prompt_gradient,
            reaches=("the text prompts", "the couplings"),
            name="gradients reach text prompts and couplings",
        ),
        Facet("computed anew, and nothing else changed", _anew),
    ),
    hints=(
        "self.text holds J text prompts, self.couple J couplings, both in the order of layers. What does entry i of "
        "the answer need of each?",
        "zip(self.couple, self.text) walks through both at once. A coupling is called like a function, on a prompt "
        "[n, d_t].",
        "A list with couple(prompt) for every pair `couple, prompt` in zip(self.couple, self.text).",
    ),
    meaning="The image tower has no prompts of its own now: it gets what couplings make of text prompts.",
    mistakes=PROMPTS_MISTAKES,
)


# 08.3: how many numbers

BOTH, ONE = 512 + 768, 512 * 768 + 768  # widths of both towers; the numbers of one coupling
PARAMETERS = Exercise(
    number="08.3",
    title="Count MaPLe's numbers",
    reference=9 * 2 * 512 + 9 * ONE,
    facets=(number(9 * 2 * 512 + 9 * ONE, 0.5, name="the number of parameters"),),
    hints=(
        "Two things are learned: text prompts and couplings. Count each for one layer first.",
        "One layer has a text prompt of 2 x 512 numbers, and a linear layer from 512 to 768 with a matrix and a bias. "
        "Vision prompts are computed, and not counted.",
        "9 * (2 * 512) for the prompts. For the couplings 9 times a matrix of 512 * 768 and a bias of 768.",
    ),
    meaning="99.7 of 100 learned numbers are couplings: what is learned is mostly the way from text to vision.",
    mistakes=Mistakes(
        {
            "couplings alone": Mistake("those are the couplings alone: the 9 text prompts learn, too", value=9 * ONE),
            "matrices alone": Mistake(
                "those are the couplings' matrices alone: biases are learned, and text prompts, too",
                value=9 * 512 * 768,
            ),
            "prompts alone": Mistake("those are the text prompts alone: the couplings learn, too", value=9 * 2 * 512),
            "no biases": Mistake(
                "the biases are missing: a layer 512 -> 768 has 768 of them", value=9 * (2 * 512 + 512 * 768)
            ),
            "one bias": Mistake(
                "that is one bias for all: each of the 9 couplings has its own", value=9 * (2 * 512 + 512 * 768) + 768
            ),
            "biases of the wrong width": Mistake(
                "a bias is added to what comes out: 768 numbers, not 512", value=9 * (2 * 512 + 512 * 768 + 512)
            ),
            "one coupling": Mistake(
                "that is one coupling for all: each of the 9 prompted layers has its own", value=9 * 2 * 512 + ONE
            ),
            "two couplings": Mistake(
                "two couplings are drawn, but copies learn apart: count all 9", value=9 * 2 * 512 + 2 * ONE
            ),
            "eight couplings": Mistake(
                "that is 8 couplings: the first layer has one, too", value=9 * 2 * 512 + 8 * ONE
            ),
            "twelve layers": Mistake(
                "that is a prompt in all 12 layers: MaPLe takes 9 of them", value=12 * (2 * 512 + ONE)
            ),
            "twelve text prompts": Mistake(
                "only the 9 prompted layers have a text prompt, not all 12", value=12 * 2 * 512 + 9 * ONE
            ),
            "one token": Mistake("that is one token per prompt: n = 2", value=9 * (512 + ONE)),
            "a coupling per token": Mistake(
                "both tokens of a prompt go through the same coupling", value=9 * 2 * (512 + ONE)
            ),
            "tokens times coupling": Mistake(
                "a coupling has as many numbers for two tokens as for one: it takes each by itself",
                value=9 * 2 * 512 * 768,
            ),
            "vision prompts, too": Mistake(
                "vision prompts are no parameters here: they are computed", value=9 * (2 * BOTH + ONE)
            ),
            "prompts of the image tower": Mistake(
                "the learned prompts are the text tower's, 512 wide", value=9 * (2 * 768 + ONE)
            ),
            "IVLP of nine layers": Mistake(
                "that is IVLP with 9 layers: MaPLe learns couplings in place of vision prompts", value=9 * 2 * BOTH
            ),
            "IVLP": Mistake("that is IVLP: MaPLe learns couplings in place of vision prompts", value=12 * 2 * BOTH),
            "the tiny CLIP's": Mistake(
                "that is our tiny CLIP: take the widths and the depth of ViT-B/16",
                value=5 * (2 * 128 + 128 * 128 + 128),
            ),
            "millions": Mistake("that is in millions: write the number itself", value=3.555072),
            "thousands": Mistake("that is in thousands: write the number itself", value=3555.072),
            "something else": Mistake(words="this is too large", value=4_000_000),
            "words": Mistake(words="write digits", value="3.6 million"),
        }
    ),
)


# 08.4: the gradient through the vision tower

LABELS = torch.tensor([0, 1, 2, 1, 0])
WAY = """
def through_vision(model, images, labels):
    text_features = model.encode_classes().detach()
    image_features = model.encode_images(images)
    logits = model.classify(image_features, text_features)
    loss = F.cross_entropy(logits, labels)
    return list(torch.autograd.grad(loss, list(model.learner.text)))
"""
TEXT_FEATURES, IMAGE_FEATURES, LOSS = (
    "model.encode_classes()",
    "model.encode_images(images)",
    "F.cross_entropy(logits, labels)",
)
TEXTS, GRADIENTS = "list(model.learner.text)", "torch.autograd.grad(loss, list(model.learner.text))"
RETURNED = f"return list({GRADIENTS})"


def _each(made: str) -> dict[str, str]:
    """A patch: of every gradient g, what an expression makes of it."""
    return {f"list({GRADIENTS})": f"[{made} for g in {GRADIENTS}]"}


WAY_MISTAKES = Mistakes(
    {
        "no way": Mistake(
            "no way leads from this loss to the text prompts: both towers are cut. Detach the text features alone",
            {IMAGE_FEATURES: f"{IMAGE_FEATURES}.detach()"},
        ),
        "new vision prompts": Mistake(
            "this loss never saw the tensors that you ask for: take those of model.learner.text themselves",
            {TEXTS: "model.learner.vision_prompts()"},
        ),
        "the loss": Mistake(
            "that is the loss: torch.autograd.grad(loss, ...) takes its gradients", {RETURNED: "return loss"}
        ),
        "the first prompt alone": Mistake(
            "that is the gradient of one prompt: torch.autograd.grad(...) returns one for each, without [0]",
            {RETURNED: f"{RETURNED}[0]"},
        ),
        "the first prompt in a list": Mistake(
            f"there are {DEPTH} text prompts: ask for the gradients of list(model.learner.text)",
            {TEXTS: "model.learner.text[0]"},
        ),
        "stacked": Mistake(
            "do not stack or add them: a list, entry i for text prompt i", {"return list": "return torch.stack"}
        ),
        "no backward": Mistake(
            "a prompt's .grad is None until loss.backward() has run",
            {f"list({GRADIENTS})": "[prompt.grad for prompt in model.learner.text]"},
        ),
        "lengths as numbers": Mistake(
            "those are lengths: return the gradients themselves, which we measure later", _each("g.norm().item()")
        ),
        "lengths": Mistake(
            "those are single numbers: return the gradients themselves, their lengths come later", _each("g.norm()")
        ),
        "mean token": Mistake(
            "the tokens were added or averaged: keep both tokens of a prompt", _each("g.mean(dim=0)")
        ),
        "vision prompts": Mistake(
            "those are gradients of the vision prompts: ask for those of model.learner.text, and torch goes on through "
            "the couplings",
            {
                f"image_features = {IMAGE_FEATURES}": "prompts = model.learner.vision_prompts()\n"
                "image_features = model.clip.encode_image(images, prompts)",
                TEXTS: "prompts",
            },
        ),
        "couplings": Mistake(
            "those are gradients of the couplings: ask for those of model.learner.text",
            {TEXTS: "[couple.weight for couple in model.learner.couple]"},
        ),
        "both ways": Mistake(
            "both ways are open: this is the whole gradient. Cut the text tower's way, with .detach() on its features",
            {".detach()": ""},
        ),
        "the other way": Mistake(
            "the wrong way is cut: this came through the text tower. Detach the text features, not the image features",
            {f"{TEXT_FEATURES}.detach()": TEXT_FEATURES, IMAGE_FEATURES: f"{IMAGE_FEATURES}.detach()"},
        ),
        "summed": Mistake(
            "the losses of the pictures were summed: F.cross_entropy takes their mean",
            {LOSS: 'F.cross_entropy(logits, labels, reduction="sum")'},
        ),
        "downhill": Mistake("the sign is wrong: a gradient points up the loss", {LOSS: f"-{LOSS}"}),
        "softmax twice": Mistake(
            "cross-entropy got probabilities: it takes logits", {LOSS: LOSS.replace("logits", "logits.softmax(dim=-1)")}
        ),
        "no scale": Mistake(
            "the logit scale is missing: model.classify multiplies the similarities by it",
            {"model.classify(image_features, text_features)": "image_features @ text_features.T"},
        ),
        "reversed": Mistake("the layers are in reverse order", {RETURNED: f"{RETURNED}[::-1]"}),
        "unit length": Mistake(
            "the gradients were brought to length 1: return them as they are", _each("g / g.norm()")
        ),
        "logits": Mistake("this is the gradient of the logits, and not of the loss", {LOSS: "logits.sum()"}),
        "a step": Mistake(
            words="numbers that have moved",
            patch={
                RETURNED: f"found = {GRADIENTS}\nfor prompt, g in zip(model.learner.text, found):\n"
                "    prompt.data -= 0.1 * g\nreturn found"
            },
        ),
        "CLIP thawed": Mistake(
            words="whose weights ask for gradients",
            patch={"text_features = ": "model.clip.requires_grad_(True)\ntext_features = "},
        ),
        "frozen afterwards": Mistake(
            words="requires_grad was switched off",
            patch={RETURNED: f"found = {GRADIENTS}\nmodel.learner.text.requires_grad_(False)\nreturn list(found)"},
        ),
        "added up": Mistake(
            words="loss.backward() ADDS to .grad",
            patch={RETURNED: "loss.backward()\nreturn [prompt.grad for prompt in model.learner.text]"},
        ),
        "a ParameterList": Mistake(words="AttributeError", patch={TEXTS: "model.learner.text.data"}),
        "no return": Mistake(words="did you forget", patch={"return": "found ="}),
    },
    WAY,
    {"torch": torch, "F": F},
)


def _texts(model: PromptedCLIP) -> list[Tensor]:
    """The text prompts of a model's learner."""
    return list(model.learner.text)  # type: ignore[arg-type]


def through_vision(model: PromptedCLIP, images: Tensor, labels: Tensor) -> list[Tensor]:
    """Gradients [n, d_t] of the loss at text prompts 0, 1, ..., by way of the image tower alone."""
    text_features = model.encode_classes().detach()  # [C, D]
    logits = model.classify(model.encode_images(images), text_features)  # [B, C]
    return list(torch.autograd.grad(F.cross_entropy(logits, labels), _texts(model)))


def _model() -> PromptedCLIP:
    """A new model with MaPLe on the small CLIP: what a call leaves in .grad is not there for the next."""
    return PromptedCLIP(small_clip(), new_maple(), NAMES)


def _pictures() -> Tensor:
    return draw(len(LABELS), 3, 32, 32, seed=3)


def _asked(fn: Function, model: PromptedCLIP | None = None) -> Any:
    """What a submission returns for a model; CLIP is as before afterwards."""
    model = _model() if model is None else model
    with kept(model.clip):
        return call(fn, (model, _pictures(), LABELS))


@lru_cache
def _right() -> Tensor:
    """The gradients [J, n, d_t] by way of the image tower."""
    return torch.stack(through_vision(_model(), _pictures(), LABELS))


def _outline(came: Any) -> Any:
    """What came, without its numbers: a tensor's shape, the name of another type, a list of those for a list."""
    if isinstance(came, list | tuple):
        return [_outline(each) for each in came]
    return tuple(came.shape) if isinstance(came, Tensor) else type(came).__name__


def _list_of_gradients(fn: Function) -> None:
    """A list with one gradient [n, d_t] per text prompt."""
    came = _asked(fn)
    if _outline(came) != [(N_CTX, WIDTH)] * DEPTH:
        expected = f"a list of {DEPTH} gradients [n, d_t] = [{N_CTX}, {WIDTH}]"
        cause = "return one gradient for each of model.learner.text, in a list"
        raise Finding(expected, describe(came), cause, _outline(came))


def _right_gradients(fn: Function) -> None:
    """The gradients by way of the image tower."""
    came = torch.stack(list(_asked(fn))).detach()
    scale = float(_right().abs().max())
    if not agree(_right() / scale, came / scale, 1e-4):
        raise mismatch(_right(), came, atol=1e-4 * scale)


def _twice(fn: Function) -> None:
    """A second call returns what the first did."""
    model = _model()
    first, second = (torch.stack([each.clone() for each in _asked(fn, model)]).detach() for _ in range(2))
    if agree(first / first.abs().max(), second / first.abs().max(), 1e-4):
        return
    cause = "loss.backward() ADDS to .grad: set it to None before (model.zero_grad()), or use torch.autograd.grad"
    raise Finding("the same gradients from a second call", "others", cause)


def _still_learns(fn: Function) -> None:
    """The call moves nothing, leaves all of the learner able to learn, and CLIP frozen."""
    model = _model()
    before = [weight.detach().clone() for weight in model.learner.parameters()]
    with kept(model.clip):
        fn(model, _pictures(), LABELS)
        thawed = any(weight.requires_grad for weight in model.clip.parameters())
    if thawed:
        cause = "requires_grad of CLIP was switched on: gradients pass through frozen weights without it"
        raise Finding("a frozen CLIP", "one whose weights ask for gradients", cause)
    if not agree(before, [weight.detach() for weight in model.learner.parameters()], 0):
        cause = "only compute gradients: no step, and nothing is written into a parameter"
        raise Finding("the learner's numbers as they were", "numbers that have moved", cause)
    stuck = [name for name, weight in model.learner.named_parameters() if not weight.requires_grad]
    if stuck:
        cause = "requires_grad was switched off: cut the way for this one loss only, with .detach()"
        raise Finding("a learner that can still learn", f"{', '.join(stuck[:3])} frozen", cause)


THROUGH_VISION = Exercise(
    number="08.4",
    title="The gradient that comes through the image tower",
    reference=through_vision,
    facets=(
        Facet("a list with a gradient per text prompt", _list_of_gradients),
        Facet("by way of the image tower alone", _right_gradients),
        Facet("the learner stays as it is", _still_learns),
        Facet("the same again", _twice),
    ),
    hints=(
        "Two ways lead from a text prompt to the logits, one through each tower. A tensor that is detached ends a way.",
        "model.encode_classes() gives text features [C, D], model.encode_images(images) image features [B, D], and "
        "model.classify(image_features, text_features) the logits. Detach one of the two.",
        "loss = F.cross_entropy(model.classify(model.encode_images(images), model.encode_classes().detach()), labels); "
        "then torch.autograd.grad(loss, list(model.learner.text)), as a list.",
    ),
    meaning="Language prompts learn from what happens in the other tower: that is what coupling means.",
    mistakes=WAY_MISTAKES,
)


# 08.5: what would make it CoOp

SMALLEST = Exercise(
    number="08.5",
    title="What would make it CoOp?",
    reference="C",
    facets=(choice("C", "ABD"),),
    hints=(
        "CoOp leaves the image tower as it is. Under which of the four does no prompt enter it?",
        "Go through the forward pass of each: which tokens does the image tower see? How many of them?",
        "Zeros, frozen numbers and detached numbers are tokens like any others. Only one choice has no vision token.",
    ),
    meaning="A prompt is there or not there. Its numbers, and who learns them, are another question.",
    mistakes=Mistakes(
        {
            "zeros": Mistake(
                "a prompt of zeros is still a prompt: its tokens stand among the patches, and attention gives them a "
                "share of every picture",
                value="A",
            ),
            "frozen": Mistake(
                "then it learns as few numbers as CoOp, but the frozen coupling still makes a vision prompt, and the "
                "image features are not CLIP's",
                value="B",
            ),
            "way back": Mistake(
                "that cuts the way back, not the way forward: the vision prompt is still there in every answer",
                value="D",
            ),
            "no choice": Mistake(words="none of the choices", value="E"),
        }
    ),
)


EXERCISES = (COUPLINGS, VISION_PROMPTS, PARAMETERS, THROUGH_VISION, SMALLEST)
