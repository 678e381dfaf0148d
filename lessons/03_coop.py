# %% [markdown]
# # 03 · CoOp: learn the words
#
# **You will replace the words "a photo of a" by numbers, and let gradient descent find better
# ones.**
#
# | | |
# |---|---|
# | Time | 60 to 90 minutes |
# | You need | lessons 01 (similarity, logit scale) and 02 (templates, shots, base and novel) |
# | The paper | CoOp: Zhou et al., *Learning to Prompt for Vision-Language Models*, 2109.01134 |
#
# **You will be able to**
#
# - put learned tokens into a sentence, and read them with CLIP's own text tower;
# - train them, and nothing else;
# - find a bug by the loss curve that it makes;
# - say what CoOp gains and what it pays, with your numbers beside the paper's.
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
from maple_lite.analysis.words import nearest_words
from maple_lite.course import explore, session, show
from maple_lite.course.planted import planted_curves, planted_tower
from maple_lite.course.plots import TITLES, plot_bars, plot_base_to_novel, plot_lines, plot_loss
from maple_lite.course.plots import plot_picture, plot_probabilities, plot_prompts, plot_two
from maple_lite.experiments.published import compare_methods, read_paper
from maple_lite.support.batches import batches
from maple_lite.support.seeds import derived_seed
from maple_lite.tokens import tokenizer
from maple_lite.training import image_features as features_of
from maple_lite.training import learning_rate

ex = session("03_coop")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16: a GPU helps
clip = load_clip() if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
print(f"mode {mode}, seed {seed}, device {clip.device}, {clip.text_layers} text layers")

# %% [markdown]
# We take the plants again, half of them base and half novel. CoOp changes only what enters the text
# tower. So the features of a picture never change. We encode every picture **once** and keep the
# result. After that, training takes seconds. (The authors flip and crop the training pictures at
# random, and so they must encode them in every step. We do not, in this course.)


# %%
def encoded(pictures):
    """Image features [N, D] and labels [N] of a dataset, from the frozen image tower."""
    model = PromptedCLIP(clip, PromptLearner(), pictures.class_names)
    return tuple(column.to(clip.device) for column in features_of(model, pictures).tensors)


@torch.no_grad()
def percent(model, pairs):
    """Accuracy of a model on encoded pictures (image features [N, D], labels [N]), in percent."""
    image_features, labels = pairs
    return 100 * (model.classify(image_features).argmax(dim=-1) == labels).float().mean().item()


plants = open_dataset("plants", clip=clip)
base, novel = (plants.subset(ids) for ids in base_and_novel(len(plants.class_names)))
train_16 = encoded(base.train(shots=16, seed=seed))  # [208, D], [208]
tests = {"base": encoded(base), "novel": encoded(novel)}
print("training:", [list(column.shape) for column in train_16])

# %% [markdown]
# ## 1 · Which words?
#
# In lessons 01 and 02 you wrote sentences yourself. How much does the wording matter? Here are some
# sentences that mean almost the same. One of them is nonsense.
#
# **Prediction 03.a.** How many points of accuracy lie between the best and the worst of them, on
# the base classes?

# %% tags=["exercise"]
# STUB: guess = None  # "under 3", "3 to 15" or "over 15"
# SOLUTION
guess = "3 to 15"
# END SOLUTION
ex.predict("03.a", guess, choices=("under 3", "3 to 15", "over 15"))

# %%
written = ["{}", "{}.", "a photo of a {}", "a photo of a {}.", "a photo of many {}."]
written += ["{} photo a of.", plants.template]
by_words = {}
for template in written:
    model = PromptedCLIP(clip, PromptLearner(template), base.class_names)
    by_words[template] = percent(model, tests["base"])
gap = max(by_words.values()) - min(by_words.values())
ex.outcome("03.a", "under 3" if gap < 3 else "3 to 15" if gap <= 15 else "over 15")
ax = plot_bars(by_words, xlabel="accuracy on base classes (%)", ax=plt.figure(figsize=(7, 3)).gca())
show(
    ax.figure,
    "Accuracy on base classes: " + "; ".join(f"“{k}” {v:.0f}" for k, v in by_words.items()) + ".",
    f"Between the best and the worst sentence lie {gap:.1f} points.",
)

