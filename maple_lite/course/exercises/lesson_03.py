"""The exercises of lesson 03, CoOp: the splice, the text tower, planted bugs, and the training loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from maple_lite.clip import FrozenCLIP, write_prompt
from maple_lite.course.exercises.shared import draw, kept, prompts_learn, small_clip, unit_norm, unmixed
from maple_lite.course.planted import CURVES, CUT, NO_BUG, NO_MASK, SOS
from maple_lite.course.teach.cases import ONES, Case
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import (
    SIZES,
    Function,
    any_size,
    by_hand,
    equals,
    gradient,
    invariant,
    returns,
    unchanged,
)
from maple_lite.course.teach.laws import AGAIN, MODULES
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe, literal
from maple_lite.learners import CoOp
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.seeds import seeded
from maple_lite.tokens import tokenize

Batch = tuple[Tensor, Tensor]
NAMES = ("cat", "crossed swords", "snowman")
N_CTX = 4


# 03.1: the splice

X, CONTEXT, CONTEXTS = draw(3, 9, 8), draw(N_CTX, 8, seed=1), draw(3, N_CTX, 8, seed=2)
COUNTED = torch.arange(6.0)[None, :, None]  # [1, 6, 1]
TENS = torch.tensor([[10.0], [20.0]])  # [2, 1]


SPLICED = """
def splice(x, prompt, positions=None):
    n = prompt.shape[-2]
    prompt = prompt.expand(len(x), -1, -1)
    return torch.cat([x[:, :1], prompt, x[:, 1 + n :]], dim=1)
