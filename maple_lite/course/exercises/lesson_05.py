"""The exercises of lesson 05, deep language prompting: a prompt per layer, its start, who sees whom, a count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP, write_prompt
from maple_lite.course.exercises.lesson_03 import N_CTX, POSITIONS, TOKENS
from maple_lite.course.exercises.shared import (
    added,
    at_the_end,
    cause_of_spread,
    draw,
    over_sos,
    prompts_learn,
    pushed,
    small_clip,
)
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, equals, number, returns, unchanged
from maple_lite.course.teach.values import agree, describe
from maple_lite.learners import DeepLanguage
from maple_lite.support.seeds import seeded
from maple_lite.tokens import tokenize, word_ids

WIDTH, JOINT, LAYERS = 48, 32, 3  # d_t, D and K of the small CLIP
LENGTH = TOKENS.shape[1]

# 05.1: a prompt for every layer

PROMPTS = [draw(N_CTX, WIDTH, seed=10 + layer) * 0.5 for layer in range(LAYERS)]
Into = Callable[[Tensor, int, Sequence[Tensor], Tensor], Tensor]  # (x, layer, prompts, places) -> x
DEEP_PLACES = "a deep prompt got the positional embedding: it is added once, in layer 0, and not to deep prompts"


def _tower(before: Into, after: Into | None = None, *, first: bool = True, layers: bool = True) -> Function:
    """A text tower whose layers change their input, or output, in their own way.

    `first` says whether the prompt of layer 0 is written as it should be, so that `before` is about the others, and
    `layers` whether what the blocks put out is kept.
    """

    def encode_text(self: FrozenCLIP, tokens: Tensor, prompts: Sequence[Tensor] = (), positions: Any = None) -> Tensor:
        text = self.text
        x = text.token_embedding(tokens)  # [C, L, d_t]
        places = text.positional_embedding[: tokens.shape[1]]
        for i, block in enumerate(text.transformer.resblocks):
            x = (_own_prompt if i == 0 and first else before)(x, i, prompts, places)
            x = x + places if i == 0 else x
            x = block(x, attn_mask=text.attn_mask[: x.shape[1], : x.shape[1]]) if layers else x
            x = after(x, i, prompts, places) if after else x
        x = text.ln_final(x[torch.arange(len(x)), tokens.argmax(dim=-1)])
        return F.normalize(x @ text.text_projection, dim=-1)

    return encode_text


def _same(x: Tensor, i: int, prompts: Sequence[Tensor], places: Tensor) -> Tensor:
    return x


def _write(which: Callable[[int, int], int | None]) -> Into:
    """Writes prompt number `which(layer, J)`, or none, over 1..n."""

    def into(x: Tensor, i: int, prompts: Sequence[Tensor], places: Tensor) -> Tensor:
        chosen = which(i, len(prompts)) if len(prompts) else None
        return x if chosen is None else write_prompt(x, prompts[chosen])

    return into


def _if_there(change: Callable[[Tensor, Tensor], Tensor]) -> Into:
    """`change(x, prompt)` where there is a prompt for the layer."""
    return lambda x, i, prompts, places: change(x, prompts[i]) if i < len(prompts) else x


def _with_places(change: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Into:
    """`change(x, prompt, places)` where there is a prompt for the layer."""
    return lambda x, i, prompts, places: change(x, prompts[i], places) if i < len(prompts) else x


def _own_prompt(x: Tensor, i: int, prompts: Sequence[Tensor], places: Tensor) -> Tensor:
    return write_prompt(x, prompts[i]) if i < len(prompts) else x


def _without_place(x: Tensor, i: int, prompts: Sequence[Tensor], places: Tensor) -> Tensor:
    if i >= len(prompts):
        return x
    return write_prompt(x, prompts[i] - places[1 : 1 + len(prompts[i])] if i == 0 else prompts[i])


AGAIN = "the positional embedding was added to all tokens in every layer: once, in layer 0, is enough"
NONE = {
    AGAIN: _tower(lambda x, i, prompts, places: x + places),
    "the positional embedding is missing: it is added in layer 0, with or without prompts": _tower(
        lambda x, i, prompts, places: x - places if i == 0 else x, first=False
    ),
    "the layers changed nothing: a block gives back what it made of x, so write x = block(x, attn_mask=mask)": _tower(
        _same, layers=False
    ),
}
ONE = {
    "the prompt changed nothing: in layer 0 it is written over the words, as in lesson 03": _tower(_same, first=False),
    "the positional embedding was added before the first prompt was written, which wiped it out there: write first, "
    "then add": _tower(_without_place, first=False),
    "prompts[0] was written again in later layers: prompts[i] enters layer i, once": _tower(_write(lambda i, J: 0)),
    "the prompt came a layer late: write prompts[i] before block(x, ...) of layer i, and count layers from 0": _tower(
        _write(lambda i, J: i - 1 if 0 < i <= J else None), first=False
    ),
    "the first prompt was added to the words: it replaces them": _tower(_if_there(added), first=False),
    "the first prompt stands at 0..n-1 and writes over SOS: it replaces 1..n": _tower(_if_there(over_sos), first=False),
    "the first prompt stands at the end, over EOT: it replaces 1..n": _tower(_if_there(at_the_end), first=False),
}
TWO = {
    "only prompts[0] was used: layer 1 has a prompt of its own, prompts[1]": _tower(_same),
    "the deep prompt was added to what stood there: it replaces it": _tower(_if_there(added)),
    DEEP_PLACES: _tower(
        _with_places(lambda x, prompt, places: write_prompt(x, prompt + places[1 : 1 + len(prompt)])),
    ),
    "the positional embedding was added again in every layer that has a prompt: once, in layer 0, is enough": _tower(
        _with_places(lambda x, prompt, places: write_prompt(x, prompt) + places)
    ),
    "the deep prompt was written after its layer, and entered the next one: write it before block(x, ...)": _tower(
        _same, lambda x, i, prompts, places: write_prompt(x, prompts[i]) if 0 < i < len(prompts) else x
    ),
    "every layer got the prompt of the first: it is prompts[i] for layer i": _tower(
        _write(lambda i, J: 0 if i < J else None)
    ),
    "the last prompt was written again in all later layers: after it, prompts travel on": _tower(
        _write(lambda i, J: min(i, J - 1))
    ),
    "the layers got their prompts in reverse order": _tower(
        _write(lambda i, J: J - 1 - i if i < J else None), first=False
    ),
    "the deep prompt stands at 0..n-1 and writes over SOS: it replaces 1..n, as in layer 0": _tower(
        _if_there(over_sos)
    ),
    "the deep prompt stands at the end, over EOT: it replaces 1..n, as in layer 0": _tower(_if_there(at_the_end)),
    "the deep prompt pushed the other tokens to the right, and the end was cut off: it replaces 1..n": _tower(
        _if_there(pushed)
    ),
}
ALL = {
    "the last layer got no prompt of its own: layer i has one whenever i < len(prompts)": _tower(
        _write(lambda i, J: i if i < min(J, LAYERS - 1) else None)
    )
}
ELSEWHERE = {
    "the positions did not arrive, and the prompts stand at 1..n: write_prompt(x, prompts[i], positions)": _tower(
        _own_prompt
    ),
    "the positions arrived in layer 0 alone: a deep prompt stands where the first one stood": _tower(
        lambda x, i, prompts, _: write_prompt(x, prompts[i], None if i else POSITIONS) if i < len(prompts) else x,
        first=False,
    ),
    "the positions arrived in deeper layers alone: the first prompt stands there, too": _tower(
        _if_there(lambda x, prompt: write_prompt(x, prompt, POSITIONS))
    ),
}


def _every_layer(fn: Function) -> None:
    """Finding unless every block gets L tokens and a fitting mask, with prompts for all layers and for one."""
    for prompts in (PROMPTS, PROMPTS[:1]):
        seen, failed = _what_enters(fn, prompts)
        expected = f"{LAYERS} layers, each with a sequence of {LENGTH} tokens and a mask [{LENGTH}, {LENGTH}]"
        for layer, (x, mask, given) in enumerate(seen):
            _one_layer(expected, layer, x, mask, given)
        if failed:
            raise failed
        if len(seen) != LAYERS:
            cause = "every block runs once, also where there is no prompt for it: keep block(x, ...) outside of the if"
            if len(seen) == len(prompts) < LAYERS:
                cause = "the loop ended with the prompts (zip stops with the shorter list): loop over the blocks alone"
            came = f"{len(seen)} layers were run" if len(seen) != 1 else "1 layer was run"
            raise Finding(expected, f"{came}, with a prompt for {len(prompts)}", cause)


def _what_enters(fn: Function, prompts: Sequence[Tensor]) -> tuple[list[tuple[Tensor, Any, int]], Exception | None]:
    """What every block was given (x, mask, number of arguments without a name), and the error that ended the walk."""
    blocks, seen = small_clip().text.transformer.resblocks, list[tuple[Tensor, Any, int]]()

    def note(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append(((arguments or tuple(named.values()))[0], named.get("attn_mask"), len(arguments)))

    hooks = [block.register_forward_pre_hook(note, with_kwargs=True) for block in blocks]
    try:
        fn(small_clip(), TOKENS, prompts)
    except Exception as error:  # the layers may say more
        return seen, error
    finally:
        for hook in hooks:
            hook.remove()
    return seen, None


def _one_layer(expected: str, layer: int, x: Any, mask: Any, given: int) -> None:
    """Finding unless a layer's input and mask have the length of the sentences."""
    if isinstance(x, Tensor) and x.ndim == 3 and x.shape[1] != LENGTH:
        longer = x.shape[1] > LENGTH
        cause = (
            "the prompts were inserted, so that the sequence grows: they replace positions 1..n, as write_prompt does"
        )
        if not longer:
            cause = "tokens were lost: keep SOS, put the prompt over 1..n, and keep all that follows from 1 + n on"
        raise Finding(expected, f"a sequence of {x.shape[1]} tokens in layer {layer}", cause)
    if mask is None:
        cause = "without its mask every token sees those after it: block(x, attn_mask=mask)"
        if given > 1:
            cause = "the mask was passed without its name, and is taken for something else: block(x, attn_mask=mask)"
        raise Finding(expected, f"no attn_mask in layer {layer}", cause)
    if isinstance(mask, Tensor) and mask.shape != (LENGTH, LENGTH):
        cause = "the sequence is as long as before, so that the mask is, too: text.attn_mask[:length, :length]"
        raise Finding(expected, f"a mask {list(mask.shape)} in layer {layer}", cause)


