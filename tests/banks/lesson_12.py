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
        wrong={
            "all classes": (
                run_steps("return epochs * max(1, shots * n_classes // batch_size)"),
                "pictures of all classes",
            ),
            "one epoch": (run_steps(HALF + "return max(1, pictures // batch_size)"), "the steps of one epoch"),
            "pictures": (run_steps(HALF + "return epochs * pictures"), "those are pictures"),
            "the smaller half": (
                run_steps("return epochs * max(1, shots * (n_classes // 2) // batch_size)"),
                "the base half is the larger one",
            ),
            "the partial batch": (
                run_steps(HALF + "return epochs * -(-pictures // batch_size)"),
                "the loader drops it",
            ),
            "rest carried over": (
                run_steps(HALF + "return max(1, epochs * pictures // batch_size)"),
                "each epoch drops its own rest",
            ),
            "fractions": (run_steps(HALF + "return epochs * pictures / batch_size"), "a fraction of a batch"),
            "no step": (run_steps(HALF + "return epochs * (pictures // batch_size)"), "there is no full batch to take"),
            "shots alone": (run_steps("return epochs * max(1, shots // batch_size)"), "pictures of each class"),
            "no return": (run_steps(HALF + "steps = epochs * (pictures // batch_size)"), "did you forget"),
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
        wrong={
            "bytes": (kept_mib(COUNT + "return together * tokens * 14 * width * layers * 4"), "that is in bytes"),
            "numbers": (kept_mib(COUNT + PRODUCT.replace(" * 4", "")), "each of them takes 4 bytes"),
            "bits": (kept_mib(COUNT + PRODUCT.replace("* 4", "* 32")), "32 bits, which are 4 bytes"),
            "half precision": (kept_mib(COUNT + PRODUCT.replace("* 4", "* 2")), "those are 2 bytes"),
            "MB": (kept_mib(COUNT + PRODUCT.replace("2**20", "1e6")), "in millions of bytes"),
            "GiB": (kept_mib(COUNT + PRODUCT.replace("2**20", "2**30")), "that is in GiB"),
            "KiB": (kept_mib(COUNT + PRODUCT.replace("2**20", "2**10")), "that is in KiB"),
            "one number each": (kept_mib(COUNT + PRODUCT.replace("14 * ", "")), "where a layer keeps 14"),
            "one layer": (kept_mib(COUNT + PRODUCT.replace(" * layers", "")), "that is one layer"),
            "one token": (kept_mib(COUNT + PRODUCT.replace(" * tokens", "")), "that is one token"),
            "tokens squared": (kept_mib(COUNT + PRODUCT.replace("tokens", "tokens**2")), "tokens entered twice"),
            "no chunk": (kept_mib(PRODUCT.replace("together", "rows")), "changes nothing in yours"),
            "number of chunks": (
                kept_mib("together = rows if chunk is None else -(-rows // chunk)\n" + PRODUCT),
                "you counted chunks",
            ),
            "rows and chunk": (
                kept_mib("together = rows if chunk is None else rows + chunk\n" + PRODUCT),
                "all rows and a chunk more",
            ),
            "rows times chunk": (
                kept_mib("together = rows if chunk is None else rows * chunk\n" + PRODUCT),
                "a chunk is a part of the rows",
            ),
            "the last chunk": (
                kept_mib("together = rows if chunk is None else rows % chunk or chunk\n" + PRODUCT),
                "that is the last chunk",
            ),
            "the average chunk": (
                kept_mib("together = rows if chunk is None else rows / -(-rows // chunk)\n" + PRODUCT),
                "that is an average over chunks",
            ),
            "more than there are": (
                kept_mib("together = rows if chunk is None else chunk\n" + PRODUCT),
                "there are only `rows` of them",
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
            "the global stream": sampled(
                stream="random.seed(seed)\nstream = random\n",
            ),
        },
        wrong={
            "split first": (
                sampled(
                    draw="train = [one for one in train if one[1] < half]\n"
                    "val = [one for one in val if one[1] < half]\n" + DRAW
                ),
                "nothing was drawn for the novel ones",
            ),
            "a new stream": (
                sampled(draw=DRAW.replace("4), stream", "4), random.Random(seed)")),
                "it goes on where the training draws ended",
            ),
            "validation first": (
                sampled(draw="second = drawn(val, min(shots, 4), stream)\nfirst = drawn(train, shots, stream)\n"),
                "before the training pictures",
            ),
            "a stream for each class": (
                sampled(group=GROUP.replace("stream.sample", "random.Random(seed).sample")),
                "every class got a stream of its own: one",
            ),
            "sorted classes": (
                sampled(group=GROUP.replace("groups.values()", "[groups[label] for label in sorted(groups)]")),
                "in the order of their labels",
            ),
            "shuffled": (
                sample(
                    "stream = random.Random(seed)\nfound = []\n"
                    "for items, count in ((train, shots), (val, min(shots, 4))):\n"
                    "    groups = {}\n"
                    "    for item in items:\n        groups.setdefault(item[1], []).append(item)\n"
                    "    chosen = []\n"
                    "    for group in groups.values():\n"
                    "        stream.shuffle(group)\n        chosen += group[:count]\n"
                    "    found.append([one for one in chosen if one[1] < half])\n"
                    "return found",
                    "",
                ),
                "another draw than .sample",
            ),
            "with repeats": (
                sampled(group=GROUP.replace("stream.sample(group, count)", "stream.choices(group, k=count)")),
                "the same picture may come twice",
            ),
            "no seed": (sampled(stream="stream = random\n"), "two calls draw different pictures"),
            "another seed": (sampled(stream="stream = random.Random(seed + 1)\n"), "one stream, all classes"),
            "all classes": (sampled(keep="return first, second"), "novel classes are still in it"),
            "the novel half": (sampled(keep=KEEP.replace("<", ">=")), "those are the novel classes"),
            "the smaller half": (
                sampled(keep="half = (1 + max(item[1] for item in train)) // 2\n" + KEEP),
                "the base half is the larger one",
            ),
            "as many for validation": (
                sampled(draw=DRAW.replace("min(shots, 4)", "shots")),
                "min(shots, 4) pictures are for validation",
            ),
            "four at any rate": (
                sampled(draw=DRAW.replace("min(shots, 4)", "4")),
                "as few are for validation",
            ),
            "paths": (
                sampled(keep="return [one[0] for one in first], [one[0] for one in second]"),
                "return entries of the training list as they are",
            ),
            "one list": (sampled(keep="return first + second"), "two lists"),
            "no validation": (
                sampled(keep="return [one for one in first if one[1] < half], None"),
                "the second of validation",
            ),
            "no return": (sampled(keep="pass"), "did you forget"),
        },
    ),
    "12.4": Bank(
        right={
            "median": PAPER.format("hm") + 'answer = (table["maple"] - table["cocoop"]).median()\n',
            "sorted": PAPER.format("hm") + 'answer = sorted(table["maple"] - table["cocoop"])[5]\n',
            "typed": "answer = 1.46\n",
        },
        wrong={
            "of the averages": ("answer = 78.55 - 75.83\n", "the gain of the average row"),
            "mean": (
                PAPER.format("hm") + 'answer = (table["maple"] - table["cocoop"]).mean()\n',
                "the mean of the eleven gains",
            ),
            "two medians": (
                PAPER.format("hm") + 'answer = table["maple"].median() - table["cocoop"].median()\n',
                "a difference of two medians",
            ),
            "base": (PAPER.format("base") + 'answer = (table["maple"] - table["cocoop"]).median()\n', "for base"),
            "novel": (PAPER.format("novel") + 'answer = (table["maple"] - table["cocoop"]).median()\n', "for novel"),
            "zero-shot": (
                PAPER.format("hm") + 'answer = (table["maple"] - table["zeroshot"]).median()\n',
                "against zero-shot CLIP",
            ),
            "CoOp": (PAPER.format("hm") + 'answer = (table["maple"] - table["coop"]).median()\n', "against CoOp"),
            "largest": (PAPER.format("hm") + 'answer = (table["maple"] - table["cocoop"]).max()\n', "largest gain"),
            "smallest": (PAPER.format("hm") + 'answer = (table["maple"] - table["cocoop"]).min()\n', "smallest gain"),
            "the other way": (
                PAPER.format("hm") + 'answer = (table["cocoop"] - table["maple"]).median()\n',
                "the sign is wrong",
            ),
            "in quotes": ('answer = "1.46"\n', "without quotes"),
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
        wrong={
            "prompts count from 0": (names(text="f'text.{rest[1]}'"), "'text.1' for"),
            "couplings count from 0": (names(deep="f'couple.{rest[1]}.{rest[2]}'"), "belong to the second layer on"),
            "two too far": (names(text="f'text.{int(rest[1]) + 2}'"), "one too many"),
            "theirs": (our_name("return theirs"), "that is still the authors' name"),
            "cut only": (
                our_name("return theirs.removeprefix('prompt_learner.')"),
                "without what stands before it",
            ),
            "no ending": (names(proj="'couple.0'"), "couplings have two tensors"),
            "the other ending": (names(proj="'couple.0.bias'"), "weight and bias changed places"),
            "exchanged": (
                names(text="f'couple.{int(rest[1]) + 1}'"),
                "prompts and couplings changed places",
            ),
            "a name of one's own": (names(ctx="'prompt.0'"), "our prompts are called text.0"),
            "token embeddings": (
                names(end="return theirs"),
                "embeddings of the class names' sentences",
            ),
            "an empty name": (
                names(first=PIECES + "if rest[0].startswith('token'):\n    return None\n").replace(
                    "'prompt_learner':\n        return None", "'prompt_learner':\n        return ''"
                ),
                "for what is frozen return None",
            ),
            "CLIP's own projection": (
                names(first="start, *rest = theirs.split('.')\n", proj="'couple.0.' + rest[-1]"),
                "this `proj` is CLIP's own",
            ),
            "one digit": (
                names(text="f'text.{int(theirs[-1]) + 1}'"),
                "only one digit of the number was read",
            ),
            "eight layers": (
                names(text="{'0': 'text.1', '7': 'text.8', '10': 'text.11'}.get(rest[1], 'text.2')"),
                "is a number fixed in your code",
            ),
            "a number": (names(ctx="0"), "a name is a text"),
            "no return": (
                our_name("name = 'text.0' if theirs == 'prompt_learner.ctx' else None"),
                "Does every branch return",
            ),
        },
    ),
}
