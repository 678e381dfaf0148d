# %% [markdown]
# # 11 · Looking inside
#
# **You will ask a trained MaPLe what it has learned, in five ways, and find for each of them what
# it can show and what it cannot.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes; the computer takes one or two of them |
# | You need | lesson 08 (MaPLe); 03 (CoOp) and 02 (base and novel) behind it |
# | Papers | CoOp, arXiv 2109.01134, for nearest words; MaPLe, 2210.03117; more at the end |
#
# **You will be able to**
#
# - find the words nearest to a learned prompt, and test whether they mean anything;
# - measure how much attention a prompt gets, and know that this is not what it does;
# - read a t-SNE map without being fooled by it;
# - see classes behind an average: who gains, who loses, who is taken for whom;
# - say how well a model notices what it does not know: AUROC, and false alarms at 95%.
#
# There are five exercises. Each has a check, three hints, and a solution.
#
# ## Set-up

# %%
import math
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from maple_lite import CoOp, MaPLe, PromptedCLIP, PromptLearner, base_and_novel
from maple_lite import fit, load_clip, open_dataset, preset, seeded
from maple_lite.analysis import attention, features, ood, words
from maple_lite.course.plots import COLOURS, TITLES, plot_confusion, plot_detection, plot_features
from maple_lite.course.plots import plot_gains_by_frequency, plot_nearest_words
from maple_lite.course.plots import plot_prompt_attention
from maple_lite.experiments.published import read_results
from maple_lite.support.seeds import derived_seed
from maple_lite.experiments.summaries import spearman
from maple_lite.course import explore, session, show

ex = session("11_looking_inside")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16, and wants a GPU
clip = load_clip("glyphs") if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
print(f"mode {mode}, seed {seed}, device {clip.device}")

# %% [markdown]
# Two learners to look into, trained now on the base classes of the zodiac: CoOp, whose prompts
# stand in the first text layer alone, and MaPLe, which prompts five layers of both towers. We keep
# what they started from.


# %%
def train(kind, method, data):
    """A learner trained on a dataset's classes by the paper's settings, and its state before."""
    learner_kwargs, fit_kwargs = preset(method, clip=clip)
    with seeded(derived_seed(seed)):
        learner = kind(clip, **learner_kwargs)
    start = {name: weight.detach().clone() for name, weight in learner.state_dict().items()}
    model = PromptedCLIP(clip, learner, data.class_names)
    settings = {**fit_kwargs, "seed": seed, "cache_features": not learner.vision_prompts()}
    history = fit(model, data.train(shots=16, seed=seed), **settings, bar=False)
    print(f"{TITLES[method]} on {data.name}: {history.seconds:.0f} seconds")
    return learner, start


zodiac = open_dataset("zodiac", clip=clip)
halves = dict(zip(("base", "novel"), map(zodiac.subset, base_and_novel(12)), strict=True))
learners = {"zeroshot": PromptLearner(zodiac.template)}
learners["coop"], coop_start = train(CoOp, "coop", halves["base"])
learners["maple"], maple_start = train(MaPLe, "maple", halves["base"])

# %% [markdown]
# Most of this lesson looks at the same test pictures again and again, so we encode them once: by
# CLIP's own image tower (which zero-shot and CoOp share) and by the one with MaPLe's prompts.

# %%
chess = open_dataset("chess", clip=clip).subset(range(0, 12, 2))
encoded = {}  # (method, pictures) -> image features [N, D] and labels [N]
for name, data in {**halves, "chess": chess}.items():
    for method in ("zeroshot", "maple"):
        model = PromptedCLIP(clip, learners[method], data.class_names)
        encoded[method, name] = features.features(model, data.test())
        encoded.setdefault(("coop", name), encoded["zeroshot", name])


@torch.no_grad()
def logits_of(learner, images, half="base"):
    """Logits [N, C] of image features [N, D] for the classes of a half of the zodiac."""
    model = PromptedCLIP(clip, learner, halves[half].class_names)
    return model.classify(images.to(clip.device), model.encode_classes()).cpu()


def percent_right(learner, method, half):
    """Accuracy in percent of a learner's text with the image features of a method."""
    seen, labels = encoded[method, half]
    return 100 * (logits_of(learner, seen, half).argmax(dim=-1) == labels).float().mean().item()


for method, learner in learners.items():
    row = [f"{half} {percent_right(learner, method, half):5.1f}" for half in halves]
    print(f"{TITLES[method]:<10}", "   ".join(row), f"  live (seed {seed})")

# %% [markdown]
# ## 1. Which words did it learn?
#
# CoOp's first prompt tokens are vectors in the place where words stand. So one asks: which words
# are they close to? The authors of CoOp did, and took the Euclidean distance.
#
# First we must know where words *are*. Every token id has a row in the embedding of the text tower.
# CLIP's tokenizer knows 49,408 tokens. Ours, the tiny CLIP, has read captions of a few hundred
# words; the rows of all others were never trained, and stand at zero.

