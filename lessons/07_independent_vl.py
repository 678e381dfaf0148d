# %% [markdown]
# # 07 · Independent prompts: both towers, unconnected
#
# **You will prompt both towers of CLIP at once, follow one loss back into each of them, and find
# out whether two branches that share nothing learn two things, or one thing twice.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes; the computer needs about one of them |
# | You need | lessons 05 (deep text prompts) and 06 (deep vision prompts) |
# | Paper | a row of table 1 in MaPLe: Khattak et al., CVPR 2023, arXiv 2210.03117 |
#
# **You will be able to**
#
# - build independent vision-language prompting (IVLP), and count what it learns;
# - measure which gradient flows where, and say on what each depends;
# - take a trained model apart: one branch alone, or the branches of two models together;
# - say what "independent" costs, and so why MaPLe ties the branches.
#
# There are five exercises. Each has a check, three hints, and a solution.
#
# ## Set-up

# %%
import os

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F

from maple_lite import IVLP, PromptedCLIP, PromptLearner, base_and_novel, harmonic_mean
from maple_lite import load_clip, open_dataset, preset, seeded
from maple_lite.support.batches import batches
from maple_lite.support.files import data_folder
from maple_lite.learners import first_prompt, prompt_depth
from maple_lite.course.plots import COLOURS, LANGUAGE, TITLES, VISION, plot_base_to_novel, plot_loss
from maple_lite.course.plots import plot_picture, plot_probabilities, plot_prompts
from maple_lite.experiments.published import compare_methods, read_results
from maple_lite.support.seeds import derived_seed
from maple_lite.course import explore, session, show
from maple_lite.training import learning_rate

ex = session("07_independent_vl")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16, and wants a GPU
clip = load_clip("glyphs") if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
STORED = "glyphs/base-to-novel"  # our results on this CLIP
print(f"mode {mode}, seed {seed}, device {clip.device}")

# %% [markdown]
# The task stays: signs of the zodiac, sixteen pictures of each base class to learn from.

# %%
zodiac = open_dataset("zodiac", clip=clip)
halves = dict(zip(("base", "novel"), map(zodiac.subset, base_and_novel(12)), strict=True))
base, novel = halves.values()
train_set = base.train(shots=16, seed=seed)
images, labels = (some.to(clip.device) for some in train_set.batch(range(0, len(train_set), 8)))
print(f"{len(train_set)} pictures to train on, {len(base)} + {len(novel)} to test on")
print(f"a few of them, two of each class: {list(images.shape)} = [B, 3, H, W]")

# %% [markdown]
# ## The one change
#
# In lesson 05 the text tower had new prompts in every layer, and the image tower was left alone. In
# lesson 06 it was the other way round. Now **both at once**. That is all: your `encode_text` of
# lesson 05 and your `encode_image` of lesson 06 stay as they are. (This notebook takes the
# package's, `FrozenCLIP`; they do the same.)

# %%
learner_kwargs, fit_kwargs = preset("ivlp", clip=clip)  # the paper's settings, for this CLIP
depth, n_ctx = learner_kwargs["depth"], learner_kwargs["n_ctx"]
print(learner_kwargs, fit_kwargs)
towers = clip.text_layers, clip.vision_layers
ax = plt.figure(figsize=(10.5, 5)).gca()
plot_prompts(towers, (depth, depth), n_ctx=n_ctx, words=["of", "a"], ax=ax)
show(
    ax.figure,
    f"Both towers of CLIP. {n_ctx} new blue text prompts enter each of the first {depth} layers of "
    f"the text tower, {n_ctx} new green vision prompts each of the first {depth} layers of the "
    "image tower. Nothing connects the two but the cosine similarity at the top.",
)

