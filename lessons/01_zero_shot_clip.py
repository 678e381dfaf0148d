# %% [markdown]
# # 01 · Zero-shot CLIP: pictures and sentences in one space
#
# **You will turn a list of words into a picture classifier. You will write it yourself, in a few
# short functions, and you will not train anything.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes |
# | You need | lesson 00; tensors, matrix products, softmax |
# | You do not need | a GPU, a network, or any knowledge of CLIP |
#
# **You will be able to**
#
# - compare pictures and sentences by the angle between their features;
# - say what the logit scale does to probabilities, to the loss and to the answer;
# - write a classifier for any list of names, and say where it fails and why;
# - write the loss that CLIP was trained with.
#
# Run the cells from top to bottom (Shift + Enter). An **exercise** is a function or a number that
# you write. The cell after it checks your answer. If you are stuck, run `ex.hint("01.1")` in a new
# cell, up to three times. Each hint says more than the one before. A **prediction** is a guess that
# you make before you run a cell. A wrong guess often teaches more than a right one. If you skip an
# exercise, the notebook goes on with our solution.
#
# ## Set-up

# %%
import math
import os

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F

from maple_lite import PromptedCLIP, PromptLearner, accuracy, base_and_novel, harmonic_mean
from maple_lite import load_clip, open_dataset, tokenize
from maple_lite.course import explore, session, show
from maple_lite.course.plots import LANGUAGE, VISION, plot_angles, plot_bars, plot_base_to_novel
from maple_lite.course.plots import plot_lines, plot_pairs, plot_picture, plot_pictures
from maple_lite.course.plots import plot_probabilities, plot_prompts, plot_similarities, plot_two
from maple_lite.datasets import DRAWN
from maple_lite.experiments.published import read_paper
from maple_lite.pretraining.captions import caption_words, draw_captioned, frequencies

ex = session("01_zero_shot_clip")
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16, and wants a GPU
clip = load_clip() if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
torch.set_grad_enabled(False)  # nothing is trained in this lesson
print(f"mode {mode}, seed {ex.seed}, device {clip.device}, D = {clip.embed_dim} numbers a feature")

# %% [markdown]
# ## Two towers
#
# CLIP is two networks side by side. The **image tower** cuts a picture into patches. The **text
# tower** cuts a sentence into tokens, which are words or pieces of words. Both towers are
# transformers. Each tower gives out one list of D numbers: the *image features* and the *text
# features*. The towers do not look at each other. Only their features are compared, at the end.
#
# In this course, comments give the shapes of tensors. B is the number of pictures in a batch, C the
# number of classes or sentences, L the number of tokens, and D the number of features.

# %%
ax = plt.figure(figsize=(9, 4.6)).gca()
words = ("a", "photo", "of", "a")
plot_prompts((clip.text_layers, clip.vision_layers), (0, 0), words=words, ax=ax)
show(
    ax.figure,
    f"CLIP's image tower with {clip.vision_layers} layers and its text tower with "
    f"{clip.text_layers}. Every token is grey, because all of CLIP is frozen.",
)

# %% [markdown]
# Read the figure from bottom to top. Every row is a layer, and every box is a token. Three of the
# tokens are special:
#
# - SOS marks the start of the sentence, and EOT marks its end. The text features are made from EOT
#   in the last layer.
# - CLS does the same for the picture. It belongs to no patch. The image features are made from it.
#
# From lesson 03 on, prompts move into this figure. In this lesson it stays as it is.
#
# Let us put something into both towers: eight pictures, and one sentence for each. The pictures are
# *clean*. They have no blur, no stripes and no noise.

# %% tags=["nbval-check-output"]
chosen = {"fox": "animals", "penguin": "animals", "violin": "objects", "guitar": "objects"}
chosen |= {"pizza": "food", "bicycle": "vehicles", "red apple": "fruits", "green apple": "fruits"}
sets = [open_dataset(d, clip=clip, look="clean").subset([n]) for n, d in chosen.items()]
images = torch.stack([one[i][0] for i, one in enumerate(sets)]).to(clip.device)  # [B, 3, H, W]
sentences = [f"a photo of a {name}." for name in chosen]
tokens = tokenize(sentences).to(clip.device)  # [C, L]

image_features = clip.encode_image(images)  # [B, D]
text_features = clip.encode_text(tokens)  # [C, D]
print("pictures", list(images.shape), "-> image features", list(image_features.shape))
print("sentences", list(tokens.shape), "-> text features", list(text_features.shape))
print("tokens of the first sentence:", tokens[0].tolist())
print("its first features:", [round(x, 2) for x in text_features[0, :6].tolist()], "...")

