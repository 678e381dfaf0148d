"""Right and wrong submissions to the exercises of lesson 10."""

from banks import Bank, indented

PAPERS = (
    'papers = pd.read_csv(data_folder() / "paper" / "base_to_novel.csv")\n'
    'novel = papers.pivot(index="dataset", columns="method", values="novel")\n'
)
CELLS = 'cells = rows.groupby(["method", "dataset", "split"]).accuracy.mean()\n'
MEANS = CELLS + 'means = cells.groupby(["method", "split"]).mean().unstack()\n'
HM = 'means["hm"] = 2 * means.base * means.novel / (means.base + means.novel)\n'
RANK = "rank = lambda v: (v[:, None] > v).sum(1) + ((v[:, None] == v).sum(1) - 1) / 2\n"
GAPS = "gaps = (one - other).mean(axis=1)\n"
DRAW = "rng = np.random.default_rng(seed)\n"
ENDS = "return tuple(np.percentile(means, (2.5, 97.5)))"
ASK = "return accuracy(PromptedCLIP(model.clip, model.learner, {}), data)"


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
            "groupby twice": average_table(MEANS + HM + "return means"),
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
        wrong={
            "mean of the HMs": (average_table(MEANS + "return means"), "the HM of the averages: take it of your base"),
            "HMs of datasets": (
                average_table(
                    CELLS
                    + "wide = cells.unstack()\n"
                    + 'wide["hm"] = 2 * wide.base * wide.novel / (wide.base + wide.novel)\n'
                    + 'return wide.groupby("method").mean()'
                ),
                "harmonic means of datasets, averaged",
            ),
            "at once": (
                average_table(
                    'means = rows.groupby(["method", "split"]).accuracy.mean().unstack()\n' + HM + "return means"
                ),
                "averaged at once",
            ),
            "datasets first": (
                average_table(
                    """\
each = rows.groupby(["method", "seed", "split"]).accuracy.mean()
means = each.groupby(["method", "split"]).mean().unstack()
"""
                    + HM
                    + "return means"
                ),
                "before seeds",
            ),
            "arithmetic": (
                average_table(MEANS + 'means["hm"] = (means.base + means.novel) / 2\nreturn means'),
                "arithmetic mean",
            ),
            "medians": (
                average_table(
                    CELLS + 'means = cells.groupby(["method", "split"]).median().unstack()\n' + HM + "return means"
                ),
                "these are medians",
            ),
            "geometric": (
                average_table(MEANS + 'means["hm"] = (means.base * means.novel) ** 0.5\nreturn means'),
                "geometric mean",
            ),
            "without 2": (
                average_table(
                    MEANS + 'means["hm"] = means.base * means.novel / (means.base + means.novel)\nreturn means'
                ),
                "the factor 2 is missing",
            ),
            "HMs of seeds": (
                average_table("""\
each = rows.groupby(["method", "seed", "split"]).accuracy.mean().unstack()
each["hm"] = 2 * each.base * each.novel / (each.base + each.novel)
return each.groupby("method").mean()"""),
                "harmonic means of seeds",
            ),
            "the best seed": (
                average_table(CELLS.replace("mean()", "max()") + MEANS[len(CELLS) :] + HM + "return means"),
                "that reports luck",
            ),
            "still by dataset": (average_table(CELLS + "return cells.unstack()"), "still one per method and dataset"),
            "a series": (
                average_table(CELLS + 'return cells.groupby(["method", "split"]).mean()'),
                ".unstack('split')",
            ),
            "the method is a column": (
                average_table(MEANS + HM + "return means.reset_index()"),
                ".set_index('method') at the end",
            ),
            "without hm": (average_table(MEANS + 'return means[["base", "novel"]]'), "and their harmonic mean hm"),
            "one row for all": (
                average_table('return pd.DataFrame([rows.groupby("split").accuracy.mean()])'),
                "group by the method",
            ),
            "in place": (
                average_table('rows["accuracy"] = rows.accuracy.round()\n' + MEANS + HM + "return means"),
                "writes into `rows`",
            ),
            "no return": (average_table(MEANS + HM), "did you forget it"),
        },
    ),
    "10.2": Bank(
        right={
            "drop": PAPERS + 'answer = (novel["MaPLe"] - novel["CLIP"]).drop("EuroSAT").mean()\n',
            "sums": PAPERS + 'gain = novel["MaPLe"] - novel["CLIP"]\nanswer = (gain.sum() - gain["EuroSAT"]) / 10\n',
            "typed": "answer = 0.097\n",
            "rounded": "answer = 0.10\n",
        },
        wrong={
            "all eleven": (PAPERS + 'answer = (novel["MaPLe"] - novel["CLIP"]).mean()\n', "still in it"),
            "EuroSAT alone": ("answer = 73.23 - 64.05\n", "EuroSAT's own gain"),
            "by eleven": (
                PAPERS + 'answer = (novel["MaPLe"] - novel["CLIP"]).drop("EuroSAT").sum() / 11\n',
                "divide their sum by 10",
            ),
            "its share": ("answer = 9.18 / 11\n", "what EuroSAT adds"),
            "the other way": (
                PAPERS + 'answer = (novel["CLIP"] - novel["MaPLe"]).drop("EuroSAT").mean()\n',
                "the sign is wrong",
            ),
            "CoOp": (PAPERS + 'answer = (novel["CoOp"] - novel["CLIP"]).drop("EuroSAT").mean()\n', "that is CoOp"),
            "CoCoOp": (PAPERS + 'answer = (novel["CoCoOp"] - novel["CLIP"]).drop("EuroSAT").mean()\n', "is CoCoOp"),
            "base": (
                PAPERS.replace('"novel")', '"base")') + 'answer = (novel["MaPLe"] - novel["CLIP"])'
                '.drop("EuroSAT").mean()\n',
                "base classes",
            ),
            "HM": (
                PAPERS.replace('"novel")', '"hm")') + 'answer = (novel["MaPLe"] - novel["CLIP"])'
                '.drop("EuroSAT").mean()\n',
                "harmonic means",
            ),
            "in quotes": ('answer = "0.097"\n', "without quotes"),
        },
    ),
    "10.3": Bank(
        right={
            "integers": bootstrap(
                GAPS + DRAW + "chosen = rng.integers(len(gaps), size=(draws, len(gaps)))\n"
                "means = gaps[chosen].mean(axis=1)\n" + ENDS
            ),
            "choice, one draw at a time": bootstrap(
                "one, other = one.mean(axis=1), other.mean(axis=1)\n"
                + DRAW
                + """\
means = []
for _ in range(draws):
    rows = rng.choice(len(one), len(one), replace=True)
    means.append(one[rows].mean() - other[rows].mean())
"""
                + ENDS
            ),
            "the standard library": "import random\n\n"
            + bootstrap("""\
gaps = [float(sum(a) - sum(b)) / len(a) for a, b in zip(one, other)]
generator = random.Random(seed)
means = sorted(sum(generator.choices(gaps, k=len(gaps))) / len(gaps) for _ in range(draws))
return means[int(0.025 * draws)], means[int(0.975 * draws) - 1]"""),
            "how often each dataset comes": bootstrap(
                GAPS + DRAW + "counts = rng.multinomial(len(gaps), np.full(len(gaps), 1 / len(gaps)), draws)\n"
                "means = counts @ gaps / len(gaps)\nreturn np.quantile(means, [0.025, 0.975])"
            ),
        },
        wrong={
            "methods apart": (
                bootstrap(
                    "one, other = one.mean(axis=1), other.mean(axis=1)\n"
                    + DRAW
                    + "means = [rng.choice(one, len(one)).mean() - rng.choice(other, len(other)).mean() "
                    "for _ in range(draws)]\n" + ENDS
                ),
                "got different datasets",
            ),
            "seeds as datasets": (
                bootstrap(
                    "gaps = (one - other).ravel()\n"
                    + DRAW
                    + "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n"
                    + ENDS
                ),
                "seeds were drawn",
            ),
            "other minus one": (
                bootstrap(
                    "one, other = other, one\n"
                    + GAPS
                    + DRAW
                    + "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n"
                    + ENDS
                ),
                "the sign is wrong",
            ),
            "without replacement": (
                bootstrap(GAPS + DRAW + "means = [rng.permutation(gaps).mean() for _ in range(draws)]\n" + ENDS),
                "WITH replacement",
            ),
            "single datasets": (
                bootstrap(GAPS + DRAW + "means = rng.choice(gaps, draws)\n" + ENDS),
                "percentiles of single datasets",
            ),
            "90 percent": (
                bootstrap(
                    GAPS + DRAW + "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n"
                    "return np.percentile(means, 5), np.percentile(means, 95)"
                ),
                "90% of the draws",
            ),
            "the extremes": (
                bootstrap(
                    GAPS + DRAW + "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n"
                    "return means.min(), means.max()"
                ),
                "the extremes of all draws",
            ),
            "high before low": (
                bootstrap(
                    "one = one + np.arange(len(one))[:, None]\n"
                    + GAPS
                    + DRAW
                    + "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n"
                    "return np.percentile(means, 97.5), np.percentile(means, 2.5)"
                ),
                "swap them",
            ),
            "the global generator": (
                bootstrap(
                    GAPS + "np.random.seed(seed)\n"
                    "means = gaps[np.random.randint(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n" + ENDS
                ),
                "global generator moved",
            ),
            "a seed in the code": (
                bootstrap(
                    GAPS + "rng = np.random.default_rng(0)\n"
                    "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n" + ENDS
                ),
                "written into the code",
            ),
            "no seed": (
                bootstrap(
                    GAPS + "rng = np.random.default_rng()\n"
                    "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n" + ENDS
                ),
                "do not use `seed`",
            ),
            "sums": (
                bootstrap(
                    GAPS + DRAW + "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].sum(axis=1)\n" + ENDS
                ),
                "the sum over the four datasets",
            ),
            "centred": (
                bootstrap(
                    GAPS + DRAW + "gaps = gaps - gaps.mean()\n"
                    "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n" + ENDS
                ),
                "without centring",
            ),
            "always 2000 draws": (
                bootstrap(
                    GAPS + DRAW + "means = gaps[rng.integers(len(gaps), size=(2000, len(gaps)))].mean(axis=1)\n" + ENDS
                ),
                "another number of draws",
            ),
            "in place": (
                bootstrap(
                    "one -= other\ngaps = one.mean(axis=1)\n"
                    + DRAW
                    + "means = gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)\n"
                    + ENDS
                ),
                "writes into its input",
            ),
            "all averages": (
                bootstrap(GAPS + DRAW + "return gaps[rng.integers(len(gaps), size=(draws, len(gaps)))].mean(axis=1)"),
                "return two numbers",
            ),
        },
    ),
    "10.4": Bank(
        right={
            "comparisons": spearman(RANK + "return np.corrcoef(rank(x), rank(y))[0, 1]"),
            "pandas": spearman("""\
a, b = pd.Series(x).rank(), pd.Series(y).rank()
return a.corr(b)"""),
            "pandas' own": spearman('return pd.Series(x).corr(pd.Series(y), method="spearman")'),
            "sorting and loops": spearman("""\
def rank(values):
    order = sorted(values)
    return [order.index(v) + (order.count(v) - 1) / 2 for v in values]
a, b = rank(list(x)), rank(list(y))
a, b = [v - sum(a) / len(a) for v in a], [v - sum(b) / len(b) for v in b]
return sum(p * q for p, q in zip(a, b)) / (sum(p * p for p in a) * sum(q * q for q in b)) ** 0.5"""),
        },
        wrong={
            "Pearson": (spearman("return np.corrcoef(x, y)[0, 1]"), "Pearson's"),
            "argsort once": (
                spearman("return np.corrcoef(np.argsort(x), np.argsort(y))[0, 1]"),
                "where the smallest value stands",
            ),
            "ties in order": (
                spearman("""\
rank = lambda v: np.argsort(np.argsort(v, kind="stable"), kind="stable")
return np.corrcoef(rank(x), rank(y))[0, 1]"""),
                "by the order in which they stand",
            ),
            "the smallest rank": (
                spearman("return pd.Series(x).rank(method='min').corr(pd.Series(y).rank(method='min'))"),
                "share the MEAN",
            ),
            "the short formula": (
                spearman(RANK + "n = len(x)\nreturn 1 - 6 * ((rank(x) - rank(y)) ** 2).sum() / (n * (n ** 2 - 1))"),
                "exact only without ties",
            ),
            "one ranked": (spearman(RANK + "return np.corrcoef(rank(x), y)[0, 1]"), "only one of both"),
            "the other ranked": (spearman(RANK + "return np.corrcoef(x, rank(y))[0, 1]"), "only the second"),
            "from the top": (spearman(RANK + "return np.corrcoef(rank(x), rank(-y))[0, 1]"), "from the top"),
            "the sign lost": (spearman(RANK + "return abs(np.corrcoef(rank(x), rank(y))[0, 1])"), "the sign was lost"),
            "the largest rank": (
                spearman("return pd.Series(x).rank(method='max').corr(pd.Series(y).rank(method='max'))"),
                "got the largest of their ranks",
            ),
            "covariance": (spearman(RANK + "return np.cov(rank(x), rank(y))[0, 1]"), "covariance of the ranks"),
            "the whole table": (spearman(RANK + "return np.corrcoef(rank(x), rank(y))"), "table of all pairs"),
            "no return": (spearman(RANK + "np.corrcoef(rank(x), rank(y))"), "did you forget it"),
        },
    ),
    "10.5": Bank(
        right={
            "a new PromptedCLIP": transfer(ASK.format("data.class_names")),
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
        wrong={
            "the old names": (transfer("return accuracy(model, data)"), "the old class names were kept"),
            "zero-shot": (
                transfer("""\
from maple_lite import PromptLearner
learner = PromptLearner()
return accuracy(PromptedCLIP(model.clip, learner, data.class_names), data)"""),
                "thrown away",
            ),
            "template in the names": (
                transfer("names = [data.template.format(name) for name in data.class_names]\n" + ASK.format("names")),
                "the learned prompt is the sentence already",
            ),
            "trained again": (
                transfer("""\
new = PromptedCLIP(model.clip, model.learner, data.class_names)
from maple_lite import fit
fit(new, data.train(16), epochs=1, lr=0.01, batch_size=16, bar=False)
return accuracy(new, data)"""),
                "trained again",
            ),
            "without vision prompts": (
                transfer("""\
asked = PromptedCLIP(model.clip, model.learner, data.class_names)
images = torch.stack([data[i][0] for i in range(len(data))])
labels = torch.tensor([data[i][1] for i in range(len(data))])
with torch.no_grad():
    logits = asked.classify(model.clip.encode_image(images))
return 100 * (logits.argmax(dim=-1) == labels).double().mean().item()"""),
                "learned vision prompts are missing",
            ),
            "training pictures": (
                transfer("return accuracy(PromptedCLIP(model.clip, model.learner, data.class_names), data.train(16))"),
                "training pictures were asked",
            ),
            "both lists": (
                transfer(ASK.format("model.class_names + data.class_names")),
                "asked together",
            ),
            "sorted": (transfer(ASK.format("sorted(data.class_names)")), "in another order"),
            "overwritten names": (
                transfer("model.class_names = data.class_names\nreturn accuracy(model, data)"),
                "its tokens are still the old ones",
            ),
            "a share": (transfer(ASK.format("data.class_names") + " / 100"), "that is a share"),
            "the model": (
                transfer("return PromptedCLIP(model.clip, model.learner, data.class_names)"),
                "return the accuracy",
            ),
            "a new learner": (
                transfer("""\
learner = type(model.learner)(model.clip, n_ctx=4)
return accuracy(PromptedCLIP(model.clip, learner, data.class_names), data)"""),
                "the trained learner of `model`",
            ),
        },
    ),
}
