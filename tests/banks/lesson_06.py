"""Right submissions to the exercises of lesson 06, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank
from maple_lite.course.exercises.lesson_06 import DOOR, DRAW, POOL, START, TOWER
from maple_lite.course.teach.mistakes import patched

BETWEEN = """\
if i < len(prompts):
    rows = (prompts[i] if i else visual.ln_pre(prompts[0])).expand(len(x), -1, -1)
    x = torch.cat([x[:, :1], rows, x[:, 1 + len(prompts[i]) if i else 1:]], dim=1)"""
REPLACED = """\
if i == 0 and prompts:
    x = torch.cat([x, visual.ln_pre(prompts[0]).expand(len(x), -1, -1)], dim=1)
elif i < len(prompts):
    x = torch.cat([x[:, :-len(prompts[i])], prompts[i].expand(len(x), -1, -1)], dim=1)"""
ZEROS = "torch.nn.Parameter(torch.zeros(n_ctx, clip.vision_width))"

BANK = {
    "06.1": Bank(
        right={
            "computed": "answer = 1 + (224 // 16) ** 2 + 8",
            "whole": "answer = 205",
            "a tensor": "answer = torch.tensor(205.0)",
        },
    ),
    "06.2": Bank(
        right={
            "the last n tokens replaced": patched(TOWER, {DOOR: REPLACED}),
            "ln_pre over everything, from the parts of the tower": """\
def encode_image(self, images, prompts=()):
    visual = self.visual
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
    own = x.shape[1]
    if prompts:
        x = torch.cat([x, prompts[0].expand(len(x), -1, -1)], dim=1)
    x = visual.ln_pre(x)
    for i, block in enumerate(visual.transformer.resblocks):
        if 0 < i < len(prompts):
            x = torch.cat([x[:, :own], prompts[i].repeat(len(x), 1, 1)], dim=1)
        x = block(x)
    x = visual._pool(x[:, :own])[0] @ visual.proj
    return x / x.norm(dim=-1, keepdim=True)""",
            "between CLS and the patches, where order does not matter": patched(
                TOWER,
                {
                    DOOR: BETWEEN,
                    POOL: "visual._pool(torch.cat([x[:, :1], x[:, x.shape[1] - own + 1:]], dim=1))[0]",
                },
            ),
        },
    ),
    "06.3": Bank(
        right={
            "in place": patched(
                START,
                {DRAW: f"[{ZEROS} for _ in range(depth)]\nfor p in prompts:\n    torch.nn.init.normal_(p, std=0.02)"},
            ),
            "all at once": """\
def new_prompts(clip, n_ctx, depth):
    return torch.nn.ParameterList(torch.randn(depth, n_ctx, clip.vision_width).mul(0.02).unbind())""",
        },
    ),
    "06.4": Bank(
        right={
            "as it stands there": 'answer = "CoOp, CoCoOp, deep language"',
            "in capitals": 'answer = "COOP, COCOOP, DEEP LANGUAGE"',
        },
    ),
}