# %% [markdown]
# Each token is a number that stands for a word. The first number is SOS. The largest number is EOT.
# The zeros at the end only make all sentences equally long.
#
# ## Similarity is an angle
#
# The single numbers of a feature mean nothing to us. What counts is how two lists of numbers
# *compare*. Think of each list as an arrow. CLIP looks at the angle between two arrows, and takes
# its cosine. The cosine is 1 if both arrows point in the same direction. It is 0 at a right angle,
# and -1 for opposite directions.
#
# Here are three arrows in two dimensions. (CLIP's arrows have many more dimensions.)

# %%
arrows = {  # length, angle in degrees, colour
    "picture of a fox": (1.7, 30, VISION),
    "“a fox”": (0.6, 62, LANGUAGE),
    "“a pizza”": (1.4, 125, LANGUAGE),
}
ax = plot_angles(arrows, ax=plt.figure(figsize=(6, 3.9)).gca())
near, far = (math.cos(math.radians(angle)) for angle in (62 - 30, 125 - 30))
show(
    ax.figure,
    "Three arrows of different lengths from one point. The picture and “a fox” are 32 degrees "
    "apart, the picture and “a pizza” are 95 degrees apart.",
    f"The cosine of 32 degrees is {near:.2f}, and the cosine of 95 degrees is {far:.2f}. The "
    "circles show where each arrow would end if it had length 1.",
)

# %% [markdown]
# **Prediction 01.a.** Suppose that all image features become three times as long. What happens to
# their cosine similarities with the sentences? Do they get `"larger"`, `"smaller"`, or do they stay
# the `"same"`?

# %% tags=["exercise"]
# STUB: guess = None  # "larger", "smaller" or "same"
# SOLUTION
guess = "same"
# END SOLUTION
ex.predict("01.a", guess, choices=("larger", "smaller", "same"))

# %% [markdown]
# ### Exercise 01.1: compare pictures and sentences
#
# Write a function that compares *every* picture with *every* sentence. It returns a tensor with one
# row per picture and one column per sentence. The features that come in can have any length.
#
# The cosine of the angle between two vectors a and b is **a · b / (|a| |b|)**. This is their dot
# product, divided by both lengths. The length of a vector is the square root of the sum of its
# squared numbers.
#
# Stuck? `ex.hint("01.1")`


# %% tags=["exercise"]
def cosine_similarity(image_features, text_features):
    """Cosine similarities [B, C] of image features [B, D] and text features [C, D]."""
    # STUB: raise NotImplementedError("01.1: write me")
    # SOLUTION
    image_features = F.normalize(image_features, dim=-1)  # [B, D], every row of length 1
    text_features = F.normalize(text_features, dim=-1)  # [C, D]
    return image_features @ text_features.T  # [B, C]
    # END SOLUTION


# %% tags=["check"]
cosine_similarity = ex.check("01.1", cosine_similarity)

# %% [markdown]
# From here on, the notebook uses *your* function. The next cell answers the prediction. Then it
# compares all eight pictures with all eight sentences. Where do you expect the large numbers? And
# which two pictures could be hard to tell apart?

# %%
similarity = cosine_similarity(image_features, text_features)  # [B, C]
longer = cosine_similarity(3 * image_features, text_features)
same = torch.allclose(longer, similarity, atol=1e-5)
ex.outcome("01.a", "same" if same else "larger" if longer.sum() > similarity.sum() else "smaller")

ax = plot_similarities(clip, similarity, images, sentences, ax=plt.figure(figsize=(7, 6.4)).gca())
right = (similarity.argmax(dim=-1).cpu() == torch.arange(len(images))).sum().item()
show(
    ax.figure,
    f"Similarities of eight pictures and eight sentences: {similarity.diag().mean():.2f} on "
    f"average on the framed diagonal, and {similarity.mean():.2f} over all pairs.",
    "In each row, the largest number marks the sentence that fits best. It is the right one for "
    f"{right} of {len(images)} pictures.",
)

# %% [markdown]
# Read along a row: which sentence fits this picture best? That is *classification*. Read down a
# column: which picture fits this sentence best? That is *search*. The same matrix does both.
#
# Look at the two apples. Their pictures are almost the same, and their sentences share most words.
# So the numbers beside the diagonal are large there.
#
# ## One space
#
# Pictures and sentences can be compared. So they live in the same space, and we can draw it. A
# *principal component analysis* finds the plane in which the points are spread most, and we look at
# that plane. Most of the D dimensions are lost. So points that look close may not be close.

