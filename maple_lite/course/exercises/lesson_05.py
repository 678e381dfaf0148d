"""The exercises of lesson 05, deep language prompting: a prompt per layer, its start, who sees whom, a count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.clip import FrozenCLIP, write_prompt
from maple_lite.course.exercises.lesson_03 import N_CTX, TOKENS
from maple_lite.course.exercises.shared import cause_of_spread, draw, prompts_learn, small_clip
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, equals, number, returns, unchanged
from maple_lite.course.teach.laws import AGAIN, RANDOM
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe
from maple_lite.learners import DeepLanguage
from maple_lite.support.seeds import seeded
from maple_lite.tokens import tokenize, word_ids

POSITIONS = torch.tensor([1, 2, 4, 5]).expand(3, -1)  # [C, n], the name in the middle

WIDTH, JOINT, LAYERS = 48, 32, 3  # d_t, D and K of the small CLIP
LENGTH = TOKENS.shape[1]

# 05.1: a prompt for every layer

NAMES = {"torch": torch, "F": F, "write_prompt": write_prompt, "word_ids": word_ids, "tokenize": tokenize}
PROMPTS = [draw(N_CTX, WIDTH, seed=10 + layer) * 0.5 for layer in range(LAYERS)]
TOWER = """
def encode_text(self, tokens, prompts=(), positions=None):
    text, length = self.text, tokens.shape[1]
    mask = text.attn_mask[:length, :length]
    x = text.token_embedding(tokens)  # [C, L, d_t]
    for i, block in enumerate(text.transformer.resblocks):
        if i < len(prompts):
            x = write_prompt(x, prompts[i], positions)
        if i == 0:
            x = x + text.positional_embedding[:length]
        x = block(x, attn_mask=mask)
    end = tokens.argmax(dim=-1)
    x = text.ln_final(x[torch.arange(len(x), device=x.device), end])
    return F.normalize(x @ text.text_projection, dim=-1)
