# %% [markdown]
# # 04 · CoCoOp: words that look at the image
#
# **You will let a small network write a context of its own for every picture. You will train it,
# and test whether it really looks.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes; the computer takes two or three of them |
# | You need | lesson 02 (base, novel, harmonic mean) and lesson 03 (CoOp, and your text tower) |
# | Paper | Zhou et al., *Conditional Prompt Learning …*, CVPR 2022, arXiv 2203.05557 |
#
# **You will be able to**
#
# - say when the right words depend on the picture, and show it;
# - build CoCoOp's meta-net, and shift a context by what a picture shows;
# - encode every pair of picture and class without mixing them up;
# - test whether a part of a method does what its story says;
# - count what it costs, and say why the authors train with one picture per step.
#
# ## Set-up

# %%
import os

import matplotlib.pyplot as plt
import pandas as pd
import scipy.stats
import torch

from maple_lite import CoCoOp, CoOp, FrozenCLIP, PromptedCLIP, PromptLearner, base_and_novel, fit
from maple_lite import load_clip, open_dataset, preset, seeded, tokenize
from maple_lite.clip import encode_sentences
from maple_lite.course import explore, session, show
from maple_lite.course.plots import TITLES, plot_base_to_novel, plot_conditional_prompts
from maple_lite.course.plots import plot_gallery, plot_lines, plot_picture, plot_probabilities
from maple_lite.datasets.emoji.looks import EVERY
from maple_lite.experiments.published import compare_methods, read_paper
from maple_lite.support.seeds import derived_seed
from maple_lite.training import image_features

ex = session("04_cocoop")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16, and wants a GPU
clip = load_clip() if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
print(f"mode {mode}, seed {seed}, device {clip.device}")

# %% [markdown]
# ## 1 · When the right word depends on the picture
#
# Each of our datasets has one look. All plants are faded, so the word "faded" is right for every
# plant. But what if each picture has another look? Then no single sentence is right for all of
# them. Here are sea pictures in the look *mixed*: one is blurry, one is striped, one is dark.

# %%
mixed = open_dataset("sea", clip=clip, look="mixed")
chosen = range(3, len(mixed), 101)
ax = plot_gallery(mixed, chosen, columns=12, ax=plt.figure(figsize=(11, 1.5)).gca())
names = ", ".join(mixed.class_names[mixed.labels[i]] for i in chosen)
show(ax.figure, f"Pictures in mixed looks: {names}.", "Every picture has a look of its own.")

# %% [markdown]
# ### Your turn: look at the picture, by hand
#
# You know a way to find out how a picture looks: ask CLIP. For each look there is a sentence like
# "a blurry photo of a crab." for every class. `similar` holds the similarity of each picture with
# each of these sentences: `[B, K, C]`, for K looks and C classes.
#
# - `fixed`: take *one* look for all pictures, number `k`. Return the most similar class `[B]`.
# - `looking`: first choose for each picture the look whose sentences fit best, on average over the
#   classes. Then return the most similar class in *this* look `[B]`.

# %%
looks = [look for look in EVERY if look != "clean"]


@torch.no_grad()
def similarities(data):
    """Similarities [B, K, C] of the pictures of a dataset with each class in each look; labels."""
    model = PromptedCLIP(clip, PromptLearner(), data.class_names)
    features, labels = (part.to(clip.device) for part in image_features(model, data).tensors)
    said = [[f"a {look} photo of a {name}." for name in data.class_names] for look in looks]
    text = torch.stack([clip.encode_text(tokenize(row).to(clip.device)) for row in said])
    return torch.einsum("bd,kcd->bkc", features, text), labels


# %% tags=["exercise"]
def fixed(similar, k):
    """The most similar class [B] with look number k for all pictures."""
    # STUB: return torch.zeros(len(similar), dtype=torch.long)
    # SOLUTION
    return similar[:, k].argmax(dim=-1)
    # END SOLUTION


def looking(similar):
    """The most similar class [B], each picture asked in the look that fits it best."""
    # STUB: return torch.zeros(len(similar), dtype=torch.long)
    # SOLUTION
    best = similar.mean(dim=-1).argmax(dim=-1)  # [B], a look for each picture
    own = similar[torch.arange(len(similar)), best]  # [B, C]
    return own.argmax(dim=-1)
    # END SOLUTION


# %% [markdown]
# **Prediction 04.a.** Compare `looking` with the *best* of the fixed looks, which we choose knowing
# all the answers. Where does looking gain at least one point, on average over five datasets: in the
# `"mixed"` look, in the `"own"` looks, in `"both"`, or in `"neither"`?

