# %% [markdown]
# # 00 · Start here
#
# **You will train MaPLe, a method for adapting CLIP, on this computer, in about ten seconds.**
# Then you will see what you are going to build yourself, line by line, in the twelve lessons that
# follow.
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
# - read the three numbers by which this course judges every method: base, novel and harmonic mean.
#
# There is nothing to solve here. Run the cells from top to bottom (Shift + Enter) and read.

# %% [markdown]
# ## Set-up
#
# One cell prepares everything. It loads a CLIP and says on what you are running.

# %%
import os

import matplotlib.pyplot as plt
import pandas as pd
import torch

import maple_lite
from maple_lite import PromptedCLIP, PromptLearner, accuracy, base_and_novel, fit, harmonic_mean
from maple_lite import load_clip, open_dataset, preset, seeded
from maple_lite.datasets import DRAWN
from maple_lite.support.files import data_folder
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
# course has a world of its own, and it is small on purpose:
#
# - **the pictures** are symbols, drawn by a program in random colours, places and sizes. There are
#   eleven datasets, and each is drawn in a style of its own;
# - **the tiny CLIP** is a real CLIP, with the same parts as OpenAI's, trained by us on such
#   drawings with captions like "a photo of a red snowman on a blue background." It has never seen
#   the styles below.
#
# What you learn here about the *methods* carries over to the real thing. The *numbers* do not:
# whenever we compare methods, we say which numbers are ours and which are the papers'.

# %%
figure = plot_galleries({name: open_dataset(name, clip=clip) for name in DRAWN}, columns=6)
styles = ", ".join(f"{name} {open_dataset(name).style.kind}" for name in DRAWN)
show(figure, f"Six pictures of each of the eleven datasets, in a style of its own: {styles}.")

# %% [markdown]
# ## What CLIP does
#
# CLIP has two towers. One turns a picture into a list of numbers, its *image features*. The other
# turns a sentence into a list of as many numbers, its *text features*. It was trained so that a
# picture and its caption get similar features.
#
# That makes CLIP a classifier for **any** list of names, without training. Write a sentence for
# each name, such as "a photo of a snowman.", and take the name whose sentence is most similar to
# the picture. This is called *zero-shot* classification.
#
# Let us try it on signs of the zodiac. Here are three pictures, each over the four names that CLIP
# finds most likely.

# %%
zodiac = open_dataset("zodiac", clip=clip)
zero_shot = PromptLearner(zodiac.template)  # the learner that learns nothing
print("The sentence:", zodiac.template)


def probabilities(learner, pictures, indices):
    """What a learner makes of some pictures: for each, {class name: probability}."""
    model = PromptedCLIP(clip, learner, pictures.class_names)
    images = pictures.batch(indices)[0].to(clip.device)  # [B, 3, H, W]
    with torch.no_grad():
        rows = model(images).softmax(dim=-1)  # [B, C]
    return [dict(zip(pictures.class_names, row.tolist(), strict=True)) for row in rows]


chosen = [3, 216, 427]  # one that the tiny CLIP names rightly, and two that it does not
guesses = probabilities(zero_shot, zodiac, chosen)
truths = ", ".join(zodiac.class_names[zodiac.labels[i]] for i in chosen)
likeliest = ", ".join(max(guess, key=guess.get) for guess in guesses)
figure = plot_predictions(zodiac, chosen, guesses)
show(figure, f"Three pictures, of {truths}, over zero-shot CLIP's likeliest names: {likeliest}.")

# %% [markdown]
# The blue bar with a tick is the right name. The dots in the background are new to this CLIP, and
# they disturb it. How much? Three pictures prove nothing, and we chose these to show both cases, so
# below we count over hundreds. And then: could it learn to look past the dots, from a few examples?
#
# ## The rules: base and novel
#
# Give CLIP sixteen pictures of each of **half** the classes, and let a method learn from them.
# Then ask two things:
#
# - **base**: how well does it now know those classes, on new pictures?
# - **novel**: and how well the other half, of which it saw nothing?
#
# Each half is asked with its own names alone. The second question is the hard one: a method that
# learns the base classes by heart can forget how to read other names. The **harmonic mean** of both
# accuracies (HM) is high only if both are high.

# %%
base_ids, novel_ids = base_and_novel(len(zodiac.class_names))
base, novel = zodiac.subset(base_ids), zodiac.subset(novel_ids)
train_set = base.train(shots=16, seed=seed)
print("base classes: ", ", ".join(base.class_names))
print("novel classes:", ", ".join(novel.class_names))
print(f"{len(train_set)} pictures to train on, {len(base)} + {len(novel)} to test on")


def scores(method, learner):
    """Base, novel and harmonic mean of a learner, in percent."""
    first = accuracy(PromptedCLIP(clip, learner, base.class_names), base)
    second = accuracy(PromptedCLIP(clip, learner, novel.class_names), novel)
    return {"method": method, "base": first, "novel": second, "hm": harmonic_mean(first, second)}


table = [scores("zeroshot", zero_shot)]
print("zero-shot: base {base:.1f}%, novel {novel:.1f}%, HM {hm:.1f}%".format(**table[0]))

