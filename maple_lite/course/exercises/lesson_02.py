"""Lesson 02, the few-shot protocol: ensembles of sentences, samples, a linear probe, base and novel, harmonic mean."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import by_hand, equals, invariant, number, returns, unchanged
from maple_lite.course.teach.values import describe, literal
from maple_lite.protocol import base_and_novel, few_shot, harmonic_mean

Function = Callable[..., Any]


def ensemble(text_features: Tensor) -> Tensor:
    """Unit-norm features [C, D] of C classes, each the mean direction of its T sentences' features [T, C, D]."""
    return F.normalize(F.normalize(text_features, dim=-1).mean(dim=0), dim=-1)


def probe_step(
    weight: Tensor, bias: Tensor, image_features: Tensor, labels: Tensor, lr: float
) -> tuple[Tensor, Tensor]:
    """Weight [C, D] and bias [C] after one step of gradient descent on the mean cross-entropy of [N, D] and [N]."""
    error = _probabilities(weight, bias, image_features) - F.one_hot(labels, len(bias))  # [N, C]
    return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)


def _probabilities(weight: Tensor, bias: Tensor, image_features: Tensor) -> Tensor:
    return (image_features @ weight.T + bias).softmax(dim=-1)


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


SENTENCES = _random(4, 3, 5) * torch.tensor([3.0, 1.0, 0.4, 0.1])[:, None, None]  # [T, C, D], no unit norms

ENSEMBLE = Exercise(
    "02.1",
    "Average the sentences of each class",
    ensemble,
    (
        returns(
            (SENTENCES,),
            (3, 5),
            torch.float32,
            letters="C, D",
            causes={
                (4, 5): "you averaged over the classes: dim 1. The sentences are dim 0",
                (4, 3): "you averaged over the features: dim 2. The sentences are dim 0",
                (12, 5): "you put the sentences of all classes below each other; average over dim 0 instead",
                (3, 20): "you put the features of the sentences side by side; average them instead",
                (4, 3, 5): "no dimension is gone: take the mean over dim 0, the sentences",
                (1, 3, 5): "keepdim=True leaves a dimension of 1: leave it out",
            },
        ),
        by_hand(
            (torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]),),
            torch.tensor([[0.7071, 0.7071]]),
            "the mean of [1, 0] and [0, 1] is [0.5, 0.5], and its length must be 1",
            atol=1e-3,
            mistakes={
                "the mean of unit vectors is shorter than 1: normalise the mean, too": lambda x: x.mean(dim=0),
                "a sum is longer than 1: take the mean and normalise it": lambda x: x.sum(dim=0),
                "that is the first sentence alone": lambda x: x[0],
                "that is the median of every number, not the mean": lambda x: F.normalize(x.median(dim=0)[0], dim=-1),
            },
            name="two sentences by hand",
        ),
        equals(
            (SENTENCES,),
            ensemble,
            name="every sentence counts the same",
            mistakes={
                "you normalised the mean, but not the features before it: a long vector drowns the others": lambda x: (
                    F.normalize(x.mean(dim=0), dim=-1)
                ),
                "you normalised before the mean, but not the mean itself": lambda x: F.normalize(x, dim=-1).mean(dim=0),
                "you normalised over the classes: F.normalize takes dim=1 unless you say dim=-1": lambda x: F.normalize(
                    F.normalize(x).mean(dim=0), dim=-1
                ),
                "you divided the means by one length for all classes: norm(dim=-1, keepdim=True) has one for each": (
                    lambda x: F.normalize(F.normalize(x, dim=-1).mean(dim=0).flatten(), dim=0).view(x.shape[1:])
                ),
            },
        ),
        invariant(
            "one sentence is itself",
            lambda fn: bool(torch.allclose(fn(SENTENCES[:1].clone()), F.normalize(SENTENCES[0], dim=-1), atol=1e-5)),
            expected="the ensemble of one sentence [1, C, D] to be that sentence, with unit norm",
            cause="is a number of sentences or classes written into the code?",
        ),
        unchanged((SENTENCES,)),
    ),
    (
        "Similarity is about directions, and lengths must not count. Which lengths are there: before the mean, after?",
        "Make every vector a unit vector, over the last dimension. Take the mean over the sentences, dim 0. The mean "
        "of unit vectors is shorter than 1: make unit vectors of the means, too.",
        "F.normalize(text_features, dim=-1) has unit vectors [T, C, D]; .mean(dim=0) makes [C, D]; then F.normalize "
        "with dim=-1 once more.",
    ),
    "An ensemble costs nothing at test time: it is one vector per class, as a single sentence is.",
)