# %%
ids = words.single_tokens(
    words.known_words(clip) if mode == "fast" else words.vocabulary()
)  # {word: token id}
word_of = {number: word for word, number in ids.items()}
known = torch.tensor(list(ids.values()), device=clip.device)  # [W]
embeddings = clip.text.token_embedding.weight.detach()  # [V, d_t]
lengths = embeddings[known].norm(dim=-1)  # [W]
print(f"embeddings {list(embeddings.shape)} = [V, d_t], known words {list(known.shape)} = [W]")
print(f"rows of zeros: {(embeddings.norm(dim=-1) == 0).sum().item():,}")
short = ", ".join(word_of[number] for number in known[lengths.argsort()[:4]].tolist())
print(f"length of a word: {lengths.min():.2f} to {lengths.max():.2f}; the shortest are {short}")
between = torch.cdist(embeddings[known], embeddings[known])  # [W, W]
gap = between.fill_diagonal_(math.inf).amin(dim=1).median().item()
print(f"from a word to the nearest other word: {gap:.2f} (median)")

# %% [markdown]
# ### Exercise 11.1: the nearest words
#
# Return, for each of the n tokens of a prompt, the **token ids** of the k words whose embeddings
# are nearest to it, the nearest first. Only the rows `known` are words. Stuck? `ex.hint("11.1")`


# %% tags=["exercise"]
def nearest(prompt, embeddings, known, k):
    """Token ids [n, k] of the words nearest to a prompt [n, d], among ids `known` [W] of [V, d]."""
    # SOLUTION
    distances = torch.cdist(prompt, embeddings[known])  # [n, W]
    return known[distances.topk(k, largest=False).indices]  # [n, k]
    # END SOLUTION
    # STUB: raise NotImplementedError("11.1: write me")


# %% tags=["check"]
nearest = ex.check("11.1", nearest)


# %%
def words_near(prompts, k=2):
    """A row (layer, token, rank, word, distance) for the k words nearest to each prompt token."""
    rows = []
    for layer, prompt in enumerate(prompts, start=1):
        found = nearest(prompt.detach(), embeddings, known, k)  # [n, k]
        for token, near in enumerate(found.tolist(), start=1):
            for rank, number in enumerate(near, start=1):
                distance = (prompt[token - 1] - embeddings[number]).norm().item()
                rows.append((layer, token, rank, word_of[number], distance))
    return pd.DataFrame(rows, columns=["layer", "token", "rank", "word", "distance"])


near = {method: words_near(learners[method].text_prompts()) for method in ("coop", "maple")}
figure, axes = plt.subplots(2, 1, figsize=(7.5, 6), height_ratios=(1, 3.6), layout="constrained")
for ax, (method, found) in zip(axes, near.items(), strict=True):
    plot_nearest_words(found, top=2, ax=ax)
    ax.set_title(TITLES[method], loc="left")
    ax.collections[0].colorbar.set_label("distance")
best = {method: found[found["rank"] == 1].word.tolist() for method, found in near.items()}
show(
    figure,
    "The two words nearest to each prompt token, with their distances, darker where nearer. "
    f"Nearest for CoOp: {', '.join(best['coop'])}. For MaPLe, layer by layer, two tokens each: "
    f"{', '.join(best['maple'])}.",
)

# %% [markdown]
# A nearest word there always is. Before you read a story into it, compare distances: with the gap
# between two words (above), with how far the token has moved, and with what an **untrained** prompt
# would have shown.

# %%
untrained = {"coop": [coop_start["ctx"]]}
untrained["maple"] = [maple_start[f"text.{i}"] for i in range(len(learners["maple"].text))]
rows = []
for method, prompts in untrained.items():
    before = words_near(prompts, k=1)
    after = near[method][near[method]["rank"] == 1].reset_index(drop=True)
    now, then = (torch.cat(list(p)).detach() for p in (learners[method].text_prompts(), prompts))
    found = {"method": TITLES[method], "layer": after.layer, "token": after.token}
    found |= {"began near": before.word, "at": before.distance, "is near": after.word}
    found |= {"at ": after.distance, "moved by": (now - then).norm(dim=-1).tolist()}
    rows.append(pd.DataFrame(found | {"length": now.norm(dim=-1).tolist()}))
table = pd.concat(rows)
print(table.to_string(index=False, float_format="%.2f"))
closer = (table["at "] < gap / 2).sum()
same = (table["at"] == 0) & (table["began near"] == table["is near"])
kept = (same & (table["at "] < gap / 2)).sum()
print(f"\nTokens nearer to a word than half of the gap between words ({gap:.2f}): {closer}")
print(f"of {len(table)}; {kept} of these {closer} are still near the word that they were.")

# %% [markdown]
# Read off: where a token *is* a word, is it one that was put there at the start? And which word
# did the deep prompts begin near, most of all? They began as random vectors close to zero, and
# close to zero the nearest word is one of the **shortest**, whatever it means.
#
# Deep prompts have no reason to be near words at all. At the input of layer 3 no word's embedding
# ever stands: the tokens there are what two layers have made of them. We compare with embeddings
# for want of anything better.
#
# ### A test for the story
#
# If CoOp had learned *words*, we could type them. Replace each of its vectors by its nearest word.
# CoOp gained some points over zero-shot on the base classes. Which part of that gain is left?

# %% tags=["exercise"]
# SOLUTION
guess = "less than a quarter"
# END SOLUTION
# STUB: guess = None  # "more than three quarters", "in between" or "less than a quarter"
answers = ("more than three quarters", "in between", "less than a quarter")
ex.predict("11.a", guess, choices=answers)

