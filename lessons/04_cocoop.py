# %% [markdown]
# # 04 · CoCoOp: words that look at the image
#
# **You will let a small network write a context of its own for every picture, train it, and find
# out what that costs.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes; the computer takes one or two of them |
# | You need | lesson 02 (base, novel, harmonic mean) and lesson 03 (CoOp, and your text loop) |
# | Paper | Zhou et al., *Conditional Prompt Learning …*, CVPR 2022, arXiv 2203.05557 |
#
# **You will be able to**
#
# - say why one learned context for all pictures may fit new classes badly;
# - build CoCoOp's meta-net, and shift a context by what a picture shows;
# - encode every pair of picture and class without mixing them up;
# - count what it costs, and say why the authors train with one picture per step;
# - test whether a part of a method does what its story says.
#
# There are five exercises. Each has a check, three hints, and a solution.
#
# ## Set-up

# %%
import os
import time

import matplotlib.pyplot as plt
import pandas as pd
import torch

from maple_lite import CoCoOp, CoOp, FrozenCLIP, PromptedCLIP, accuracy, base_and_novel, fit
from maple_lite import harmonic_mean, load_clip, open_dataset, preset, seeded
from maple_lite.clip import encode_sentences
from maple_lite.support.files import data_folder
from maple_lite.course.plots import COLOURS, COUPLING, TITLES, plot_base_to_novel
from maple_lite.course.plots import plot_loss, plot_picture, plot_probabilities, plot_prompts
from maple_lite.experiments.published import compare_methods
from maple_lite.support.seeds import derived_seed
from maple_lite.course import explore, session, show
from maple_lite.training import image_features

ex = session("04_cocoop")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16, and wants a GPU
clip = load_clip("glyphs") if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
STORED = "glyphs/base-to-novel"  # our results on this CLIP
print(f"mode {mode}, seed {seed}, device {clip.device}")

# %% [markdown]
# The task is the one of lesson 03: signs of the zodiac on dotted backgrounds, sixteen pictures of
# each base class to learn from.

# %%
zodiac = open_dataset("zodiac", clip=clip)
base_ids, novel_ids = base_and_novel(len(zodiac.class_names))
base, novel = zodiac.subset(base_ids), zodiac.subset(novel_ids)
train_set = base.train(shots=16, seed=seed)
print("base classes: ", ", ".join(base.class_names))
print("novel classes:", ", ".join(novel.class_names))
print(f"{len(train_set)} pictures to train on, {len(base)} + {len(novel)} to test on")

# %% [markdown]
# ## One context for all pictures
#
# CoOp learns four vectors and puts them in front of every class name, whatever the picture. They
# are tuned until the *base* classes come apart. Nothing asks them to make sense for other names,
# and in the papers they often do not. On the average of eleven real datasets:
#
# | | base | novel |
# |---|---|---|
# | zero-shot CLIP | 69.34 | **74.22** |
# | CoOp | **82.69** | 63.22 |
#
# The authors' second paper starts here. Their idea: a *fixed* context can lean on what is special
# about the training classes. So do not learn the context alone. Learn a small network that reads
# the picture and **shifts** the context: an instruction for how to caption *this* picture, and not
# one caption for all. A shift is a list of numbers that is added to each token. They call the
# network **meta-net**, and the method Conditional CoOp, CoCoOp.
#
# Here is the figure of lesson 03, with what is new in orange-red. The image features go through the
# meta-net, and what comes out is added to all four prompt tokens of the first layer (P1).


# %%
def plot_meta_net(layers, n_ctx, ax):
    """CoCoOp: CoOp's prompts, and the way from the image features to them."""
    plot_prompts(layers, (1, 0), n_ctx=n_ctx, ax=ax)
    line = {"color": COUPLING, "linewidth": 1.8}
    top, gap, first = layers[1], 5.0, 7.5  # y above the image tower; x between towers, of prompt 1
    last = first + n_ctx - 1
    ax.plot([2, gap, gap], [top - 0.15, top - 0.15, 0.8], **line)  # down between the towers
    ax.plot([gap, last], [0.8, 0.8], **line)
    for place in range(n_ctx):
        x = first + place
        ax.annotate("", (x, 0.58), (x, 0.84), arrowprops={"arrowstyle": "-|>", **line})
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": COUPLING}
    ax.text(gap, top / 2, "meta-\nnet", ha="center", va="center", color=COUPLING, bbox=box)
    ax.text(last + 0.2, 0.8, "+ the same shift", va="center", color=COUPLING, fontsize=9)
    return ax


layers = clip.text_layers, clip.vision_layers
ax = plot_meta_net(layers, 4, plt.figure(figsize=(10.5, 5.2)).gca())
show(
    ax.figure,
    f"Both towers of CLIP, with {layers[0]} text layers. Four new prompts enter the first layer of "
    "the text tower. An arrow leads from the image features down through the meta-net to these "
    "four prompts, and adds the same shift to each.",
)

