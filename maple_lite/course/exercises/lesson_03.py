"""The exercises of lesson 03, CoOp: the splice, the text tower, the schedule, the training loop, and two variants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from maple_lite.clip import FrozenCLIP, write_prompt
from maple_lite.course.exercises.shared import (
    added,
    at_the_end,
    draw,
    kept,
    over_sos,
    prompts_learn,
    pushed,
    rows,
    small_clip,
    unit_norm,
    unmixed,
)
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import by_hand, equals, gradient, invariant, number, returns, unchanged
from maple_lite.course.teach.values import agree, describe, literal
from maple_lite.learners import CoOp
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.seeds import seeded
from maple_lite.tokens import tokenize
from maple_lite.training import learning_rate

Function = Callable[..., Any]
Batch = tuple[Tensor, Tensor]
NAMES = ("cat", "crossed swords", "snowman")
N_CTX = 4


# 03.1: the splice

X, CONTEXT, CONTEXTS = draw(3, 9, 8), draw(N_CTX, 8, seed=1), draw(3, N_CTX, 8, seed=2)
COUNTED = torch.arange(6.0)[None, :, None]  # [1, 6, 1]
TENS = torch.tensor([[10.0], [20.0]])  # [2, 1]


def _backwards(x: Tensor, prompt: Tensor) -> Tensor:
    return write_prompt(x, prompt.flip(-2))


def _counted_in_front(x: Tensor, prompt: Tensor) -> Tensor:
    return torch.cat([x[:, :1], rows(x, prompt), x[:, 1 + len(prompt) :]], dim=1)


def _first_sentence_alone(x: Tensor, prompt: Tensor) -> Tensor:
    return torch.cat([write_prompt(x[:1], prompt), x[1:]])


SPLICE = Exercise(
    number="03.1",
    title="Splice the context into the sentences",
    reference=write_prompt,
    facets=(
        returns(
            (X, CONTEXT),
            (3, 9, 8),
            letters="C, L, d",
            causes={
                (3, 13, 8): "the prompt was inserted and the old tokens pushed to the right: it must replace 1..n, so "
                "that the length stays L; go on with x[:, 1 + n:]",
                (3, 12, 8): "SOS is lost and the old words are still there: keep x[:, :1] and leave out 1..n",
                (3, 8, 8): "a token is lost: SOS is x[:, :1], and the words after the prompt begin at 1 + n",
                (
                    3,
                    4,
                    8,
                ): "that is the prompt alone: join it with SOS before it and the rest after it (torch.cat, dim=1)",
            },
        ),
        by_hand(
            (COUNTED, TENS),
            torch.tensor([[[0.0], [10.0], [20.0], [3.0], [4.0], [5.0]]]),
            "SOS (0) stays, 10 and 20 stand at 1 and 2, and 3, 4, 5 stay where they were",
            mistakes={
                "the prompt stands at 0..n-1 and writes over SOS: it starts at position 1": over_sos,
                "the prompt stands at the end, over '.' and EOT: it starts at position 1, right after SOS": at_the_end,
                "the prompt was inserted and the end cut off: the class name moved, and EOT is gone": pushed,
                "the prompt was added to the words: it replaces them": added,
                "the prompt tokens stand in reverse order": _backwards,
            },
        ),
        equals(
            (X, CONTEXT),
            write_prompt,
            name="every sentence gets the context",
            mistakes={"only the first sentence got the prompt: expand it to all C of them": _first_sentence_alone},
        ),
        equals(
            (X, CONTEXTS),
            write_prompt,
            name="a context per class [C, n, d]",
            mistakes={
                "every class got the context of the first one: a prompt [C, n, d] has one per sentence": (
                    lambda x, prompt: write_prompt(x, prompt[0])
                ),
                "n was read off prompt.shape[0], which is C in a prompt [C, n, d]: n is prompt.shape[-2]": (
                    _counted_in_front
                ),
                "every class got the mean of all contexts": lambda x, prompt: write_prompt(x, prompt.mean(dim=0)),
            },
        ),
        unchanged((X, CONTEXT)),
        gradient(
            lambda fn: (fn(X, leaf := CONTEXT.clone().requires_grad_()), {"the prompt": leaf}),
            reaches=["the prompt"],
            name="the gradient reaches the prompt",
        ),
    ),
    hints=(
        "The result has three parts, side by side along the token dimension: what stands before the prompt, the "
        "prompt, and what stands after it.",
        "Before it stands SOS alone, x[:, :1] (a slice keeps the dimension, an index drops it). After it stands "
        "everything from position 1 + n on. The prompt [n, d] must become [C, n, d] first: .expand(C, -1, -1) leaves a "
        "prompt that already is [C, n, d] as it is.",
        "n = prompt.shape[-2]; prompt = prompt.expand(len(x), -1, -1); then torch.cat of x[:, :1], prompt and "
        "x[:, 1 + n:] along dim=1.",
    ),
    meaning="Any numbers can now stand where words stood, and the loss can reach them.",
)


# 03.2: the text tower

TOKENS = tokenize([f"a photo of a {name}." for name in NAMES])  # [3, L]
PROMPT, PROMPTS = draw(N_CTX, 48, seed=3) * 0.05, draw(3, N_CTX, 48, seed=4) * 0.05
POSITIONS = torch.tensor([1, 2, 4, 5]).expand(3, -1)  # [C, n], the name in the middle


def _tower(
    *, places: str = "after", mask: bool = True, final: bool = True, pool: str = "eot", prompted: str = "first"
) -> Function:
    """A text tower with some of its parts wrong; as it stands, the right one."""

    def encode_text(self: FrozenCLIP, tokens: Tensor, prompts: Sequence[Tensor] = (), positions: Any = None) -> Tensor:
        text, length = self.text, tokens.shape[1]
        places_of = text.positional_embedding[:length]
        x = text.token_embedding(tokens)  # [C, L, d_t]
        if places == "before":
            x = x + places_of
        if prompts and prompted in ("first", "every"):
            x = write_prompt(x, prompts[0])
        if places == "after":
            x = x + places_of
        for i, block in enumerate(text.transformer.resblocks):
            if prompts and ((prompted == "every" and i) or (prompted == "second" and i == 1)):
                x = write_prompt(x, prompts[0])
            x = block(x, attn_mask=text.attn_mask[:length, :length] if mask else None)
        rows = torch.arange(len(x))
        pooled = {"eot": x[rows, tokens.argmax(dim=-1)], "last": x[:, -1], "first": x[:, 0], "mean": x.mean(dim=1)}[
            pool
        ]
        pooled = text.ln_final(pooled) if final else pooled
        return F.normalize(pooled @ text.text_projection, dim=-1)

    return encode_text


WIDTH, JOINT = 48, 32
ENCODE_TEXT = Exercise(
    number="03.2",
    title="Walk through the text tower",
    reference=FrozenCLIP.encode_text,
    facets=(
        returns(
            (small_clip(), TOKENS),
            (3, JOINT),
            letters="C, D",
            causes={
                (3, WIDTH): "the last step is missing: @ text.text_projection takes [C, d_t] to [C, D]",
                (3, TOKENS.shape[1], JOINT): "one feature per token came: take EOT's row before you project",
                (3, TOKENS.shape[1], WIDTH): "the residual stream came: take EOT's row, normalise (ln_final), project",
                (3, 3, JOINT): "x[:, end] takes every EOT of every sentence: pair row i with its own, "
                "x[torch.arange(C), end]",
            },
        ),
        unit_norm(small_clip(), TOKENS),
        equals(
            (small_clip(), TOKENS),
            FrozenCLIP.encode_text,
            name="without prompts it is CLIP's own",
            mistakes={
                "the causal mask did not arrive: every token sees the words after it. Pass it by its name, attn_mask=, "
                "to every block": _tower(mask=False),
                "the last position was read, which in a shorter sentence is padding: read EOT": _tower(pool="last"),
                "SOS was read, which sees no word under the causal mask: read EOT": _tower(pool="first"),
                "all tokens were averaged: CLIP reads EOT alone": _tower(pool="mean"),
                "the positional embedding was not added": _tower(places="never"),
                "text.ln_final is missing before the projection": _tower(final=False),
                "both the mask and EOT are missing": _tower(mask=False, pool="last"),
            },
        ),
        equals(
            (small_clip(), TOKENS, [PROMPT]),
            FrozenCLIP.encode_text,
            name="a prompt in the first layer",
            mistakes={
                "the prompt changed nothing: splice prompts[0] into the token embeddings": _tower(prompted="never"),
                "the positional embedding was added before the splice, which wrote over it: prompt tokens have places, "
                "too, so add it afterwards": _tower(places="before"),
                "the prompt was written again before every layer: that is for lesson 05, here it enters once": _tower(
                    prompted="every"
                ),
                "the prompt came a layer late: splice before the first block": _tower(prompted="second"),
            },
        ),
        equals((small_clip(), TOKENS, [PROMPTS]), FrozenCLIP.encode_text, name="a prompt per class"),
        equals(
            (small_clip(), TOKENS, [PROMPT], POSITIONS),
            FrozenCLIP.encode_text,
            name="a prompt at other positions",
            mistakes={
                "the positions did not arrive, and the prompt stands at 1..n: call splice(x, prompts[0], positions), "
                "and keep the lines of splice that use them": _tower()
            },
        ),
        unmixed(
            small_clip(),
            TOKENS,
            [row[None, : int(row.argmax()) + 1] for row in TOKENS],
            [PROMPT],
            what="sentence",
            cause="a line works along the wrong dimension, or reads past EOT: neighbours and padding do not matter",
        ),
        prompts_learn(small_clip(), TOKENS, [PROMPT], "the gradient passes through the frozen tower"),
    ),
    hints=(
        "Six steps: embed the tokens, splice, add the places, run the blocks, take EOT's row, project. Frozen means "
        "that the weights do not learn. It does not mean that gradients stop.",
        "Splice only if there are prompts, and hand positions on. The positional embedding and the mask are made for "
        "77 tokens: cut both to the length L. The largest token id of every row is EOT. Take its row with two index "
        "lists: which sentence, and which place.",
        "In the loop: x = block(x, attn_mask=text.attn_mask[:length, :length]). After it: "
        "x[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)] goes through text.ln_final, then "
        "@ text.text_projection, then F.normalize(..., dim=-1).",
    ),
    meaning="This is CLIP's text tower, and prompts are an argument of it: with none it is CLIP's own.",
)


# 03.3: the schedule


def _cosine(**changes: float) -> Function:
    """Wrong schedules: another start, length, factor or first epoch."""

    def rate(epoch: int, epochs: int, lr: float) -> float:
        if epoch == 0 and changes.get("warm", 1):
            return changes.get("first", 1e-5)
        span = epochs + changes.get("longer", 0)
        return changes.get("factor", 0.5) * lr * (1 + math.cos(math.pi * (epoch - changes.get("late", 1)) / span))

    return rate


LEARNING_RATE = Exercise(
    number="03.3",
    title="The authors' learning rate",
    reference=learning_rate,
    facets=(
        returns((1, 50, 0.5), kind=(float, int), name="a number"),
        by_hand(
            (0, 50, 0.5),
            1e-5,
            "epoch 0 warms up, at 1e-5 whatever lr is",
            atol=1e-8,
            mistakes={
                "the cosine was used in epoch 0, too: treat it apart": _cosine(warm=0),
                "that is lr itself: epoch 0 has its own rate, 1e-5": lambda epoch, epochs, lr: lr,
                "that is 1e-5 of lr: in epoch 0 the rate is 1e-5 itself": lambda epoch, epochs, lr: 1e-5 * lr,
                "at a rate of 0 nothing would be learned in epoch 0: it is 1e-5": lambda epoch, epochs, lr: 0.0,
            },
            name="epoch 0",
        ),
        by_hand(
            (1, 50, 0.5),
            0.5,
            "the cosine starts in epoch 1, where cos(0) = 1 and lr (1 + 1) / 2 = lr",
            mistakes={
                "the half is missing: lr (1 + cos) / 2": _cosine(factor=1.0),
                "the cosine is one epoch early: its angle is pi (e - 1) / E": _cosine(late=0),
                "the cosine swings from lr to -lr: 1 + cos, halved, goes from lr down to 0": (
                    lambda epoch, epochs, lr: 0.0
                ),
                "math.cos takes the angle in radians, with math.pi": (
                    lambda epoch, epochs, lr: lr * (1 + math.cos(180 * (epoch - 1) / epochs)) / 2
                ),
            },
            name="epoch 1",
        ),
        by_hand(
            (26, 50, 0.5),
            0.25,
            "half of the way is gone: cos(pi 25 / 50) = 0, and lr (1 + 0) / 2 = lr / 2",
            mistakes={
                "the angle is divided by E - 1: the authors divide by E": _cosine(longer=-1),
                "math.cos takes the angle in radians, with math.pi, not in degrees": (
                    lambda epoch, epochs, lr: lr * (1 + math.cos(180 * (epoch - 1) / epochs)) / 2
                ),
                "the 1 is missing: (1 + cos) / 2": lambda epoch, epochs, lr: lr * math.cos(math.pi * 25 / epochs),
                "the rate never falls": lambda epoch, epochs, lr: lr,
            },
            name="half-way",
        ),
        equals(
            (49, 50, 0.5),
            learning_rate,
            1e-6,
            name="the last epoch",
            mistakes={
                "that is a straight line: the authors follow half a cosine": (
                    lambda epoch, epochs, lr: lr * (1 - (epoch - 1) / epochs)
                )
            },
        ),
        equals((3, 5, 0.002), learning_rate, 1e-8, name="other numbers"),
    ),
    hints=(
        "Two cases: epoch 0, and all others.",
        "From epoch 1 on, (1 + cos(angle)) / 2 falls from 1 to nearly 0 while the angle grows from 0 towards pi. The "
        "angle is pi times the share of epochs that are over, where epoch 0 is not counted.",
        "if epoch == 0: return 1e-5; otherwise the result is lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2.",
    ),
    meaning="A tiny first epoch, then half a cosine: all methods of this course train with this schedule.",
)


# 03.4: the training loop

RATES = (0.2, 0.1, 0.05)  # of three epochs
MOMENTUM, DECAY = 0.9, 5e-4


@lru_cache
def _batches() -> list[list[Batch]]:
    """Two batches, of different sizes, for every epoch."""
    features, labels = F.normalize(draw(15, JOINT, seed=5), dim=-1), torch.arange(15) % len(NAMES)
    cuts = [slice(0, 4), slice(4, 6), slice(6, 9), slice(9, 10), slice(10, 13), slice(13, 15)]
    pairs = [(features[cut], labels[cut]) for cut in cuts]
    return [pairs[:2], pairs[2:4], pairs[4:]]


def _new_model() -> PromptedCLIP:
    """An untrained CoOp on the small CLIP; its context is large enough for weight decay to show."""
    with seeded(0):
        learner = CoOp(small_clip(), N_CTX)
    with torch.no_grad():
        learner.ctx.mul_(10)
    return PromptedCLIP(small_clip(), learner, NAMES)


def train(
    model: PromptedCLIP,
    epochs: Iterable[Iterable[Batch]],
    rates: Iterable[float],
    *,
    momentum: float = MOMENTUM,
    decay: float = DECAY,
    zero: bool = True,
    fresh: bool = False,
    adaptive: bool = True,
) -> list[float]:
    """Losses of every step of SGD on the learner of `model`; the switches make the known mistakes."""

    def new_optimizer() -> torch.optim.SGD:
        first = RATES[0] if not adaptive else 1.0
        return torch.optim.SGD(model.learner.parameters(), lr=first, momentum=momentum, weight_decay=decay)

    optimizer, losses = new_optimizer(), []
    for batches, rate in zip(epochs, rates, strict=True):
        optimizer = new_optimizer() if fresh else optimizer
        if adaptive:
            optimizer.param_groups[0]["lr"] = rate
        for image_features, labels in batches:
            loss = F.cross_entropy(model.classify(image_features), labels)
            if zero:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def _still(model: PromptedCLIP, epochs: Iterable[Iterable[Batch]], rates: Iterable[float]) -> list[float]:
    return [F.cross_entropy(model.classify(x), y).item() for batches in epochs for x, y in batches]


def _ran(fn: Function, rates: Sequence[float] = RATES, **switches: Any) -> tuple[list[float], Tensor]:
    """Losses, and the context afterwards, of training a new model."""
    model = _new_model()
    with kept(model.clip):
        losses = fn(model, iter(_batches()), rates, **switches)
    return losses, model.learner.get_parameter("ctx").detach().clone()


def _steps(fn: Function) -> None:
    """Finding unless a list of six plain losses comes."""
    losses, _ = _ran(fn)
    wanted = "a list of 6 numbers, the loss of every step"
    if not isinstance(losses, list):
        causes = {
            type(None): "the function ends without return: did you forget it?",
            float: "one loss came: append the loss of every step to a list",
        }
        raise Finding(
            wanted, describe(losses), causes.get(type(losses), "collect the losses in a list and return that")
        )
    if losses and isinstance(losses[0], Tensor):
        cause = "tensors keep the whole computation of their step in memory: append loss.item()"
        raise Finding(wanted, describe(losses), cause)
    if len(losses) != 6:
        cause = {3: "one loss per epoch came: append inside the inner loop, once per batch"}.get(
            len(losses), "every batch of every epoch is one step: two loops, one in the other"
        )
        raise Finding(wanted, f"a list of {len(losses)}", cause)


def _first_loss(fn: Function) -> None:
    """Finding unless the first loss is that of the untrained model."""
    losses, _ = _ran(fn)
    model, (image_features, labels) = _new_model(), _batches()[0][0]
    with torch.no_grad():
        logits = model.classify(image_features)
    right = F.cross_entropy(logits, labels).item()
    known = {
        "the losses of a batch were summed: the mean is F.cross_entropy's default": F.cross_entropy(
            logits, labels, reduction="sum"
        ).item(),
        "cross-entropy got probabilities: it takes the softmax itself, give it the logits": F.cross_entropy(
            logits.softmax(dim=-1), labels
        ).item(),
    }
    if not agree(right, losses[0], 1e-4):
        causes = (cause for cause, value in known.items() if agree(value, losses[0], 1e-4))
        cause = next(
            causes, "the first loss is F.cross_entropy(model.classify(image_features), labels), before any step"
        )
        raise Finding(f"{right:.4f}, the loss of the first batch before any step", f"{losses[0]:.4f}", cause)


SLIPS: dict[str, dict[str, Any]] = {
    "gradients add up from step to step: call optimizer.zero_grad() before every backward()": {"zero": False},
    "the momentum is missing: momentum=0.9": {"momentum": 0.0},
    "the weight decay is missing: weight_decay=5e-4": {"decay": 0.0},
    "momentum and weight decay are missing: momentum=0.9, weight_decay=5e-4": {"momentum": 0.0, "decay": 0.0},
    "every epoch made a new optimiser, which forgets its momentum: make one, before the loops": {"fresh": True},
    'every epoch used the first rate: set optimizer.param_groups[0]["lr"] = rate at the start of each': {
        "adaptive": False
    },
}


def _trained(fn: Function) -> None:
    """Finding unless the context ends where SGD takes it."""
    (_, came), (_, wanted) = _ran(fn), _ran(train)
    if agree(wanted, came, 1e-5):
        return
    start = _new_model().learner.get_parameter("ctx").detach()
    moves = f"a context that moves by {(wanted - start).norm():.4f} in six steps"
    if agree(start, came, 1e-7):
        cause = "nothing was learned: loss.backward() fills the gradient, and optimizer.step() makes the step"
        raise Finding(moves, "the context as it was", cause)
    causes = (cause for cause, switches in SLIPS.items() if agree(_ran(train, **switches)[1], came, 1e-5))
    other = "compare with: SGD, momentum 0.9, weight decay 5e-4, the rate of each epoch, one step per batch"
    if agree(_ran(fn, [2 * rate for rate in RATES])[1], came, 1e-7):
        other = 'the rates do not arrive: set optimizer.param_groups[0]["lr"] = rate at the start of each epoch'
    raise Finding(moves, f"one that moves by {(came - start).norm():.4f}, elsewhere", next(causes, other))


def _only_the_context(fn: Function) -> None:
    """Finding if the optimiser holds more than the learner, or CLIP has changed."""
    model, held = _new_model(), {}

    def note(optimizer: Any, *_: Any) -> None:
        held.update({id(weight): weight for group in optimizer.param_groups for weight in group["params"]})

    before = [weight.clone() for weight in model.clip.parameters()]
    hook = register_optimizer_step_pre_hook(note)
    try:
        with kept(model.clip):
            fn(model, iter(_batches()), RATES)
            thawed = any(weight.requires_grad for weight in model.clip.parameters())
            changed = any(not torch.equal(*pair) for pair in zip(before, model.clip.parameters(), strict=True))
    finally:
        hook.remove()
    if thawed or changed:
        cause = "something asks for gradients of CLIP: leave requires_grad alone"
        raise Finding("CLIP's weights as they were, and frozen", "weights that learn", cause)
    learned = {id(weight) for weight in model.learner.parameters()}
    more = [weight for key, weight in held.items() if key not in learned]
    if more:
        scale = len(more) == 1 and more[0].numel() == 1
        numbers = sum(weight.numel() for weight in more)
        what = "the logit scale" if scale else f"{len(more)} tensors of CLIP with {numbers:,} numbers"
        cause = (
            "CoOp does not learn the logit scale: give the optimiser model.learner.parameters() alone"
            if scale
            else "model.parameters() holds CLIP, too: give the optimiser model.learner.parameters()"
        )
        raise Finding("an optimiser that holds the context alone", f"one that holds {what}, too", cause)


def _again(fn: Function) -> bool | str:
    """Whether a second run, on an iterator, gives the same losses."""

    def epochs() -> Iterator[Iterator[Batch]]:
        yield from map(iter, _batches())

    model = _new_model()
    with kept(model.clip):
        again = fn(model, epochs(), RATES)
    return agree(_ran(train)[0], again, 1e-4) or "other losses than on the first run"


TRAIN = Exercise(
    number="03.4",
    title="Train the context, and nothing else",
    reference=train,
    facets=(
        Facet("a loss for every step", _steps),
        Facet("the loss", _first_loss),
        Facet("only the context learns", _only_the_context),
        Facet("the steps", _trained),
        invariant(
            "a second run is the same",
            _again,
            expected="the same losses for a new model on the same batches",
            cause="something is left over from an earlier call: make the optimiser and the list inside the function",
        ),
    ),
    hints=(
        "An ordinary PyTorch training loop. The one decision is which parameters the optimiser gets: the learner has "
        "them, model.learner.parameters().",
        "One optimiser before the loops. Outer loop: for batches, rate in zip(epochs, rates), set the rate in "
        'optimizer.param_groups[0]["lr"]. Inner loop: loss, zero_grad, backward, step, and note loss.item().',
        "optimizer = torch.optim.SGD(model.learner.parameters(), lr=1.0, momentum=0.9, weight_decay=5e-4) and, per "
        "batch, loss = F.cross_entropy(model.classify(image_features), labels).",
    ),
    meaning="A few hundred numbers learn, and millions only pass the gradient on.",
)


# 03.5: contexts per class

PER_CLASS = Exercise(
    number="03.5",
    title="Count a context per class",
    reference=8_192_000,
    facets=(
        number(
            8_192_000,
            0.5,
            {
                8_192: "that is one context for all classes: here every class has its own",
                16_000: "those are tokens: each of them is a list of d_t = 512 numbers",
                512_000: "that is one token per class: there are n = 16",
                12_288_000: "768 is the width of the image tower: the context stands in the text tower",
                630_784_000 // 16: "77 is the longest sentence: only the n = 16 context tokens are learned",
                24_576_000: "the three together make a product, 16 x 512 x 1000, without another factor",
            },
        ),
    ),
    hints=(
        "How many numbers is one token? How many tokens has one context? How many contexts are there?",
        "A token of the text tower has d_t numbers; do not take the width of the image tower.",
        "Multiply classes, tokens and width: C * n * d_t with C = 1000, n = 16, d_t = 512.",
    ),
    meaning="A context per class grows with the number of classes: on ImageNet 1,000 times as many numbers to learn.",
)


# 03.6: where the class name stands


def token_order(position: str, n_ctx: int, name_length: int, length: int) -> list[int]:
    """For every place of a sentence of `length` tokens, which token of the "end" order stands there."""
    before = {"end": n_ctx, "middle": n_ctx // 2, "front": 0}[position]
    context = list(range(1, 1 + n_ctx))
    name = list(range(1 + n_ctx, 1 + n_ctx + name_length))
    return [0, *context[:before], *name, *context[before:], *range(1 + n_ctx + name_length, length)]


def _inverse(*arguments: Any) -> list[int]:
    order = token_order(*arguments)
    return [order.index(place) for place in range(len(order))]


def _exchanged(position: str, *sizes: int) -> list[int]:
    return token_order({"end": "end", "middle": "front", "front": "middle"}[position], *sizes)


def _name_first(position: str, n_ctx: int, name_length: int, length: int) -> list[int]:
    order = token_order("front", n_ctx, name_length, length)
    return [*order[1 : 1 + name_length], 0, *order[1 + name_length :]]


def _one_token(position: str, n_ctx: int, name_length: int, length: int) -> list[int]:
    return token_order(position, n_ctx, 1, length)


def _larger_half(position: str, n_ctx: int, name_length: int, length: int) -> list[int]:
    half, name = (n_ctx + 1) // 2, range(1 + n_ctx, 1 + n_ctx + name_length)
    return [0, *range(1, 1 + half), *name, *range(1 + half, 1 + n_ctx), *range(1 + n_ctx + name_length, length)]


def _stop_before_context(position: str, n_ctx: int, name_length: int, length: int) -> list[int]:
    return [0, *range(1 + n_ctx, length - 1), *range(1, 1 + n_ctx), length - 1]


def _no_context(position: str, n_ctx: int, name_length: int, length: int) -> list[int]:
    return [0, *range(1 + n_ctx, length)]


COMMON: dict[str, Function] = {
    "that is the other way round, the new place of every old token: say for every place which token stands there": (
        _inverse
    ),
    '"middle" and "front" are exchanged': _exchanged,
    'nothing moved: this is the order of "end"': lambda position, *sizes: token_order("end", *sizes),
    "the name was taken for a single token: it has name_length of them, and they stay together": _one_token,
    "the context is gone: only its place changes": _no_context,
}


def _permutation(fn: Function) -> bool | str:
    for position in ("end", "middle", "front"):
        for sizes in ((1, 1, 5), (5, 2, 12), (16, 4, 25)):
            order = [int(place) for place in fn(position, *sizes)]
            if order != token_order(position, *sizes):
                return f"{literal(order)} for {position!r} with n_ctx, name_length, length = {sizes}"
    return True


TOKEN_ORDER = Exercise(
    number="03.6",
    title="Put the class name elsewhere",
    reference=token_order,
    facets=(
        returns(("end", 4, 2, 9), kind=(list, tuple), name="a list"),
        by_hand(("end", 4, 2, 9), [0, 1, 2, 3, 4, 5, 6, 7, 8], 'in "end" every token stays', name='"end"'),
        by_hand(
            ("front", 4, 2, 9),
            [0, 5, 6, 1, 2, 3, 4, 7, 8],
            "after SOS (0) comes the name (5, 6), then the context (1 to 4), then '.' and EOT",
            mistakes={
                **COMMON,
                "the name stands before SOS: SOS stays first": _name_first,
                "the full stop moved with the name: '.' and EOT keep their places at the end": _stop_before_context,
                "'.' and EOT are lost: the list has length entries": lambda *sizes: token_order(*sizes)[:-2],
            },
            name='"front"',
        ),
        by_hand(
            ("middle", 4, 3, 10),
            [0, 1, 2, 5, 6, 7, 3, 4, 8, 9],
            "the first half of the context (1, 2) stands before the name (5, 6, 7), the other (3, 4) after it",
            mistakes=COMMON,
            name='"middle"',
        ),
        by_hand(
            ("middle", 3, 1, 7),
            [0, 1, 4, 2, 3, 5, 6],
            "n // 2 = 1 of three context tokens stands before the name",
            mistakes={"the larger half stands before the name: it is n // 2 tokens, rounded down": _larger_half},
            name="an odd context",
        ),
        invariant(
            "other lengths",
            _permutation,
            expected="every token once, for all lengths",
            cause="a number of one of the examples stands in the code: use n_ctx, name_length and length",
        ),
    ),
    hints=(
        'Write down four lists in the order of "end": SOS, the context, the name, and the rest. Then put them together '
        "in another order.",
        "context = 1 .. n_ctx, name = the next name_length numbers, rest = from there up to length. How many of the "
        'context stand before the name: all for "end", n_ctx // 2 for "middle", none for "front".',
        "With that number in `before`: [0, *context[:before], *name, *context[before:], *rest].",
    ),
    meaning="The same context can stand before, around or after the class name; what is learned adapts to it.",
)

EXERCISES: tuple[Exercise, ...] = (SPLICE, ENCODE_TEXT, LEARNING_RATE, TRAIN, PER_CLASS, TOKEN_ORDER)