# %% tags=["exercise"]
# STUB: guess = None  # "mixed", "own", "both" or "neither"
# SOLUTION
guess = "mixed"
# END SOLUTION
ex.predict("04.a", guess, choices=("mixed", "own", "both", "neither"))

# %%
rows = []
for name in ("sea", "plants", "fruits", "faces", "vehicles"):
    for kind, look in (("mixed", "mixed"), ("own", None)):
        similar, labels = similarities(open_dataset(name, clip=clip, look=look))
        ones = [(fixed(similar, k) == labels).float().mean().item() for k in range(len(looks))]
        found = (looking(similar) == labels).float().mean().item()
        rows.append((name, kind, 100 * max(ones), 100 * found))
by_hand = pd.DataFrame(rows, columns=["dataset", "pictures", "best fixed look", "looking"])
print(by_hand.round(1).to_string(index=False), "\n")
won = []
for kind, part in by_hand.groupby("pictures"):
    gain = part.looking - part["best fixed look"]
    half = scipy.stats.t.ppf(0.975, len(gain) - 1) * gain.sem()
    print(f"{kind}: looking gains {gain.mean():+.1f} points on average, 95% interval ±{half:.1f}")
    ex.expect(f"gain of looking, {kind}", gain.mean())
    if gain.mean() >= 1:
        won.append(kind)
ex.outcome("04.a", "both" if len(won) == 2 else won[0] if won else "neither")

# %% [markdown]
# Looking helps where the right word differs from picture to picture. Where all pictures look the
# same, there is nothing to gain: one word, found once, is right for all. Remember both cases.
#
# ## 2 · One context for all pictures
#
# CoOp learns four vectors, and puts them before every class name, whatever the picture shows. It
# trains them on the base classes. Nothing makes them fit other names. On average over eleven real
# datasets:
#
# | | base | novel |
# |---|---|---|
# | zero-shot CLIP | 69.34 | **74.22** |
# | CoOp | **82.69** | 63.22 |
#
# CoOp's authors explain this in their second paper: a *fixed* context can rely on what is special
# about the training classes. So they do not learn the context alone. They also learn a small
# network that reads the picture and **shifts** the context. A shift is a list of numbers that is
# added to every token. The network is called **meta-net**, and the method is Conditional CoOp, or
# CoCoOp.

# %%
layers = clip.text_layers, clip.vision_layers
ax = plot_conditional_prompts(layers, ax=plt.figure(figsize=(10.5, 5.2)).gca())
show(
    ax.figure,
    "Both towers of CLIP. Four new prompts enter the first layer of the text tower. An arrow leads "
    "from the image features down through the meta-net to these four prompts.",
    "The text tower can start only when the image tower is done. And it starts again for every "
    "picture.",
)

# %% [markdown]
# ## 3 · The meta-net
#
# The meta-net reads image features, of width `D`, and writes a shift of width `d_t`, the width of
# the text tower. It has two linear layers with a ReLU between them. Its middle is sixteen times
# narrower than its input. In ViT-B/16 that is 512 → 32 → 512, with 33,312 numbers in all. A network
# with few numbers cannot learn much by heart.
#
# ### Exercise 04.1: build the meta-net
#
# Return a PyTorch module for any CLIP: linear from `D` to `D // 16`, ReLU, linear to `d_t`, both
# with biases. `D` is `clip.embed_dim`, `d_t` is `clip.text_width`.
#
# Be careful: in our tiny CLIP all widths are 128, so you would not notice a mix-up. The check takes
# a CLIP whose widths differ.
#
# Stuck? `ex.hint("04.1")`


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
# ## 4 · The shift
#
# Now there is one shift per picture, `[B, d_t]`, and one context of `n` tokens, `[n, d_t]`. Every
# picture gets the whole context, with **its** shift added to **all** tokens. Here are two pictures
# and a context of three tokens, with two numbers each.

# %%
ctx = torch.tensor([[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]])  # [n=3, d=2]
shift = torch.tensor([[1.0, 2.0], [5.0, 6.0]])  # [B=2, d=2]
for image, own in enumerate(shift):
    print(f"picture {image}: shift {own.tolist()}, context {(ctx + own).tolist()}")