# %% [markdown]
# Look at what a full stop does. Nobody can say beforehand which sentence wins. CoOp's authors saw
# the same with photographs. On Caltech101, "a photo of a" is more than 5 points better than "a
# photo of" (arXiv 2109.01134, figure 1). Trying sentences by hand is slow, and we can only try
# those that we think of.
#
# ## 2 · A sentence is a table of numbers
#
# CLIP never sees words. It looks up a list of numbers for every token, the *embedding* of the
# token. A table enters the text tower: one row per token, and `d_t` numbers in each row.

# %% tags=["nbval-check-output"]
tokens = tokenize(["a photo of a tulip."]).to(clip.device)  # [1, L]
with torch.no_grad():
    x = clip.text.token_embedding(tokens)  # [C, L, d_t]
print("token ids: ", tokens[0].tolist())
print("tokens:    ", [tokenizer().decode([int(token)]).strip() for token in tokens[0]])
print("embeddings:", list(x.shape), "= [C, L, d_t]")
print("the two rows of 'a' are equal:", torch.equal(x[0, 1], x[0, 4]))

# %% [markdown]
# CoOp's idea is to replace the rows of "a photo of a" by rows that are *learned*:
#
# | | SOS | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
# |---|---|---|---|---|---|---|---|---|
# | by hand | SOS | a | photo | of | a | tulip | . | EOT |
# | CoOp | SOS | **v1** | **v2** | **v3** | **v4** | tulip | . | EOT |
#
# The four learned rows together are the **context**, a tensor `ctx` of shape `[n, d_t]`. It starts
# as the embeddings of "a photo of a". From there on it does not have to be words. Any numbers can
# stand there, and gradient descent chooses them.
#
# ### Exercise 03.1: write the context into the table
#
# Write `splice(x, prompt)`. It returns a new table, and leaves `x` as it is.
#
# - Positions 1 to n of every sentence hold the prompt.
# - SOS, everything after the prompt, and the length stay as they are.
# - The prompt is `[n, d]`, the same for all sentences, or `[C, n, d]`, one for each sentence.
#
# Stuck? `ex.hint("03.1")`


# %% tags=["exercise"]
def splice(x, prompt):
    """Token embeddings [C, L, d] with prompt [n, d] or [C, n, d] written over positions 1..n."""
    # STUB: raise NotImplementedError("03.1: write me")
    # SOLUTION
    n = prompt.shape[-2]
    prompt = prompt.expand(len(x), -1, -1)  # [C, n, d]
    return torch.cat([x[:, :1], prompt, x[:, 1 + n :]], dim=1)  # [C, L, d]
    # END SOLUTION


# %% tags=["check"]
splice = ex.check("03.1", splice)

# %% [markdown]
# ## 3 · Read it with the text tower
#
# The new table goes through CLIP's text tower as any sentence does. In lesson 01, this whole figure
# was grey. Now four blue prompt tokens stand in the first layer. P1 means "prompt of layer 1".

# %%
ax = plt.figure(figsize=(10.5, 4.6)).gca()
plot_prompts((clip.text_layers, clip.vision_layers), (1, 0), n_ctx=4, ax=ax)
show(
    ax.figure,
    "Both towers of CLIP. Four blue prompt tokens enter the first of "
    f"{clip.text_layers} layers of the text tower, after SOS and before the class name. The image "
    "tower and all other tokens are frozen.",
    "The prompt tokens enter in the first layer. The layers above change them, as they change all "
    "tokens.",
)

# %% [markdown]
# These are the parts of the tower, `clip.text`:
#
# | part | what it does | shape |
# |---|---|---|
# | `text.token_embedding(tokens)` | looks the tokens up | `[C, L]` → `[C, L, d_t]` |
# | `text.positional_embedding` | is added, and says where a token stands | `[77, d_t]` |
# | `text.transformer.resblocks` | a layer: `block(x, attn_mask=mask)` | `[C, L, d_t]` → same |
# | `text.attn_mask` | the causal mask: no token sees those after it | `[77, 77]` |
# | `text.ln_final` | the last layer norm | `[C, d_t]` → the same |
# | `text.text_projection` | a matrix into the joint space | `[d_t, D]` |
#
# A sentence is read at **EOT**, because EOT is the only token that has seen all the others. EOT has
# the largest token id of all. So `tokens.argmax(dim=-1)` finds it.
#
# ### Exercise 03.2: walk through the text tower
#
# Embed the tokens. If there are prompts, splice `prompts[0]` into the table. Add the positional
# embedding. Run the blocks. Take EOT's row of each sentence. Apply `ln_final`, project, and bring
# the result to length 1. Sentences are shorter than 77 tokens: use the first `length` rows of the
# positional embedding, and the first `length` rows and columns of the mask. Do not change the tower
# itself. Two traps:
#
# - The positional embedding is added **after** the splice, because learned tokens have places, too.
# - Pass the mask by its name, `attn_mask=`. Without its name, the block takes it for something
#   else, and raises no error.
#
# (`positions` is for prompts at other places. You do not need it.)
#
# Stuck? `ex.hint("03.2")`


