"""Right and wrong submissions to the exercises of lesson 09."""

from banks import Bank, indented

PIVOT = 'table = results.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")\n'
GAPS = PIVOT + 'gaps = (table[variant] - table["preset"]).dropna()\n'


def pair(end: str, before: str = GAPS) -> str:
    """Source of paired: lines that make the differences `gaps`, and a last line."""
    return "def paired(results, variant):\n" + indented(before + end)


HALVES = (
    "mine = results[results.variant == variant]\npreset = results[results.variant == 'preset']\n"
    "a, b = mine.accuracy.to_numpy(), preset.accuracy.to_numpy()\n"
)
RIGHT_END = "return gaps.mean(), gaps.std() / len(gaps) ** 0.5"


def shared(
    init: str = "self.couple = self.couple[0]", prompts: str = "return [self.couple(prompt) for prompt in self.text]"
) -> str:
    """Source of the class Shared: what comes after super().__init__, and the body of vision_prompts."""
    methods = "def __init__(self, clip, **kwargs):\n" + indented("super().__init__(clip, **kwargs)\n" + init)
    return "class Shared(MaPLe):\n" + indented(methods + "def vision_prompts(self):\n" + indented(prompts))


def network(
    hidden: str = "round(a * b / (a + b))",
    parts: str = "torch.nn.Linear(a, h), torch.nn.ReLU(), torch.nn.Linear(h, b)",
    end: str = "return torch.nn.Sequential({})",
) -> str:
    """Source of small_network: the width in the middle, the parts, and the last line."""
    lines = f"a, b = clip.text_width, clip.vision_width\nh = {hidden}\n" + end.format(parts)
    return "def small_network(clip):\n" + indented(lines)


def add(body: str) -> str:
    """Source of add_prompt with a body."""
    return "def add_prompt(x, prompt, start):\n" + indented("n = len(prompt)\n" + body)


JOIN = "return torch.cat([x[:, :start], {}, x[:, start + n :]], dim=1)"
EACH = "[self.couple[0](prompt) for prompt in self.text]"

