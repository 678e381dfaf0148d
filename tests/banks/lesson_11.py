"""Right and wrong submissions to the exercises of lesson 11."""

from banks import Bank, indented


def words(body: str) -> str:
    """Source of nearest with a body."""
    return "def nearest(prompt, embeddings, known, k):\n" + indented(body)


def share(body: str) -> str:
    """Source of prompt_share with a body."""
    return "def prompt_share(weights, readers, places):\n" + indented(body)


def area(body: str) -> str:
    """Source of area_under_roc with a body."""
    return "def area_under_roc(inside, outside):\n" + indented(body)


def alarms(body: str) -> str:
    """Source of false_alarms with a body."""
    return "def false_alarms(inside, outside):\n" + indented(body)


def ranked(distances: str, end: str = "return known[distances.topk(k, largest=False).indices]") -> str:
    """Source of nearest by distances of its own."""
    return words(f"distances = {distances}\n{end}")


CDIST = "torch.cdist(prompt, embeddings[known])"
ROWS = "rows = weights[torch.arange(len(weights)), :, readers]\n"  # [R, H, L]
TWO = "won = (inside[:, None] > outside).float()\ntied = (inside[:, None] == outside).float()\n"
ORDERED = "ordered = inside.sort(descending=True).values\n"
COUNTED = "return 100 * (outside >= threshold).float().mean().item()"


def at(threshold: str, end: str = COUNTED) -> str:
    """Source of false_alarms with a threshold, the scores inside sorted from above as `ordered`."""
    return alarms(f"{ORDERED}threshold = {threshold}\n{end}")