"""
COUNT, EXPAND = "n = prompt.shape[-2]", "prompt = prompt.expand(len(x), -1, -1)"
JOINED = "[x[:, :1], prompt, x[:, 1 + n :]]"
KNOWN = {"torch": torch, "F": F, "write_prompt": write_prompt}  # to the submissions


def _one_for_all(one: str) -> dict[str, str]:
    """A patch: of contexts [C, n, d], every class gets the same one."""
    return {COUNT: f"prompt = prompt if prompt.ndim == 2 else {one}\n{COUNT}"}


SPLICE_MISTAKES = Mistakes(
    {
        "over SOS": Mistake(
            "the prompt stands at 0..n-1 and writes over SOS: it starts at position 1", {JOINED: "[prompt, x[:, n:]]"}
        ),
        "inserts": Mistake(
            "the prompt was inserted and the old tokens pushed to the right: it must replace 1..n, so that the length "
            "stays L; go on with x[:, 1 + n:]",
            {"1 + n :": "1:"},
        ),
        "inserts after losing SOS": Mistake(
            "SOS is lost and the old words are still there: keep x[:, :1] and leave out 1..n",
            {JOINED: "[prompt, x[:, 1:]]"},
        ),
        "inserts and cuts": Mistake(
            "the prompt was inserted and the end cut off: the class name moved, and EOT is gone",
            {"1 + n :": "1:", "dim=1)": "dim=1)[:, : x.shape[1]]"},
        ),
        "one token too many is cut": Mistake(
            "a token is lost: SOS is x[:, :1], and the words after the prompt begin at 1 + n", {"1 + n": "2 + n"}
        ),
        "at the end": Mistake(
            "the prompt stands at the end, over '.' and EOT: it starts at position 1, right after SOS",
            {JOINED: "[x[:, :-n], prompt]"},
        ),
        "adds": Mistake(
            "the prompt was added to the words: it replaces them", {"prompt, x[": "prompt + x[:, 1 : 1 + n], x["}
        ),
        "reversed": Mistake("the prompt tokens stand in reverse order", {"prompt, x[": "prompt.flip(1), x["}),
        "detaches": Mistake(words="the path is cut", patch={"prompt, x[": "prompt.detach(), x["}),
        "in place": Mistake(words="x was changed", body="x[:, 1 : 1 + prompt.shape[-2]] = prompt\nreturn x"),
        "first sentence alone": Mistake(
            "only the first sentence got the prompt: expand it to all C of them",
            {"prompt, x[": "torch.cat([prompt[:1], x[1:, 1 : 1 + n]]), x["},
        ),
        "one context for all classes": Mistake(
            "every class got the context of the first one: a prompt [C, n, d] has one per sentence",
            _one_for_all("prompt[0]"),
        ),
        "the mean of all contexts": Mistake(
            "every class got the mean of all contexts: a prompt [C, n, d] has one per sentence",
            _one_for_all("prompt.mean(dim=0)"),
        ),
        "n off the first axis": Mistake(
            "n was read off prompt.shape[0], which is C in a prompt [C, n, d]: n is prompt.shape[-2]",
            {"shape[-2]": "shape[0]"},
        ),
        "the prompt alone": Mistake(
            "that is the prompt alone: join it with SOS before it and the rest after it (torch.cat, dim=1)",
            {f"torch.cat({JOINED}, dim=1)": "prompt"},
        ),
        "no return": Mistake(words="did you forget", patch={"return torch": "torch"}),
        "not expanded": Mistake(words="lacks a dimension", patch={EXPAND: ""}),
    },
    SPLICED,
    KNOWN,
)


def _any_splice(case: Case) -> tuple[Tensor, Tensor]:
    """Sentences [C, L, d] with a prompt [n, d] or [C, n, d]; sometimes the prompt reaches to the end."""
    sentences, n, rest, width = case.sizes(4)
    own = (sentences,) if case.whole(0, 1) else ()
    return case.normal(sentences, n + rest, width), case.normal(*own, n, width)


SPLICE = Exercise(
    number="03.1",
    title="Splice the context into the sentences",
    reference=write_prompt,
    facets=(
        returns((X, CONTEXT), (3, 9, 8), letters="C, L, d"),
        by_hand(
            (COUNTED, TENS),
            torch.tensor([[[0.0], [10.0], [20.0], [3.0], [4.0], [5.0]]]),
            "SOS (0) stays, 10 and 20 stand at 1 and 2, and 3, 4, 5 stay where they were",
        ),
        equals((X, CONTEXT), write_prompt, name="every sentence gets the context"),
        equals((X, CONTEXTS), write_prompt, name="a context per class [C, n, d]"),
        any_size(_any_splice, write_prompt),
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
    mistakes=SPLICE_MISTAKES,
)


# 03.2: the text tower

TOKENS = tokenize([f"a photo of a {name}." for name in NAMES])  # [3, L]
PROMPT, PROMPTS = draw(N_CTX, 48, seed=3) * 0.05, draw(3, N_CTX, 48, seed=4) * 0.05


WIDTH, JOINT = 48, 32
TOWER = """
def encode_text(self, tokens, prompts=(), positions=None):
    text, length = self.text, tokens.shape[1]
    x = text.token_embedding(tokens)  # [C, L, d_t]
    x = write_prompt(x, prompts[0], positions) if len(prompts) else x
    x = x + text.positional_embedding[:length]
    for i, block in enumerate(text.transformer.resblocks):
        x = block(x, attn_mask=text.attn_mask[:length, :length])
    x = text.ln_final(x[torch.arange(len(x)), tokens.argmax(dim=-1)])
    return F.normalize(x @ text.text_projection, dim=-1)