BANK = {
    "09.1": Bank(
        right={
            "pivot": pair(RIGHT_END),
            "merge": pair(
                RIGHT_END,
                "mine = results[results.variant == variant]\npreset = results[results.variant == 'preset']\n"
                "both = mine.merge(preset, on=['dataset', 'seed'])\ngaps = both.accuracy_x - both.accuracy_y\n",
            ),
            "a dict and the formula": pair(
                "n, mean = len(gaps), sum(gaps) / len(gaps)\n"
                "return mean, (sum((gap - mean) ** 2 for gap in gaps) / (n - 1) / n) ** 0.5",
                "rows = {(v, d, s): a for v, d, s, a in "
                "results[['variant', 'dataset', 'seed', 'accuracy']].itertuples(index=False)}\n"
                "gaps = [a - rows['preset', d, s] for (v, d, s), a in rows.items()\n"
                "        if v == variant and ('preset', d, s) in rows]\n",
            ),
        },
        wrong={
            "sign": (pair("return -gaps.mean(), gaps.std() / len(gaps) ** 0.5"), "the sign is wrong"),
            "standard deviation": (pair("return gaps.mean(), gaps.std()"), "a mean of n of them wobbles less"),
            "n below": (pair("return gaps.mean(), gaps.std(ddof=0) / len(gaps) ** 0.5"), "has n below (numpy's)"),
            "n below, single": (pair("return gaps.mean(), gaps.std(ddof=0)"), "with n below, and of single"),
            "n - 1 twice": (pair("return gaps.mean(), gaps.std() / (len(gaps) - 1) ** 0.5"), "n - 1 belongs inside"),
            "divided by n": (pair("return gaps.mean(), gaps.std() / len(gaps)"), "you divided by n"),
            "variance": (pair("return gaps.mean(), gaps.var() / len(gaps)"), "its square root is missing"),
            "not paired": (
                pair(
                    "return a.mean() - b.mean(), ((a.var(ddof=1) + b.var(ddof=1)) / len(a)) ** 0.5",
                    HALVES,
                ),
                "this is the spread of the ACCURACIES",
            ),
            "spreads subtracted": (
                pair("return a.mean() - b.mean(), abs(a.std(ddof=1) - b.std(ddof=1)) / len(a) ** 0.5", HALVES),
                "you subtracted two spreads",
            ),
            "the variant alone": (
                pair("return a.mean(), a.std(ddof=1) / len(a) ** 0.5", HALVES),
                "the variant's own accuracies",
            ),
            "exchanged": (pair("return gaps.std() / len(gaps) ** 0.5, gaps.mean()"), "the two numbers are exchanged"),
            "datasets first": (
                pair("gaps = gaps.groupby('dataset').mean()\n" + RIGHT_END),
                "the seeds of a dataset were averaged first",
            ),
            "by seed alone": (
                pair(
                    RIGHT_END,
                    "mine = results[results.variant == variant]\npreset = results[results.variant == 'preset']\n"
                    "both = mine.merge(preset, on='seed')\ngaps = both.accuracy_x - both.accuracy_y\n",
                ),
                "compared with all datasets of its seed",
            ),
            "by dataset alone": (
                pair(
                    RIGHT_END,
                    "mine = results[results.variant == variant]\npreset = results[results.variant == 'preset']\n"
                    "both = mine.merge(preset, on='dataset')\ngaps = both.accuracy_x - both.accuracy_y\n",
                ),
                "compared with all seeds of its dataset",
            ),
            "no sign": (pair("return abs(gaps.mean()), gaps.std() / len(gaps) ** 0.5"), "keep its sign, no abs()"),
            "no signs": (pair("gaps = gaps.abs()\n" + RIGHT_END), "signs were dropped before the mean"),
            "median": (pair("return gaps.median(), gaps.std() / len(gaps) ** 0.5"), "that is the median"),
            "four runs built in": (pair("gaps = gaps[:4]\n" + RIGHT_END), "datasets or seeds built in"),
            "by place": (
                pair("gaps = a - b\nreturn gaps.mean(), gaps.std(ddof=1) / len(gaps) ** 0.5", HALVES),
                "paired by their place",
            ),
            "all others": (
                pair(
                    RIGHT_END,
                    "mine = results[results.variant == variant]\npreset = results[results.variant != variant]\n"
                    "both = mine.merge(preset, on=['dataset', 'seed'])\ngaps = both.accuracy_x - both.accuracy_y\n",
                ),
                "a third variant of the frame got in",
            ),
            "n of the table": (
                pair("return gaps.mean(), gaps.std() / len(table) ** 0.5"),
                "the run that is missing was counted",
            ),
            "missing as NaN": (
                pair(
                    "gaps = (table[variant] - table['preset']).to_numpy()\n"
                    "return gaps.mean(), gaps.std(ddof=1) / len(gaps) ** 0.5"
                ),
                "a missing run made NaN of it",
            ),
            "missing as 0": (
                pair("gaps = (table[variant] - table['preset']).fillna(0)\n" + RIGHT_END),
                "counts as a difference of 0",
            ),
            "means of columns": (
                pair("return table[variant].mean() - table['preset'].mean(), gaps.std() / len(gaps) ** 0.5"),
                "the means are over different runs",
            ),
            "a new column": (
                pair("results['accuracy'] = results.accuracy.round(3) + 0.0\nresults['done'] = True\n" + RIGHT_END),
                "changes the table that was passed",
            ),
            "the preset's gaps as 0": (
                pair(
                    RIGHT_END,
                    PIVOT + "gaps = (table[variant] - table['preset'].fillna(table[variant])).dropna()\n",
                ),
                "the preset that lacks a run",
            ),
            "all columns": (
                pair(
                    RIGHT_END,
                    "mine = results[results.variant == variant].drop(columns='variant')\n"
                    "preset = results[results.variant == 'preset'].drop(columns='variant')\n"
                    "keys = [name for name in results if name not in ('variant', 'accuracy')]\n"
                    "both = mine.merge(preset, on=keys)\ngaps = both.accuracy_x - both.accuracy_y\n",
                ),
                "other columns got in",
            ),
            "mean alone": (pair("return gaps.mean()"), "one number says nothing"),
            "the column": (pair("return gaps"), "still a column"),
            "a text": (pair('return f"{gaps.mean():.1f} ± {gaps.std():.1f}"'), "return both, separated by a comma"),
            "no return": (pair("mean, error = gaps.mean(), gaps.std()"), "did you forget"),
        },
    ),
    "09.2": Bank(
        right={
            "one layer": shared(),
            "the same layer everywhere": shared(
                "self.couple = torch.nn.ModuleList([self.couple[0]] * len(self.couple))",
                "return [couple(prompt) for couple, prompt in zip(self.couple, self.text)]",
            ),
            "the others dropped": shared("self.couple = self.couple[:1]", f"return {EACH}"),
            "all tokens at once": shared(
                prompts="return list(self.couple(torch.stack(list(self.text))))",
            ),
        },
        wrong={
            "the others kept": (shared("pass", f"return {EACH}"), "the other couplings are still parameters"),
            "a new one beside them": (
                shared("self.one = copy.deepcopy(self.couple[0])", "return [self.one(prompt) for prompt in self.text]"),
                "a coupling was added and the old ones kept",
            ),
            "copies": (
                shared(
                    "self.couple = torch.nn.ModuleList([copy.deepcopy(self.couple[0]) for _ in self.text])",
                    "return [couple(prompt) for couple, prompt in zip(self.couple, self.text)]",
                ),
                "copies are equal at the start and learn apart",
            ),
            "the deep one": (shared("self.couple = self.couple[-1]"), "the coupling of the deeper layers"),
            "a new one": (
                shared("self.couple = torch.nn.Linear(clip.text_width, clip.vision_width)"),
                "a new function was drawn",
            ),
            "two couplings": (
                shared(
                    "self.couple = self.couple[:2]",
                    "return [self.couple[min(i, 1)](prompt) for i, prompt in enumerate(self.text)]",
                ),
                "layer 1 goes through another function",
            ),
            "no bias": (
                shared(
                    "self.couple = self.couple[0]\nself.couple.bias = None",
                ),
                "the coupling lost its bias",
            ),
            "a plain list": (
                shared("self.one = [self.couple[0]]\ndel self.couple", f"return {EACH.replace('couple', 'one')}"),
                "the coupling is no parameter of it",
            ),
            "the first text prompt": (
                shared(prompts="return [self.couple(self.text[0]) for _ in self.text]"),
                "each has a text prompt of its own",
            ),
            "detached": (
                shared(prompts="return [self.couple(prompt.detach()) for prompt in self.text]"),
                "the way back to the text prompts is cut",
            ),
            "one prompt": (shared(prompts="return [self.couple(self.text[0])]"), "go through self.text"),
            "a tensor": (
                shared(prompts="return self.couple(torch.stack(list(self.text)))"),
                "still one prompt per layer",
            ),
            "text prompts": (shared(prompts="return list(self.text)"), "the coupling's output"),
            "random text": (
                shared("self.couple = self.couple[0]\nfor prompt in self.text:\n    prompt.data.mul_(2)"),
                "leave the text prompts alone",
            ),
            "not a MaPLe": (
                shared().replace("Shared(MaPLe)", "Shared(IVLP)"),
                "keep its first line",
            ),
            "an object": (
                "def Shared(clip, **kwargs):\n    return MaPLe(clip, **kwargs)\n",
                "pass the class itself",
            ),
            "the list called": (shared("pass"), "NotImplementedError"),
            "no return": (shared(prompts="found = [self.couple(prompt) for prompt in self.text]"), "did you forget"),
        },
    ),
    "09.3": Bank(
        right={
            "round": network(),
            "biases counted, too": network("round(a * b / (a + b + 1))"),
            "tried out": network("min(range(1, a + b), key=lambda h: abs(h * a + h * b - a * b))"),
            "added one by one": network(
                parts="",
                end="made = torch.nn.Sequential()\nmade.append(torch.nn.Linear(a, h))\n"
                "made.append(torch.nn.ReLU())\nmade.append(torch.nn.Linear(h, b))\nreturn made",
            ),
        },
        wrong={
            "as wide as text": (network("a"), "as wide in the middle as a text prompt"),
            "as wide as vision": (network("b"), "as wide in the middle as a vision prompt"),
            "mean width": (network("(a + b) // 2"), "that is the mean of the widths"),
            "rounded up": (network("-(-a * b // (a + b))"), "rounded up"),
            "twice": (network("2 * round(a * b / (a + b))"), "there are TWO matrices"),
            "bottleneck": (network("a // 16"), "CoCoOp's bottleneck"),
            "one too few": (network("round(a * b / (a + b)) - 1"), "round to the nearest"),
            "a fixed number": (network("27"), "a fixed number"),
            "rounded down": (network("a * b // (a + b)"), "need not be the one below"),
            "four times": (network("4 * a"), "solve h * d_t"),
            "reversed": (
                network(parts="torch.nn.Linear(b, h), torch.nn.ReLU(), torch.nn.Linear(h, a)"),
                "the direction is reversed",
            ),
            "text to text": (
                network(parts="torch.nn.Linear(a, h), torch.nn.ReLU(), torch.nn.Linear(h, a)"),
                "clip.text_width wide, and writes",
            ),
            "a gap in the middle": (
                network(parts="torch.nn.Linear(a, h), torch.nn.ReLU(), torch.nn.Linear(h + 1, b)"),
                "what the second takes in",
            ),
            "no bend": (network(parts="torch.nn.Linear(a, h), torch.nn.Linear(h, b)"), "one linear function again"),
            "bend at the end": (
                network(parts="torch.nn.Linear(a, h), torch.nn.Linear(h, b), torch.nn.ReLU()"),
                "lets no negative number out",
            ),
            "three layers": (
                network(
                    parts="torch.nn.Linear(a, h), torch.nn.ReLU(), torch.nn.Linear(h, h), torch.nn.ReLU(), "
                    "torch.nn.Linear(h, b)"
                ),
                "two linear layers are enough",
            ),
            "no biases": (
                network(parts="torch.nn.Linear(a, h, bias=False), torch.nn.ReLU(), torch.nn.Linear(h, b, bias=False)"),
                "keep the biases",
            ),
            "linear": (network(end="return torch.nn.Linear(a, b)"), "the linear coupling itself"),
            "a list": (network(end="return [{}]"), "a list of layers cannot be called"),
            "last drawn first": (
                network(
                    end="last = torch.nn.Linear(h, b)\nreturn torch.nn.Sequential("
                    "torch.nn.Linear(a, h), torch.nn.ReLU(), last)"
                ),
                "make the first layer before the last",
            ),
            "seeded": (network(end="torch.manual_seed(0)\nreturn torch.nn.Sequential({})"), "the notebook seeds"),
            "not rounded": (network("a * b / (a + b)"), "TypeError"),
            "no return": (network(end="made = torch.nn.Sequential({})"), "did you forget"),
        },
    ),
    "09.4": Bank(
        right={
            "joined": add(JOIN.format("x[:, start : start + n] + prompt")),
            "padded": add("return x + F.pad(prompt, (0, 0, start, x.shape[1] - start - n))"),
            "a copy written into": add("y = x.clone()\ny[:, start : start + n] += prompt\nreturn y"),
        },
        wrong={
            "replaced": (add(JOIN.format("prompt.expand(len(x), -1, -1)")), "the prompt replaced what stood there"),
            "only the middle": (add("return x[:, start : start + n] + prompt"), "the tokens of the prompt alone"),
            "inserted": (
                add("return torch.cat([x[:, :start], prompt.expand(len(x), -1, -1), x[:, start:]], dim=1)"),
                "so that the stream grew",
            ),
            "in place": (add("x[:, start : start + n] += prompt\nreturn x"), "x was changed"),
            "nothing": (add("y = x + 0\nx[:, start : start + n] + prompt\nreturn y"), "nothing changed"),
            "places 1..n": (add("y = x.clone()\ny[:, 1 : 1 + n] += prompt\nreturn y"), "`start` is not used"),
            "from 0": (add("y = x.clone()\ny[:, :n] += prompt\nreturn y"), "was added from token 0 on"),
            "one late": (
                add(
                    "start = min(start + 1, x.shape[1] - n)\ny = x.clone()\ny[:, start : start + n] += prompt\nreturn y"
                ),
                "one too far to the right",
            ),
            "the last": (add("y = x.clone()\ny[:, -n:] += prompt\nreturn y"), "added to the last n tokens"),
            "subtracted": (add("y = x.clone()\ny[:, start : start + n] -= prompt\nreturn y"), "was subtracted"),
            "added twice": (
                add("y = x.clone()\nfor _ in range(2):\n    y[:, start : start + n] += prompt\nreturn y"),
                "was added twice",
            ),
            "reversed": (
                add("y = x.clone()\ny[:, start : start + n] += prompt.flip(0)\nreturn y"),
                "in reverse order",
            ),
            "first token": (add("y = x.clone()\ny[:, start] += prompt[0]\nreturn y"), "only the first token"),
            "mean token": (
                add("y = x.clone()\ny[:, start : start + n] += prompt.mean(dim=0)\nreturn y"),
                "the mean of the prompt's tokens",
            ),
            "first sentence": (
                add("y = x.clone()\ny[0, start : start + n] += prompt\nreturn y"),
                "alone: it is for all",
            ),
            "the mean of both": (add(JOIN.format("(x[:, start : start + n] + prompt) / 2")), "half of each"),
            "zeros elsewhere": (
                add("return F.pad(prompt, (0, 0, start, x.shape[1] - start - n)) + x * 0"),
                "the stream x itself",
            ),
            "others gone": (
                add("return F.pad(x[:, start : start + n] + prompt, (0, 0, start, x.shape[1] - start - n))"),
                "the other tokens are gone",
            ),
            "detached": (add(JOIN.format("x[:, start : start + n].detach() + prompt")), "x is cut off"),
            "to all tokens": (add("return x + prompt"), "raised"),
            "one stream": (
                add("return (x + F.pad(prompt, (0, 0, start, x.shape[1] - start - n)))[0]"),
                "one stream came back",
            ),
            "no return": (add("y = x + F.pad(prompt, (0, 0, start, x.shape[1] - start - n))"), "did you forget"),
        },
    ),
    "09.5": Bank(
        right={"C": 'answer = "C"', "small": 'answer = "c"'},
        wrong={
            "highest mean": ('answer = "A"', "comes from one dataset"),
            "overlap": ('answer = "B"', "the accuracies overlap because datasets differ"),
            "larger": ('answer = "D"', "also the less certain"),
            "nothing": ('answer = "E"', "that is the spread between datasets"),
            "no choice": ('answer = "F"', "none of the choices"),
        },
    ),
}