ENCODE_TEXT = Exercise(
    number="05.1",
    title="A new prompt at every layer",
    reference=FrozenCLIP.encode_text,
    facets=(
        Facet("every layer gets the whole sentence", _every_layer),
        returns((small_clip(), TOKENS, PROMPTS), (3, JOINT), letters="C, D"),
        equals((small_clip(), TOKENS), FrozenCLIP.encode_text, name="without prompts it is CLIP's own", mistakes=NONE),
        equals((small_clip(), TOKENS, PROMPTS[:1]), FrozenCLIP.encode_text, name="J = 1 is CoOp", mistakes=ONE),
        equals(
            (small_clip(), TOKENS, PROMPTS[:2]),
            FrozenCLIP.encode_text,
            name="J = 2: a deep prompt, which then travels on",
            mistakes=TWO,
        ),
        equals(
            (small_clip(), TOKENS, PROMPTS), FrozenCLIP.encode_text, name="J = K: a prompt in every layer", mistakes=ALL
        ),
        prompts_learn(small_clip(), TOKENS, PROMPTS),
        equals(
            (small_clip(), TOKENS, PROMPTS[:2], POSITIONS),
            FrozenCLIP.encode_text,
            name="prompts at other positions",
            mistakes=ELSEWHERE,
        ),
        unchanged((small_clip(), TOKENS, PROMPTS)),
    ),
    hints=(
        "One question at the door of every layer: is there a prompt for me? If so, it takes the places 1..n. Nothing "
        "else of lesson 03 changes, and the positional embedding still has its one place.",
        "for i, block in enumerate(text.transformer.resblocks): if i < len(prompts), write prompts[i] with "
        "write_prompt(x, prompts[i], positions). In layer 0, and only there, add the positional embedding after that. "
        "Then run the block.",
        "Inside the loop, in this order: if i < len(prompts): x = write_prompt(x, prompts[i], positions); "
        "if i == 0: x = x + text.positional_embedding[:length]; x = block(x, attn_mask=mask).",
    ),
    meaning="Every layer can now be told something of its own, and with a list of one prompt this is CoOp.",
)


