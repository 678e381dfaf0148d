"""Pictures of all emoji, and of digits, with captions: what the tiny CLIP is pretrained on."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from maple_lite.datasets import handwritten
from maple_lite.datasets.emoji.composing import compose
from maple_lite.datasets.emoji.drawn import TEMPLATES
from maple_lite.datasets.emoji.grounds import COLOURS, PATTERNS, choose_grounds
from maple_lite.datasets.emoji.looks import EVERY
from maple_lite.datasets.emoji.placing import Cast
from maple_lite.datasets.emoji.table import Emoji, all_emoji
from maple_lite.pretraining.digits import draw_digits
from maple_lite.support.counter_rng import Keys, random_keys, related_keys, uniform

GENERAL_TEMPLATES = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a photo of one {}.",
    "a photo of my {}.",
    "a good photo of a {}.",
    "a close photo of the {}.",
    "a photo of a nice {}.",
    "this is a photo of a {}.",
    "a picture of a {}.",
    "a picture of the {}.",
    "a small picture of a {}.",
    "a picture that shows a {}.",
    "there is a {} in the picture.",
    "an image of a {}.",
    "an image of the {}.",
    "a large image of one {}.",
    "a drawing of a {}.",
    "a drawing of the {}.",
    "a nice drawing of my {}.",
    "this is my {}.",
    "look at the {}.",
    "here you see a {}.",
    "we saw one {} today.",
    "it is the {} that we like.",
)
BARE = "{}"
NUMBERS = "a photo of the number {}."
KIND = "a photo of a {}, a kind of @."
BACKGROUND = " on a {} background."

LOOK_SHARES = {
    "clean": 0.18,
    "sketched": 0.20,
    "blurry": 0.08,
    "dark": 0.08,
    "gray": 0.07,
    "faded": 0.07,
    "cropped": 0.07,
    "crowded": 0.07,
    "noisy": 0.06,
    "pixelated": 0.04,
    "striped": 0.03,
    "dotted": 0.025,
    "chequered": 0.025,
}
"""How often each look occurs: photos are often blurry or dark, and seldom behind a curtain."""

USUAL = 1.0
"""How much things differ in their usual looks: the standard deviation of the logarithm of a thing's own factors."""

NO_MATTER_WHAT = ("clean", "sketched")
"""Looks that are as frequent for all things: artists draw everything."""

MILD, BY_THE_OTHER_ARTIST = (0.1, 0.6), (0.3, 1.0)
"""Strengths in pretraining: looks are milder than those of the datasets, but a sketch is a sketch."""

TAIL = 20.0
"""The commonest thing is this many times as frequent as the rarest."""

DIGITS = 0.04
"""Share of pictures that show a digit."""

SENTENCES = {"general": 0.52, "own": 0.26, "kind": 0.215, "bare": 0.005}
"""How often a caption is a general sentence, that of the thing's dataset, one that says its kind, or a bare name.

CLIP's authors found the same: the text beside a picture is seldom a single word.
"""

WRONG = 0.10
"""Share of captions that name another thing."""

TAGGED_BEHIND = 0.5
"""Share of bare names that name what stands behind, where other emoji do: a sentence says what a picture is of, a tag
what is in it."""

FORMAL = 0.15
"""Share of captions that take the formal name of a thing with two; people say the other one."""

NAMES_LOOK, NAMES_GROUND = 0.8, 0.35
"""Shares of captions that name the look, if there is one, and the colour of the ground, if the sentence has room."""


class CaptionedPictures(NamedTuple):
    """Pictures [B, 3, R, R] in 0..1, B captions, and what is true of both.

    Ids [B] of the things that the pictures show and that the captions name, of looks and of the grounds' colours;
    and whether each caption names look and ground, bool [B].
    """

    images: Tensor
    captions: list[str]
    shown: Tensor
    named: Tensor
    looks: Tensor
    grounds: Tensor
    names_look: Tensor
    names_ground: Tensor


@lru_cache
def things() -> tuple[Emoji, ...]:
    """All emoji, in the order of `data/pictures.csv`, and the ten digits; a thing's id is its place here."""
    digits = enumerate(handwritten.CLASS_NAMES)
    return (*all_emoji(), *(Emoji(str(digit), handwritten.NAME, name, (), "number", False) for digit, name in digits))