# %% [markdown]
# One thing turns round here. The text tower can start only **when the image tower is done**, and
# it must start again for every picture. Keep that in mind for the end of the lesson.
#
# ## The meta-net
#
# The meta-net turns image features into a shift. Its ends are given: it reads a vector of the
# joint space, width `D`, and writes a vector of the text tower's width `d_t`, where the context
# lives. It is small on purpose: two linear layers, a ReLU between them, and a narrow middle,
# sixteen times narrower than its input. For the real CLIP, ViT-B/16, that is
#
# 512 → 32 → 512: (512 × 32 + 32) + (32 × 512 + 512) = 33,312 numbers,
#
# weights and biases, where one layer from 512 to 512 would have 262,656. A network with few numbers
# learns little by heart.
#
# ### Exercise 04.1: build the meta-net
#
# Return a PyTorch module for any CLIP: linear from `D` to `D // 16`, ReLU, linear to `d_t`, both
# with biases. `D` is `clip.embed_dim`, `d_t` is `clip.text_width`.
#
# Careful: in our tiny CLIP all widths are 128, so a mix-up would not be noticed. The check takes a
# CLIP whose widths differ. Stuck? `ex.hint("04.1")`


# %% tags=["exercise"]
def meta_net(clip):
    """A small network from image features [B, D] to shifts [B, d_t], with D // 16 in the middle."""
    # SOLUTION
    hidden = clip.embed_dim // 16
    return torch.nn.Sequential(
        torch.nn.Linear(clip.embed_dim, hidden),  # [B, D // 16]
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, clip.text_width),  # [B, d_t]
    )
    # END SOLUTION
    # STUB: raise NotImplementedError("04.1: write me")


# %% tags=["check"]
meta_net = ex.check("04.1", meta_net)

# %% [markdown]
# ## The shift
#
# Now there is a shift per picture, `[B, d_t]`, and one context of `n` tokens, `[n, d_t]`. Every
# picture gets the whole context, with **its** shift added to **all** of the tokens. Here are two
# pictures and a context of three tokens, with two numbers each.

# %%
ctx = torch.tensor([[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]])  # [n=3, d=2]
shift = torch.tensor([[1.0, 2.0], [5.0, 6.0]])  # [B=2, d=2]
for image, own in enumerate(shift):
    print(f"picture {image}: shift {own.tolist()}, context {(ctx + own).tolist()}")

# %% [markdown]
# A loop would do. But the text encoder takes one tensor, and its prompts have an axis for the
# classes, too: `[B, 1, n, d_t]`, where the 1 says "the same for every class". *Broadcasting* makes
# it without a loop: an axis of length 1 is repeated as often as the other tensor asks.
#
# **A trap.** `ctx + shift` above fails, because 3 tokens do not fit 2 pictures. With 3 pictures it
# would *not* fail. Then token 1 gets the shift of picture 1, token 2 that of picture 2. And with
# one picture, as in the authors' training, it happens to be right. Shapes that fit are no proof.
#
# ### Exercise 04.2: prompts that look at the image
#
# This is the method `text_prompts` of a learner: `self.ctx` is the context `[n, d_t]`,
# `self.meta_net` your network. The answer is a list, as for all learners, with one prompt for the
# first layer. Stuck? `ex.hint("04.2")`


# %% tags=["exercise"]
def text_prompts(self, image_features=None):
    """A list with the prompt [B, 1, n, d_t] for layer 0, from unit-norm image features [B, D]."""
    # SOLUTION
    shift = self.meta_net(image_features)  # [B, d_t]
    return [self.ctx + shift[:, None, None, :]]  # [B, 1, n, d_t]
    # END SOLUTION
    # STUB: raise NotImplementedError("04.2: write me")


# %% tags=["check"]
text_prompts = ex.check("04.2", text_prompts)

# %% [markdown]
# ### How large is the shift?
#
# The context starts as the words "a photo of a", and the meta-net as random numbers. Guess before
# you look: **before any training**, which vector is longer (has the larger norm), a token of the
# context or the shift that is added to it? ("about the same": neither is a quarter longer.)

# %% tags=["exercise"]
# SOLUTION
guess = "the shift"
# END SOLUTION
# STUB: guess = None  # "the token", "the shift" or "about the same"
ex.predict("04.a", guess, choices=("the token", "the shift", "about the same"))


# %%
class MyCoCoOp(CoOp):
    """CoOp with your meta-net and your prompts: this is all of CoCoOp."""

    needs_image = True
    text_prompts = text_prompts

    def __init__(self, clip, n_ctx=4, init="a photo of a"):
        super().__init__(clip, n_ctx, init)
        self.meta_net = meta_net(clip)


