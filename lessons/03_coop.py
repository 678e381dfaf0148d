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
# - splice learned tokens into a sentence, and read them with CLIP's own text tower;
# - train them, and nothing else;
# - say what CoOp gains and what it pays, with your numbers beside the paper's;
# - test a claim of the paper, and say where it does not hold.
#
# ## Set-up

# %%
import math
import os
import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from maple_lite import CoOp, FrozenCLIP, PromptedCLIP, PromptLearner, base_and_novel, fit
from maple_lite import harmonic_mean, load_clip, open_dataset, preset, seeded, tokenize
from maple_lite.support.batches import batches
from maple_lite.clip import write_prompt
from maple_lite.support.files import data_folder
from maple_lite.course.plots import COLOURS, FROZEN, LANGUAGE, TITLES, plot_base_to_novel, plot_loss
from maple_lite.course.plots import plot_picture, plot_probabilities, plot_prompts
from maple_lite.experiments.published import compare_methods
from maple_lite.support.seeds import derived_seed
from maple_lite.course import explore, session, show
from maple_lite.tokens import tokenizer, word_ids
from maple_lite.training import image_features as features_of

ex = session("03_coop")
seed = ex.seed
mode = os.environ.get("MAPLE_LITE_MODE", "fast")  # "full" takes OpenAI's ViT-B/16: a GPU helps
clip = load_clip("glyphs") if mode == "fast" else load_clip("ViT-B-16-quickgelu", "openai")
STORED = "glyphs/base-to-novel"  # our results on this CLIP
print(f"mode {mode}, seed {seed}, device {clip.device}, {clip.text_layers} text layers")

# %% [markdown]
# The signs of the zodiac again, half of them base and half novel. One thing is new. CoOp works in
# the text tower alone, so that the features of a picture never change. We encode every picture
# **once** and keep the result. From then on, training touches text only, and takes seconds.


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


zodiac = open_dataset("zodiac", clip=clip)
base, novel = (zodiac.subset(ids) for ids in base_and_novel(len(zodiac.class_names)))
train_16 = encoded(base.train(shots=16, seed=seed))  # [96, D], [96]
tests = {"base": encoded(base), "novel": encoded(novel)}
for name, (image_features, labels) in tests.items():
    print(f"{name}: image features {list(image_features.shape)}, labels {list(labels.shape)}")

# %% [markdown]
# ## 1. Which words?
#
# In lesson 02 you wrote the sentence yourself. How much does its wording matter? Below are seven
# sentences that say nearly the same, and one of them is nonsense. How many points of accuracy
# will lie between the best and the worst of them?

# %% tags=["exercise"]
# STUB: guess = None  # "under 3", "3 to 15" or "over 15"
# SOLUTION
guess = "3 to 15"
# END SOLUTION
ex.predict("03.a", guess, choices=("under 3", "3 to 15", "over 15"))

# %%
by_words = {}
written = ["{}", "{}.", "a photo of a {}", "a photo of a {}.", "a photo of many {}."]
written += ["{} photo a of.", zodiac.template]
for template in written:
    model = PromptedCLIP(clip, PromptLearner(template), base.class_names)
    by_words[template] = percent(model, tests["base"])
    print(f"{by_words[template]:5.1f}%  {template}")
gap = max(by_words.values()) - min(by_words.values())
print(f"From worst to best: {gap:.1f} points.")
ex.outcome("03.a", "under 3" if gap < 3 else "3 to 15" if gap <= 15 else "over 15")

# %% [markdown]
# Look at what a full stop does, once without other words and once with them, and at the nonsense.
# Nobody can say beforehand which sentence wins. CoOp's authors saw the same on photographs: on
# Caltech101, "a photo of a" instead of "a photo of" is worth more than 5 points (arXiv 2109.01134,
# figure 1). Trying sentences by hand is slow, and we can only try those that we can think of.
#
# ## 2. A sentence is a table of numbers
#
# CLIP never sees words. It looks up a list of numbers for every token, its *embedding*, and what
# enters the text tower is a table: a row per token. Two tokens are no words: SOS marks the start of
# a text, EOT its end. Here is the sentence for "leo". The figure lays the table on its side: a
# column per token, with its first 16 numbers, orange below zero and purple above.

# %% tags=["nbval-check-output"]
tokens = tokenize(["a photo of a leo."]).to(clip.device)  # [1, L]
with torch.no_grad():
    x = clip.text.token_embedding(tokens)  # [1, L, d_t]
marks = {"<start_of_text>": "SOS", "<end_of_text>": "EOT"}
spelled = [tokenizer().decode([int(token)]).strip() for token in tokens[0]]
spelled = [marks.get(word, word) for word in spelled]
print("token ids: ", tokens[0].tolist())
print("tokens:    ", spelled)
print("embeddings:", list(x.shape), "= [C, L, d_t]: one sentence, its tokens, numbers per token")
print("EOT, the largest id, stands at", tokens.argmax(dim=-1).tolist())