# %%
typed = CoOp(clip, **learners["coop"].config)
typed.ctx.data.copy_(embeddings[nearest(learners["coop"].ctx.detach(), embeddings, known, 1)[:, 0]])
name = f'CoOp, typed: "{" ".join(best["coop"])}"'
rows = {"zero-shot": learners["zeroshot"], "CoOp, learned": learners["coop"], name: typed}
base = {}
for name, learner in rows.items():
    base[name] = percent_right(learner, "coop", "base")
    novel = percent_right(learner, "coop", "novel")
    print(f"{name:<44} base {base[name]:5.1f}   novel {novel:5.1f}   live (seed {seed})")
first, learned, last = base.values()
left = (last - first) / (learned - first)
print(f"Gain on base classes: learned {learned - first:+.1f} points, typed {last - first:+.1f}")
ex.outcome("11.a", answers[0] if left > 0.75 else answers[1] if left > 0.25 else answers[2])
ex.expect("CoOp, base, typed", last)

# %% [markdown]
# Compare the last two lines. As far as the gain is gone, the words are no translation: what CoOp
# learned lies in the *distance* to them. A prompt is a place between words, where no sentence can
# go.
#
# ## 2. Who looks at the prompts?
#
# In each layer, attention lets every token collect from others. For each head, row i of the weights
# says how token i divides its attention; a row sums to 1. Only two tokens are read out at the end:
# **CLS** from the image tower, **EOT** from the text tower. How much of *their* row goes to the
# prompts? Blocks of open_clip do not give their weights away; `attention_weights` computes them
# again from what a block reads, and `block_inputs` lists that for every block of a tower.

# %%
model = PromptedCLIP(clip, learners["maple"], halves["base"].class_names)
with torch.no_grad():
    tower = clip.text_tower(clip.text, model.tokens)
    block, x, mask = attention.block_inputs(tower, model.learner.text_prompts())[0]
    weights = attention.attention_weights(block, x, mask)  # [C, heads, L, L]
ends = model.tokens.argmax(dim=-1)  # [C]: EOT is the largest token id
print(f"layer 1 of the text tower reads {list(x.shape)} = [C, L, d_t]")
print(f"attention weights {list(weights.shape)} = [C, heads, L, L]; EOT at {ends.tolist()}")
row = weights.mean(dim=1)[0, ends[0]]  # [L]
print("first class, EOT's row, mean of the heads:", ", ".join(f"{v:.2f}" for v in row.tolist()))
print(f"sum {row.sum():.2f}; the prompts, places 1 and 2: {row[1:3].sum():.2f}")

# %% [markdown]
# ### Exercise 11.2: the share of attention
#
# Return the share of attention that the reading token of every example pays to the prompts,
# averaged over the heads: `[R]` numbers. Example r is read at token `readers[r]`; the prompts stand
# at `places`, the same for all examples. Stuck? `ex.hint("11.2")`


# %% tags=["exercise"]
def prompt_share(weights, readers, places):
    """Shares [R] of weights [R, heads, L, L] that tokens `readers` [R] pay to `places` [n]."""
    # SOLUTION
    examples = torch.arange(len(weights), device=weights.device)
    rows = weights[examples, :, readers]  # [R, heads, L]: what each reader pays to all tokens
    return rows[:, :, places].sum(dim=-1).mean(dim=-1)  # [R]
    # END SOLUTION
    # STUB: raise NotImplementedError("11.2: write me")


# %% tags=["check"]
prompt_share = ex.check("11.2", prompt_share)


# %%
@torch.no_grad()
def shares_of(learner, images, names):
    """A row (tower, layer, share, uniform) per layer and example, by your function."""
    model = PromptedCLIP(clip, learner, names)
    vision, text = learner.vision_prompts(), learner.text_prompts()
    n, own, rows = len(text[0]), clip.visual.positional_embedding.shape[0], []
    cls = torch.zeros(len(images), dtype=torch.long, device=clip.device)  # [B]
    eot = model.tokens.argmax(dim=-1)  # [C]
    towers = {
        "text": (clip.text_tower(clip.text, model.tokens), text, eot, 1, eot + 1),
        "vision": (clip.image_tower(clip.visual, images), vision, cls, own, cls + own + n),
    }
    for name, (tower, prompts, readers, first, seen) in towers.items():
        places = torch.arange(first, first + n, device=clip.device)
        for layer, read in enumerate(attention.block_inputs(tower, prompts), start=1):
            weights = attention.attention_weights(*read)  # [R, heads, L, L]
            found = prompt_share(weights, readers, places).tolist()
            even = (n / seen).tolist()  # of `seen` tokens that the reader may look at
            rows += [(name, layer, *pair) for pair in zip(found, even, strict=True)]
    return pd.DataFrame(rows, columns=["tower", "layer", "share", "uniform"])


# %%
some, _ = halves["base"].test().batch(range(0, len(halves["base"]), 5))
images, names = some.to(clip.device), halves["base"].class_names
fresh = MaPLe(clip, **learners["maple"].config)
fresh.load_state_dict(maple_start)
paid = {
    "untrained": shares_of(fresh.to(clip.device), images, names),
    "trained": shares_of(learners["maple"], images, names),
}
theirs = attention.attention_to_prompts(model, images)
gap_of = np.abs(theirs.share.sort_values().to_numpy() - paid["trained"].share.sort_values())
print(f"the package's shares differ from yours by {gap_of.max():.0e} at most")
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True, layout="constrained")
said = []
for ax, (title, found) in zip(axes, paid.items(), strict=True):
    plot_prompt_attention(found, ax=ax).set_title(f"{title} (live, seed {seed})")
    each = found.groupby(["tower", "layer"])[["share", "uniform"]].mean()
    for tower, rows in each.groupby("tower"):
        text = ", ".join(f"{100 * value:.0f}" for value in rows.share)
        said.append(f"{title} {tower} tower {text} (even: {100 * rows.uniform.mean():.0f})")