# %%
group = torch.arange(len(sets)).repeat_interleave(8)  # [64], which of the eight names
many = clip.encode_image(torch.cat([one.batch(range(10, 18))[0] for one in sets]).to(clip.device))

to_text, to_others = cosine_similarity(many, text_features), cosine_similarity(many, many)
alike = group[:, None] == group  # [64, 64]
to_others.fill_diagonal_(torch.nan)  # every picture is like itself
print(f"a picture and its own sentence:  {to_text[range(64), group].mean():.2f}")
print(f"two pictures of the same thing:  {to_others[alike].nanmean():.2f}")
print(f"two pictures of different things: {to_others[~alike].mean():.2f}")

ax = plot_pairs(many, group, text_features, list(chosen), ax=plt.figure(figsize=(8, 5)).gca())
show(
    ax.figure,
    "64 pictures and eight sentences in a plane, each picture with a line to its sentence.",
    "The pictures of one thing lie close together, and their sentence lies near them. The two "
    "instruments are neighbours. But the bicycle lies on the red apple, and the matrix above says "
    "that they are not alike: the plane does not show what keeps them apart.",
)

# %% [markdown]
# **In the real CLIP this looks different.** There, pictures and sentences lie in two separate
# regions of the space. This is called the *modality gap* (Liang et al. 2022, arXiv 2203.02053). It
# does not have to hurt classification, because only sentences compete with each other there.
#
# ## From similarities to probabilities
#
# Similarities lie between -1 and 1. The softmax of such numbers is almost flat: even 1 against 0
# gives only 73%. So CLIP multiplies all similarities by one factor. The products are called
# *logits*:
#
# > logits = exp(logit_scale) · similarity, and probabilities = softmax(logits)
#
# The factor was learned in training, like all other numbers of CLIP. CLIP stores its logarithm, as
# `clip.logit_scale`. The exponential of a number is never negative, so the factor is not, either.
#
# ### Exercise 01.2: probabilities
#
# Write the function that makes probabilities from similarities. `logit_scale` is a tensor with one
# number, the logarithm of the factor. Each row of the result belongs to one picture and sums to 1.
#
# Stuck? `ex.hint("01.2")`


# %% tags=["exercise"]
def probabilities(similarity, logit_scale):
    """Probabilities [B, C] of the classes, from similarities [B, C]."""
    # STUB: raise NotImplementedError("01.2: write me")
    # SOLUTION
    logits = logit_scale.exp() * similarity  # [B, C]
    return logits.softmax(dim=-1)  # [B, C], every row sums to 1
    # END SOLUTION


# %% tags=["check"]
probabilities = ex.check("01.2", probabilities)

# %% [markdown]
# Now take a hard dataset: the *plants* of lesson 00, which are faded. There are 26 names to choose
# from. We compute the similarities of all 1,300 pictures once. Then we can try many factors.
#
# **Prediction 01.b.** We double the factor. What happens to the *accuracy* on these pictures? Is it
# `"higher"`, `"lower"` or the `"same"`?

# %% tags=["exercise"]
# STUB: guess = None  # "higher", "lower" or "same"
# SOLUTION
guess = "same"
# END SOLUTION
ex.predict("01.b", guess, choices=("higher", "lower", "same"))

# %% [markdown]
# ### Your turn: how right, and how sure?
#
# The next cell measures three things for one factor. You write two of them.
#
# - `accuracy` is the percent of the pictures whose most likely name is the right one.
# - `confidence` is the mean probability of the most likely name, in percent.
# - `loss` is the mean of -log(probability of the right name). It is there already.

# %%
plants = open_dataset("plants", clip=clip)
pictures, labels = (part.to(clip.device) for part in plants.batch(range(len(plants))))
plant_features = clip.encode_image(pictures)  # [1300, D]
asked = tokenize([plants.template.format(name) for name in plants.class_names]).to(clip.device)
plant_similarity = cosine_similarity(plant_features, clip.encode_text(asked))  # [1300, 26]


# %% tags=["exercise"]
def measure(similarity, labels, logit_scale):
    """{"accuracy", "confidence", "loss"} of similarities [B, C] with labels [B]."""
    chances = probabilities(similarity, logit_scale)  # [B, C]
    loss = F.nll_loss(chances.clamp(min=1e-30).log(), labels)
    # STUB: accuracy = confidence = 0.0  # percent
    # SOLUTION
    accuracy = 100 * (chances.argmax(dim=-1) == labels).float().mean()
    confidence = 100 * chances.max(dim=-1).values.mean()
    # END SOLUTION
    return {"accuracy": float(accuracy), "confidence": float(confidence), "loss": float(loss)}