# %%
def plot_tokens(ax, names, learned, y=0.0):
    """A row of token boxes: learned ones blue, the frozen ones grey."""
    for place, name in enumerate(names):
        own = name in learned
        ax.broken_barh([(place - 0.46, 0.92)], (y, 0.6), color=LANGUAGE if own else FROZEN)
        ink = "white" if own else "#333333"
        ax.text(place, y + 0.3, name, ha="center", va="center", color=ink, fontsize=9)
    ax.set(xlim=(-0.6, len(names) - 0.4), ylim=(-0.1, y + 0.7))
    ax.set_axis_off()


slots = ["v1", "v2", "v3", "v4"]
ratios = {"height_ratios": (0.7, 3, 0.7), "layout": "constrained"}
figure, (above, middle, below) = plt.subplots(3, figsize=(7.5, 3.9), **ratios)
plot_tokens(above, spelled, ())
shown = x[0, :, :16].T.cpu()  # [16, L]
limit = shown.abs().max().item()
middle.imshow(shown, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
middle.set(xticks=[], yticks=[0, 15], yticklabels=["number 1", "number 16"])
plot_tokens(below, ["SOS", *slots, *spelled[5:]], slots)
show(
    figure,
    "Above, the tokens of a sentence; in the middle, a column of coloured numbers for each; "
    "below, the same sentence with v1 to v4 in blue in place of its first four words.",
)

# %% [markdown]
# The two columns under "a" are equal: where a token stands is not in its embedding. That comes
# later, in section 4.
#
# The lower row is the whole idea of CoOp. The four words in front of the name become four slots,
# `v1` to `v4`. Together they are the **context**, a tensor `ctx` of shape `[n, d_t]`. It starts as
# the embeddings of "a photo of a". From there on it is no longer bound to words: any numbers may
# stand there, and gradient descent chooses them.
#
# ## 3. The splice
#
# First we need to write the context over the words. By hand, for one sentence of six tokens with
# one number each, and a context of two tokens:
#
# | | SOS | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | sentence | 0 | 1 | 2 | 3 | 4 | 5 |
# | with the context -1, -2 | 0 | **-1** | **-2** | 3 | 4 | 5 |
#
# ### Exercise 03.1
#
# Write `splice(x, prompt)`. It returns a new tensor, and leaves `x` as it is: positions 1 to n of
# every sentence hold the prompt; SOS, all that follows the prompt, and the length stay. The prompt
# is `[n, d]`, the same for all sentences, or `[C, n, d]`, one for each. (`positions`, other places
# for the prompt, is for section 9: its lines are there already.)
#
# Stuck? `ex.hint("03.1")`


# %% tags=["exercise"]
def splice(x, prompt, positions=None):
    """Token embeddings [C, L, d] with prompt [n, d] or [C, n, d] written over places 1..n."""
    if positions is not None:
        return write_prompt(x, prompt, positions)
    # STUB: raise NotImplementedError("03.1: write me")
    # SOLUTION
    n = prompt.shape[-2]
    prompt = prompt.expand(len(x), -1, -1)  # [C, n, d]
    return torch.cat([x[:, :1], prompt, x[:, 1 + n :]], dim=1)  # [C, L, d]
    # END SOLUTION


# %% tags=["check"]
splice = ex.check("03.1", splice)

# %% [markdown]
# ## 4. Read it with the text tower
#
# The spliced table goes through CLIP's text tower as any sentence does. Here are both towers of
# CLIP, layer by layer from below. In lesson 01 all of this figure was grey, and "a photo of a"
# stood where the blue boxes are. P1 means: prompt of layer 1. It enters there, and then travels on.

# %%
ax = plt.figure(figsize=(10.5, 4.6)).gca()
plot_prompts((clip.text_layers, clip.vision_layers), (1, 0), n_ctx=4, ax=ax)
show(
    ax.figure,
    "Both towers of CLIP. Four blue prompt tokens enter the first of "
    f"{clip.text_layers} layers of the text tower, after SOS and before the class name, and travel "
    "on through the others. The image tower and all other tokens are frozen.",
)

# %% [markdown]
# Open `clip.text` and you find the parts of the tower:
#
# | part | what it does | shape |
# |---|---|---|
# | `text.token_embedding(tokens)` | looks the tokens up | `[C, L]` → `[C, L, d_t]` |
# | `text.positional_embedding` | what is added to say where a token stands | `[77, d_t]` |
# | `text.transformer.resblocks` | layers; `block(x, attn_mask=mask)` | `[C, L, d_t]` → the same |
# | `text.attn_mask` | the causal mask: no token sees those after it | `[77, 77]` |
# | `text.ln_final` | a last layer norm | `[C, d_t]` → the same |
# | `text.text_projection` | a matrix into the joint space | `[d_t, D]` |
#
# A sentence is read at **EOT**: the only token that has seen all the others. EOT has the largest
# token id of all, so that `tokens.argmax(dim=-1)` finds it.
#
# ### Exercise 03.2
#
# Write the walk through the tower: embed, splice `prompts[0]` if there is one, add the positional
# embedding, run the blocks, take EOT's row of each sentence, `ln_final`, project, and bring the
# result to length 1. Sentences are shorter than 77 tokens: cut the positional embedding and the
# mask to `length`. Hand `positions` on to `splice`. Two traps:
#
# - the positional embedding is added **after** the splice: learned tokens have places, too;
# - pass the mask by its name, `attn_mask=`. As a second argument without its name it is taken for
#   something else, without any error.
#
# Stuck? `ex.hint("03.2")`


# %% tags=["exercise"]
def encode_text(self, tokens, prompts=(), positions=None):
    """Unit-norm text features [C, D] of tokens [C, L], with prompts[0] in the first layer."""
    text, length = self.text, tokens.shape[1]
    # STUB: # use splice(x, prompts[0], positions)
    # STUB: raise NotImplementedError("03.2: write me")
    # SOLUTION
    x = text.token_embedding(tokens)  # [C, L, d_t]
    if prompts:
        x = splice(x, prompts[0], positions)
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
# ## 5. Gradients through a frozen tower
#
# Now install it. `MyCLIP` is a CLIP whose text is encoded by your function, and everything below
# uses it.
#
# An **untrained** CoOp starts with the embeddings of "a photo of a" in its slots. So it should be
# zero-shot CLIP with the sentence "a photo of a {}.", to the last digit. Then we ask for the
# gradient of a loss. *Frozen* means that CLIP's weights do not change. It does not mean that
# gradients stop there: they pass through all layers, down to the context.


# %%
class MyCLIP(FrozenCLIP):
    """The same weights, with a text tower that you wrote."""

    encode_text = encode_text


my_clip = MyCLIP(clip.model)
untrained = PromptedCLIP(my_clip, CoOp(my_clip, init="a photo of a"), base.class_names)
by_hand = PromptedCLIP(clip, PromptLearner("a photo of a {}."), base.class_names)
image_features, labels = train_16
logits = untrained.classify(image_features)  # [B, C]
difference = (logits - by_hand.classify(image_features)).abs().max()
print(untrained)
print(f"ctx {list(untrained.learner.ctx.shape)} = [n, d_t]; logits {list(logits.shape)} = [B, C]")
print(f"largest difference to the logits of the sentence: {difference.item():.1e}")

loss = F.cross_entropy(logits, labels)
torch.autograd.backward(loss)  # fills .grad, as loss.backward() does
weights = dict(untrained.named_parameters())
got = [name for name, weight in weights.items() if weight.grad is not None]
lengths = untrained.learner.ctx.grad.norm(dim=-1)  # [n]
print(f"loss {loss.item():.2f}; of {len(weights)} tensors these got a gradient: {got}")
print("its length at v1 to v4:", [round(length, 2) for length in lengths.tolist()])

# %% [markdown]
# Of all tensors one got a gradient: the context. Keep its four lengths in mind. In section 7 you
# will see how far each slot has moved.
#
# ### The learning rate
#
# All methods of this course come from one family of code, and share its schedule. Epoch 0 warms up
# with a rate of 1e-5, whatever `lr` is. Epochs e = 1, 2, ... follow half a cosine, which starts at
# `lr` and falls towards 0:
#
# > rate(e) = *lr* · (1 + cos(π (e - 1) / E)) / 2, where E is the number of epochs.
#
# ### Exercise 03.3
#
# Return the rate of one epoch, a number. `math.cos` and `math.pi` are there. Stuck?
# `ex.hint("03.3")`


# %% tags=["exercise"]
def learning_rate(epoch, epochs, lr):
    """The learning rate of an epoch (0, 1, ..., epochs - 1)."""
    # STUB: raise NotImplementedError("03.3: write me")
    # SOLUTION
    if epoch == 0:
        return 1e-5
    return lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2
    # END SOLUTION


# %% tags=["check"]
learning_rate = ex.check("03.3", learning_rate)

# %% [markdown]
# ### Exercise 03.4
#
# Write the training loop, and return a list with the loss of every step, as plain numbers. `epochs`
# gives the batches of one epoch after the other, `rates` the learning rate of each: `zip` walks
# through both. A batch is a pair of image features `[B, D]` and labels `[B]`, and
# `model.classify(image_features)` gives its logits `[B, C]`. The loss is cross-entropy. The
# optimiser is SGD with momentum 0.9 and weight decay 5e-4. PyTorch keeps its learning rate in
# `optimizer.param_groups[0]["lr"]`, where you may write another.
#
# The question is what you hand to the optimiser. `model.parameters()` holds all of CLIP;
# `model.learner` is the CoOp inside it. Stuck? `ex.hint("03.4")`


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
# ## 6. Train CoOp
#
# Around your loop we need a few lines: a learner, shuffled batches and the rates. We also note the
# context before every epoch, to look at it later. The settings are the authors' for base-to-novel:
# 4 tokens from the words "a photo of a", 200 epochs. First a test: for ten epochs, are your losses
# those of the course's own loop, `fit`?


# %%
def shuffled(model, pairs, epochs, batch_size, draw, notes):
    """For every epoch its batches, in a new order; notes the context before each epoch."""
    data = torch.utils.data.TensorDataset(*(column.cpu() for column in pairs))
    names = len(model.class_names)
    for epoch in range(epochs):
        notes.append(model.learner.ctx.detach().clone())
        yield batches(data, batch_size, names, clip.device, derived_seed(draw, epoch))


def learn(learner, class_names, pairs, *, epochs, lr, batch_size, draw=seed):
    """A model trained on encoded pictures, its losses, and its context before every epoch."""
    model, notes = PromptedCLIP(my_clip, learner, class_names), []
    rates = [learning_rate(epoch, epochs, lr) for epoch in range(epochs)]
    losses = train(model, shuffled(model, pairs, epochs, batch_size, draw, notes), rates)
    return model, losses, notes


# %%
learner_kwargs, fit_kwargs = preset("coop", clip=clip)
print(learner_kwargs, fit_kwargs)
ten = {**fit_kwargs, "epochs": 10}  # first, ten epochs of your loop and ten of the library's
_, own, _ = learn(CoOp(my_clip, **learner_kwargs), base.class_names, train_16, **ten)
other = PromptedCLIP(clip, CoOp(clip, **learner_kwargs), base.class_names)
theirs = fit(other, base.train(16, seed), **ten, seed=seed, cache_features=True, bar=False).losses
gaps = [abs(first - second) for first, second in zip(own, theirs, strict=True)]
print(f"largest difference of {len(gaps)} losses, yours and the library's: {max(gaps):.1e}")

fresh = CoOp(my_clip, **learner_kwargs)
coop, losses, notes = learn(fresh, base.class_names, train_16, **fit_kwargs)
print(f"{len(losses)} steps; {coop.trainable_parameters} numbers learned")
print("CLIP's fingerprint before:", clip.fingerprint, "after:", FrozenCLIP(clip.model).fingerprint)

# %%
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
# The fingerprint is made of all of CLIP's weights. It is the same before and after: not one of
# them has changed.
#
# Now the two questions of lesson 02, on new pictures. On the **base** classes, which it trained
# on, CoOp should beat the hand-written sentence of this dataset. What of the **novel** ones, with
# the context that was learned on the others? ("same" means: within one point.)

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


by_template, learned = scores(PromptLearner(zodiac.template)), scores(coop.learner)
for name, row in (("hand-written", by_template), ("CoOp", learned)):
    print(f"{name:<13}" + "".join(f"{split} {value:.1f}%   " for split, value in row.items()))
for split in ("base", "novel"):
    ex.expect(split, learned[split])
ex.outcome("03.b", compared(learned["novel"], by_template["novel"]))

# %% [markdown]
# Compare the two columns. Base is what CoOp trained for. Nothing in the training asked about the
# novel names: what happens to them is a side effect, and another seed may give another sign.
#
# ## 7. What has it learned?
#
# Two ways to look. First, where did the **text features** go? Below, the features of the twelve
# signs, lists of `D` numbers, are laid flat (along the two directions in which they vary most). A
# line leads from the hand-written "a photo of a {}." (empty circle) to CoOp (full circle): solid
# and blue for base classes, dotted and grey for novel ones.


# %%
def features_by(learner):
    """Text features [12, D] of all signs by a learner."""
    with torch.no_grad():
        return PromptedCLIP(my_clip, learner, zodiac.class_names).encode_classes().cpu()


first, then = features_by(PromptLearner("a photo of a {}.")), features_by(coop.learner)
both = torch.cat([first, then]) - torch.cat([first, then]).mean(dim=0)  # [24, D]
flat = both @ torch.linalg.svd(both, full_matrices=False).Vh[:2].T  # [24, 2]
figure, ax = plt.subplots(figsize=(8, 5.2))
for i, name in enumerate(zodiac.class_names):
    colour, style = (LANGUAGE, "-") if name in base.class_names else ("#555555", ":")
    (x0, y0), (x1, y1) = flat[i].tolist(), flat[i + len(first)].tolist()
    ax.plot([x0, x1], [y0, y1], style, color=colour)
    ax.plot(x0, y0, "o", color="white", markeredgecolor=colour)
    ax.plot(x1, y1, "o", color=colour)
    above = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
    ax.annotate(name, (x0, y0), color=colour, **above)
ax.margins(0.1, 0.12)
ax.set(xticks=[], yticks=[], xlabel="first direction", ylabel="second direction")
kept = (first * then).sum(dim=-1).split(len(base.class_names))  # cosines, before and after
cosines = f"{kept[0].mean():.2f} for base and {kept[1].mean():.2f} for novel classes"
said = "Text features of the twelve signs before (empty circles) and after training (full ones)."
show(figure, f"{said} The mean cosine between a class before and after is {cosines}.")

# %% [markdown]
# One context stands before all names, so that **all** twelve features move, and not just the six
# that were trained. That is why the novel classes can suffer, or gain.
#
# Second, can we read the learned **words**? For every slot we look for the nearest embeddings of
# real words: of the few hundred words that this course's CLIP was trained with.

# %%
vocabulary = (data_folder() / "glyphs" / "clip" / "words.txt").read_text(encoding="utf-8").split()
vocabulary = [word for word in vocabulary if len(word_ids(word)) == 1]
ids = torch.tensor([word_ids(word)[0] for word in vocabulary], device=clip.device)
table = clip.text.token_embedding.weight[ids]  # [W, d_t]


def nearest(ctx, k=3):
    """For every token of a context [n, d_t] its k nearest words."""
    order = torch.cdist(ctx, table).argsort(dim=1)[:, :k]  # [n, k]
    return [[vocabulary[i] for i in row] for row in order.tolist()]


last = coop.learner.ctx.detach()
moved = (last - notes[0]).norm(dim=-1)  # [n]
apart = torch.pdist(table).median()
begun = ["a", "photo", "of", "a"]
print(f"Two words of the vocabulary lie {apart:.2f} apart (median).")
for slot, word, way, words in zip(slots, begun, moved, nearest(last), strict=True):
    print(f"{slot} began as {word!r:<8} moved by {way:.2f}; nearest now: {', '.join(words)}")

# %% [markdown]
# Compare how far the slots moved with the distance between two words, and with the gradients of
# section 5. A slot that hardly moved is still near its word, and that says little. Where one moved
# far, do not read too much into its neighbours. The authors looked, too, and say that learned
# contexts are hard to read (arXiv 2109.01134, "Interpreting the Learned Prompts"). A learned token
# need not lie near any word: it only has to push the features to the right place.
#
# ## 8. One or two shots?
#
# The paper's abstract says that CoOp needs "as few as one or two shots" to beat hand-written
# prompts. That is a claim that we can test. The authors' recipe for few shots: all classes, 16
# tokens that start at **random**, 50 epochs for one shot and 100 for two. Beside it we try the
# other start: the words "a photo of a". We take two datasets, and for each two draws: other
# pictures, and other random tokens.
#
# What do you expect of **one** shot with the authors' recipe, against the hand-written sentence?
# ("same" means: within one point, on average.)

# %% tags=["exercise"]
# STUB: guess = None  # "higher", "lower" or "same"
# SOLUTION
guess = "higher"
# END SOLUTION
ex.predict("03.c", guess, choices=("higher", "lower", "same"))

# %%
starts = {"16 random tokens": {"n_ctx": 16}, '"a photo of a"': {"init": "a photo of a"}}
keys = ["dataset", "start", "shots", "by hand", "before", "after", "on its own"]


def few_shots(data, test, start, shots, draw):
    """A row of accuracies: by hand, before and after training, and on the training pictures."""
    pairs, names = encoded(data.train(shots, draw)), data.class_names
    by_hand = PromptedCLIP(clip, PromptLearner(data.template), names)
    with seeded(draw):
        learner = CoOp(my_clip, **starts[start])
    untrained = percent(PromptedCLIP(my_clip, learner, names), test)
    settings = preset("coop", "few-shot", shots, clip=clip)[1]
    model, _, _ = learn(learner, names, pairs, **settings, draw=draw)
    found = [percent(by_hand, test), untrained, percent(model, test), percent(model, pairs)]
    return dict(zip(keys, [data.name, start, shots, *found], strict=True))


rows, digits = [], open_dataset("digits", clip=clip)
for data in (zodiac, digits):
    test = encoded(data)
    for start, shots in [(start, shots) for start in starts for shots in (1, 2)]:
        rows += [few_shots(data, test, start, shots, draw) for draw in (2 * seed - 1, 2 * seed)]
few = pd.DataFrame(rows)

# %%
means = few.groupby(keys[:3], sort=False).mean()
means["spread"] = few.groupby(keys[:3], sort=False).after.agg(lambda runs: runs.max() - runs.min())
print(means.round(1).to_string(), "\n")
for (start, shots), runs in few.groupby(["start", "shots"], sort=False):
    wins = (runs.after > runs["by hand"]).sum()
    print(f"shots {shots}, {start}: better than by hand in {wins} of {len(runs)} runs")
one, two = (few[(few.start == "16 random tokens") & (few.shots == shots)] for shots in (1, 2))
ex.expect("one shot, random start", one.after.mean())
ex.expect("two shots, random start", two.after.mean())
ex.outcome("03.c", compared(one.after.mean(), one["by hand"].mean()))

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
looks = {"16 random tokens": ("o", COLOURS["coop"], -0.08), '"a photo of a"': ("s", LANGUAGE, 0.08)}
for ax, (name, part) in zip(axes, few.groupby("dataset", sort=False), strict=True):
    ax.axhline(part["by hand"].iloc[0], color=COLOURS["zeroshot"], linestyle="--", label="by hand")
    for start, (mark, colour, shift) in looks.items():
        runs = part[part.start == start]
        ax.plot(runs.shots + shift, runs.after, mark, color=colour, label=f"CoOp from {start}")
    ax.set(title=name, xticks=[1, 2], xlim=(0.6, 2.4), ylim=(0, 100), xlabel="pictures per class")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("accuracy (%)")
handles = axes[0].get_legend_handles_labels()
figure.legend(*handles, frameon=False, ncols=3, loc="outside lower center")
said = [
    f"{name} from {start}: {' and '.join(f'{value:.0f}' for value in found)}"
    for (name, start), found in means.after.groupby(level=[0, 1], sort=False)
]
means_said = "; ".join(said)
show(figure, f"Single runs, and a line for by hand. Means for one and two shots: {means_said}.")

# %% [markdown]
# Read the table from left to right. *Before* says where a start stands without any training, and
# *after* where it got. *On its own* asks the model about its few training pictures; *spread* is how
# far the two draws lie apart. A method that learns by heart names its own pictures rightly and
# fails on new ones. A method that fails on its own pictures, too, has not arrived yet. Which of the
# two do you see with random tokens, or is it some of both? Is *after* always better than *before*?
#
# So does the claim hold here? Look at your counts above, for each start. They speak about a tiny
# CLIP, and not about the paper's: ours has read short captions of a few hundred words, and sixteen
# strange tokens before a name may be further from home for it than for a CLIP that has read 400
# million captions. That is a guess; "Going further" says how to test it. The authors' claim is one
# about eleven datasets of photographs. A claim comes with its conditions; this is how one finds
# them.
#
# ## 9. Two variants
#
# **A context for each class.** So far one context served all names. It is called *unified*. CoOp
# may also learn one per class, `[C, n, d_t]`: *class-specific*. Your `splice` can do that already.
#
# ### Exercise 03.5
#
# How many numbers would a class-specific context learn on ImageNet (1,000 classes), with n = 16
# tokens, in the text tower of ViT-B/16 (`d_t` = 512)? Stuck? `ex.hint("03.5")`

# %% tags=["exercise"]
# STUB: answer = None
# SOLUTION
answer = 1_000 * 16 * 512
# END SOLUTION

# %% tags=["check"]
answer = ex.check("03.5", answer)

# %% [markdown]
# We train both kinds on four pictures of each base class, from a random start. Then we ask the
# class-specific one for the six **novel** names. It holds six contexts, and each was learned for
# one base class. How does it do on them, beside the unified one? ("a little worse" means: by up to
# 10 points.)

# %% tags=["exercise"]
# STUB: guess = None  # "much worse", "a little worse" or "no worse"
# SOLUTION
guess = "much worse"
# END SOLUTION
ex.predict("03.d", guess, choices=("much worse", "a little worse", "no worse"))

# %%
train_4 = encoded(base.train(shots=4, seed=seed))  # [24, D], [24]
kinds = {}
for kind, n_classes in (("unified", None), ("class-specific", len(base.class_names))):
    with seeded(seed):
        learner = CoOp(my_clip, n_ctx=4, n_classes=n_classes)
    learn(learner, base.class_names, train_4, **fit_kwargs)
    kinds[kind] = scores(learner)
    print(f"{kind:<15} ctx {list(learner.ctx.shape)}, {learner.ctx.numel()} numbers: ", end="")
    print("base {base:.1f}%, novel {novel:.1f}%".format(**kinds[kind]))
    ex.expect(f"base, {kind}", kinds[kind]["base"])
loss = kinds["unified"]["novel"] - kinds["class-specific"]["novel"]
ex.outcome("03.d", "much worse" if loss > 10 else "a little worse" if loss > 0 else "no worse")
try:
    PromptedCLIP(my_clip, learner, zodiac.class_names)
except ValueError as error:
    print("With all twelve names:", error)

# %% [markdown]
# Six novel names happen to be as many as six base names, so that the code could not know better:
# the first novel sign borrowed the context of the first base sign, and so on. With any other
# number of names it refuses. A class-specific context has **no** answer for a class that it never
# saw; that is why the rest of this course uses unified ones. The paper, which tests on the classes
# that it trained on, has both kinds, and neither wins everywhere: class-specific contexts learn
# more numbers, and want more shots for them (arXiv 2109.01134).
#
# **Where the class name stands.** At the end of the context, in the middle of it, or in front:
#
# | position | tokens |
# |---|---|
# | end | SOS **v1 v2 v3 v4** leo . EOT |
# | middle | SOS **v1 v2** leo **v3 v4** . EOT |
# | front | SOS leo **v1 v2 v3 v4** . EOT |
#
# ### Exercise 03.6
#
# Take the tokens of the "end" order and number them: 0 is SOS, then come `n_ctx` tokens of
# context, `name_length` tokens of the name, and the rest ("." and EOT, perhaps padding). Return
# the list that says, for every place of the **new** sentence, which of these numbers stands there.
# In "middle", `n_ctx // 2` tokens stand before the name. With one token for the name and n = 4,
# "front" is `[0, 5, 1, 2, 3, 4, 6, 7]`. Stuck? `ex.hint("03.6")`


# %% tags=["exercise"]
def token_order(position, n_ctx, name_length, length):
    """For each of `length` places, which token of the "end" order stands there."""
    # STUB: raise NotImplementedError("03.6: write me")
    # SOLUTION
    before = {"end": n_ctx, "middle": n_ctx // 2, "front": 0}[position]
    context = list(range(1, 1 + n_ctx))
    name = list(range(1 + n_ctx, 1 + n_ctx + name_length))
    rest = list(range(1 + n_ctx + name_length, length))
    return [0, *context[:before], *name, *context[before:], *rest]
    # END SOLUTION


# %% tags=["check"]
token_order = ex.check("03.6", token_order)


# %%
class MyCoOp(CoOp):
    """CoOp whose sentences are put in order by your function."""

    def tokens(self, class_names, context_length=77):
        """Tokens [C, L], and the places [C, n] of the context among them."""
        tokens = tokenize([self.templates[0].replace("{}", name) for name in class_names])
        lengths = [len(word_ids(name)) for name in class_names]
        sizes = [(self.n_ctx, length, tokens.shape[1]) for length in lengths]
        order = torch.tensor([token_order(self.position, *size) for size in sizes])  # [C, L]
        return tokens.gather(1, order), order.argsort(dim=1)[:, 1 : 1 + self.n_ctx]


for position in ("end", "middle", "front"):
    with seeded(seed):
        learner = MyCoOp(my_clip, n_ctx=4, position=position)
    first = scores(learner)
    if position == "end":  # this is the unified context from above
        found = kinds["unified"]
    else:
        learn(learner, base.class_names, train_4, **fit_kwargs)
        found = scores(learner)
    first, found = (" base {base:.1f}%, novel {novel:.1f}%".format(**row) for row in (first, found))
    print(f"{position:<7} before:{first}; after four shots:{found}")

# %% [markdown]
# Compare *before* and *after* in the last line. No sentence in English begins with the sign and
# ends with four strange words, and still a context can be learned for that place: the slots do not
# have to be words. The paper tries "end" and "middle" (arXiv 2109.01134, figure 3); "front" is in
# its authors' code. Four shots and one draw decide nothing here. From now on the name stands at the
# end.
#
# ## 10. The table so far
#
# The rows of earlier lessons are stored: means over three seeds. CoOp's row is the one that you
# trained above, with 16 shots.

# %%
own_row = pd.DataFrame([{"method": "coop", **learned}])
table_so_far = pd.concat(
    [compare_methods(["zeroshot"], "zodiac", STORED), own_row], ignore_index=True
)
ax = plot_base_to_novel(table_so_far, ax=plt.figure(figsize=(8, 3.6)).gca())
said = "; ".join(
    f"{TITLES[row.method]} {row.base:.1f}, {row.novel:.1f} and {row.hm:.1f}"
    for row in table_so_far.itertuples()
)
show(ax.figure, f"Accuracy on base classes, on novel classes, and harmonic mean: {said}.")
stored = compare_methods(["coop"], "zodiac", STORED).iloc[0]
print("CoOp, three seeds: base {base:.1f}, novel {novel:.1f}, HM {hm:.1f}".format(**stored))

# %%
papers = data_folder() / "paper"
splits = ["base", "novel", "hm"]
average = pd.read_csv(papers / "base_to_novel_average.csv", index_col="method")[splits]
print(average.loc[["CLIP", "CoOp"]], "\n")
ours = table_so_far.set_index("method").rename(index={"zeroshot": "CLIP", "coop": "CoOp"})[splits]
for name, rows in (("zodiac, tiny CLIP, this run", ours), ("the papers, eleven datasets", average)):
    change = (rows.loc["CoOp"] - rows.loc["CLIP"]).round(1) + 0.0  # no "-0.0"
    print(f"{name:<28}", ", ".join(f"{split} {change[split]:+.1f}" for split in splits))
every = pd.read_csv(papers / "base_to_novel.csv")
novel_of = every.pivot(index="dataset", columns="method", values="novel")
worse = (novel_of["CoOp"] < novel_of["CLIP"]).sum()
print(
    f"In the papers CoOp is below CLIP on the novel classes of {worse} of {len(novel_of)} datasets."
)

# %% [markdown]
# You know the papers' numbers from lesson 02: CoOp gains 13 points on the base classes and pays 11
# for them on the novel ones, and the harmonic mean stays where it was. Compare the signs with ours,
# not the sizes: one dataset of six and six drawn classes, a tiny CLIP and one seed, against eleven
# datasets, ViT-B/16 and three seeds. (The paper's base-to-novel numbers of CoOp are in CoCoOp's
# paper, arXiv 2203.05557.)
#
# ## 11. Watch it learn
#
# We noted the context before every epoch. So we can go back in time: choose a moment and a picture,
# and see what CoOp would have said then. On the right, the accuracy on all test pictures. The six
# pictures of each half are those about which training changed CLIP's mind most, for better or for
# worse.

# %%
chosen = [0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, len(notes)]  # epochs
contexts, answers = [*notes, last], {}
path, album = {"base": [], "novel": []}, {}
replay = CoOp(my_clip, **learner_kwargs)
for classes, pictures in (("base", base), ("novel", novel)):
    model, labels = PromptedCLIP(my_clip, replay, pictures.class_names), tests[classes][1]
    for epoch in chosen:
        replay.ctx.data.copy_(contexts[epoch])
        path[classes].append(percent(model, tests[classes]))
        with torch.no_grad():
            answers[classes, epoch] = model.classify(tests[classes][0]).softmax(dim=-1)  # [N, C]
    first, then = (answers[classes, epoch].gather(1, labels[:, None]) for epoch in (0, chosen[-1]))
    album[classes] = pictures, (then - first).abs().flatten().topk(6).indices.tolist()


# %%
def at(moment, classes, picture):
    """A picture, what CoOp said of it at a moment, and the accuracies over all epochs."""
    pictures, epoch, index = album[classes][0], chosen[moment - 1], album[classes][1][picture - 1]
    truth = pictures.class_names[pictures.labels[index]]
    row = answers[classes, epoch][index].tolist()
    named = dict(zip(pictures.class_names, row, strict=True))
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 2.8), layout="constrained")
    plot_picture(pictures, index, ax=axes[0])
    plot_probabilities(named, truth=truth, top=4, ax=axes[1]).set_title(f"after {epoch} epochs")
    for (split, values), style in zip(path.items(), ("o-", "s:"), strict=True):
        axes[2].plot(values, style, color=COLOURS["coop"], label=split, markersize=4)
    axes[2].axvline(moment - 1, color="#333333", linewidth=1)
    axes[2].set(xlabel="epochs (not to scale)", ylabel="accuracy (%)")
    axes[2].set_xticks(range(0, len(chosen), 2), chosen[::2])
    axes[2].legend(frameon=False)
    axes[2].spines[["top", "right"]].set_visible(False)
    then = ", ".join(f"{split} {values[moment - 1]:.0f}%" for split, values in path.items())
    said = f"{max(named, key=named.get)} with {100 * max(row):.0f}%. Accuracy then: {then}"
    return figure, f"After {epoch} epochs CoOp says of a picture of {truth}: {said}."


