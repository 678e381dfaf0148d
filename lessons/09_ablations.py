# %% [markdown]
# # 09 · Ablations: which of MaPLe's choices matter?
#
# **You will change one thing of MaPLe at a time, train the change, and say how sure you are that it
# made a difference.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes; the computer takes one or two of them |
# | You need | lesson 08 (MaPLe); 02 for shots and the harmonic mean, 03 for CoOp's choices |
# | Paper | Khattak et al., *MaPLe: Multi-modal Prompt Learning*, CVPR 2023, arXiv 2210.03117 |
#
# **You will be able to**
#
# - change one factor and keep everything else, down to the random numbers of the start;
# - compare two variants by the differences of pairs, with a standard error;
# - build rivals of the coupling: one for all layers, and a network of the same size;
# - tell the size of an effect from its certainty;
# - say which of MaPLe's choices matter **here**, and what that leaves open.
#
# There are five exercises. Each has a check, three hints, and a solution.
#
# ## Set-up

# %%
import copy
import os
import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F

from maple_lite import IVLP, FrozenCLIP, MaPLe, execute, load_clip, make_plan, open_dataset, preset
from maple_lite import seeded
from maple_lite.experiments.ablations import ReversedCoupling, coop_variants, maple_variants
from maple_lite.clip import write_prompt
from maple_lite.course.exercises.lesson_09 import TABLE, by_dataset
from maple_lite.course.plots import COLOURS, COUPLING, INK, plot_few_shot, plot_levels
from maple_lite.course.plots import plot_variants
from maple_lite.experiments.published import read_paper, read_results
from maple_lite.experiments.summaries import average_over_seeds, compare_levels, drop_variants
from maple_lite.course import explore, session, show

ex = session("09_ablations")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16, and wants a GPU
clip = load_clip("glyphs") if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
torch.set_num_threads(1)  # as in our stored runs: more threads add up in another order
learner_kwargs, fit_kwargs = preset("maple", clip=clip)  # what every variant changes in one point
print(f"mode {mode}, seed {seed}, device {clip.device}\n{learner_kwargs}\n{fit_kwargs}")

# %% [markdown]
# ## One thing at a time
#
# MaPLe is a bundle of choices: prompts of two tokens, in the first five of our six layers (nine of
# twelve in the paper), from the words "a photo", a linear coupling per layer, from text to vision.
# Each has alternatives. An **ablation** changes one of them, a *factor*, and nothing else:
#
# - **the same** data, training pictures, order of pictures, schedule, and number of epochs;
# - **the same** random numbers at the start, where the variant has use for them;
# - **the same** test pictures, and settings that nobody tuned for one of the two.
#
# Then the difference has one cause. In the published table it often has not. Here is what the
# authors set for IVLP and for MaPLe, the two methods that a reader wants to compare:


# %%
def whole(table):
    """The rows of those seeds of which every run is there."""
    rows = table.groupby("seed").size()
    return table[table.seed.isin(rows.index[rows == rows.max()])]


def said(table):
    """Where numbers come from, for titles and sentences."""
    first, last = table.seed.min(), table.seed.max()
    return f"stored (seed {first})" if first == last else f"stored (seeds {first} to {last})"


settings = read_paper("presets").query("setting == 'base-to-novel'").set_index("method")
pair = settings.loc[["ivlp", "maple"]].drop(columns="setting").T
pair["the same"] = ["yes" if one == other else "NO" for one, other in pair.to_numpy()]
print(pair.rename_axis(None, axis=1).to_string())

# %% [markdown]
# The coupling is one change; most of the learned numbers are its own. But the **depth** changed as
# well. If MaPLe does better, is it the coupling or the depth? This pair cannot tell. We
# have stored what can: MaPLe's preset and twenty-odd variants of it, each with **one** change, on
# three small drawn datasets, with three seeds each. A table says `factor: level` of each:


# %%
ablations = whole(read_results("glyphs/ablations"))
order = ["preset", *maple_variants(clip)]
by_name = {"key": lambda names: names.map(order.index), "kind": "stable"}
ablations = ablations.sort_values("variant", **by_name)
hm = ablations[ablations.split == "hm"]
variants = [name for name in hm.variant.unique() if name != "preset"]
source, datasets = said(ablations), list(hm.dataset.unique())
factors = {}
for factor, level in (name.split(": ") for name in variants):
    factors.setdefault(factor, []).append(level)
print(f"{source}: the preset and {len(variants)} variants, on {', '.join(datasets)}")
print("\n".join(f"  {factor + ':':<20}{', '.join(its)}" for factor, its in factors.items()))

# %% [markdown]
# ## What is a difference?
#
# Here are the harmonic means (HM, from base and novel accuracy) of one variant and of the preset,
# run by run. The variant has no coupling: it is an IVLP of the **same depth**.

# %%
one = "coupling: none"
pairs = hm.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")[["preset", one]]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
marks = dict(zip(datasets, "os^", strict=False))
for (dataset, _), row in pairs.iterrows():
    style = {"marker": marks[dataset], "color": COLOURS["maple"], "markersize": 7}
    axes[0].plot([0, 1], [row["preset"], row[one]], alpha=0.6, **style)