LABELS = [0, 2, 1, 0, 2, 2, 1, 0, 1, 0, 2, 1, 0, 1, 2, 0, 1]  # as a shuffled pool has them: 6, 6 and 5 pictures
SHOTS = 3


def _sample(fn: Function, labels: Iterable[int] = LABELS, shots: int = SHOTS, seed: int = 1) -> list[int]:
    """The indices that a submission draws, as a list of int; Finding for what is no list of indices."""
    came = fn(list(labels), shots, seed)
    if came is None:
        raise Finding("indices", "None", "the function ends without return: did you forget it?")
    whole = int | np.integer
    if not isinstance(came, list) or any(isinstance(i, bool) or not isinstance(i, whole) for i in came):
        cause = "return positions in `labels`, one for each picture"
        if isinstance(came, Tensor | np.ndarray):
            cause = "the indices are asked for as a list: end with .tolist()"
        elif isinstance(came, list) and any(isinstance(entry, list | tuple) for entry in came):
            cause = "make one flat list of all classes"
        raise Finding("a list of whole numbers", describe(came), cause)
    return [int(index) for index in came]


def _is_indices(fn: Function) -> None:
    chosen, last = _sample(fn), len(LABELS) - 1
    outside = [index for index in chosen if not 0 <= index <= last]
    if outside:
        raise Finding(f"indices from 0 to {last}", f"{outside[0]} among {chosen}", "Python counts from 0")


def _counts_per_class(fn: Function) -> None:
    chosen = _sample(fn)
    counts = Counter(LABELS[index] for index in chosen)
    expected = f"{SHOTS} indices for each of the classes 0, 1 and 2 in labels = {LABELS}"
    came = f"{chosen}, whose labels are {[LABELS[index] for index in chosen]}"
    if [counts[label] for label in (0, 1, 2)] == [SHOTS] * 3:
        return
    if len(chosen) == SHOTS:
        raise Finding(expected, came, "`shots` is the number per class, not the number in all")
    if len(chosen) == 3 * SHOTS:
        cause = (
            "you drew from all pictures together, or took positions within a class for indices: collect the indices "
            "of each class first, and draw from those"
        )
        raise Finding(expected, came, cause)
    raise Finding(expected, came, "count the indices of each class: some are lost, or too many")


def _no_repetition(fn: Function) -> None:
    for seed in range(20):
        chosen = _sample(fn, seed=seed)
        twice = [index for index, count in Counter(chosen).items() if count > 1]
        if twice:
            cause = "you draw with replacement (choices, randint): draw without it (sample, randperm)"
            raise Finding("every picture once at most", f"picture {twice[0]} twice in {chosen}, seed {seed}", cause)


@contextmanager
def _kept_generators() -> Iterator[Callable[[], list[str]]]:
    """A block after which the global generators are as before; yields a function that names those that have moved."""
    python, numpy, pytorch = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()

    def moved() -> list[str]:
        same = {
            "random": random.getstate() == python,
            "numpy.random": repr(np.random.get_state(legacy=False)) == repr(numpy),
            "torch": torch.equal(torch.get_rng_state(), pytorch),
        }
        return [name for name, holds in same.items() if not holds]

    try:
        yield moved
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(pytorch)


def _same_seed(fn: Function) -> None:
    samples = []
    with _kept_generators():
        for before in (1, 2):  # whatever ran before
            random.seed(before)
            np.random.seed(before)
            torch.manual_seed(before)
            samples.append(_sample(fn, seed=7))
    if samples[0] != samples[1]:
        cause = "the draw does not use `seed`: make a generator of it, random.Random(seed), and draw with that"
        raise Finding("the same sample for the same seed", f"{samples[0]}, and then {samples[1]}", cause)


def _other_seeds(fn: Function) -> None:
    samples = [_sample(fn, seed=seed) for seed in range(60)]
    if all(sample == samples[0] for sample in samples):
        first = [index for label in range(3) for index in [i for i, own in enumerate(LABELS) if own == label][:SHOTS]]
        always = "these are the first pictures of each class: draw them at random"
        fixed = "a seed is written into the code: use the argument"
        cause = always if sorted(samples[0]) == sorted(first) else fixed
        raise Finding("other samples for other seeds", f"{samples[0]} for each of 60 seeds", cause)
    never = sorted(set(range(len(LABELS))) - {index for sample in samples for index in sample})
    if never:
        came = f"pictures {never} in none of 60 samples"
        raise Finding(
            "every picture to have a chance", came, "some indices are cut off: look at your ranges and slices"
        )