# %% [markdown]
# The text tower takes one tensor for all of this. Its prompts have an axis for the classes, too:
# `[B, 1, n, d_t]`. The 1 says "the same for every class". *Broadcasting* makes this tensor without
# a loop: an axis of length 1 is repeated as often as needed.
#
# **A trap.** `ctx + shift` fails above, because 3 tokens do not fit 2 pictures. With 3 pictures it
# would *not* fail. Then token 1 would get the shift of picture 1, and token 2 that of picture 2. A
# shape that fits proves nothing.
#
# ### Exercise 04.2: prompts that look at the image
#
# This is the method `text_prompts` of a learner. `self.ctx` is the context `[n, d_t]`, and
# `self.meta_net` is your network. Return a list with one prompt, for the first layer.
#
# Stuck? `ex.hint("04.2")`


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
# ## 5 · Every picture with every class
#
# CoOp encodes `C` sentences. CoCoOp needs one for every **pair** of a picture and a class, because
# the context differs: `B × C` sentences. The text tower knows nothing of pairs. It takes a list of
# sentences. So we write the pairs as rows of one list, encode the rows, and fold the result back.
#
# The context and the sentence of a row must belong to the same pair. PyTorch has two ways to
# repeat. Here they are for 2 pictures and 3 classes:

# %%
rows = torch.tensor([[0], [1]]).expand(2, 3).flatten(0, 1)  # [B, 1] -> [B, C] -> [B * C]
print("pictures, expanded and flattened:", rows.tolist())
print("classes, repeat(2):              ", torch.arange(3).repeat(2).tolist())
print("classes, repeat_interleave(2):   ", torch.arange(3).repeat_interleave(2).tolist())

# %% [markdown]
# Read the pictures' line together with one of the classes' lines, column by column. With one of
# them, the rows are all six pairs. With the other, some pairs come twice and some never. No shape
# is wrong then: the network would even train, with the wrong sentences.
#
# ### Exercise 04.3: encode all pairs
#
# `self` is a CLIP. `encode_sentences(self.text, tokens, [prompts])` is the walk through its text
# tower that you wrote in lesson 03. It takes tokens `[R, L]` and a prompt `[R, n, d_t]` for `R`
# sentences, and gives features `[R, D]`. Make the rows, encode them, and fold them back to `[B, C,
# D]`.
#
# Stuck? `ex.hint("04.3")`


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
# So far, logits were one matrix product with the text features `[C, D]`. Now each picture brings
# text features of its own, `[B, C, D]`. It must be compared with **its** rows only. `torch.einsum`
# can say this, because it names the axes. A letter that stands left of the arrow, and not right of
# it, is summed over.

# %% tags=["nbval-check-output"]
vectors = torch.tensor([[3.0, 4.0], [6.0, 8.0]])  # [B=2, D=2]
names = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # [C=3, D=2]
print("bd,bd->b  ", torch.einsum("bd,bd->b", vectors, vectors).sqrt().tolist())
print("bd,cd->bc ", torch.einsum("bd,cd->bc", vectors, names).tolist())

# %% [markdown]
# ### Exercise 04.4: logits
#
# This is `classify` of a `PromptedCLIP`. The first lines get the text features, and are given. All
# features have length 1. Return the logits: cosine similarities times the exponential of
# `self.clip.logit_scale`, as in lesson 01.
#
# Stuck? `ex.hint("04.4")`


# %% tags=["exercise"]
def classify(self, image_features, text_features=None):
    """Logits [B, C] of image features [B, D] and text features of their own [B, C, D]."""
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
# ## 6 · Train it
#
# Your four functions are a method now. They take the place of those of the package.


# %%
class MyCoCoOp(CoOp):
    """CoOp with your meta-net and your prompts. It first multiplies features by `by`."""

    needs_image = True

    def __init__(self, clip, n_ctx=4, init="a photo of a", by=1.0):
        super().__init__(clip, n_ctx, init)
        self.meta_net, self.by = meta_net(clip).to(clip.device), by

    def text_prompts(self, image_features=None):
        """Your prompts for image features [B, D]."""
        return text_prompts(self, self.by * image_features)


# %%
class MyCLIP(FrozenCLIP):
    """A frozen CLIP that encodes pairs with your function."""

    def encode_text(self, tokens, prompts=(), positions=None, chunk=1024):
        """Text features [B, C, D] with a context per image, and CLIP's own otherwise."""
        if prompts and prompts[0].ndim == 4:
            return encode_pairs(self, tokens, prompts[0])
        return super().encode_text(tokens, prompts, positions, chunk)


class MyPromptedCLIP(PromptedCLIP):
    """A prompted CLIP with your logits."""

    classify = classify