def frequencies(seed: int = 0) -> Tensor:
    """Frequencies [S] of all things, summing to 1: of emoji a long tail of 20 to 1, in an order by `seed`."""
    n_emoji, n_digits = len(all_emoji()), len(things()) - len(all_emoji())
    rank = torch.randperm(n_emoji, generator=torch.Generator().manual_seed(seed))
    weights = TAIL ** -(rank.double() / (n_emoji - 1))
    emoji = (1 - DIGITS) * weights / weights.sum()
    return torch.cat([emoji, torch.full([n_digits], DIGITS / n_digits)]).float()


@lru_cache
def usual_looks(seed: int = 0) -> Tensor:
    """How often each thing has each look of `EVERY`, [S, 14]; rows sum to 1.

    Things differ, as mountains are often seen in fog and cats in bad light; digits are always clean. Cached, so never
    write to the result.
    """
    shares = torch.tensor([LOOK_SHARES.get(name, 0.0) for name in EVERY])
    is_same = torch.tensor([name in NO_MATTER_WHAT for name in EVERY])
    own = torch.randn(len(things()), len(EVERY), generator=torch.Generator().manual_seed(seed))
    weights = shares * (USUAL * own).exp() * ~is_same
    weights *= shares[~is_same].sum() / weights.sum(1, keepdim=True)
    weights += shares * is_same
    weights[len(all_emoji()) :] = torch.eye(len(EVERY))[0]
    return weights / weights.sum(1, keepdim=True)


def draw_captioned(
    n: int, generator: torch.Generator, frequencies: Tensor, jitter: float = 1.0, resolution: int = 48
) -> CaptionedPictures:
    """`n` pictures of things drawn by `frequencies` [S], each with a caption, which is wrong now and then.

    `jitter` 0 puts everything upright in the middle, 1 is the full range that the datasets have.
    Raises ValueError for n < 1, a jitter outside 0..1 or frequencies that do not fit the things.

    >>> from maple_lite.pretraining.captions import frequencies
    >>> pictures = draw_captioned(128, torch.Generator().manual_seed(0), frequencies())
    >>> pictures.images.shape, len(pictures.captions)
    (torch.Size([128, 3, 48, 48]), 128)
    """
    if n < 1 or not 0 <= jitter <= 1:
        raise ValueError(f"n must be at least 1 and jitter lie in 0..1, got n={n} and jitter={jitter}.")
    if frequencies.shape != (len(things()),):
        raise ValueError(f"frequencies must be [{len(things())}], one per thing, got {list(frequencies.shape)}.")
    shown, others = torch.multinomial(frequencies, 2 * n, replacement=True, generator=generator).chunk(2)
    keys = random_keys(n, generator)
    looks, strengths = _looks(shown, keys)
    kinds, grounds = choose_grounds(keys)
    is_digit = shown >= len(all_emoji())
    cast = Cast(all_emoji(), resolution)
    is_before_others = (kinds == list(PATTERNS).index("emoji")) & ~is_digit
    behind = cast.others(shown, keys, "emoji behind").where(is_before_others, shown)
    captions = _Captions(keys, shown, others, behind, looks, grounds, is_digit)
    images = torch.empty(n, 3, resolution, resolution)
    emoji, digits = (~is_digit).nonzero()[:, 0], is_digit.nonzero()[:, 0]
    drawn = keys[emoji.numpy()], looks[emoji], strengths[emoji], jitter
    if len(emoji):
        images[emoji] = compose(cast, shown[emoji], *drawn)
    if len(digits):
        which = shown[digits] - len(all_emoji())
        images[digits] = draw_digits(which, keys[digits.numpy()], resolution, jitter)
    return CaptionedPictures(
        images, captions.sentences, shown, captions.named, looks, grounds, captions.names_look, captions.names_ground
    )


def with_look(template: str, look: str) -> str:
    """A sentence that names the look, before its photo (or picture, image, drawing), else before the thing.

    >>> with_look("a photo of a {}, a kind of animal.", "blurry")
    'a blurry photo of a {}, a kind of animal.'
    >>> with_look("the {}.", "blurry")
    'the blurry {}.'
    """
    place = re.search(r"photo|picture|image|drawing|\{\}", template)
    if place is None:
        raise ValueError(f"the sentence {template!r} has no {{}} for the class name: write one.")
    before = template[: place.start()]
    article = re.sub(r"\ban $", "a ", before)
    return f"{article}{look} {template[place.start() :]}"