# %%
rows = []
for power in range(-4, 3):
    scale = clip.logit_scale + math.log(2**power)
    rows.append({"times": 2.0**power} | measure(plant_similarity, labels, scale))
sweep = pd.DataFrame(rows)
print(sweep.round(2).to_string(index=False), "\n")
own = sweep[sweep.times == 1].iloc[0]
change = sweep[sweep.times == 2].accuracy.item() - own.accuracy
ex.outcome("01.b", "same" if not abs(change) > 0 else "higher" if change > 0 else "lower")

percents = sweep.melt("times", ["accuracy", "confidence"], "what", "percent")
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
factor = {"x": "times", "log": True, "xlabel": "times CLIP's own factor"}
plot_lines(percents, y="percent", by="what", ylim=(0, 103), ax=axes[0], **factor)
plot_lines(sweep, y="loss", ylim=(0, None), ax=axes[1], **factor)
best = sweep.times[sweep.loss.idxmin()]
show(
    figure,
    f"Accuracy is {own.accuracy:.0f}% for every factor. Confidence rises with the factor, to "
    f"{own.confidence:.0f}% at CLIP's own. The loss is lowest at {best:g} times CLIP's own factor.",
    "The factor changes how sure CLIP is, and it changes the loss. It never changes the answer.",
)

# %% [markdown]
# The factor does not change which logit is the largest. So it does not change the answer, and the
# accuracy stays. But it changes the *loss*, and the loss is what prompts are trained with, later in
# this course. The factor decides how hard a wrong answer pulls.
#
# A model is *calibrated* if it is as sure as it is right. To make a model calibrated, people often
# fit one such factor on a few labelled pictures. This is called *temperature scaling* (Guo et al.
# 2017, arXiv 1706.04599).
#
# ### Exercise 01.3: how large must the factor be?
#
# There are two names, and the similarity of the first is larger by 0.05. **Which factor gives the
# first name a probability of 90%?** Work it out on paper, or let Python calculate with `math.log`.
# Your answer may be off by 0.3.
#
# Stuck? `ex.hint("01.3")`

# %% tags=["exercise"]
# STUB: needed = None  # a number
# SOLUTION
needed = math.log(0.9 / 0.1) / 0.05  # the logits must be ln 9 apart, and factor x 0.05 = ln 9
# END SOLUTION

# %% tags=["check"]
needed = ex.check("01.3", needed)

# %% [markdown]
# The factor of our tiny CLIP is 18. OpenAI started the training of CLIP with a factor of 1 / 0.07 =
# 14.3, and did not let it grow beyond 100 (arXiv 2103.00020, section 2.5). Remember that
# `logit_scale` is a logarithm. If you forget the `exp`, nothing crashes, but everything you train
# is wrong.
#
# ## A classifier for any list of names
#
# Now put the pieces together. The names are your classes. A *template* makes a sentence of each
# name. The sentence that is most similar to the picture gives the answer. Nothing is trained, and
# you need no picture of these classes. So it is called **zero-shot** classification.
#
# ### Exercise 01.4: the classifier
#
# - Put each name into the template, in place of its `{}`. Datasets often write names with
#   underscores. CLIP reads words, so put a space in place of each underscore.
# - Return one name for each picture. Return the names *as they stand in* `class_names`.
# - You have `tokenize(sentences)`, which gives tokens. `.to(clip.device)` moves them. You also have
#   `clip.encode_image(images)`, `clip.encode_text(tokens)` and your `cosine_similarity`.
#
# Stuck? `ex.hint("01.4")`


# %% tags=["exercise"]
def classify(clip, images, class_names, template):
    """A list with a name for each of the images [B, 3, H, W]: the one whose sentence fits best."""
    # STUB: raise NotImplementedError("01.4: write me")
    # SOLUTION
    sentences = [template.format(name.replace("_", " ")) for name in class_names]
    of_names = clip.encode_text(tokenize(sentences).to(clip.device))  # [C, D]
    similarity = cosine_similarity(clip.encode_image(images), of_names)  # [B, C]
    return [class_names[i] for i in similarity.argmax(dim=-1).tolist()]
    # END SOLUTION


# %% tags=["check"]
classify = ex.check("01.4", classify)

# %% [markdown]
# Your classifier takes *any* list of names. So you can ask it other questions about the same
# pictures. Ask about eight umbrellas: what are they? In which look are they drawn? On which
# background colour? Only the names and the template change.
#
# ### Your turn
#
# Add things, looks and colours of your own to the lists, and run the cell again.

