# %% [markdown]
# # 12 · The real thing
#
# **You will plan a run of a real CLIP before you start it: its steps, its minutes, its memory. Then
# you will run it, here in small, with the very commands that do it in large.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes; the computer takes about one of them |
# | You need | lesson 02 (shots, base and novel), lesson 08 (MaPLe) |
# | Papers | MaPLe, arXiv 2210.03117; CoOp, 2109.01134; CoCoOp, 2203.05557 |
#
# **You will be able to**
#
# - tell from a preset how many steps a run has, and how long it takes on your machine;
# - tell from sizes how much memory a step needs, and make ImageNet fit a small card;
# - draw the very pictures that the authors' code draws;
# - train on a folder of your own pictures, and ask the prompts about any picture;
# - read a checkpoint of the authors' code, and their table.
#
# There are five exercises. Each has a check, three hints, and a solution.
#
# ## Set-up
#
# With `MAPLE_LITE_MODE=full` this notebook becomes the real thing: OpenAI's ViT-B/16 and EuroSAT.
# It then wants a GPU, the network once, and the folder of datasets that `MAPLE_LITE_DATASETS` names
# (`maple-lite datasets` fills it). In the second cell, five values change with the mode: `clip`,
# `model`, `dataset`, `root` and `template`. **That is all that changes.**

# %%
import os
import random
import shlex
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from maple_lite import MaPLe, PromptedCLIP, base_and_novel, few_shot, fit, is_published, load_clip
from maple_lite import name_pictures, open_dataset, preset, seeded, train
from maple_lite.cli.main import main
from maple_lite.analysis.cost import MIB, saved_bytes, seconds, training_step
from maple_lite.datasets import datasets_root
from maple_lite.datasets.glyphs.drawn import KIND
from maple_lite.support.files import data_folder
from maple_lite.storage.official import load_official, save_official
from maple_lite.course.plots import COLOURS, LANGUAGE, TITLES, VISION, plot_probabilities
from maple_lite.experiments.published import read_paper, read_results
from maple_lite.experiments.run import evaluate
from maple_lite.support.seeds import derived_seed
from maple_lite.course import explore, session, show

# %%
ex = session("12_real_clip")
seed = ex.seed
full = os.environ.get("MAPLE_LITE_MODE", "fast") == "full"
clip = load_clip("ViT-B-16-quickgelu", "openai") if full else load_clip("glyphs")
model = "--model ViT-B-16-quickgelu --pretrained openai" if full else "--model glyphs"
dataset = "eurosat" if full else "pictures"  # a name, or the path of your own folder
root = datasets_root().resolve() if full else None
template = None if full else "a photo of {}, a sign of the zodiac."  # None: the paper's own
print(f"mode {'full' if full else 'fast'}, seed {seed}, device {clip.device}, data: {dataset}")
table_of_sets = pd.read_csv(data_folder() / "paper" / "datasets.csv").set_index("title")
workbench = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
os.chdir(workbench.name)  # all files of this lesson go into a new folder, and vanish with it


def maple_lite(command):
    """Runs a command as a terminal would: maple-lite COMMAND."""
    print(f"$ maple-lite {command}\n")
    if main(shlex.split(command)):
        raise RuntimeError("the command failed: the sentence above says why.")


# %% [markdown]
# ## 1 · How many steps?
#
# A *preset* is what the authors set for a method and a task. Prompt lengths, learning rates and
# epochs belong together; take them all from one place, and say which. (`maple-lite presets` prints
# this table, too.)

# %%
methods = ["coop", "cocoop", "vpt", "language", "ivlp", "maple"]
rows = []
for task in ("base-to-novel", "few-shot"):
    for method in methods:
        learner_kwargs, fit_kwargs = preset(method, task)
        published = "published" if is_published(method, task) else "derived"
        about = {"task": task, "method": TITLES[method], "settings": published}
        rows.append(about | learner_kwargs | fit_kwargs)
presets = pd.DataFrame(rows).fillna({"init": "random", "depth": 1}).astype({"depth": int})
print(presets.to_string(index=False))

# %% [markdown]
# CoOp has 200 epochs, and batches of 32. CoCoOp has 10 epochs, with one picture at a time. MaPLe
# has 5, with four. All see the same pictures, 16 of each base class. Which makes the most steps?
#
# ### Exercise 12.1: how many steps is a run?
#
# A base-to-novel run trains on the base half of a dataset of `n_classes` classes (which half is the
# larger one?), with `shots` pictures of each. A step takes a batch. Every epoch shuffles all
# pictures, and **drops** the last batch where it is not full; only if not one batch is full, it is
# kept. Return the number of steps of all epochs. Stuck? `ex.hint("12.1")`