# %% [markdown]
# Look for a line between blue and green: there is none. The branches meet only at the top, where an
# image feature is compared with text features. Hence the name: *independent* vision-language
# prompting, **IVLP**. Like MaPLe it has prompts in both towers; what it lacks is the connection. Of
# all methods of this course it comes closest to MaPLe in the published averages.
#
# One more difference to lesson 05: a prompt has two tokens, not four. The sentence starts as
# "a photo of a leo."; "a photo" becomes the first prompt, "of a" stays as frozen words.
#
# ## Prompts for both towers
#
# | | text tower | image tower |
# |---|---|---|
# | width | `clip.text_width`, d_t | `clip.vision_width`, d_v |
# | first layer | starts as words | starts at random: a picture has no words |
# | deeper layers | random | random |
#
# Random means normal numbers with mean 0 and standard deviation 0.02: `torch.randn(...) * 0.02`.
# Why random, and not zero? Two equal tokens in a layer would get equal gradients, and stay equal.
#
# A module finds its parameters only where they are registered, and a plain Python list hides them.
# `torch.nn.ParameterList([...])` makes a parameter of every tensor in it.
#
# ### Exercise 07.1: prompts for both towers
#
# `words` are the embeddings `[n, d_t]` of the first `n` words. Return two `ParameterList`s of
# `depth` prompts each: text first, then vision. The first text prompt is a copy of `words`.
#
# - In our tiny CLIP both towers have width 128, so that a mix-up would not be noticed. The check
#   takes a CLIP whose widths differ.
# - Draw the text prompts before the vision prompts, and set no seed: the notebook does that around
#   your function. So the same seed gives everybody the same start.
#
# Stuck? `ex.hint("07.1")`


# %% tags=["exercise"]
def independent_prompts(clip, words, depth):
    """Text prompts [n, d_t] and vision prompts [n, d_v], a ParameterList of `depth` each."""
    # SOLUTION
    n = len(words)
    deeper = [torch.randn(n, clip.text_width) * 0.02 for _ in range(depth - 1)]  # [n, d_t]
    text = torch.nn.ParameterList([words.clone(), *deeper])
    random = [torch.randn(n, clip.vision_width) * 0.02 for _ in range(depth)]  # [n, d_v]
    return text, torch.nn.ParameterList(random)
    # END SOLUTION
    # STUB: raise NotImplementedError("07.1: write me")


# %% tags=["check"]
independent_prompts = ex.check("07.1", independent_prompts)

# %% [markdown]
# With it, the learner is short. A learner answers two questions: which prompts does the text tower
# get, and which the image tower?


# %%
class MyIVLP(PromptLearner):
    """Deep prompts in both towers, unconnected."""

    towers = ("text", "vision")

    def __init__(self, clip, n_ctx=2, depth=None, init="a photo of a"):
        words, template = first_prompt(clip, n_ctx, init)  # [n, d_t], "a photo of a {}."
        super().__init__(template, clip)
        depth = prompt_depth(clip, depth, 12, self.towers)
        self.n_ctx, self.config = n_ctx, dict(n_ctx=n_ctx, depth=depth, init=init)
        self.text, self.vision = independent_prompts(clip, words, depth)

    def text_prompts(self, image_features=None):
        return list(self.text)

    def vision_prompts(self):
        return list(self.vision)


def new_learner(start):
    """An untrained learner; `start` decides on its random numbers."""
    with seeded(derived_seed(start)):
        return MyIVLP(clip, **learner_kwargs).to(clip.device)


# %% [markdown]
# ## How many numbers?
#
# By hand, for our tiny CLIP: two tokens in each of the prompted layers of both towers, all 128
# wide. By code: add up what the learner holds. And with the same numbers in its prompts, your
# learner must give the same logits as the package's.

# %%
learner = new_learner(seed)
begun = [prompt.detach().clone() for prompt in learner.parameters()]  # to compare with later
model = PromptedCLIP(clip, learner, base.class_names)
for name, weight in learner.named_parameters():
    print(f"{name:<9} {list(weight.shape)}  spread {weight.std().item():.3f}")
by_hand = n_ctx * depth * clip.text_width + n_ctx * depth * clip.vision_width
print(f"by hand {n_ctx} x {depth} x {clip.text_width} + {n_ctx} x {depth} x {clip.vision_width}")
print(f"      = {by_hand:,}; by code {sum(w.numel() for w in learner.parameters()):,}")
print(model)
package = IVLP(clip, **learner_kwargs)
package.load_state_dict(learner.state_dict())  # the same numbers
difference = model(images) - PromptedCLIP(clip, package, base.class_names)(images)  # [B, C]
print(f"largest difference to the package's IVLP: {difference.abs().max().item():.0e}")

# %% [markdown]
# ### Exercise 07.2: count the real one
#
# In the paper, IVLP has `n` = 2 tokens in all 12 layers of both towers of ViT-B/16. Its text tower
# is 512 wide, its image tower 768. **How many numbers does it learn?** Stuck? `ex.hint("07.2")`