# %%
plants = open_dataset("plants", clip=clip)
base, novel = (plants.subset(ids) for ids in base_and_novel(len(plants.class_names)))
halves, train_set, my_clip = (
    {"base": base, "novel": novel},
    base.train(16, seed),
    MyCLIP(clip.model),
)
settings, fit_kwargs = preset("cocoop", clip=clip)  # the paper's
print(settings, fit_kwargs)


def trained(by, **changed):
    """Your CoCoOp, trained on the base plants; its meta-net reads image features times `by`."""
    with seeded(derived_seed(seed)):
        learner = MyCoCoOp(clip, **settings, by=by)
    model = MyPromptedCLIP(my_clip, learner, base.class_names)
    history = fit(model, train_set, **fit_kwargs | changed, seed=seed, cache_features=True)
    print(f"{len(history.losses)} steps; the last hundred have a mean loss of", end=" ")
    print(f"{sum(history.losses[-100:]) / 100:.2f}")
    return learner


# %%
learner = trained(by=1.0)
package = CoCoOp(clip, **settings)
package.ctx, package.meta_net = learner.ctx, learner.meta_net  # the same numbers
images = base.batch(range(0, len(base), 10))[0].to(clip.device)  # [B, 3, H, W]
with torch.no_grad():
    mine = MyPromptedCLIP(my_clip, learner, base.class_names)(images)  # [B, C]
    gap = (mine - PromptedCLIP(clip, package, base.class_names)(images)).abs().max()
print(f"largest difference of logits to the package's CoCoOp: {gap:.0e}")

# %% [markdown]
# The authors train with **one picture per step**. You will see why at the end of the lesson.
#
# ## 7 · Does it look at the picture?
#
# The title of this lesson says that it does. Is it true? Keep the trained context and meta-net, and
# exchange only the shift:
#
# - **own**: the shift of the picture itself. This is CoCoOp.
# - **another**: the shift of another picture, chosen at random.
# - **mean**: the mean shift, the same for all pictures. This is one context for all, as in CoOp.
# - **none**: no shift.
#
# ### Your turn: write the swap
#
# `own` has the shift of every picture, `[N, d_t]`. Return the four kinds, each `[N, d_t]` or
# `[1, d_t]`. For the random order, use `torch.randperm` with a generator of your own.


# %% tags=["exercise"]
def swaps(own):
    """{"own", "another", "mean", "none"}: shifts [N, d_t] or [1, d_t]."""
    # STUB: return {kind: own for kind in ("own", "another", "mean", "none")}
    # SOLUTION
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(own), generator=generator).to(own.device)  # [N]
    mean = own.mean(dim=0, keepdim=True)  # [1, d_t]
    return {"own": own, "another": own[order], "mean": mean, "none": 0 * mean}
    # END SOLUTION


# %% [markdown]
# **Prediction 04.b.** How many points of *base* accuracy are lost with another picture's shift?

# %% tags=["exercise"]
# SOLUTION
guess = "2 to 10"
# END SOLUTION
# STUB: guess = None  # "less than 2", "2 to 10" or "more than 10"
ex.predict("04.b", guess, choices=("less than 2", "2 to 10", "more than 10"))


# %%
model = PromptedCLIP(clip, PromptLearner(), base.class_names)
encoded = {half: image_features(model, data).tensors for half, data in halves.items()}


@torch.no_grad()
def exchanged(learner):
    """Accuracy in percent, a row per kind of shift and a column per half; and the shifts' sizes."""
    rows = {}
    for half, (features, labels) in encoded.items():
        features = features.to(clip.device)
        own = learner.text_prompts(features)[0][:, 0, 0] - learner.ctx[0]  # [N, d_t]
        asked = MyPromptedCLIP(my_clip, learner, halves[half].class_names)
        for kind, shifts in swaps(own).items():
            said = []
            for some, part in zip(
                features.split(100), shifts.expand_as(own).split(100), strict=True
            ):
                text = encode_pairs(my_clip, asked.tokens, learner.ctx + part[:, None, None])
                said.append(asked.classify(some, text).argmax(dim=-1))
            right = (torch.cat(said).cpu() == labels).float().mean().item()
            rows.setdefault(kind, {})[half] = 100 * right
        part = (own - own.mean(dim=0)).norm(dim=-1).mean() / own.mean(dim=0).norm()
        print(f"{half}: a picture's own part is {100 * part:.0f}% of the length of the mean shift")
    return pd.DataFrame(rows).T