"""
IF, WRITE, BLOCK = "if i < len(prompts):", "x = write_prompt(x, prompts[i], positions)", "x = block(x, attn_mask=mask)"
DOOR, ADD = f"{IF}\n    {WRITE}", "x = x + text.positional_embedding[:length]"
PLACES = f"if i == 0:\n    {ADD}"
INSERT = "torch.cat([x[:, :1], prompts[i].expand(len(x), -1, -1), x[:, 1:]], dim=1)"
OVER_SOS = "torch.cat([prompts[i].expand(len(x), -1, -1), x[:, len(prompts[i]) :]], dim=1)"
OVER_EOT = "torch.cat([x[:, : -len(prompts[i])], prompts[i].expand(len(x), -1, -1)], dim=1)"


def _deep(x: str) -> dict[str, str]:
    """A patch: the first prompt is written as it should be, and a deep one makes x what an expression says."""
    return {WRITE: f"n = len(prompts[i])\nx = {x} if i else write_prompt(x, prompts[i], positions)"}


TOWER_MISTAKES = Mistakes(
    {
        "inserted": Mistake(
            words="so that the sequence grows",
            patch={WRITE: f"x = {INSERT}", ADD: "x = x + text.positional_embedding[: x.shape[1]]"},
        ),
        "inserted deep, mask cut to fit": Mistake(
            words="tokens in layer 1",
            patch={**_deep(INSERT), BLOCK: "x = block(x, attn_mask=text.attn_mask[: x.shape[1], : x.shape[1]])"},
        ),
        "a token too many is cut": Mistake(words="tokens were lost", patch=_deep(INSERT.replace("1:]", "2 + n :]"))),
        "no mask": Mistake(words="without its mask", patch={BLOCK: "x = block(x)"}),
        "mask by position": Mistake(words="passed without its name", patch={BLOCK: "x = block(x, mask)"}),
        "the whole mask": Mistake(words="[77, 77] in layer 0", patch={BLOCK: "x = block(x, attn_mask=text.attn_mask)"}),
        "a mask that grows with the prompts": Mistake(
            words="the sequence is as long as before",
            patch={
                BLOCK: "longer = length + (len(prompts[0]) if prompts else 0)\n"
                "x = block(x, attn_mask=text.attn_mask[:longer, :longer])"
            },
        ),
        "blocks run only where there is a prompt": Mistake(
            words="2 layers were run", patch={BLOCK: f"if i < len(prompts[:2]):\n    {BLOCK}"}
        ),
        "no prompt at all": Mistake(
            "the prompt changed nothing: in layer 0 it is written over the words, as in lesson 03", {DOOR: ""}
        ),
        "places before the first prompt": Mistake(
            "the positional embedding was added before the first prompt was written, which wiped it out there: write "
            "first, then add",
            {DOOR: PLACES, PLACES: DOOR},
        ),
        "prompts[0] everywhere": Mistake(
            "prompts[0] was written again in later layers: prompts[i] enters layer i, once",
            {DOOR: DOOR.replace("i < len(prompts)", "prompts").replace("[i]", "[0]")},
        ),
        "no places at all": Mistake(
            "the positional embedding is missing: it is added in layer 0, with or without prompts", {PLACES: ""}
        ),
        "a layer late": Mistake(
            "the prompt came a layer late: write prompts[i] before block(x, ...) of layer i, and count layers from 0",
            {IF: "if 0 < i <= len(prompts):", WRITE: "x = write_prompt(x, prompts[i - 1])"},
        ),
        "only the first": Mistake(
            "only prompts[0] was used: layer 1 has a prompt of its own, prompts[1]", {IF: "if i == 0 and prompts:"}
        ),
        "added": Mistake(
            "the deep prompt was added to what stood there: it replaces it",
            _deep("write_prompt(x, x[:, 1 : 1 + n] + prompts[i])"),
        ),
        "places for deep prompts": Mistake(
            "a deep prompt got the positional embedding: it is added once, in layer 0, and not to deep prompts",
            _deep("write_prompt(x, prompts[i] + text.positional_embedding[1 : 1 + n])"),
        ),
        "places in every layer": Mistake(
            "the positional embedding was added to all tokens in every layer: add it once, in layer 0", {PLACES: ADD}
        ),
        "places wherever there is a prompt": Mistake(
            "the positional embedding was added again in every layer that has a prompt: add it once, in layer 0",
            {PLACES: f"if i == 0 or i < len(prompts):\n    {ADD}"},
        ),
        "deep prompts after their layer": Mistake(
            "the deep prompt was written after its layer, and entered the next one: write it before block(x, ...)",
            {IF: "if i == 0 and prompts:", BLOCK: f"{BLOCK}\nif 0 < i < len(prompts):\n    {WRITE}"},
        ),
        "the first for all": Mistake(
            "every layer got the prompt of the first: it is prompts[i] for layer i", {"prompts[i]": "prompts[0]"}
        ),
        "the last again, deep": Mistake(
            "the last prompt was written again in all later layers: after it, prompts travel on",
            {IF: "if prompts and (i == 0 or len(prompts) > 1):", "prompts[i]": "prompts[min(i, len(prompts) - 1)]"},
        ),
        "reversed": Mistake(
            "the layers got their prompts in reverse order", {"prompts[i]": "prompts[len(prompts) - 1 - i]"}
        ),
        "over SOS": Mistake(
            "the deep prompt stands at 0..n-1 and writes over SOS: it replaces 1..n, as in layer 0", _deep(OVER_SOS)
        ),
        "over EOT": Mistake(
            "the deep prompt stands at the end, over EOT: it replaces 1..n, as in layer 0", _deep(OVER_EOT)
        ),
        "pushed": Mistake(
            "the deep prompt pushed the other tokens to the right, and the end was cut off: it replaces 1..n",
            _deep(INSERT.replace("1:]", "1:-n]")),
        ),
        "not in the last layer": Mistake(
            "the last layer got no prompt of its own: layer i has one whenever i < len(prompts)",
            {IF: "if i < len(prompts) and i < len(text.transformer.resblocks) - 1:"},
        ),
        "detached": Mistake(words="the path is cut", patch={"prompts[i]": "prompts[i].detach()"}),
        "the loop ends with the prompts": Mistake(
            words="the loop ended with the prompts",
            patch={
                "i, block in enumerate(text.transformer.resblocks)": "i, (block, _) in "
                "enumerate(zip(text.transformer.resblocks, prompts))"
            },
        ),
        "what the layers make is lost": Mistake(
            "the layers changed nothing: a block gives back what it made of x, so write x = block(x, attn_mask=mask)",
            {BLOCK: "block(x, attn_mask=mask)"},
        ),
        "the first is added, too": Mistake(
            "the first prompt was added to the words: it replaces them",
            {WRITE: "x[:, 1 : 1 + len(prompts[i])] += prompts[i]"},
        ),
        "the first over SOS": Mistake(
            "the first prompt stands at 0..n-1 and writes over SOS: it replaces 1..n", {WRITE: f"x = {OVER_SOS}"}
        ),
        "the first over EOT": Mistake(
            "the first prompt stands at the end, over EOT: it replaces 1..n", {WRITE: f"x = {OVER_EOT}"}
        ),
        "positions ignored": Mistake(
            "the positions did not arrive, and the prompts stand at 1..n: write_prompt(x, prompts[i], positions)",
            {"prompts[i], positions": "prompts[i]"},
        ),
        "positions for the first alone": Mistake(
            "the positions arrived in layer 0 alone: a deep prompt stands where the first one stood",
            {"prompts[i], positions": "prompts[i], None if i else positions"},
        ),
        "positions for deep ones alone": Mistake(
            "the positions arrived in deeper layers alone: the first prompt stands there, too",
            {"prompts[i], positions": "prompts[i], positions if i else None"},
        ),
        "index out of range": Mistake(
            "there may be fewer prompts than layers: write prompts[i] only if i < len(prompts)", {DOOR: WRITE}
        ),
        "no return": Mistake(words="did you forget", patch={"return F": "F"}),
    },
    reference=TOWER,
    names=NAMES,
)


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


def _same(name: str, *prompts: Any) -> Facet:
    """A facet: with these prompts, and positions, the features are the package's."""
    return equals((small_clip(), TOKENS, *prompts), FrozenCLIP.encode_text, name=name)