# %% tags=["exercise"]
umbrellas = open_dataset("clothes", clip=clip, look="clean").subset(["umbrella"])
shown = umbrellas.batch(range(4, 12))[0].to(clip.device)  # [8, 3, H, W]
# STUB: things = ["umbrella", "mushroom", "balloon"]
# STUB: looks = ["blurry", "gray", "dark"]
# STUB: colours = ["red", "green", "blue", "white"]
# SOLUTION
things = ["umbrella", "mushroom", "balloon", "jellyfish", "parachute"]
looks = ["blurry", "gray", "dark", "striped", "noisy", "sketched"]
colours = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "gray", "white"]
# END SOLUTION

# %%
thing = classify(clip, shown, things, "a photo of a {}.")
look = classify(clip, shown, looks, "a {} photo of a thing to wear.")
ground = classify(clip, shown, colours, "a photo of a thing to wear on a {} background.")
titles = ["\n".join(said) for said in zip(thing, look, ground, strict=True)]
show(
    plot_pictures(clip, shown, titles),
    f"Eight drawings of umbrellas, with the answers to three questions: {'; '.join(titles)}.",
    "Above each picture: the thing, the look and the colour of the background, as your "
    "classifier sees them. The pictures are clean, so every look is wrong. But it must choose one.",
)

# %% [markdown]
# The classifier has no way to say “none of these”. *Some* name is always the most similar one.
#
# ## The sentence matters
#
# The template is part of the classifier. The real CLIP gains 1.3 points on ImageNet with "a photo
# of a {}." over the bare name. With many carefully chosen templates it gains almost 5 (arXiv
# 2103.00020, section 3.1.4). How much does it matter for our plants?
#
# ### Your turn: write sentences
#
# Add at least three templates. Each needs a `{}` for the name. Can you beat the best of ours? The
# plants are faded. Does it help to say so?
#
# **Prediction 01.c.** Compare the bare name, "{}", with "a photo of a {}, a kind of plant.". Is the
# accuracy with the bare name `"higher"`, `"lower"` or the `"same"`?

# %% tags=["exercise"]
templates = ["{}", "a photo of a {}.", "a photo of a {}, a kind of plant."]
# STUB: templates += []  # your sentences
# STUB: guess = None  # "higher", "lower" or "same"
# SOLUTION
templates += ["a faded photo of a {}.", "a faded photo of a {}, a kind of plant."]
templates += ["a photo of a {}, a kind of animal.", "is there a {} in here?"]
guess = "lower"
# END SOLUTION
ex.predict("01.c", guess, choices=("higher", "lower", "same"))

# %%
asked_with = {}
for template in templates:
    answers = classify(clip, pictures, plants.class_names, template)
    named = torch.tensor([plants.class_names.index(a) for a in answers], device=clip.device)
    asked_with[template] = 100 * (named == labels).float().mean().item()
change = asked_with["{}"] - asked_with["a photo of a {}, a kind of plant."]
ex.outcome("01.c", "same" if abs(change) < 0.5 else "higher" if change > 0 else "lower")
ax = plot_bars(asked_with, xlabel="accuracy on plants (%)", ax=plt.figure(figsize=(7, 3)).gca())
listed = "; ".join(f"“{template}” {value:.0f}" for template, value in asked_with.items())
show(
    ax.figure,
    f"Accuracy in percent on plants for several templates: {listed}.",
    "One accuracy on 1,300 pictures is uncertain by about 1.4 points (its standard error).",
)

# %% [markdown]
# The same CLIP, the same pictures, the same names: the sentence alone changes the accuracy by many
# points. Finding good sentences by hand became a craft, called *prompt engineering*. This course is
# about the idea that came after it: **learn the prompt**.
#
# ## Class by class
#
# An average hides much. Which plants does the classifier miss?
#
# ### Exercise 01.5: accuracy of each class
#
# `predicted` and `labels` are tensors with one label, from 0 to C - 1, per picture. Return a tensor
# with one number per class: of the pictures that *are* of this class, how many percent are named
# rightly? A class without pictures has no accuracy, so its number is NaN. (In torch, 0 / 0 is NaN
# without your help.)
#
# Stuck? `ex.hint("01.5")`


# %% tags=["exercise"]
def accuracy_per_class(predicted, labels, n_classes):
    """Accuracy [C] in percent on the pictures of each class, from predicted and true labels [B]."""
    # STUB: raise NotImplementedError("01.5: write me")
    # SOLUTION
    rows = [predicted[labels == c] == c for c in range(n_classes)]  # of each class its own pictures
    return 100 * torch.stack([row.float().mean() for row in rows])  # [C]
    # END SOLUTION