BANK = {
    "11.1": Bank(
        right={
            "topk of cdist": ranked(CDIST),
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
        wrong={
            "the farthest": (ranked(CDIST, "return known[distances.topk(k).indices]"), "these are the farthest"),
            "the whole vocabulary": (
                words("return torch.cdist(prompt, embeddings).topk(k, largest=False).indices"),
                "you searched the whole vocabulary",
            ),
            "places": (ranked(CDIST, "return distances.topk(k, largest=False).indices"), "not token ids"),
            "dot products": (
                words("return known[(prompt @ embeddings[known].T).topk(k).indices]"),
                "dot products without normalising",
            ),
            "cosine similarity": (
                words(
                    "a = prompt / prompt.norm(dim=-1, keepdim=True)\nb = embeddings[known]\n"
                    "b = b / b.norm(dim=-1, keepdim=True)\nreturn known[(a @ b.T).topk(k).indices]"
                ),
                "cosine similarity, which forgets lengths",
            ),
            "the wrong axis of distances": (
                words("return known[torch.cdist(prompt, embeddings[known]).argsort(dim=0)[:, :k]]"),
                "along the prompt's tokens",
            ),
            "distances the other way round": (
                words("return torch.cdist(embeddings[known], prompt).topk(k, largest=False).indices"),
                "a row per word came",
            ),
            "tokens near to words": (
                ranked(CDIST, "return known[distances.topk(k, dim=0, largest=False).indices]"),
                "those are the tokens nearest to every word",
            ),
            "rows of zeros left out": (
                words(
                    "distances = torch.cdist(prompt, embeddings)\n"
                    "distances[:, embeddings.norm(dim=-1) == 0] = torch.inf\n"
                    "return distances.topk(k, largest=False).indices"
                ),
                "SOS and EOT have been trained",
            ),
            "k built in": (
                ranked(CDIST, "return known[distances.topk(2, largest=False).indices]"),
                "2 fewer than it should be",
            ),
            "the order": (
                ranked(CDIST, "return known[distances.topk(k, largest=False).indices].flip(-1)"),
                "in the wrong order",
            ),
            "the nearest left out": (
                ranked(CDIST, "return known[distances.argsort(dim=-1)[:, 1 : k + 1]]"),
                "the nearest one is missing",
            ),
            "absolute differences": (
                ranked("torch.cdist(prompt, embeddings[known], p=1)"),
                "the Euclidean distance squares them",
            ),
            "all words": (ranked(CDIST, "return known[distances.argsort(dim=-1)]"), "keep the first k"),
            "the distances": (
                ranked(CDIST, "return distances.topk(k, largest=False).values"),
                "tensor of torch.int64",
            ),
            "one row for all": (
                words("return known[torch.cdist(prompt, embeddings[known]).mean(dim=0).argsort()[:k]]"),
                "every prompt token has its own k words",
            ),
        },
    ),
    "11.2": Bank(
        right={
            "row, sum, mean": share(ROWS + "return rows[:, :, places].sum(dim=-1).mean(dim=1)"),
            "heads first, gathered": share(
                "mean = weights.mean(dim=1)\n"
                "index = readers[:, None, None].expand(-1, 1, mean.shape[-1])\n"
                "return mean.gather(1, index)[:, 0, places].sum(dim=-1)"
            ),
            "example by example": share(
                "return torch.stack([w[:, r][:, places].sum() / len(w) for w, r in zip(weights, readers)])"
            ),
        },
        wrong={
            "the column": (
                share(
                    "columns = weights[torch.arange(len(weights)), :, :, readers]\n"
                    "return columns[:, :, places].sum(dim=-1).mean(dim=1)"
                ),
                "that is the column",
            ),
            "EOT at the last place": (
                share("return weights[:, :, -1][:, :, places].sum(dim=-1).mean(dim=1)"),
                "you read the last token everywhere",
            ),
            "always token 0": (
                share("return weights[:, :, 0][:, :, places].sum(dim=-1).mean(dim=1)"),
                "you read token 0 everywhere",
            ),
            "heads added": (
                share(ROWS + "return rows[:, :, places].sum(dim=-1).sum(dim=1)"),
                "the heads were added up",
            ),
            "the largest head": (
                share(ROWS + "return rows[:, :, places].sum(dim=-1).amax(dim=1)"),
                "the head that looks most",
            ),
            "the mean of the places": (
                share(ROWS + "return rows[:, :, places].mean(dim=(1, 2))"),
                "you averaged over the prompt's places",
            ),
            "all readers": (
                share("return weights[..., places].sum(dim=-1).mean(dim=(1, 2))"),
                "you averaged over all tokens as readers",
            ),
            "one too low": (
                share(ROWS + "return rows[:, :, places - 1].sum(dim=-1).mean(dim=1)"),
                "the places are one too low",
            ),
            "one too high": (
                share(ROWS + "return rows[:, :, places + 1].sum(dim=-1).mean(dim=1)"),
                "the places are one too high",
            ),
            "heads kept": (share(ROWS + "return rows[:, :, places].sum(dim=-1)"), "a share per head came"),
            "all readers of every example": (
                share("return weights[:, :, readers][..., places].sum(dim=-1).mean(dim=1)"),
                "takes all readers of every example",
            ),
            "the first place alone": (
                share(ROWS + "return rows[:, :, places[0]].mean(dim=1)"),
                "only the first of the places",
            ),
            "two places built in": (
                share(ROWS + "return rows[:, :, 1:3].sum(dim=-1).mean(dim=1)"),
                "are built in",
            ),
            "the first example": (
                share("return weights[0, :, readers][:, :, places].sum(dim=-1).mean(dim=0)"),
                "looked up in the first example",
            ),
            "the first head": (
                share("return weights[torch.arange(len(weights)), 0, readers][:, places].sum(dim=-1)"),
                "the first head alone",
            ),
            "places 1 to n": (
                share(ROWS + "return rows[:, :, 1 : 1 + len(places)].sum(dim=-1).mean(dim=1)"),
                "you took places 1 to n",
            ),
            "from first to last": (
                share(ROWS + "return rows[:, :, places[0] : places[-1] + 1].sum(dim=-1).mean(dim=1)"),
                "everything from the first place to the last",
            ),
            "softmax again": (
                share(ROWS + "return rows.softmax(dim=-1)[:, :, places].sum(dim=-1).mean(dim=1)"),
                "softmax was taken once more",
            ),
            "over the even share": (
                share(
                    ROWS + "even = len(places) / (readers + 1)\n"
                    "return rows[:, :, places].sum(dim=-1).mean(dim=1) / even"
                ),
                "the share over an even one",
            ),
            "in percent": (
                share(ROWS + "return 100 * rows[:, :, places].sum(dim=-1).mean(dim=1)"),
                "100 times what is expected",
            ),
        },
    ),
    "11.3": Bank(
        right={"B": 'answer = "B"', "in small": 'answer = "b"'},
        wrong={
            "A": ('answer = "A"', "how large a group is drawn says nothing"),
            "C": ('answer = "C"', "distances between groups are what t-SNE gives up"),
            "D": ('answer = "D"', "the gaps are made by the method"),
        },
    ),
    "11.4": Bank(
        right={
            "a table of pairs": area(TWO + "return 100 * (won + 0.5 * tied).mean().item()"),
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
        wrong={
            "ties count": (
                area("return 100 * (inside[:, None] >= outside).float().mean().item()"),
                "ties count fully",
            ),
            "ties do not count": (area(TWO + "return 100 * won.mean().item()"), "ties count nothing"),
            "reversed": (
                area(TWO + "return 100 * (1 - (won + 0.5 * tied).mean()).item()"),
                "that is the other side",
            ),
            "reversed, no ties": (
                area("return 100 * (inside[:, None] < outside).float().mean().item()"),
                "and the direction is reversed",
            ),
            "the best accuracy": (
                area(
                    "best = 0\nfor t in torch.cat([inside, outside]):\n"
                    "    best = max(best, int((inside >= t).sum() + (outside < t).sum()))\n"
                    "return 100 * best / (len(inside) + len(outside))"
                ),
                "the best accuracy at one threshold",
            ),
            "a share": (area(TWO + "return (won + 0.5 * tied).mean().item()"), "that is a share"),
            "a share without ties": (area(TWO + "return won.mean().item()"), "ties count nothing: 100 times"),
            "the mean inside": (
                area("return 100 * (inside.mean() > outside).float().mean().item()"),
                "you compared with the mean of those inside",
            ),
            "the mean outside": (
                area("return 100 * (inside > outside.mean()).float().mean().item()"),
                "you compared with the mean",
            ),
            "side by side": (
                area(
                    "few = min(len(inside), len(outside))\na, b = inside[:few], outside[:few]\n"
                    "return 100 * ((a > b) + 0.5 * (a == b)).float().mean().item()"
                ),
                "at the same places of the lists",
            ),
            "a count": (area(TWO + "return (won + 0.5 * tied).sum().item()"), "is that a count"),
            "the table": (area(TWO + "return 100 * (won + 0.5 * tied)"), "one number for all pairs"),
            "no return": (area(TWO), "did you forget"),
            "float32": (
                area(
                    "inside, outside = inside.float(), outside.float()\n" + TWO + "return 100 * (won + tied / 2).mean()"
                ),
                "scores were made coarser",
            ),
            "the curve too": (area(TWO + "return 100 * (won + 0.5 * tied).mean(), won"), "only the percent"),
        },
    ),
    "11.5": Bank(
        right={
            "sorted from above": at("ordered[math.ceil(0.95 * len(inside)) - 1]"),
            "every threshold tried": alarms(
                "limits = [t for t in inside if (inside >= t).sum() >= 0.95 * len(inside)]\n"
                "return 100 * float((outside >= max(limits)).double().mean())"
            ),
            "kthvalue": alarms(
                "most = len(inside) // 20  # of those inside may stay out\n"
                "threshold = inside.kthvalue(most + 1).values\n" + COUNTED
            ),
            "counted by hand": alarms(
                "passed = 0\nfor threshold in sorted(inside.tolist(), reverse=True):\n"
                "    passed += 1\n    if 20 * passed >= 19 * len(inside):\n        break\n" + COUNTED
            ),
        },
        wrong={
            "the threshold from outside": (
                alarms(
                    "ordered = outside.sort(descending=True).values\n"
                    "threshold = ordered[math.ceil(0.95 * len(outside)) - 1]\n" + COUNTED
                ),
                "the threshold came from the scores OUTSIDE",
            ),
            "the wrong end": (at("ordered[math.ceil(0.05 * len(inside)) - 1]"), "that is the wrong end"),
            "quantile of the wrong side": (at("inside.quantile(0.95)"), "a quantile of the wrong side"),
            "quantile": (at("inside.quantile(0.05)"), "torch.quantile goes between two scores"),
            "quantile, the lower": (
                at('inside.quantile(0.05, interpolation="lower")'),
                "one more of those inside passes",
            ),
            "those inside who pass": (
                at(
                    "ordered[math.ceil(0.95 * len(inside)) - 1]",
                    "return 100 * (inside >= threshold).float().mean().item()",
                ),
                "that counts those INSIDE",
            ),
            "5% of the strangers": (
                alarms(
                    "threshold = outside.sort(descending=True).values[math.ceil(0.05 * len(outside)) - 1]\n"
                    "return 100 * (inside >= threshold).float().mean().item()"
                ),
                "you let 5% of the strangers in",
            ),
            "float32": (
                alarms(
                    "inside, outside = inside.float(), outside.float()\n"
                    f"{ORDERED}threshold = ordered[math.ceil(0.95 * len(inside)) - 1]\n" + COUNTED
                ),
                "scores were made coarser",
            ),
            "strictly above": (
                at(
                    "ordered[math.ceil(0.95 * len(inside)) - 1]",
                    "return 100 * (outside > threshold).float().mean().item()",
                ),
                "a score that equals the threshold passes",
            ),
            "all pass": (at("inside.min()"), "95% are enough"),
            "quantile, the nearest": (
                at('inside.quantile(0.05, interpolation="nearest")'),
                "fewer than 95% of those inside may pass",
            ),
            "rounded down": (at("ordered[int(0.95 * len(inside)) - 1]"), "round their number UP"),
            "the range": (at("inside.min() + 0.05 * (inside.max() - inside.min())"), "count pictures, not units"),
            "those kept out": (
                at(
                    "ordered[math.ceil(0.95 * len(inside)) - 1]",
                    "return 100 * (outside < threshold).float().mean().item()",
                ),
                "that is the other side",
            ),
            "a share": (
                at("ordered[math.ceil(0.95 * len(inside)) - 1]", COUNTED.replace("100 * ", "")),
                "that is a share",
            ),
            "not sorted": (
                alarms("threshold = inside[math.ceil(0.95 * len(inside)) - 1]\n" + COUNTED),
                "a list that is not in order",
            ),
        },
    ),
}