learner_kwargs, fit_kwargs = preset("cocoop", clip=clip)  # the paper's settings
with seeded(derived_seed(seed)):
    learner = MyCoCoOp(clip, **learner_kwargs).to(clip.device)
images = base.batch(range(0, len(base), 10))[0].to(clip.device)  # [B, 3, H, W]
with torch.no_grad():
    prompts = learner.text_prompts(clip.encode_image(images))[0]  # [B, 1, n, d_t]
    zero = learner.meta_net(torch.zeros(1, clip.embed_dim, device=clip.device)).norm()
tokens = learner.ctx.detach().norm(dim=-1)  # [n]
lengths = (prompts[:, 0, 0] - learner.ctx[0].detach()).norm(dim=-1)  # [B]
print("length of the tokens:", ", ".join(f"{length:.2f}" for length in tokens.tolist()))
print(f"of the shifts: {lengths.min():.2f} to {lengths.max():.2f}; for features 0: {zero:.2f}")
ratio = lengths.mean() / tokens.mean()
longer = "the shift" if ratio > 1.25 else "the token" if ratio < 0.8 else "about the same"
ex.outcome("04.a", longer)

# %% [markdown]
# A picture is hardly needed: features that are all 0 give a shift of about that length, too. It
# comes from the biases, drawn at random as PyTorch does by default. (The authors' code does the
# same, and so do we.) So training does not really start from "a photo of a", but from these words,
# moved a long way. And the shifts of different pictures have nearly the same length. Are they
# different at all? We come back to this question when the network is trained.
#
# ## Every picture with every class
#
# CoOp encodes `C` sentences. CoCoOp needs one for every **pair** of a picture and a class, because
# the context differs: `B × C` sentences. The text tower knows nothing of pairs. It takes a list
# of sentences. So: lay the pairs out as rows of one list, encode, and fold the result back.


# %%
def plot_pairs(images, classes, ax):
    """The grid of pairs, and the list of rows that the text tower gets, picture after picture."""
    style = {"ha": "center", "va": "center", "fontsize": 9}
    for row in range(images * classes):
        image, name = divmod(row, classes)
        colour = {"facecolor": plt.get_cmap("Blues")(0.2 + 0.35 * image), "edgecolor": "white"}
        ax.add_patch(plt.Rectangle((2 * name, 1.4 * image + 0.3), 2, 1, **colour))
        ax.text(2 * name + 1, 1.4 * image + 0.8, f"row {row}", **style)
        ax.add_patch(plt.Rectangle((9, 0.6 * row - 0.3), 6, 0.6, **colour))
        ax.text(12, 0.6 * row, f"row {row}:  context {image}  +  class {name}", **style)
        ax.text(2 * name + 1, 0, f"class {name}" if image == 0 else "", **style)
        ax.text(-0.9, 1.4 * image + 0.8, f"picture {image}" if name == 0 else "", **style)
    ax.annotate("", (8.8, 1.5), (6.2, 1.5), arrowprops={"arrowstyle": "<|-|>"})
    ax.text(7.5, 1.1, "flatten,\nunflatten", **style)
    ax.set(xlim=(-2, 15.2), ylim=(0.6 * images * classes - 0.1, -0.4))
    ax.set_axis_off()


ax = plt.figure(figsize=(9, 2.6)).gca()
plot_pairs(2, 3, ax)
show(
    ax.figure,
    "A grid of two pictures and three classes. Its six cells are rows 0 to 5 of a list, picture "
    "after picture: row 4 is the context of picture 1 with class 1.",
)

# %% [markdown]
# Both halves of a row, the context and the sentence, must follow the **same** order. PyTorch has
# two ways to repeat, and here they are for 2 pictures and 3 classes.

# %%
rows = torch.tensor([[0], [1]]).expand(2, 3).flatten(0, 1)  # [B, 1] -> [B, C] -> [B * C]
print("pictures, expanded and flattened:   ", rows.tolist())
print("classes, repeat(2):                 ", torch.arange(3).repeat(2).tolist())
print("classes, repeat_interleave(2):      ", torch.arange(3).repeat_interleave(2).tolist())

# %% [markdown]
# Read the pictures' line together with one of the classes' lines, column by column. With one of the
# two, the rows are all six pairs. With the other, some pairs come twice and some never, and **no
# shape is wrong**: the network would even train, with wrong sentences.
#
# ### Exercise 04.3: encode all pairs
#
# `encode_sentences(self.text, tokens, [prompts])` is your walk through the text tower of lesson 03,
# from the package: it takes tokens `[R, L]` and a prompt `[R, n, d_t]` for `R` sentences, and gives
# features `[R, D]`. Make the rows, encode them, and fold them back to `[B, C, D]`. (`tokens` has
# two axes, and `repeat` wants a number for each.) Stuck? `ex.hint("04.3")`