def _too_few(fn: Function) -> None:
    expected = "a ValueError: class 2 has 5 pictures and 6 shots are asked for"
    try:
        chosen = fn(list(LABELS), 6, 1)
    except ValueError:
        return
    except Exception as error:
        cause = "compare the number of a class's pictures with `shots` yourself, and raise ValueError in words"
        raise Finding(expected, f"{type(error).__name__}: {error}", cause) from None
    cause = "a class with too few pictures is taken as it is: nobody would notice that the comparison is unfair"
    raise Finding(expected, f"{describe(chosen)}, without a word", cause)


def _own_generator(fn: Function) -> None:
    with _kept_generators() as moved:
        _sample(fn)
        names = moved()
    if names:
        cause = "seeding the global generator changes everything that is drawn after it: make one of your own"
        raise Finding("global random generators as they were", f"that of {names[0]} has moved", cause)


FEW_SHOT = Exercise(
    "02.2",
    "Draw a few-shot sample",
    few_shot,
    (
        Facet("a list of indices", _is_indices),
        Facet("as many of each class", _counts_per_class),
        Facet("no picture twice", _no_repetition),
        Facet("the same seed, the same sample", _same_seed),
        Facet("other seeds, other samples", _other_seeds),
        Facet("too few pictures are an error", _too_few),
        Facet("a generator of its own", _own_generator),
    ),
    (
        "Every class is drawn for itself. So first find out which indices each class has.",
        "Make one generator from the seed: random.Random(seed). For each label, collect the indices that have it, "
        "raise a ValueError if they are fewer than `shots`, and draw without replacement.",
        "for label in sorted(set(labels)): members = [i for i, own in enumerate(labels) if own == label]; after the "
        "test of len(members), chosen += generator.sample(members, shots).",
    ),
    "Whoever has your seed has your sample: the result of a method can be compared and repeated.",
)

BATCH = _random(6, 4)  # image features [N, D]
TARGETS = torch.tensor([0, 2, 1, 1, 2, 2])  # labels [N]
STEP = (_random(3, 4) * 0.5, torch.tensor([0.3, -0.2, 0.1]), BATCH, TARGETS, 0.5)
HAND = (torch.zeros(2, 2), torch.zeros(2), torch.tensor([[1.0, 0.0]]), torch.tensor([0]), 1.0)