for place, dataset in enumerate(datasets):
    gaps = (pairs[one] - pairs["preset"])[dataset]
    style = {"marker": marks[dataset], "color": COLOURS["maple"], "linestyle": "none"}
    axes[1].plot(gaps, [place] * len(gaps), **style, alpha=0.6)
axes[0].set(xticks=[0, 1], xticklabels=["preset", "no coupling"], xlim=(-0.3, 1.3))
axes[0].set_ylabel("harmonic mean (%)")
axes[1].axvline(0, color=INK, linestyle=":")
axes[1].set_yticks(range(len(datasets)), datasets)
axes[1].set(ylim=(len(datasets) - 0.5, -0.5), xlabel="no coupling minus preset (points)")
gaps, every = pairs[one] - pairs["preset"], pairs.to_numpy()
show(
    figure,
    f"Left, the harmonic means of {len(pairs)} pairs of runs, {source}: from "
    f"{every.min():.0f} to {every.max():.0f}%. Right, the differences of the pairs: from "
    f"{gaps.min():+.1f} to {gaps.max():+.1f} points; {(gaps > 0).sum()} are above 0.",
)

# %% [markdown]
# On the left the datasets lie far apart: one is easier than another, for *both* variants. Compare
# the heights of all points on the left, and you mostly compare datasets. On the right that is
# gone: each difference is taken between two runs of **the same dataset and seed**. By hand, with
# three runs:
#
# | run | preset | variant | difference |
# |---|---|---|---|
# | first | 70 | 73 | +3 |
# | second | 74 | 75 | +1 |
# | third | 90 | 92 | +2 |
#
# Both columns of accuracies have a standard deviation of more than ten points. The differences have
# a mean of 2 and a standard deviation of 1. And a mean of three wobbles less than one of them: by
# 1/√3 = 0.58, its **standard error**. So: +2.0 ± 0.6, while the accuracies alone seem to say that
# nothing can be known.
#
# ### Exercise 09.1: paired differences
#
# `results` is a tidy frame with the columns variant, dataset, seed and accuracy (and others, which
# you do not need), one row per run, in any order. Return two numbers: the mean of the differences
# variant minus preset, over all (dataset, seed) that **both** have, and its standard error: the
# sample's standard deviation (with n - 1) over the square root of the number of differences. Stuck?
# `ex.hint("09.1")`


# %% tags=["exercise"]
def paired(results, variant):
    """(mean, standard error) of `variant` minus "preset" in points, over runs that both have."""
    # SOLUTION
    runs = results.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")
    differences = (runs[variant] - runs["preset"]).dropna()
    return differences.mean(), differences.std() / len(differences) ** 0.5
    # END SOLUTION
    # STUB: raise NotImplementedError("09.1: write me")


# %% tags=["check"]
paired = ex.check("09.1", paired)

# %% [markdown]
# Your function makes every table from here on. It is asked **twice**. Once with all runs. And once
# with each dataset's seeds averaged first (`by_dataset`), so that three differences are left. The
# two answer different questions:
#
# - **by run**: would it come out so again, with other seeds, on *these three datasets*?
# - **by dataset**: would it come out so on *another dataset*? The seeds of one dataset do not know.
#
# We call a difference **clear** if it is further from 0 than two standard errors, both ways. That
# is a rule of thumb, and with three datasets a lenient one: for the usual 95% it would take 4.3.


# %%
def clear(frame, variant):
    """The word "higher", "lower" or "not clear", by the rule above."""
    found = [paired(frame, variant), paired(by_dataset(frame), variant)]
    for word, sign in (("higher", 1), ("lower", -1)):
        if all(sign * mean > 2 * error for mean, error in found):
            return word
    return "not clear"


def compared(frame, names):
    """A row per variant: mean ± std of all runs, the paired difference, its errors, and a word."""
    rows = {}
    for name in names:
        runs = frame[frame.variant == name].accuracy
        (mean, error), (_, wide) = paired(frame, name), paired(by_dataset(frame), name)
        row = [f"{runs.mean():.1f} ± {runs.std():.1f}", f"{mean:+.2f}", f"{error:.2f}"]
        rows[name] = [*row, f"{wide:.2f}", clear(frame, name)]
    columns = ["all runs", "difference", "± by run", "± by dataset", "is it clear?"]
    return pd.DataFrame(rows, index=columns).T


own = hm[hm.variant == "preset"].accuracy
print(f"HM, {source}. The preset: {own.mean():.1f} ± {own.std():.1f}, over {len(own)} runs")
print(compared(hm, [one]).to_string())

# %% [markdown]
# ## How deep?
#
# The first factor is J, the number of layers that get new prompts. J = 1 prompts the first layer of
# both towers, and 6 would be all that we have; MaPLe's share of them is 5. Before you look: how
# many of the other five depths have an HM that is **clearly** higher or lower than that of J = 5?