axes[0].get_legend().remove()
axes[1].set(ylabel="", ylim=(0, 100))
show(figure, f"Percent of attention to the prompts, layer by layer: {'; '.join(said)}.")
share = 100 * paid["trained"].query("tower == 'text'").groupby("layer").share.mean()
ex.expect("attention of EOT", share.mean())

# %% [markdown]
# The dashed lines are an **even share**: what the prompts would have if attention were equal over
# all tokens that the reader may see. Now compare the panels. In which tower do prompts get far more
# than an even share **before any training**, in most layers? Such a share is then no sign that
# something was learned. (And real attention is never even: it is a weak yardstick.) Which layers
# did training change?
#
# A share says where a token looks. What comes of it also depends on *what* is collected there, and
# on all later layers. So let us measure the effect itself: put text prompts back to their start,
# keep the trained image features, and count what is lost. First all layers of the text tower at
# once: nothing that the text prompts learned is left in the sentences. Of the points that MaPLe
# gained over zero-shot on the base classes, which part is left?

# %% tags=["exercise"]
# SOLUTION
guess = "more than a quarter"
# END SOLUTION
# STUB: guess = None  # "more than a quarter" or "less than a quarter"
ex.predict("11.b", guess, choices=("more than a quarter", "less than a quarter"))

# %%
prompts = [prompt.detach() for prompt in learners["maple"].text_prompts()]
seen, labels = (some.to(clip.device) for some in encoded["maple", "base"])


@torch.no_grad()
def right_with(prompts, seen=seen):
    """Base accuracy in percent of the trained image features with other text prompts."""
    said = model.classify(seen, clip.encode_text(model.tokens, prompts))
    return 100 * (said.argmax(dim=-1) == labels).float().mean().item()


whole, bare = right_with(prompts), right_with(untrained["maple"])
first = percent_right(learners["zeroshot"], "zeroshot", "base")
left = (bare - first) / (whole - first)
neither = right_with(untrained["maple"], encoded["zeroshot", "base"][0].to(clip.device))
print(f"Base accuracy, live (seed {seed}): zero-shot {first:.1f}, MaPLe {whole:.1f}")
print(f"text prompts at their start {bare:.1f}, and with CLIP's own image features {neither:.1f}")
effects = []
for i in range(len(prompts)):
    other = [untrained["maple"][j] if i == j else prompt for j, prompt in enumerate(prompts)]
    effects.append(right_with(other) - whole)
    print(f"layer {i + 1} alone at its start: {effects[-1]:+5.1f}   attention {share[i + 1]:3.0f}%")
ranked = spearman(share.iloc[: len(effects)], [-effect for effect in effects])
print(f"Spearman's rho of attention and points lost: {ranked:+.2f} ({len(effects)} layers)")
ex.outcome("11.b", "more than a quarter" if left > 0.25 else "less than a quarter")

# %% [markdown]
# Compare the columns. Is the layer with the largest share the one that loses most? Five layers and
# one run make no law, but you have seen both numbers, and only the first is about what a prompt
# *does*. Compare with the line above, too: all layers at once need not cost more than one of them,
# because layers that learned together fit each other. And where does that come from which is left
# without any of it? The last number of that line has the same sentences, but CLIP's own image
# features: what lies between the two is the image tower's doing.
#
# ## 3. A map of the pictures
#
# An image feature has 128 numbers. To see 300 of them on paper, 126 must go. Two ways:
#
# - **PCA** turns the cloud until its shadow is as wide as possible. It is linear: distances can
#   only shrink.
# - **t-SNE** moves points on paper until near neighbours are near. For that it gives up everything
#   else: how far groups are from each other, how large they are, how wide the gaps.
#
# Both are fitted on the features before *and* after prompting together, so that the panels of a row
# share their axes. The pictures are the test pictures of the base classes.

# %%
clouds = [encoded[method, "base"][0] for method in ("zeroshot", "maple")]  # 2 x [N, D]
truths = encoded["maple", "base"][1]  # [N]
flat = {
    "PCA": features.project(torch.cat(clouds), "pca"),
    "t-SNE": features.project(torch.cat(clouds), "tsne"),
}
panels = {}
for projection, points in flat.items():
    for method, part in zip(("zero-shot", "MaPLe"), np.split(points, 2), strict=True):
        panels[f"{method}, {projection}"] = part  # [N, 2]


def centres_of(points):
    """Class centres [C, d] of points [N, d]."""
    return torch.stack([points[truths == label].mean(dim=0) for label in truths.unique()])


def apart(points):
    """Distance between centres over that from the own centre; % with a neighbour of its class."""
    centres = centres_of(points)
    within = (points - centres[truths]).norm(dim=-1).mean()
    distances = torch.cdist(points, points).fill_diagonal_(math.inf)  # [N, N]
    same = (truths[distances.argmin(dim=1)] == truths).float().mean()
    return (torch.pdist(centres).mean() / within).item(), 100 * same.item()