# %% tags=["exercise"]
def encode_text(self, tokens, prompts=(), positions=None):
    """Unit-norm text features [C, D] of tokens [C, L], with prompts[0] in the first layer."""
    text, length = self.text, tokens.shape[1]
    # STUB: raise NotImplementedError("03.2: write me")
    # SOLUTION
    x = text.token_embedding(tokens)  # [C, L, d_t]
    if prompts:
        x = splice(x, prompts[0])
    x = x + text.positional_embedding[:length]
    for block in text.transformer.resblocks:
        x = block(x, attn_mask=text.attn_mask[:length, :length])
    end = tokens.argmax(dim=-1)  # [C]
    x = text.ln_final(x[torch.arange(len(x), device=x.device), end])  # [C, d_t]
    return F.normalize(x @ text.text_projection, dim=-1)  # [C, D]
    # END SOLUTION


# %% tags=["check"]
encode_text = ex.check("03.2", encode_text)

# %% [markdown]
# ## 4 · Gradients through a frozen tower
#
# Now install it. `MyCLIP` is a CLIP whose sentences are encoded by your function. Everything below
# uses it.
#
# An **untrained** CoOp has the embeddings of "a photo of a" in its slots. So it must give the same
# logits as zero-shot CLIP with "a photo of a {}.". Then we ask for the gradient of a loss. *Frozen*
# means that CLIP's weights do not change. It does not mean that gradients stop: they pass through
# all layers, down to the context.


# %%
class MyCLIP(FrozenCLIP):
    """The same weights, with a text tower that you wrote."""

    encode_text = encode_text


my_clip = MyCLIP(clip.model)
untrained = PromptedCLIP(my_clip, CoOp(my_clip, init="a photo of a"), base.class_names)
by_hand = PromptedCLIP(clip, PromptLearner("a photo of a {}."), base.class_names)
image_features, labels = train_16
logits = untrained.classify(image_features)  # [B, C]
print(
    f"largest difference of logits: {(logits - by_hand.classify(image_features)).abs().max():.1e}"
)

start_loss = F.cross_entropy(logits, labels)
torch.autograd.backward(start_loss)  # fills .grad, as start_loss.backward() does
weights = dict(untrained.named_parameters())
got = [name for name, weight in weights.items() if weight.grad is not None]
print(f"loss {start_loss.item():.2f}; of {len(weights)} tensors these got a gradient: {got}")

# %% [markdown]
# Only one tensor got a gradient: the context.

# %% [markdown]
# ## 5 · Bugs have curves
#
# A wrong text tower often raises no error. It only learns less. Can you see from the loss curve
# what is wrong? Here are four towers that train a context, on the same batches, for 15 epochs. One
# tower is right, and each of the others has one bug:
#
# - `"no bug"`: the tower is right.
# - `"no mask"`: the causal mask is missing, so tokens see the words after them.
# - `"gradient cut"`: a `.detach()` stands between the features and the loss.
# - `"reads SOS"`: the features are read from SOS and not from EOT.
#
# The dashed line is the loss of zero-shot CLIP with "a photo of a {}.".

# %%
curves = planted_curves(clip, base.class_names, *train_16, seed=seed)
four = curves[curves.tower != "E"].groupby(["tower", "epoch"], as_index=False).loss.mean()
ax = plot_lines(four, "epoch", "loss", "tower", ax=plt.figure(figsize=(8, 3.8)).gca())
ax.axhline(start_loss.item(), color="#7F7F7F", linestyle="--")
ends = four.groupby("tower").loss.agg(["first", "last"]).round(2)
show(
    ax.figure,
    "The mean loss of four towers over 15 epochs, first and last: "
    + "; ".join(f"{row.Index} {row.first} and {row.last}" for row in ends.itertuples())
    + f". Zero-shot CLIP: {start_loss.item():.2f}. Guessing among 13 names: 2.56.",
    "In the first epoch the learning rate is very small, so a curve begins at its untrained loss.",
)