# %% [markdown]
# ## Train MaPLe
#
# A **prompt** is a handful of extra tokens that stand beside the words of the sentence, or beside
# the patches of the picture. They are not words: they are lists of numbers, and they are learned.
# CLIP itself stays frozen.
#
# MaPLe puts prompts into both towers, and makes those of the image tower from those of the text
# tower. Its settings are those of the paper (`preset`): 2 prompt tokens, 5 epochs, batches of 4
# pictures.


# %%
def train(method):
    """A learner trained on the base classes with the paper's settings, and its history."""
    learner_kwargs, fit_kwargs = preset(method, clip=clip)
    with seeded(derived_seed(seed)):  # the same start as in this course's tables
        learner = maple_lite.METHODS[method](clip, **learner_kwargs)
    model = PromptedCLIP(clip, learner, base.class_names)
    print(model)
    history = fit(model, train_set, **fit_kwargs, seed=seed, cache_features=method == "coop")
    return learner, history


maple, history = train("maple")
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
# In the first epoch the learning rate is tiny, as in the authors' code: its mean is close to the
# loss without any training. Single batches jump, because four pictures are few.
#
# ## Did it help?
#
# Beside MaPLe we train **CoOp**, the first method of this family. It learns four tokens in front
# of the class name, in the first layer of the text tower alone. It takes more epochs, but each is
# cheap.

# %%
coop, _ = train("coop")
table += [scores("coop", coop), scores("maple", maple)]
accuracies = pd.DataFrame(table)
print(accuracies.replace({"method": TITLES}).round(1).to_string(index=False))

# %%
ax = plot_base_to_novel(accuracies, ax=plt.figure(figsize=(8, 3.6)).gca())
rows = "; ".join(
    f"{TITLES[row['method']]} {row['base']:.0f}, {row['novel']:.0f} and {row['hm']:.0f}"
    for row in table
)
show(
    ax.figure,
    f"Accuracy in percent on base classes, on novel classes, and their harmonic mean: {rows}.",
)

# %% [markdown]
# Look at the novel classes first: there a method shows whether it learned to *see these pictures*
# or only learned *these names by heart*. And do not trust a single run: this is one small dataset
# and one seed. Here are the papers' numbers, on eleven real datasets, with OpenAI's ViT-B/16 and
# three seeds. Compare the pattern, not the height.

# %%
papers = data_folder() / "paper"
average = pd.read_csv(papers / "base_to_novel_average.csv", index_col="method")
print(average.loc[["CLIP", "CoOp", "MaPLe"], ["base", "novel", "hm"]], "\n")

every = pd.read_csv(papers / "base_to_novel.csv")
novel_of = every.pivot(index="dataset", columns="method", values="novel")
for method in ("CoOp", "MaPLe"):
    better = (novel_of[method] > novel_of["CLIP"]).sum()
    print(f"{method} beats CLIP on the novel classes of {better} of {len(novel_of)} datasets.")

# %% [markdown]
# So in the papers CoOp pays for its base accuracy with the novel classes. MaPLe does not, on
# average; on single datasets it can lose, too. Lesson 10 runs all methods on all of our datasets,
# with several seeds.
#
# ## Look for yourself
#
# Move the slider to see what the three make of other pictures, of base and of novel classes. Where
# do they disagree? (The controls need a running notebook; on a web page you see one picture only.)

# %%
learners = {"zero-shot CLIP": zero_shot, "CoOp": coop, "MaPLe": maple}
halves = {"novel classes": novel, "base classes": base}
numbers = range(1, len(base), 26)  # of the pictures to choose from
answers = {
    (method, classes): probabilities(learner, pictures, numbers)
    for method, learner in learners.items()
    for classes, pictures in halves.items()
}


def compare(classes, picture):
    """One picture beside the three methods' likeliest names, and a sentence that says so."""
    pictures, number = halves[classes], numbers[picture - 1]
    truth = pictures.class_names[pictures.labels[number]]
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.3), layout="constrained")
    plot_picture(pictures, number, ax=axes[0])
    said = []
    for method, ax in zip(learners, axes[1:], strict=True):
        guess = answers[method, classes][picture - 1]
        plot_probabilities(guess, truth=truth, top=4, ax=ax).set_title(method)
        said.append(f"{method} says {max(guess, key=guess.get)}")
    return figure, f"A picture of {truth}: {', '.join(said)}."


# %%
explore(compare, classes=list(halves), picture=(1, len(numbers)))

# %% [markdown]
# ## What you will build
#
# This is MaPLe as you just trained it. Every row is a layer, read from bottom to top; every box is
# a token. Grey is CLIP, frozen. Blue are the prompts of the **language** branch, green those of the
# **vision** branch, and the orange-red arrows are the **coupling** that makes green from blue. The
# course keeps these colours. (The blue tokens started as the words "a photo"; "of a" stayed.)

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
# You get there in small steps. Each lesson changes one thing in the code of the lesson before.
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
# - A prompt learner adds a few learned tokens and leaves CLIP as it is.
# - Base accuracy says what a method learned, novel accuracy what it kept, and HM asks for both.
# - CoOp learns words; MaPLe learns prompts in many layers of both towers, and couples them.
#
# ## Going further
#
# - Change `"zodiac"` to another of the eleven names and run the notebook again. Is the order of
#   the three the same?
# - Change `seed`. By how many points do the numbers move? That is how much of a difference you
#   should ignore.
# - The papers: CLIP (arXiv 2103.00020), CoOp (2109.01134), MaPLe (2210.03117).