ENCODE_TEXT = Exercise(
    number="05.1",
    title="A new prompt at every layer",
    reference=FrozenCLIP.encode_text,
    facets=(
        Facet("every layer gets the whole sentence", _every_layer),
        returns((small_clip(), TOKENS, PROMPTS), (3, JOINT), letters="C, D"),
        _same("without prompts it is CLIP's own"),
        _same("J = 1 is CoOp", PROMPTS[:1]),
        _same("J = 2: a deep prompt, which then travels on", PROMPTS[:2]),
        _same("J = K: a prompt in every layer", PROMPTS),
        prompts_learn(small_clip(), TOKENS, PROMPTS),
        _same("prompts at other positions", PROMPTS[:2], POSITIONS),
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
    mistakes=TOWER_MISTAKES,
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


START = """
def deep_prompts(clip, n_ctx, depth, init="a photo of a"):
    first = clip.text.token_embedding.weight[word_ids(init)[:n_ctx]].clone()
    others = [0.02 * torch.randn(n_ctx, clip.text_width, device=clip.device) for _ in range(depth - 1)]
    return torch.nn.ParameterList([first, *others])
"""
FIRST = "clip.text.token_embedding.weight[word_ids(init)[:n_ctx]].clone()"
OTHER_ONES = "0.02 * torch.randn(n_ctx, clip.text_width, device=clip.device)"
OTHERS, MADE = f"[{OTHER_ONES} for _ in range(depth - 1)]", "torch.nn.ParameterList([first, *others])"

START_MISTAKES = Mistakes(
    {
        "a plain list": Mistake(
            "a plain list hides its tensors from the optimiser: make a torch.nn.ParameterList of it",
            {MADE: "[torch.nn.Parameter(p) for p in [first, *others]]"},
        ),
        "one tensor": Mistake(
            "one tensor came: torch.nn.ParameterList takes a list with a prompt for every layer",
            {MADE: "torch.nn.Parameter(torch.stack([first, *others]))"},
        ),
        "no return": Mistake(words="did you forget", patch={"return torch": "made = torch"}),
        "one too many": Mistake(
            "J counts the first layer: the prompt from words, and depth - 1 others", {"depth - 1": "depth"}
        ),
        "the first is missing": Mistake(
            "the prompt of the first layer is missing: one from words, and depth - 1 others",
            {MADE: "torch.nn.ParameterList(others)"},
        ),
        "the first alone": Mistake(
            "only the first is there: depth - 1 others follow it in the same list",
            {MADE: "torch.nn.ParameterList([first])"},
        ),
        "joint width": Mistake(
            "these are as wide as the joint space: the text tower's layers are clip.text_width wide",
            {"clip.text_width": "clip.embed_dim"},
        ),
        "image width": Mistake(
            "these are as wide as the image tower: prompts of the text tower have clip.text_width",
            {"clip.text_width": "clip.vision_width"},
        ),
        "transposed": Mistake(
            "the two dimensions are exchanged: tokens first, then numbers per token",
            {"n_ctx, clip.text_width": "clip.text_width, n_ctx"},
        ),
        "one token": Mistake(
            "one token came: a prompt has n_ctx of them", {"n_ctx, clip.text_width": "clip.text_width"}
        ),
        "a dimension for the classes": Mistake(
            "a dimension of length 1 came along: a prompt is [n, d_t]",
            {"n_ctx, clip.text_width": "1, n_ctx, clip.text_width"},
        ),
        "words of one's own": Mistake(
            "the words of init arrive as an argument: word_ids(init), and no words of your own",
            {"word_ids(init)": 'word_ids("a photo of a")'},
        ),
        "SOS and EOT": Mistake(
            "SOS and EOT came along: word_ids(init) gives the words alone",
            {FIRST: "clip.text.token_embedding(tokenize([init]).to(clip.device))[0]"},
        ),
        "the words and EOT": Mistake(
            "SOS or EOT came along: word_ids(init) gives the words alone",
            {FIRST: "clip.text.token_embedding(tokenize([init]).to(clip.device))[0, 1:]"},
        ),
        "starts at SOS": Mistake(
            "the first token is SOS: word_ids(init) gives the words alone",
            {FIRST: "clip.text.token_embedding(tokenize([init]).to(clip.device))[0, :n_ctx]"},
        ),
        "all at random": Mistake(words="the first prompt is random", patch={FIRST: OTHER_ONES}),
        "places in the first": Mistake(
            "the positional embedding is in it: encode_text adds that later, so that it would count twice",
            {".clone()": " + clip.text.positional_embedding[1 : 1 + n_ctx]"},
        ),
        "the last words": Mistake(
            "with n_ctx = 2 the first two words are learned, 'a photo': take ids[:n_ctx]", {"[:n_ctx]": "[-n_ctx:]"}
        ),
        "always four words": Mistake(words="must have as many tokens, not 4", patch={"[:n_ctx]": ""}),
        "words and noise": Mistake(words="something was added to the words", patch={".clone()": f" + {OTHER_ONES}"}),
        "zeros first": Mistake(
            words="all numbers of the first prompt are equal", patch={FIRST: "torch.zeros(n_ctx, clip.text_width)"}
        ),
        "all from words": Mistake(words="the words were copied into deep layers", patch={OTHER_ONES: "first.clone()"}),
        "one parameter for all": Mistake(
            words="share one and the same parameter",
            patch={MADE: "torch.nn.ParameterList([torch.nn.Parameter(first)] * depth)"},
        ),
        "one deep parameter": Mistake(
            words="repeats one parameter", patch={OTHERS: f"[torch.nn.Parameter({OTHER_ONES})] * (depth - 1)"}
        ),
        "copies of one draw": Mistake(
            words="copies of one draw",
            patch={OTHERS: f"[{OTHER_ONES}] * (depth - 1)", "*others": "*(other.clone() for other in others)"},
        ),
        "zeros": Mistake(words="get the same gradient", patch={OTHER_ONES: "torch.zeros(n_ctx, clip.text_width)"}),
        "standard normal": Mistake(words="multiply by 0.02", patch={"0.02 * torch.randn": "torch.randn"}),
        "squared": Mistake(words="squared once too often", patch={"0.02": "0.02**2"}),
        "square root": Mistake(words="square root of 0.02", patch={"0.02": "0.02**0.5"}),
        "uniform": Mistake(words="draws from 0 to 1", patch={"randn": "rand"}),
        "uniform around 0": Mistake(
            words="these are not normal", patch={OTHER_ONES: "0.04 * torch.rand(n_ctx, clip.text_width) - 0.02"}
        ),
        "0.2": Mistake(words="times what it should be", patch={"0.02": "0.2"}),
        "a seed inside": Mistake(
            words="a seed is set inside the function", patch={"first = ": "torch.manual_seed(0)\nfirst = "}
        ),
        "frozen": Mistake(words="would never learn", patch={MADE: f"{MADE}.requires_grad_(False)"}),
        "three layers always": Mistake(words="a number stands where depth should", patch={"depth - 1": "2"}),
    },
    reference=START,
    names=NAMES,
)


def _parameter_list(fn: Function) -> None:
    """A ParameterList of J prompts [n, d_t]."""
    made = _made(fn)
    wanted = f"a ParameterList of {LAYERS} prompts [{N_CTX}, {WIDTH}] (J, n, d_t)"
    if not isinstance(made, nn.ParameterList):
        cause = "return a torch.nn.ParameterList: J prompts, one per layer"
        if made is None:
            cause = cause_of_type(None, nn.ParameterList)
        raise Finding(wanted, describe(made), cause, type(made).__name__)
    if len(made) != LAYERS:
        raise Finding(wanted, f"a ParameterList of {len(made)}", "make one prompt per layer, depth of them", len(made))
    for layer, prompt in enumerate(made):
        if prompt.shape != (N_CTX, WIDTH):
            came, cause = f"prompt {layer} is {describe(prompt.data)}", "a prompt is [n_ctx, clip.text_width]"
            raise Finding(wanted, came, cause, tuple(prompt.shape))


def _first_from_words(fn: Function) -> None:
    """The first prompt holds the embeddings of the first n words, for n = 4 and n = 2, and of another `init`."""
    for n_ctx in (N_CTX, 2):
        came = _made(fn, n_ctx)[0].detach()
        if not agree(_words(n_ctx), came, 1e-5):
            words = f"the embeddings of {' '.join(INIT.split()[:n_ctx])!r}"
            raise Finding(words, "other numbers in the first prompt", _cause_of_first(came, n_ctx), [n_ctx, came], 1e-5)
    came = _made(fn, init=(OTHER,))[0].detach()
    if not agree(_words(N_CTX, OTHER), came, 1e-5):
        kept = agree(_words(N_CTX), came, 1e-5)
        got = f"the embeddings of {INIT!r}" if kept else "other numbers in the first prompt"
        cause = "the first prompt starts as the words of init, word_ids(init)[:n_ctx]"
        raise Finding(f"the embeddings of {OTHER!r}, with init={OTHER!r}", got, cause, came, 1e-5)


def _cause_of_first(came: Tensor, n_ctx: int) -> str:
    """What makes a first prompt that is not the words' embeddings."""
    wanted = _words(n_ctx)
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
    exempt=(AGAIN, RANDOM),
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
    mistakes=START_MISTAKES,
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
    mistakes=Mistakes(
        {
            "all": Mistake(WHY[0], value=list(range(8))),
            "the prompts, too": Mistake(WHY[1], value=[1, 2, 3, 4, 5, 6, 7]),
            "the last prompt": Mistake(words="with position 4", value=[4, 5, 6, 7]),
            "EOT alone": Mistake(WHY[5], value=[7]),
            "the name alone": Mistake(WHY[6], value=5),
            "without EOT": Mistake(WHY[7], value=[5, 6]),
            "words": Mistake(words="write positions from 0 to 7", value=["leo", ".", "EOT"]),
            "out of range": Mistake(words="[5, 6, 7, 8]", value=[5, 6, 7, 8]),
        },
    ),
)


# 05.4: how many numbers

NUMBERS = Exercise(
    number="05.4",
    title="Count the numbers of all layers",
    reference=24_576,
    facets=(number(24_576, 0.5),),
    hints=(
        "How many layers have a prompt? How many tokens has each prompt, and how many numbers has a token?",
        "All J prompts have the same shape [n, d_t], whether they start as words or at random.",
        "J * n * d_t, with J = 12, n = 4 and d_t = 512.",
    ),
    meaning="Depth costs numbers in proportion: J times CoOp's, and still few beside CLIP's 150 million.",
    mistakes=Mistakes(
        {
            "CoOp's": Mistake(
                "that is one layer, which is CoOp: here every layer has a prompt of its own", value=4 * 512
            ),
            "eleven": Mistake("J counts the first layer, too: 12 prompts, and not 11", value=11 * 4 * 512),
            "thirteen": Mistake("J counts the first layer already: 12 prompts, and not 13", value=13 * 4 * 512),
            "768": Mistake(
                "768 is the width of the image tower: these prompts stand in the text tower", value=12 * 4 * 768
            ),
            "one token": Mistake("that is one token per layer: there are n = 4", value=12 * 512),
            "tokens": Mistake("those are tokens: each of them has d_t = 512 numbers", value=12 * 4),
            "both towers": Mistake(
                "twice too many: in this lesson the text tower alone has prompts", value=2 * 12 * 4 * 512
            ),
            "per class": Mistake(
                "the prompts are the same for all classes: do not count those", value=1000 * 12 * 4 * 512
            ),
            "the tiny one": Mistake(
                "that is our tiny CLIP (6 layers of width 128): the question is about ViT-B/16", value=6 * 4 * 128
            ),
            "words": Mistake(words="write digits", value="24 thousand"),
        },
    ),
)

EXERCISES: tuple[Exercise, ...] = (ENCODE_TEXT, DEEP_PROMPTS, WHO_SEES_WHOM, NUMBERS)