def caption_words() -> list[str]:
    """All words, sorted, that captions can use: of names, kinds, sentences, looks and colours, without punctuation."""
    names = [name for thing in things() for name in (thing.name, *thing.other_names, thing.kind)]
    sentences = [*GENERAL_TEMPLATES, *TEMPLATES.values(), handwritten.TEMPLATE, NUMBERS, KIND, BACKGROUND]
    text = " ".join([*names, *sentences, *LOOK_SHARES, *COLOURS])
    return sorted(set(re.sub(r"[{}@,.]", " ", text.replace("clean", "")).split()))


def _looks(shown: Tensor, keys: Keys) -> tuple[Tensor, Tensor]:
    """Places in `EVERY` and strengths [B] of the looks of pictures that show the things `shown` [B]."""
    choice, strength = uniform(keys, "look in pretraining", 2).T.contiguous()
    looks = (usual_looks()[shown].cumsum(1) < choice[:, None]).sum(1).clamp(max=len(LOOK_SHARES) - 1)
    sketched = (looks == EVERY.index("sketched"))[:, None]
    low, high = torch.tensor(BY_THE_OTHER_ARTIST).where(sketched, torch.tensor(MILD)).unbind(1)
    return looks, low + (high - low) * strength


class _Captions:
    """The captions of pictures: which sentence, which name, and whether look and ground are named."""

    def __init__(
        self,
        keys: Keys,
        shown: Tensor,
        others: Tensor,
        behind: Tensor,
        looks: Tensor,
        grounds: Tensor,
        is_digit: Tensor,
    ) -> None:
        chances = uniform(related_keys(keys, "caption"), "caption", 8).T.contiguous()
        family, sentence, wrong, formal, name, look, ground, tag = chances
        ends = torch.tensor(list(SENTENCES.values())).cumsum(0)
        families = torch.bucketize(family, ends, right=True).clamp(max=len(SENTENCES) - 1)
        bare = families == list(SENTENCES).index("bare")
        self.named = others.where(wrong < WRONG, behind.where(bare & (tag < TAGGED_BEHIND), shown))
        kinds = [list(SENTENCES)[family] for family in families.tolist()]
        self.templates = [
            _template(things()[named], kind, chance)
            for named, kind, chance in zip(self.named.tolist(), kinds, sentence.tolist(), strict=True)
        ]
        has_room = torch.tensor([template.endswith("{}.") for template in self.templates])
        self.names_look = (looks > 0) & (look < NAMES_LOOK) & ~bare
        self.names_ground = has_room & ~is_digit & (ground < NAMES_GROUND)
        rows = zip(
            self.templates, self.named.tolist(), (formal < FORMAL).tolist(), name.tolist(),
            (looks * self.names_look).tolist(), (grounds * self.names_ground + ~self.names_ground * -1).tolist(),
            strict=True,
        )  # fmt: skip
        self.sentences = [_sentence(*row) for row in rows]


def _template(thing: Emoji, family: str, chance: float) -> str:
    """A sentence of a family for a thing; `chance` in 0..1 decides which, if there are several."""
    is_digit = thing.dataset == handwritten.NAME
    if family == "bare":
        return BARE
    if family == "own":
        return handwritten.TEMPLATE if is_digit else TEMPLATES[thing.dataset]
    if family == "kind":
        return NUMBERS if is_digit else KIND.replace("@", thing.kind)
    return GENERAL_TEMPLATES[int(chance * len(GENERAL_TEMPLATES))]


def _sentence(template: str, named: int, formal: bool, choice: float, look: int, ground: int) -> str:
    """One caption; `look` 0 and `ground` -1 stay unnamed."""
    thing = things()[named]
    others = thing.other_names
    name = thing.name if formal or not others else others[int(choice * len(others))]
    sentence = with_look(template, EVERY[look]) if look else template
    if ground >= 0:
        sentence = sentence.removesuffix(".") + BACKGROUND.format(list(COLOURS)[ground])
    return sentence.format(name)
