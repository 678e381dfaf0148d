# %% [markdown]
# # 00 · Start here
#
# **You will train MaPLe, a method for adapting CLIP, on this computer, in less than a minute.**
# Then you will see what you will build yourself, line by line, in the next twelve lessons.
#
# | | |
# |---|---|
# | Time | 15 minutes |
# | You need | some Python and PyTorch: tensors, modules, a training loop |
# | You do not need | a GPU, a network, or any knowledge of CLIP |
#
# **You will be able to**
#
# - say what CLIP does, and what a *prompt* is;
# - train MaPLe with five lines of code;
# - read the three numbers by which this course judges every method: base accuracy, novel accuracy
#   and their harmonic mean.
#
# There is no exercise in this lesson. Run the cells from top to bottom (Shift + Enter) and read.

# %% [markdown]
# ## Set-up
#
# One cell prepares everything. It loads a CLIP and says on what you are running.

# %%
import os

import matplotlib.pyplot as plt
import torch

import maple_lite
from maple_lite import PromptedCLIP, PromptLearner, accuracy, base_and_novel, fit, harmonic_mean
from maple_lite import load_clip, open_dataset, preset, seeded
from maple_lite.datasets import DRAWN
from maple_lite.experiments.published import compare_methods, read_paper, read_results
from maple_lite.course.gallery import plot_galleries
from maple_lite.course.plots import TITLES, plot_base_to_novel, plot_loss, plot_predictions
from maple_lite.course.plots import plot_picture, plot_probabilities, plot_prompts
from maple_lite.support.seeds import derived_seed
from maple_lite.course import explore, show

mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16, and wants a GPU
seed = 1
clip = load_clip() if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
size = clip.preprocess.size  # pixels

print(f"maple_lite {maple_lite.__version__}, torch {torch.__version__}, device {clip.device}")
print(f"mode {mode}, seed {seed}")
print(f"a CLIP of {clip.text_layers} text layers and {clip.vision_layers} vision layers, {size} px")

# %% [markdown]
# ## The pictures
#
# CLIP was trained on 400 million photographs with captions. That does not fit on a laptop. So this
# course has a small world of its own:
#
# - **The pictures** are emoji. A program puts each one in a random place, at a random size, before
#   a random background. There are eleven datasets, and each has a look of its own: the animals are
#   blurry, the food is dark, the plants are faded.
# - **The tiny CLIP** is a real CLIP, with the same parts as OpenAI's. We trained it on such
#   pictures, with captions like "a blurry photo of a fox on a green background." It has seen all of
#   these looks, but in a weaker form, and some of them rarely.
#
# What you learn here about the *methods* also holds for the real CLIP. The *numbers* do not. So
# whenever we compare methods, we say which numbers are ours and which are the papers'.

# %%
figure = plot_galleries({name: open_dataset(name, clip=clip) for name in DRAWN}, columns=5)
looks = ", ".join(f"{name} {open_dataset(name).look.name}" for name in DRAWN)
show(figure, f"Five pictures of each of the eleven datasets, each in a look of its own: {looks}.")

# %% [markdown]
# The emoji in colour are from [OpenMoji](https://openmoji.org) (CC BY-SA 4.0).
#
# ## What CLIP does
#
# CLIP has two towers. One turns a picture into a list of numbers, its *image features*. The other
# turns a sentence into a list of the same length, its *text features*. CLIP was trained so that a
# picture and its caption get similar features.
#
# This makes CLIP a classifier for **any** list of names, without further training. Write a sentence
# for each name, such as "a photo of a tulip." Then take the name whose sentence is most similar to
# the picture. This is called *zero-shot* classification.
#
# Let us try it on plants. Here are three pictures. Below each picture are the four names that CLIP
# finds most likely.

# %%
plants = open_dataset("plants", clip=clip)
zero_shot = PromptLearner(plants.template)  # the learner that learns nothing
print("The sentence:", plants.template)


def probabilities(learner, pictures, indices):
    """What a learner makes of some pictures: for each, {class name: probability}."""
    model = PromptedCLIP(clip, learner, pictures.class_names)
    images = pictures.batch(indices)[0].to(clip.device)  # [B, 3, H, W]
    with torch.no_grad():
        rows = model(images).softmax(dim=-1)  # [B, C]
    return [dict(zip(pictures.class_names, row.tolist(), strict=True)) for row in rows]