# %% tags=["exercise"]
# SOLUTION
answer = 2 * 12 * 512 + 2 * 12 * 768
# END SOLUTION
# STUB: answer = None

# %% tags=["check"]
answer = ex.check("07.2", answer)

# %%
papers = data_folder() / "paper"
presets = pd.read_csv(papers / "presets.csv")
presets = presets[presets.setting == "base-to-novel"].set_index("method")[:"MaPLe"]
print(presets[["n_ctx", "depth", "lr", "epochs", "trainable_parameters"]])

# %% [markdown]
# These are the settings of the authors' configuration files; the last column counts what is learned
# at ViT-B/16. MaPLe comes next. IVLP prompts two towers, and learns fewer than half as many numbers
# as VPT: it has two tokens in a layer where VPT has eight.
#
# ## One loss, two branches
#
# How does one loss teach both towers? Take one picture with feature f, and two classes with text
# features t₁ and t₂. The logits are f·t₁ and f·t₂ (times a scale), softmax makes p₁ and p₂ of them,
# and class 1 is right. Then the derivative of the loss
#
# - by the **image** feature f is (p₁ - 1) t₁ + p₂ t₂: it is made of text features;
# - by the **text** feature t₂ is p₂ f: it is made of the image feature.
#
# Autograd agrees:

# %%
f = torch.tensor([0.6, 0.8], requires_grad=True)  # [D=2]
t = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)  # [C=2, D=2]
loss = F.cross_entropy((t @ f)[None], torch.tensor([0]))
torch.autograd.backward(loss)  # fills .grad, as loss.backward() does
p = (t @ f).softmax(dim=0).detach()  # [C]
print("p:", [round(number, 3) for number in p.tolist()])
print("by f: ", [round(number, 3) for number in f.grad.tolist()])
print("by t2:", [round(number, 3) for number in t.grad[1].tolist()])
print("p2 f: ", [round(number, 3) for number in (p[1] * f).tolist()])

# %% [markdown]
# From there, each gradient goes back through *its own* frozen tower to *its own* prompts.
#
# ### Exercise 07.3: how large is each gradient?
#
# Write a measuring device. For every parameter of `model.learner`, by its name, return the norm of
# the gradient of the cross-entropy of these pictures: the root of the sum of squares, a plain
# number. A frozen parameter has no gradient at all, its `.grad` is `None`: count it as 0.0. And
# remember what `backward()` does to gradients that are already there. Stuck? `ex.hint("07.3")`


# %% tags=["exercise"]
def gradient_norms(model, images, labels):
    """{name: norm of the gradient} of the learner's parameters, for images [B, 3, H, W]."""
    # SOLUTION
    model.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    norms = {}
    for name, weight in model.learner.named_parameters():
        norms[name] = 0.0 if weight.grad is None else weight.grad.norm().item()
    return norms
    # END SOLUTION
    # STUB: raise NotImplementedError("07.3: write me")


# %% tags=["check"]
gradient_norms = ex.check("07.3", gradient_norms)

# %% [markdown]
# Now use it, on the untrained learner. Before you look: which branch gets the larger gradients?
# (We compare the norm over all prompts of a branch; "about the same" is within a factor of 1.5.)

# %% tags=["exercise"]
# SOLUTION
guess = "text"
# END SOLUTION
# STUB: guess = None  # "text", "vision" or "about the same"
ex.predict("07.a", guess, choices=("text", "vision", "about the same"))


# %%
def by_branch(norms):
    """Norms of both branches as tensors, {branch: [J]}."""
    return {
        branch: torch.tensor([norms[f"{branch}.{layer}"] for layer in range(depth)])
        for branch in ("text", "vision")
    }


first = by_branch(gradient_norms(model, images, labels))
for branch, norms in first.items():
    print(f"{branch:<7}", "  ".join(f"{norm:6.2f}" for norm in norms), f"  all: {norms.norm():.2f}")
ratio = (first["text"].norm() / first["vision"].norm()).item()
ex.outcome("07.a", "text" if ratio > 1.5 else "vision" if ratio < 1 / 1.5 else "about the same")