# %%
names = [halves["base"].class_names[label] for label in truths]
figure, axes = plt.subplots(2, 2, figsize=(9.5, 7.5), layout="constrained")
said = []
for ax, (panel, points) in zip(axes.flat, panels.items(), strict=True):
    low, high = (edge(flat[panel.split(", ")[1]], axis=0) for edge in (np.min, np.max))  # [2], [2]
    margin = 0.06 * (high - low)
    limits = np.stack([low - margin, high + margin], axis=1)
    ax.set(xlim=limits[0], ylim=limits[1])
    frame = pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "class_name": names})
    plot_features(frame.assign(panel=panel), ax=ax)
    said.append(f"{panel} {apart(torch.tensor(points))[0]:.1f}")
show(
    figure,
    f"Four maps of {len(names)} test pictures of {len(set(names))} base classes: PCA above, t-SNE "
    "below, zero-shot CLIP left, MaPLe right. Every class is a group of points with its name. "
    f"Distance between groups over distance within, on paper: {', '.join(said)}.",
)

# %% [markdown]
# Compare the panels of a row. Did MaPLe pull the classes apart? It may look so, here or there. A
# number has to say it, and it is to be measured in **all** dimensions: the mean distance between
# class centres, divided by the mean distance of a picture from its own centre. And which share of
# pictures has one of its own class as its nearest neighbour?

# %%
full = {"zero-shot": clouds[0], "MaPLe": clouds[1]}
spaces = {f"{name}, all {points.shape[1]}": points for name, points in full.items()}
spaces |= {name: torch.tensor(points) for name, points in panels.items()}
for name, points in spaces.items():
    real = full[name.split(",")[0]]
    order = spearman(*(torch.pdist(centres_of(each)).tolist() for each in (real, points)))
    ratio, same = apart(points)
    print(f"{name:<19} between / within {ratio:4.2f}   same neighbour {same:3.0f}%   "
          f"order of centre distances kept: rho {order:+.2f}")  # fmt: skip
ex.expect("same neighbour, MaPLe, all dimensions", apart(clouds[1])[1])

# %% [markdown]
# Compare the first two rows with each other: how much farther apart did prompting bring the classes
# in all dimensions? Then compare with the four maps, which draw groups that are much more apart
# than the classes are. The last column compares,
# over all pairs of classes, who is far from whom on paper and in truth (1: the same order).
# Prompts need not tidy up the whole space: a logit asks only for the directions in which the six
# text features differ, and text features move, too.
#
# ### Exercise 11.3: what may stand below the map?
#
# One of these sentences may be read off a t-SNE map (and then be checked by counting). Which?
#
# - **A**: "The group of cancer is drawn smaller than that of leo: its pictures are more alike."
# - **B**: "Most pictures have pictures of their own class next to them."
# - **C**: "Aries lies next to leo and far from gemini: it is more often taken for leo."
# - **D**: "There are wide gaps between the groups: few pictures are near a border between classes."
#
# Stuck? `ex.hint("11.3")`

# %% tags=["exercise"]
# SOLUTION
choice = "B"
# END SOLUTION
# STUB: choice = None  # "A", "B", "C" or "D"

# %% tags=["check"]
choice = ex.check("11.3", choice)

# %% [markdown]
# ## 4. Classes behind the average
#
# On **novel** classes, MaPLe and zero-shot CLIP are often only a few points apart. Does that mean
# that nothing happened there? Of the six novel classes, how many does MaPLe change by ten points or
# more, up or down? (A class has fifty test pictures: one picture is two points.)

# %% tags=["exercise"]
# SOLUTION
guess = 2
# END SOLUTION
# STUB: guess = None  # 0, 1, 2, 3, 4, 5 or 6
ex.predict("11.c", guess, choices=tuple(range(7)))


# %%
def taken_for(method, half):
    """Counts [C, C] of test pictures: true classes in rows, predicted ones in columns."""
    seen, labels = encoded[method, half]
    said, names = logits_of(learners[method], seen, half).argmax(-1), halves[half].class_names
    counts = torch.bincount(len(names) * labels + said, minlength=len(names) ** 2)
    return pd.DataFrame(counts.view(len(names), -1).numpy(), index=names, columns=names)


counts = {(method, half): taken_for(method, half) for method in learners for half in halves}
right = {key: 100 * np.diag(table) / table.sum(axis=1) for key, table in counts.items()}
frequencies, rows = features.pretraining_frequencies("glyphs"), []
for half, data in halves.items():
    found = {"zero_shot": right["zeroshot", half], "prompted": right["maple", half]}
    seen = {"half": half, "frequency": frequencies[data.class_names]}
    rows.append(pd.DataFrame(found | seen))
gains = pd.concat(rows).rename_axis("class_name").reset_index()
gains["gain"] = gains.prompted - gains.zero_shot
print(gains.drop(columns="frequency").to_string(index=False, float_format="%.0f"))
novel = gains[gains.half == "novel"].gain
print(f"\nnovel classes: {novel.mean():+.1f} points on average (live, seed {seed}), ", end="")
print(f"from {novel.min():+.0f} to {novel.max():+.0f}")
ex.outcome("11.c", int((novel.abs() >= 10).sum()))

