"""Right and wrong submissions to the exercises of lesson 01."""

from __future__ import annotations

from banks import Bank, indented


def similarity(body: str) -> str:
    return "def cosine_similarity(image_features, text_features):\n" + indented(body)


def chances(body: str) -> str:
    return "def probabilities(similarity, logit_scale):\n" + indented(body)


def per_class(body: str) -> str:
    return "def accuracy_per_class(predicted, labels, n_classes):\n" + indented(body)


def classifier(sentences: str, ending: str) -> str:
    """A classifier that encodes `sentences` and ends with `ending`, which sees image and text features `i`, `t`."""
    lines = f"""sentences = {sentences}
i = clip.encode_image(images)
t = clip.encode_text(tokenize(sentences).to(clip.device))
{ending}"""
    return "def classify(clip, images, class_names, template):\n" + indented(lines)


GOOD = "[template.format(name.replace('_', ' ')) for name in class_names]"
NAMED = "return [class_names[k] for k in (i @ t.T).argmax(dim=-1).tolist()]"

BANK = {
    "01.1": Bank(
        right={
            "normalise, then a matrix product": similarity(
                "return F.normalize(image_features, dim=-1) @ F.normalize(text_features, dim=-1).T"
            ),
            "divide the products by both lengths": similarity(
                "lengths = image_features.norm(dim=1)[:, None] * text_features.norm(dim=1)[None]\n"
                "return image_features @ text_features.T / lengths"
            ),
            "einsum": similarity(
                "i = image_features / (image_features**2).sum(-1, keepdim=True).sqrt()\n"
                "t = text_features / (text_features**2).sum(-1, keepdim=True).sqrt()\n"
                "return torch.einsum('bd,cd->bc', i, t)"
            ),
            "torch's own, broadcast": similarity(
                "return torch.cosine_similarity(image_features[:, None], text_features[None], dim=-1)"
            ),
            "a loop": similarity(
                "rows = [[F.cosine_similarity(i, t, dim=0) for t in text_features] for i in image_features]\n"
                "return torch.stack([torch.stack(row) for row in rows])"
            ),
        },
        wrong={
            "not normalised": (similarity("return image_features @ text_features.T"), "plain dot products"),
            "only the images": (
                similarity("return F.normalize(image_features, dim=-1) @ text_features.T"),
                "only the image features were normalised",
            ),
            "only the texts": (
                similarity("return image_features @ F.normalize(text_features, dim=-1).T"),
                "only the text features were normalised",
            ),
            "over the batch": (
                similarity("return F.normalize(image_features, dim=0) @ F.normalize(text_features, dim=0).T"),
                "over dim 0",
            ),
            "one norm for all": (
                similarity(
                    "return (image_features / image_features.norm()) @ (text_features / text_features.norm()).T"
                ),
                "norm of the whole tensor",
            ),
            "norm without keepdim": (
                similarity("i = image_features / image_features.norm(dim=-1)\nreturn i @ F.normalize(text_features).T"),
                "must match the size",
            ),
            "transposed": (
                similarity("return F.normalize(text_features, dim=-1) @ F.normalize(image_features, dim=-1).T"),
                "put the pictures first",
            ),
            "forgot the transpose": (
                similarity("return F.normalize(image_features, dim=-1) @ F.normalize(text_features, dim=-1)"),
                "cannot be multiplied",
            ),
            "elementwise": (
                similarity(
                    "return (F.normalize(image_features, dim=-1) * F.normalize(text_features, dim=-1)).sum(dim=-1)"
                ),
                "must match the size",
            ),
            "the best of each picture": (
                similarity(
                    "s = F.normalize(image_features, dim=-1) @ F.normalize(text_features, dim=-1).T\n"
                    "return s.max(dim=-1).values"
                ),
                "every picture is compared with every sentence",
            ),
            "squared length": (
                similarity(
                    "i = image_features / (image_features**2).sum(-1, keepdim=True)\n"
                    "t = text_features / (text_features**2).sum(-1, keepdim=True)\n"
                    "return i @ t.T"
                ),
                "the square root is missing",
            ),
            "distance": (
                similarity(
                    "return torch.cdist(F.normalize(image_features, dim=-1), F.normalize(text_features, dim=-1))"
                ),
                "this is a distance",
            ),
            "in place": (
                similarity(
                    "image_features /= image_features.norm(dim=-1, keepdim=True)\n"
                    "text_features /= text_features.norm(dim=-1, keepdim=True)\n"
                    "return image_features @ text_features.T"
                ),
                "image_features was changed",
            ),
            "no return": (similarity("F.normalize(image_features) @ F.normalize(text_features).T"), "return"),
        },
    ),
    "01.2": Bank(
        right={
            "softmax": chances("return (logit_scale.exp() * similarity).softmax(dim=-1)"),
            "by hand, the largest subtracted": chances(
                "logits = torch.exp(logit_scale) * similarity\n"
                "powers = torch.exp(logits - logits.max(dim=1, keepdim=True).values)\n"
                "return powers / powers.sum(dim=1, keepdim=True)"
            ),
            "from log_softmax": chances("return F.log_softmax(similarity * logit_scale.exp(), dim=1).exp()"),
            "odds against the others": chances(
                "logits = similarity * logit_scale.exp()\n"
                "return 1 / (logits[:, None, :] - logits[:, :, None]).exp().sum(dim=-1)"
            ),
        },
        wrong={
            "no exp": (chances("return (logit_scale * similarity).softmax(dim=-1)"), "stored as a logarithm"),
            "no scale": (chances("return similarity.softmax(dim=-1)"), "the scale is missing"),
            "divided": (
                chances("return (similarity / logit_scale.exp()).softmax(dim=-1)"),
                "as if it were a temperature",
            ),
            "divided by the logarithm": (
                chances("return (similarity / logit_scale).softmax(dim=-1)"),
                "divided by the logarithm",
            ),
            "over the pictures": (chances("return (logit_scale.exp() * similarity).softmax(dim=0)"), "over dim 0"),
            "logits": (chances("return logit_scale.exp() * similarity"), "these are the logits"),
            "sigmoid": (chances("return (logit_scale.exp() * similarity).sigmoid()"), "this is a sigmoid"),
            "not divided by the sum": (
                chances("return (logit_scale.exp() * similarity).exp()"),
                "did not divide by each row's sum",
            ),
            "scaled afterwards": (chances("return logit_scale.exp() * similarity.softmax(dim=-1)"), "scaled after"),
            "logarithms": (chances("return (logit_scale.exp() * similarity).log_softmax(dim=-1)"), "not log_softmax"),
            "base 10": (chances("return (10**logit_scale * similarity).softmax(dim=-1)"), "natural logarithm"),
            "overflow": (
                chances("e = (logit_scale.exp() * similarity).exp()\nreturn e / e.sum(dim=-1, keepdim=True)"),
                "more than float32 can hold",
            ),
            "the answer": (chances("return similarity.argmax(dim=-1)"), "dimension"),
            "in place": (
                chances("similarity *= logit_scale.exp()\nreturn similarity.softmax(dim=-1)"),
                "similarity was changed",
            ),
        },
    ),
    "01.3": Bank(
        right={
            "exactly": "answer = math.log(9) / 0.05",
            "rounded": "answer = 44",
            "a tensor": "answer = (torch.tensor(0.9).log() - torch.tensor(0.1).log()) / 0.05",
        },
        wrong={
            "its logarithm": ("answer = 3.78", "what clip.logit_scale stores"),
            "a straight line": ("answer = 18.0", "not a straight line"),
            "base 10": ("answer = math.log10(9) / 0.05", "base 10"),
            "odds of ten": ("answer = math.log(10) / 0.05", "odds of 9 to 1"),
            "the lead of the logits": ("answer = math.log(9)", "by which factor is it larger"),
            "the temperature": ("answer = 0.05 / math.log(9)", "that is the temperature"),
            "difference of probabilities": ("answer = 16", "0.8 apart"),
            "multiplied": ("answer = math.log(9) * 0.05 + 0.3", "divide"),
            "a text": ("answer = '43.9'", "without quotes"),
            "too large": ("answer = 100", "a smaller number"),
        },
    ),
    "01.4": Bank(
        right={
            "matrix product": classifier(GOOD, NAMED),
            "the course's own classes": (
                "def classify(clip, images, class_names, template):\n"
                "    model = PromptedCLIP(clip, PromptLearner(template), class_names)\n"
                "    return [class_names[label] for label in model(images).argmax(dim=1)]\n"
            ),
            "one name after the other": (
                "def classify(clip, images, class_names, template):\n"
                "    features, columns = clip.encode_image(images), []\n"
                "    for name in class_names:\n"
                "        tokens = tokenize([template.replace('{}', ' '.join(name.split('_')))]).to(clip.device)\n"
                "        columns.append(features @ clip.encode_text(tokens)[0])\n"
                "    best = torch.stack(columns, dim=1).max(dim=1).indices\n"
                "    return [class_names[int(k)] for k in best]\n"
            ),
            "with probabilities": classifier(
                GOOD,
                "p = (clip.logit_scale.exp() * torch.einsum('bd,cd->bc', i, t)).softmax(dim=-1)\n"
                "return [max(zip(row.tolist(), class_names))[1] for row in p]",
            ),
        },
        wrong={
            "labels": (
                classifier(GOOD, "return (i @ t.T).argmax(dim=-1)"),
                "these are labels: look the name of each up, ",
            ),
            "a list of labels": (
                classifier(GOOD, "return (i @ t.T).argmax(dim=-1).tolist()"),
                "look the name of each up in class_names",
            ),
            "similarities": (classifier(GOOD, "return i @ t.T"), "these are similarities"),
            "argmax over the pictures": (
                classifier(GOOD, "return [class_names[k % 4] for k in (i @ t.T).argmax(dim=0).tolist()]"),
                "the argmax ran over the pictures",
            ),
            "the template is left out": (
                classifier("[name.replace('_', ' ') for name in class_names]", NAMED),
                "the template was left out: these are the bare names",
            ),
            "neither template nor spaces": (
                classifier("list(class_names)", NAMED),
                "underscores are still in the names",
            ),
            "underscores": (
                classifier("[template.format(name) for name in class_names]", NAMED),
                "an underscore is still there",
            ),
            "a template of its own": (
                classifier("[f'a photo of a {name}.'.replace('_', ' ') for name in class_names]", NAMED),
                "a template of your own",
            ),
            "the template added at the end": (
                classifier("[template + name.replace('_', ' ') for name in class_names]", NAMED),
                "was added to the template",
            ),
            "one sentence for all": (
                classifier("[template.format(' '.join(class_names).replace('_', ' '))] * len(class_names)", NAMED),
                "one sentence per class name",
            ),
            "braces not filled": (
                classifier("[template for name in class_names]", NAMED),
                "the braces were not filled",
            ),
            "names changed": (
                classifier(
                    GOOD, "return [class_names[k].replace('_', ' ') for k in (i @ t.T).argmax(dim=-1).tolist()]"
                ),
                "as they stand in class_names",
            ),
            "the least similar": (
                classifier(GOOD, "return [class_names[k] for k in (i @ t.T).argmin(dim=-1).tolist()]"),
                "argmin",
            ),
            "counted from 1": (
                classifier(GOOD, "return [class_names[k - 1] for k in (i @ t.T).argmax(dim=-1).tolist()]"),
                "labels start at 0",
            ),
            "the first answer for all": (
                classifier(GOOD, "return [class_names[(i @ t.T)[0].argmax()]] * len(images)"),
                "the answer of the first",
            ),
            "sorted names": (
                classifier(GOOD, "return [sorted(class_names)[k] for k in (i @ t.T).argmax(dim=-1).tolist()]"),
                "in sorted names",
            ),
            "an order learned by heart": (
                "def classify(clip, images, class_names, template):\n"
                "    names = ['snowman', 'crossed_swords', 'umbrella', 'heart']\n"
                "    sentences = [template.format(name.replace('_', ' ')) for name in class_names]\n"
                "    t = clip.encode_text(tokenize(sentences).to(clip.device))\n"
                "    return [names[k] for k in (clip.encode_image(images) @ t.T).argmax(dim=-1).tolist()]\n",
                "unsorted",
            ),
            "the name of one": (
                classifier(GOOD, "return class_names[(i @ t.T).argmax() % 4]"),
                "return a list",
            ),
        },
    ),
    "01.5": Bank(
        right={
            "a loop": per_class(
                "rows = [(predicted[labels == c] == c).float().mean() for c in range(n_classes)]\n"
                "return 100 * torch.stack(rows)"
            ),
            "counts": per_class(
                "right = labels[predicted == labels].bincount(minlength=n_classes)\n"
                "return 100 * right / labels.bincount(minlength=n_classes)"
            ),
            "one-hot": per_class(
                "own = F.one_hot(labels, n_classes).float()\n"
                "return 100 * (own * (predicted == labels)[:, None]).sum(dim=0) / own.sum(dim=0)"
            ),
            "the table of confusions": per_class(
                "table = torch.zeros(n_classes, n_classes)\n"
                "table.index_put_((labels, predicted), torch.tensor(1.0), accumulate=True)\n"
                "return table.diag() / table.sum(dim=1) * 100"
            ),
        },
        wrong={
            "shares": (
                per_class(
                    "return torch.stack([(predicted[labels == c] == c).float().mean() for c in range(n_classes)])"
                ),
                "counts in percent",
            ),
            "precision": (
                per_class(
                    "return 100 * torch.stack([(labels[predicted == c] == c).float().mean() for c in range(n_classes)])"
                ),
                "precision",
            ),
            "over all pictures": (
                per_class(
                    "right = labels[predicted == labels].bincount(minlength=n_classes)\n"
                    "return 100 * right / len(labels)"
                ),
                "the number of all pictures",
            ),
            "counts": (
                per_class("return labels[predicted == labels].bincount(minlength=n_classes).float()"),
                "how many are right",
            ),
            "one number": (
                per_class("return 100 * (predicted == labels).float().mean()"),
                "one number for all pictures",
            ),
            "the mean for every class": (
                per_class("return (100 * (predicted == labels).float().mean()).repeat(n_classes)"),
                "over all pictures, the same for every class",
            ),
            "one per picture": (per_class("return 100.0 * (predicted == labels)"), "one number per picture"),
            "true negatives": (
                per_class(
                    "rows = [((predicted == c) == (labels == c)).float().mean() for c in range(n_classes)]\n"
                    "return 100 * torch.stack(rows)"
                ),
                "or that it is not",
            ),
            "share of the right answers": (
                per_class(
                    "right = labels[predicted == labels].bincount(minlength=n_classes)\n"
                    "return 100 * right / right.sum()"
                ),
                "among the right answers",
            ),
            "whole division": (
                per_class(
                    "right = labels[predicted == labels].bincount(minlength=n_classes)\n"
                    "return 100 * (right // labels.bincount(minlength=n_classes))"
                ),
                "divide with /",
            ),
            "zero for none": (
                per_class(
                    "right = labels[predicted == labels].bincount(minlength=n_classes)\n"
                    "return 100 * right / labels.bincount(minlength=n_classes).clamp(min=1)"
                ),
                "leave it NaN",
            ),
            "a list": (
                per_class(
                    "return [100 * (predicted[labels == c] == c).float().mean().item() for c in range(n_classes)]"
                ),
                "a list is returned",
            ),
            "mean of truth values": (
                per_class(
                    "rows = [(predicted[labels == c] == c).mean() for c in range(n_classes)]\n"
                    "return 100 * torch.stack(rows)"
                ),
                "floating point",
            ),
        },
    ),
}