# %% tags=["exercise"]
def encode_pairs(self, tokens, prompts):
    """Unit-norm features [B, C, D] of tokens [C, L] under one context per image [B, 1, n, d_t]."""
    # SOLUTION
    images, classes = len(prompts), len(tokens)
    contexts = prompts.expand(-1, classes, -1, -1).flatten(0, 1)  # [B * C, n, d_t]
    sentences = tokens.repeat(images, 1)  # [B * C, L]
    features = encode_sentences(self.text, sentences, [contexts])  # [B * C, D]
    return features.unflatten(0, (images, classes))  # [B, C, D]
    # END SOLUTION
    # STUB: raise NotImplementedError("04.3: write me")


# %% tags=["check"]
encode_pairs = ex.check("04.3", encode_pairs)

# %% [markdown]
# ## A matrix of text features for every picture
#
# So far there was one matrix of text features `[C, D]`, and logits were one matrix product. Now
# each picture brings a matrix of its own, `[B, C, D]`, and must be compared with **its** rows only.
# `torch.einsum` says such a thing by naming the axes: a letter that stands on the left and not on
# the right of the arrow is summed over. Here are lengths of vectors and a plain product in its
# language:

# %% tags=["nbval-check-output"]
vectors = torch.tensor([[3.0, 4.0], [6.0, 8.0]])  # [B=2, D=2]
names = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # [C=3, D=2]
print("bd,bd->b  ", torch.einsum("bd,bd->b", vectors, vectors).sqrt().tolist())
print("bd,cd->bc ", torch.einsum("bd,cd->bc", vectors, names).tolist())

# %% [markdown]
# ### Exercise 04.4: logits
#
# This is `classify` of a `PromptedCLIP`. The first lines get the text features and are given.
# Return the logits: cosine similarities times the exponential of `self.clip.logit_scale`, as in
# lesson 01. Stuck? `ex.hint("04.4")`


# %% tags=["exercise"]
def classify(self, image_features, text_features=None):
    """Logits [B, C] of image features [B, D] and a matrix of text features per image [B, C, D]."""
    if text_features is None:
        text_features = self.encode_classes(image_features)  # [B, C, D]
    # SOLUTION
    cosines = torch.einsum("bd,bcd->bc", image_features, text_features)  # [B, C]
    return self.clip.logit_scale.exp() * cosines
    # END SOLUTION
    # STUB: raise NotImplementedError("04.4: write me")


# %% tags=["check"]
classify = ex.check("04.4", classify)

# %% [markdown]
# ## Train it
#
# Your four functions are a method now. They replace those of the package, and everything below
# runs on them.


# %%
class MyCLIP(FrozenCLIP):
    """A frozen CLIP that encodes pairs with your function."""

    def encode_text(self, tokens, prompts=(), positions=None, chunk=1024):
        if prompts and prompts[0].ndim == 4:  # one context per image
            return encode_pairs(self, tokens, prompts[0])  # [B, C, D]
        return super().encode_text(tokens, prompts, positions, chunk)


class MyPromptedCLIP(PromptedCLIP):
    """A prompted CLIP with your logits."""

    classify = classify


my_clip = MyCLIP(clip.model)
model = MyPromptedCLIP(my_clip, learner, base.class_names)
package = CoCoOp(clip, **learner_kwargs)
package.ctx, package.meta_net = learner.ctx, learner.meta_net  # the same numbers
with torch.no_grad():
    difference = model(images) - PromptedCLIP(clip, package, base.class_names)(images)  # [B, C]
print(model)
print(f"largest difference to the package's CoCoOp: {difference.abs().max():.0e}")

# %% [markdown]
# The paper's settings: 10 epochs, learning rate 0.002, and **one picture per step**. The image
# tower has no prompts, so that image features never change: we compute them once
# (`cache_features`), and each step encodes the six sentences of one picture. This takes seven
# seconds on a quick computer and a minute on a slow one.

# %%
print(fit_kwargs)
history = fit(model, train_set, **fit_kwargs, seed=seed, cache_features=True)
print(f"trained in {history.seconds:.0f} seconds, {len(history.losses)} steps")
losses = history.frame()
by_epoch = losses.loss.groupby(losses.epoch).mean()
ax = plot_loss(losses, ax=plt.figure(figsize=(7, 3)).gca())
ax.set_ylim(0, 3 * by_epoch.max())
ax.legend(loc="upper right", framealpha=1)
show(
    ax.figure,
    f"The loss over {len(losses)} steps of one picture each: its mean is {by_epoch.iloc[0]:.2f} in "
    f"the first epoch and {by_epoch.iloc[-1]:.2f} in the last. Single steps reach "
    f"{losses.loss.max():.0f}.",
)

