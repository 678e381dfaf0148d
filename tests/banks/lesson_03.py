"""Right and wrong submissions to the exercises of lesson 03."""

from __future__ import annotations

from banks import Bank, indented


def splice(body: str) -> str:
    return "def splice(x, prompt, positions=None):\n" + indented(body)


def tower(**changes: str) -> str:
    """A text tower of named lines, some of them changed."""
    lines = {
        "embed": "x = text.token_embedding(tokens)",
        "before": "",
        "splice": "x = write_prompt(x, prompts[0], positions) if len(prompts) else x",
        "places": "x = x + text.positional_embedding[:length]",
        "mask": "mask = text.attn_mask[:length, :length]",
        "blocks": "for block in text.transformer.resblocks:\n    x = block(x, attn_mask=mask)",
        "end": "x = x[torch.arange(len(x)), tokens.argmax(dim=-1)]",
        "final": "x = text.ln_final(x) @ text.text_projection",
        "unit": "return F.normalize(x, dim=-1)",
    } | changes
    body = "text, length = self.text, tokens.shape[1]\n" + "\n".join(filter(None, lines.values()))
    return "def encode_text(self, tokens, prompts=(), positions=None):\n" + indented(body)


def rate(body: str) -> str:
    return "def learning_rate(epoch, epochs, lr):\n" + indented(body)


COSINE = "return lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2"
SGD = "torch.optim.SGD({}, lr=1.0, momentum=0.9, weight_decay=5e-4)"


def loop(**changes: str) -> str:
    """A training loop of named lines, some of them changed."""
    lines = {
        "optimizer": "optimizer = " + SGD.format("model.learner.parameters()"),
        "losses": "losses = []",
        "outer": "for pairs, rate in zip(epochs, rates):",
        "rate": '    optimizer.param_groups[0]["lr"] = rate',
        "inner": "    for image_features, labels in pairs:",
        "loss": "        loss = F.cross_entropy(model.classify(image_features), labels)",
        "zero": "        optimizer.zero_grad()",
        "backward": "        loss.backward()",
        "step": "        optimizer.step()",
        "note": "        losses.append(loss.item())",
        "end": "return losses",
    } | changes
    return "def train(model, epochs, rates):\n" + indented("\n".join(filter(None, lines.values())))


BY_HAND = """v = [torch.zeros_like(w) for w in model.learner.parameters()]
losses = []
for pairs, rate in zip(epochs, rates):
    for features, labels in pairs:
        loss = F.cross_entropy(model.classify(features), labels)
        weights = list(model.learner.parameters())
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for w, g, m in zip(weights, gradients, v):
                m.mul_(0.9).add_(g + 5e-4 * w)
                w.sub_(rate * m)
        losses.append(float(loss.detach()))
return losses"""


def order(body: str) -> str:
    return "def token_order(position, n_ctx, name_length, length):\n" + indented(body)


PARTS = """context = list(range(1, 1 + n_ctx))
name = list(range(1 + n_ctx, 1 + n_ctx + name_length))
rest = list(range(1 + n_ctx + name_length, length))
"""
BEFORE = 'k = {"end": n_ctx, "middle": n_ctx // 2, "front": 0}[position]\n'