# 05.2: how the prompts start

INIT, OTHER = "a photo of a", "one small picture of"


def deep_prompts(clip: FrozenCLIP, n_ctx: int, depth: int, init: str = INIT) -> nn.ParameterList:
    """The package's prompts [n, d_t] for layers 0..J-1: the first from words, the others at random."""
    return DeepLanguage(clip, n_ctx, depth, init).text


def _made(
    fn: Function, n_ctx: int = N_CTX, depth: int = LAYERS, init: Sequence[str] = (), seed: int = 0
) -> nn.ParameterList:
    with seeded(seed):
        return fn(small_clip(), n_ctx, depth, *init)


def _words(n_ctx: int, init: str = INIT) -> Tensor:
    return small_clip().text.token_embedding.weight[word_ids(init)[:n_ctx]]


SHAPES = {  # of wrong prompts, and what makes them
    (N_CTX, JOINT): "these are as wide as the joint space: the text tower's layers are clip.text_width wide",
    (N_CTX, 64): "these are as wide as the image tower: prompts of the text tower have clip.text_width",
    (WIDTH, N_CTX): "the two dimensions are exchanged: tokens first, then numbers per token",
    (WIDTH,): "one token came: a prompt has n_ctx of them",
    (1, N_CTX, WIDTH): "a dimension of length 1 came along: a prompt is [n, d_t]",
    (N_CTX + 2, WIDTH): "SOS and EOT came along: word_ids(init) gives the words alone",
    (N_CTX + 1, WIDTH): "SOS or EOT came along: word_ids(init) gives the words alone",
}


