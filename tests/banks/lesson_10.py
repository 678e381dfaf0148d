"""Right submissions to the exercises of lesson 10, beside the references that its mistakes are patches of."""

from banks import Bank, indented

NOVEL = (
    'papers = pd.read_csv(data_folder() / "paper" / "base_to_novel.csv")\n'
    'novel = papers.pivot(index="dataset", columns="method", values="novel")\n'
)


def average_table(body: str) -> str:
    return "def average_table(rows):\n" + indented(body)


def bootstrap(body: str) -> str:
    return "def bootstrap(one, other, draws=2000, seed=0):\n" + indented(body)


def spearman(body: str) -> str:
    return "def spearman(x, y):\n" + indented(body)


def transfer(body: str) -> str:
    return "def transfer(model, data):\n" + indented(body)


BANK = {
    "10.1": Bank(
        right={
            "a pivot table": average_table("""\
wide = rows.pivot_table(index=["method", "dataset"], columns="split", values="accuracy", aggfunc="mean")
means = wide[["base", "novel"]].groupby(level="method").mean()
return means.assign(hm=2 / (1 / means.base + 1 / means.novel))"""),
            "loops": average_table("""\
table = {}
for method in rows.method.unique():
    own, row = rows[rows.method == method], {}
    for split in ("base", "novel"):
        part = own[own.split == split]
        of_sets = [part[part.dataset == name].accuracy.mean() for name in part.dataset.unique()]
        row[split] = sum(of_sets) / len(of_sets)
    row["hm"] = harmonic_mean(row["base"], row["novel"])
    table[method] = row
return pd.DataFrame(table).T"""),
        },
    ),
    "10.2": Bank(
        right={
            "drop": NOVEL + 'answer = (novel["MaPLe"] - novel["CLIP"]).drop("EuroSAT").mean()\n',
            "sums": NOVEL + 'gain = novel["MaPLe"] - novel["CLIP"]\nanswer = (gain.sum() - gain["EuroSAT"]) / 10\n',
            "rounded": "answer = 0.10\n",
        },
    ),
    "10.3": Bank(
        right={
            "choice, one draw at a time": bootstrap("""\
one, other, rng = one.mean(axis=1), other.mean(axis=1), np.random.default_rng(seed)
means = []
for _ in range(draws):
    rows = rng.choice(len(one), len(one), replace=True)
    means.append(one[rows].mean() - other[rows].mean())
return tuple(np.percentile(means, (2.5, 97.5)))"""),
            "the standard library": "import random\n\n"
            + bootstrap("""\
gaps = [float(sum(a) - sum(b)) / len(a) for a, b in zip(one, other)]
generator = random.Random(seed)
means = sorted(sum(generator.choices(gaps, k=len(gaps))) / len(gaps) for _ in range(draws))
return means[int(0.025 * draws)], means[int(0.975 * draws) - 1]"""),
            "how often each dataset comes": bootstrap("""\
gaps, n = (one - other).mean(axis=1), len(one)
counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)
return np.quantile(counts @ gaps / n, [0.025, 0.975])"""),
        },
    ),
    "10.4": Bank(
        right={
            "pandas": spearman("a, b = pd.Series(x).rank(), pd.Series(y).rank()\nreturn a.corr(b)"),
            "pandas' own": spearman('return pd.Series(x).corr(pd.Series(y), method="spearman")'),
            "sorting and loops": spearman("""\
def rank(values):
    order = sorted(values)
    return [order.index(v) + (order.count(v) - 1) / 2 for v in values]
a, b = rank(list(x)), rank(list(y))
a, b = [v - sum(a) / len(a) for v in a], [v - sum(b) / len(b) for v in b]
return sum(p * q for p, q in zip(a, b)) / (sum(p * p for p in a) * sum(q * q for q in b)) ** 0.5"""),
        },
    ),
    "10.5": Bank(
        right={
            "features by hand": transfer("""\
asked = PromptedCLIP(model.clip, model.learner, data.class_names)
with torch.no_grad():
    text_features = asked.encode_classes()  # [C, D]
    right = [asked.classify(asked.encode_images(image[None]), text_features).argmax().item() == label
             for image, label in (data[i] for i in range(len(data)))]
return 100 * sum(right) / len(right)"""),
            "the test set": transfer("""\
test = data.test()
return accuracy(PromptedCLIP(model.clip, model.learner, list(test.class_names)), test, batch_size=7)"""),
        },
    ),
}
