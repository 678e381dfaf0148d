# %% [markdown]
# # 05 · Deep language prompting: a word at every layer
#
# **CoOp speaks once, at the door of the text tower. You will let prompts speak at every layer, and
# find out what a prompt inside a tower really is.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes; the computer needs half of one |
# | You need | lesson 03 (the splice, and your loop through the text tower) |
# | Papers | a variant of MaPLe: Khattak et al., 2210.03117; the idea: VPT, 2203.12119 |
#
# **You will be able to**
#
# - put a learned prompt at the input of any layer, in two lines;
# - say where a deep prompt starts, what becomes of it, and who reads it;
# - read a causal mask, and show by numbers what it hides;
# - compare two methods fairly: depth is one change, the recipe another.
#
# There are four exercises. Each has a check, three hints, and a solution.
#
# ## Set-up

# %%
import os
import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from maple_lite import CoOp, FrozenCLIP, PromptedCLIP, PromptLearner, base_and_novel, fit
from maple_lite import harmonic_mean, load_clip, open_dataset, preset, seeded, tokenize
from maple_lite.clip import write_prompt
from maple_lite.support.files import data_folder
from maple_lite.course.plots import COLOURS, LANGUAGE, TITLES
from maple_lite.course.plots import plot_base_to_novel, plot_loss, plot_prompts
from maple_lite.experiments.published import compare_methods
from maple_lite.support.seeds import derived_seed
from maple_lite.course import explore, session, show
from maple_lite.tokens import word_ids
from maple_lite.training import image_features as features_of

ex = session("05_deep_language")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16: a GPU helps
clip = load_clip("glyphs") if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
STORED = "glyphs/base-to-novel"  # our results on this CLIP
K = clip.text_layers
print(f"mode {mode}, seed {seed}, device {clip.device}, {K} text layers")

# %% [markdown]
# The task stays: signs of the zodiac, half of them base and half novel, sixteen pictures of each
# base class. The image tower has no prompts in this lesson either, so that we encode every picture
# **once**.

# %%
zodiac = open_dataset("zodiac", clip=clip)
halves = {"base": zodiac.subset(base_and_novel(len(zodiac.class_names))[0])}
halves["novel"] = zodiac.subset(base_and_novel(len(zodiac.class_names))[1])
base = halves["base"]
tests = {}
for name, half in halves.items():
    pairs = features_of(PromptedCLIP(clip, PromptLearner(), half.class_names), half)
    tests[name] = tuple(column.to(clip.device) for column in pairs.tensors)  # [N, D], [N]
    print(f"{name}: {', '.join(half.class_names)}; image features {list(tests[name][0].shape)}")

# %% [markdown]
# ## 1. Why deeper?
#
# CoOp's four tokens enter below, and that is all it can say. From there on they are treated like
# words: every frozen layer makes something else of them. If the *fourth* layer should be told
# something, CoOp must find tokens which three frozen layers happen to turn into it.
#
# The idea of deep prompting is to tell it directly. Each of the first **J** of the tower's **K**
# layers gets a prompt of its own, learned tokens of the same shape `[n, d_t]`. J is the *depth*.
# For images this was VPT-deep (arXiv 2203.12119, next lesson). MaPLe's authors carry it to the text
# tower and call the result **deep language prompting**. Here is the text tower, from below, for
# three depths.


# %%
def plot_text_tower(depth, ax):
    """The text tower alone, with prompts in its first `depth` layers."""
    plot_prompts((K, 0), (depth, 0), n_ctx=4, ax=ax)
    for text in [text for text in ax.texts if text.get_position()[0] < 6]:
        text.remove()  # what belongs to the image tower
    ax.set_xlim(5.9, ax.get_xlim()[1])
    ax.get_legend().remove()
    ax.set_title(f"J = {depth}", fontsize="medium", color=LANGUAGE)