# %% tags=["exercise"]
# SOLUTION
guess = "none or one"
# END SOLUTION
# STUB: guess = None  # "none or one", "two or three" or "four or five"
counts = ("none or one", "two or three", "four or five")
ex.predict("09.a", guess, choices=counts)


# %%
def of_factor(*names):
    """The variants of some factors."""
    return [name for name in variants if name.split(": ")[0] in names]


def alt(found, subject):
    """A sentence for a figure of levels: the harmonic mean of each."""
    means = found[found.split == "hm"].set_index("level")["mean"]
    listed = "; ".join(f"{level}: {mean:.1f}" for level, mean in means.items())
    return f"Base, novel, harmonic mean (%), {source}, by {subject}. Harmonic means: {listed}."


found = compare_levels(ablations, "depth", preset="5")
ax = plot_levels(found, ax=plt.figure(figsize=(7, 3.2)).gca())
show(ax.figure, alt(found, "depth of the prompts"))
print(compared(hm, of_factor("depth")).to_string())
means = found[found.split == "hm"].set_index("level")["mean"]
best = means.idxmax()
print(f"highest mean HM: J = {best}, {means[best] - means[5]:+.2f} points to J = 5")
differ = sum(clear(hm, name) != "not clear" for name in of_factor("depth"))
ex.outcome("09.a", counts[differ // 2])

# %% [markdown]
# Read the picture with care. Its error bars are the spread over **seeds** of a mean over datasets:
# the bars of two depths may overlap, while their paired difference is clear, or the other way
# round. And "the best of six" is a choice *after* looking: by chance alone one of six equal depths
# comes out on top. The table's last column asks of each depth alone whether it differs from J = 5.
# Does it say so of the one that came out on top?
#
# ## How many tokens, and from where?
#
# A prompt can start as words: of "a photo of a" the first n tokens are learned, in every layer, and
# the others stay frozen text. Or it starts at random, without frozen words behind it, and then it
# may have any length. Long prompts can say more, and could fit sixteen pictures per class too
# closely.
# Compare n = 16 random tokens with the preset, on the **novel** classes. What do you expect? ("not
# clear": closer than two standard errors, by run or by dataset.)

# %% tags=["exercise"]
# SOLUTION
guess = "lower"
# END SOLUTION
# STUB: guess = None  # "higher", "lower" or "not clear"
ex.predict("09.b", guess, choices=("higher", "lower", "not clear"))

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 3.2), sharey=True, layout="constrained")
parts = []
for ax, (factor, own_level) in zip(
    axes, (("length, from words", "2"), ("length, random", "preset")), strict=True
):
    found = compare_levels(ablations, factor, preset=own_level)
    found = found[found.level != "preset"] if own_level == "preset" else found
    plot_levels(found.assign(level=pd.to_numeric(found.level)), ax=ax)
    parts.append(alt(found, factor))
axes[0].get_legend().remove()
show(figure, " ".join(parts))
novel = ablations[ablations.split == "novel"]
print("HM:\n" + compared(hm, of_factor("length, from words", "length, random")).to_string())
print("\nnovel:\n" + compared(novel, of_factor("length, random")).to_string())
ex.outcome("09.b", clear(novel, "length, random: 16"))

# %% [markdown]
# Four tokens stand in both panels: compare `length, from words: 4` with `length, random: 4`. Where
# one falls and the other does not, it is not the length: it is the start, or both together. And is
# it that long prompts fit too closely? Then the **base** classes would do well: look at their line
# on the right. The schedule of five epochs was chosen for two tokens from words; a random start may
# have further to go.
#
# One row should have no differences at all: `length, from words: 2` **is** the preset, trained once
# more. If both agree in every digit, a run depends on its settings and its seed and on nothing
# else, and every other difference comes from the change. (That includes luck: a changed run takes
# another path. Hence several seeds.)
#
# ## The start
#
# MaPLe's first text prompt starts as "a photo", the deeper ones at random. Two changes of that:
# other words ("a drawing", and "of the" frozen behind it), and words at *every* layer. (A random
# start of the same length is the row `length, random: 2` above.) In lesson 05 you saw that a deep
# prompt is no word any more: what a layer puts out lies elsewhere than the table of words. Does it
# matter where it starts?

# %%
found = compare_levels(ablations, "initialisation")
ax = plot_variants(found, ax=plt.figure(figsize=(7, 2.2)).gca())
show(ax.figure, alt(found, "start of the prompts"))
print(compared(hm, [*of_factor("initialisation"), "length, random: 2"]).to_string())

# %% [markdown]
# ## The coupling
#
# Now the heart of MaPLe. Its rivals:
#
# | level | vision prompts | what else changes |
# |---|---|---|
# | preset | a linear function **per layer** of text prompts | |
# | none | parameters of their own (IVLP) | far fewer learned numbers |
# | one for all layers | the **same** linear function in every layer | fewer numbers |
# | small network | linear, ReLU, linear, per layer | nothing, if it is of the same size |
# | vision to text | parameters; the **text** prompts are functions of them | no start from words |
#
# The last column is why ablations need thought: one change often drags another along. Two of the
# rivals are yours to build, one run each. (With our stored runs they must agree: the same seed, the
# same start, the same order.)
#
# ### Exercise 09.2: one coupling for all layers
#
# Complete the class. After `super().__init__(...)` it is a MaPLe: `self.text` holds J text prompts,
# `self.couple` J linear functions. Keep **only** the first layer's function, and use it in every
# layer. What is no longer used must be gone: it would be counted as learned. Stuck?
# `ex.hint("09.2")`