# %% [markdown]
# Look at the step from the first text prompt to the second. Words are long vectors, random prompts
# are short ones (compare the *spread* above), and a layer norm stretches what is short. So a small
# change of a short prompt is a large change of what the layer sees.
#
# Vision prompts are just as short. Why are they pulled less? One guess: a text prompt is two of
# about ten tokens in a sentence, and a vision prompt two beside dozens of patches. We have not
# tested it.
#
# ### Exercise 07.4: what does a gradient depend on?
#
# We freeze the text branch, and then put **other numbers** into its prompts. No vision prompt is
# touched. The same pictures, the same labels: what is the gradient of the vision prompts now?
# "the same numbers", "other numbers" or "zero"? Stuck? `ex.hint("07.4")`

# %% tags=["exercise"]
# SOLUTION
new_gradient = "other numbers"
# END SOLUTION
# STUB: new_gradient = None  # "the same numbers", "other numbers" or "zero"

# %% tags=["check"]
new_gradient = ex.check("07.4", new_gradient)

# %%
shaken = new_learner(seed)  # the experiment, on a copy
shaken_model = PromptedCLIP(clip, shaken, base.class_names)
shaken.text.requires_grad_(False)
before = by_branch(gradient_norms(shaken_model, images, labels))
with torch.no_grad(), seeded(seed):
    for prompt in shaken.text:
        prompt += 0.1 * torch.randn(prompt.shape).to(clip.device)
after = by_branch(gradient_norms(shaken_model, images, labels))
for name, norms in (
    ("vision, before", before["vision"]),
    ("vision, text prompts shaken", after["vision"]),
    ("text (frozen)", after["text"]),
):
    print(f"{name:<28}", "  ".join(f"{norm:5.2f}" for norm in norms))

# %% [markdown]
# The last row is the frozen text branch: it has no gradient, and your function counts that as 0.
# The vision prompts have other gradients than before. So the branches share **no parameter**, but
# they share a **loss**. Each learns against what the other one happens to be at that moment. That
# is all the coordination there is: nothing would make a text prompt and a vision prompt of the same
# layer agree.
#
# ## Train both
#
# This is the training loop of lesson 03, with pictures in place of image features. Every eight
# steps it asks your `gradient_norms` about the few pictures from above, and notes the answer.


# %%
def train(learner, every=None):
    """Losses (a frame for plot_loss) of training on the base classes; notes gradient norms."""
    model, notes, rows = PromptedCLIP(clip, learner, base.class_names), [], []
    epochs, lr, batch_size = (fit_kwargs[key] for key in ("epochs", "lr", "batch_size"))
    optimizer = torch.optim.SGD(learner.parameters(), lr, momentum=0.9, weight_decay=5e-4)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = learning_rate(epoch, epochs, lr)
        order = derived_seed(seed, epoch)
        for some, named in batches(
            train_set, batch_size, len(base.class_names), clip.device, order
        ):
            if every and len(rows) % every == 0:
                notes.append(by_branch(gradient_norms(model, images, labels)))
            loss = F.cross_entropy(model(some), named)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            rows.append({"epoch": epoch, "loss": loss.item()})
    return pd.DataFrame(rows), notes


every = 8
losses, notes = train(learner, every)
print(losses.groupby("epoch").loss.mean().round(2).to_dict())

# %%
figure = plt.figure(figsize=(11, 3.4), layout="constrained")
axes = figure.subplots(1, 3, width_ratios=(1.1, 1, 1))
plot_loss(losses, ax=axes[0])
maps = {branch: torch.stack([note[branch] for note in notes]) for branch in notes[0]}  # [T, J]
span = {"vmin": 0, "vmax": max(norms.max().item() for norms in maps.values()) ** 0.5}
for ax, (branch, norms) in zip(axes[1:], maps.items(), strict=True):
    picture = ax.imshow(norms.T.sqrt(), origin="lower", aspect="auto", cmap="cividis", **span)
    ax.set_yticks(range(depth), [f"layer {layer + 1}" for layer in range(depth)])
    ax.set_xticks(range(0, len(notes), 3), [every * note for note in range(0, len(notes), 3)])
    ax.set(title=f"{branch} prompts", xlabel="training step")
bar = figure.colorbar(picture, ax=axes[1:], label="norm of the gradient")
marks = [mark for mark in (0, 1, 4, 9, 16, 25, 49, 100, 225, 400) if mark**0.5 <= span["vmax"]]
bar.set_ticks([mark**0.5 for mark in marks], labels=marks)
said = "; ".join(
    f"{branch} prompts {', '.join(f'{norm:.1f}' for norm in norms.mean(dim=0))}"
    for branch, norms in maps.items()
)
show(
    figure,
    "Left, the falling loss. Right, two heat maps of gradient norms, a row per layer and a column "
    f"for every {every} steps. Mean norms from layer 1 up: {said}.",
)