figure, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
for ax, depth in zip(axes, (1, K // 2, K), strict=True):
    plot_text_tower(depth, ax)
show(
    figure,
    f"The text tower of {K} layers, three times. Left, J = 1: new blue prompts in layer 1 alone, "
    f"which travel on (dotted). Middle, J = {K // 2}: new prompts P1 to P{K // 2}, the last of "
    f"which travel on. Right, J = {K}: new prompts in every layer. All else is grey: frozen.",
)

# %% [markdown]
# Read the middle tower row by row. `P1` enters layer 1. What layer 1 makes of it is **thrown
# away**, and `P2` takes its places. After the last prompt (`P3` in our tower of six layers) nothing
# is replaced any more: what the layers make of it **travels on** to the top (↑). The left tower is
# CoOp: J counts the first layer, so that J = 1 has no deep prompt at all.
#
# ### By hand
#
# Take a sentence of five tokens with **one** number each, and "layers" that only add 100. Prompts
# have n = 2 tokens: first 10, 20, then 30, 40.

# %%
first, second = torch.tensor([[10.0], [20.0]]), torch.tensor([[30.0], [40.0]])  # [n, d] each
x = torch.tensor([0.0, 1, 2, 7, 9])[None, :, None]  # [C=1, L=5, d=1]: SOS, two words, name, EOT
for happens, then in {
    "words looked up          ": lambda x: x,
    "first prompt, then layer 1": lambda x: write_prompt(x, first) + 100,
    "second prompt replaces   ": lambda x: write_prompt(x, second),
    "layer 2                  ": lambda x: x + 100,
    "layer 3: they travel on  ": lambda x: x + 100,
}.items():
    x = then(x)
    print(f"{happens:<27}", x[0, :, 0].int().tolist(), list(x.shape))

# %% [markdown]
# The sequence stays as long as it was. 110 and 120, which layer 1 had put out at the prompt's
# places, are gone. (`write_prompt` is the package's name for your `splice` of lesson 03.)
#
# ## 2. The loop
#
# Layers and prompts are counted from 0 in code: `prompts[i]` enters layer `i`. In the figure, that
# is row `i + 1`.
#
# ### Exercise 05.1
#
# Here is your `encode_text` of lesson 03, without its middle. Write the walk through the layers:
#
# - at the input of layer `i`, if there is a `prompts[i]`, it **replaces** positions 1 to n;
# - the positional embedding is added **once**, in layer 0, after the first prompt was written. It
#   says where a token stands; further up, that is long known, and deep prompts get none;
# - then the block runs, with the mask by its name: `block(x, attn_mask=mask)`.
#
# `write_prompt(x, prompt, positions)` does the writing. Hand `positions` on in every layer: as in
# lesson 03, they say where the prompts stand if not at 1 to n. Stuck? `ex.hint("05.1")`


# %% tags=["exercise"]
def encode_text(self, tokens, prompts=(), positions=None):
    """Unit-norm text features [C, D] of tokens [C, L]; prompts[i] [n, d_t] enters layer i."""
    text, length = self.text, tokens.shape[1]
    mask = text.attn_mask[:length, :length]
    x = text.token_embedding(tokens)  # [C, L, d_t]
    # STUB: # for i, block in enumerate(text.transformer.resblocks): ...
    # STUB: raise NotImplementedError("05.1: write me")
    # SOLUTION
    for i, block in enumerate(text.transformer.resblocks):
        if i < len(prompts):
            x = write_prompt(x, prompts[i], positions)  # [C, L, d_t]
        if i == 0:
            x = x + text.positional_embedding[:length]
        x = block(x, attn_mask=mask)
    # END SOLUTION
    end = tokens.argmax(dim=-1)  # [C]: EOT
    x = text.ln_final(x[torch.arange(len(x), device=x.device), end])  # [C, d_t]
    return F.normalize(x @ text.text_projection, dim=-1)  # [C, D]


# %% tags=["check"]
encode_text = ex.check("05.1", encode_text)

# %% [markdown]
# Install it, and test two laws with numbers. With no prompt it must be CLIP. With one prompt it
# must be **CoOp**, not nearly but exactly.


# %%
class MyCLIP(FrozenCLIP):
    """The same weights, with your walk through the text tower."""

    encode_text = encode_text


my_clip = MyCLIP(clip.model)
sentences = [f"a photo of a {name}." for name in zodiac.class_names]
tokens = tokenize(sentences).to(clip.device)  # [C, L]
with torch.no_grad(), seeded(seed):
    some = [0.3 * torch.randn(4, clip.text_width, device=clip.device) for _ in range(K)]
    coop = CoOp(clip, n_ctx=4, init="a photo of a")
    coop.ctx.copy_(some[0])
    theirs = PromptedCLIP(clip, coop, zodiac.class_names).encode_classes()  # [C, D]
    laws = {
        "no prompt, and CLIP": (my_clip.encode_text(tokens), clip.encode_text(tokens)),
        "J = 1, and CoOp": (my_clip.encode_text(tokens, some[:1]), theirs),
        "J = 2, and CoOp": (my_clip.encode_text(tokens, some[:2]), theirs),
    }
for law, (ours, wanted) in laws.items():
    print(f"{law:<20} largest difference {(ours - wanted).abs().max():.1e}")

# %% [markdown]
# ## 3. Where do deep prompts start?
#
# The first prompt starts as the embeddings of "a photo of a", as in CoOp. For the others there are
# no words: between two layers a token is a *state*, and the embedding table knows nothing of those.
# The authors draw them at random, normal numbers with mean 0 and a standard deviation of **0.02**,
# written N(0, 0.02²).
#
# ### Exercise 05.2
#
# Return a `torch.nn.ParameterList` of `depth` prompts `[n_ctx, d_t]`. A `ParameterList` is a list
# whose tensors become parameters, so that an optimiser finds them; a plain list hides them.
# `word_ids(init)` gives the words' rows in the table `clip.text.token_embedding.weight`; take the
# first `n_ctx`. Draw the others with `torch.randn`, one after the other, and put them on
# `clip.device`. Stuck? `ex.hint("05.2")`


# %% tags=["exercise"]
def deep_prompts(clip, n_ctx, depth, init="a photo of a"):
    """Prompts [n_ctx, d_t] of layers 0..depth-1: the first from words, the others N(0, 0.02²)."""
    # STUB: raise NotImplementedError("05.2: write me")
    # SOLUTION
    ids = word_ids(init)[:n_ctx]
    prompts = [clip.text.token_embedding.weight[ids].clone()]  # [n, d_t]
    for _ in range(depth - 1):
        prompts.append((0.02 * torch.randn(n_ctx, clip.text_width)).to(clip.device))
    return torch.nn.ParameterList(prompts)
    # END SOLUTION


# %% tags=["check"]
deep_prompts = ex.check("05.2", deep_prompts)


# %%
class MyDeepLanguage(PromptLearner):
    """Deep language prompting: your prompts, in the sentence "a photo of a {}."."""

    def __init__(self, clip, n_ctx=4, depth=K, init="a photo of a"):
        super().__init__(f"{init} {{}}.", clip)
        self.n_ctx, self.text = n_ctx, deep_prompts(clip, n_ctx, depth, init)
        self.config = {"n_ctx": n_ctx, "depth": depth, "init": init}

    def text_prompts(self, image_features=None):
        """Prompts [n, d_t] for layers 0..J-1."""
        return list(self.text)


@torch.no_grad()
def scores(learner):
    """Base and novel accuracy of a learner in percent, and their harmonic mean."""
    found = {}
    for split, (image_features, labels) in tests.items():
        model = PromptedCLIP(my_clip, learner, halves[split].class_names)
        right = model.classify(image_features).argmax(dim=-1) == labels  # [N]
        found[split] = 100 * right.float().mean().item()
    return {**found, "hm": harmonic_mean(found["base"], found["novel"])}


print(PromptedCLIP(my_clip, MyDeepLanguage(my_clip), base.class_names))

# %% [markdown]
# ### Noise in every layer
#
# An untrained CoOp is zero-shot CLIP: its prompt *is* the words. An untrained deep prompt is not.
# At J = K all layers but the first get random tokens in place of what they expect, at four of the
# eight tokens of "SOS a photo of a leo . EOT". How far does accuracy fall (the mean of base and
# novel), **before any training**?

# %% tags=["exercise"]
# STUB: guess = None  # "under 5 points", "5 to 20 points" or "over 20 points"
# SOLUTION
guess = "5 to 20 points"
# END SOLUTION
choices = ("under 5 points", "5 to 20 points", "over 20 points")
ex.predict("05.a", guess, choices=choices)

# %%
rows = []
for depth in range(1, K + 1):
    with seeded(derived_seed(seed)):
        rows.append({"J": depth, **scores(MyDeepLanguage(my_clip, depth=depth))})
untrained = pd.DataFrame(rows).set_index("J")
print(untrained.round(1))
lost = (untrained.loc[1] - untrained.loc[K])[["base", "novel"]].mean()
print(f"\nFrom J = 1 to J = {K}: {lost:.1f} points lost")
ex.outcome("05.a", choices[0] if lost < 5 else choices[1] if lost <= 20 else choices[2])

# %% [markdown]
# So at these four places the upper layers can do without "a photo of a". The class name has a path
# of its own through the tower, and nobody touches that. To see what a prompt can do for it, we must
# ask who reads whom.
#
# ## 4. Who sees whom?
#
# CLIP's text tower is *causal*: in every layer a token attends to itself and to those **before**
# it. That is what the mask is for. It holds 0 where a token may look, and minus infinity where not.

# %%
words = ["SOS", "v1", "v2", "v3", "v4", "name", ".", "EOT"]
length = len(words)
may = clip.text.attn_mask[:length, :length].cpu() == 0  # [L, L]
print("attn_mask", list(clip.text.attn_mask.shape), "cut to", list(may.shape))
figure, ax = plt.subplots(figsize=(5.4, 4.2))
ax.imshow(may, cmap="Greys", vmin=0, vmax=3, aspect="auto")
for row, column in may.nonzero().tolist():
    ax.text(column, row, "●", ha="center", va="center", color="#333333")
ax.set_xticks(range(length), [f"{word}\n{place}" for place, word in enumerate(words)])
ax.set_yticks(range(length), [f"{place} {word}" for place, word in enumerate(words)])
ax.set(xlabel="looks at", ylabel="this token")
for label in [*ax.get_xticklabels()[1:5], *ax.get_yticklabels()[1:5]]:
    label.set_color(LANGUAGE)
counts = ", ".join(str(int(row.sum())) for row in may)
show(
    figure,
    f"The causal mask of {length} tokens: a lower triangle of dots. Position 0 may look at itself "
    f"alone, position 7 at all. Tokens seen, from position 0 on: {counts}.",
)

# %% [markdown]
# ### Exercise 05.3
#
# Take a sentence with prompts in every layer:
#
# | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
# |---|---|---|---|---|---|---|---|
# | SOS | v1 | v2 | v3 | v4 | leo | . | EOT |
#
# Exchange "leo" for "virgo", and nothing else. **At which positions do the states change**, in
# whatever layer? Write a list, such as `[0, 7]`. Stuck? `ex.hint("05.3")`

# %% tags=["exercise"]
# STUB: changes = None
# SOLUTION
changes = [5, 6, 7]
# END SOLUTION

# %% tags=["check"]
changes = ex.check("05.3", changes)

# %% [markdown]
# Now by numbers. We listen at every layer (a *hook* is a function that PyTorch calls when a layer
# has run), put all signs of one token into the sentence, and ask how far their states lie apart.


# %%
@torch.no_grad()
def states(tokens, prompts):
    """What enters every layer, and what the last one puts out: [K + 1, C, L, d_t]."""
    seen = []
    blocks = my_clip.text.transformer.resblocks
    hooks = [
        block.register_forward_hook(lambda _, given, out: seen.append((given[0], out)))
        for block in blocks
    ]
    my_clip.encode_text(tokens, prompts)
    for hook in hooks:
        hook.remove()
    return torch.stack([*(given for given, _ in seen), seen[-1][1]])


short = [name for name in zodiac.class_names if len(word_ids(name)) == 1]
of_short = tokenize([f"a photo of a {name}." for name in short]).to(clip.device)  # [C, 8]
apart = {}
for depth in (1, K):
    x = states(of_short, some[:depth])  # [K + 1, C, L, d_t]
    apart[depth] = (x - x.mean(dim=1, keepdim=True)).norm(dim=-1).mean(dim=1).cpu()  # [K + 1, L]
print("signs of one token:", ", ".join(short))
print("states", list(x.shape), "= layers, classes, tokens, width")

# %%
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.9), sharey=True, layout="constrained")
for ax, (depth, values) in zip(axes, apart.items(), strict=True):
    image = ax.imshow(values, cmap="Blues", origin="lower", aspect="auto", vmin=0)
    for layer, place in ((layer, place) for layer in range(K + 1) for place in range(length)):
        value = values[layer, place].item()
        ink = "white" if value > 0.6 * values.max() else "#333333"
        said = f"{value:.1f}" if value > 1e-4 else "0"  # float32 rounds
        ax.text(place, layer, said, ha="center", va="center", fontsize=8, color=ink)
    ax.set_xticks(range(length), words)
    ax.set_yticks(range(K + 1), [*(f"into layer {i + 1}" for i in range(K)), "out"])
    ax.set_title(f"J = {depth}", fontsize="medium")