# %% [markdown]
# A batch of one picture makes a restless curve: each step follows a single example. (What lies
# above the axis is cut off.)
#
# ## Does looking help?
#
# Think back to lesson 03. How does CoCoOp (this run) do on our novel classes, beside CoOp (the mean
# of three runs, stored)? ("same" means: within two points.)

# %% tags=["exercise"]
# SOLUTION
guess = "higher"
# END SOLUTION
# STUB: guess = None  # "higher", "lower" or "same"
ex.predict("04.b", guess, choices=("higher", "lower", "same"))

# %%
row = {"method": "cocoop"}
for split, half in (("base", base), ("novel", novel)):
    row[split] = accuracy(MyPromptedCLIP(my_clip, learner, half.class_names), half)
row["hm"] = harmonic_mean(row["base"], row["novel"])
for name in ("base", "novel", "hm"):
    ex.expect(name, row[name])

means = compare_methods(["zeroshot", "coop", "cocoop"], "zodiac", STORED)  # of three seeds, stored
table = pd.concat([means[means.method != "cocoop"], pd.DataFrame([row])], ignore_index=True)
gain = row["novel"] - table.set_index("method").novel["coop"]
ex.outcome("04.b", "higher" if gain > 2 else "lower" if gain < -2 else "same")

ax = plot_base_to_novel(table, ax=plt.figure(figsize=(8, 3.6)).gca())
rows = "; ".join(f"{TITLES[m]} {b:.0f}, {n:.0f} and {h:.0f}" for m, b, n, h in table.to_numpy())
show(
    ax.figure,
    f"Accuracy in percent on base classes, on novel classes, and their harmonic mean: {rows}.",
)

# %% [markdown]
# CoCoOp's bars are one run, yours; CoOp's are means of three seeds.
#
# ### Three seeds, three datasets, and the paper
#
# Here are the stored means of three seeds, on this dataset and on two others. Below them stand the
# paper's averages, with OpenAI's ViT-B/16 on eleven real datasets. What CoCoOp is made for is the
# column *novel*.

# %%
for dataset in ("zodiac", "mathematics", "cards"):
    print(f"ours, {dataset}")
    print(
        compare_methods(["zeroshot", "coop", "cocoop"], dataset, STORED)
        .round(1)
        .to_string(index=False),
        "\n",
    )

papers = data_folder() / "paper"
average = pd.read_csv(papers / "base_to_novel_average.csv", index_col="method")
print("the paper's, average of eleven datasets")
print(average.loc[["CLIP", "CoOp", "CoCoOp"], ["base", "novel", "hm"]].to_string(), "\n")
every = pd.read_csv(papers / "base_to_novel.csv")
novel_of = every.pivot(index="dataset", columns="method", values="novel")
for other in ("CoOp", "CLIP"):
    better = (novel_of["CoCoOp"] > novel_of[other]).sum()
    print(f"CoCoOp beats {other} on the novel classes of {better} of {len(novel_of)} datasets.")

# %% [markdown]
# In the paper CoCoOp gives up a little on base and wins back most of what CoOp lost on novel. It
# does not reach zero-shot CLIP there. MaPLe does (75.14).
#
# **How far can you compare?** Ours is a tiny CLIP on drawn pictures, with few base classes and 300
# test pictures per half: one picture is a third of a point, and another seed can move a number by
# several points. On our small datasets do not expect the paper's gap. Where CoCoOp and CoOp come
# out alike, that is a finding, too, and it asks for a reason. Let us look for one.
#
# ## Does the context look at the picture?
#
# That is the story: *words that look at the image*. Is it what happens here? A good question has
# an experiment. Keep the trained context and meta-net, and exchange only the shift:
#
# - **own**: each picture's shift. That is CoCoOp;
# - **another**: the shift of another picture, dealt out at random;
# - **mean**: the mean shift of the training pictures. One context for all, as in CoOp;
# - **none**: no shift, the context alone.
#
# If looking matters, "another" must hurt. How many points of novel accuracy does it cost?

# %% tags=["exercise"]
# SOLUTION
guess = "2 to 10"
# END SOLUTION
# STUB: guess = None  # "less than 2", "2 to 10" or "more than 10"
ex.predict("04.c", guess, choices=("less than 2", "2 to 10", "more than 10"))

# %%
halves = {"base": base, "novel": novel}


@torch.no_grad()
def under(half, shift, which=slice(None)):
    """Probabilities [N, C] of pictures of a half, under their shifts [N, d_t] or one [1, d_t]."""
    classifier = MyPromptedCLIP(my_clip, learner, halves[half].class_names)
    prompts = learner.ctx + shift[:, None, None]  # [N, 1, n, d_t] or [1, 1, n, d_t]
    parts = [encode_pairs(my_clip, classifier.tokens, some) for some in prompts.split(100)]
    seen = features[half][which]  # [N, D]
    text_features = torch.cat(parts).expand(len(seen), -1, -1)  # [N, C, D]
    return classifier.classify(seen, text_features).softmax(dim=-1)