# %% [markdown]
# (The colours grow with the root of the norm, so that small ones can still be told apart.) One
# loss, and no layer of either branch is left out. Which layers are pulled hardest? Is it one
# branch that learns, or both?
#
# ## Did it help?
#
# Now the accuracies. First a function that we need more than once: it keeps the probabilities of
# all test pictures, to compare later who said what.


# %%
@torch.no_grad()
def answers(learner):
    """{half: probabilities [N, C]} of all test pictures."""
    found = {}
    for half, pictures in halves.items():
        model = PromptedCLIP(clip, learner, pictures.class_names)
        text_features = model.encode_classes()  # [C, D]
        parts = batches(pictures, 100, len(pictures.class_names), clip.device)
        logits = [model.classify(model.encode_images(some), text_features) for some, _ in parts]
        found[half] = torch.cat(logits).softmax(dim=-1).cpu()
    return found


def percent(found):
    """{half: accuracy in percent} of probabilities {half: [N, C]}, and their harmonic mean."""
    row = {}
    for half, pictures in halves.items():
        right = found[half].argmax(dim=-1) == torch.tensor(pictures.labels)  # [N]
        row[half] = 100 * right.float().mean().item()
    return {**row, "hm": harmonic_mean(row["base"], row["novel"])}


own = percent(answers(learner))
for name, value in own.items():
    ex.expect(name, value)

# %%
methods = ["zeroshot", "coop", "cocoop", "language", "vpt"]
means = compare_methods(methods, "zodiac", STORED)  # of three seeds, stored
table = pd.concat([means, pd.DataFrame([{"method": "ivlp", **own}])], ignore_index=True)
ax = plot_base_to_novel(table, ax=plt.figure(figsize=(11, 3.8)).gca())
rows = "; ".join(f"{TITLES[m]} {b:.0f}, {n:.0f} and {h:.0f}" for m, b, n, h in table.to_numpy())
show(
    ax.figure,
    f"Accuracy in percent on base classes, on novel classes, and their harmonic mean: {rows}.",
)

# %%
runs = read_results("glyphs/base-to-novel")
runs = runs[(runs.dataset == "zodiac") & runs.method.isin(["language", "vpt", "ivlp"])]
spread = runs[runs.split != "hm"].groupby(["split", "method"]).accuracy.agg(["mean", "min", "max"])
print("ours, zodiac, three seeds")
print(spread.round(1), "\n")
average = pd.read_csv(papers / "base_to_novel_average.csv", index_col="method")
print("the paper's, average of eleven datasets")
print(average.loc[["CLIP", "VPT", "DeepLanguage", "IVLP", "MaPLe"], ["base", "novel", "hm"]])

# %% [markdown]
# In the figure, IVLP's bars are one run, yours, and the others stored means. (Zero-shot CLIP reads
# this dataset's own sentence there, about a sign of the zodiac. Below it reads "a photo of a leo.",
# from which the prompts start, and so its numbers differ a little.) In the table of our stored
# runs, watch how far the smallest and the largest novel accuracy lie apart.
#
# In the paper, IVLP is the best of the three that stand between CLIP and MaPLe. Its step is small:
# a third of a point of harmonic mean over deep language prompting. In our stored runs it is
# **not** better than VPT on novel classes, and its three seeds lie further apart than those of the
# others. **How far can you compare?** A tiny CLIP, one drawn dataset, 300 test pictures per half:
# one picture is a third of a point. But a spread as large as this asks for a reason. We have a
# suspect: nothing ties the branches.
#
# ## Who learned it?
#
# Take the trained model apart. Leave the text prompts in, and take the vision prompts out: what is
# left of the gain? And the other way round?
#
# ### Exercise 07.5: one branch alone
#
# `keep` names the towers that keep their prompts: `("text", "vision")`, `("text",)`, `("vision",)`
# or `()`. Return the text prompts and the vision prompts of a learner, without those of the other
# towers. Think about what "without" means: is a tower without prompts a tower with zeros in their
# place? The learner itself must stay as it is. Stuck? `ex.hint("07.5")`