figure.colorbar(image, ax=axes, label="distance between classes")
still = max(values[:, :5].max().item() for values in apart.values())
moved = min(values[-1, 5:].min().item() for values in apart.values())
show(
    figure,
    "How far the states of different class names lie apart, by layer and token, for J = 1 and for "
    f"J = {K}. At SOS and the four prompts: {still:.0e} at most, which is rounding. At the name, "
    f"the full stop and EOT: {moved:.0f} or more at the end.",
)

# %% [markdown]
# The prompt stands **before** the name, and so it never sees it. Its states are the same for all
# classes, in CoOp and at every depth. A text prompt cannot react to the class; it can only be read.
#
# So what does a deep prompt do? In layer i, the tokens after it attend to it: it offers them a
# *key* ("look at me if ...") and a *value* ("... and take this along"). What the layer makes of the
# prompt itself is thrown away at the next layer. At J = K, then, a prompt **is** a few learned keys
# and values per layer, the same for all sentences. Language models had this idea before:
# prefix-tuning (arXiv 2101.00190).
#
# ### Exercise 05.4
#
# Count. Deep language prompting on ViT-B/16: J = 12 layers, n = 4 tokens, `d_t` = 512. **How many
# numbers are learned?** Stuck? `ex.hint("05.4")`

# %% tags=["exercise"]
# STUB: count = None
# SOLUTION
count = 12 * 4 * 512
# END SOLUTION

