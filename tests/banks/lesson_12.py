"""Right and wrong submissions to the exercises of lesson 12."""

from banks import Bank, indented

HALF = "pictures = shots * ((n_classes + 1) // 2)\n"
COUNT = "together = rows if chunk is None else min(rows, chunk)\n"
PRODUCT = "return together * tokens * 14 * width * layers * 4 / 2**20"
CLASSES = "half = (2 + max(item[1] for item in train)) // 2\n"
STREAM = "stream = random.Random(seed)\n"
GROUP = """\
def drawn(items, count, stream):
    groups = {}
    for item in items:
        groups.setdefault(item[1], []).append(item)
    return [one for group in groups.values() for one in stream.sample(group, count)]
"""
KEEP = "return [one for one in first if one[1] < half], [one for one in second if one[1] < half]"
DRAW = "first = drawn(train, shots, stream)\nsecond = drawn(val, min(shots, 4), stream)\n"
PIECES = "start, *rest = theirs.split('.')\nif start != 'prompt_learner':\n    return None\n"
PAPER = 'table = read_paper("base-to-novel").pivot(index="dataset", columns="method", values="{}")\n'


def run_steps(body: str) -> str:
    return "def run_steps(n_classes, shots, epochs, batch_size):\n" + indented(body)


def kept_mib(body: str) -> str:
    return "def kept_mib(rows, tokens, width, layers, chunk=None):\n" + indented(body)


def sample(body: str, group: str = GROUP) -> str:
    return "def authors_sample(train, val, shots, seed):\n" + indented(group + CLASSES + body)


def sampled(stream: str = STREAM, draw: str = DRAW, keep: str = KEEP, group: str = GROUP) -> str:
    return sample(stream + draw + keep, group)


def our_name(body: str) -> str:
    return "def our_name(theirs):\n" + indented(body)


def names(
    ctx: str = "'text.0'",
    text: str = "f'text.{int(rest[1]) + 1}'",
    proj: str = "f'couple.0.{rest[1]}'",
    deep: str = "f'couple.{int(rest[1]) + 1}.{rest[2]}'",
    end: str = "return None",
    first: str = PIECES,
) -> str:
    return our_name(
        f"{first}if rest[0] == 'ctx':\n    return {ctx}\nif rest[0] == 'compound_prompts_text':\n    return {text}\n"
        f"if rest[0] == 'proj':\n    return {proj}\n"
        f"if rest[0] == 'compound_prompt_projections':\n    return {deep}\n{end}"
    )


BANK = {
    "12.1": Bank(
        right={
            "in one line": run_steps("return epochs * max(1, shots * ((n_classes + 1) // 2) // batch_size)"),
            "the package's halves": run_steps(
                "pictures = shots * len(base_and_novel(n_classes)[0])\nreturn epochs * (pictures // batch_size or 1)"
            ),
            "counted in a loop": run_steps(
                HALF + "steps = 0\nfor epoch in range(epochs):\n    left = pictures\n"
                "    if left < batch_size:\n        steps += 1\n"
                "    while left >= batch_size:\n        left -= batch_size\n        steps += 1\nreturn steps"
            ),
        },
    ),
    "12.2": Bank(
        right={
            "a product": kept_mib(COUNT + PRODUCT),
            "layer by layer": kept_mib(
                COUNT + "kept = 0\nfor layer in range(layers):\n    kept += together * tokens * 14 * width\n"
                "return 4 * kept / 1024 / 1024"
            ),
            "the largest chunk": kept_mib(
                "chunk = chunk or rows\n"
                "sizes = [len(range(rows)[first : first + chunk]) for first in range(0, rows, chunk)]\n"
                "return max(sizes) * tokens * width * layers * 14 * 4 / 2**20"
            ),
        },
    ),
    "12.3": Bank(
        right={
            "a dict of groups": sampled(),
            "the package's draw": sample(
                "stream = random.Random(seed)\nfound = []\n"
                "for items, count in ((train, shots), (val, min(shots, 4))):\n"
                "    labels = [label for _, label, _ in items]\n"
                "    chosen = few_shot(labels, count, stream) if labels else []\n"
                "    found.append([items[i] for i in chosen if items[i][1] < half])\n"
                "return found[0], found[1]",
                "",
            ),
            "a data frame": sample(
                "stream = random.Random(seed)\n"
                "def draw(items, count):\n"
                "    frame = pd.DataFrame(items, columns=['path', 'label', 'name'])\n"
                "    found = []\n"
                "    for label in frame.label.unique():\n"
                "        rows = frame[frame.label == label].index.tolist()\n"
                "        chosen = stream.sample(rows, count)\n"
                "        found += [items[row] for row in chosen if label < half]\n"
                "    return found\n"
                "return draw(train, shots), draw(val, min(shots, 4))",
                "",
            ),
        },
    ),
    "12.4": Bank(
        right={
            "median": PAPER.format("hm") + 'answer = (table["maple"] - table["cocoop"]).median()\n',
            "sorted": PAPER.format("hm") + 'answer = sorted(table["maple"] - table["cocoop"])[5]\n',
            "typed": "answer = 1.46\n",
        },
    ),
    "12.5": Bank(
        right={
            "pieces": names(),
            "regular expressions": our_name(
                "import re\nkinds = {'ctx': 'text.{}', 'compound_prompts_text': 'text.{}', 'proj': 'couple.{}',\n"
                "         'compound_prompt_projections': 'couple.{}'}\n"
                "found = re.fullmatch(r'prompt_learner\\.([a-z_]+?)(?:\\.(\\d+))?(\\.weight|\\.bias)?', theirs)\n"
                "if not found or found[1] not in kinds:\n    return None\n"
                "layer = 0 if found[2] is None else int(found[2]) + 1\n"
                "return kinds[found[1]].format(layer) + (found[3] or '')"
            ),
            "a table": our_name(
                "table = {'prompt_learner.ctx': 'text.0'}\n"
                "for i in range(24):\n"
                "    table[f'prompt_learner.compound_prompts_text.{i}'] = f'text.{i + 1}'\n"
                "    for part in ('weight', 'bias'):\n"
                "        table[f'prompt_learner.proj.{part}'] = f'couple.0.{part}'\n"
                "        table[f'prompt_learner.compound_prompt_projections.{i}.{part}'] = f'couple.{i + 1}.{part}'\n"
                "return table.get(theirs)"
            ),
        },
    ),
}
