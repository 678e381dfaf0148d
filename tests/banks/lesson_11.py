"""Right submissions to the exercises of lesson 11, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank, indented
from maple_lite.course.exercises.lesson_11 import ALARMS, COUNTED, LIMIT
from maple_lite.course.teach.mistakes import patched


def words(body: str) -> str:
    """Source of nearest with a body."""
    return "def nearest(prompt, embeddings, known, k):\n" + indented(body)


def share(body: str) -> str:
    """Source of prompt_share with a body."""
    return "def prompt_share(weights, readers, places):\n" + indented(body)


def area(body: str) -> str:
    """Source of area_under_roc with a body."""
    return "def area_under_roc(inside, outside):\n" + indented(body)


BANK = {
    "11.1": Bank(
        right={
            "differences and argsort": words(
                "gaps = prompt[:, None] - embeddings[known]\nreturn known[gaps.norm(dim=-1).argsort(dim=-1)[:, :k]]"
            ),
            "the others at infinity": words(
                "distances = torch.cdist(prompt, embeddings)\n"
                "others = torch.ones(len(embeddings), dtype=torch.bool)\nothers[known] = False\n"
                "return distances.masked_fill(others, torch.inf).argsort(dim=-1)[:, :k]"
            ),
            "token by token": words(
                "rows = []\nfor token in prompt:\n"
                "    gaps = {int(i): float((token - embeddings[i]).norm()) for i in known}\n"
                "    rows.append(sorted(gaps, key=gaps.get)[:k])\nreturn torch.tensor(rows)"
            ),
        },
    ),
    "11.2": Bank(
        right={
            "einsum": share(
                "asked = torch.nn.functional.one_hot(readers, weights.shape[-1]).float()\n"
                "return torch.einsum('rq,rhqn->r', asked, weights[..., places]) / weights.shape[1]"
            ),
            "heads first, gathered": share(
                "mean = weights.mean(dim=1)\n"
                "index = readers[:, None, None].expand(-1, 1, mean.shape[-1])\n"
                "return mean.gather(1, index)[:, 0, places].sum(dim=-1)"
            ),
            "example by example": share(
                "return torch.stack([w[:, r][:, places].sum() / len(w) for w, r in zip(weights, readers)])"
            ),
        },
    ),
    "11.3": Bank(right={"B": 'answer = "B"', "in small": 'answer = "b"'}),
    "11.4": Bank(
        right={
            "signs of differences": area(
                "signs = torch.sign(inside[:, None] - outside)  # 1, 0 or -1\nreturn 50 * (signs.mean() + 1)"
            ),
            "ranks": area(
                "both = torch.cat([inside, outside])\n"
                "below = (both[:, None] > both).sum(dim=1) + 0.5 * (both[:, None] == both).sum(dim=1) + 0.5\n"
                "n, m = len(inside), len(outside)\n"
                "return float(100 * (below[:n].sum() - n * (n + 1) / 2) / (n * m))"
            ),
            "two loops": area(
                "points = 0\nfor a in inside.tolist():\n    for b in outside.tolist():\n"
                "        points += 1 if a > b else 0.5 if a == b else 0\n"
                "return 100 * points / (len(inside) * len(outside))"
            ),
        },
    ),
    "11.5": Bank(
        right={
            "every threshold tried": patched(
                ALARMS, {LIMIT: "max(t for t in inside if (inside >= t).sum() >= 0.95 * len(inside))"}
            ),
            "kthvalue": patched(ALARMS, {LIMIT: "inside.kthvalue(len(inside) // 20 + 1).values"}),
            "counted by hand": patched(
                ALARMS,
                {
                    f"threshold = {LIMIT}": "for passed, threshold in enumerate(ordered.tolist(), 1):\n"
                    "    if 20 * passed >= 19 * len(inside):\n        break",
                    COUNTED: "torch.tensor([score >= threshold for score in outside])",
                },
            ),
        },
    ),
}