# %% tags=["check"]
accuracy_per_class = ex.check("01.5", accuracy_per_class)

# %%
names, predicted = plants.class_names, plant_similarity.argmax(dim=-1)  # [1300]
of_class = dict(zip(names, accuracy_per_class(predicted, labels, len(names)).tolist(), strict=True))
notes = {}
for c, name in enumerate(names):
    missed = predicted[(labels == c) & (predicted != c)].bincount(minlength=len(names))  # [C]
    notes[name] = f"{missed.max()} of 50 taken for {names[missed.argmax()]}" if missed.any() else ""
average = sum(of_class.values()) / len(names)
ordered = dict(sorted(of_class.items(), key=lambda item: -item[1]))
ax = plt.figure(figsize=(8, 6)).gca()
plot_bars(ordered, notes=notes, line=average, xlabel="accuracy (%), dotted line: mean", ax=ax)
often = predicted.bincount(minlength=len(names))  # [C]
show(
    ax.figure,
    f"Accuracy of every plant, from {min(of_class.values()):.0f}% to "
    f"{max(of_class.values()):.0f}%, with the name that it is most often taken for.",
    f"The most frequent answer is {names[often.argmax()]}: {often.max()} times, for 50 pictures.",
)

# %% [markdown]
# Look at the names that pictures are *taken for*. A few names are given far too often. Such a name
# gets a high accuracy of its own for free: a classifier that always says "rose" has 100% on roses.
# Accuracy per class shows what is missed. It does not show what is claimed wrongly. Look at both.
#
# ## Pictures that CLIP has rarely seen
#
# The tiny CLIP has seen all looks in training, but in weaker forms. How much does each look cost?
# Your classifier takes all eleven datasets, clean and in their own look, with ten pictures per
# class.

# %%
rows = []
for name in DRAWN:
    for look in ("clean", None):  # None: the look of the dataset
        data = open_dataset(name, clip=clip, look=look)
        some, truth = data.batch(range(0, len(data), 5))
        answers = classify(clip, some.to(clip.device), data.class_names, data.template)
        hits = [data.class_names[i] == a for i, a in zip(truth, answers, strict=True)]
        rows.append((f"{name}, {data.look.name}", 100 * sum(hits) / len(hits)))
clean, own = [value for _, value in rows[::2]], [value for _, value in rows[1::2]]
shift = pd.DataFrame({"clean": clean, "own": own}, [name for name, _ in rows[1::2]])
shift = shift.sort_values("own", ascending=False)
ex.expect("clean", shift.clean.mean())
ex.expect("own look", shift.own.mean())

ax = plt.figure(figsize=(8, 4)).gca()
labels_of = ("clean", "in its own look")
plot_two(shift, "clean", "own", labels=labels_of, xlim=(0, 103), xlabel="accuracy (%)", ax=ax)
show(
    ax.figure,
    f"Zero-shot accuracy on eleven datasets: {shift.clean.mean():.0f}% on average when clean, and "
    f"{shift.own.mean():.0f}% in their own looks. The hardest is {shift.own.idxmin()}, "
    f"{shift.own.min():.0f}%.",
    "The length of each grey line is what the look costs. A person reads almost all of these "
    "pictures.",
)

# %% [markdown]
# These gaps are what the methods of this course work on. The real CLIP has seen far more pictures,
# but it is weak on some kinds, too, such as satellite pictures (arXiv 2103.00020, section 3.1.5).
#
# The text side has its limits as well. A name works only if CLIP has read it. The tiny CLIP knows
# the words of its captions, and no others:

# %%
known = set(caption_words())
for word in ("tulip", "faded", "bonsai", "fern"):
    print(f"{word}: {'known' if word in known else 'never read'}")
orchids = ["bonsai", "fern", "tulip"]
tulips = pictures[labels == names.index("tulip")]
for wishes in (orchids, orchids[:2], orchids[1::-1]):
    answers = classify(clip, tulips, wishes, plants.template)
    print(f"50 tulips, asked {wishes}:", {name: answers.count(name) for name in set(answers)})