# %% [markdown]
# ### Exercise 03.3: which tower has which bug?
#
# Write one of the four quoted names for each letter. Each name is used once. Reason before you try:
# where must each curve start, and can it fall?
#
# Stuck? `ex.hint("03.3")`

# %% tags=["exercise"]
# STUB: answer = None  # {"A": "...", "B": "...", "C": "...", "D": "..."}
# SOLUTION
answer = {"A": "reads SOS", "B": "no bug", "C": "gradient cut", "D": "no mask"}
# END SOLUTION

# %% tags=["check"]
answer = ex.check("03.3", answer)

# %%
fifth = (
    curves[curves.tower.isin(["B", "E"])].groupby(["tower", "epoch"]).loss.mean().unstack("tower")
)
print(fifth.iloc[[0, 1, 5, 14]].T.round(2).to_string())
some = tokenize([f"a photo of a {name}." for name in base.class_names]).to(clip.device)
with torch.no_grad():
    words = [clip.text.token_embedding(some)[0, 1:5]]  # [n, d_t], "a photo of a"
    gap = (planted_tower(clip, "E").encode_text(some, words) - clip.encode_text(some)).abs().max()
print(f"tower E with the words as its prompt: off CLIP's features by up to {gap:.0e}")
right = (my_clip.encode_text(some, words) - clip.encode_text(some)).abs().max()
print(f"yours: {right:.0e}")

# %% [markdown]
# Tower E adds the positional embedding *before* the splice, so its prompts have no places. Its
# curve looks as good as the right one. No curve would have told you. But a test does: with the
# words themselves as the prompt, the features must be CLIP's own, up to rounding. Run this test on
# every prompt learner before you train it.
#
# ## 6 · Train the context
#
# ### Exercise 03.4: the training loop
#
# Write the loop that trains the context. Return a list with the loss of every step, as plain
# numbers.
#
# - `epochs` gives the batches of one epoch after the other. You can walk through it only once,
#   while you train. `rates` gives the learning rate of each epoch. `zip` walks through both.
# - A batch is a pair of image features `[B, D]` and labels `[B]`. `model.classify(image_features)`
#   gives the logits `[B, C]`. The loss is cross-entropy.
# - The optimiser is SGD with momentum 0.9 and weight decay 5e-4. PyTorch keeps its learning rate in
#   `optimizer.param_groups[0]["lr"]`, and you can write a new one there.
#
# The question is what you give to the optimiser. `model.parameters()` holds all of CLIP.
# `model.learner` is the CoOp in it.
#
# Stuck? `ex.hint("03.4")`