BANK = {
    "03.1": Bank(
        right={
            "cat of three": splice(
                "n = prompt.shape[-2]\nreturn torch.cat([x[:, :1], prompt.expand(len(x), -1, -1), x[:, 1 + n:]], dim=1)"
            ),
            "write into a clone": splice("out = x.clone()\nout[:, 1 : 1 + prompt.shape[-2]] = prompt\nreturn out"),
            "sentence by sentence": splice(
                "rows = []\nfor i in range(len(x)):\n    own = prompt if prompt.ndim == 2 else prompt[i]\n"
                "    rows.append(torch.vstack([x[i, :1], own, x[i, 1 + len(own):]]))\nreturn torch.stack(rows)"
            ),
        },
        wrong={
            "over SOS": (
                splice("n = prompt.shape[-2]\nreturn torch.cat([prompt.expand(len(x), -1, -1), x[:, n:]], dim=1)"),
                "writes over SOS",
            ),
            "inserts": (
                splice("return torch.cat([x[:, :1], prompt.expand(len(x), -1, -1), x[:, 1:]], dim=1)"),
                "was inserted and the old tokens pushed to the right",
            ),
            "inserts and cuts": (
                splice(
                    "y = torch.cat([x[:, :1], prompt.expand(len(x), -1, -1), x[:, 1:]], dim=1)\n"
                    "return y[:, : x.shape[1]]"
                ),
                "EOT is gone",
            ),
            "one token too many is cut": (
                splice(
                    "n = prompt.shape[-2]\n"
                    "return torch.cat([x[:, :1], prompt.expand(len(x), -1, -1), x[:, 2 + n:]], dim=1)"
                ),
                "a token is lost",
            ),
            "at the end": (
                splice("n = prompt.shape[-2]\nreturn torch.cat([x[:, :-n], prompt.expand(len(x), -1, -1)], dim=1)"),
                "over '.' and EOT",
            ),
            "adds": (
                splice("out = x.clone()\nout[:, 1 : 1 + prompt.shape[-2]] += prompt\nreturn out"),
                "it replaces them",
            ),
            "detaches": (
                splice("out = x.clone()\nout[:, 1 : 1 + prompt.shape[-2]] = prompt.detach()\nreturn out"),
                "the path is cut",
            ),
            "in place": (splice("x[:, 1 : 1 + prompt.shape[-2]] = prompt\nreturn x"), "x was changed"),
            "first sentence alone": (
                splice("out = x.clone()\nout[0, 1 : 1 + prompt.shape[-2]] = prompt\nreturn out"),
                "only the first sentence",
            ),
            "one context for all classes": (
                splice(
                    "own = prompt if prompt.ndim == 2 else prompt[0]\nout = x.clone()\n"
                    "out[:, 1 : 1 + len(own)] = own\nreturn out"
                ),
                "every class got the context of the first one",
            ),
            "n off the first axis": (
                splice(
                    "rows = prompt.expand(len(x), -1, -1)\n"
                    "return torch.cat([x[:, :1], rows, x[:, 1 + prompt.shape[0] :]], dim=1)"
                ),
                "n is prompt.shape[-2]",
            ),
            "the prompt alone": (splice("return prompt.expand(len(x), -1, -1)"), "that is the prompt alone"),
            "no return": (splice("out = torch.cat([x[:, :1], x[:, 1:]], dim=1)"), "did you forget"),
            "not expanded": (splice("return torch.cat([x[:, :1], prompt, x[:, 5:]], dim=1)"), "RuntimeError"),
        },
    ),
    "03.2": Bank(
        right={
            "line by line": tower(),
            "gather, and a norm by hand": tower(
                end="x = x.gather(1, tokens.argmax(-1)[:, None, None].expand(-1, 1, x.shape[-1])).squeeze(1)",
                unit="return x / x.norm(dim=-1, keepdim=True)",
            ),
            "ln_final and projection for every token, EOT last": tower(
                end="x = text.ln_final(x) @ text.text_projection",
                final="x = torch.stack([row[ids.argmax()] for row, ids in zip(x, tokens)])",
            ),
        },
        wrong={
            "places before the splice": (
                tower(before="x = x + text.positional_embedding[:length]", places=""),
                "added before the splice",
            ),
            "no mask": (
                tower(blocks="for block in text.transformer.resblocks:\n    x = block(x)"),
                "the causal mask did not arrive",
            ),
            "mask by position": (
                tower(
                    blocks="for block in text.transformer.resblocks:\n    x = block(x, mask)",
                    unit="return x / x.norm()",
                ),
                "F.normalize",
            ),
            "last position": (tower(end="x = x[:, -1]"), "the last position was read"),
            "SOS": (tower(end="x = x[:, 0]"), "SOS was read"),
            "mean": (tower(end="x = x.mean(dim=1)"), "all tokens were averaged"),
            "every EOT": (tower(end="x = x[:, tokens.argmax(dim=-1)]"), "every EOT of every sentence"),
            "no EOT": (tower(end=""), "one feature per token came"),
            "no projection": (tower(final="x = text.ln_final(x)"), "the last step is missing"),
            "no ln_final": (tower(final="x = x @ text.text_projection"), "ln_final is missing"),
            "not normalised": (tower(unit="return x"), "features of norm 1"),
            "normalised over the classes": (tower(unit="return F.normalize(x, dim=0)"), "another dimension"),
            "no places": (tower(places=""), "the positional embedding was not added"),
            "prompt ignored": (tower(splice=""), "the prompt changed nothing"),
            "positions ignored": (
                tower(splice="x = write_prompt(x, prompts[0]) if len(prompts) else x"),
                "the positions did not arrive",
            ),
            "prompt in every layer": (
                tower(
                    blocks="for i, block in enumerate(text.transformer.resblocks):\n"
                    "    x = block(write_prompt(x, prompts[0]) if prompts and i else x, attn_mask=mask)"
                ),
                "again before every layer",
            ),
            "no gradient": (
                tower(
                    embed="with torch.no_grad():\n    x = text.token_embedding(tokens)",
                    unit="return F.normalize(x, dim=-1).detach()",
                ),
                "no gradient for prompts[0]",
            ),
            "77 places": (tower(places="x = x + text.positional_embedding"), "RuntimeError"),
            "the reference's own call": (tower(unit="F.normalize(x, dim=-1)"), "did you forget"),
        },
    ),
    "03.3": Bank(
        right={
            "an early return": rate(f"if epoch == 0:\n    return 1e-5\n{COSINE}"),
            "half-angle form": rate(
                "half = math.pi * (epoch - 1) / epochs / 2\nreturn lr * math.cos(half) ** 2 if epoch else 1e-5"
            ),
        },
        wrong={
            "no warm-up": (rate(COSINE), "treat it apart"),
            "epoch 0 at lr": (rate(f"if epoch == 0:\n    return lr\n{COSINE}"), "that is lr itself"),
            "a share of lr": (rate(f"if epoch == 0:\n    return 1e-5 * lr\n{COSINE}"), "that is 1e-5 of lr"),
            "epoch 0 at zero": (rate(f"if epoch == 0:\n    return 0.0\n{COSINE}"), "nothing would be learned"),
            "one epoch early": (
                rate("if epoch == 0:\n    return 1e-5\nreturn lr * (1 + math.cos(math.pi * epoch / epochs)) / 2"),
                "one epoch early",
            ),
            "without the half": (
                rate("if epoch == 0:\n    return 1e-5\nreturn lr * (1 + math.cos(math.pi * (epoch - 1) / epochs))"),
                "the half is missing",
            ),
            "without the one": (
                rate("if epoch == 0:\n    return 1e-5\nreturn lr * math.cos(math.pi * (epoch - 1) / epochs)"),
                "the 1 is missing",
            ),
            "divided by E - 1": (
                rate(
                    "if epoch == 0:\n    return 1e-5\n"
                    "return lr * (1 + math.cos(math.pi * (epoch - 1) / (epochs - 1))) / 2"
                ),
                "divided by E - 1",
            ),
            "degrees": (
                rate("if epoch == 0:\n    return 1e-5\nreturn lr * (1 + math.cos(180 * (epoch - 1) / epochs)) / 2"),
                "radians",
            ),
            "a straight line": (
                rate("if epoch == 0:\n    return 1e-5\nreturn lr * (1 - (epoch - 1) / epochs)"),
                "that is a straight line",
            ),
            "constant": (rate("return lr if epoch else 1e-5"), "the rate never falls"),
            "a tensor": (rate(f"return torch.tensor(1e-5)\n{COSINE}"), ".item()"),
            "no return": (rate(COSINE.replace("return", "found =")), "did you forget"),
        },
    ),
    "03.4": Bank(
        right={
            "torch's SGD": loop(),
            "all that asks for gradients": loop(
                optimizer="optimizer = " + SGD.format("[w for w in model.parameters() if w.requires_grad]")
            ),
            "SGD by hand": "def train(model, epochs, rates):\n" + indented(BY_HAND),
        },
        wrong={
            "CLIP in the optimiser": (
                loop(optimizer="optimizer = " + SGD.format("model.parameters()")),
                "model.parameters() holds CLIP, too",
            ),
            "logit scale in the optimiser": (
                loop(
                    optimizer="optimizer = " + SGD.format("[*model.learner.parameters(), model.clip.model.logit_scale]")
                ),
                "does not learn the logit scale",
            ),
            "CLIP thawed": (
                loop(optimizer="model.requires_grad_(True)\noptimizer = " + SGD.format("model.parameters()")),
                "leave requires_grad alone",
            ),
            "no zero_grad": (loop(zero=""), "optimizer.zero_grad()"),
            "no backward": (loop(backward=""), "nothing was learned"),
            "no momentum": (
                loop(optimizer="optimizer = torch.optim.SGD(model.learner.parameters(), lr=1.0, weight_decay=5e-4)"),
                "the momentum is missing",
            ),
            "no weight decay": (
                loop(optimizer="optimizer = torch.optim.SGD(model.learner.parameters(), lr=1.0, momentum=0.9)"),
                "the weight decay is missing",
            ),
            "a new optimiser in every epoch": (
                loop(
                    optimizer="",
                    rate="    optimizer = " + SGD.format("model.learner.parameters()").replace("1.0", "rate"),
                ),
                "forgets its momentum",
            ),
            "the first rate for all": (
                loop(
                    optimizer="optimizer = " + SGD.format("model.learner.parameters()").replace("1.0", "rates[0]"),
                    rate="",
                ),
                "used the first rate",
            ),
            "a rate of its own": (
                loop(
                    optimizer="optimizer = " + SGD.format("model.learner.parameters()").replace("1.0", "0.002"), rate=""
                ),
                "the rates do not arrive",
            ),
            "Adam": (
                loop(optimizer="optimizer = torch.optim.Adam(model.learner.parameters())"),
                "compare with: SGD",
            ),
            "softmax twice": (
                loop(loss="        loss = F.cross_entropy(model.classify(image_features).softmax(-1), labels)"),
                "cross-entropy got probabilities",
            ),
            "summed": (
                loop(loss='        loss = F.cross_entropy(model.classify(image_features), labels, reduction="sum")'),
                "were summed",
            ),
            "tensors": (loop(note="        losses.append(loss)"), "append loss.item()"),
            "one loss per epoch": (loop(note="    losses.append(loss.item())"), "one loss per epoch came"),
            "the last loss alone": (loop(end="return loss.item()"), "one loss came"),
            "no return": (loop(end=""), "did you forget"),
            "the pictures' model": (
                loop(loss="        loss = F.cross_entropy(model(image_features), labels)"),
                "images must be",
            ),
        },
    ),
    "03.5": Bank(
        right={"a product": "answer = 1_000 * 16 * 512", "a number": "answer = 8192000", "a float": "answer = 8.192e6"},
        wrong={
            "one context": ("answer = 16 * 512", "one context for all classes"),
            "tokens": ("answer = 16_000", "those are tokens"),
            "one token per class": ("answer = 512_000", "there are n = 16"),
            "width of the image tower": ("answer = 1000 * 16 * 768", "image tower"),
            "whole sentences": ("answer = 1000 * 77 * 512", "77 is the longest sentence"),
            "words": ("answer = '8 million'", "write digits"),
        },
    ),
    "03.6": Bank(
        right={
            "four parts": order(PARTS + BEFORE + "return [0, *context[:k], *name, *context[k:], *rest]"),
            "a stable sort": order(
                BEFORE + "def place(token):\n"
                "    inside = n_ctx < token <= n_ctx + name_length\n"
                "    return k + 0.5 if inside else token if token <= k or token > n_ctx else token + 0.6\n"
                "head = sorted(range(1 + n_ctx + name_length), key=place)\n"
                "return head + list(range(1 + n_ctx + name_length, length))"
            ),
            "three cases": order(
                PARTS + 'if position == "end":\n    return list(range(length))\n'
                'h = 0 if position == "front" else n_ctx // 2\n'
                "return [0] + context[:h] + name + context[h:] + rest"
            ),
        },
        wrong={
            "new places of old tokens": (
                order(
                    PARTS + BEFORE + "found = [0, *context[:k], *name, *context[k:], *rest]\n"
                    "return [found.index(i) for i in range(length)]"
                ),
                "the other way round",
            ),
            "middle and front exchanged": (
                order(
                    PARTS + 'k = {"end": n_ctx, "middle": 0, "front": n_ctx // 2}[position]\n'
                    "return [0, *context[:k], *name, *context[k:], *rest]"
                ),
                "are exchanged",
            ),
            "nothing moves": (order("return list(range(length))"), "nothing moved"),
            "a name of one token": (
                order(
                    BEFORE + "context = list(range(1, 1 + n_ctx))\n"
                    "return [0, *context[:k], 1 + n_ctx, *context[k:], *range(2 + n_ctx, length)]"
                ),
                "taken for a single token",
            ),
            "name before SOS": (
                order(
                    PARTS
                    + 'if position == "front":\n    return [*name, 0, *context, *rest]\n'
                    + BEFORE
                    + "return [0, *context[:k], *name, *context[k:], *rest]"
                ),
                "before SOS",
            ),
            "rest forgotten": (
                order(
                    PARTS
                    + BEFORE
                    + "return list(range(length)) if k == n_ctx else [0, *context[:k], *name, *context[k:]]"
                ),
                "are lost",
            ),
            "half rounded up": (
                order(
                    PARTS + 'k = {"end": n_ctx, "middle": (n_ctx + 1) // 2, "front": 0}[position]\n'
                    "return [0, *context[:k], *name, *context[k:], *rest]"
                ),
                "rounded down",
            ),
            "four context tokens always": (
                order(
                    PARTS + 'k = {"end": n_ctx, "middle": min(2, n_ctx // 2), "front": 0}[position]\n'
                    "return [0, *context[:k], *name, *context[k:], *rest]"
                ),
                "one of the examples",
            ),
            "a tensor": (order("return torch.arange(length)"), "tensor"),
            "no return": (order("found = list(range(length))"), "did you forget"),
        },
    ),
}