# %%
figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.3), layout="constrained")
said = []
for ax, method in zip(axes, ("zeroshot", "maple"), strict=True):
    table = counts[method, "novel"]
    plot_confusion(table, ax=ax, cbar=method == "maple").set_title(TITLES[method])
    wrong = table.where(~np.eye(len(table), dtype=bool), 0).stack()
    (truth, taken), most = wrong.idxmax(), wrong.max()
    said.append(
        f"{TITLES[method]} most often takes {truth} for {taken}, {2 * most:.0f}% of the time"
    )
show(
    figure, f"Confusion of the six novel classes, in percent of the true class. {'; '.join(said)}."
)

# %% [markdown]
# Compare the average with its parts. Prompts learned on other classes move the borders between the
# novel ones, some the right way and some the wrong way, and the average adds both up.
#
# ### Do rare classes gain more?
#
# In pretraining the tiny CLIP saw some symbols up to ten times as often as others, on purpose. So
# one may ask: does prompting help above all where pretraining was poor? Twelve classes are few, so
# we train MaPLe on one more dataset, the planets (live, as all of this section).

# %%
planets = open_dataset("planets", clip=clip)
parts = dict(zip(("base", "novel"), map(planets.subset, base_and_novel(14)), strict=True))
other, _ = train(MaPLe, "maple", parts["base"])
rows = [gains]
for half, data in parts.items():
    both = [PromptLearner(planets.template), other]
    models = [PromptedCLIP(clip, learner, data.class_names) for learner in both]
    rows.append(features.gain_by_frequency(*models, data.test(), frequencies).assign(half=half))
classes = pd.concat(rows, ignore_index=True)


def by_chance(x, y, times=2000):
    """Spearman's rho, and the percent of shuffles whose rho is at least as far from 0."""
    first, second = (pd.Series(list(each)).rank().to_numpy() for each in (x, y))
    rng = np.random.default_rng(0)
    shuffled = [np.corrcoef(first, rng.permutation(second))[0, 1] for _ in range(times)]
    return spearman(x, y), 100 * np.mean(np.abs(shuffled) >= abs(spearman(x, y)) - 1e-9)


# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
said = []
for ax, (half, some) in zip(axes, classes.groupby("half"), strict=True):
    plot_gains_by_frequency(some.assign(method="maple", split=half), labels=3, ax=ax)
    rho, chance = by_chance(some.frequency, some.gain)
    said.append(f"{half} {rho:+.2f} ({len(some)} classes)")
    print(
        f"{half}: frequency and gain         rho {rho:+.2f}; by chance as far from 0: {chance:.1f}%"
    )
    rho, chance = by_chance(some.zero_shot, some.gain)
    print(f"{half}: zero-shot accuracy and gain rho {rho:+.2f}; by chance: {chance:.1f}%")
rho, chance = by_chance(classes.frequency, classes.zero_shot)
print(f"all: frequency and zero-shot accuracy rho {rho:+.2f}; by chance: {chance:.1f}%")
show(
    figure,
    "Gain of MaPLe over zero-shot for each class of zodiac and planets, against its frequency in "
    f"pretraining, base classes left and novel classes right. Spearman's rho: {', '.join(said)}.",
)

# %% [markdown]
# "By chance" shuffles one column two thousand times: how often is rho as far from 0 as ours, if
# nothing is related to anything? With thirteen classes, a rho of 0.5 comes up in about one of
# twelve shuffles. So a line where chance does this in more than 5% of the cases carries no claim.
#
# And watch for a trap in the other lines. A class with 96% can gain 4 points at most. Besides, the
# gain *contains* the zero-shot accuracy, with a minus sign: a class that had bad luck in its fifty
# pictures before will seem to gain. Gain against its own starting point is related to it for these
# reasons alone, and it drags along whatever else goes with that starting point.
#
# ## 5. Does it know what it does not know?
#
# The model above knows six signs. Show it a seventh, or a chess piece: it will still name one of
# its six. Could one at least *notice*? A simple detector takes the model's confidence, and says
# "stranger" where that is low. Ours are the novel signs, and six chess pieces. Two kinds of
# confidence:
#
# - the **maximum logit**: how well the best sentence fits the picture;
# - the **maximum softmax**: how much better it fits than the other sentences.

# %%
outside = {"novel zodiac": "novel", "chess": "chess"}
confidence = {}  # (score, method, pictures) -> [N], in float64: in float32 many softmaxes are 1
for method, learner in learners.items():
    for name in ("base", *outside.values()):
        logits = logits_of(learner, encoded[method, name][0]).double()  # [N, 6]
        confidence["max logit", method, name] = logits.amax(dim=-1)
        confidence["max softmax", method, name] = logits.softmax(dim=-1).amax(dim=-1)
figure, axes = plt.subplots(1, 2, figsize=(10, 3), sharey=True, layout="constrained")
looks = {"base": ("-", "inside: base"), "novel": ("--", "novel zodiac"), "chess": (":", "chess")}
said = []
for ax, method in zip(axes, ("zeroshot", "maple"), strict=True):
    for name, (line, label) in looks.items():
        found = confidence["max logit", method, name]
        style = {"histtype": "step", "density": True, "linestyle": line, "linewidth": 1.6}
        ax.hist(found, 25, label=label, color=COLOURS[method], **style)
        said.append(f"{TITLES[method]} {label} {found.median():.1f}")
    ax.set(title=f"{TITLES[method]} (live, seed {seed})", xlabel="maximum logit")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("share of the pictures")