# %% tags=["exercise"]
class Shared(MaPLe):
    """MaPLe with one linear function for all prompted layers, the first layer's."""

    def __init__(self, clip, **kwargs):
        super().__init__(clip, **kwargs)
        # SOLUTION
        self.couple = self.couple[0]
        # END SOLUTION
        # STUB: raise NotImplementedError("09.2: write me")

    def vision_prompts(self):
        """A list of J prompts [n, d_v], one function's values for J text prompts [n, d_t]."""
        # SOLUTION
        return [self.couple(prompt) for prompt in self.text]
        # END SOLUTION
        # STUB: raise NotImplementedError("09.2: write me")


# %% tags=["check"]
Shared = ex.check("09.2", Shared)

# %% [markdown]
# ### Exercise 09.3: a rival of the same size
#
# Would a coupling that is *not* linear do better? A network with a bend: linear from d_t to h
# numbers, `torch.nn.ReLU()`, linear from h to d_v. How large should h be? If the network has ten
# times the numbers, a difference has two possible causes. So choose h such that both its matrices
# **together** have as many weights as the one matrix of the linear coupling (without biases, to the
# nearest whole h). Return the network, a `torch.nn.Sequential`, for *any* widths `clip.text_width`
# and `clip.vision_width`. Stuck? `ex.hint("09.3")`


# %% tags=["exercise"]
def small_network(clip):
    """A network d_t -> h -> d_v with about as many weights as a linear function d_t -> d_v."""
    # SOLUTION
    wide, high = clip.text_width, clip.vision_width
    h = round(wide * high / (wide + high))
    return torch.nn.Sequential(torch.nn.Linear(wide, h), torch.nn.ReLU(), torch.nn.Linear(h, high))
    # END SOLUTION
    # STUB: raise NotImplementedError("09.3: write me")


# %% tags=["check"]
small_network = ex.check("09.3", small_network)


# %%
class Network(MaPLe):
    """MaPLe with your network in place of every linear function; the deep ones start as copies."""

    def __init__(self, clip, **kwargs):
        super().__init__(clip, **kwargs)
        first, deep = (small_network(clip) for _ in range(2))
        self.couple = torch.nn.ModuleList([first, *(copy.deepcopy(deep) for _ in self.text[1:])])


J, n, t, v, h = 9, 2, 512, 768, 307  # the paper's MaPLe on ViT-B/16; h as in your network
real = {
    "per layer (preset)": (MaPLe, J * (n * t + t * v + v)),
    "none": (IVLP, J * n * (t + v)),
    "one for all layers": (Shared, J * n * t + t * v + v),
    "small network": (Network, J * (n * t + t * h + h + h * v + v)),
    "vision to text": (ReversedCoupling, J * (n * v + v * t + t)),
}
print(f"{'numbers that learn':<20}{'here':>9}{'at ViT-B/16':>14}")
for name, (kind, count) in real.items():
    with seeded(0):  # leaves the random numbers outside as they are
        here = sum(weight.numel() for weight in kind(clip, **learner_kwargs).parameters())
    print(f"{name:<20}{here:>9,}{count:>14,}")

# %% [markdown]
# Now predict. Four other couplings, each against the preset: of how many is the HM **clearly
# lower**, by our rule?

# %% tags=["exercise"]
# SOLUTION
guess = 0
# END SOLUTION
# STUB: guess = None  # 0, 1, 2, 3 or 4
ex.predict("09.c", guess, choices=(0, 1, 2, 3, 4))

# %%
zodiac = open_dataset("zodiac", clip=clip)


def train(kind, with_clip=clip):
    """The accuracies of a kind of learner: the preset's settings, this seed, base then novel."""
    settings = {"learner_kwargs": learner_kwargs, "fit_kwargs": fit_kwargs}
    run = execute(make_plan(kind, zodiac, with_clip, seed=seed, **settings), bar=False)
    return dict(zip(run.results.split, run.results.accuracy, strict=True))


def beside(variant, found):
    """Prints a run of ours beside the stored one of the same dataset and seed."""
    runs = ablations.query("variant == @variant and dataset == 'zodiac' and seed == @seed")
    known = dict(zip(runs.split, runs.accuracy, strict=True))
    for source, row in ((f"live (seed {seed})", found), (f"stored (seed {seed})", known)):
        shown = "".join(f"   {split} {value:6.2f}" for split, value in row.items())
        print(f"{variant:<30}{source:<16}{shown or '   none for this seed'}")