# %% tags=["exercise"]
def train(model, epochs, rates):
    """Train what `model` has to learn; the loss of every step, a list of numbers."""
    # STUB: raise NotImplementedError("03.4: write me")
    # SOLUTION
    learned = model.learner.parameters()
    optimizer = torch.optim.SGD(learned, lr=1.0, momentum=0.9, weight_decay=5e-4)
    losses = []
    for pairs, rate in zip(epochs, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for image_features, labels in pairs:
            loss = F.cross_entropy(model.classify(image_features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses
    # END SOLUTION


# %% tags=["check"]
train = ex.check("03.4", train)

# %% [markdown]
# Around your loop we need shuffled batches and the rates. All methods of this course share the
# authors' schedule. In epoch 0 the rate is 1e-5. After that it falls from `lr` towards 0, along
# half a cosine. `learn` also notes the context before every epoch. We will look at it later.


# %%
def learn(model, pairs, *, epochs, lr, batch_size, draw=seed):
    """The losses of training on encoded pictures, and the context before every epoch."""
    data = torch.utils.data.TensorDataset(*(column.cpu() for column in pairs))
    notes = []

    def shuffled():
        for epoch in range(epochs):
            notes.append(model.learner.ctx.detach().clone())
            order = derived_seed(draw, epoch)
            yield batches(data, batch_size, len(model.class_names), clip.device, order)

    return train(model, shuffled(), [learning_rate(e, epochs, lr) for e in range(epochs)]), notes


# %% [markdown]
# The settings are the authors' for base-to-novel: 4 tokens from the words "a photo of a", and 200
# epochs. First a test: for ten epochs, are your losses those of `fit`, the loop of the package?

# %%
learner_kwargs, fit_kwargs = preset("coop", clip=clip)
print(learner_kwargs, fit_kwargs)
ten = {**fit_kwargs, "epochs": 10}
own = PromptedCLIP(my_clip, CoOp(my_clip, **learner_kwargs), base.class_names)
other = PromptedCLIP(clip, CoOp(clip, **learner_kwargs), base.class_names)
yours, _ = learn(own, train_16, **ten)
theirs = fit(other, base.train(16, seed), **ten, seed=seed, cache_features=True, bar=False).losses
gaps = [abs(first - second) for first, second in zip(yours, theirs, strict=True)]
print(f"largest difference of {len(gaps)} losses, yours and the package's: {max(gaps):.1e}")

# %%
coop = PromptedCLIP(my_clip, CoOp(my_clip, **learner_kwargs), base.class_names)
losses, notes = learn(coop, train_16, **fit_kwargs)
same = FrozenCLIP(clip.model).fingerprint == clip.fingerprint  # made of all of CLIP's weights
print(f"{len(losses)} steps, {coop.trainable_parameters} numbers learned; CLIP unchanged: {same}")
steps = len(losses) // fit_kwargs["epochs"]  # per epoch
history = pd.DataFrame({"loss": losses, "epoch": [step // steps for step in range(len(losses))]})
ax = plot_loss(history, ax=plt.figure(figsize=(7.5, 3)).gca(), markersize=2)
by_epoch = history.loss.groupby(history.epoch).mean()
show(
    ax.figure,
    f"The loss over {len(losses)} steps. Its mean is {by_epoch.iloc[0]:.2f} in the first epoch "
    f"and {by_epoch.iloc[-1]:.2f} in the last.",
)

# %% [markdown]
# Now the two questions of lesson 02, on new pictures. How does CoOp do on the **base** classes,
# which it trained on? And how does it do on the **novel** classes, with a context that was learned
# on others?
#
# **Prediction 03.b.** Compare CoOp with the sentence of this dataset, "a photo of a {}, a kind of
# plant.", on the *novel* classes. Is CoOp `"higher"`, `"lower"` or the `"same"` (within one point)?

# %% tags=["exercise"]
# STUB: guess = None  # "higher", "lower" or "same"
# SOLUTION
guess = "lower"
# END SOLUTION
ex.predict("03.b", guess, choices=("higher", "lower", "same"))


# %%
def compared(value, reference):
    """How a value compares with a reference: the same within one point, else higher or lower."""
    gap = value - reference
    return "same" if abs(gap) <= 1 else "higher" if gap > 0 else "lower"


def scores(learner):
    """Base and novel accuracy of a learner, and their harmonic mean."""
    found = {}
    for split, half in (("base", base), ("novel", novel)):
        found[split] = percent(PromptedCLIP(my_clip, learner, half.class_names), tests[split])
    return {**found, "hm": harmonic_mean(found["base"], found["novel"])}


rows = {"by hand": scores(PromptLearner(plants.template)), "CoOp": scores(coop.learner)}
print(pd.DataFrame(rows).T.round(1))
for split in ("base", "novel"):
    ex.expect(split, rows["CoOp"][split])
ex.outcome("03.b", compared(rows["CoOp"]["novel"], rows["by hand"]["novel"]))

# %% [markdown]
# Base is what CoOp trained for. Nothing in the training asked about the novel names. What happens
# to them is a side effect, and another seed can give another result.
#
# ## 7 · When should it stop?
#
# You noted the context before every epoch. So you can go back in time, and ask how accurate CoOp
# was then.
#
# ### Your turn
#
# For each epoch in `moments`, put the context of that epoch into a learner (it is there: `replay`),
# and append a row to `path` for the base classes and one for the novel classes: `{"epoch": ...,
# "classes": ..., "accuracy": ...}`. `scores` does the measuring.
#
# **Prediction 03.c.** At which epoch is the novel accuracy highest: in the `"first half"` of the
# training, or in the `"second half"`?

# %% tags=["exercise"]
# STUB: guess = None  # "first half" or "second half"
# SOLUTION
guess = "first half"
# END SOLUTION
ex.predict("03.c", guess, choices=("first half", "second half"))

# %% tags=["exercise"]
replay, contexts = CoOp(my_clip, **learner_kwargs), [*notes, coop.learner.ctx.detach()]
moments = [0, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, len(contexts) - 1]
path = []
for epoch in moments:
    replay.ctx.data.copy_(contexts[epoch])
    # STUB: pass  # two rows
    # SOLUTION
    found = scores(replay)
    path += [
        {"epoch": epoch, "classes": half, "accuracy": found[half]} for half in ("base", "novel")
    ]
    # END SOLUTION

# %%
if path:
    path = pd.DataFrame(path)
    on_novel = path[path.classes == "novel"].set_index("epoch").accuracy
    best = on_novel.idxmax()
    ex.outcome("03.c", "first half" if best < len(notes) / 2 else "second half")
    ax = plt.figure(figsize=(8, 3.6)).gca()
    plot_lines(path, "epoch", "accuracy", "classes", ylabel="accuracy (%)", ax=ax)
    show(
        ax.figure,
        f"Base and novel accuracy over {len(notes)} epochs. Novel: {on_novel.iloc[0]:.0f} at the "
        f"start, {on_novel.max():.0f} at epoch {best}, {on_novel.iloc[-1]:.0f} at the end.",
        "Base accuracy rises and stays. Look at what novel accuracy does meanwhile.",
    )

# %% [markdown]
# It would not be fair to stop at the best epoch of this figure, because you found it with test
# pictures. (Lesson 02 has three kinds of pictures.) But the question is a good one. Published runs
# of CoOp with fewer epochs do much better on novel classes than the one in the papers' tables.
#
# ## 8 · What has it learned?
#
# Two ways to look. First, how far did the **text features** move? One context stands before all
# names. So the features of *all* classes move, and not only those of the classes that were trained.


# %%
def features_by(learner):
    """Text features [26, D] of all plants by a learner."""
    with torch.no_grad():
        return PromptedCLIP(my_clip, learner, plants.class_names).encode_classes()


first, then = features_by(PromptLearner("a photo of a {}.")), features_by(coop.learner)
kept = (first * then).sum(dim=-1)  # [26], cosine of before and after
for half, values in zip(("base", "novel"), kept.split(len(base.class_names)), strict=True):
    print(f"{half:5} classes: cosine of the features before and after {values.mean():.2f} (mean)")

# %% [markdown]
# Second, can we read the learned **words**? For every slot we look for the nearest embeddings of
# words that the tiny CLIP knows.

# %%
ctx = coop.learner.ctx.detach()
moved = (ctx - notes[0]).norm(dim=-1).tolist()  # [n]
near = nearest_words(clip, [ctx])
for slot, (word, way) in enumerate(zip(["a", "photo", "of", "a"], moved, strict=True)):
    own = near[near.token == slot + 1].head(3)
    said = ", ".join(f"{w} ({d:.2f})" for w, d in zip(own.word, own.distance, strict=True))
    print(f"v{slot + 1} began as {word!r:<8} moved by {way:.2f}; nearest now: {said}")

# %% [markdown]
# Compare how far a slot moved with the distance to its nearest word, in brackets. A slot that
# hardly moved is still near its word, and this says little. Where a slot moved far, do not read too
# much into its neighbours. CoOp's authors looked, too, and say that learned contexts are hard to
# read. A learned token does not have to be near any word. It only has to push the features to the
# right place.
#
# ## 9 · One or two shots?
#
# The paper's abstract says that CoOp needs "as few as one or two shots" to beat hand-written
# prompts. You can test this claim. The authors' settings for few shots are: all classes, 16 tokens
# that start at **random**, 50 epochs for one shot and 100 for two. We also try another start, the
# words "a photo of a". We take two datasets and two draws of the pictures.
#
# **Prediction 03.d.** Compare **one** shot with random tokens to the hand-written sentence, on
# average. Is it `"higher"`, `"lower"` or the `"same"` (within one point)?

# %% tags=["exercise"]
# STUB: guess = None  # "higher", "lower" or "same"
# SOLUTION
guess = "higher"
# END SOLUTION
ex.predict("03.d", guess, choices=("higher", "lower", "same"))

# %% [markdown]
# ### Your turn
#
# Write the experiment for one dataset, start, number of shots and draw. `data.train(shots, draw)`
# gives the pictures, and `learn` trains. `after` is the accuracy on the test pictures, and `own` is
# the accuracy on the training pictures themselves.

# %% tags=["exercise"]
starts = {"16 random tokens": {"n_ctx": 16}, "“a photo of a”": {"init": "a photo of a"}}


def few_shots(data, test, start, shots, draw):
    """{"before", "after", "own"}: accuracies before and after training, and on its own pictures."""
    with seeded(draw):
        learner = CoOp(my_clip, **starts[start])
    model = PromptedCLIP(my_clip, learner, data.class_names)
    settings = preset("coop", "few-shot", shots, clip=clip)[1]
    before = percent(model, test)
    # STUB: after = own = before
    # SOLUTION
    pairs = encoded(data.train(shots, draw))
    learn(model, pairs, **settings, draw=draw)
    after, own = percent(model, test), percent(model, pairs)
    # END SOLUTION
    return {"before": before, "after": after, "own": own}


# %%
runs = []
for data in (plants, open_dataset("sea", clip=clip)):
    test = encoded(data)
    by_hand = percent(PromptedCLIP(clip, PromptLearner(data.template), data.class_names), test)
    for start in starts:
        for shots in (1, 2):
            for draw in (2 * seed - 1, 2 * seed):
                about = {"dataset": data.name, "start": start, "shots": shots, "by hand": by_hand}
                runs.append(about | few_shots(data, test, start, shots, draw))
runs = pd.DataFrame(runs)
means = runs.groupby(["dataset", "start", "shots"], sort=False).mean()
print(means.round(1).to_string(), "\n")
for (start, shots), part in runs.groupby(["start", "shots"], sort=False):
    wins = (part.after > part["by hand"]).sum()
    print(f"shots {shots}, {start}: better than by hand in {wins} of {len(part)} runs")
random_start = runs[runs.start == "16 random tokens"].groupby("shots").mean(numeric_only=True)
ex.expect("one shot, random start", random_start.after[1])
ex.expect("two shots, random start", random_start.after[2])
ex.outcome("03.d", compared(random_start.after[1], random_start["by hand"][1]))

# %%
shown = means.reset_index()
shown.index = shown.dataset + ", " + shown.start + ", " + shown.shots.map("{} shot".format)
ax = plt.figure(figsize=(7.5, 3.6)).gca()
labels_of = ("before training", "after training")
plot_two(shown, "before", "after", labels=labels_of, xlabel="accuracy (%)", ax=ax)
show(
    ax.figure,
    "Accuracy before and after training: "
    + "; ".join(f"{row.Index} {row.before:.0f} and {row.after:.0f}" for row in shown.itertuples()),
    "The random tokens start far lower, so they have a much longer way to go.",
)

# %% [markdown]
# Read the table from left to right. `before` is where a start stands without training, and `after`
# is where it ended. `own` is the accuracy on the few training pictures. A method that learns by
# heart names its own pictures rightly, and fails on new ones. A method that fails on its own
# pictures, too, needs more steps. Which of the two do you see with random tokens?
#
# So does the claim hold here? Look at your counts, for each start. They speak about a tiny CLIP,
# and the paper speaks about ViT-B/16 and eleven datasets of photographs. A claim comes with its
# conditions, and this is how you find them.
#
# ## 10 · Two variants
#
# So far, one context serves all names. It is called *unified*. CoOp can also learn one context per
# class, `[C, n, d_t]`. It is called *class-specific*, and your `splice` can do it already. But a
# class-specific context has **no** answer for a class that it has never seen. So the rest of this
# course uses unified contexts. (On ImageNet, 16 tokens for each of 1,000 classes would also be more
# than 8 million numbers to learn.) The paper tests both kinds on the classes that were trained, and
# neither is better everywhere. It also puts the class name into the middle of the context. You can
# try both variants: `CoOp(clip, n_classes=26)` and `CoOp(clip, position="middle")`.
#
# ## 11 · The table so far
#
# The row of zero-shot CLIP is stored. The row of CoOp is the one that you trained, with 16 shots.

# %%
own_row = pd.DataFrame([{"method": "coop", **rows["CoOp"]}])
table = pd.concat([compare_methods(["zeroshot"], "plants"), own_row], ignore_index=True)
ax = plot_base_to_novel(table, ax=plt.figure(figsize=(8, 3.6)).gca())
said = [f"{TITLES[r.method]} {r.base:.1f}, {r.novel:.1f}, {r.hm:.1f}" for r in table.itertuples()]
show(ax.figure, f"Base accuracy, novel accuracy and harmonic mean: {'; '.join(said)}.")
stored = compare_methods(["coop"], "plants").iloc[0]
print("CoOp in our tables: base {base:.1f}, novel {novel:.1f}, HM {hm:.1f}".format(**stored))

# %%
average = read_paper("base-to-novel-average").set_index("method")[["base", "novel", "hm"]]
print(average.loc[["zeroshot", "coop"]], "\n")
every = read_paper("base-to-novel").pivot(index="dataset", columns="method", values="novel")
worse = (every.coop < every.zeroshot).sum()
print(f"In the papers, CoOp's novel accuracy is below CLIP's on {worse} of {len(every)} datasets.")

# %% [markdown]
# In the papers, CoOp gains 13 points on the base classes and loses 11 on the novel ones. The
# harmonic mean stays where it was. Compare the signs with ours, and not the sizes: one dataset of
# drawings, a tiny CLIP and one seed, against eleven datasets, ViT-B/16 and three seeds.
#
# ## 12 · Watch it learn
#
# Choose a moment and a picture, and see what CoOp said then. For each half, these are the six
# pictures about which training changed CLIP's mind most. (The controls need a running notebook.)

# %%
album, answers = {}, {}
for classes, pictures in (("base", base), ("novel", novel)):
    model, (features, labels) = PromptedCLIP(my_clip, replay, pictures.class_names), tests[classes]
    for epoch in moments:
        replay.ctx.data.copy_(contexts[epoch])
        with torch.no_grad():
            answers[classes, epoch] = model.classify(features).softmax(dim=-1)  # [N, C]
    first, then = (answers[classes, epoch].gather(1, labels[:, None]) for epoch in (0, moments[-1]))
    album[classes] = pictures, (then - first).abs().flatten().topk(6).indices.tolist()


def at(moment, classes, picture):
    """A picture, and what CoOp said of it at a moment."""
    pictures, epoch, index = album[classes][0], moments[moment - 1], album[classes][1][picture - 1]
    truth = pictures.class_names[pictures.labels[index]]
    named = dict(zip(pictures.class_names, answers[classes, epoch][index].tolist(), strict=True))
    figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.6), layout="constrained")
    plot_picture(pictures, index, ax=axes[0])
    plot_probabilities(named, truth=truth, top=4, ax=axes[1]).set_title(f"after {epoch} epochs")
    top = max(named, key=named.get)
    said = f"{top} with {100 * named[top]:.0f}%"
    return figure, f"After {epoch} epochs CoOp says of a picture of {truth}: {said}."


explore(at, moment=(1, len(moments)), classes=["base", "novel"], picture=(1, 6))

# %% [markdown]
# ## Recap
#
# - A sentence is a table of token embeddings. CoOp replaces some of its rows by learned numbers.
# - First comes the splice, then the positional embedding, then the frozen tower. Gradients pass
#   through it, and only `ctx` changes.
# - The image tower is not touched, so image features can be kept.
# - A loss curve shows where training starts and whether it moves. It does not show every bug.
# - The context is fitted to the base classes. The novel classes get it, too, and nobody asked them.
#   In the next lesson, the context looks at the picture first: CoCoOp.
#
# ## Going further
#
# - In section 9, start from 4 random tokens instead of 16. Or give the 16 tokens 1,000 epochs. How
#   much does each change help one shot?
# - Start CoOp from other words: "a drawing of the", or words that make no sense here. How much does
#   the start decide the end?
# - Train with n = 1, 2, 8 and 16 tokens from 16 shots. Lesson 09 does this for all methods.
# - Papers: CoOp (arXiv 2109.01134). Soft prompts for language models came first: prefix-tuning
#   (2101.00190) and prompt tuning (2104.08691). ProGrad (2205.14865) and KgCoOp (2303.13283) hold
#   CoOp's context near the hand-written one.

# %%
ex.progress()