# %% tags=["exercise"]
def branches(learner, keep):
    """The list of text prompts and the list of vision prompts of the towers that `keep` names."""
    # SOLUTION
    text = learner.text_prompts() if "text" in keep else []
    vision = learner.vision_prompts() if "vision" in keep else []
    return text, vision
    # END SOLUTION
    # STUB: raise NotImplementedError("07.5: write me")


# %% tags=["check"]
branches = ex.check("07.5", branches)

# %% [markdown]
# A learner of two parts uses it: text prompts of one learner, vision prompts of another (or of the
# same), and only those that are kept. With none kept it is zero-shot CLIP, "a photo of a leo.".


# %%
class Parts(PromptLearner):
    """The text branch of one learner and the vision branch of another, as far as kept."""

    def __init__(self, text_of, vision_of, keep=("text", "vision")):
        super().__init__(text_of.templates)
        self.text_of, self.vision_of, self.keep = text_of, vision_of, keep

    def text_prompts(self, image_features=None):
        return branches(self.text_of, self.keep)[0]

    def vision_prompts(self):
        return branches(self.vision_of, self.keep)[1]


kept = {"both": ("text", "vision"), "text only": ("text",), "vision only": ("vision",), "none": ()}
said = {("start 1", name): answers(Parts(learner, learner, keep)) for name, keep in kept.items()}
for name in kept:
    print(
        f"{name:<12}", "  ".join(f"{k} {v:.1f}" for k, v in percent(said["start 1", name]).items())
    )
ex.expect("vision branch alone, base", percent(said["start 1", "vision only"])["base"])

# %% [markdown]
# A branch that was trained with a partner, and then loses it, is not what it would have become
# alone. So let us also train each branch **alone**: freeze the other one as it is before training,
# at words or random numbers, and let the loss change the rest.
#
# Say, trained alone, text gains x points on the base classes over zero-shot CLIP, and vision gains
# y. What will both together gain: "more than x + y", "about x + y" (within two points), or "less
# than x + y"?

# %% tags=["exercise"]
# SOLUTION
guess = "about x + y"
# END SOLUTION
# STUB: guess = None  # "more than x + y", "about x + y" or "less than x + y"
ex.predict("07.b", guess, choices=("more than x + y", "about x + y", "less than x + y"))

# %%
alone = {}
for branch, other in (("text", "vision"), ("vision", "text")):
    single = new_learner(seed)
    getattr(single, other).requires_grad_(False)
    train(single)
    said["alone", branch] = answers(single)
    alone[branch] = percent(said["alone", branch])
    print(f"{branch} trained, {other} frozen:", {k: round(v, 1) for k, v in alone[branch].items()})
zero = percent(said["start 1", "none"])["base"]
x, y, both = alone["text"]["base"] - zero, alone["vision"]["base"] - zero, own["base"] - zero
print(f"x = {x:.1f}, y = {y:.1f}, x + y = {x + y:.1f}; together {both:.1f}")
gap = both - x - y
names = ("more than x + y", "less than x + y", "about x + y")
ex.outcome("07.b", names[0] if gap > 2 else names[1] if gap < -2 else names[2])
ex.expect("together, beyond the sum", gap)

# %%
bars = {"zero-shot": percent(said["start 1", "none"])}
bars |= {f"{branch}, trained alone": alone[branch] for branch in alone}
bars |= {f"{branch} only, of both": percent(said["start 1", f"{branch} only"]) for branch in alone}
bars |= {"both": own}
colours = [COLOURS["zeroshot"], LANGUAGE, VISION, LANGUAGE, VISION, COLOURS["ivlp"]]
hatches = ["", "", "", "///", "///", ""]
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3), sharey=True, layout="constrained")
for ax, half in zip(axes, halves, strict=True):
    values = [row[half] for row in bars.values()]
    drawn_bars = ax.barh(list(bars), values, color=colours, hatch=hatches, edgecolor="white")
    ax.bar_label(drawn_bars, fmt="%.1f", padding=3)
    ax.set(xlim=(60, 103), xlabel=f"accuracy, {half} classes (%), from 60")
    ax.invert_yaxis() if half == "base" else None
    ax.spines[["top", "right"]].set_visible(False)