def _parameter_list(fn: Function) -> None:
    """A ParameterList of J prompts [n, d_t]."""
    made = _made(fn)
    wanted = f"a ParameterList of {LAYERS} prompts [{N_CTX}, {WIDTH}] (J, n, d_t)"
    if not isinstance(made, nn.ParameterList):
        cause = "return a torch.nn.ParameterList: J prompts, one per layer"
        if made is None:
            cause = cause_of_type(None, nn.ParameterList)
        elif isinstance(made, list | tuple):
            cause = "a plain list hides its tensors from the optimiser: make a torch.nn.ParameterList of it"
        elif isinstance(made, Tensor):
            cause = "one tensor came: torch.nn.ParameterList takes a list with a prompt for every layer"
        raise Finding(wanted, describe(made), cause)
    if len(made) != LAYERS:
        known = {
            LAYERS + 1: "J counts the first layer: the prompt from words, and depth - 1 others",
            LAYERS - 1: "the prompt of the first layer is missing: one from words, and depth - 1 others",
            1: "only the first is there: depth - 1 others follow it in the same list",
        }
        cause = known.get(len(made), "one prompt per layer, depth of them")
        raise Finding(wanted, f"a ParameterList of {len(made)}", cause)
    for layer, prompt in enumerate(made):
        if prompt.shape != (N_CTX, WIDTH):
            cause = SHAPES.get(tuple(prompt.shape), "a prompt is [n_ctx, clip.text_width]")
            raise Finding(wanted, f"prompt {layer} is {describe(prompt.data)}", cause)


def _first_from_words(fn: Function) -> None:
    """The first prompt holds the embeddings of the first n words, for n = 4 and n = 2, and of another `init`."""
    for n_ctx in (N_CTX, 2):
        came = _made(fn, n_ctx)[0].detach()
        if not agree(_words(n_ctx), came, 1e-5):
            words = f"the embeddings of {' '.join(INIT.split()[:n_ctx])!r}"
            raise Finding(words, "other numbers in the first prompt", _cause_of_first(came, n_ctx))
    came = _made(fn, init=(OTHER,))[0].detach()
    if not agree(_words(N_CTX, OTHER), came, 1e-5):
        kept = agree(_words(N_CTX), came, 1e-5)
        cause = "the words of init arrive as an argument: word_ids(init), and no words of your own"
        got = f"the embeddings of {INIT!r}" if kept else "other numbers in the first prompt"
        raise Finding(f"the embeddings of {OTHER!r}, with init={OTHER!r}", got, cause)