live, kinds = {}, {"one for all layers": Shared, "small network": Network}
kinds = {"preset": MaPLe} | {f"coupling: {level}": kind for level, kind in kinds.items()}
for variant, kind in kinds.items():
    live[variant] = train(kind)
    beside(variant, live[variant])
    ex.expect(f"hm, {variant}", live[variant]["hm"])

# %% [markdown]
# Live and stored should agree to the last digit. (Another processor, or a GPU, adds up in another
# order. A test picture here or there may then fall on the other side; on the zodiac, one is a third
# of a point.) This is **one run per variant**, on one dataset: order the three by HM, and remember
# the order. Here are all runs.

# %%
found = compare_levels(ablations, "coupling")
ax = plot_variants(found, ax=plt.figure(figsize=(7.5, 3.4)).gca())
show(ax.figure, alt(found, "kind of coupling"))
names = of_factor("coupling")
print(compared(hm, names).to_string())
words = [clear(hm, name) for name in names]
order = sorted(live, key=lambda name: -live[name]["hm"])
every = hm[hm.variant.isin(live)].groupby("variant").accuracy.mean().sort_values()[::-1]
print(f"\norder of three, live on the zodiac: {' > '.join(name.split(': ')[-1] for name in order)}")
print(f"order of their means over all runs: {' > '.join(n.split(': ')[-1] for n in every.index)}")
ex.outcome("09.c", words.count("lower"))
swapped = hm.replace({"variant": {"preset": "-", "length, random: 2": "preset"}})
print("\nand against MaPLe with a random start:")
print(compared(swapped, ["coupling: vision to text"]).to_string())

# %% [markdown]
# Look at the largest difference, and at its errors: a large mean can come from a few runs. Is it
# clear? The last line is there because a fair **reference** is part of the question. *Vision to
# text* lost two things: the direction, and the start from words, as its text prompts are computed.
# So it is compared with a MaPLe of random start, as well: the same function, with another row as
# "preset".
#
# ## Replace or add?
#
# A deep prompt **replaces** what the layer before made of the prompt before it. All of that work
# is thrown away, as you saw in lesson 05. An alternative is to **add**: the stream keeps what is
# there, and the new prompt corrects it. That is a variant of this project, and of no paper that we
# follow. The first layer's prompts enter as ever.
#
# ### Exercise 09.4: add instead of replace
#
# `x` is the stream of a tower at the input of a layer, `[B, L, d]` (of the text tower `[C, L, d]`).
# The prompt `[n, d]` has its places from token `start` on: 1 in the text tower, behind SOS, and
# behind CLS and all patches in the image tower. Return the stream with the prompt added there. Do
# not change `x` itself. Stuck? `ex.hint("09.4")`


# %% tags=["exercise"]
def add_prompt(x, prompt, start):
    """The stream [B, L, d] with `prompt` [n, d] added to its tokens start, ..., start + n - 1."""
    # SOLUTION
    stop = start + len(prompt)
    return torch.cat([x[:, :start], x[:, start:stop] + prompt, x[:, stop:]], dim=1)
    # END SOLUTION
    # STUB: raise NotImplementedError("09.4: write me")


# %% tags=["check"]
add_prompt = ex.check("09.4", add_prompt)


# %%
class AddingCLIP(FrozenCLIP):
    """A CLIP whose deeper prompts are added, by your function; the first enters as ever."""

    def through(self, blocks, x, prompts, start, **mask):
        for i, block in enumerate(blocks):
            x = add_prompt(x, prompts[i], start) if 0 < i < len(prompts) else x
            x = block(x, **mask)  # [B, L, d]
        return x

    def encode_image(self, images, prompts=()):
        x = self.visual._embeds(images)  # [B, 1 + N, d_v]
        own = x.shape[1]
        first = [self.visual.ln_pre(prompt).expand(len(x), -1, -1) for prompt in prompts[:1]]
        x = torch.cat([x, *first], dim=1)  # [B, 1 + N + n, d_v]
        x = self.through(self.visual.transformer.resblocks, x, prompts, start=own)
        return F.normalize(self.visual._pool(x[:, :own])[0] @ self.visual.proj, dim=-1)  # [B, D]

    def encode_text(self, tokens, prompts=(), positions=None):
        x, length = self.text.token_embedding(tokens), tokens.shape[1]  # [C, L, d_t]
        x = write_prompt(x, prompts[0]) if prompts else x
        x = x + self.text.positional_embedding[:length]
        mask = self.text.attn_mask[:length, :length]
        x = self.through(self.text.transformer.resblocks, x, prompts, start=1, attn_mask=mask)
        x = self.text.ln_final(x[torch.arange(len(x)), tokens.argmax(dim=-1).cpu()])  # [C, d_t]
        return F.normalize(x @ self.text.text_projection, dim=-1)  # [C, D]


# %% [markdown]
# MaPLe is the same, only the CLIP that it prompts is yours. In the text tower adding starts near
# "nothing happens", as deep text prompts begin as small numbers. Your guess, for **this** run on
# the zodiac: is the HM higher than that of the preset's run above, lower, or within one point?