def shifts_of(seen):
    """The shifts [N, d_t] that your prompts add for image features [N, D]."""
    return (learner.text_prompts(seen)[0][:, 0, 0] - learner.ctx[0]).detach()


seen = image_features(model, train_set).tensors[0].to(clip.device)  # [96, D]
mean = shifts_of(seen).mean(dim=0, keepdim=True)  # [1, d_t]
features = {half: image_features(model, halves[half]).tensors[0].to(clip.device) for half in halves}
own = {half: shifts_of(features[half]) for half in halves}  # [N, d_t] each

# %%
order = torch.randperm(len(base), generator=torch.Generator().manual_seed(seed))
exchanged = {
    "own": own,
    "another": {half: shift[order.to(clip.device)] for half, shift in own.items()},
    "mean": dict.fromkeys(halves, mean),
    "none": dict.fromkeys(halves, 0 * mean),
}
results = []
for shift, per_half in exchanged.items():
    for half, pictures in halves.items():
        labels = torch.tensor(pictures.labels)
        right = under(half, per_half[half]).argmax(dim=-1).cpu() == labels  # [N]
        results.append({"shift": shift, "half": half, "percent": 100 * right.float().mean().item()})
effect = pd.DataFrame(results).pivot(index="shift", columns="half", values="percent")
effect = effect.loc[list(exchanged)]
print(effect.round(1), "\n")
drop = effect.novel["own"] - effect.novel["another"]
ex.expect("points lost with another picture's shift", drop)
ex.outcome("04.c", "less than 2" if drop < 2 else "2 to 10" if drop <= 10 else "more than 10")

# %% [markdown]
# Compare the first three rows. In our three seeds they agree to two points, which is six pictures:
# a picture does about as well with a stranger's shift as with its own, and as well with the mean
# of all. Now the last row: without any shift the base classes lose. So here the shift does
# something, but it does nearly **the same for every picture**. Let us look at the numbers: a line
# per picture, a column per number.


# %%
def plot_shifts(shifts, names, axes):
    """Heat maps of shifts [N, d_t], class after class: as they are, and without their mean."""
    alone = shifts - shifts.mean(dim=0)
    order = shifts.mean(dim=0).argsort()
    for ax, rows, title in zip(axes, (shifts, alone), ("the shift", "its own part"), strict=True):
        limit = rows.abs().quantile(0.99).item()
        style = {"cmap": "PuOr", "vmin": -limit, "vmax": limit, "aspect": "auto"}
        picture = ax.imshow(rows[:, order].cpu(), interpolation="nearest", **style)
        ax.set(title=f"{title} (colours to ±{limit:.2f})", xlabel="numbers, sorted by their mean")
        ax.figure.colorbar(picture, ax=ax, pad=0.02)
    size = len(shifts) / len(names)
    axes[0].set_yticks([size * (place + 0.5) for place in range(len(names))], names)
    for ax in axes:
        for place in range(1, len(names)):
            ax.axhline(size * place - 0.5, color="0.5", linewidth=0.5)


# %%
shifts = torch.cat(list(own.values()))  # [600, d_t]
alone = shifts - shifts.mean(dim=0)
shared, part = shifts.mean(dim=0).norm().item(), alone.norm(dim=-1).mean().item()
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
plot_shifts(shifts, zodiac.class_names, axes)
show(
    figure,
    "Two heat maps with a line for each of 600 test pictures. Left, the shifts: upright stripes, "
    f"for all lines are alike; the mean shift has length {shared:.2f}. Right, what is left "
    f"without the mean, on a finer scale: its length is {part:.2f}, "
    f"{100 * part / shared:.0f}% of the mean's.",
)
of_class = alone.unflatten(0, (-1, zodiac.per_class)).mean(dim=1, keepdim=True)  # [12, 1, d_t]
within = alone.unflatten(0, (-1, zodiac.per_class)) - of_class  # [12, 50, d_t]
explained = 1 - within.square().sum() / alone.square().sum()
print(f"{100 * explained:.0f}% of the own part's variance goes with the class; by chance 2%")

# %% [markdown]
# The own part is not noise: classes have a say in it. It is only **small** beside the part that all
# pictures share, too small to change many answers. That fits how it began: unit-norm features are
# many small numbers, so that pictures hardly move what comes out, and the biases are large.
#
# Be careful with what follows from this. On *our* pictures the shift helps the base classes, but
# not by looking. That says nothing about CoCoOp on ImageNet. But it is the kind of test that a
# story deserves, and it took a few lines. Others have asked the same of prompts on real datasets,
# and found that random noise in place of the picture can even do better (arXiv 2506.23856). (Can
# our network be made to look? Try the first idea under *Going further*.)
#
# ## What looking costs
#
# CoOp encodes every class once, and then never again: its sentences are the same for all pictures.
#
# ### Exercise 04.5: count the sentences
#
# ImageNet has 1,000 classes and 50,000 pictures for validation. CoOp encodes 1,000 sentences to
# classify them all. **How many million sentences does CoCoOp encode?** Stuck? `ex.hint("04.5")`