# %% tags=["check"]
count = ex.check("05.4", count)

# %%
papers = data_folder() / "paper"
settings = pd.read_csv(papers / "presets.csv", index_col="method")
settings = settings[settings.setting == "base-to-novel"]
columns = ["n_ctx", "depth", "lr", "epochs", "batch_size", "trainable_parameters"]
print(settings.loc[["CoOp", "DeepLanguage"], columns].astype(str).T.to_string(), "\n")
for depth in (1, K // 2, K):
    learned = PromptedCLIP(my_clip, MyDeepLanguage(my_clip, depth=depth), base.class_names)
    print(f"ours, J = {depth}: {learned.trainable_parameters:,} numbers")

# %% [markdown]
# Look at the upper table once more. CoOp and deep language prompting differ in depth, **and** in
# learning rate, in epochs and in batch size. Keep that in mind for section 6.
#
# ## 5. Train it
#
# Your tower, your prompts, the authors' recipe: 5 epochs of small batches.

# %%
learner_kwargs, fit_kwargs = preset("language", clip=clip)
print(learner_kwargs, fit_kwargs)


def trained(depth, draw):
    """A trained learner of some depth and its history; `draw` decides on pictures and start."""
    with seeded(derived_seed(draw)):
        learner = MyDeepLanguage(my_clip, **{**learner_kwargs, "depth": depth})
    model = PromptedCLIP(my_clip, learner, base.class_names)
    pictures = base.train(shots=16, seed=draw)
    settings = {**fit_kwargs, "seed": draw, "cache_features": True, "bar": False}
    return learner, fit(model, pictures, **settings)


deep, history = trained(learner_kwargs["depth"], seed)
losses = history.frame()
by_epoch = losses.loss.groupby(losses.epoch).mean()
ax = plot_loss(losses, ax=plt.figure(figsize=(7, 2.8)).gca())
show(
    ax.figure,
    f"The loss over {len(losses)} steps: {by_epoch.iloc[0]:.2f} on average in the first epoch, "
    f"{by_epoch.iloc[-1]:.2f} in the last.",
)
print("CLIP's fingerprint before:", clip.fingerprint, "after:", FrozenCLIP(clip.model).fingerprint)

# %% [markdown]
# ### Ten times as long
#
# If it is true that a deep prompt is only read, then a strange thing follows. Take the trained
# prompts and make those of layers 2 to K **ten times as long**. CLIP has never seen tokens of that
# size. How many of the answers to the 600 test pictures change?

# %% tags=["exercise"]
# STUB: guess = None  # "nearly none", "some" or "most"
# SOLUTION
guess = "some"
# END SOLUTION
choices = ("nearly none", "some", "most")  # up to 5%, up to half, more
ex.predict("05.b", guess, choices=choices)


# %%
@torch.no_grad()
def answers(prompts):
    """The answers to all test pictures [600], under a list of prompts."""
    found = []
    for split, (image_features, _) in tests.items():
        tokens = PromptedCLIP(my_clip, deep, halves[split].class_names).tokens
        found.append((image_features @ my_clip.encode_text(tokens, prompts).T).argmax(dim=-1))
    return torch.cat(found)


learned = [prompt.detach() for prompt in deep.text]
as_learned, changed = answers(learned), {}
for factor in (0.5, 2, 10, -1):
    scaled = answers([learned[0], *(factor * prompt for prompt in learned[1:])])
    changed[factor] = 100 * (scaled != as_learned).float().mean().item()
    print(f"deep prompts times {factor:>4}: {changed[factor]:.1f}% of the answers change")
two, long = answers(learned[:2]), answers([learned[0], 10 * learned[1]])
apart = 100 * (two != long).float().mean().item()
print(f"J = 2, where the second travels on, times 10: {apart:.1f}% of the answers change")
own = states(of_short, [])[:K, 0, 1:5].norm(dim=-1).mean(dim=-1)  # [K]
print("mean length of CLIP's own states there, by layer:", [round(v, 1) for v in own.tolist()])
print("and of your prompts:", [round(p.norm(dim=-1).mean().item(), 1) for p in learned])
few = changed[10] <= 5
ex.outcome("05.b", choices[0] if few else choices[1] if changed[10] <= 50 else choices[2])

# %% [markdown]
# Before a layer attends, a *layer norm* brings every token to the same scale: `ln_1`. Keys and
# values are made of the result. So only the **direction** of a deep prompt counts, not its length.
# (Times -1 turns the direction round.) Where a prompt travels on, as in the line with J = 2, its
# length is not quite lost, because a layer *adds* what it computes to what came in. And noise of
# 0.02 is no quiet start, though it is short: after the layer norm it is as loud as anything else.
#
# ## 6. What does depth bring?
#
# First the running table. CoOp's stored row comes from CoOp's own recipe. On our **novel** classes,
# is this run of deep language prompting "higher", "lower" or the "same" (within two points) as
# CoOp?

# %% tags=["exercise"]
# STUB: guess = None  # "higher", "lower" or "same"
# SOLUTION
guess = "higher"
# END SOLUTION
ex.predict("05.c", guess, choices=("higher", "lower", "same"))

# %%
row = {"method": "language", **scores(deep)}
for name in ("base", "novel", "hm"):
    ex.expect(name, row[name])
means = compare_methods(["zeroshot", "coop", "cocoop"], "zodiac", STORED)  # of three seeds, stored
table = pd.concat([means, pd.DataFrame([row])], ignore_index=True)
gain = row["novel"] - means.set_index("method").novel["coop"]
ex.outcome("05.c", "higher" if gain > 2 else "lower" if gain < -2 else "same")

ax = plot_base_to_novel(table, ax=plt.figure(figsize=(8.5, 3.6)).gca())
said = "; ".join(f"{TITLES[m]} {b:.1f}, {n:.1f} and {h:.1f}" for m, b, n, h in table.to_numpy())
show(ax.figure, f"Accuracy on base classes, on novel classes, and their harmonic mean: {said}.")

# %%
columns = ["base", "novel", "hm", "epochs"]
average = pd.read_csv(papers / "base_to_novel_average.csv", index_col="method")[columns]
print("the papers, ViT-B/16, average of eleven datasets")
print(average.loc[["CLIP", "CoOp", "CoCoOp", "DeepLanguage"]].to_string(na_rep=""), "\n")
for dataset in ("zodiac", "mathematics", "cards"):
    print(f"ours, {dataset}, tiny CLIP, three seeds")
    print(
        compare_methods(["zeroshot", "coop", "language"], dataset, STORED)
        .round(1)
        .to_string(index=False),
        "\n",
    )

# %% [markdown]
# In the paper deep language prompting gives up one point of CoOp's on base and wins **ten and a
# half** on novel. Compare with our rows, dataset by dataset: what holds on one of our small
# datasets need not hold on the next, and the papers average over eleven.
#
# ### Is it the depth?
#
# But what did we compare? CoOp trains 200 epochs with batches of 32, deep language prompting 5 with
# batches of 4. A fair question changes **one** thing: keep the recipe, and change J alone. J = 1 is
# then CoOp with a short training. It takes a second each, so we can afford three draws of pictures
# and starts per depth.
#
# Which depth will have the best harmonic mean, on average?

# %% tags=["exercise"]
depths = sorted({1, K // 3, 2 * K // 3, K})
# STUB: guess = None  # one of the depths: 1, 2, 4 or 6
# SOLUTION
guess = K
# END SOLUTION
ex.predict("05.d", guess, choices=tuple(depths))

# %%
draws = range(3 * seed - 2, 3 * seed + 1)
runs = pd.DataFrame(
    [
        {"J": depth, "draw": draw, **scores(trained(depth, draw)[0])}
        for depth in depths
        for draw in draws
    ]
)
curve = runs.groupby("J")[["base", "novel", "hm"]].mean()
print(curve.round(1))
ex.expect("base at J = 1, same recipe", curve.base[1])
ex.expect(f"base at J = {K}, three draws", curve.base[K])
ex.outcome("05.d", int(curve.hm.idxmax()))

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True, layout="constrained")
stored = compare_methods(["zeroshot", "coop"], "zodiac", STORED).set_index("method")
for ax, split in zip(axes, ("base", "novel", "hm"), strict=True):
    ax.plot(runs.J, runs[split], "o", color=LANGUAGE, alpha=0.35, markersize=5, label="one draw")
    ax.plot(curve.index, curve[split], "-", color=LANGUAGE, linewidth=2, label="mean of three")
    for method, style in (("zeroshot", "--"), ("coop", ":")):
        name = "zero-shot" if method == "zeroshot" else "CoOp, its own recipe"
        ax.axhline(stored[split][method], linestyle=style, color=COLOURS[method], label=name)
    ax.set(title=split if split != "hm" else "harmonic mean", xticks=depths, xlabel="depth J")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("accuracy (%)")
handles = axes[0].get_legend_handles_labels()
figure.legend(*handles, frameon=False, ncols=4, loc="outside lower center")
said = "; ".join(f"J = {J}: {r.base:.1f}, {r.novel:.1f}, {r.hm:.1f}" for J, r in curve.iterrows())
show(figure, f"Base, novel and harmonic mean by depth, means of three draws: {said}.")

# %% [markdown]
# Read the curve with its dots. One test picture is a third of a point, and a dot moves by several
# points from draw to draw: a difference between means that is smaller than the spread of the dots
# says little. And look at the dotted line: CoOp's own recipe has forty times as many epochs, and
# five times as many steps. Where J = 1 does not reach that line, it is the recipe's doing and not
# the depth's.
#
# ## 7. Look for yourself: where does the sentence look?
#
# A prompt can only be read, so let us see how much it is read. Choose a sign, a token that looks,
# and the prompts: yours as trained, the same at their start, or none, which leaves the words "a
# photo of a". Each row is a layer: the share of that token's attention (mean over heads) that goes
# to itself and to every token before it. How much do the four places take in the upper layers with
# each of the three? And do the same columns stay dark from sign to sign?

# %%
with seeded(derived_seed(seed)):
    start = [prompt.detach() for prompt in MyDeepLanguage(my_clip, **learner_kwargs).text]
lists = {"trained": learned, "at the start": start, "the words": []}
attention = {}
for kind, prompts in lists.items():
    x, maps = states(of_short, prompts), []
    for block, seen in zip(my_clip.text.transformer.resblocks, x[:-1], strict=True):
        seen, mask = block.ln_1(seen), clip.text.attn_mask[:length, :length]
        maps.append(block.attn(seen, seen, seen, attn_mask=mask)[1].detach().cpu())  # [C, L, L]
    attention[kind] = torch.stack(maps)  # [K, C, L, L]


# %%
def look(sign, prompts, token):
    """Attention of a token by layer, as a heat map, and that in words."""
    place = {"EOT": 7, "class name": 5}[token]
    shares = attention[prompts][:, short.index(sign), place, : place + 1]  # [K, place + 1]
    names = ["SOS", "a", "photo", "of", "a", *words[5:]] if prompts == "the words" else words
    names = [sign if name == "name" else name for name in names[: place + 1]]
    figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, origin="lower", aspect="auto")
    for layer, row in enumerate(shares.tolist()):
        for column, share in enumerate(row):
            ink = "white" if share > 0.6 else "#333333"
            style = {"ha": "center", "va": "center", "fontsize": 9, "color": ink}
            ax.text(column, layer, f"{100 * share:.0f}%", **style)
    ax.set_xticks(range(place + 1), names)
    ax.set_yticks(range(K), [f"layer {layer + 1}" for layer in range(K)])
    ax.set_title(f"where {token} looks; prompts: {prompts}", fontsize="medium")
    shown = ", ".join(f"{100 * share:.0f}%" for share in shares[:, 1:5].sum(dim=-1).tolist())
    told = f"prompts: {prompts}. Its attention to positions 1 to 4, from layer 1 up: {shown}"
    return figure, f"Where {token} looks in the sentence of {sign}; {told}."


explore(look, sign=short, prompts=list(lists), token=["EOT", "class name"])

# %%
ex.progress()

# %% [markdown]
# ## Recap
#
# - `prompts[i]` replaces positions 1 to n at the input of layer i. What the layer before had put
#   out there is thrown away; after the last prompt, they travel on. J = 1 is CoOp.
# - The first prompt starts as words, with positions. The others start as noise, without.
# - Under the causal mask a prompt that stands before the name never sees it. It is read, by the
#   tokens after it: learned keys and values for every layer. Its length does not matter, as long as
#   it is replaced at the next layer.
# - It costs J · n · `d_t` numbers.
# - A comparison of two methods is one of two recipes, too. Change one thing at a time.
#
# In the next lesson the same idea goes where it came from: into the image tower. There, nothing is
# causal, and prompts see the picture.
#
# ## Going further
#
# - Give J = 1 as many numbers as J = K has: `CoOp(clip, n_ctx=4 * K)` starts at random. Is depth
#   more than a number of numbers?
# - Start the deep prompts with 0.2 or 0.002 in place of 0.02. What does section 5 say must happen
#   to the accuracy before training? And to the first gradients?
# - Train J = 1 with CoOp's own recipe, and J = K, too: `preset("coop", clip=clip)[1]`. What remains
#   of the difference?
# - Freeze all prompts but one: `deep.text[i].requires_grad_(False)`. Which layer alone brings most?
# - Put the sentence the other way round (lesson 03, "front"). What would a prompt see then?
# - Papers: MaPLe (arXiv 2210.03117); VPT (2203.12119); prefix-tuning (2101.00190) and
#   P-tuning v2 (2110.07602), which prompts all layers of a language model.
