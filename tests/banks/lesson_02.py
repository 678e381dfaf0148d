"""Right submissions to the exercises of lesson 02, beside the references that its mistakes are patches of."""

from banks import Bank, indented
from maple_lite.course.exercises.lesson_02 import AUTOGRAD

PAPERS = 'papers = read_paper("base-to-novel")\nmaple = papers[papers.method == "maple"]\n'


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
    ),
    "02.2": Bank(
        right={
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
    ),
    "02.3": Bank(
        right={
            "autograd.grad": probe_step(AUTOGRAD.strip()),
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
    ),
    "02.4": Bank(
        right={
            "ceil and a slice": "import math\n\ndef base_and_novel(n_classes):\n    ids = list(range(n_classes))\n"
            "    half = math.ceil(n_classes / 2)\n    return ids[:half], ids[half:]\n",
            "array_split": base_and_novel("return [half.tolist() for half in np.array_split(np.arange(n_classes), 2)]"),
        },
    ),
    "02.5": Bank(
        right={
            "the standard library": "import statistics\n\ndef harmonic_mean(base, novel):\n"
            "    return statistics.harmonic_mean([base, novel])\n",
            "one over the mean of inverses": harmonic_mean("""\
if min(base, novel) == 0:
    return 0.0
return 2 / (1 / base + 1 / novel)"""),
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
    ),
}