# %% tags=["exercise"]
# SOLUTION
answer = 50_000 * 1_000 / 1_000_000
# END SOLUTION
# STUB: answer = None  # millions of sentences

# %% tags=["check"]
answer = ex.check("04.5", answer)

# %% [markdown]
# Now measure it at home: all 600 test pictures, 6 classes each, image features given. We count the
# sentences and the seconds: for CoOp, for CoCoOp with 100 pictures at a time, and for CoCoOp with
# one picture at a time.


# %%
class CountingCLIP(MyCLIP):
    """A CLIP that counts the sentences that it encodes."""

    sentences = 0

    def encode_text(self, tokens, prompts=(), positions=None, chunk=1024):
        found = super().encode_text(tokens, prompts, positions, chunk)  # [C, D] or [B, C, D]
        self.sentences += found[..., 0].numel()
        return found


@torch.no_grad()
def cost(learner, batch_size):
    """Sentences and seconds that it takes to classify all test pictures, image features given."""
    counting = CountingCLIP(clip.model)
    make = MyPromptedCLIP if learner.needs_image else PromptedCLIP
    counting.sentences, start = 0, time.perf_counter()
    for half, pictures in halves.items():
        classifier = make(counting, learner, pictures.class_names)
        fixed = None if learner.needs_image else classifier.encode_classes()  # [C, D]
        for some in features[half].split(batch_size):
            classifier.classify(some, fixed).cpu()  # [B, C]
    return {"sentences": counting.sentences, "seconds": time.perf_counter() - start}


# %%
coop = CoOp(clip, n_ctx=4, init="a photo of a")  # untrained: it costs the same
runs = {"CoOp": (coop, 100), "CoCoOp, 100 at a time": (learner, 100)}
runs["CoCoOp, one at a time"] = (learner, 1)
costs = pd.DataFrame({name: cost(*run) for name, run in runs.items()}).T
print(costs.astype({"sentences": int}).round(3))

# %% [markdown]
# A hundred pictures at a time is the same work as one at a time, in fewer and larger pieces. How
# much that saves depends on your machine; if you have a GPU, compare. The package takes at most
# 1,024 pairs at a time, so that 1,000 classes do not fill the memory.
#
# **Memory** is the second price, and it comes with training. To send the loss back through the text
# tower, PyTorch keeps what every layer made of every sentence. We add it up for one training step.


# %%
def kept(learner, batch_size):
    """Megabytes that one step keeps for its way back, without the weights."""
    make = MyPromptedCLIP if learner.needs_image else PromptedCLIP
    classifier = make(my_clip, learner, base.class_names)
    weights = {weight.untyped_storage().data_ptr() for weight in classifier.parameters()}
    sizes = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = classifier.classify(features["base"][:batch_size])  # [B, C]
    return sum(sizes.values()) / 1e6 if logits.requires_grad else 0.0


sizes = (1, 2, 4, 8, 16)
memory = {
    name: [kept(one, size) for size in sizes] for name, one in (("CoOp", coop), ("CoCoOp", learner))
}
print(pd.DataFrame(memory, index=pd.Index(sizes, name="pictures per step")).round(1))
sentence = memory["CoCoOp"][-1] / (16 * len(base.class_names))  # MB
print(f"{sentence:.2f} MB a sentence; 32 pictures x 1,000 classes: {32 * sentence:,.0f} GB")

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained")
for ax, column, digits in zip(axes, costs, (",.0f", ".2g"), strict=False):
    bars = ax.barh(
        costs.index, costs[column], color=[COLOURS[m] for m in ("coop", "cocoop", "cocoop")]
    )
    bars[2].set_hatch("//")
    ax.bar_label(bars, [format(value, digits) for value in costs[column]], padding=3)
    limits = costs[column].min() / 8, 15 * costs[column].max()
    ax.set(xscale="log", xlabel=f"{column}, for 600 pictures", xlim=limits)
    ax.invert_yaxis()
axes[1].set_yticks([])
for name, marker in (("CoOp", "s"), ("CoCoOp", "o")):
    axes[2].plot(sizes, memory[name], marker=marker, color=COLOURS[name.lower()], label=name)
