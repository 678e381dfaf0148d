"""Right submissions to the exercises of lesson 05, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank, indented
from maple_lite.course.exercises.lesson_05 import ADD, DOOR, IF, PLACES, TOWER, WRITE
from maple_lite.course.teach.mistakes import patched

LOOP = "for i, block in"


def start(body: str) -> str:
    return 'def deep_prompts(clip, n_ctx, depth, init="a photo of a"):\n' + indented(body)


BANK = {
    "05.1": Bank(
        right={
            "layer 0 before the loop": patched(
                TOWER,
                {
                    LOOP: f"x = write_prompt(x, prompts[0], positions) if len(prompts) else x\n{ADD}\n{LOOP}",
                    IF: "if 0 < i < len(prompts):",
                    PLACES: "",
                },
            ),
            "a slice is written into a clone": patched(
                TOWER,
                {
                    WRITE: "own = torch.arange(1, 1 + len(prompts[i])).expand(len(x), -1)\n"
                    "places = own if positions is None else positions\n"
                    "x = x.clone()\nx[torch.arange(len(x))[:, None], places] = prompts[i]"
                },
            ),
            "cat, prompts from an iterator": patched(
                TOWER,
                {
                    LOOP: f"waiting = iter(prompts)\n{LOOP}",
                    DOOR: "p = next(waiting, None)\nif p is not None and positions is None:\n"
                    "    x = torch.cat([x[:, :1], p.expand(len(x), -1, -1), x[:, 1 + len(p):]], dim=1)\n"
                    "elif p is not None:\n"
                    "    x = x.scatter(1, positions[..., None].expand(-1, -1, len(p[0])), p.repeat(len(x), 1, 1))",
                },
            ),
        },
    ),
    "05.2": Bank(
        right={
            "parameters appended": start(
                "made = torch.nn.ParameterList()\n"
                "made.append(torch.nn.Parameter(clip.text.token_embedding.weight[word_ids(init)[:n_ctx]].clone()))\n"
                "while len(made) < depth:\n"
                "    made.append(torch.nn.Parameter(torch.empty(n_ctx, clip.text_width)))\n"
                "    torch.nn.init.normal_(made[-1], std=0.02)\nreturn made"
            ),
            "the table is called; one draw is cut": start(
                "ids = torch.tensor(word_ids(init)[:n_ctx], device=clip.device)\n"
                "first = clip.text.token_embedding(ids)\n"
                "others = torch.normal(0, 0.02, (depth - 1, n_ctx, clip.text_width), device=clip.device)\n"
                "return torch.nn.ParameterList([first, *(o.clone() for o in others)])"
            ),
        },
    ),
    "05.3": Bank(
        right={"a list": "answer = [5, 6, 7]", "a tuple": "answer = (7, 6, 5)", "a range": "answer = range(5, 8)"}
    ),
    "05.4": Bank(
        right={"a product": "answer = 12 * 4 * 512", "a number": "answer = 24576", "a float": "answer = 2.4576e4"}
    ),
}