chosen = [677, 116, 1153]  # one that the tiny CLIP names rightly, and two that it does not
guesses = probabilities(zero_shot, plants, chosen)
truths = ", ".join(plants.class_names[plants.labels[i]] for i in chosen)
likeliest = ", ".join(max(guess, key=guess.get) for guess in guesses)
figure = plot_predictions(plants, chosen, guesses)
show(figure, f"Three pictures, of {truths}, over zero-shot CLIP's likeliest names: {likeliest}.")

# %% [markdown]
# The blue bar with a tick is the right name. These pictures are more faded than those that the tiny
# CLIP saw in its training, and that makes them hard for it. How hard? Three pictures cannot tell
# us, and we chose these three to show both cases. Below we count over hundreds of pictures. Then we
# ask a second question: can a method learn from a few examples to cope with this look?
#
# ## The rules: base and novel
#
# We give the method sixteen pictures of each class, but only of **half** the classes. It learns
# from these. Then we measure two things:
#
# - **base**: how well does it name new pictures of the classes that it learned from?
# - **novel**: how well does it name pictures of the other half, of which it has seen none?
#
# In each half, only the names of that half can be chosen. The second question is the harder one. A
# method that learns the base classes by heart may become worse at all other names. The **harmonic
# mean** of both accuracies (HM) is high only if both are high.

# %%
base_ids, novel_ids = base_and_novel(len(plants.class_names))
base, novel = plants.subset(base_ids), plants.subset(novel_ids)
train_set = base.train(shots=16, seed=seed)
print("base classes: ", ", ".join(base.class_names))
print("novel classes:", ", ".join(novel.class_names))
print(f"{len(train_set)} pictures to train on, {len(base)} + {len(novel)} to test on")


def scores(method, learner):
    """Base, novel and harmonic mean of a learner, in percent."""
    first = accuracy(PromptedCLIP(clip, learner, base.class_names), base)
    second = accuracy(PromptedCLIP(clip, learner, novel.class_names), novel)
    return {"method": method, "base": first, "novel": second, "hm": harmonic_mean(first, second)}


zero = scores("zeroshot", zero_shot)
print("zero-shot: base {base:.1f}%, novel {novel:.1f}%, HM {hm:.1f}%".format(**zero))

# %% [markdown]
# ## Train MaPLe
#
# A **prompt** is a small number of extra tokens beside the words of the sentence, or beside the
# patches of the picture. These tokens are not words. They are lists of numbers, and training
# changes them. CLIP itself does not change: it stays *frozen*.
#
# MaPLe puts prompts into both towers. It computes the prompts of the image tower from the prompts
# of the text tower. We take the paper's settings (`preset`): 2 prompt tokens, 5 epochs, batches of
# 4 pictures.


# %%
learner_kwargs, fit_kwargs = preset("maple", clip=clip)  # the paper's settings
with seeded(derived_seed(seed)):  # the same start as in this course's tables
    maple = maple_lite.METHODS["maple"](clip, **learner_kwargs)
model = PromptedCLIP(clip, maple, base.class_names)
history = fit(model, train_set, **fit_kwargs, seed=seed)
print(model)
print(f"trained in {history.seconds:.0f} seconds")

# %%
losses = history.frame()
by_epoch = losses.loss.groupby(losses.epoch).mean()
ax = plot_loss(losses, ax=plt.figure(figsize=(7, 3)).gca())
show(
    ax.figure,
    f"The loss over {len(losses)} steps: its mean is {by_epoch.iloc[0]:.2f} in the first epoch and "
    f"{by_epoch.iloc[-1]:.2f} in the last.",
)

# %% [markdown]
# In the first epoch the learning rate is very small, as in the authors' code. So the loss stays
# near its value without training. The loss jumps from batch to batch, because a batch has only four
# pictures.
#
# ## Did it help?
#
# Ask the trained MaPLe about the test pictures, of base and of novel classes.

# %%
own = scores("maple", maple)
print("zero-shot: base {base:.1f}%, novel {novel:.1f}%, HM {hm:.1f}%".format(**zero))
print("MaPLe:     base {base:.1f}%, novel {novel:.1f}%, HM {hm:.1f}%".format(**own))