def _wrong_step(
    sign: float = 1, bias_too: bool = True, summed: bool = False, twice: bool = False, target: bool = True
) -> Function:
    """A step with one common mistake."""

    def step(weight: Tensor, bias: Tensor, image_features: Tensor, labels: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
            logits = image_features @ weight.T + bias
            logits = logits.softmax(dim=-1) if twice else logits
            labels = labels if target else logits.argmax(dim=-1)
            loss = F.cross_entropy(logits, labels, reduction="sum" if summed else "mean")
            slopes = torch.autograd.grad(loss, (weight, bias))
        moved = [old.detach() - sign * lr * slope for old, slope in zip((weight, bias), slopes, strict=True)]
        return moved[0], moved[1] if bias_too else bias.detach()

    return step


STEP_MISTAKES: dict[str, Function] = {
    "you went up the slope: subtract lr times the gradient, do not add it": _wrong_step(sign=-1),
    "the bias did not move: it is learned, too": _wrong_step(bias_too=False),
    "you summed over the pictures: take the mean, or the step grows with the number of shots": _wrong_step(summed=True),
    "softmax twice: F.cross_entropy takes the logits as they are": _wrong_step(twice=True),
    "the labels do not come in: the target is what the picture is, not what the probe says": _wrong_step(target=False),
    "nothing has moved": lambda weight, bias, *rest: (weight, bias),
}


def _is_pair(fn: Function) -> None:
    weight, bias, *_ = STEP
    came = fn(*(value.clone() if isinstance(value, Tensor) else value for value in STEP))
    expected = f"two tensors, the weight {list(weight.shape)} (C, D) and the bias {list(bias.shape)} (C)"
    if came is None:
        raise Finding(expected, "None", "the function ends without return: did you forget it?")
    if not isinstance(came, tuple | list) or len(came) != 2 or not all(isinstance(part, Tensor) for part in came):
        raise Finding(expected, describe(came), "end with `return weight, bias`, the two new tensors")
    shapes = [list(part.shape) for part in came]
    if shapes != [list(weight.shape), list(bias.shape)]:
        turned = "the weight has a row per class: a transpose is too much, or missing"
        swapped = "the weight comes first, then the bias"
        cause = swapped if shapes[::-1] == [list(weight.shape), list(bias.shape)] else turned
        raise Finding(expected, f"shapes {shapes[0]} and {shapes[1]}", cause)


def _no_graph(fn: Function) -> None:
    given = [value.clone() if isinstance(value, Tensor) else value for value in STEP]
    came = getattr(fn, "on_originals", fn)(*given)
    if any(isinstance(value, Tensor) and value.requires_grad for value in given):
        cause = (
            "requires_grad_() changes the very tensor that was passed in, and its .grad adds up from run to run: "
            "do that to a copy, weight.detach().clone().requires_grad_()"
        )
        raise Finding("a weight and a bias that ask for no gradients after the call", "now they do", cause)
    if any(part.requires_grad for part in came):
        cause = "the new tensors remember how they were made, and so would 300 steps: .detach() them"
        raise Finding("tensors without a graph (requires_grad is False)", "requires_grad is True", cause)


def _loss_falls(fn: Function) -> bool | str:
    weight, bias, images, labels, _ = STEP
    losses = [F.cross_entropy(images @ weight.T + bias, labels).item()]
    for _ in range(20):
        weight, bias = fn(weight.clone(), bias.clone(), images.clone(), labels.clone(), 0.5)
        losses.append(F.cross_entropy(images @ weight.T + bias, labels).item())
    return losses[-1] < 0.8 * losses[0] or f"a loss of {losses[0]:.2f} before and {losses[-1]:.2f} after 20 steps"


PROBE_STEP = Exercise(
    "02.3",
    "One training step of a linear probe",
    probe_step,
    (
        Facet("two tensors and their shapes", _is_pair),
        by_hand(
            HAND,
            (torch.tensor([[0.5, 0.0], [-0.5, 0.0]]), torch.tensor([0.5, -0.5])),
            "both classes start at probability 0.5, so row 0 moves by 0.5 towards the picture and row 1 by 0.5 away",
            mistakes=STEP_MISTAKES,
            name="one picture by hand",
        ),
        equals(STEP, probe_step, mistakes=STEP_MISTAKES, name="the mean over the pictures"),
        Facet("no graph is kept", _no_graph),
        unchanged(STEP),
        invariant(
            "the loss falls",
            _loss_falls,
            expected="20 steps to lower the loss on the pictures that they learn from",
            cause="does a step start from the weight and bias that it is given?",
        ),
    ),
    (
        "This is one turn of every training loop: logits, loss, gradients, and a step against the gradients.",
        "Copies of weight and bias that ask for gradients; logits = image_features @ weight.T + bias; F.cross_entropy; "
        "torch.autograd.grad(loss, (weight, bias)); subtract lr times each; detach. By hand it is shorter: the "
        "gradient of the logits is (probabilities - one_hot) / N.",
        "error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias)); the gradient of "
        "the weight is error.T @ image_features / N, that of the bias error.mean(dim=0).",
    ),
    "Only the rows of the classifier learn; CLIP's features are data, computed once.",
)


def _halves(fn: Function, n_classes: int) -> tuple[list[int], list[int]]:
    """The two lists of class ids that a submission returns; Finding for what is no pair of lists."""
    came = fn(n_classes)
    expected = "two lists of class ids, base and novel"
    if came is None:
        raise Finding(expected, "None", "the function ends without return: did you forget it?")
    if not isinstance(came, tuple | list) or len(came) != 2:
        raise Finding(expected, describe(came), "end with `return base, novel`")
    try:
        base, novel = ([int(i) for i in half] for half in came)
    except (TypeError, ValueError):
        cause = "return the ids themselves, not how many there are"
        raise Finding(expected, describe(came), cause) from None
    return base, novel


def _split_of(n_classes: int) -> Callable[[Function], None]:
    """A test of the split of `n_classes`, with the causes of common mistakes."""

    def test(fn: Function) -> None:
        base, novel = came = _halves(fn, n_classes)
        wanted = base_and_novel(n_classes)
        if came == wanted:
            return
        largest, everything = n_classes - 1, list(range(n_classes))
        both, all_ids = sorted(set(base) & set(novel)), sorted({*base, *novel})
        causes = {
            "the first half is base, the second novel: you return them the other way round": (novel, base) == wanted,
            "novel classes keep their ids: count on from the base classes, not from 0 again": base == wanted[0]
            and novel == list(range(len(wanted[1]))),
            f"class ids start at 0 and end at {largest}": bool({*base, *novel} - set(everything)),
            f"with {n_classes} classes the odd one is base: round up, not down": len(base) < len(wanted[0])
            and sorted(base + novel) == everything,
            f"class {min(both, default='')} is in both halves: what a method trained on is not novel": bool(both),
            f"class {min(set(everything) - set(all_ids), default='')} is in neither half": all_ids != everything,
            "the base classes are the first ones, in order, so that everybody has the same split": len(base)
            == len(wanted[0]),
        }
        cause = next((text for text, holds in causes.items() if holds), "base is the first half, rounded up")
        raise Finding(f"{wanted[0]} and {wanted[1]} of {n_classes} classes", f"{base} and {novel}", cause)

    return test


def _many_splits(fn: Function) -> None:
    for n_classes in range(2, 31):
        _split_of(n_classes)(fn)


SPLIT = Exercise(
    "02.4",
    "Split the classes into base and novel",
    base_and_novel,
    (
        Facet("four classes by hand", _split_of(4)),
        Facet("five classes: the odd one is base", _split_of(5)),
        Facet("two to thirty classes", _many_splits),
    ),
    (
        "How many base classes do 12 classes have, and how many have 37, those of Oxford Pets?",
        "ceil(n_classes / 2) classes are base, in whole numbers (n_classes + 1) // 2. The others are novel.",
        "half = (n_classes + 1) // 2; base is list(range(half)), novel goes on from half to n_classes.",
    ),
    "The split is a rule, not a draw: every paper trains on the same classes.",
)


def _mean_of(base: float, novel: float) -> Facet:
    wanted = harmonic_mean(base, novel)
    causes: dict[str, Function] = {
        "that is the arithmetic mean: it forgives a method that forgets the novel classes": lambda b, n: (b + n) / 2,
        "that is the geometric mean: no square root is needed": lambda b, n: (b * n) ** 0.5,
        "the 2 is missing": lambda b, n: b * n / (b + n),
        "that is the smaller of both": min,
        "brackets: without them only `base` stands below the line": lambda b, n: 2 * b * n / b + n,
        "accuracies are percent: return 70.0 and not 0.70": lambda b, n: 2 * b * n / (b + n) / 100,
    }
    shown = f"2 * {base:.0f} * {novel:.0f} / ({base:.0f} + {novel:.0f}) = {wanted:.2f}"
    name = f"base {base:.0f} and novel {novel:.0f}"
    return by_hand((base, novel), wanted, shown, atol=0.01, mistakes=causes, name=name)


def _zeros(fn: Function) -> None:
    for base, novel in ((100.0, 0.0), (0.0, 60.0), (0.0, 0.0)):
        given = f"harmonic_mean({base:.0f}, {novel:.0f})"
        try:
            came = fn(base, novel)
        except ZeroDivisionError:
            cause = "an accuracy of 0 happens: return 0.0 before you divide by it"
            raise Finding(f"{given} to be 0", "ZeroDivisionError", cause) from None
        if not isinstance(came, int | float) or came != 0:
            cause = "who names nothing rightly on one side has a harmonic mean of 0"
            raise Finding(f"{given} to be 0", literal(came), cause)


MEAN = Exercise(
    "02.5",
    "The harmonic mean",
    harmonic_mean,
    (
        _mean_of(90.0, 50.0),
        _mean_of(70.0, 70.0),
        Facet("zeros", _zeros),
        invariant(
            "base and novel count the same",
            lambda fn: abs(fn(82.0, 75.0) - fn(75.0, 82.0)) < 1e-6,
            expected="the same mean when base and novel change places",
            cause="one of the two accuracies is used twice",
        ),
    ),
    (
        "The harmonic mean is what an average speed is, over two ways of the same length.",
        "2 times the product over the sum. What if the sum is 0?",
        "2 * base * novel / (base + novel), and 0.0 if base + novel is 0.",
    ),
    "A method cannot buy a high harmonic mean with the base classes alone.",
)

AVERAGE = Exercise(
    "02.6",
    "MaPLe's average harmonic mean over eleven datasets",
    78.55,
    (
        number(
            78.55,
            0.02,
            {
                78.27: "you averaged the eleven harmonic means. The papers average base and novel first",
                78.71: "that is the arithmetic mean of both averages",
                82.28: "that is the average of the base accuracies alone",
                75.14: "that is the average of the novel accuracies alone",
                71.70: "that is zero-shot CLIP: take the rows of MaPLe",
            },
        ),
    ),
    (
        "The mean of harmonic means is not the harmonic mean of means. Which one do the papers print?",
        "Average MaPLe's base column over the eleven rows, and its novel column. Then take one harmonic mean.",
        "answer = harmonic_mean(maple.base.mean(), maple.novel.mean())",
    ),
    "Two ways to average can differ by more than two methods do: always say which one you used.",
)

EXERCISES: tuple[Exercise, ...] = (ENSEMBLE, FEW_SHOT, PROBE_STEP, SPLIT, MEAN, AVERAGE)