axes[0].set_yticks([])
axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
show(figure, f"Histograms of the maximum logit. Medians: {'; '.join(said)}.")

# %% [markdown]
# The curves overlap. How well do they separate? **AUROC** says it in one number, without a
# threshold: take one picture from inside and one from outside, at random. How often has the one
# inside the higher score?
#
# ### Exercise 11.4: AUROC
#
# Return that, in **percent** of all pairs. A pair with equal scores counts half. Do it by comparing
# all pairs: `inside` holds N scores, `outside` M. Stuck? `ex.hint("11.4")`


# %% tags=["exercise"]
def area_under_roc(inside, outside):
    """Percent of the pairs in which the score inside [N] is higher than the one outside [M]."""
    # SOLUTION
    higher = (inside[:, None] > outside).float()  # [N, M]
    equal = (inside[:, None] == outside).float()
    return 100 * (higher + equal / 2).mean().item()
    # END SOLUTION
    # STUB: raise NotImplementedError("11.4: write me")


# %% tags=["check"]
area_under_roc = ex.check("11.4", area_under_roc)

# %% [markdown]
# ### Exercise 11.5: false alarms at 95%
#
# In use one needs a threshold. A common choice: at least 95% of the pictures *inside* must pass
# (a score passes a threshold that it equals). Take the **highest** such threshold; it is one of the
# scores inside. Which percent of the strangers pass as well? This is the false positive rate at 95%
# true positives, **FPR95**. Stuck? `ex.hint("11.5")`


# %% tags=["exercise"]
def false_alarms(inside, outside):
    """Percent of scores outside [M] at or above the highest threshold that 95% inside [N] pass."""
    # SOLUTION
    passing = math.ceil(0.95 * len(inside))  # so many of those inside, at least
    threshold = inside.sort(descending=True).values[passing - 1]
    return 100 * (outside >= threshold).float().mean().item()
    # END SOLUTION
    # STUB: raise NotImplementedError("11.5: write me")


# %% tags=["check"]
false_alarms = ex.check("11.5", false_alarms)

# %% [markdown]
# MaPLe is the most accurate of the three on its six classes, or close to it. Is it also best at
# noticing the *other* signs of the zodiac? Say whose AUROC by the maximum logit is highest.

# %% tags=["exercise"]
# SOLUTION
guess = "zeroshot"
# END SOLUTION
# STUB: guess = None  # "zeroshot", "coop" or "maple"
ex.predict("11.d", guess, choices=("zeroshot", "coop", "maple"))

# %%
rows, off = [], 0.0
for (score, method, name), found in confidence.items():
    if name == "base":
        continue
    known_scores = confidence[score, method, "base"]
    yours = [float(measure(known_scores, found)) for measure in (area_under_roc, false_alarms)]
    theirs = [measure(known_scores, found) for measure in (ood.auroc, ood.fpr95)]
    rows.append((f"{score}, {name}", method, *yours))
    off = max(off, *(abs(one - other) for one, other in zip(yours, theirs, strict=True)))
print(f"the package's numbers differ from yours by {off:.0e} at most")
live = pd.DataFrame(rows, columns=["score", "method", "auroc", "fpr95"])
live = live.sort_values("score", kind="stable")
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), sharey=True, layout="constrained")
for ax, metric in zip(axes, ("auroc", "fpr95"), strict=True):
    plot_detection(live, metric, ax=ax)
axes[0].get_legend().remove()
wide = live.pivot(index="score", columns="method", values="auroc")[list(learners)]
said = "; ".join(f"{score}: {', '.join(f'{v:.0f}' for v in row)}" for score, row in wide.iterrows())
show(figure, f"AUROC and FPR95 of zero-shot, CoOp and MaPLe (live, seed {seed}). AUROC: {said}.")
ex.outcome("11.d", wide.loc["max logit, novel"].idxmax())
ex.expect("AUROC, max logit, novel, zero-shot", wide.loc["max logit, novel", "zeroshot"])
ex.expect("AUROC, max logit, novel, MaPLe", wide.loc["max logit, novel", "maple"])

# %% [markdown]
# One dataset and one seed. The stored table has three datasets (trained on base classes of zodiac,
# chess and digits), four methods and three seeds; outside are the novel classes of the same dataset
# and two other datasets.

# %%
table = read_results("glyphs/ood")
seeds = f"stored (seeds {table.seed.min()} to {table.seed.max()})"
kind = table.outside.where(table.outside == "novel", "other dataset")
each = table.assign(outside=kind).groupby(["outside", "score", "method", "seed"], sort=False)
over = each[["auroc", "fpr95"]].mean().groupby(["outside", "score", "method"], sort=False)
means, spreads = over.mean(), over.std()
print(f"AUROC and FPR95, mean over datasets, ± standard deviation over seeds, {seeds}")
for (out, score), rows in means.groupby(["outside", "score"], sort=False):
    print(f"\n{score} against {out}")
    for (_, _, method), row in rows.iterrows():
        wobble = spreads.loc[out, score, method]
        cells = [f"{name} {row[name]:5.1f} ± {wobble[name]:4.1f}" for name in rows.columns]
        print(f"   {TITLES[method]:<10} {'   '.join(cells)}")
    first, second = rows.auroc.nlargest(2).items()
    print(f"   {TITLES[first[0][2]]} leads by {first[1] - second[1]:.1f} points of AUROC, ", end="")
    wins = each.auroc.mean().sort_index().loc[out, score].unstack("seed").idxmax()
    print(f"and in {(wins == first[0][2]).sum()} of {len(wins)} seeds")