# %% [markdown]
# To the tiny CLIP, all words that it has never read are the same. So it cannot choose between two
# of them: it takes the first one of the list. And for most of these faded tulips, such a word even
# beats the right name.
#
# "Any list of names" means: any names that CLIP's training gave a meaning. The real CLIP has read
# 400 million captions. Still, a name that captions rarely use, such as a type of aircraft, may mean
# little to it.
#
# ## How CLIP learned this
#
# Take a batch of pictures with their captions. Compare all pictures with all captions. Each picture
# must find its own caption, and each caption must find its own picture. So the large numbers must
# stand on the **diagonal**. This was the whole training of OpenAI's CLIP. Nobody wrote down a list
# of classes.
#
# ### Exercise 01.6: the contrastive loss
#
# Write CLIP's loss for a batch of B pairs. The features have length 1 already.
#
# - Make the logits [B, B] of all pictures with all captions.
# - Each row is a classification: picture i has the captions as its classes, and caption i is right.
#   Take the mean cross-entropy of the rows.
# - Each column is a classification, too: caption i has the pictures as its classes.
# - The loss is the mean of both. `F.cross_entropy(logits, labels)` does the softmax itself.
#
# Stuck? `ex.hint("01.6")`


# %% tags=["exercise"]
def contrastive_loss(image_features, text_features, logit_scale):
    """CLIP's loss, a scalar, of image features [B, D] and the features [B, D] of their captions."""
    # STUB: raise NotImplementedError("01.6: write me")
    # SOLUTION
    logits = logit_scale.exp() * image_features @ text_features.T  # [B, B]
    own = torch.arange(len(logits), device=logits.device)  # picture i belongs to caption i
    pictures_choose = F.cross_entropy(logits, own)  # along the rows
    captions_choose = F.cross_entropy(logits.T, own)  # along the columns
    return (pictures_choose + captions_choose) / 2
    # END SOLUTION


# %% tags=["check"]
contrastive_loss = ex.check("01.6", contrastive_loss)

# %% [markdown]
# Here are captioned pictures of the kind that the tiny CLIP was trained with, and your loss on
# them.
#
# **Prediction 01.d.** Eight pairs are a small batch. OpenAI's CLIP learned with batches of 32,768.
# We take 256 pairs and compute the loss twice: once in 32 batches of 8, once in one batch of 256.
# Is the loss of the large batch `"higher"`, `"lower"` or the `"same"`?

# %% tags=["exercise"]
# STUB: guess = None  # "higher", "lower" or "same"
# SOLUTION
guess = "higher"
# END SOLUTION
ex.predict("01.d", guess, choices=("higher", "lower", "same"))

# %%
size = clip.preprocess.size
batch = draw_captioned(256, torch.Generator().manual_seed(ex.seed), frequencies(), resolution=size)
mean, std = (torch.tensor(v)[:, None, None] for v in (clip.preprocess.mean, clip.preprocess.std))
photos = ((batch.images - mean) / std).to(clip.device)  # [256, 3, H, W]
photo_features = clip.encode_image(photos)  # [256, D]
caption_features = clip.encode_text(tokenize(batch.captions).to(clip.device))  # [256, D]

losses = {}
for size in (8, 32, 256):
    parts = zip(photo_features.split(size), caption_features.split(size), strict=True)
    found = [contrastive_loss(*part, clip.logit_scale) for part in parts]
    losses[size] = torch.stack(found).mean().item()
    print(f"batches of {size:3}: loss {losses[size]:.3f} (guessing: {math.log(size):.2f})")
ex.outcome("01.d", "higher" if losses[256] > losses[8] else "lower")

paired = cosine_similarity(photo_features[:6], caption_features[:6])  # [6, 6]
ax = plt.figure(figsize=(7.4, 6.2)).gca()
plot_similarities(clip, paired, photos[:6], batch.captions[:6], ax=ax)
show(ax.figure, "Similarities of six pictures and their captions. The diagonal has the pairs.")

preferred = cosine_similarity(photo_features, caption_features).argmax(dim=-1).cpu()  # [256]
others = (preferred != torch.arange(256)).nonzero().flatten().tolist()
print(f"{len(others)} of 256 pictures prefer the caption of another picture, such as")
for i in others[:4]:
    print(f'  own: "{batch.captions[i]}"  preferred: "{batch.captions[preferred[i]]}"')

# %% [markdown]
# With more captions it is harder to find the right one, because more of them are close. So there is
# more to learn from a large batch. Look at the captions that are preferred, too. Often the other
# caption is just as true! The loss still counts it as wrong. Such pairs are called *false
# negatives*.
#
# ## Look for yourself
#
# Here is one doubtful picture of each plant. Choose a plant, a sentence and a factor. Can you find
# a picture for which another sentence turns a wrong answer into a right one? (The controls need a
# running notebook. On a web page you see one setting.)