# %% [markdown]
# The novel classes are the interesting ones. MaPLe has seen none of their pictures, and it was
# never given their names. Here are novel pictures that MaPLe names rightly and zero-shot CLIP does
# not. We did not pick them by hand. The rule is in the code: of all such pictures we take those for
# which the probability of the right name rose most, at most one of each class. For fairness, the
# same rule also shows pictures that zero-shot CLIP names rightly and MaPLe does *not*.


# %%
def chances(learner):
    """Probabilities [N, C] of all novel pictures."""
    model = PromptedCLIP(clip, learner, novel.class_names)
    with torch.no_grad():
        batches = torch.arange(len(novel)).split(65)
        parts = [model(novel.batch(part)[0].to(clip.device)) for part in batches]
    return torch.cat(parts).softmax(dim=-1).cpu()


def most_changed(first, then, count):
    """The pictures that `first` names wrongly and `then` rightly, most changed first."""
    labels = torch.tensor(novel.labels)
    rise = (then - first).gather(1, labels[:, None])[:, 0]  # [N], of the right name
    rise[(first.argmax(dim=-1) == labels) | (then.argmax(dim=-1) != labels)] = 0
    chosen = {}
    for i in rise.argsort(descending=True).tolist():
        if rise[i] > 0:
            chosen.setdefault(novel.labels[i], i)  # at most one of each class
    return list(chosen.values())[:count]


# %%
before, after = chances(zero_shot), chances(maple)
won, lost = most_changed(before, after, 3), most_changed(after, before, 2)
for learner, rows in (("zero-shot CLIP", before), ("MaPLe", after)):
    guesses = [dict(zip(novel.class_names, rows[i].tolist(), strict=True)) for i in (*won, *lost)]
    figure = plot_predictions(novel, (*won, *lost), guesses)
    said = [f"{max(guess, key=guess.get)}" for guess in guesses]
    truths = [novel.class_names[novel.labels[i]] for i in (*won, *lost)]
    pairs = ", ".join(f"{truth}: {name}" for truth, name in zip(truths, said, strict=True))
    show(figure, f"Five novel pictures with the likeliest names of {learner}. {pairs}.", learner)

# %% [markdown]
# The first three pictures are those that MaPLe gained. The last two are those that it lost. Above
# are the names of zero-shot CLIP, and below are those of MaPLe.
#
# But do not trust a single run. Another seed gives other training pictures and another start, and
# the numbers change by some points. So we compare methods only by means over several seeds. These
# are stored with the course. **CoOp** is the first method of this family. It learns four tokens
# before the class name, in the first layer of the text tower.

# %%
stored = compare_methods(["zeroshot", "coop", "maple"], "plants")
runs = read_results("base-to-novel").query("dataset == 'plants' and split == 'hm'")
spread = runs[runs.method.isin(stored.method)].groupby("method").accuracy.agg(["count", "std"])
print(stored.replace({"method": TITLES}).round(1).to_string(index=False))
print("\nHM over seeds: how many, and their standard deviation")
print(spread.rename(index=TITLES).round(1).to_string())

# %%
ax = plot_base_to_novel(stored, ax=plt.figure(figsize=(8, 3.6)).gca())
rows = [f"{TITLES[m]} {b:.0f}, {n:.0f} and {h:.0f}" for m, b, n, h in stored.to_numpy()]
show(
    ax.figure,
    f"Base accuracy, novel accuracy and harmonic mean in percent, means over seeds: "
    f"{'; '.join(rows)}.",
    "Both methods gain on base classes. The novel classes show whether a method learned to see "
    "these pictures, or only learned the base names by heart.",
)

# %% [markdown]
# This is one small dataset. Below are the papers' numbers: averages over eleven real datasets and
# three seeds, with OpenAI's ViT-B/16. Compare which method gains where, and not the size of the
# numbers.

# %%
average = read_paper("base-to-novel-average").set_index("method")
print(average.loc[["zeroshot", "coop", "maple"], ["base", "novel", "hm"]], "\n")
every = read_paper("base-to-novel").pivot(index="dataset", columns="method", values="novel")
for method in ("coop", "maple"):
    better = (every[method] > every.zeroshot).sum()
    print(f"{TITLES[method]} beats CLIP on the novel classes of {better} of {len(every)} datasets.")