# %%
effect = exchanged(learner)
print(effect.round(1))
drop = effect.base["own"] - effect.base["another"]
ex.expect("points lost with another picture's shift", drop)
ex.outcome("04.b", "less than 2" if drop < 2 else "2 to 10" if drop <= 10 else "more than 10")

# %% [markdown]
# Compare the first three rows. A picture does about as well with a stranger's shift as with its
# own. So this network hardly looks. The last row says that the shift still matters: without it,
# accuracy is lost. But it is almost the *same* shift for every picture, one more context to learn.
#
# Why? Image features have length 1, so each of their 128 numbers is small. The biases of the
# network are larger, and they are the same for all pictures. So make the features larger!
#
# **Prediction 04.c.** Train again, with the features times ten, so that the network can look. Where
# does another picture's shift hurt more now, on `"base"` or on `"novel"` classes?

# %% tags=["exercise"]
# SOLUTION
guess = "base"
# END SOLUTION
# STUB: guess = None  # "base" or "novel"
ex.predict("04.c", guess, choices=("base", "novel"))

# %%
harder = exchanged(trained(by=10.0, epochs=5))  # half of the epochs are enough
print(harder.round(1))
lost = harder.loc["own"] - harder.loc["another"]
ex.outcome("04.c", str(lost.idxmax()))
ex.expect("points lost when it looks, base", lost.base)

# %% [markdown]
# Now it looks, and at what? On base classes, another picture's shift costs many points. A picture's
# own shift says which of the *base* classes it shows: the network has learned to put the answer
# into the context. On novel classes, that knowledge is worth little or nothing. And the look of
# these pictures, which a context could name, is the same for all plants. There was nothing to look
# for.
#
# A story about a method deserves such a test. Others asked the same question about prompts on real
# datasets. They found that random noise in place of the picture can do as well, or even better
# (arXiv 2506.23856).
#
# ## 8 · What looking costs
#
# CoOp encodes every class once. After that its sentences are the same for all pictures.
#
# ### Exercise 04.5: count the sentences
#
# ImageNet has 1,000 classes and 50,000 validation pictures. CoOp encodes 1,000 sentences to
# classify them all. **How many million sentences does CoCoOp encode?**
#
# Stuck? `ex.hint("04.5")`

# %% tags=["exercise"]
# SOLUTION
answer = 50_000 * 1_000 / 1_000_000
# END SOLUTION
# STUB: answer = None  # millions of sentences

# %% tags=["check"]
answer = ex.check("04.5", answer)

# %% [markdown]
# **Memory** is the second price, and you pay it in training. To send the loss back through the text
# tower, PyTorch keeps what every layer made of every sentence. Here is how much, for one training
# step.


# %%
def kept(learner, batch_size):
    """Megabytes that one training step keeps for its way back, without the weights."""
    model = (MyPromptedCLIP if learner.needs_image else PromptedCLIP)(
        my_clip, learner, base.class_names
    )
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    sizes = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model.classify(encoded["base"][0][:batch_size].to(clip.device))
    return sum(sizes.values()) / 1e6


# %%
learners = {"CoOp": CoOp(clip, n_ctx=4, init="a photo of a"), "CoCoOp": learner}
rows = [
    {"method": name, "pictures": size, "MB": kept(one, size)}
    for name, one in learners.items()
    for size in (1, 2, 4, 8, 16)
]
memory = pd.DataFrame(rows)
ax = plt.figure(figsize=(7, 3.2)).gca()
plot_lines(memory, "pictures", "MB", "method", xlabel="pictures per step", ylim=(0, None), ax=ax)
most = memory[memory.pictures == 16].set_index("method").MB
sentence = most["CoCoOp"] / (16 * len(base.class_names))  # MB
show(
    ax.figure,
    f"Memory of a training step with 1 to 16 pictures: CoOp always {most['CoOp']:.0f} MB, CoCoOp "
    f"up to {most['CoCoOp']:.0f} MB.",
    f"CoCoOp needs {sentence:.2f} MB for each pair. With 32 pictures and 1,000 classes that would "
    f"be {32 * sentence:,.0f} GB, in our tiny text tower.",
)

# %% [markdown]
# This is why the authors train with **one picture per step**, and for 10 epochs. CoOp takes 32
# pictures per step, and 200 epochs. They name both as limits of their method: the cost, and the
# novel classes, where it stays below zero-shot CLIP. A method that is as good on novel classes, and
# does not pay this price, would be welcome. That is where MaPLe goes.
#
# ## The table so far
#
# The rows of zero-shot CLIP and CoOp are stored. The row of CoCoOp is yours.

