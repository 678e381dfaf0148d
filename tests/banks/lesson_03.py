"""Right submissions to the exercises of lesson 03, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank, indented
from maple_lite.course.exercises.lesson_03 import COSINE, EOT, LEARNED, LOGITS, NORMALISED, READ, TOWER, TRAIN_MISTAKES
from maple_lite.course.teach.mistakes import patched

LOOP = TRAIN_MISTAKES.reference


def splice(body: str) -> str:
    return "def splice(x, prompt, positions=None):\n" + indented(body)


def rate(body: str) -> str:
    return "def learning_rate(epoch, epochs, lr):\n" + indented(body)


def order(body: str) -> str:
    return "def token_order(position, n_ctx, name_length, length):\n" + indented(body)


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

BANK = {
    "03.1": Bank(
        right={
            "write into a clone": splice("out = x.clone()\nout[:, 1 : 1 + prompt.shape[-2]] = prompt\nreturn out"),
            "sentence by sentence": splice(
                "rows = []\nfor i in range(len(x)):\n    own = prompt if prompt.ndim == 2 else prompt[i]\n"
                "    rows.append(torch.vstack([x[i, :1], own, x[i, 1 + len(own):]]))\nreturn torch.stack(rows)"
            ),
        },
    ),
    "03.2": Bank(
        right={
            "gather, and a norm by hand": patched(
                TOWER,
                {
                    f"x{EOT}": "x.gather(1, tokens.argmax(-1)[:, None, None].expand(-1, 1, x.shape[-1])).squeeze(1)",
                    f"return {NORMALISED}": "x = x @ text.text_projection\nreturn x / x.norm(dim=-1, keepdim=True)",
                },
            ),
            "ln_final and projection for every token, EOT last": patched(
                TOWER,
                {
                    READ: "x = text.ln_final(x) @ text.text_projection",
                    "x @ text.text_projection, ": "torch.stack([row[ids.argmax()] for row, ids in zip(x, tokens)]), ",
                },
            ),
        },
    ),
    "03.3": Bank(
        right={
            "one return": rate(f"return lr * (1 + {COSINE}) / 2 if epoch else 1e-5"),
            "half-angle form": rate(
                "half = math.pi * (epoch - 1) / epochs / 2\nreturn lr * math.cos(half) ** 2 if epoch else 1e-5"
            ),
        },
    ),
    "03.4": Bank(
        right={
            "all that asks for gradients": patched(
                LOOP, {LEARNED: "[w for w in model.parameters() if w.requires_grad]"}
            ),
            "the model itself takes features": patched(LOOP, {LOGITS: "model(image_features)"}),
            "SGD by hand": "def train(model, epochs, rates):\n" + indented(BY_HAND),
        },
    ),
    "03.5": Bank(
        right={"a product": "answer = 1_000 * 16 * 512", "a number": "answer = 8192000", "a float": "answer = 8.192e6"}
    ),
    "03.6": Bank(
        right={
            "a stable sort": order(
                'k = {"end": n_ctx, "middle": n_ctx // 2, "front": 0}[position]\n'
                "def place(token):\n"
                "    inside = n_ctx < token <= n_ctx + name_length\n"
                "    return k + 0.5 if inside else token if token <= k or token > n_ctx else token + 0.6\n"
                "head = sorted(range(1 + n_ctx + name_length), key=place)\n"
                "return head + list(range(1 + n_ctx + name_length, length))"
            ),
            "three cases": order(
                'if position == "end":\n    return list(range(length))\n'
                'h, end = 0 if position == "front" else n_ctx // 2, 1 + n_ctx + name_length\n'
                "context, name = list(range(1, 1 + n_ctx)), list(range(1 + n_ctx, end))\n"
                "return [0] + context[:h] + name + context[h:] + list(range(end, length))"
            ),
        },
    ),
}