def _cause_of_first(came: Tensor, n_ctx: int) -> str:
    """What makes a first prompt that is not the words' embeddings."""
    table, places = small_clip().text.token_embedding.weight, small_clip().text.positional_embedding
    wanted, last = _words(n_ctx), table[word_ids(INIT)[-n_ctx:]]
    known = {
        "the first token is SOS: word_ids(init) gives the words alone": table[tokenize([INIT])[0, :n_ctx]],
        "the positional embedding is in it: encode_text adds that later, so that it would count twice": wanted
        + places[1 : 1 + n_ctx],
        "with n_ctx = 2 the first two words are learned, 'a photo': take ids[:n_ctx]": last,
    }
    for cause, wrong in known.items():
        if agree(wrong, came, 1e-5):
            return cause
    if came.shape != wanted.shape:
        return f"with n_ctx = {n_ctx} the prompt must have as many tokens, not {len(came)}: take ids[:n_ctx]"
    if came.std() < 1e-8:
        return "all numbers of the first prompt are equal: it starts as words"
    if torch.corrcoef(torch.stack([came.flatten(), wanted.flatten()]))[0, 1] > 0.5:
        return "something was added to the words, or they were scaled: the first prompt is their embeddings themselves"
    return "the first prompt is random, or other words: it starts as the words of init, word_ids(init)[:n_ctx]"


def _others_at_random(fn: Function) -> None:
    """The deep prompts are independent and from N(0, 0.02^2)."""
    wanted = "deep prompts from N(0, 0.02^2), new numbers for each layer"
    first, *others = _made(fn)
    if any(agree(first.detach(), other.detach(), 1e-6) for other in others):
        cause = "the words were copied into deep layers, too: there a token is no word any more; those start at random"
        if any(other is first for other in others):
            cause = "all layers share one and the same parameter: make a new one for each"
        raise Finding(wanted, "the words' embeddings in a deep layer", cause)
    if others[0] is others[1]:
        cause = "[p] * k repeats one parameter, which all deep layers then share: draw a new one for each"
        raise Finding(wanted, "one parameter in several layers", cause)
    numbers = torch.cat([torch.stack(list(_made(fn, seed=seed))[1:]).detach().flatten() for seed in range(4)])
    cause = cause_of_spread(numbers)
    if cause:
        came = f"a mean of {numbers.mean():.4f} and a standard deviation of {numbers.std():.4f}"
        raise Finding(wanted, came, cause)
    if torch.equal(others[0], others[1]):
        cause = "the deep prompts are copies of one draw: draw for each layer"
        raise Finding(wanted, "the same numbers in several layers", cause)


def _new_and_learning(fn: Function) -> None:
    """Each call makes new parameters that learn, from torch's own generator, and leaves CLIP alone."""
    seen = [_made(fn, seed=seed) for seed in (0, 1)]
    wanted = "new parameters that ask for gradients, with other random numbers for another seed"
    if not all(prompt.requires_grad for prompt in seen[0]):
        raise Finding(
            wanted, "a prompt with requires_grad=False", "this one would never learn: leave requires_grad out"
        )
    if torch.equal(seen[0][1], seen[1][1]):
        cause = "a seed is set inside the function: leave that to the caller, who draws several starts"
        raise Finding(wanted, "the same numbers after another seed", cause)
    table = small_clip().text.token_embedding.weight
    if any(prompt.untyped_storage().data_ptr() == table.untyped_storage().data_ptr() for prompt in seen[0]):
        cause = "the first prompt is a view of CLIP's own table: .clone() it, or training changes CLIP"
        raise Finding(wanted, "a prompt that shares CLIP's memory", cause)


def _depth_one(fn: Function) -> None:
    """With depth 1 there is the first prompt alone."""
    made = _made(fn, depth=1)
    if len(made) != 1:
        raise Finding(
            "one prompt for depth = 1", f"{len(made)} prompts", "a number stands where depth should: depth - 1 others"
        )


