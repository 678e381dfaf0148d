"""Right submissions to the exercises of lesson 07, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank
from maple_lite.course.exercises.lesson_07 import (
    BRANCHES_MISTAKES,
    DEEPER,
    LOSS,
    NORMS_MISTAKES,
    RANDOM,
    START,
    TEXT_ALONE,
    VISION_ALONE,
)
from maple_lite.course.teach.mistakes import patched

BANK = {
    "07.1": Bank(
        right={
            "a loop": """\
def independent_prompts(clip, words, depth):
    n = len(words)
    text, vision = torch.nn.ParameterList([words.detach().clone()]), torch.nn.ParameterList()
    while len(text) < depth:
        text.append(torch.nn.Parameter(torch.randn(n, clip.text_width) * 0.02))
    for _ in range(depth):
        vision.append(torch.nn.Parameter(torch.randn(n, clip.vision_width) * 0.02))
    return text, vision""",
            "init.normal_ on empty ones": patched(
                START,
                {
                    DEEPER: "new = lambda d: torch.nn.init.normal_(torch.empty(n, d), std=0.02)\n"
                    "deeper = [new(clip.text_width) for _ in range(1, depth)]",
                    "words.clone()": "words + 0",
                    RANDOM: "random = [new(clip.vision_width) for _ in range(depth)]",
                },
            ),
            "one tensor for all layers, cut up": patched(
                START,
                {
                    DEEPER: "deeper = (torch.randn(depth - 1, n, clip.text_width) * 0.02).unbind()",
                    RANDOM: "random = (torch.randn(depth, n, clip.vision_width) * 0.02).unbind()",
                },
            ),
        },
    ),
    "07.2": Bank(
        right={
            "computed": "answer = 2 * 12 * (512 + 768)",
            "added": "answer = 12288 + 18432",
            "from tensors": "answer = torch.zeros(24, 512).numel() + torch.zeros(24, 768).numel()",
        },
    ),
    "07.3": Bank(
        right={
            "autograd.grad": """\
def gradient_norms(model, images, labels):
    named = dict(model.learner.named_parameters())
    asking = {name: w for name, w in named.items() if w.requires_grad}
    loss = F.cross_entropy(model(images), labels)
    found = dict(zip(asking, torch.autograd.grad(loss, list(asking.values()))))
    return {n: found[n].square().sum().sqrt().item() if n in found else 0.0 for n in named}""",
            "a loop": """\
def gradient_norms(model, images, labels):
    for w in model.parameters():
        w.grad = None
    F.cross_entropy(model(images), labels).backward()
    found = {}
    for name, w in model.learner.named_parameters():
        found[name] = 0.0
        if w.grad is not None:
            found[name] = float(w.grad.pow(2).sum() ** 0.5)
    return found""",
            "the mean by hand": patched(
                NORMS_MISTAKES.reference,
                {LOSS: "-model(images).log_softmax(-1)[torch.arange(len(labels)), labels].mean()"},
            ),
        },
    ),
    "07.4": Bank(right={"as it stands": 'answer = "other numbers"', "capitals": 'answer = "Other numbers"'}),
    "07.5": Bank(
        right={
            "slices": patched(
                BRANCHES_MISTAKES.reference,
                {TEXT_ALONE: '[: 99 * ("text" in keep)]', VISION_ALONE: '[: 99 * ("vision" in keep)]'},
            ),
            "a dict": """\
def branches(learner, keep):
    found = {"text": learner.text_prompts(), "vision": learner.vision_prompts()}
    return [prompts if tower in keep else [] for tower, prompts in found.items()]""",
        },
    ),
}
