"""Right submissions to the exercises of lesson 09, beside the references that its mistakes are patches of."""

from banks import Bank, indented
from maple_lite.course.exercises.lesson_09 import FIRST, MADE, SHARED_SOURCE, ZIPPED
from maple_lite.course.teach.mistakes import patched


def pair(body: str) -> str:
    return "def paired(results, variant):\n" + indented(body)


def network(body: str) -> str:
    return "def small_network(clip):\n" + indented("a, b = clip.text_width, clip.vision_width\n" + body)


def add(body: str) -> str:
    return "def add_prompt(x, prompt, start):\n" + indented(body)


BANK = {
    "09.1": Bank(
        right={
            "merge": pair(
                "mine, its = (results[results.variant == name] for name in (variant, 'preset'))\n"
                "both = mine.merge(its, on=['dataset', 'seed'])\ngaps = both.accuracy_x - both.accuracy_y\n"
                "return gaps.mean(), gaps.std() / len(gaps) ** 0.5"
            ),
            "a dict and the formula": pair(
                "rows = {(v, d, s): a for v, d, s, a in "
                "results[['variant', 'dataset', 'seed', 'accuracy']].itertuples(index=False)}\n"
                "gaps = [a - rows['preset', d, s] for (v, d, s), a in rows.items()\n"
                "        if v == variant and ('preset', d, s) in rows]\n"
                "n, mean = len(gaps), sum(gaps) / len(gaps)\n"
                "return mean, (sum((gap - mean) ** 2 for gap in gaps) / (n - 1) / n) ** 0.5"
            ),
        },
    ),
    "09.2": Bank(
        right={
            "the same layer everywhere": patched(
                SHARED_SOURCE,
                {FIRST: "self.couple = torch.nn.ModuleList([self.couple[0]] * len(self.couple))", MADE: ZIPPED},
            ),
            "the others dropped": patched(
                SHARED_SOURCE, {FIRST: "self.couple = self.couple[:1]", MADE: MADE.replace("couple", "couple[0]")}
            ),
            "all tokens at once": patched(SHARED_SOURCE, {MADE: "list(self.couple(torch.stack(list(self.text))))"}),
        },
    ),
    "09.3": Bank(
        right={
            "tried out": network(
                "h = min(range(1, a + b), key=lambda h: abs(h * a + h * b - a * b))\n"
                "return torch.nn.Sequential(torch.nn.Linear(a, h), torch.nn.ReLU(), torch.nn.Linear(h, b))"
            ),
            "biases counted, too, and added one by one": network(
                "h = round(a * b / (a + b + 1))\nmade = torch.nn.Sequential()\nmade.append(torch.nn.Linear(a, h))\n"
                "made.append(torch.nn.ReLU())\nmade.append(torch.nn.Linear(h, b))\nreturn made"
            ),
        },
    ),
    "09.4": Bank(
        right={
            "padded": add("return x + F.pad(prompt, (0, 0, start, x.shape[1] - start - len(prompt)))"),
            "a copy written into": add("y = x.clone()\ny[:, start : start + len(prompt)] += prompt\nreturn y"),
        },
    ),
    "09.5": Bank(right={"C": 'answer = "C"', "small": 'answer = "c"'}),
}