# %% tags=["exercise"]
# SOLUTION
guess = "lower"
# END SOLUTION
# STUB: guess = None  # "higher", "lower" or "within a point"
ex.predict("09.d", guess, choices=("higher", "lower", "within a point"))

# %%
variant = "deep prompts: added"
live[variant] = train(MaPLe, with_clip=AddingCLIP(clip.model))
beside("preset", live["preset"])
beside(variant, live[variant])
ex.expect(f"hm, {variant}", live[variant]["hm"])
gap = live[variant]["hm"] - live["preset"]["hm"]
ex.outcome("09.d", "within a point" if abs(gap) <= 1 else "higher" if gap > 0 else "lower")
print(f"\nHM, {source}\n{compared(hm, [variant]).to_string()}")
runs = hm.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")
gaps = runs[variant] - runs["preset"]  # [runs]
above = f"{(gaps > 0).sum()} of {len(gaps)} above 0"
print(f"run by run from {gaps.min():+.1f} to {gaps.max():+.1f} points, {above}")

# %% [markdown]
# Compare your one difference with the last line. Whoever runs one seed on one dataset could have
# published any of these.
#
# ## CoOp's choices
#
# CoOp has factors of its own: how many tokens, random or from words; one **unified** context or one
# for each class (*class-specific*: C times the numbers); and where the class name stands. They are
# stored for few-shot learning: all classes are trained and tested, with 1 to 16 shots, on the same
# three datasets. Your function compares them at each number of shots. First a guess. CoOp's preset
# is a unified context of 16 random tokens. With **one** shot per class, are 16 tokens higher or
# lower that start from words ("a photo of a picture of a drawing of the sign of a piece of the")?

# %% tags=["exercise"]
# SOLUTION
guess = "higher"
# END SOLUTION
# STUB: guess = None  # "higher", "lower" or "not clear"
ex.predict("09.e", guess, choices=("higher", "lower", "not clear"))