# %%
low = table.loc[table.auroc.idxmin()]
under = table[table.auroc < 50].groupby(["method", "dataset", "score"]).size()
print(
    f"Lowest AUROC of {len(table)} rows: {low.auroc:.1f}. {TITLES[low.method]} on {low.dataset}, ",
    end="",
)
print(f"seed {low.seed}, {low.score}, against {low.outside}.\nRows below a coin (50):")
print("none" if under.empty else under.to_string(name=False))
keys = {"index": ["score", "dataset", "seed"], "columns": "method", "values": "auroc"}
pairs = table[table.outside == "novel"].pivot_table(**keys)
for score, better in (pairs.maple > pairs.zeroshot).groupby("score"):
    print(
        f"{score}, novel classes: MaPLe is above zero-shot in {better.sum()} of {len(better)} cases"
    )

# %% [markdown]
# Compare the blocks: does the same method lead by both scores, and against both kinds of strangers?
# Which conclusion would a paper have drawn that reports one of the four? (Zero-shot trains nothing,
# and so all its seeds agree.)
#
# An AUROC *below* 50 means that strangers look **more** familiar than the known classes. How can
# that be? One explanation, which the table does not test: prompts in the image tower change the
# features of *every* picture. They learn to bring pictures close to one of the known sentences, and
# nobody asked that only the right pictures come. Zero-shot and CoOp leave the image features as
# they are. (A test of it is proposed at the end.)
#
# Cross-entropy on known classes never sees a stranger. That a method is accurate inside is no
# reason to trust it outside: measure it.
#
# ## Look for yourself
#
# Choose a method, a score, who stands outside, and which percent of those inside must pass. The
# threshold moves; what gets in with them?


# %%
def detector(method, score, strangers, passing):
    """Histograms of a score inside and outside, a threshold, and what passes it."""
    kind = {title: name for name, title in TITLES.items()}[method]
    inside = confidence[score, kind, "base"]
    out = confidence[score, kind, outside[strangers]]
    limit = inside.sort(descending=True).values[math.ceil(passing / 100 * len(inside)) - 1].item()
    let_in = 100 * (out >= limit).float().mean().item()
    figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
    both = torch.cat([inside, out])
    edges = np.linspace(both.min().item(), both.max().item(), 40)
    ax.hist(inside, edges, color=COLOURS[kind], alpha=0.45, label="inside: base classes")
    ax.hist(out, edges, histtype="step", color="#333333", label=f"outside: {strangers}")
    ax.axvline(limit, color="#333333", linestyle="--", label="threshold")
    ax.set(xlabel=score, ylabel="pictures", title=f"{method}: {let_in:.0f}% of the strangers pass")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    ax.spines[["top", "right"]].set_visible(False)
    near_one = 0.99999 < limit <= 1  # as softmaxes are
    at = "more than 0.99999" if near_one else f"{limit:.5g}"
    said = f"at a threshold of {at} that {passing}% inside pass, {let_in:.0f}% pass, too"
    return figure, f"{method}, {score}, against {strangers}: {said}."


titles = [TITLES[method] for method in ("maple", "zeroshot", "coop")]
controls = {"method": titles, "score": ["max logit", "max softmax"], "strangers": list(outside)}
explore(detector, **controls, passing=[95, 99, 90, 80, 50])

# %% [markdown]
# ## Recap
#
# | a look inside | shows | does not show |
# |---|---|---|
# | nearest words | how far a prompt is from language | what the prompt means |
# | attention | where CLS and EOT look | what that changes |
# | a map | neighbours (t-SNE), the widest shadow (PCA) | distances, sizes, gaps, borders |
# | classes, confusion | who gains, who loses | why; fifty pictures each |
# | AUROC, FPR95 | whether strangers are noticed | with which threshold in your own world |
#
# - A nearest word always exists. Type it in, and see what is left.
# - Compare with an **untrained** prompt before you explain a trained one.
# - Claims come from numbers in all dimensions, with a baseline, and with more than one run.
#
# ## Going further
#
# - Which words are near by *cosine* similarity? `maple_lite.analysis.words.nearest_words(...,
#   measure="cosine")`. Do they change? Should they?
# - Draw the t-SNE map with another perplexity (scikit-learn's `TSNE(perplexity=5)`, then 100). What
#   stays, what goes?
# - Put **one layer of the image tower** back to its start, as we did in the text tower.
# - More classes for section 4: train on `"cards"` (52 classes) or `"greek"` (24). Does the sign of
#   rho stay?
# - Which half makes strangers look familiar? Take MaPLe's image features with the sentences of
#   zero-shot, and the reverse, and compute AUROC for both.
# - Look at IVLP: is the share of attention different when nothing couples the two towers?
# - Papers: CoOp (arXiv 2109.01134) on nearest words; Jain and Wallace, *Attention is not
#   Explanation* (1902.10186); Hendrycks and Gimpel on maximum softmax (1610.02136), and Hendrycks
#   et al. on maximum logits (1911.11132); Wattenberg et al., *How to Use t-SNE Effectively*,
#   Distill 2016.

# %%
ex.progress()