# %% tags=["exercise"]
def run_steps(n_classes, shots, epochs, batch_size):
    """The steps of SGD of a base-to-novel run on a dataset of `n_classes` classes."""
    # SOLUTION
    pictures = shots * ((n_classes + 1) // 2)
    return epochs * max(1, pictures // batch_size)
    # END SOLUTION
    # STUB: raise NotImplementedError("12.1: write me")


# %% tags=["check"]
run_steps = ex.check("12.1", run_steps)

# %%
planned, looks = pd.DataFrame(), {"coop": "s", "cocoop": "^", "maple": "o"}
for method in looks:
    for title, row in table_of_sets.iterrows():
        settings = preset(method, source=row["name"])[1]
        count = run_steps(row.classes, 16, settings["epochs"], settings["batch_size"])
        planned.loc[title, TITLES[method]] = count
planned = planned.astype(int)
print(planned.assign(classes=table_of_sets.classes).to_string())
figure, ax = plt.subplots(figsize=(8.5, 4), layout="constrained")
order = planned.sort_values("MaPLe").index
for method, mark in looks.items():
    style = {"color": COLOURS[method], "label": TITLES[method]}
    ax.plot(planned.loc[order, TITLES[method]], range(len(order)), mark, **style)
ax.set_yticks(range(len(order)), order)
ax.set(xscale="log", xlabel="steps of a base-to-novel run, 16 shots (logarithmic)")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
ends = [f"{title}: {planned.loc[title, 'MaPLe']:,}" for title in (order[0], order[-1])]
show(
    figure,
    "Steps of CoOp, CoCoOp and MaPLe on the eleven datasets, by the authors' presets. CoCoOp makes "
    f"the most, MaPLe the fewest, on each of them. MaPLe's, from {ends[0]} to {ends[1]}.",
)

# %% [markdown]
# ## 2 · How many minutes?
#
# Steps differ in cost: a step encodes a batch of pictures, and the sentences of **all** classes. So
# measure a few steps on **your** machine, with few and with many classes, and put a line through
# them: so much for the pictures, so much for each class. (Names: those of our drawn symbols.)

# %%
learner_kwargs, fit_kwargs = preset("maple", clip=clip)
with seeded(derived_seed(seed)):
    untrained = MaPLe(clip, **learner_kwargs)
names = [name for one in KIND.names for name in open_dataset(one).class_names]
images = torch.randn(4, 3, *clip.visual.image_size).to(clip.device)  # [B, 3, H, W]
labels = torch.arange(4, device=clip.device)


def step_seconds(count):
    """Median seconds of a step with four pictures and so many classes."""
    prompted = PromptedCLIP(clip, untrained, names[:count])
    training_step(prompted, images, labels)  # the first one is slower
    return seconds(lambda: training_step(prompted, images, labels), clip.device, 5)


measured = {count: step_seconds(count) for count in (10, 50, 100)}
each, fixed = np.polyfit(list(measured), list(measured.values()), 1)
print(", ".join(f"{count} classes: {1000 * took:.1f} ms" for count, took in measured.items()))
print(f"a step of MaPLe here: {1000 * fixed:.1f} ms, and {1000 * each:.2f} ms for each class")
base_classes = (table_of_sets.classes + 1) // 2
minutes = planned["MaPLe"] * (fixed + each * base_classes) / 60
about = {"base classes": base_classes, "steps": planned["MaPLe"], "minutes here": minutes.round(2)}
print(pd.DataFrame(about).sort_values("steps").to_string())

# %% [markdown]
# These minutes hold for the CLIP that is loaded, on the machine that runs this. Reading pictures
# comes on top, and testing: EuroSAT has 8,100 test pictures, ImageNet 50,000. The rule is more
# useful than the numbers: **measure ten steps, multiply, then decide.**
#
# ## 3 · How much memory?
#
# CLIP is frozen, and still training needs more memory than asking. To find the gradient of a prompt
# in the first layer, the backward pass goes through *every* layer, and needs what the forward pass
# computed there. How much is that? Ask autograd: `saved_bytes` counts all that is kept.


# %%
def kept_of(prompted, of=None):
    """Bytes that autograd keeps of all sentences, or of the pictures `of`."""
    encode = prompted.encode_classes if of is None else lambda: prompted.encode_images(of)
    return saved_bytes(encode, prompted.parameters())


rows = []
for count in (10, 50, 100):
    prompted = PromptedCLIP(clip, untrained, names[:count])
    kept = kept_of(prompted)
    sizes = (*prompted.tokens.shape, clip.text_width, clip.text_layers)  # [C, L], d_t, K
    rows.append(("text", *sizes, kept / MIB, kept / 4 / np.prod(sizes)))
tokens_of_image = 1 + int(np.prod(clip.visual.grid_size)) + untrained.config["n_ctx"]  # CLS, N, n
for count in (1, 4):
    kept = kept_of(prompted, images[:count])
    sizes = (count, tokens_of_image, clip.vision_width, clip.vision_layers)
    rows.append(("image", *sizes, kept / MIB, kept / 4 / np.prod(sizes)))
columns = ["tower", "rows", "tokens", "width", "layers", "MiB", "numbers / width"]
print(pd.DataFrame(rows, columns=columns).round(2).to_string(index=False))

# %% [markdown]
# Look at the last column. Both towers keep, **for each token in each layer, about 14 numbers per
# unit of width**, whatever their sizes. You can name them: the inputs of two LayerNorms (2),
# queries, keys, values and the attention's output (4), and what the GELU works on in the wide layer
# (2 · 4 = 8). So the memory of a real model can be told without loading it.
#
# **Prediction 12.a**: ViT-B/16 on EuroSAT: 5 base classes, each a sentence of about 12 tokens, 512
# wide; a batch of 4 pictures, each 199 tokens, 768 wide. Which tower keeps more?

# %% tags=["exercise"]
# SOLUTION
guess = "image"
# END SOLUTION
# STUB: guess = None  # "text" or "image"
ex.predict("12.a", guess, choices=("text", "image"))

# %% [markdown]
# ### Exercise 12.2: what a tower keeps
#
# A tower gets `rows` sequences (sentences, or pictures) of `tokens` tokens, and has `layers` layers
# of `width`. A layer keeps 14 · `width` numbers of each token; a number takes 4 bytes, a MiB is
# 2**20 bytes. Return the MiB.
#
# With a `chunk`, so many rows are encoded at a time, and **nothing** of a chunk is kept. The
# backward pass computes it again when it gets there. Then return what is there at most at a time:
# one chunk's, and a chunk never has more rows than there are. Stuck? `ex.hint("12.2")`


# %% tags=["exercise"]
def kept_mib(rows, tokens, width, layers, chunk=None):
    """MiB that a tower keeps for the backward pass, at most at a time."""
    # SOLUTION
    together = rows if chunk is None else min(rows, chunk)
    return together * tokens * 14 * width * layers * 4 / 2**20
    # END SOLUTION
    # STUB: raise NotImplementedError("12.2: write me")


# %% tags=["check"]
kept_mib = ex.check("12.2", kept_mib)

# %%
text_and_image = {}
for title, classes in (("EuroSAT", 5), ("DTD", 24), ("SUN397", 199), ("ImageNet", 500)):
    text_and_image[title] = {
        "text": kept_mib(classes, 12, 512, 12),
        "image": kept_mib(4, 199, 768, 12),
    }
print("ViT-B/16, a step of MaPLe, MiB, sentences of 12 tokens")
print(pd.DataFrame(text_and_image).T.round(0).astype(int).to_string())
ex.outcome("12.a", max(text_and_image["EuroSAT"], key=text_and_image["EuroSAT"].get))
costs = (
    read_results("glyphs/cost")
    .query("size == 'ViT-B/16' and method == 'maple'")
    .set_index("measure")
)
told = kept_mib(50, 9, 512, 12) + kept_mib(4, 199, 768, 12)  # as there: 50 classes, 9 tokens
print(f"\nmeasured at ViT-B/16, 50 classes: {costs.loc['saved_memory', 'value']:.0f} MiB, ", end="")
print(f"yours says {told:.0f}")
whole, cut = (kept_mib(500, tokens, 512, 12) / 1024 for tokens in (77, 12))
few = kept_mib(500, 12, 512, 12, chunk=50) / 1024
print(f"ImageNet's 500 base classes: {whole:.1f} GiB with all 77 tokens of a sentence; ", end="")
print(f"{cut:.1f} GiB cut after the last EOT; {few:.2f} GiB in chunks of 50")

# %%
counts, chunk = [16, 32, 64, 128, 256], 32
found, told, chunked = [], [], []
for count in counts:
    prompted = PromptedCLIP(clip, untrained, names[:count])
    again = PromptedCLIP(clip, untrained, names[:count], chunk=chunk)
    sizes = (prompted.tokens.shape[1], clip.text_width, clip.text_layers)
    told.append((kept_mib(count, *sizes), kept_mib(count, *sizes, chunk)))
    found.append(kept_of(prompted) / MIB)
    waits = kept_of(again) if count > chunk else 0  # until the backward pass
    again.tokens, again.chunk = again.tokens[:chunk], None  # one chunk, as it is computed again
    chunked.append((waits + kept_of(again)) / MIB)
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for column, style in ((0, "-"), (1, "--")):
    label = "yours" + ", chunks of 32" * column
    ax.plot(counts, [pair[column] for pair in told], style, color=LANGUAGE, label=label)
ax.plot(counts, found, "o", color=LANGUAGE, label="measured")
ax.plot(counts, chunked, "s", color=LANGUAGE, fillstyle="none", label="measured, chunks of 32")
ax.set(xlabel="classes", ylabel="kept by the text tower (MiB)")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
said = f"with {counts[-1]} classes {found[-1]:.0f} MiB measured, {told[-1][0]:.0f} told"
show(
    figure,
    f"Memory of the text tower by classes: {said}. With chunks of 32, {chunked[-1]:.0f} MiB.",
)

# %% [markdown]
# Two tricks, then, and neither changes a result. This package cuts every sentence after its last
# token, for what comes later cannot be seen (lesson 05). And `chunk` trades time for memory: each
# chunk is computed twice.
#
# ## 4 · The pictures
#
# A dataset of your own is **a folder with a folder per class** (or a CSV with the columns `path`
# and `class`). The folders' names are the classes' names, and CLIP reads them: call a folder
# `red fox`, not `cls_07`. Let us make one: 40 pictures of each sign of the zodiac, as files. As
# nobody made a test set, 30% of each class are put aside for it, always the same ones.
#
# And then look at what training will *see*. For photographs the authors cut a random piece out of
# every picture, 8 to 100% of its area, and mirror half of them. Each time anew.


# %%
def draw_folder(name, folder, per_class=40):
    """Writes pictures of a drawn dataset as PNG files, in a folder for each class."""
    drawing = open_dataset(name, resolution=96).train(per_class, seed=7)
    numbers = torch.arange(per_class)
    for label, class_name in enumerate(drawing.class_names):
        (Path(folder) / class_name).mkdir(parents=True)
        pictures = drawing.pictures(torch.full_like(numbers, label), numbers)  # [B, 3, 96, 96]
        for i, picture in enumerate(pictures):
            file = Path(folder) / class_name / f"{i:02}.png"
            plt.imsave(file, picture.permute(1, 2, 0).numpy())


draw_folder("zodiac", "pictures")
data = open_dataset(dataset, root, clip, template=template)
base_ids, novel_ids = base_and_novel(len(data.class_names))
base, novel = data.subset(base_ids), data.subset(novel_ids)
print(f"{data.name}: {len(data.class_names)} classes, zero-shot sentence {data.template!r}")
listed = [(one.path, one.label, data.class_names[one.label]) for one in data.listing.items("train")]
print(f"{len(listed)} pictures to draw from, {len(data)} to test on. The first: {listed[0]}")


# %%
def as_picture(image):
    """A normalised image [3, H, W] as matplotlib shows it, [H, W, 3] in 0..1."""
    mean, std = (
        torch.tensor(v)[:, None, None] for v in (data.preparation.mean, data.preparation.std)
    )
    return (image * std + mean).clamp(0, 1).permute(1, 2, 0)


sample = base.train(shots=16, seed=seed)
figure, axes = plt.subplots(3, 7, figsize=(7.5, 3.6), layout="constrained")
with seeded(seed):
    for line, place in zip(axes, (0, 16, 32), strict=True):
        seen = [replace(sample, augmented=False)[place][0], *(sample[place][0] for _ in range(6))]
        for ax, image in zip(line, seen, strict=True):
            ax.imshow(as_picture(image))
            ax.set_axis_off()
        line[0].set_title(base.class_names[sample.labels[place]], fontsize="small")
        line[1].set_title("what training sees ...", fontsize="small", loc="left")
shown = ", ".join(base.class_names[sample.labels[place]] for place in (0, 16, 32))
show(
    figure,
    f"One picture each of {shown}, and six random pieces of each, some of them mirrored. In some "
    "pieces, most of what there is to recognise is cut away.",
)

# %% [markdown]
# ### Whose sixteen pictures?
#
# "16 shots, seed 1" names certain pictures only together with a **list** and an **order of draws**.
# The authors' data code has one stream, `random.Random(seed)`. It goes through the classes in the
# order in which they *first appear* in the train list, and takes `.sample(pictures, shots)` of
# each. Then it goes on, with the same stream, through the validation list: `min(shots, 4)` of each.
# **All** classes are drawn. Only then are the base classes cut out.
#
# A usual mistake: cut out the base classes first, and draw then. **Prediction 12.b**: our list is
# sorted by class. Does the mistake give other *training* pictures?

# %% tags=["exercise"]
# SOLUTION
guess = "same"
# END SOLUTION
# STUB: guess = None  # "same" or "other"
ex.predict("12.b", guess, choices=("same", "other"))

# %% [markdown]
# ### Exercise 12.3: the authors' few-shot sample
#
# `train` and `val` are lists of (path, label, class name), as they stand in the authors' files
# `split_zhou_*.json`; `val` may be empty. Return two lists of such triples: the training and the
# validation pictures of the **base** classes, the first (C + 1) // 2 labels of C, as the authors
# draw them. Stuck? `ex.hint("12.3")`


# %% tags=["exercise"]
def authors_sample(train, val, shots, seed):
    """(training pictures, validation pictures) of the base classes, in the authors' draws."""
    # SOLUTION
    stream, found = random.Random(seed), []
    half = (max(label for _, label, _ in train) + 2) // 2
    for items, count in ((train, shots), (val, min(shots, 4))):
        groups = {}
        for item in items:
            groups.setdefault(item[1], []).append(item)
        drawn_items = [one for group in groups.values() for one in stream.sample(group, count)]
        found.append([one for one in drawn_items if one[1] < half])
    return tuple(found)
    # END SOLUTION
    # STUB: raise NotImplementedError("12.3: write me")


# %% tags=["check"]
authors_sample = ex.check("12.3", authors_sample)


# %%
def split_first(items):
    """The mistake: draws from the base classes alone."""
    kept = [one for one in items if one[1] < len(base_ids)]
    return {kept[i] for i in few_shot([label for _, label, _ in kept], 16, seed)}


mine, _ = authors_sample(listed, [], 16, seed)
package = {os.path.relpath(path, data.listing.folder) for path in sample.paths}
print(f"{len(mine)} pictures, the same as the package draws: {package == {one[0] for one in mine}}")
by_class, mixed = (
    sorted(listed, key=lambda one: one[1]),
    random.Random(0).sample(listed, len(listed)),
)
for name, items in (("sorted", by_class), ("mixed", mixed)):
    right = set(authors_sample(items, [], 16, seed)[0])
    shared = len(right & split_first(items))
    print(f"{name} list, base classes cut out first: {shared} of {len(right)} pictures are theirs")
    if name == "sorted":
        ex.outcome("12.b", "same" if shared == len(right) else "other")

# %% [markdown]
# That is why the mistake stays unseen: in a sorted list the novel classes come last, and their
# draws change nothing before them. In a list in another order it shows, and in the validation
# sample at any rate. A number is reproducible when list, seed **and** order are.
#
# ## 5 · The run
#
# Everything is planned. One call trains, and tests on both halves, and looks up what the paper
# prints. (For your own pictures it prints nothing, of course.) Zero-shot CLIP first, then MaPLe:

# %%
zero = train("zeroshot", data, clip, seed=seed)
run = train("maple", data, clip, seed=seed)  # 16 shots, base-to-novel, the preset
beside = {"zero-shot": zero.table.set_index("split"), "MaPLe": run.table.set_index("split")}
print(pd.concat(beside, axis=1).round(1).to_string())
ex.expect("zero-shot, base", beside["zero-shot"].accuracy["base"])
ex.expect("base", beside["MaPLe"].accuracy["base"])
ex.expect("novel", beside["MaPLe"].accuracy["novel"])

# %% [markdown]
# In lesson 08, such pictures were drawn straight into memory, and never cut or mirrored.
# **Prediction 12.c**: train once more on **your** sample of 12.3, with all settings the same, but
# *without* cutting and mirroring. Will base accuracy be higher, lower, or the same (within two
# points)?

# %% tags=["exercise"]
# SOLUTION
guess = "higher"
# END SOLUTION
# STUB: guess = None  # "higher", "lower" or "same"
ex.predict("12.c", guess, choices=("higher", "lower", "same"))

# %%
paths = {path for path, _, _ in mine}  # what your function drew
items = tuple(item for item in data.listing.items("train") if item.path in paths)
plain = replace(sample, items=items, augmented=False)
with seeded(derived_seed(seed)):
    learner = MaPLe(clip, **learner_kwargs)
fit(PromptedCLIP(clip, learner, base.class_names), plain, **fit_kwargs, seed=seed, bar=False)
uncut = evaluate(learner, data, clip)
beside["MaPLe, uncut"] = uncut.table.set_index("split")
scores = pd.DataFrame({name: table.accuracy for name, table in beside.items()})  # [split, run]
print(scores.T.round(1).to_string())
change = scores.loc["base", "MaPLe, uncut"] - scores.loc["base", "MaPLe"]
ex.outcome("12.c", "same" if abs(change) <= 2 else "higher" if change > 0 else "lower")
ex.expect("base, uncut", scores.loc["base", "MaPLe, uncut"])
ax = scores.plot.bar(rot=0, figsize=(8, 3.2), color=["#888888", *[COLOURS["maple"]] * 2], width=0.8)
for bars, hatch in zip(ax.containers, ("..", "", "//"), strict=True):
    plt.setp(bars, hatch=hatch, edgecolor="white")
    ax.bar_label(bars, fmt="%.0f", fontsize="small")
ax.set(ylabel="accuracy (%)", ylim=(0, 119), xlabel="")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, ncols=3, loc="upper center")
said = "; ".join(f"{name} {b:.0f}, {n:.0f}, {h:.0f}" for name, (b, n, h) in scores.items())
show(ax.figure, f"Base, novel and harmonic mean in percent on {data.name}, one seed: {said}.")

# %% [markdown]
# Whatever came out: it is one seed, and few test pictures (how many points is one of them?). But
# think about what the pieces showed. A satellite photograph stays what it is when it is mirrored,
# and any part of a forest is forest. A sign does not: a mirrored 2 is no 2. **A preset is tuned on
# somebody's pictures**, and this part of it you must think about before you run it on yours.
# (`open_dataset(..., augment=False)`, or `--no-augment`, leaves training pictures whole.)
#
# ### The same from a terminal
#
# These are the commands of a real run, with another model and another dataset. (In a terminal you
# write `maple-lite` and what follows the `$`.) Same seed, same numbers as above:

# %%
where = f" --root {shlex.quote(str(root))}" if full else ""
own = f" --template '{template}'" if template else ""
command = f"train --method maple --dataset {dataset} {model} --seed {seed}{where}{own}"
maple_lite(f"{command} --output maple.safetensors")
print(f"in Python above: {run.results.accuracy.round(2).tolist()}")

# %% [markdown]
# ## 6 · What to expect: read the table
#
# With EuroSAT in place of our folder, the column `paper` holds the published numbers. Before you
# compare with a table, know what it can tell. In the average row of the paper, MaPLe gains 2.72
# points of harmonic mean over CoCoOp: 78.55 against 75.83. **Prediction 12.d**: on how many of the
# eleven datasets does it gain **less** than that?

# %% tags=["exercise"]
# SOLUTION
guess = 7
# END SOLUTION
# STUB: guess = None  # a number from 0 to 11
ex.predict("12.d", guess, choices=tuple(range(12)))

# %%
rows = read_paper("base-to-novel").set_index(["dataset", "method"])[["base", "novel", "hm"]]
gained = rows.xs("maple", level="method") - rows.xs("cocoop", level="method")
gained = gained.sort_values("hm", ascending=False)
print("MaPLe less CoCoOp, points, published")
print(gained.round(2).to_string())
average = read_paper("base-to-novel-average").set_index("method").hm
average = average["maple"] - average["cocoop"]
ex.outcome("12.d", int((gained.hm < average).sum()))
spread = read_results("glyphs/base-to-novel").query("split == 'hm' and method == 'maple'")
spread = spread.groupby("dataset").accuracy.std().pow(2).mean() ** 0.5
print(
    f"For comparison, ours: a difference of two single runs wobbles by {2**0.5 * spread:.1f} points"
)
print("from seed to seed (MaPLe's stored harmonic means, eleven drawn datasets).")

# %%
figure, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
places = np.arange(len(gained))
for shift, split, mark in ((-0.2, "base", "s"), (0, "novel", "^"), (0.2, "hm", "o")):
    style = {"color": COLOURS["maple"], "fillstyle": "full" if split == "hm" else "none"}
    name = "harmonic mean" if split == "hm" else split
    ax.plot(gained[split], places + shift, mark, label=name, **style)
ax.axvline(average, color="#333333", linestyle="--", label=f"of the average row: {average:.2f}")
ax.axvline(0, color="#333333", linewidth=1)
ax.set_yticks(places, gained.index)
ax.invert_yaxis()
ax.set(xlabel="MaPLe less CoCoOp (points), published, ViT-B/16, three seeds")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
ends = (
    f"{gained.index[0]} ({gained.hm.iloc[0]:.2f}) and {gained.index[1]} ({gained.hm.iloc[1]:.2f})"
)
show(
    figure,
    f"What MaPLe gains over CoCoOp on eleven datasets. The harmonic mean gains most on {ends}, and "
    f"least on {gained.index[-1]} ({gained.hm.iloc[-1]:.2f}); a line marks {average:.2f}.",
)

# %% [markdown]
# ### Exercise 12.4: the gain to expect on one dataset
#
# You have **one** dataset, and not eleven. Which gain of MaPLe over CoCoOp should you expect there?
# Take the one in the middle: of the eleven gains in harmonic mean, the **median**. `answer` is a
# number in points, typed or calculated (the table is `read_paper("base-to-novel")`). Then compare
# it with the wobble of single runs, above. Stuck? `ex.hint("12.4")`

# %% tags=["exercise"]
# SOLUTION
answer = round(float(gained.hm.median()), 2)
# END SOLUTION
# STUB: answer = None

# %% tags=["check"]
answer = ex.check("12.4", answer)

# %% [markdown]
# ## 7 · The authors' checkpoints
#
# The authors publish trained prompts: `MultiModalPromptLearner/model.pth.tar-5`, say. With
# `load_official` you read such files of all six methods. How does it do that? Here are **your**
# prompts in the authors' format, with some of what stands beside them in a real file: the frozen
# CLIP, and the embeddings of the class names' sentences.

# %%
checkpoint = Path("MultiModalPromptLearner") / "model.pth.tar-5"
save_official(learner, checkpoint, epoch=5)
content = torch.load(checkpoint, weights_only=True)
state = content["state_dict"]
tokens = PromptedCLIP(clip, learner, base.class_names).tokens
embedded = clip.text.token_embedding(tokens).detach().cpu()  # [C, L, d_t]
state["prompt_learner.token_prefix"] = embedded[:, :1].clone()
state["prompt_learner.token_suffix"] = embedded[:, 3:].clone()  # after SOS and n = 2 tokens
state["image_encoder.proj"] = clip.visual.proj.detach().cpu()
state["logit_scale"] = clip.logit_scale.detach().cpu()
torch.save(content, checkpoint)
for name in [*list(state)[:6], *list(state)[-6:]]:
    print(f"{name:<55} {list(state[name].shape)}")
print(f"{len(state)} tensors. Ours:", ", ".join([*learner.state_dict()][:3]), "...", end=" ")
print(", ".join([*learner.state_dict()][-2:]))

# %% [markdown]
# ### Exercise 12.5: the authors' names and ours
#
# Return our name of a tensor in a checkpoint of MaPLe, or `None` for what is not learned.
#
# | in the authors' file | what it is | ours |
# |---|---|---|
# | `prompt_learner.ctx` | the first text prompt | `text.0` |
# | `prompt_learner.compound_prompts_text.i` | the deeper ones, i = 0, 1, ... | `text.?` |
# | `prompt_learner.proj.weight` | the first coupling | `couple.0.weight` |
# | `prompt_learner.compound_prompt_projections.i.weight` | the deeper ones | `couple.?.weight` |
# | all others, such as `image_encoder.proj` | frozen, or made anew | `None` |
#
# (Couplings have a `.bias`, too.)
#
# Stuck? `ex.hint("12.5")`


# %% tags=["exercise"]
def our_name(theirs):
    """Our name of a tensor in a checkpoint of MaPLe's authors; None for what is not learned."""
    # SOLUTION
    kinds = {"ctx": "text", "compound_prompts_text": "text"}
    kinds |= {"proj": "couple", "compound_prompt_projections": "couple"}
    start, kind, *rest = [*theirs.split("."), ""]
    if start != "prompt_learner" or kind not in kinds:
        return None
    rest = [kinds[kind], *rest[:-1]]  # such as ["couple", "3", "bias"]
    if kind.startswith("compound"):
        rest[1] = str(int(rest[1]) + 1)
    else:
        rest.insert(1, "0")
    return ".".join(rest)
    # END SOLUTION
    # STUB: raise NotImplementedError("12.5: write me")


# %% tags=["check"]
our_name = ex.check("12.5", our_name)

# %%
renamed = {our_name(name): tensor for name, tensor in state.items() if our_name(name)}
twin = MaPLe(clip, **learner_kwargs)
twin.load_state_dict(renamed)  # refuses a name too many or too few
theirs = load_official(checkpoint, clip)
pictures, _ = base.batch(range(0, len(base), len(base) // 18))
with torch.no_grad():
    logits = [
        PromptedCLIP(clip, prompts, base.class_names)(pictures.to(clip.device))
        for prompts in (learner, twin, theirs)
    ]
print(f"{len(renamed)} of {len(state)} tensors are learned. Logits differ by at most ", end="")
print(f"{(logits[0] - logits[1]).abs().max():.0e} (by your names), ", end="")
print(f"{(logits[0] - logits[2]).abs().max():.0e} (by load_official)")

# %% [markdown]
# A warning. Such files are *pickles*, and a pickle can run code when it is read. So `load_official`
# takes tensors and a few known things, and refuses everything else **before** it is made. (The
# command below it tests a checkpoint from a terminal.)


# %%
class Stranger:
    """Something in a file that runs code when the file is read."""

    def __reduce__(self):
        return print, ("this would have run on your machine",)


torch.save({"state_dict": {}, "extra": Stranger()}, "model.pth.tar-1")
try:
    load_official("model.pth.tar-1", clip)
except ValueError as error:
    print("refused:", error, "\n")
maple_lite(f"evaluate {checkpoint} --dataset {dataset} {model}{where}{own}")
print(f"in Python above: {uncut.results.accuracy.round(2).tolist()}")

# %% [markdown]
# ## 8 · Any picture, any names
#
# What was learned are the words *around* a class name. So the prompts can be asked about any
# picture, with any list of names. Here are two pictures of our own: Leo without a pattern behind
# it, and something that is no sign of the zodiac at all. We ask twice: among the signs, and with
# one more name. (The command at the end asks the prompts that the command above has saved.)

# %%
Path("own").mkdir()
for folder, name in (("zodiac", "leo"), ("glyphs:objects", "snowman")):
    one = open_dataset(folder, resolution=96, style="clean").subset([name])
    picture = one.pictures(torch.tensor(one.class_ids), torch.tensor([3]))[0]
    plt.imsave(f"own/{name}.png", picture.permute(1, 2, 0).numpy())
signs, files = sorted(os.listdir("pictures")), ["own/leo.png", "own/snowman.png"]
named = {}
for about, asked in {"the signs": signs, "and a snowman": [*signs, "snowman"]}.items():
    named[about] = name_pictures(PromptedCLIP(clip, learner, asked), files, top=4)
    print(f"{about}:\n{named[about].round(1).to_string(index=False)}\n")
figure, axes = plt.subplots(2, 3, figsize=(9, 4.4), layout="constrained")
said = []
for line, file in zip(axes, files, strict=True):
    line[0].imshow(plt.imread(file))
    line[0].set_axis_off()
    for ax, (about, table) in zip(line[1:], named.items(), strict=True):
        rows = table[table.path == file]
        found = dict(zip(rows.class_name, rows.probability / 100, strict=True))
        plot_probabilities(found, truth=Path(file).stem, ax=ax)
        ax.set_title(about, fontsize="medium", loc="left")
        said.append(f"{file}, {about}: {rows.class_name.iloc[0]} {rows.probability.iloc[0]:.0f}%")
show(figure, f"Two pictures and their most probable names. {'; '.join(said)}.")
maple_lite(f"predict maple.safetensors {' '.join(files)} --classes leo virgo snowman --top 2")

# %% [markdown]
# A probability here compares names **with each other**: softmax shares out 100% among those that
# you gave, whatever the picture shows. It never says "none of these". (Lesson 11 asks how to tell
# strangers apart.) And a list of names is a decision: one name more, and the shares are dealt anew.
#
# ## 9 · The planner
#
# Now put your functions together: `run_steps`, `kept_mib`, and one more count. A token costs a
# layer about 24 · width² multiplications and additions forward, and as many again backward: with
# frozen weights, only the inputs have gradients. (With trained weights it would be twice as many.)
# A chunk is computed once more.


# %%
def work(rows, tokens, width, layers):
    """GFLOPs of a tower, forward and backward, its weights frozen."""
    return 2 * rows * tokens * layers * (24 * width**2 + 4 * tokens * width) / 1e9


prompted, sizes = PromptedCLIP(clip, untrained, names[:100]), clip.shape
mine = work(*prompted.tokens.shape, sizes["text_width"], sizes["text_layers"])
mine += work(4, tokens_of_image, sizes["vision_width"], sizes["vision_layers"])
told = work(50, 9, 512, 12) + work(4, 199, 768, 12)
counted = costs.query("batch == 4").loc["step_gflops", "value"]
print(f"ViT-B/16, 50 classes: {told:.0f} GFLOPs by this rule, {counted:.0f} counted")
speed = mine / measured[100]
print(f"this machine, with the CLIP of this notebook: {speed:,.0f} GFLOPs in a second")
share = {"fp32": 1.0}
with torch.autocast(clip.device.type, torch.bfloat16):
    small = saved_bytes(prompted.encode_classes, prompted.parameters())
share["bf16"] = small / saved_bytes(prompted.encode_classes, prompted.parameters())
print(f"bf16 keeps {100 * share['bf16']:.0f}% of what fp32 keeps (copies of weights included)")

# %%
towers = {"ViT-B/16": (512, 12, 768, 12, 197), "ViT-L/14": (768, 12, 1024, 24, 257)}
own_sizes = ("text_width", "text_layers", "vision_width", "vision_layers")
towers["this notebook's"] = (*(sizes[name] for name in own_sizes), tokens_of_image - 2)


def estimate(model, classes, batch, precision, chunk):
    """GiB of a MaPLe step by part, and its GFLOPs: 16 shots, sentences of 12 tokens."""
    d_t, text_layers, d_v, vision_layers, tokens = towers[model]
    base = (classes + 1) // 2
    weights = 12 * (d_t**2 * text_layers + d_v**2 * vision_layers) + 49408 * d_t
    prompts = -(-9 * text_layers // 12) * (2 * d_t + d_t * d_v + d_v)
    kept = {
        "frozen weights": weights * 4 / 2**30,
        "prompts, gradient, momentum": 3 * prompts * 4 / 2**30,
        "text tower": share[precision] * kept_mib(base, 12, d_t, text_layers, chunk) / 1024,
        "image tower": share[precision] * kept_mib(batch, tokens + 2, d_v, vision_layers) / 1024,
    }
    again = 1.5 if chunk and chunk < base else 1
    flops = again * work(base, 12, d_t, text_layers) + work(batch, tokens + 2, d_v, vision_layers)
    return kept, flops


# %%
def draw_memory(ax, kept):
    """GiB by part as one bar, and the cards that are near."""
    total, left = sum(kept.values()), 0
    colours = ("#999999", COLOURS["maple"], LANGUAGE, VISION)
    for (part, gib), colour in zip(kept.items(), colours, strict=True):
        ax.barh(0, gib, left=left, color=colour, edgecolor="white", label=f"{part}: {gib:.2f}")
        left += gib
    cards = [card for card in (2, 4, 8, 16, 24, 80) if card < max(2.1, 1.7 * total)]
    for card in cards:
        ax.axvline(card, ymin=0.55, color="#333333", linestyle=":")
        ax.text(card, 0.5, f" {card} GB", fontsize="small")
    ax.set(xlabel="memory of a step (GiB)", yticks=[], ylim=(-2.2, 0.9))
    ax.set(xlim=(0, 1.15 * max(total, *cards)))
    ax.legend(frameon=False, loc="lower left", fontsize="small")


# %%
def plan(dataset, model, batch, precision, chunk):
    """Memory of a step of MaPLe by part, and minutes of the whole run at several speeds."""
    classes = int(table_of_sets.classes[dataset])
    kept, flops = estimate(model, classes, batch, precision, chunk or None)
    steps = run_steps(classes, 16, 5, batch)
    speeds = {"this machine": speed, "1 TFLOP/s": 1e3, "10 TFLOP/s": 1e4, "100 TFLOP/s": 1e5}
    times = [steps * flops / rate / 60 for rate in speeds.values()]
    figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
    draw_memory(axes[0], kept)
    axes[1].plot(times, list(speeds), "o", color=COLOURS["maple"])
    for name, took in zip(speeds, times, strict=True):
        text = f"{took:.2g}" if took < 100 else f"{took:,.0f}"
        axes[1].annotate(text, (took, name), (8, 0), textcoords="offset points", va="center")
    axes[1].set(xscale="log", xlabel=f"minutes of {steps:,} steps", xlim=(None, 8 * max(times)))
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    setting = f"{model}, {dataset}, batch {batch}, {precision}, chunk {chunk or 'none'}"
    said = f"{sum(kept.values()):.2f} GiB in a step; {steps:,} steps, {times[2]:.2g} minutes"
    return figure, f"{setting}: {said} at 10 TFLOP/s."


controls = {"dataset": list(table_of_sets.index), "model": list(towers), "batch": [4, 1, 32]}
explore(plan, **controls, precision=list(share), chunk=[0, 25, 100])

# %% [markdown]
# It is an estimate: the libraries' own memory comes on top (half a GiB and more on a GPU), and no
# card reaches its peak speed with batches of four. Set `ImageNet`, `ViT-L/14`, and a chunk of 25.
# Then look which part is left, and what a batch of 32 does to it.
#
# ## 10 · And now for real
#
# On a machine with a GPU and a network, these lines are the paper's EuroSAT row. The first command
# fetches the pictures and the authors' split file; open_clip fetches the model. (Sizes are
# announced, and hashes are checked.)
#
# ```
# maple-lite datasets --fetch eurosat --root datasets
# maple-lite train --method maple --dataset eurosat --root datasets \
#     --model ViT-B-16-quickgelu --pretrained openai --seed 1
# maple-lite evaluate model.pth.tar-5 --dataset eurosat --root datasets \
#     --model ViT-B-16-quickgelu --pretrained openai
# maple-lite predict maple.safetensors holiday.jpg --classes forest "sea or lake" river
# ```
#
# or this whole notebook, with `MAPLE_LITE_MODE=full` and `MAPLE_LITE_DATASETS=datasets`. Do seeds
# 1, 2 and 3 before you compare: the paper's numbers are means of three.
#
# ## Recap
#
# - Steps come from the preset, seconds from ten measured steps: **multiply before you start**.
# - A tower keeps about 14 numbers per unit of width, for each token in each layer. With few classes
#   the pictures fill the memory, with many the sentences. Cutting sentences and chunks help, and
#   change no result.
# - A sample is a list, a seed **and** an order of draws.
# - A preset was tuned on somebody's pictures; cutting and mirroring is a part of it.
# - An average of eleven is no promise for your one. A probability compares the names that you gave.
# - A checkpoint is a table of names and tensors. Never let a stranger's file run code.
#
# **This was the last lesson.** You began with two encoders and a cosine. You have built seven
# methods on them, taken them apart, measured them, doubted them, and can now run them on anything.
#
# ## Going further
#
# - Take photographs of five things on your desk, 20 of each, and run this lesson on that folder.
# - `train("coop", data, clip, seed=seed)`: CoOp leaves the pictures alone. Does cutting hurt it as
#   much?
# - Train with `--epochs 10`, or `--shots 4`. The command says which settings are not the preset's.
# - `train("maple", data, clip, chunk=2)` gives the same numbers. How much longer does it take?
# - Papers: PromptSRC (2307.06948) and PromptKD (2403.02781) go on from here, in the same protocol.

# %%
ex.progress()