# %%
found = effect.loc["own"]
row = {"method": "cocoop", "base": found.base, "novel": found.novel}
row["hm"] = 2 * found.base * found.novel / (found.base + found.novel)
for name in ("base", "novel", "hm"):
    ex.expect(name, row[name])
stored = compare_methods(["zeroshot", "coop"], "plants")
table = pd.concat([stored, pd.DataFrame([row])], ignore_index=True)
ax = plot_base_to_novel(table, ax=plt.figure(figsize=(8, 3.6)).gca())
said = [f"{TITLES[m]} {b:.0f}, {n:.0f} and {h:.0f}" for m, b, n, h in table.to_numpy()]
show(ax.figure, f"Base accuracy, novel accuracy and harmonic mean in percent: {'; '.join(said)}.")

# %%
average = read_paper("base-to-novel-average").set_index("method")[["base", "novel", "hm"]]
print("the papers, average of eleven datasets")
print(average.loc[["zeroshot", "coop", "cocoop"]].to_string(), "\n")
every = read_paper("base-to-novel").pivot(index="dataset", columns="method", values="novel")
for other in ("coop", "zeroshot"):
    better = (every.cocoop > every[other]).sum()
    print(f"CoCoOp beats {TITLES[other]} on novel classes on {better} of {len(every)} datasets.")

# %% [markdown]
# In the papers, CoCoOp gives up a little on base classes, and wins back most of what CoOp lost on
# novel ones. One run on one dataset cannot confirm or refute that. Lesson 10 compares all methods
# on eleven datasets and several seeds.
#
# ## Look for yourself
#
# Choose a picture. The first bars show what the context says without a shift, and the second bars
# what it says with a shift. `own_part` sets how much of the shift is this picture's own: 1 is
# CoCoOp as trained, 0 is the mean shift, and 10 and 30 exaggerate. (The controls need a running
# notebook.)

# %%
numbers = list(range(8, len(base), 43))  # of the pictures to choose from
amounts, said = [1, 0, 10, 30], {}
with torch.no_grad():
    for half, (features, _) in encoded.items():
        features = features.to(clip.device)
        own = learner.text_prompts(features)[0][:, 0, 0] - learner.ctx[0]  # [N, d_t]
        asked, mean = MyPromptedCLIP(my_clip, learner, halves[half].class_names), own.mean(dim=0)
        for amount in (None, *amounts):
            part = 0 * own if amount is None else mean + amount * (own - mean)
            text = encode_pairs(my_clip, asked.tokens, learner.ctx + part[numbers][:, None, None])
            said[half, amount] = asked.classify(features[numbers], text).softmax(dim=-1)


# %%
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


explore(
    compare, classes=["novel classes", "base classes"], picture=(1, len(numbers)), own_part=amounts
)

# %% [markdown]
# ## Recap
#
# - Looking at the picture helps where the right words differ from picture to picture. You showed it
#   by hand. Where all pictures look the same, there is nothing to gain.
# - CoCoOp adds a **shift** to the context: a small meta-net makes it of the image features, one
#   shift per picture, the same for all tokens.
# - Text features become `[B, C, D]`. The order of pairs must be the same on the way in and on the
#   way out, and no shape tells you if it is not.
# - You exchanged the shifts. As published, the network hardly looks in our world. With larger
#   features it looks, and mainly recognises the classes that it was trained on.
# - It costs `B × C` sentences where CoOp encodes `C` once. So the authors train with one picture
#   per step.
#
# ## Going further
#
# - Train both networks on plants in the look `mixed`, where looking could help. Does the swap hurt
#   on novel classes there?
# - Freeze `ctx` and train the meta-net alone: `learner.ctx.requires_grad_(False)` before `fit`. How
#   much of the gain is left?
# - Set the last bias to zero before training: `torch.nn.init.zeros_(learner.meta_net[2].bias)`.
#   Then training starts closer to "a photo of a". Is novel accuracy better?
# - Take `batch_size=8` and `epochs=80`: as many steps, more memory. What changes?
# - Papers: CoCoOp (arXiv 2203.05557) and CoOp (2109.01134). MaPLe (2210.03117) makes the prompts of
#   one tower from those of the other, and not from the picture. A closer look at conditional
#   prompts (2506.23856) asks, as we did, what pictures add.

# %%
ex.progress()