# %% [markdown]
# In the papers, CoOp gains on the base classes and loses on the novel ones. MaPLe gains on both, on
# average. On a single dataset MaPLe can lose, too. Lesson 10 compares all methods on all of our
# datasets.
#
# ## Look for yourself
#
# Move the slider to see how zero-shot CLIP and MaPLe name other pictures, of base and of novel
# classes. (The controls need a running notebook. On a web page you see one picture.)

# %%
learners = {"zero-shot CLIP": zero_shot, "MaPLe": maple}
halves = {"novel classes": novel, "base classes": base}
numbers = range(1, len(base), 26)  # of the pictures to choose from
answers = {
    (method, classes): probabilities(learner, pictures, numbers)
    for method, learner in learners.items()
    for classes, pictures in halves.items()
}


def compare(classes, picture):
    """One picture beside both methods' likeliest names, and a sentence that says so."""
    pictures, number = halves[classes], numbers[picture - 1]
    truth = pictures.class_names[pictures.labels[number]]
    figure, axes = plt.subplots(1, 3, figsize=(8, 2.3), layout="constrained")
    plot_picture(pictures, number, ax=axes[0])
    said = []
    for method, ax in zip(learners, axes[1:], strict=True):
        guess = answers[method, classes][picture - 1]
        plot_probabilities(guess, truth=truth, top=4, ax=ax).set_title(method)
        said.append(f"{method} says {max(guess, key=guess.get)}")
    return figure, f"A picture of {truth}: {', '.join(said)}."


explore(compare, classes=list(halves), picture=(1, len(numbers)))

# %% [markdown]
# ## What you will build
#
# This is MaPLe as you just trained it. Every row is a layer. Read it from bottom to top. Every box
# is a token. Grey tokens are CLIP's own, and they are frozen. Blue tokens are the prompts of the
# **language** branch, and green tokens are those of the **vision** branch. The orange-red arrows
# are the **coupling**, which computes the green tokens from the blue ones. The whole course uses
# these colours. (The blue tokens of the first layer started as the words "a photo". The words "of
# a" stay words.)

# %%
layers, depth = (clip.text_layers, clip.vision_layers), len(maple.text)
ax = plt.figure(figsize=(10.5, 5.2)).gca()
plot_prompts(layers, (depth, depth), n_ctx=2, words=("of", "a"), coupled=True, ax=ax)
show(
    ax.figure,
    f"Both towers of CLIP, layer by layer. New prompts, two tokens each, enter the first {depth} "
    "layers of both. In each of these layers an arrow leads from the text prompts to the vision "
    "prompts. All other tokens are frozen.",
)

# %% [markdown]
# You will build it in small steps. Each lesson adds one idea to the lesson before.
#
# | | lesson | the idea that it adds |
# |---|---|---|
# | 00 | start here | the tour: you are here |
# | 01 | zero-shot CLIP | images and sentences in one space |
# | 02 | the few-shot protocol | templates, a linear probe, shots, base and novel, harmonic mean |
# | 03 | CoOp | learn the words |
# | 04 | CoCoOp | words that look at the image |
# | 05 | deep language prompting | prompts in every text layer |
# | 06 | deep vision prompting | prompts in every vision layer |
# | 07 | independent vision-language prompting | both, unconnected |
# | 08 | MaPLe | coupling: vision prompts are functions of text prompts |
# | 09 | ablations | depth, length, initialisation, coupling, shots, compute |
# | 10 | generalisation | all datasets, transfer to others, shifted pictures, beside the papers |
# | 11 | looking inside | what prompts mean, and what the towers look at |
# | 12 | the real CLIP | ViT-B/16, real datasets, your own pictures |
#
# ## Recap
#
# - CLIP compares a picture with sentences. A list of names makes it a classifier, without
#   training.
# - A prompt learner adds a few learned tokens and does not change CLIP.
# - Base accuracy says how much a method learned. Novel accuracy says how much it kept. HM is high
#   only if both are.
# - CoOp learns tokens in front of the class name. MaPLe learns prompts in many layers of both
#   towers, and couples them.
#
# ## Going further
#
# - Change `"plants"` to another of the eleven names and run the notebook again. Do the three
#   methods come out in the same order?
# - Change `seed`. By how many points do the numbers change? Differences of that size between two
#   methods mean nothing.
# - The papers: CLIP (arXiv 2103.00020), CoOp (2109.01134), MaPLe (2210.03117).