# %%
lead = -plant_similarity.topk(2, dim=-1).values.diff().view(len(names), -1)  # [C, 50]
doubtful = [50 * c + i for c, i in enumerate(lead.argmin(dim=-1).tolist())]
times = {"CLIP's own": 1.0, "a quarter": 0.25, "four times": 4.0}
sides = {}
for template in templates:
    words = tokenize([template.format(name) for name in names]).to(clip.device)
    sides[template] = cosine_similarity(plant_features[doubtful], clip.encode_text(words))


def ask(plant, sentence, factor):
    """The picture of a plant beside the likeliest names, and a sentence that says so."""
    place, scale = names.index(plant), clip.logit_scale + math.log(times[factor])
    row = probabilities(sides[sentence][[place]], scale)[0]  # [C]
    guesses = dict(zip(names, row.tolist(), strict=True))
    figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.5), width_ratios=(1, 2), layout="constrained")
    plot_picture(plants, doubtful[place], ax=axes[0])
    top = max(guesses, key=guesses.get)
    plot_probabilities(guesses, truth=plant, ax=axes[1]).set_title(
        f"“{sentence}”", fontsize="medium"
    )
    return figure, f"A picture of {plant}; the likeliest name is {top}, {100 * guesses[top]:.0f}%."


explore(ask, plant=names, sentence=templates[1:], factor=list(times))

# %% [markdown]
# ## Zero-shot CLIP enters the table
#
# From now on, each lesson adds one method to one table. You know its rules from lesson 00. The
# first half of the classes is *base*, the other half is *novel*. In each half, only the names of
# that half can be chosen. The harmonic mean (HM) is high only if both accuracies are. Zero-shot
# CLIP trains on nothing, so both halves are new to it. A difference between them only says that one
# half is easier.
#
# In the package, a classifier is a `PromptedCLIP`: a CLIP, a learner and class names. Here it uses
# your `cosine_similarity`.


# %%
class MyZeroShot(PromptedCLIP):
    """Zero-shot CLIP that compares with the function of exercise 01.1."""

    def classify(self, image_features, text_features=None):
        """Logits [B, C] of image features [B, D]."""
        text_features = self.encode_classes() if text_features is None else text_features
        return self.clip.logit_scale.exp() * cosine_similarity(image_features, text_features)


# %%
row = {"method": "zeroshot"}
for split, half in zip(("base", "novel"), base_and_novel(len(names)), strict=True):
    data = plants.subset(half)
    model = MyZeroShot(clip, PromptLearner(plants.template), data.class_names)
    row[split] = accuracy(model, data)
row["hm"] = harmonic_mean(row["base"], row["novel"])
for split in ("base", "novel", "hm"):
    ex.expect(split, row[split])

table = pd.DataFrame([row])
average = read_paper("base-to-novel-average").query("method == 'zeroshot'")
both = pd.concat([table, average]).set_axis(["plants, tiny CLIP", "papers"])
print(both[["base", "novel", "hm"]].round(1))

ax = plot_base_to_novel(table, ax=plt.figure(figsize=(6, 3.2)).gca())
show(
    ax.figure,
    "Zero-shot CLIP on plants, in percent: {base:.0f} on base classes, {novel:.0f} on novel ones, "
    "and a harmonic mean of {hm:.0f}.".format(**row),
    "These bars are what the learned prompts have to beat, on both sides.",
)

# %% [markdown]
# The second line of the table is the average of eleven real datasets with OpenAI's ViT-B/16, as the
# papers print it. Do not compare its height with ours: the pictures and the CLIP are different.
# Compare what *happens* to the numbers from lesson to lesson.
#
# ## Recap
#
# - Two towers give features in one space. Only their directions count: normalise, then multiply.
# - `exp(logit_scale)` makes logits of similarities. It changes the probabilities and the loss, and
#   never the answer.
# - A list of names and a template are a classifier. The sentence matters. Words that CLIP has never
#   read mean nothing to it.
# - CLIP learned by finding the right pairs in a batch.
#
# ## Going further
#
# - Ask about clean plants with the names of all eleven datasets at once. How much accuracy is lost?
# - Search: of the 256 captioned pictures, which ten are most similar to "a photo of a dog."?
# - Describe a picture without its name, as in "a red one." How far does that carry?
# - Find the factor at which CLIP is as sure as it is right on plants. Is it the same on another
#   dataset?
# - Read: CLIP (arXiv 2103.00020), section 2; the modality gap (2203.02053); calibration
#   (1706.04599).

# %%
ex.progress()