rows = "; ".join(f"{name} {row['base']:.0f} and {row['novel']:.0f}" for name, row in bars.items())
show(figure, f"Accuracy in percent on base and novel classes: {rows}.")

# %% [markdown]
# In our three seeds, both together gain clearly less than the sum, and each branch alone finds most
# of what both find. Do the branches do the same thing **twice**? Careful: accuracy ends at 100, and
# x + y may not even fit below that. So ask more directly. Zero-shot CLIP fails on some base
# pictures. A branch trained alone mends a share of them. If the two did different things, then
# vision would mend those that text mends about as often as any others. (Not quite: some pictures
# are simply easier.)

# %%
truth = torch.tensor(base.labels)
right = {
    name: said[name]["base"].argmax(dim=-1) == truth  # [N]
    for name in (("start 1", "none"), ("alone", "text"), ("alone", "vision"))
}
failed = ~right["start 1", "none"]  # by zero-shot CLIP
text, vision = right["alone", "text"] & failed, right["alone", "vision"] & failed
print(f"zero-shot fails on {failed.sum()}; text mends {text.sum()}, vision {vision.sum()}")
for name, group in (("text mends", text), ("text does not mend", failed & ~text)):
    print(f"of the {group.sum()} that {name}, vision mends {(vision & group).sum()}")

# %% [markdown]
# Compare the two lines. Where most of what text mends is mended by vision, too, a second branch has
# little to add for these pictures: the same work, done twice.
#
# Compare the hatched bars with the plain ones. A branch that had a partner is, without it, another
# branch than the one that learned alone. And compare the novel classes: does a
# second branch help there?
#
# ## Two starts, two solutions
#
# If nothing ties the branches, many pairs of branches should do equally well on the pictures they
# are trained on. Which of them we get may be an accident. So: the same pictures, in the same order,
# with the same settings. Only the **random numbers at the start** are others. By how many points
# will the novel accuracy of the two differ?

# %% tags=["exercise"]
# SOLUTION
guess = "less than 2"
# END SOLUTION
# STUB: guess = None  # "less than 2", "2 to 5" or "more than 5"
ex.predict("07.c", guess, choices=("less than 2", "2 to 5", "more than 5"))

# %%
second = new_learner(seed + 100)
train(second)
said |= {("start 2", name): answers(Parts(second, second, keep)) for name, keep in kept.items()}
starts = {start: percent(said[start, "both"]) for start in ("start 1", "start 2")}
for start, row in starts.items():
    print(start, {key: round(value, 1) for key, value in row.items()})
for half in halves:
    pair = [said[start, "both"][half].argmax(dim=-1) for start in starts]  # [N] each
    agree = 100 * (pair[0] == pair[1]).float().mean().item()
    print(f"the two give the same answer to {agree:.0f}% of the {half} pictures")
gap = abs(starts["start 1"]["novel"] - starts["start 2"]["novel"])
ex.outcome("07.c", "less than 2" if gap < 2 else "2 to 5" if gap <= 5 else "more than 5")
ex.expect("start 2, base", starts["start 2"]["base"])

# %% [markdown]
# Did they at least find the same prompts? The cosine between a prompt of one run and the same one
# of the other is 1 if they point the same way, and near 0 if they have nothing to do with each
# other. And if branches are independent, they can be **exchanged**: text prompts of start 1 with
# vision prompts of start 2.

# %%
cosines = {
    name: F.cosine_similarity(one.flatten(), other.flatten(), dim=0).item()
    for (name, one), other in zip(learner.named_parameters(), second.parameters(), strict=True)
}
mixed = {
    "text 1 + vision 1": starts["start 1"],
    "text 2 + vision 2": starts["start 2"],
    "text 1 + vision 2": percent(answers(Parts(learner, second))),
    "text 2 + vision 1": percent(answers(Parts(second, learner))),
}
print(pd.DataFrame(mixed).T.round(1), "\n")
moved = [
    (now.detach() - then).norm() for now, then in zip(learner.parameters(), begun, strict=True)
]
for name, way in zip(cosines, moved, strict=True):
    print(f"{name:<9} moved by {way.item():.2f}; cosine to the other run's {cosines[name]:+.2f}")