DEEP_PROMPTS = Exercise(
    number="05.2",
    title="Where the prompts start",
    reference=deep_prompts,
    facets=(
        Facet("a ParameterList with a prompt per layer", _parameter_list),
        Facet("the first one starts as words", _first_from_words),
        Facet("the others are random", _others_at_random),
        Facet("new parameters that learn", _new_and_learning),
        Facet("J = 1", _depth_one),
    ),
    hints=(
        "Two kinds of prompt in one list. Which of them stands where words stood? And why can the others not be words?",
        "The rows of clip.text.token_embedding.weight are the words' embeddings; word_ids(init) says which rows. A "
        "normal number of standard deviation 0.02 is 0.02 times a standard normal one. Make depth - 1 of those, each "
        "with a draw of its own, on clip.device.",
        "first = clip.text.token_embedding.weight[word_ids(init)[:n_ctx]].clone(); the others are "
        "[0.02 * torch.randn(n_ctx, clip.text_width, device=clip.device) for _ in range(depth - 1)]; then "
        "torch.nn.ParameterList([first, *others]).",
    ),
    meaning="The first prompt begins as words, the others as noise: between layers there are no words to begin with.",
)


# 05.3: who sees whom

CHANGES = [5, 6, 7]  # of SOS, four prompts, name, ".", EOT
WHY = {
    0: "SOS comes first, and the mask lets it see itself alone",
    **dict.fromkeys(range(1, 5), "a prompt stands before the name, and under the mask no token sees those after it"),
    5: "the name itself has changed, and a token sees itself",
    6: "the full stop comes after the name, and sees it",
    7: "EOT comes last and sees all; without that no two classes would have different features",
}


def _positions(answer: Any) -> None:
    """The positions whose states depend on the class name."""
    expected = "a list of the positions whose states depend on the class name"
    listed = answer.tolist() if isinstance(answer, Tensor) else answer
    came = list(listed) if isinstance(listed, list | tuple | set | range) else [listed]
    if not all(type(place) is int and 0 <= place <= 7 for place in came):
        raise Finding(expected, describe(answer), "write positions from 0 to 7 into a list, such as [0, 7]")
    extra, missing = sorted(set(came) - set(CHANGES)), sorted(set(CHANGES) - set(came))
    if extra:
        raise Finding(expected, f"{describe(answer)}, with position {extra[0]}", WHY[extra[0]])
    if missing:
        raise Finding(expected, f"{describe(answer)}, without position {missing[0]}", WHY[missing[0]])


WHO_SEES_WHOM = Exercise(
    number="05.3",
    title="Who sees the class name?",
    reference=CHANGES,
    facets=(Facet("the positions", _positions),),
    hints=(
        "A state can change only if its token sees something that has changed. Read the mask row by row.",
        "The name stands at 5. Which rows have a mark in column 5? Deep prompts change nothing about that: they are "
        "the same for all classes.",
        "Under a causal mask a token sees itself and those before it. So the name changes its own state and those of "
        "the tokens after it, up to EOT at 7.",
    ),
    meaning="A prompt speaks to the class name and never hears it: its states are the same for all classes.",
)


# 05.4: how many numbers

NUMBERS = Exercise(
    number="05.4",
    title="Count the numbers of all layers",
    reference=24_576,
    facets=(
        number(
            24_576,
            0.5,
            {
                2_048: "that is one layer, which is CoOp: here every layer has a prompt of its own",
                22_528: "J counts the first layer, too: 12 prompts, and not 11",
                26_624: "J counts the first layer already: 12 prompts, and not 13",
                36_864: "768 is the width of the image tower: these prompts stand in the text tower",
                6_144: "that is one token per layer: there are n = 4",
                48: "those are tokens: each of them has d_t = 512 numbers",
                49_152: "twice too many: in this lesson the text tower alone has prompts",
                24_576_000: "the prompts are the same for all classes: do not count those",
                3_072: "that is our tiny CLIP (6 layers of width 128): the question is about ViT-B/16",
            },
        ),
    ),
    hints=(
        "How many layers have a prompt? How many tokens has each prompt, and how many numbers has a token?",
        "All J prompts have the same shape [n, d_t], whether they start as words or at random.",
        "J * n * d_t, with J = 12, n = 4 and d_t = 512.",
    ),
    meaning="Depth costs numbers in proportion: J times CoOp's, and still few beside CLIP's 150 million.",
)

EXERCISES: tuple[Exercise, ...] = (ENCODE_TEXT, DEEP_PROMPTS, WHO_SEES_WHOM, NUMBERS)