# %%
few_shot = whole(read_results("glyphs/few-shot"))
coop = dict(list(few_shot[few_shot.method == "coop"].groupby("shots")))
tokens = [name for name in coop_variants(1) if name.endswith(("random", "words"))]
rest = [name for name in coop_variants(1) if name not in tokens]
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), sharey=True, layout="constrained")
parts = []
for ax, names in zip(axes, (tokens, rest), strict=True):
    for place, name in enumerate(names):
        means, errors = zip(*(paired(rows, name) for rows in coop.values()), strict=True)
        where = [i + 0.1 * (place - len(names) / 2) for i in range(len(coop))]
        style = {"fmt": "osD^v"[place], "capsize": 2, "alpha": 0.85}
        style["label"] = name.removeprefix("context: ")
        ax.errorbar(where, means, yerr=[2 * error for error in errors], **style)
        parts.append(f"{name} {means[0]:+.1f} and {means[-1]:+.1f}")
    ax.axhline(0, color=INK, linestyle=":")
    ax.set(xticks=range(len(coop)), xticklabels=coop, xlabel="training images per class")
    ax.legend(frameon=False, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("minus CoOp's preset (points)")
text = f"{said(few_shot)}, with {min(coop)} and {max(coop)} shots: {'; '.join(parts)}."
show(figure, f"Paired differences from CoOp's preset, ± two standard errors by run, {text}")
print(f"accuracy, 1 shot, {said(few_shot)}\n{compared(coop[1], tokens + rest).to_string()}")
ex.outcome("09.e", clear(coop[1], "context: 16 from words"))

# %% [markdown]
# ## Shots, and what it all costs
#
# The number of shots is a factor, too, and a strong one. All methods on all classes, then the cost
# of MaPLe's variants: how many numbers learn, and how long a run takes.

# %%
curves = average_over_seeds(drop_variants(few_shot), "method", "shots")
ax = plot_few_shot(curves, ax=plt.figure(figsize=(8, 3.6)).gca())
ends = curves[curves.method == "maple"].set_index("shots")["mean"].sort_index()
show(
    ax.figure,
    f"Accuracy on all classes over shots, {said(few_shot)}, means of {', '.join(datasets)}. MaPLe: "
    + ", ".join(f"{value:.1f}% with {k}" for k, value in ends.items())
    + " shots.",
)
each = curves.pivot(index="method", columns="shots", values="mean")
gained = (each[ends.index[-1]] - each[ends.index[0]]).sort_values()
listed = ", ".join(f"{method} {points:+.1f}" for method, points in gained.items())
print(f"From {ends.index[0]} to {ends.index[-1]} shots, in points: {listed}")

# %%
cost = hm.groupby("variant")[["parameters", "cpu_seconds"]].mean().loc[["preset", *variants]]
cost["ratio"] = cost.parameters / cost.parameters["preset"]
cost["time, ratio"] = cost.cpu_seconds / cost.cpu_seconds["preset"]
cost["HM, points"] = [0.0, *(paired(hm, name)[0] for name in variants)]
print(f"{source}, means per run (training and tests) on one core; ratios to the preset's, and")
print("the HM minus the preset's")
print(cost.drop(columns="cpu_seconds").round(2).astype({"parameters": int}).to_string())
few, slow = cost.parameters.idxmin(), cost.cpu_seconds.idxmax()
print(f"\nfewest numbers: {few}; longest run: {slow}")

# %% [markdown]
# Compare the two columns of ratios. Couplings run once per step, on two tokens a layer. Most of the
# time goes into the frozen towers, and those are there in every variant. So few *learned* numbers
# make a small checkpoint, and not a quick training; long prompts cost time, as all tokens do.
#
# ## Look for yourself
#
# Choose a factor, a split and a dataset: each open point is one pair of runs, the dark one their
# mean, with two standard errors. Is there a level that is on the same side on every dataset?


# %%
def differences(factor, split, dataset):
    """The paired differences of all levels of a factor, and a sentence."""
    rows = ablations[ablations.split == split]
    rows = rows if dataset == "all" else rows[rows.dataset == dataset]
    runs = rows.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")
    figure, ax = plt.subplots(figsize=(8, 1.2 + 0.45 * len(factors[factor])), layout="constrained")
    parts = []
    for place, level in enumerate(factors[factor]):
        gaps = runs[f"{factor}: {level}"] - runs["preset"]
        mean, error = paired(rows, f"{factor}: {level}")
        ax.plot(gaps, [place] * len(gaps), "o", color=COLOURS["maple"], fillstyle="none", alpha=0.6)
        ax.errorbar(mean, place, xerr=2 * error, fmt="D", color=INK, capsize=4)
        parts.append(f"{level} {mean:+.1f} ± {error:.1f}")
    ax.axvline(0, color=INK, linestyle=":")
    ax.set_yticks(range(len(parts)), factors[factor])
    ax.set(ylim=(len(parts) - 0.5, -0.5), title=f"{factor}: {split}, {dataset}, {source}")
    ax.set_xlabel("minus the preset (points)")
    ax.spines[["top", "right"]].set_visible(False)
    listed = "; ".join(parts)
    what = f"{factor}, {split}, {dataset}, {source}"
    return figure, f"Differences from the preset, ± one standard error by run, {what}: {listed}."


splits = ["hm", "base", "novel"]
explore(differences, factor=list(factors), split=splits, dataset=["all", *datasets])

# %% [markdown]
# ## Read a table
#
# ### Exercise 09.5: what does it support?
#
# An **invented** ablation, `TABLE`: a preset and two variants, *red* and *blue*; four datasets with
# three seeds each. The cell shows the harmonic means; use `paired`, `by_dataset` and `compared` on
# it, as you like. Exactly one of these sentences is supported, by our rule:
#
# - **A**: Red is better than the preset: its mean is the highest of the three.
# - **B**: Blue and the preset do not differ: their means ± standard deviations overlap widely.
# - **C**: Blue is a little worse than the preset.
# - **D**: Red matters more than blue: it changed the mean by more, so it is the surer effect.
# - **E**: Nothing can be said of either: with accuracies ten points apart, all is noise.
#
# Stuck? `ex.hint("09.5")`

# %%
wide = TABLE.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")
print(wide[["preset", "red", "blue"]].unstack("seed").to_string())
summary = TABLE.groupby("variant", sort=False).accuracy.agg(["mean", "std"])
print("\n" + summary.round(1).to_string())

# %% tags=["exercise"]
# SOLUTION
answer = "C"
# END SOLUTION
# STUB: answer = None  # "A", "B", "C", "D" or "E"

# %% tags=["check"]
answer = ex.check("09.5", answer)

# %% [markdown]
# ## What mattered here
#
# All variants in one ranking, from the lowest difference to the highest. The thick bar is two
# standard errors by run, the thin one by dataset. Orange, with a star: clear by our rule. The axis
# is even up to two points, and then ever denser. Before you read names: of so many comparisons,
# some look clear by chance alone (the cell after the figure says how many), and the top of a list
# is always partly luck.

# %%
found = {
    name: (*paired(hm, name), paired(by_dataset(hm), name)[1], clear(hm, name)) for name in variants
}
again = "length, from words: 2"  # the preset once more
ranking = pd.DataFrame(found, index=["difference", "by run", "by dataset", "clear"]).T
ranking = ranking.drop(index=again, errors="ignore").sort_values("difference", kind="stable")
figure, ax = plt.subplots(figsize=(8.5, 5.4), layout="constrained")
for place, (mean, error, wide, word) in enumerate(ranking.to_numpy()):
    colour = "#A0A0A0" if word == "not clear" else COUPLING
    ax.errorbar(mean, place, xerr=2 * wide, color=colour, elinewidth=1)
    ax.errorbar(mean, place, xerr=2 * error, color=colour, elinewidth=4, fmt="D")
ax.axvline(0, color=INK, linestyle=":")
labels = [name + ("" if row.clear == "not clear" else "  *") for name, row in ranking.iterrows()]
ax.set_yticks(range(len(ranking)), labels)
ax.set_xscale("symlog", linthresh=2, linscale=2)  # even between -2 and 2, then ever denser
ax.set_xticks(ticks := (-40, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10), map(str, ticks))
ax.set(xlabel="harmonic mean minus the preset's (points)", title=f"{source}, * clear")
ax.spines[["top", "right"]].set_visible(False)
sure = ranking[ranking.clear != "not clear"]
listed = ", ".join(f"{name} {row.difference:+.1f}" for name, row in sure.iterrows()) or "none"
ends = f"from {ranking.index[0]} {ranking.difference.iloc[0]:+.1f} points to {ranking.index[-1]} "
ends += f"{ranking.difference.iloc[-1]:+.1f}"
show(figure, f"{len(ranking)} variants, {source}, {ends}. Clear by our rule: {listed}.")

# %%
size, noise = ranking.difference.abs().astype(float), ranking["by run"].astype(float)
null = torch.randn(20_000, 3, 3, generator=torch.Generator().manual_seed(0))  # invented runs
luck = [  # of variants without any effect: [variants, runs], then [variants, datasets]
    gaps.mean(dim=1).abs() > 2 * gaps.std(dim=1) / gaps.shape[1] ** 0.5
    for gaps in (null.flatten(1), null.mean(dim=2))
]
chance = (luck[0] & luck[1]).float().mean() * len(ranking)
print(f"{len(sure)} of {len(ranking)} are clear; with no effect at all it would be {chance:.1f}")
print(f"median difference {size.median():.1f} points, median standard error {noise.median():.1f}")
higher = sure[sure.difference > 0].index
print(f"clearly above the preset: {', '.join(higher) or 'none'}\n")
by_factor = {}
for factor in factors:
    rows = ranking[[name.split(": ")[0] == factor for name in ranking.index]]
    spread = [f"{rows.difference.min():+.1f} to {rows.difference.max():+.1f}", len(rows)]
    by_factor[factor] = [*spread, int((rows.clear != "not clear").sum())]
columns = ["differences (points)", "variants", "clear"]
print(pd.DataFrame(by_factor, index=columns).T.to_string())

# %% [markdown]
# ### And the papers?
#
# Published are averages over eleven datasets of photographs with ViT-B/16, three seeds, without the
# spread over seeds; and for CLIP, CoOp, CoCoOp and MaPLe the HM of each dataset. Those make pairs:
# your function serves here, too.

# %%
averages = read_paper("base-to-novel-average").set_index("method")
print("published average HM (hm), and what IVLP lacks of MaPLe")
print(averages.loc[["vpt", "language", "ivlp", "maple"], ["base", "novel", "hm"]].to_string())
step = averages.hm["maple"] - averages.hm["ivlp"]
print(f"MaPLe minus IVLP {step:+.2f}: coupling AND depth changed")
ours = paired(hm, "coupling: none")
print(f"no coupling minus MaPLe, same depth, ours, {source}: {ours[0]:+.2f} ± {ours[1]:.2f}\n")
published = read_paper("base-to-novel").rename(columns={"method": "variant", "hm": "accuracy"})
published = published.assign(seed=0).replace({"variant": {"cocoop": "preset"}})
for variant in ("zeroshot", "coop", "maple"):
    mean, error = paired(published, variant)
    count = published[published.variant == variant].dataset.nunique()
    print(
        f"{variant:<9} minus CoCoOp, published, {count} datasets: {mean:+.2f} ± {error:.2f} points"
    )

# %% [markdown]
# What these numbers can say, and what they cannot:
#
# - Ours are **three tiny datasets** of drawn pictures (zodiac, chess, digits), towers of six
#   layers, a small CLIP. A choice that is not clear here may matter for photographs.
# - MaPLe's settings were chosen by its authors for ViT-B/16, and used here as they are. A variant
#   might do better with a learning rate of its own; then again, so might the preset.
# - One factor at a time misses what factors do **together**: a depth that is best with two tokens
#   need not be best with sixteen.
# - The published means stand on eleven datasets, and ours here on three. Lesson 10 takes eleven of
#   ours.
#
# ## Recap
#
# - An ablation changes **one** thing. Write down what else changes with it: numbers, start, time.
# - Compare pairs: the same dataset, the same seed. Then take the mean and its standard error.
# - What counts as one observation depends on the question: a run, or a dataset.
# - The size of an effect and its certainty are two things. The best of many is partly luck.
# - A coupling can be one function, many, none, or a network of the same size; all are a few lines,
#   and the table above says what they were worth here.
#
# ## Going further
#
# - Two factors at once: train `Shared` in an `AddingCLIP`. Do the two differences add up?
# - Draw the same start twice: `train(Shared)` again. Is the result the same? With another seed?
# - `compared(ablations[ablations.split == "base"], variants)`: which factors trade base for novel?
# - How many runs would make 0.5 points clear, if a difference wobbles as much as the median here?
# - Another rival: a coupling that is frozen at its random start (lesson 08, going further).
# - Papers: MaPLe (arXiv 2210.03117) has ablations of its own: which of them change one thing? CoOp
#   (2109.01134) compares lengths, starts and class-specific contexts.

# %%
ex.progress()
