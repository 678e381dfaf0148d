"""Right and wrong submissions to the exercises of lesson 02."""

from banks import Bank, indented

PAPERS = (
    'papers = pd.read_csv(data_folder() / "paper" / "base_to_novel.csv")\nmaple = papers[papers.method == "MaPLe"]\n'
)


def ensemble(body: str) -> str:
    return "def ensemble(text_features):\n" + indented(body)


def few_shot(body: str) -> str:
    return "def few_shot(labels, shots, seed):\n" + indented(body)


def probe_step(body: str) -> str:
    return "def probe_step(weight, bias, image_features, labels, lr):\n" + indented(body)


def base_and_novel(body: str) -> str:
    return "def base_and_novel(n_classes):\n" + indented(body)


def harmonic_mean(body: str) -> str:
    return "def harmonic_mean(base, novel):\n" + indented(body)


BANK = {
    "02.1": Bank(
        right={
            "normalise, mean, normalise": ensemble("""\
unit = F.normalize(text_features, dim=-1)
return F.normalize(unit.mean(dim=0), dim=-1)"""),
            "a sum and norms by hand": ensemble("""\
unit = text_features / text_features.norm(dim=2, keepdim=True)
total = unit.sum(dim=0)
return total / total.norm(dim=1, keepdim=True)"""),
            "einsum, class by class": ensemble("""\
rows = []
for classes in text_features.unbind(dim=1):
    lengths = torch.einsum("td,td->t", classes, classes).sqrt()
    mean = torch.einsum("td,t->d", classes, 1 / lengths)
    rows.append(mean / mean.square().sum().sqrt())
return torch.stack(rows)"""),
        },
        wrong={
            "no normalisation before": (
                ensemble("return F.normalize(text_features.mean(dim=0), dim=-1)"),
                "a long vector drowns the others",
            ),
            "no normalisation after": (
                ensemble("return F.normalize(text_features, dim=-1).mean(dim=0)"),
                "shorter than 1: normalise the mean, too",
            ),
            "a sum that nobody normalises": (
                ensemble("return F.normalize(text_features, dim=-1).sum(dim=0)"),
                "a sum is longer than 1",
            ),
            "mean over the classes": (
                ensemble("return F.normalize(F.normalize(text_features, dim=-1).mean(dim=1), dim=-1)"),
                "averaged over the classes",
            ),
            "mean over the features": (
                ensemble("return F.normalize(text_features, dim=-1).mean(dim=-1)"),
                "averaged over the features",
            ),
            "sentences below each other": (
                ensemble("return F.normalize(text_features.flatten(0, 1), dim=-1)"),
                "below each other",
            ),
            "sentences side by side": (
                ensemble("return F.normalize(torch.cat([*text_features], dim=-1), dim=-1)"),
                "side by side",
            ),
            "no mean": (
                ensemble("return F.normalize(text_features, dim=-1)"),
                "no dimension is gone",
            ),
            "normalised over the wrong dimension": (
                ensemble("""\
unit = F.normalize(text_features)
return F.normalize(unit.mean(dim=0), dim=-1)"""),
                "F.normalize takes dim=1",
            ),
            "one length for all classes": (
                ensemble("""\
mean = F.normalize(text_features, dim=-1).mean(dim=0)
return mean / mean.norm()"""),
                "one length for all classes",
            ),
            "the first sentence": (
                ensemble("return F.normalize(text_features[0], dim=-1)"),
                "the first sentence alone",
            ),
            "the median": (
                ensemble("""\
unit = F.normalize(text_features, dim=-1)
return F.normalize(unit.median(dim=0).values, dim=-1)"""),
                "median",
            ),
            "in place": (
                ensemble("""\
text_features /= text_features.norm(dim=-1, keepdim=True)
return F.normalize(text_features.mean(dim=0), dim=-1)"""),
                "writes into its input",
            ),
            "no return": (ensemble("F.normalize(text_features, dim=-1)"), "return"),
        },
    ),
    "02.2": Bank(
        right={
            "random.Random": few_shot("""\
generator = random.Random(seed)
chosen = []
for label in sorted(set(labels)):
    members = [index for index, own in enumerate(labels) if own == label]
    if len(members) < shots:
        raise ValueError("too few")
    chosen += generator.sample(members, shots)
return chosen"""),
            "torch, a permutation": few_shot("""\
generator = torch.Generator().manual_seed(seed)
labels = torch.tensor(labels)
parts = []
for label in labels.unique():
    members = (labels == label).nonzero().flatten()
    if len(members) < shots:
        raise ValueError(f"class {label} has {len(members)}")
    parts.append(members[torch.randperm(len(members), generator=generator)[:shots]])
return torch.cat(parts).tolist()"""),
            "numpy, one shuffle and counters": few_shot("""\
order = np.random.default_rng(seed).permutation(len(labels))
left = {label: shots for label in labels}
chosen = []
for index in order:
    if left[labels[index]]:
        left[labels[index]] -= 1
        chosen.append(index)
if any(left.values()):
    raise ValueError("a class has too few pictures")
return chosen"""),
            "sample raises the error": few_shot("""\
members = {}
for index, label in enumerate(labels):
    members.setdefault(label, []).append(index)
generator = random.Random(seed)
return [index for own in members.values() for index in generator.sample(own, shots)]"""),
        },
        wrong={
            "from all classes together": (
                few_shot("return random.Random(seed).sample(range(len(labels)), shots * len(set(labels)))"),
                "drew from all pictures together",
            ),
            "shots in all": (
                few_shot("return random.Random(seed).sample(range(len(labels)), shots)"),
                "not the number in all",
            ),
            "positions within the class": (
                few_shot("""\
generator = random.Random(seed)
chosen = []
for label in sorted(set(labels)):
    count = sum(own == label for own in labels)
    if count < shots:
        raise ValueError("too few")
    chosen += generator.sample(range(count), shots)
return chosen"""),
                "whose labels are",
            ),
            "counted from 1": (
                few_shot("""\
generator = random.Random(seed)
chosen = []
for label in sorted(set(labels)):
    members = [index for index, own in enumerate(labels, 1) if own == label]
    chosen += members[:shots - 1] + members[-1:]
return chosen"""),
                "Python counts from 0",
            ),
            "a list per class": (
                few_shot("""\
generator = random.Random(seed)
groups = [[i for i, own in enumerate(labels) if own == label] for label in sorted(set(labels))]
return [generator.sample(members, shots) for members in groups]"""),
                "one flat list",
            ),
            "with replacement": (
                few_shot("""\
generator = random.Random(seed)
chosen = []
for label in sorted(set(labels)):
    chosen += generator.choices([i for i, own in enumerate(labels) if own == label], k=shots)
return chosen"""),
                "with replacement",
            ),
            "the seed is not used": (
                few_shot("""\
chosen = []
for label in sorted(set(labels)):
    chosen += random.sample([i for i, own in enumerate(labels) if own == label], shots)
return chosen"""),
                "does not use `seed`",
            ),
            "always the first": (
                few_shot("""\
chosen = []
for label in sorted(set(labels)):
    chosen += [i for i, own in enumerate(labels) if own == label][:shots]
return chosen"""),
                "the first pictures of each class",
            ),
            "a seed in the code": (
                few_shot("""\
generator = random.Random(42)
chosen = []
for label in sorted(set(labels)):
    chosen += generator.sample([i for i, own in enumerate(labels) if own == label], shots)
return chosen"""),
                "a seed is written into the code",
            ),
            "the last never": (
                few_shot("""\
generator = random.Random(seed)
chosen = []
for label in sorted(set(labels)):
    chosen += generator.sample([i for i, own in enumerate(labels) if own == label][:-1], shots)
return chosen"""),
                "to have a chance",
            ),
            "too few, silently": (
                few_shot("""\
generator = random.Random(seed)
chosen = []
for label in sorted(set(labels)):
    members = [i for i, own in enumerate(labels) if own == label]
    chosen += generator.sample(members, min(shots, len(members)))
return chosen"""),
                "the comparison is unfair",
            ),
            "the global seed": (
                few_shot("""\
random.seed(seed)
chosen = []
for label in sorted(set(labels)):
    chosen += random.sample([i for i, own in enumerate(labels) if own == label], shots)
return chosen"""),
                "that of random has moved",
            ),
            "torch's global seed": (
                few_shot("""\
torch.manual_seed(seed)
labels = torch.tensor(labels)
parts = []
for label in labels.unique():
    members = (labels == label).nonzero().flatten()
    if len(members) < shots:
        raise ValueError("too few")
    parts.append(members[torch.randperm(len(members))[:shots]])
return torch.cat(parts).tolist()"""),
                "that of torch has moved",
            ),
            "a tensor": (
                few_shot("""\
generator = torch.Generator().manual_seed(seed)
return torch.randperm(len(labels), generator=generator)[:shots]"""),
                "end with .tolist()",
            ),
            "a dictionary": (
                few_shot("return {label: random.Random(seed).sample(range(5), shots) for label in labels}"),
                "a list of whole numbers",
            ),
        },
    ),
    "02.3": Bank(
        right={
            "gradients by hand": probe_step("""\
error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)"""),
            "autograd.grad": probe_step("""\
weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
loss = F.cross_entropy(F.linear(image_features, weight, bias), labels)
slopes = torch.autograd.grad(loss, (weight, bias))
return (weight - lr * slopes[0]).detach(), (bias - lr * slopes[1]).detach()"""),
            "an optimiser": probe_step("""\
layer = torch.nn.Linear(weight.shape[1], len(bias))
with torch.no_grad():
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
optimiser = torch.optim.SGD(layer.parameters(), lr=lr)
F.cross_entropy(layer(image_features), labels).backward()
optimiser.step()
return layer.weight.data, layer.bias.data"""),
        },
        wrong={
            "up the slope": (
                probe_step("""\
error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
return weight + lr * error.T @ image_features / len(labels), bias + lr * error.mean(dim=0)"""),
                "went up the slope",
            ),
            "the bias stays": (
                probe_step("""\
error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
return weight - lr * error.T @ image_features / len(labels), bias"""),
                "the bias did not move",
            ),
            "the sum": (
                probe_step("""\
error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
return weight - lr * error.T @ image_features, bias - lr * error.sum(dim=0)"""),
                "summed over the pictures",
            ),
            "softmax twice": (
                probe_step("""\
weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
loss = F.cross_entropy((image_features @ weight.T + bias).softmax(dim=-1), labels)
slopes = torch.autograd.grad(loss, (weight, bias))
return (weight - lr * slopes[0]).detach(), (bias - lr * slopes[1]).detach()"""),
                "softmax twice",
            ),
            "its own answers as labels": (
                probe_step("""\
logits = image_features @ weight.T + bias
error = logits.softmax(dim=-1) - F.one_hot(logits.argmax(dim=-1), len(bias))
return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)"""),
                "the labels do not come in",
            ),
            "no step": (
                probe_step("""\
loss = F.cross_entropy(image_features @ weight.T + bias, labels)
return weight, bias"""),
                "nothing has moved",
            ),
            "in place": (
                probe_step("""\
error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
weight -= lr * error.T @ image_features / len(labels)
bias -= lr * error.mean(dim=0)
return weight, bias"""),
                "writes into its input",
            ),
            "the graph stays": (
                probe_step("""\
weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
loss = F.cross_entropy(image_features @ weight.T + bias, labels)
slopes = torch.autograd.grad(loss, (weight, bias))
return weight - lr * slopes[0], bias - lr * slopes[1]"""),
                "remember how they were made",
            ),
            "gradients on the originals": (
                probe_step("""\
weight.requires_grad_(), bias.requires_grad_()
F.cross_entropy(image_features @ weight.T + bias, labels).backward()
return (weight - lr * weight.grad).detach(), (bias - lr * bias.grad).detach()"""),
                "adds up from run to run",
            ),
            "the loss comes back": (
                probe_step("return F.cross_entropy(image_features @ weight.T + bias, labels)"),
                "end with `return weight, bias`",
            ),
            "swapped": (
                probe_step("""\
error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
return bias - lr * error.mean(dim=0), weight - lr * error.T @ image_features / len(labels)"""),
                "the weight comes first",
            ),
            "transposed": (
                probe_step("""\
error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
return weight.T - lr * image_features.T @ error / len(labels), bias - lr * error.mean(dim=0)"""),
                "a transpose is too much",
            ),
            "no transpose of the weight": (
                probe_step("""\
error = (image_features @ weight + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))
return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)"""),
                "is a transpose (.T) missing",
            ),
        },
    ),
    "02.4": Bank(
        right={
            "ranges": base_and_novel("""\
half = (n_classes + 1) // 2
return list(range(half)), list(range(half, n_classes))"""),
            "ceil and a slice": "import math\n\ndef base_and_novel(n_classes):\n    ids = list(range(n_classes))\n"
            "    half = math.ceil(n_classes / 2)\n    return ids[:half], ids[half:]\n",
            "array_split": base_and_novel("return [half.tolist() for half in np.array_split(np.arange(n_classes), 2)]"),
        },
        wrong={
            "rounded down": (
                base_and_novel("""\
half = n_classes // 2
return list(range(half)), list(range(half, n_classes))"""),
                "round up",
            ),
            "novel from 0": (
                base_and_novel("""\
half = (n_classes + 1) // 2
return list(range(half)), list(range(n_classes - half))"""),
                "novel classes keep their ids",
            ),
            "from 1": (
                base_and_novel("""\
half = (n_classes + 1) // 2
return list(range(1, half + 1)), list(range(half + 1, n_classes + 1))"""),
                "class ids start at 0",
            ),
            "the middle twice": (
                base_and_novel("""\
half = (n_classes + 1) // 2
return list(range(half)), list(range(n_classes // 2, n_classes))"""),
                "is in both halves",
            ),
            "the middle never": (
                base_and_novel("""\
half = n_classes // 2
return list(range(half)), list(range(n_classes - half, n_classes))"""),
                "in neither half",
            ),
            "every other": (
                base_and_novel("""\
ids = list(range(n_classes))
return ids[::2], ids[1::2]"""),
                "the base classes are the first ones",
            ),
            "the other way round": (
                base_and_novel("""\
half = (n_classes + 1) // 2
return list(range(half, n_classes)), list(range(half))"""),
                "the other way round",
            ),
            "how many": (
                base_and_novel("return (n_classes + 1) // 2, n_classes // 2"),
                "not how many there are",
            ),
            "one table": (
                base_and_novel("return {i: i < n_classes / 2 for i in range(n_classes)}"),
                "end with `return base, novel`",
            ),
        },
    ),
    "02.5": Bank(
        right={
            "the formula": harmonic_mean("return 2 * base * novel / (base + novel) if base + novel else 0.0"),
            "the standard library": "import statistics\n\ndef harmonic_mean(base, novel):\n"
            "    return statistics.harmonic_mean([base, novel])\n",
            "one over the mean of inverses": harmonic_mean("""\
if min(base, novel) == 0:
    return 0.0
return 2 / (1 / base + 1 / novel)"""),
        },
        wrong={
            "arithmetic": (harmonic_mean("return (base + novel) / 2"), "arithmetic mean"),
            "geometric": (harmonic_mean("return (base * novel) ** 0.5"), "geometric mean"),
            "without the 2": (
                harmonic_mean("return base * novel / (base + novel)"),
                "the 2 is missing",
            ),
            "the minimum": (harmonic_mean("return min(base, novel)"), "the smaller of both"),
            "a share": (
                harmonic_mean("""\
base, novel = base / 100, novel / 100
return 2 * base * novel / (base + novel)"""),
                "accuracies are percent",
            ),
            "divided by zero": (
                harmonic_mean("return 2 * base * novel / (base + novel)"),
                "harmonic_mean(0, 0) to be 0",
            ),
            "inverses of zero": (
                harmonic_mean("return 2 / (1 / base + 1 / novel)"),
                "harmonic_mean(100, 0) to be 0",
            ),
            "not a number for zeros": (
                harmonic_mean("""\
if base + novel == 0:
    return float("nan")
return 2 * base * novel / (base + novel)"""),
                "names nothing rightly",
            ),
            "brackets forgotten": (
                harmonic_mean("return 2 * base * novel / base + novel"),
                "brackets",
            ),
            "printed": (
                harmonic_mean("print(2 * base * novel / (base + novel))"),
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
