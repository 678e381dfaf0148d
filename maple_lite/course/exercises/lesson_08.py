"""The exercises of lesson 08, MaPLe: couplings, coupled prompts, their number, a gradient's way, and J = 1."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
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
    first, deep = (nn.Linear(clip.text_width, clip.vision_width) for _ in range(2))
    return nn.ModuleList([first, *(copy.deepcopy(deep) for _ in range(depth - 1))])


def _list_of_layers(fn: Function) -> None:
    """A ModuleList with as many modules as layers are prompted."""
    expected = f"a torch.nn.ModuleList of {DEPTH} linear layers, for a depth of {DEPTH}"
    came = fn(small_clip(), DEPTH)
    if not isinstance(came, nn.ModuleList):
        cause = "return a torch.nn.ModuleList with one linear layer for every prompted layer"
        if came is None:
            cause = cause_of_type(None, nn.ModuleList)
        elif isinstance(came, list | tuple):
            cause = "a plain list hides its layers: parameters() would not find them, and they would never learn"
        elif isinstance(came, nn.Sequential):
            cause = "Sequential sends one layer's output into the next; these stand side by side, in a ModuleList"
        elif isinstance(came, nn.Linear):
            cause = "that is one coupling for all: every prompted layer has its own"
        raise Finding(expected, describe(came), cause)
    single = len(fn(small_clip(), 1))
    follows = single != len(came)
    if len(came) != DEPTH and follows:
        causes = {
            DEPTH - 1: "these are the deep ones alone: the first layer's coupling comes before them",
            DEPTH + 1: "one too many: depth counts the first layer, so that depth - 1 copies follow it",
        }
        cause = causes.get(len(came), "the first, and depth - 1 copies of another one")
        raise Finding(expected, f"a ModuleList of {len(came)}", cause)
    if single != 1:
        cause = "how many there are does not follow `depth`: only so many layers are prompted, not the whole tower"
        if single == 2:
            cause = "with a depth of 1 there is no deep layer: depth - 1 couplings are copies, and those may be none"
        raise Finding("one coupling for a depth of 1, the first", f"{single} of them", cause)


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
    clip = small_clip()
    for i, layer in enumerate(fn(clip, DEPTH)):
        came = (layer.in_features, layer.out_features)
        if came == (WIDTH, VISION):
            continue
        cause = "they lead from clip.text_width to clip.vision_width"
        if came == (VISION, WIDTH):
            cause = "the direction is reversed: they read text prompts (d_t) and write vision prompts (d_v)"
        elif came == (WIDTH, WIDTH):
            cause = "they write numbers for the text tower; a vision prompt has the width clip.vision_width"
        elif came == (VISION, VISION):
            cause = "they read the image tower's width; what goes in is a text prompt, clip.text_width wide"
        elif JOINT in came:
            cause = "clip.embed_dim is the width of features, behind both towers; prompts live inside the towers"
        elif i and came == (WIDTH * N_CTX, VISION * N_CTX):
            cause = "a coupling takes one token at a time, not all n at once"
        sizes = f"d_t = {WIDTH}, d_v = {VISION}"
        raise Finding(f"linear {WIDTH} -> {VISION} ({sizes})", f"linear {came[0]} -> {came[1]}", cause)


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
    expected = "the first drawn by itself, and the deep ones copies of one other layer"
    if not _same(layers[1], layers[2]):
        came, cause = "deep couplings that differ", "draw ONE layer for the deep ones, and put copies of it there"
        if torch.equal(layers[1].weight, layers[2].weight):
            came, cause = "equal weights with different biases", "a copy has the bias, too: copy.deepcopy(layer)"
        elif _same(layers[0], layers[1]):
            cause = "the layer that is drawn by itself stands last: it belongs to the first prompted layer"
        raise Finding(expected, came, cause)
    if _same(layers[0], layers[1]):
        cause = "the first one is a copy like the others: draw two layers, one for it, one for the copies"
        raise Finding(expected, f"{DEPTH} equal couplings", cause)
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
)


# 08.2: vision prompts from text prompts


def _list_of_prompts(fn: Function) -> None:
    """A list with one tensor [n, d_v] per prompted layer."""
    for depth in (DEPTH, 1):
        came = fn(new_maple(depth))
        expected = f"a list of {depth} tensor{'s' * (depth > 1)} [n, d_v] = [{N_CTX}, {VISION}]"
        if not isinstance(came, list | tuple) or not all(isinstance(prompt, Tensor) for prompt in came):
            cause = "return a list of tensors, one for each prompted layer"
            if came is None:
                cause = cause_of_type(None, list)
            elif isinstance(came, Tensor):
                cause = "the image tower takes a list, entry i for layer i: do not stack or add the prompts"
            elif hasattr(came, "__next__"):
                cause = "round brackets make a generator, which is empty after one use: take square ones"
            raise Finding(expected, describe(came), cause)
        if len(came) != depth:
            cause = f"there are {depth} text prompts in self.text, and each makes one vision prompt"
            raise Finding(expected, f"a list of {len(came)}", cause)


SHAPES = {
    (DEPTH, N_CTX, WIDTH): "these are the text prompts as they are: send prompt i through coupling i",
    (DEPTH, VISION): "the tokens were averaged or summed: a coupling takes each of the n tokens by itself",
    (DEPTH, 1, N_CTX, VISION): "an axis of length 1 is too many: a prompt is [n, d_v], the same for all pictures",
}


def _stacked(facet: Facet) -> Facet:
    """A facet of the prompts as one tensor [J, n, d_v]."""
    return Facet(facet.name, lambda fn: facet.test(lambda learner: torch.stack(list(fn(learner)))))


def _prompts(make: Callable[[Any, Sequence[Tensor]], Sequence[Tensor]]) -> Function:
    """A wrong `vision_prompts`, from couplings and text prompts, as one tensor."""
    return lambda learner: torch.stack(list(make(learner.couple, list(learner.text))))


def _each(couples: Any, texts: Sequence[Tensor]) -> list[Tensor]:
    return [couple(text) for couple, text in zip(couples, texts, strict=True)]


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
        _stacked(
            returns(
                (new_maple(),),
                (DEPTH, N_CTX, VISION),
                torch.float32,
                letters="J, n, d_v",
                name="shapes",
                causes=SHAPES,
            )
        ),
        _stacked(
            equals(
                (new_maple(),),
                _right_prompts,
                name="prompt i is coupling i of text prompt i",
                mistakes={
                    "every layer got the first text prompt: use prompt i for layer i": _prompts(
                        lambda couples, texts: [couple(texts[0]) for couple in couples]
                    ),
                    "every prompt went through the first coupling: prompt i has its own, coupling i": _prompts(
                        lambda couples, texts: [couples[0](text) for text in texts]
                    ),
                    "the layers are in reverse order: entry 0 is for the first layer": _prompts(
                        lambda couples, texts: _each(couples, texts)[::-1]
                    ),
                    "couplings and text prompts are paired the wrong way round: both are in the order of "
                    "layers": _prompts(lambda couples, texts: _each(couples, texts[::-1])),
                    "couplings and text prompts are one layer apart": _prompts(
                        lambda couples, texts: _each(couples, [*texts[1:], texts[0]])
                    ),
                    "the prompt of the layer before was taken: prompt i goes with coupling i": _prompts(
                        lambda couples, texts: _each(couples, [texts[0], *texts[:-1]])
                    ),
                    "the bias is missing: call the layer, couple(prompt), instead of multiplying by its "
                    "weight": _prompts(
                        lambda couples, texts: [
                            text @ couple.weight.T for couple, text in zip(couples, texts, strict=True)
                        ]
                    ),
                    "the prompts were brought to length 1: leave them as the couplings give them": _prompts(
                        lambda couples, texts: [F.normalize(prompt, dim=-1) for prompt in _each(couples, texts)]
                    ),
                    "the prompts were bent (ReLU): a coupling is linear, and nothing comes after it": _prompts(
                        lambda couples, texts: [prompt.relu() for prompt in _each(couples, texts)]
                    ),
                    "the prompts of the layers below were added: prompt i is coupling i of text prompt i, and no "
                    "more": _prompts(lambda couples, texts: list(torch.stack(_each(couples, texts)).cumsum(dim=0))),
                    "the tokens of a prompt are in reverse order": _prompts(
                        lambda couples, texts: [prompt.flip(0) for prompt in _each(couples, texts)]
                    ),
                },
            )
        ),
        gradient(
            _prompt_gradient,
            reaches=("the text prompts", "the couplings"),
            causes={
                "the text prompts": "the way back to the text prompts is cut: take self.text[i] itself, without "
                ".detach() or .data. This way is what MaPLe is about",
                "the couplings": "the couplings cannot learn: call them, without .detach() on weight and bias",
            },
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
)


# 08.3: how many numbers

PARAMETERS = Exercise(
    number="08.3",
    title="Count MaPLe's numbers",
    reference=9 * 2 * 512 + 9 * (512 * 768 + 768),
    facets=(
        number(
            9 * 2 * 512 + 9 * (512 * 768 + 768),
            0.5,
            {
                9 * (512 * 768 + 768): "those are the couplings alone: the 9 text prompts learn, too",
                9 * 512 * 768: "those are the couplings' matrices alone: biases are learned, and text prompts, too",
                9 * 2 * 512 + 9 * 512 * 768 + 768: "that is one bias for all: each of the 9 couplings has its own",
                9 * 2 * 512 + 8 * (512 * 768 + 768): "that is 8 couplings: the first layer has one, too",
                12 * 2 * 512 + 9 * (512 * 768 + 768): "only the 9 prompted layers have a text prompt, not all 12",
                9 * 2 * 512 * 768: "a coupling has as many numbers for two tokens as for one: it takes each by itself",
                5 * (2 * 128 + 128 * 128 + 128): "that is our tiny CLIP: take the widths and the depth of ViT-B/16",
                9 * 2 * 512: "those are the text prompts alone: the couplings learn, too",
                9 * 2 * 512 + 9 * 512 * 768: "the biases are missing: a layer 512 -> 768 has 768 of them",
                9 * 2 * 512 + 9 * (512 * 768 + 512): "a bias is added to what comes out: 768 numbers, not 512",
                9 * 2 * 512
                + 512 * 768
                + 768: "that is one coupling for all: each of the 9 prompted layers has its own",
                9 * 2 * 512 + 2 * (512 * 768 + 768): "two couplings are drawn, but copies learn apart: count all 9",
                12 * 2 * 512 + 12 * (512 * 768 + 768): "that is a prompt in all 12 layers: MaPLe takes 9 of them",
                9 * 512 + 9 * (512 * 768 + 768): "that is one token per prompt: n = 2",
                9 * 2 * 512 + 9 * 2 * (512 * 768 + 768): "both tokens of a prompt go through the same coupling",
                9 * 2 * (512 + 768) + 9 * (512 * 768 + 768): "vision prompts are no parameters here: they are computed",
                9 * 2 * 768 + 9 * (512 * 768 + 768): "the learned prompts are the text tower's, 512 wide",
                9 * 2 * (512 + 768): "that is IVLP with 9 layers: MaPLe learns couplings in place of vision prompts",
                12 * 2 * (512 + 768): "that is IVLP: MaPLe learns couplings in place of vision prompts",
                3.555072: "that is in millions: write the number itself",
                3555.072: "that is in thousands: write the number itself",
            },
            name="the number of parameters",
        ),
    ),
    hints=(
        "Two things are learned: text prompts and couplings. Count each for one layer first.",
        "One layer has a text prompt of 2 x 512 numbers, and a linear layer from 512 to 768 with a matrix and a bias. "
        "Vision prompts are computed, and not counted.",
        "9 * (2 * 512) for the prompts. For the couplings 9 times a matrix of 512 * 768 and a bias of 768.",
    ),
    meaning="99.7 of 100 learned numbers are couplings: what is learned is mostly the way from text to vision.",
)


# 08.4: the gradient through the vision tower

LABELS = torch.tensor([0, 1, 2, 1, 0])
CUT = ("not have been used", "does not require grad")  # torch on a loss that no text prompt reaches


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


def _ways(
    cut: str = "text", loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy, last: Callable[..., Any] = list
) -> Function:
    """Wrong gradients: another way cut, another loss, or something done to them at the end."""

    def gradients(model: PromptedCLIP, images: Tensor, labels: Tensor) -> Tensor:
        features = {"text": model.encode_classes(), "image": model.encode_images(images)}
        kept = {way: each.detach() if way == cut else each for way, each in features.items()}
        logits = model.classify(kept["image"], kept["text"])
        return torch.stack(last(torch.autograd.grad(loss(logits, labels), _texts(model))))

    return gradients


def _probabilities_again(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.softmax(dim=-1), labels)


LOSSES = {
    "both ways are open: this is the whole gradient. Cut the text tower's way, with .detach() on its features": _ways(
        cut="none"
    ),
    "the wrong way is cut: this came through the text tower. Detach the text features, not the image features": _ways(
        cut="image"
    ),
    "the losses of the pictures were summed: F.cross_entropy takes their mean": _ways(
        loss=lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")
    ),
    "the sign is wrong: a gradient points up the loss": _ways(
        loss=lambda logits, labels: -F.cross_entropy(logits, labels)
    ),
    "cross-entropy got probabilities: it takes logits": _ways(loss=_probabilities_again),
    "the logit scale is missing: model.classify multiplies the similarities by it": _ways(
        loss=lambda logits, labels: F.cross_entropy(logits / small_clip().logit_scale.exp(), labels)
    ),
    "the layers are in reverse order": _ways(last=lambda found: list(found)[::-1]),
    "the gradients were brought to length 1: return them as they are": _ways(
        last=lambda found: [each / each.norm() for each in found]
    ),
    "this is the gradient of the logits, and not of the loss": _ways(loss=lambda logits, labels: logits.sum()),
}


def _list_of_gradients(fn: Function) -> None:
    """A list with one gradient [n, d_t] per text prompt."""
    expected = f"a list of {DEPTH} gradients [n, d_t] = [{N_CTX}, {WIDTH}]"
    try:
        came = _asked(fn)
    except RuntimeError as error:
        if not any(words in str(error) for words in CUT):
            raise
        cause = "no way leads from this loss to the text prompts: both towers are cut. Detach the text features alone"
        if CUT[0] in str(error):
            cause = "this loss never saw the tensors that you ask for: take those of model.learner.text themselves"
        raise Finding(expected, f"an error of torch: {' '.join(str(error).split())[:90]} ...", cause) from None
    if not isinstance(came, list | tuple) or not all(isinstance(each, Tensor) for each in came):
        cause = "return one gradient for each of model.learner.text, in a list"
        if isinstance(came, Tensor) and came.ndim == 0:
            cause = "that is the loss: torch.autograd.grad(loss, ...) takes its gradients"
        elif isinstance(came, Tensor) and came.shape == (N_CTX, WIDTH):
            cause = "that is the gradient of one prompt: torch.autograd.grad(...) returns one for each, without [0]"
        elif isinstance(came, Tensor):
            cause = "do not stack or add them: a list, entry i for text prompt i"
        elif isinstance(came, list | tuple) and any(each is None for each in came):
            cause = "a prompt's .grad is None until loss.backward() has run"
        elif isinstance(came, list | tuple) and all(isinstance(each, float) for each in came):
            cause = "those are lengths: return the gradients themselves, which we measure later"
        raise Finding(expected, describe(came), cause)
    shapes = {tuple(each.shape) for each in came}
    if len(came) == DEPTH and shapes == {(N_CTX, WIDTH)}:
        return
    causes: dict[Any, str] = {
        (N_CTX, VISION): "those are gradients of the vision prompts: ask for those of model.learner.text, and torch "
        "goes on through the couplings",
        (VISION, WIDTH): "those are gradients of the couplings: ask for those of model.learner.text",
        (): "those are single numbers: return the gradients themselves, their lengths come later",
        (WIDTH,): "the tokens were added or averaged: keep both tokens of a prompt",
    }
    cause = next((causes[shape] for shape in shapes if shape in causes), "one gradient for each of model.learner.text")
    if shapes == {(N_CTX, WIDTH)}:
        cause = f"there are {DEPTH} text prompts: ask for the gradients of list(model.learner.text)"
    raise Finding(expected, describe(came), cause)


def _right_gradients(fn: Function) -> None:
    """The gradients by way of the image tower."""
    came = torch.stack(list(_asked(fn))).detach()
    wanted = torch.stack(through_vision(_model(), _pictures(), LABELS))
    scale = wanted.abs().max()
    if agree(wanted / scale, came / scale, 1e-4):
        return
    for cause, wrong in LOSSES.items():
        if agree(wrong(_model(), _pictures(), LABELS) / scale, came / scale, 1e-4):
            raise mismatch(wanted, came, cause)
    raise mismatch(wanted, came, "")


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
)


# 08.5: what would make it CoOp

SMALLEST = Exercise(
    number="08.5",
    title="What would make it CoOp?",
    reference="C",
    facets=(
        choice(
            "C",
            {
                "A": "a prompt of zeros is still a prompt: its tokens stand among the patches, and attention gives "
                "them a share of every picture",
                "B": "then it learns as few numbers as CoOp, but the frozen coupling still makes a vision prompt, and "
                "the image features are not CLIP's",
                "D": "that cuts the way back, not the way forward: the vision prompt is still there in every answer",
            },
        ),
    ),
    hints=(
        "CoOp leaves the image tower as it is. Under which of the four does no prompt enter it?",
        "Go through the forward pass of each: which tokens does the image tower see? How many of them?",
        "Zeros, frozen numbers and detached numbers are tokens like any others. Only one choice has no vision token.",
    ),
    meaning="A prompt is there or not there. Its numbers, and who learns them, are another question.",
)


EXERCISES = (COUPLINGS, VISION_PROMPTS, PARAMETERS, THROUGH_VISION, SMALLEST)