"""
WRITE = "x = write_prompt(x, prompts[0], positions) if len(prompts) else x"
PLACES = "x = x + text.positional_embedding[:length]"
MASK, EOT = ", attn_mask=text.attn_mask[:length, :length]", "[torch.arange(len(x)), tokens.argmax(dim=-1)]"
READ, NORMALISED = f"x = text.ln_final(x{EOT})", "F.normalize(x @ text.text_projection, dim=-1)"


def _before_block(which: str) -> dict[str, str]:
    """A patch: the prompt is written before the blocks of which a condition is true."""
    return {"block(x,": f"block(write_prompt(x, prompts[0]) if len(prompts) and {which} else x,"}


TOWER_MISTAKES = Mistakes(
    {
        "no mask": Mistake(
            "the causal mask did not arrive: every token sees the words after it. Pass it by its name, attn_mask=, to "
            "every block",
            {MASK: ""},
        ),
        "last position": Mistake(
            "the last position was read, which in a shorter sentence is padding: read EOT", {EOT: "[:, -1]"}
        ),
        "SOS": Mistake("SOS was read, which sees no word under the causal mask: read EOT", {EOT: "[:, 0]"}),
        "mean": Mistake("all tokens were averaged: CLIP reads EOT alone", {EOT: ".mean(dim=1)"}),
        "no places": Mistake("the positional embedding was not added", {PLACES: ""}),
        "no ln_final": Mistake("text.ln_final is missing before the projection", {"text.ln_final": ""}),
        "neither mask nor EOT": Mistake("both the mask and EOT are missing", {MASK: "", EOT: "[:, -1]"}),
        "prompt ignored": Mistake(
            "the prompt changed nothing: splice prompts[0] into the token embeddings", {WRITE: ""}
        ),
        "places before the splice": Mistake(
            "the positional embedding was added before the splice, which wrote over it: prompt tokens have places, "
            "too, so add it afterwards",
            {WRITE: PLACES, PLACES: WRITE},
        ),
        "prompt in every layer": Mistake(
            "the prompt was written again before every layer: that is for lesson 05, here it enters once",
            _before_block("i"),
        ),
        "prompt in the second layer": Mistake(
            "the prompt came a layer late: splice before the first block", {WRITE: "", **_before_block("i == 1")}
        ),
        "always a prompt": Mistake(
            "there may be no prompts at all: splice only if prompts holds one", {" if len(prompts) else x": ""}
        ),
        "no projection": Mistake(
            "the last step is missing: @ text.text_projection takes [C, d_t] to [C, D]",
            {"x @ text.text_projection": "x"},
        ),
        "no EOT": Mistake("one feature per token came: take EOT's row before you project", {EOT: ""}),
        "the residual stream": Mistake(
            "the residual stream came: take EOT's row, normalise (ln_final), project", {READ: "", NORMALISED: "x"}
        ),
        "every EOT": Mistake(
            "x[:, end] takes every EOT of every sentence: pair row i with its own, x[torch.arange(C), end]",
            {"torch.arange(len(x))": ":"},
        ),
        "mask by position": Mistake(
            words="F.normalize",
            patch={"attn_mask=": "", f"return {NORMALISED}": "x = x @ text.text_projection\nreturn x / x.norm()"},
        ),
        "not normalised": Mistake(words="features of norm 1", patch={NORMALISED: "x @ text.text_projection"}),
        "normalised over the classes": Mistake(
            words="another dimension", patch={"_projection, dim=-1": "_projection, dim=0"}
        ),
        "no gradient": Mistake(words="no gradient for prompts[0]", patch={NORMALISED: f"{NORMALISED}.detach()"}),
        "77 places": Mistake(words="two shapes do not fit", patch={"embedding[:length]": "embedding"}),
        "the reference's own call": Mistake(words="did you forget", patch={"return F": "F"}),
    },
    TOWER,
    KNOWN,
)


def _any_sentences(case: Case) -> tuple[FrozenCLIP, Tensor, list[Tensor]]:
    """Sentences of several lengths, with a prompt of any length, one per class, or none at all."""
    classes, n = case.sizes(2)
    names = [case.chosen(["cat", "crossed swords", "snowman", "four leaf clover"]) for _ in range(classes)]
    tokens = tokenize([f"{'X ' * n}{name}." for name in names])
    own = case.chosen([(), (classes,), None])
    prompts = [] if own is None else [0.05 * torch.randn(*own, n, WIDTH, generator=case.generator)]
    return small_clip(), tokens, prompts


ENCODE_TEXT = Exercise(
    number="03.2",
    title="Walk through the text tower",
    reference=FrozenCLIP.encode_text,
    facets=(
        returns((small_clip(), TOKENS), (3, JOINT), letters="C, D"),
        unit_norm(small_clip(), TOKENS),
        equals((small_clip(), TOKENS), FrozenCLIP.encode_text, name="without prompts it is CLIP's own"),
        equals((small_clip(), TOKENS, [PROMPT]), FrozenCLIP.encode_text, name="a prompt in the first layer"),
        equals((small_clip(), TOKENS, [PROMPTS]), FrozenCLIP.encode_text, name="a prompt per class"),
        unmixed(
            small_clip(),
            TOKENS,
            [row[None, : int(row.argmax()) + 1] for row in TOKENS],
            [PROMPT],
            what="sentence",
            cause="a line works along the wrong dimension, or reads past EOT: neighbours and padding do not matter",
        ),
        prompts_learn(small_clip(), TOKENS, [PROMPT], "the gradient passes through the frozen tower"),
        any_size(_any_sentences, FrozenCLIP.encode_text, cases=6),
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
    mistakes=TOWER_MISTAKES,
)


# 03.3: planted bugs

WHY = {
    SOS: "under the causal mask SOS sees no word, so all classes get the same features, and the loss stays at ln C",
    CUT: "with the gradient cut nothing is learned: the loss stays where the sentence by hand has it",
    NO_MASK: "without the mask the tower is not the one that was trained: the loss starts too high, and then falls",
    NO_BUG: "without a bug the loss starts where the sentence by hand has it, and falls",
}


def _diagnosis(answer: Any) -> None:
    """Finding unless every curve has its bug."""
    if isinstance(answer, list | tuple) and len(answer) == len(CURVES):
        answer = dict(zip(CURVES, answer, strict=True))
    if not isinstance(answer, dict) or set(answer) != set(CURVES):
        cause = "write one of the four texts for each of A, B, C and D"
        raise Finding(f"a dict with the keys {', '.join(CURVES)}", describe(answer), cause)
    spelt = {bug.lower(): bug for bug in WHY}
    said = {letter: spelt.get(str(text).strip().lower(), "") for letter, text in answer.items()}
    for letter in CURVES:
        if said[letter] not in WHY:
            cause = "copy one of the four texts as it stands there"
            raise Finding(f"one of {', '.join(map(repr, WHY))} for {letter}", repr(answer[letter]), cause)
    for letter, bug in CURVES.items():
        if said[letter] != bug:
            cause = f"{WHY[said[letter]]}; curve {letter} does something else"
            raise Finding(f"another text for {letter}", repr(said[letter]), cause, said)


def _swapped(first: str, second: str) -> dict[str, str]:
    """The answer with the texts of two curves exchanged."""
    return CURVES | {first: CURVES[second], second: CURVES[first]}


PLANTED = Exercise(
    number="03.3",
    title="Find the bugs by their curves",
    reference=dict(CURVES),
    facets=(Facet("the bug of every curve", _diagnosis),),
    hints=(
        "Two numbers help: the loss of the sentence by hand, and the loss of guessing, ln 13. Where does each curve "
        "start, compared with them? And does it fall?",
        "Ask of every bug: do the untrained features stay those of CLIP? Can the context learn? Do the classes differ "
        "from each other?",
        "Guessing for ever means that all classes look alike. A flat curve at the sentence's loss means that nothing "
        "learns. A start that is too high means that the tower is not CLIP's own.",
    ),
    meaning="A loss curve has two things to read: where it starts, and whether it falls.",
    mistakes=Mistakes(
        {
            "A and C exchanged": Mistake(words="curve A does something else", value=_swapped("A", "C")),
            "B and D exchanged": Mistake(words="curve B does something else", value=_swapped("B", "D")),
            "C and D exchanged": Mistake(words="curve C does something else", value=_swapped("C", "D")),
            "A alone": Mistake(words="a dict with the keys A, B, C, D", value={"A": SOS}),
            "another text": Mistake(words="copy one of the four texts", value=CURVES | {"B": "fine"}),
        }
    ),
)


# 03.4: the training loop

RATES = (0.2, 0.1, 0.05)  # of three epochs


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


def train(model: PromptedCLIP, epochs: Iterable[Iterable[Batch]], rates: Iterable[float]) -> list[float]:
    """Losses of every step of SGD on what `model` has to learn."""
    optimizer = torch.optim.SGD(model.learner.parameters(), lr=1.0, momentum=0.9, weight_decay=5e-4)
    losses = []
    for pairs, rate in zip(epochs, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for image_features, labels in pairs:
            loss = F.cross_entropy(model.classify(image_features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


LEARNED, SET_RATE = "model.learner.parameters()", 'optimizer.param_groups[0]["lr"] = rate'
SGD, LOGITS = f"torch.optim.SGD({LEARNED}, lr=1.0, momentum=0.9, weight_decay=5e-4)", "model.classify(image_features)"

LOOP = f"""
optimizer = {SGD}
losses = []
for pairs, rate in zip(epochs, rates, strict=True):
    {SET_RATE}
    for image_features, labels in pairs:
        loss = F.cross_entropy({LOGITS}, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
return losses
"""
CLEAR, STEP = "        optimizer.zero_grad()\n", "        optimizer.step()\n"
NOTE = "        losses.append(loss.item())\n"

TRAIN_MISTAKES = Mistakes(
    {
        "no zero_grad": Mistake(
            "gradients add up from step to step: call optimizer.zero_grad() before every backward()",
            {"optimizer.zero_grad()": ""},
        ),
        "no momentum": Mistake("the momentum is missing: momentum=0.9", {", momentum=0.9": ""}),
        "no weight decay": Mistake("the weight decay is missing: weight_decay=5e-4", {", weight_decay=5e-4": ""}),
        "neither": Mistake(
            "momentum and weight decay are missing: momentum=0.9, weight_decay=5e-4",
            {", momentum=0.9, weight_decay=5e-4": ""},
        ),
        "a new optimiser in every epoch": Mistake(
            "every epoch made a new optimiser, which forgets its momentum: make one, before the loops",
            {f"optimizer = {SGD}": "", SET_RATE: f"optimizer = {SGD.replace('1.0', 'rate')}"},
        ),
        "the first rate for all": Mistake(
            'every epoch used the first rate: set optimizer.param_groups[0]["lr"] = rate at the start of each',
            {"lr=1.0": "lr=rates[0]", SET_RATE: ""},
        ),
        "cleared once an epoch": Mistake(
            "zero_grad() runs once an epoch, so that gradients add up within it: clear them in every step",
            body=LOOP.replace(CLEAR, "").replace(SET_RATE, f"{SET_RATE}\n    optimizer.zero_grad()"),
        ),
        "all epochs at once": Mistake(
            words="take the epochs one by one", patch={"losses = []": "losses, epochs = [], list(epochs)"}
        ),
        "a copy in the optimiser": Mistake(
            words="holds copies of the context",
            patch={LEARNED: "[w.detach().clone().requires_grad_() for w in model.learner.parameters()]"},
        ),
        "a step once an epoch": Mistake(
            "step() runs once an epoch: it belongs after every backward(), in the inner loop",
            body=LOOP.replace(STEP, "").replace(NOTE, f"{NOTE}    optimizer.step()\n"),
        ),
        "summed": Mistake(
            "the losses of a batch were summed: the mean is F.cross_entropy's default",
            {"), labels)": '), labels, reduction="sum")'},
        ),
        "softmax twice": Mistake(
            "cross-entropy got probabilities: it takes the softmax itself, give it the logits",
            {LOGITS: f"{LOGITS}.softmax(dim=-1)"},
        ),
        "CLIP in the optimiser": Mistake(
            words="model.parameters() holds CLIP, too", patch={LEARNED: "model.parameters()"}
        ),
        "logit scale in the optimiser": Mistake(
            words="does not learn the logit scale", patch={LEARNED: f"[*{LEARNED}, model.clip.model.logit_scale]"}
        ),
        "CLIP thawed": Mistake(
            words="leave requires_grad alone",
            patch={"losses = []": "losses = []\nmodel.requires_grad_(True)", LEARNED: "model.parameters()"},
        ),
        "no backward": Mistake(words="nothing was learned", patch={"loss.backward()": ""}),
        "a rate of its own": Mistake(words="the rates do not arrive", patch={"lr=1.0": "lr=0.002", SET_RATE: ""}),
        "Adam": Mistake(words="compare with: SGD", patch={SGD: f"torch.optim.Adam({LEARNED})"}),
        "tensors": Mistake(words="append loss.item()", patch={"loss.item()": "loss"}),
        "one loss per epoch": Mistake(
            words="one loss per epoch came",
            patch={"losses.append(loss.item())": "last = loss.item()", SET_RATE: f"{SET_RATE}\nlosses.append(0.0)"},
        ),
        "the last loss alone": Mistake(words="one loss came", patch={"return losses": "return loss.item()"}),
        "no return": Mistake(words="did you forget", patch={"return losses": ""}),
    },
    train,
)


def _ran(fn: Function, epochs: Sequence[Sequence[Batch]] = (), rates: Sequence[float] = RATES) -> tuple[Any, Tensor]:
    """Losses, and the context afterwards, of training a new model."""
    model = _new_model()
    with kept(model.clip):
        losses = fn(model, iter(epochs or _batches()), rates)
    return losses, model.learner.get_parameter("ctx").detach().clone()


@lru_cache
def _right() -> tuple[list[float], Tensor]:
    """Losses and context of the reference."""
    return _ran(train)


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
    came, right = _ran(fn)[0][0], _right()[0][0]
    if not agree(right, came, 1e-4):
        cause = "the first loss is F.cross_entropy(model.classify(image_features), labels), before any step"
        raise Finding(f"{right:.4f}, the loss of the first batch before any step", f"{came:.4f}", cause, came, 1e-4)


def _trained(fn: Function) -> None:
    """Finding unless the context ends where SGD takes it."""
    came, wanted = _ran(fn)[1], _right()[1]
    if agree(wanted, came, 1e-5):
        return
    start = _new_model().learner.get_parameter("ctx").detach()
    moves = f"a context that moves by {(wanted - start).norm():.4f} in six steps"
    if agree(start, came, 1e-7):
        cause = "nothing was learned: call loss.backward(), then optimizer.step(), and no zero_grad() between the two"
        raise Finding(moves, "the context as it was", cause, came, 1e-7)
    cause = "compare with: SGD, momentum 0.9, weight decay 5e-4, the rate of each epoch, one step per batch"
    slow, fast = (_ran(fn, [_batches()[0][:1]], [rate])[1] for rate in (0.1, 0.2))  # after one step
    if agree(slow, fast, 1e-7):
        cause = 'the rates do not arrive: set optimizer.param_groups[0]["lr"] = rate at the start of each epoch'
    _ran(fn)  # once more, so that the verdict shows these rates
    raise Finding(moves, f"one that moves by {(came - start).norm():.4f}, elsewhere", cause, came, 1e-5)


def _other_lengths(fn: Function) -> None:
    """Other numbers of epochs and batches: one of each, and epochs that are not equally long."""
    for number in range(4):
        case = Case(number)
        steps = case.sizes(1 + case.whole(0, 2) * (number != ONES))
        rates = [0.2 / (epoch + 1) for epoch in range(len(steps))]
        sizes = [[case.size(2) for _ in range(count)] for count in steps]
        epochs = [
            [(F.normalize(case.normal(size, JOINT).float(), dim=-1), case.labels(size, len(NAMES))) for size in epoch]
            for epoch in sizes
        ]
        right, came = _ran(train, epochs, rates), _ran(fn, epochs, rates)
        if not agree(right[0], came[0], 1e-4) or not agree(right[1], came[1], 1e-5):
            cause = "a number of epochs or batches is written into the code, or something of an earlier call is left"
            expected = f"{literal(right[0])} for epochs of {steps} batches"
            raise Finding(expected, describe(came[0]), cause, list(came), 1e-4)


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
    if held and not set(held) & {id(weight) for weight in model.parameters()}:
        cause = "the optimiser holds copies of the context, not the context itself: model.learner.parameters()"
        raise Finding("an optimiser that holds the context", "one that holds other tensors", cause)
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


def _one_by_one(fn: Function) -> bool | str:
    """Whether an epoch is drawn when the one before is over, as the notebook's notes of the context need it."""
    model, notes = _new_model(), []

    def epochs() -> Iterator[list[Batch]]:
        for pairs in _batches():
            notes.append(model.learner.get_parameter("ctx").detach().clone())
            yield pairs

    with kept(model.clip):
        fn(model, epochs(), RATES)
    moved = len(notes) == len(RATES) and not torch.equal(notes[0], notes[1])
    return moved or "all epochs drawn before the first step"


def _again(fn: Function) -> bool | str:
    """Whether a second run, on an iterator, gives the same losses."""

    def epochs() -> Iterator[Iterator[Batch]]:
        yield from map(iter, _batches())

    model = _new_model()
    with kept(model.clip):
        again = fn(model, epochs(), RATES)
    return agree(_right()[0], again, 1e-4) or "other losses than on the first run"


TRAIN = Exercise(
    number="03.4",
    exempt=(AGAIN, MODULES),
    title="Train the context, and nothing else",
    reference=train,
    facets=(
        Facet("a loss for every step", _steps),
        Facet("the loss", _first_loss),
        Facet("only the context learns", _only_the_context),
        Facet("the steps", _trained),
        Facet(SIZES, _other_lengths),
        invariant(
            "one epoch after the other",
            _one_by_one,
            expected="each epoch to be drawn when the one before is over",
            cause="epochs gives its batches only as you walk through it: take the epochs one by one, without list(...)",
        ),
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
    mistakes=TRAIN_MISTAKES,
)


EXERCISES: tuple[Exercise, ...] = (SPLICE, ENCODE_TEXT, PLANTED, TRAIN)