explore(at, moment=(1, len(chosen)), classes=["base", "novel"], picture=(1, 6))

# %% [markdown]
# ## Recap
#
# - A sentence is a table of token embeddings. CoOp replaces some rows by learned numbers.
# - The splice comes first, then the positional embedding, then the frozen tower. Gradients pass
#   through it; only `ctx` changes.
# - The image tower is not touched, so that image features can be kept.
# - A unified context can be put before any name. A class-specific one cannot.
# - The context is fitted to the base classes, and the novel ones pay or gain by chance. The next
#   lesson lets the context look at the picture before it speaks: CoCoOp.
#
# ## Going further
#
# - In section 8, start from 4 random tokens instead of 16. Then give 16 of them 1,000 epochs. How
#   far does each of the two changes bring one shot towards the hand-written sentence?
# - Start CoOp from other words: "a drawing of the", or words that make no sense here, such as "king
#   of hearts and". How far does the start decide the end?
# - Stop early: in section 11, at which epoch is the harmonic mean highest? Why would it not be fair
#   to choose the epoch by these pictures? (Lesson 02, three kinds of pictures.)
# - Train with n = 1, 2, 8 and 16 tokens from 16 shots. Lesson 09 does this for all methods.
# - Papers: CoOp (arXiv 2109.01134); soft prompts for language models came first: prefix-tuning
#   (2101.00190) and prompt tuning (2104.08691); ProGrad (2205.14865) and KgCoOp (2303.13283) hold
#   CoOp's context back near the hand-written one.

# %%
ex.progress()