axes[2].set(xlabel="pictures per training step", ylabel="kept (MB)", xticks=sizes, ylim=(0, None))
axes[2].legend(frameon=False)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
rows = "; ".join(f"{m}: {run.sentences:,.0f} in {run.seconds:.2g} s" for m, run in costs.iterrows())
kept_by = "; ".join(f"{m}: {row[0]:.0f} MB and {row[-1]:.0f} MB" for m, row in memory.items())
show(
    figure,
    f"Sentences encoded to classify 600 pictures, and seconds. {rows}. Kept in a training step "
    f"with 1 picture and with 16. {kept_by}.",
)

# %% [markdown]
# (The axes of the first two panels are logarithmic: a step of the axis is a factor of ten.)
#
# CoOp's memory is flat, CoCoOp's grows with every picture. The gigabytes printed above are those
# of the text tower in this notebook; that of ViT-B/16 has twice the layers and four times the
# width of our tiny one. That is why the authors train with **one picture per step**, and for 10
# epochs, where CoOp takes 32 pictures and 200 epochs (`data/paper/presets.csv`). They name both
# themselves as limits of their method, the cost and the novel classes where it stays below
# zero-shot CLIP (arXiv 2203.05557). A method that is as good on novel classes and does not pay
# this price would be welcome. That is where MaPLe goes.
#
# ## Look for yourself
#
# Choose a picture. The first bars are what the context says without any shift, the second what it
# says with a shift. `own_part` sets how much of it is this picture's own: 1 is CoCoOp as trained, 0
# the mean shift of all, 10 and 30 are caricatures. From where on does looking change an answer, and
# does it make it better?

# %%
numbers = list(range(8, len(base), 25))  # of the pictures to choose from
amounts = [1, 0, 10, 30]
said = {}  # (half, amount) -> probabilities [N, C]
for half in halves:
    said[half, None] = under(half, 0 * mean, numbers)
    for amount in amounts:
        shift = mean + amount * (own[half][numbers] - mean)  # [N, d_t]
        said[half, amount] = under(half, shift, numbers)


def compare(classes, picture, own_part):
    """A picture beside the likeliest names without and with its shift, and that in words."""
    half, number = classes.split()[0], numbers[picture - 1]
    names, truth = halves[half].class_names, halves[half].class_names[halves[half].labels[number]]
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.5), layout="constrained")
    plot_picture(halves[half], number, ax=axes[0])
    words = []
    titles = {None: "without a shift", own_part: f"mean shift + {own_part} × own part"}
    for (amount, title), ax in zip(titles.items(), axes[1:], strict=True):
        guess = dict(zip(names, said[half, amount][picture - 1].tolist(), strict=True))
        plot_probabilities(guess, truth=truth, top=4, ax=ax).set_title(title, fontsize="medium")
        best = max(guess, key=guess.get)
        words.append(f"{best} with {100 * guess[best]:.0f}% ({title})")
    return figure, f"A picture of {truth}. The likeliest names: {', '.join(words)}."


# %%
explore(
    compare, classes=["novel classes", "base classes"], picture=(1, len(numbers)), own_part=amounts
)

# %% [markdown]
# ## Recap
#
# - CoOp learns one context for all pictures. CoCoOp adds a **shift** to it that a small meta-net
#   makes of the image features: one shift per picture, the same for all tokens.
# - Text features become `[B, C, D]`: every picture is compared with sentences of its own. The order
#   of pairs must be the same on the way in and on the way out, and no shape tells you if it is not.
# - It costs `B × C` sentences where CoOp encodes `C` once. Hence one picture per step.
# - In the paper this wins back much of CoOp's loss on novel classes. In our small world the shift
#   was nearly the same for all pictures: we exchanged shifts, and little changed.
#
# ## Going further
#
# - Make the network look harder. In `MyCoCoOp`, give it ten times the features:
#   `text_prompts = lambda self, seen: text_prompts(self, 10 * seen)`. Does "another" hurt now? What
#   happens to base and novel?
# - Draw another meta-net, `seeded(derived_seed(7))` around `MyCoCoOp(...)`, and train on the same
#   pictures. How far do base and novel move?
# - Freeze `ctx`, and train the meta-net alone: `learner.ctx.requires_grad_(False)` before `fit`.
#   How much of the gain is left?
# - Set the last bias to zero before training, `torch.nn.init.zeros_(learner.meta_net[2].bias)`, so
#   that training starts closer to "a photo of a". Is novel better?
# - Take `batch_size=8` and `epochs=80`: as many steps, more memory. Is the curve calmer?
# - Change `"zodiac"` to `"mathematics"`, where the stored means above tell another story.
# - Papers: CoCoOp (arXiv 2203.05557); CoOp (2109.01134); and for the next lessons, MaPLe
#   (2210.03117), which makes prompts in one tower from prompts in the other, instead of from the
#   picture. A closer look at conditional prompts (2506.23856) asks, as we did, what pictures add.

# %%
ex.progress()
