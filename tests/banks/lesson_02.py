"""Right and wrong submissions to the exercises of lesson 02."""

from banks import Bank

PAPERS = (
    'papers = pd.read_csv(data_folder() / "paper" / "base_to_novel.csv")\nmaple = papers[papers.method == "MaPLe"]\n'
)

BANK = {
    "02.1": Bank(
        right={
            "normalise, mean, normalise": """def ensemble(text_features):
    unit = F.normalize(text_features, dim=-1)
    return F.normalize(unit.mean(dim=0), dim=-1)
""",
            "a sum and norms by hand": """def ensemble(text_features):
    unit = text_features / text_features.norm(dim=2, keepdim=True)
    total = unit.sum(dim=0)
    return total / total.norm(dim=1, keepdim=True)
""",
            "einsum, class by class": """def ensemble(text_features):
    rows = []
    for classes in text_features.unbind(dim=1):
        lengths = torch.einsum("td,td->t", classes, classes).sqrt()
        mean = torch.einsum("td,t->d", classes, 1 / lengths)
        rows.append(mean / mean.square().sum().sqrt())
    return torch.stack(rows)
""",
        },
        wrong={
            "no normalisation before": (
                "def ensemble(text_features):\n    return F.normalize(text_features.mean(dim=0), dim=-1)\n",
                "a long vector drowns the others",
            ),
            "no normalisation after": (
                "def ensemble(text_features):\n    return F.normalize(text_features, dim=-1).mean(dim=0)\n",
                "shorter than 1: normalise the mean, too",
            ),
            "a sum that nobody normalises": (
                "def ensemble(text_features):\n    return F.normalize(text_features, dim=-1).sum(dim=0)\n",
                "a sum is longer than 1",
            ),
            "mean over the classes": (
                "def ensemble(text_features):\n"
                "    return F.normalize(F.normalize(text_features, dim=-1).mean(dim=1), dim=-1)\n",
                "averaged over the classes",
            ),
            "mean over the features": (
                "def ensemble(text_features):\n    return F.normalize(text_features, dim=-1).mean(dim=-1)\n",
                "averaged over the features",
            ),
            "sentences below each other": (
                "def ensemble(text_features):\n    return F.normalize(text_features.flatten(0, 1), dim=-1)\n",
                "below each other",
            ),
            "sentences side by side": (
                "def ensemble(text_features):\n    return F.normalize(torch.cat([*text_features], dim=-1), dim=-1)\n",
                "side by side",
            ),
            "no mean": (
                "def ensemble(text_features):\n    return F.normalize(text_features, dim=-1)\n",
                "no dimension is gone",
            ),
            "normalised over the wrong dimension": (
                "def ensemble(text_features):\n    unit = F.normalize(text_features)\n"
                "    return F.normalize(unit.mean(dim=0), dim=-1)\n",
                "F.normalize takes dim=1",
            ),
            "one length for all classes": (
                "def ensemble(text_features):\n    mean = F.normalize(text_features, dim=-1).mean(dim=0)\n"
                "    return mean / mean.norm()\n",
                "one length for all classes",
            ),
            "the first sentence": (
                "def ensemble(text_features):\n    return F.normalize(text_features[0], dim=-1)\n",
                "the first sentence alone",
            ),
            "the median": (
                "def ensemble(text_features):\n    unit = F.normalize(text_features, dim=-1)\n"
                "    return F.normalize(unit.median(dim=0).values, dim=-1)\n",
                "median",
            ),
            "in place": (
                "def ensemble(text_features):\n    text_features /= text_features.norm(dim=-1, keepdim=True)\n"
                "    return F.normalize(text_features.mean(dim=0), dim=-1)\n",
                "writes into its input",
            ),
            "no return": ("def ensemble(text_features):\n    F.normalize(text_features, dim=-1)\n", "return"),
        },
    ),
    "02.2": Bank(
        right={
            "random.Random": """def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    chosen = []
    for label in sorted(set(labels)):
        members = [index for index, own in enumerate(labels) if own == label]
        if len(members) < shots:
            raise ValueError("too few")
        chosen += generator.sample(members, shots)
    return chosen
""",
            "torch, a permutation": """def few_shot(labels, shots, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor(labels)
    parts = []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < shots:
            raise ValueError(f"class {label} has {len(members)}")
        parts.append(members[torch.randperm(len(members), generator=generator)[:shots]])
    return torch.cat(parts).tolist()
""",
            "numpy, one shuffle and counters": """def few_shot(labels, shots, seed):
    order = np.random.default_rng(seed).permutation(len(labels))
    left = {label: shots for label in labels}
    chosen = []
    for index in order:
        if left[labels[index]]:
            left[labels[index]] -= 1
            chosen.append(index)
    if any(left.values()):
        raise ValueError("a class has too few pictures")
    return chosen
""",
            "sample raises the error": """def few_shot(labels, shots, seed):
    members = {}
    for index, label in enumerate(labels):
        members.setdefault(label, []).append(index)
    generator = random.Random(seed)
    return [index for own in members.values() for index in generator.sample(own, shots)]
""",
        },
        wrong={
            "from all classes together": (
                """def few_shot(labels, shots, seed):
    return random.Random(seed).sample(range(len(labels)), shots * len(set(labels)))
""",
                "drew from all pictures together",
            ),
            "shots in all": (
                """def few_shot(labels, shots, seed):
    return random.Random(seed).sample(range(len(labels)), shots)
""",
                "not the number in all",
            ),
            "positions within the class": (
                """def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    chosen = []
    for label in sorted(set(labels)):
        count = sum(own == label for own in labels)
        if count < shots:
            raise ValueError("too few")
        chosen += generator.sample(range(count), shots)
    return chosen
""",
                "whose labels are",
            ),
            "counted from 1": (
                """def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    chosen = []
    for label in sorted(set(labels)):
        members = [index for index, own in enumerate(labels, 1) if own == label]
        chosen += members[:shots - 1] + members[-1:]
    return chosen
""",
                "Python counts from 0",
            ),
            "a list per class": (
                """def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    groups = [[i for i, own in enumerate(labels) if own == label] for label in sorted(set(labels))]
    return [generator.sample(members, shots) for members in groups]
""",
                "one flat list",
            ),
            "with replacement": (
                """def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    chosen = []
    for label in sorted(set(labels)):
        chosen += generator.choices([i for i, own in enumerate(labels) if own == label], k=shots)
    return chosen
""",
                "with replacement",
            ),
            "the seed is not used": (
                """def few_shot(labels, shots, seed):
    chosen = []
    for label in sorted(set(labels)):
        chosen += random.sample([i for i, own in enumerate(labels) if own == label], shots)
    return chosen
""",
                "does not use `seed`",
            ),
            "always the first": (
                """def few_shot(labels, shots, seed):
    chosen = []
    for label in sorted(set(labels)):
        chosen += [i for i, own in enumerate(labels) if own == label][:shots]
    return chosen
""",
                "the first pictures of each class",
            ),
            "a seed in the code": (
                """def few_shot(labels, shots, seed):
    generator = random.Random(42)
    chosen = []
    for label in sorted(set(labels)):
        chosen += generator.sample([i for i, own in enumerate(labels) if own == label], shots)
    return chosen
""",
                "a seed is written into the code",
            ),
            "the last never": (
                """def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    chosen = []
    for label in sorted(set(labels)):
        chosen += generator.sample([i for i, own in enumerate(labels) if own == label][:-1], shots)
    return chosen
""",
                "to have a chance",
            ),
            "too few, silently": (
                """def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    chosen = []
    for label in sorted(set(labels)):
        members = [i for i, own in enumerate(labels) if own == label]
        chosen += generator.sample(members, min(shots, len(members)))
    return chosen
""",
                "the comparison is unfair",
            ),
            "the global seed": (
                """def few_shot(labels, shots, seed):
    random.seed(seed)
    chosen = []
    for label in sorted(set(labels)):
        chosen += random.sample([i for i, own in enumerate(labels) if own == label], shots)
    return chosen
""",
                "that of random has moved",
            ),
            "torch's global seed": (
                """def few_shot(labels, shots, seed):
    torch.manual_seed(seed)
    labels = torch.tensor(labels)
    parts = []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < shots:
            raise ValueError("too few")
        parts.append(members[torch.randperm(len(members))[:shots]])
    return torch.cat(parts).tolist()
""",
                "that of torch has moved",
            ),
            "a tensor": (
                """def few_shot(labels, shots, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(len(labels), generator=generator)[:shots]
""",
                "end with .tolist()",
            ),
            "a dictionary": (
                """def few_shot(labels, shots, seed):
    return {label: random.Random(seed).sample(range(5), shots) for label in labels}
""",
                "a list of whole numbers",
            ),
        },
    ),
    "02.3": Bank(
        right={
            "gradients by hand": """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)
""",
            "autograd.grad": """def probe_step(weight, bias, image_features, labels, lr):
    weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
    loss = F.cross_entropy(F.linear(image_features, weight, bias), labels)
    slopes = torch.autograd.grad(loss, (weight, bias))
    return (weight - lr * slopes[0]).detach(), (bias - lr * slopes[1]).detach()
""",
            "an optimiser": """def probe_step(weight, bias, image_features, labels, lr):
    layer = torch.nn.Linear(weight.shape[1], len(bias))
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    optimiser = torch.optim.SGD(layer.parameters(), lr=lr)
    F.cross_entropy(layer(image_features), labels).backward()
    optimiser.step()
    return layer.weight.data, layer.bias.data
""",
        },
        wrong={
            "up the slope": (
                """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    return weight + lr * error.T @ image_features / len(labels), bias + lr * error.mean(dim=0)
""",
                "went up the slope",
            ),
            "the bias stays": (
                """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    return weight - lr * error.T @ image_features / len(labels), bias
""",
                "the bias did not move",
            ),
            "the sum": (
                """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    return weight - lr * error.T @ image_features, bias - lr * error.sum(dim=0)
""",
                "summed over the pictures",
            ),
            "softmax twice": (
                """def probe_step(weight, bias, image_features, labels, lr):
    weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
    loss = F.cross_entropy((image_features @ weight.T + bias).softmax(dim=-1), labels)
    slopes = torch.autograd.grad(loss, (weight, bias))
    return (weight - lr * slopes[0]).detach(), (bias - lr * slopes[1]).detach()
""",
                "softmax twice",
            ),
            "its own answers as labels": (
                """def probe_step(weight, bias, image_features, labels, lr):
    logits = image_features @ weight.T + bias
    error = logits.softmax(dim=-1) - F.one_hot(logits.argmax(dim=-1), len(bias))
    return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)
""",
                "the labels do not come in",
            ),
            "no step": (
                """def probe_step(weight, bias, image_features, labels, lr):
    loss = F.cross_entropy(image_features @ weight.T + bias, labels)
    return weight, bias
""",
                "nothing has moved",
            ),
            "in place": (
                """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    weight -= lr * error.T @ image_features / len(labels)
    bias -= lr * error.mean(dim=0)
    return weight, bias
""",
                "writes into its input",
            ),
            "the graph stays": (
                """def probe_step(weight, bias, image_features, labels, lr):
    weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
    loss = F.cross_entropy(image_features @ weight.T + bias, labels)
    slopes = torch.autograd.grad(loss, (weight, bias))
    return weight - lr * slopes[0], bias - lr * slopes[1]
""",
                "remember how they were made",
            ),
            "gradients on the originals": (
                """def probe_step(weight, bias, image_features, labels, lr):
    weight.requires_grad_(), bias.requires_grad_()
    F.cross_entropy(image_features @ weight.T + bias, labels).backward()
    return (weight - lr * weight.grad).detach(), (bias - lr * bias.grad).detach()
""",
                "adds up from run to run",
            ),
            "the loss comes back": (
                """def probe_step(weight, bias, image_features, labels, lr):
    return F.cross_entropy(image_features @ weight.T + bias, labels)
""",
                "end with `return weight, bias`",
            ),
            "swapped": (
                """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    return bias - lr * error.mean(dim=0), weight - lr * error.T @ image_features / len(labels)
""",
                "the weight comes first",
            ),
            "transposed": (
                """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    return weight.T - lr * image_features.T @ error / len(labels), bias - lr * error.mean(dim=0)
""",
                "a transpose is too much",
            ),
            "no transpose of the weight": (
                """def probe_step(weight, bias, image_features, labels, lr):
    error = (image_features @ weight + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
    return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)
""",
                "is a transpose (.T) missing",
            ),
        },
    ),
    "02.4": Bank(
        right={
            "ranges": "def base_and_novel(n_classes):\n    half = (n_classes + 1) // 2\n"
            "    return list(range(half)), list(range(half, n_classes))\n",
            "ceil and a slice": "import math\n\ndef base_and_novel(n_classes):\n    ids = list(range(n_classes))\n"
            "    half = math.ceil(n_classes / 2)\n    return ids[:half], ids[half:]\n",
            "array_split": "def base_and_novel(n_classes):\n"
            "    return [half.tolist() for half in np.array_split(np.arange(n_classes), 2)]\n",
        },
        wrong={
            "rounded down": (
                "def base_and_novel(n_classes):\n    half = n_classes // 2\n"
                "    return list(range(half)), list(range(half, n_classes))\n",
                "round up",
            ),
            "novel from 0": (
                "def base_and_novel(n_classes):\n    half = (n_classes + 1) // 2\n"
                "    return list(range(half)), list(range(n_classes - half))\n",
                "novel classes keep their ids",
            ),
            "from 1": (
                "def base_and_novel(n_classes):\n    half = (n_classes + 1) // 2\n"
                "    return list(range(1, half + 1)), list(range(half + 1, n_classes + 1))\n",
                "class ids start at 0",
            ),
            "the middle twice": (
                "def base_and_novel(n_classes):\n    half = (n_classes + 1) // 2\n"
                "    return list(range(half)), list(range(n_classes // 2, n_classes))\n",
                "is in both halves",
            ),
            "the middle never": (
                "def base_and_novel(n_classes):\n    half = n_classes // 2\n"
                "    return list(range(half)), list(range(n_classes - half, n_classes))\n",
                "in neither half",
            ),
            "every other": (
                "def base_and_novel(n_classes):\n    ids = list(range(n_classes))\n    return ids[::2], ids[1::2]\n",
                "the base classes are the first ones",
            ),
            "the other way round": (
                "def base_and_novel(n_classes):\n    half = (n_classes + 1) // 2\n"
                "    return list(range(half, n_classes)), list(range(half))\n",
                "the other way round",
            ),
            "how many": (
                "def base_and_novel(n_classes):\n    return (n_classes + 1) // 2, n_classes // 2\n",
                "not how many there are",
            ),
            "one table": (
                "def base_and_novel(n_classes):\n    return {i: i < n_classes / 2 for i in range(n_classes)}\n",
                "end with `return base, novel`",
            ),
        },
    ),
    "02.5": Bank(
        right={
            "the formula": "def harmonic_mean(base, novel):\n"
            "    return 2 * base * novel / (base + novel) if base + novel else 0.0\n",
            "the standard library": "import statistics\n\ndef harmonic_mean(base, novel):\n"
            "    return statistics.harmonic_mean([base, novel])\n",
            "one over the mean of inverses": "def harmonic_mean(base, novel):\n    if min(base, novel) == 0:\n"
            "        return 0.0\n    return 2 / (1 / base + 1 / novel)\n",
        },
        wrong={
            "arithmetic": ("def harmonic_mean(base, novel):\n    return (base + novel) / 2\n", "arithmetic mean"),
            "geometric": ("def harmonic_mean(base, novel):\n    return (base * novel) ** 0.5\n", "geometric mean"),
            "without the 2": (
                "def harmonic_mean(base, novel):\n    return base * novel / (base + novel)\n",
                "the 2 is missing",
            ),
            "the minimum": ("def harmonic_mean(base, novel):\n    return min(base, novel)\n", "the smaller of both"),
            "a share": (
                "def harmonic_mean(base, novel):\n    base, novel = base / 100, novel / 100\n"
                "    return 2 * base * novel / (base + novel)\n",
                "accuracies are percent",
            ),
            "divided by zero": (
                "def harmonic_mean(base, novel):\n    return 2 * base * novel / (base + novel)\n",
                "harmonic_mean(0, 0) to be 0",
            ),
            "inverses of zero": (
                "def harmonic_mean(base, novel):\n    return 2 / (1 / base + 1 / novel)\n",
                "harmonic_mean(100, 0) to be 0",
            ),
            "not a number for zeros": (
                'def harmonic_mean(base, novel):\n    if base + novel == 0:\n        return float("nan")\n'
                "    return 2 * base * novel / (base + novel)\n",
                "names nothing rightly",
            ),
            "brackets forgotten": (
                "def harmonic_mean(base, novel):\n    return 2 * base * novel / base + novel\n",
                "brackets",
            ),
            "printed": (
                "def harmonic_mean(base, novel):\n    print(2 * base * novel / (base + novel))\n",
                "return",
            ),
        },
    ),
    "02.6": Bank(
        right={
            "HM of the averages": PAPERS
            + "b, n = maple.base.mean(), maple.novel.mean()\nanswer = 2 * b * n / (b + n)\n",
            "as printed": "answer = 78.55\n",
            "a tensor": PAPERS + "b, n = torch.tensor(maple[['base', 'novel']].values).mean(dim=0)\n"
            "answer = 2 / (1 / b + 1 / n)\n",
        },
        wrong={
            "average of the HMs": (PAPERS + "answer = maple.hm.mean()\n", "averaged the eleven harmonic means"),
            "arithmetic mean": (
                PAPERS + "answer = (maple.base.mean() + maple.novel.mean()) / 2\n",
                "arithmetic mean of both averages",
            ),
            "base alone": (PAPERS + "answer = maple.base.mean()\n", "base accuracies alone"),
            "novel alone": (PAPERS + "answer = maple.novel.mean()\n", "novel accuracies alone"),
            "another method": ("answer = 71.70\n", "zero-shot CLIP"),
            "a share": ("answer = 0.7855\n", "percent"),
            "in quotes": ('answer = "78.55"\n', "without quotes"),
        },
    ),
}