# %%
figure, ax = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
for shift, (branch, colour) in zip(
    (-0.2, 0.2), (("text", LANGUAGE), ("vision", VISION)), strict=True
):
    values = [cosines[f"{branch}.{layer}"] for layer in range(depth)]
    places = [layer + 1 + shift for layer in range(depth)]
    hatch = "" if branch == "text" else "///"
    ax.bar(places, values, 0.36, color=colour, hatch=hatch, edgecolor="white", label=branch)
ax.axhline(0, color="#333333", linewidth=0.8)
ax.set(xlabel="layer", ylabel="cosine of two starts", ylim=(-1, 1.05))
ax.legend(frameon=False, ncols=2, loc="lower left")
ax.spines[["top", "right"]].set_visible(False)
deeper = [value for name, value in cosines.items() if name != "text.0"]
show(
    figure,
    "Cosines between the prompts of two starts, by layer. The first text prompt, which starts as "
    f"words in both: {cosines['text.0']:.2f}. The others lie between {min(deeper):.2f} and "
    f"{max(deeper):.2f}.",
)

# %% [markdown]
# The first text prompt hardly moved from its words, and so it is nearly the same in both runs. The
# others agree far less: two solutions that do about as well on base classes, and are made of
# different numbers. On novel classes, about which training says nothing, they need not agree: in
# all of our three seeds they lay several points apart. And the exchange? If a pair of strangers
# does worse than both couples, the branches had adapted to each other after all, as 07.4 says that
# they can. If not, each did its own part.
#
# This is the opening for MaPLe. If two branches can do one thing, why learn them apart?
# Let one be a **function** of the other: then what moves the vision prompts must move the text
# prompts, too.
#
# ## Look for yourself
#
# Choose a run, what is kept of it, and a picture. The six pictures of each half are those about
# which the branches disagree most. Can you find one that a branch alone knows better than both?

# %%
album = {}
for half in halves:
    text_says, vision_says = (said["start 1", f"{b} only"][half] for b in ("text", "vision"))
    album[half] = (text_says - vision_says).abs().sum(dim=-1).topk(6).indices.tolist()


def ask(keep, run, classes, picture):
    """A picture, and what both branches and the kept part of a run say of it."""
    pictures, index = halves[classes], album[classes][picture - 1]
    truth = pictures.class_names[pictures.labels[index]]
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.5), layout="constrained")
    plot_picture(pictures, index, ax=axes[0])
    words = []
    for part, ax in zip(("none", keep), axes[1:], strict=True):
        row = said[run, part][classes][index].tolist()
        guess = dict(zip(pictures.class_names, row, strict=True))
        title = "no prompts" if part == "none" else f"prompts: {part}"
        plot_probabilities(guess, truth=truth, top=4, ax=ax).set_title(title, fontsize="medium")
        words.append(f"{max(guess, key=guess.get)} with {100 * max(row):.0f}% ({title})")
    return figure, f"A picture of {truth}. The likeliest names: {', '.join(words)}."


# %%
explore(
    ask,
    keep=["both", "text only", "vision only"],
    run=["start 1", "start 2"],
    classes=["novel", "base"],
    picture=(1, 6),
)

# %%
ex.progress()

# %% [markdown]
# ## Recap
#
# - IVLP has deep prompts in both towers, with parameters of their own: for ViT-B/16
#   2 · 12 · 512 + 2 · 12 · 768 = 30,720 numbers.
# - One loss reaches both. The branches share no number; each one's gradient depends on the other's
#   features, because they meet in the logits.
# - A tower without prompts is an **empty list**, and not zeros.
# - Here, each branch alone finds most of the gain; together they gain less than the sum.
# - Two starts end in different prompts: about as good on base classes, and apart on novel ones.
#
# ## Going further
#
# - Shake the prompts of one branch of the trained learner by more and more noise. Which branch is
#   the more fragile? (`prompt += size * torch.randn_like(prompt)` under `torch.no_grad()`.)
# - Train in turns: an epoch with text frozen, an epoch with vision frozen. Is it the same solution?
# - Use a learning rate of its own for each branch: two groups of parameters in `torch.optim.SGD`.
# - Change `"zodiac"` to `"mathematics"` or `"cards"`. Do together and sum
#   compare there as they do here?
# - Average two starts' *probabilities*. Is the pair better on novel classes than each of them? Why?
# - Papers: MaPLe (arXiv 2210.03117), with IVLP in table 1; VPT (2203.12119); PromptSRC (2307.06948)
#   takes independent prompts again, and ties them to the frozen CLIP instead of to each other.
