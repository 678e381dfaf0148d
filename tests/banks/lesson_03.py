"""Right submissions to the exercises of lesson 03, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank, indented
from maple_lite.course.exercises.lesson_03 import CURVES, EOT, LEARNED, LOGITS, NORMALISED, READ, TOWER, TRAIN_MISTAKES
from maple_lite.course.teach.mistakes import patched

LOOP = TRAIN_MISTAKES.reference


def splice(body: str) -> str:
    return "def splice(x, prompt, positions=None):\n" + indented(body)


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
            "a dict": f"answer = {CURVES}",
            "in capitals and another order": f"answer = { ({key: CURVES[key].upper() for key in 'DCBA'}) }",
            "a list in the order of the letters": f"answer = {list(CURVES.values())}",
        }
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
}
