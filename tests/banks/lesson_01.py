"""Right submissions to the exercises of lesson 01, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank, indented


def similarity(body: str) -> str:
    return "def cosine_similarity(image_features, text_features):\n" + indented(body)


def chances(body: str) -> str:
    return "def probabilities(similarity, logit_scale):\n" + indented(body)


def per_class(body: str) -> str:
    return "def accuracy_per_class(predicted, labels, n_classes):\n" + indented(body)


def contrast(body: str) -> str:
    return "def contrastive_loss(image_features, text_features, logit_scale):\n" + indented(body)


def classifier(body: str) -> str:
    return "def classify(clip, images, class_names, template):\n" + indented(body)


BANK = {
    "01.1": Bank(
        right={
            "divide the products by both lengths": similarity(
                "lengths = image_features.norm(dim=1)[:, None] * text_features.norm(dim=1)[None]\n"
                "return image_features @ text_features.T / lengths"
            ),
            "torch's own, broadcast": similarity(
                "return torch.cosine_similarity(image_features[:, None], text_features[None], dim=-1)"
            ),
            "a loop": similarity(
                "rows = [[F.cosine_similarity(i, t, dim=0) for t in text_features] for i in image_features]\n"
                "return torch.stack([torch.stack(row) for row in rows])"
            ),
        },
    ),
    "01.2": Bank(
        right={
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
    ),
    "01.3": Bank(
        right={
            "exactly": "answer = math.log(9) / 0.05",
            "rounded": "answer = 44",
            "a tensor": "answer = (torch.tensor(0.9).log() - torch.tensor(0.1).log()) / 0.05",
        },
    ),
    "01.4": Bank(
        right={
            "the course's own classes": classifier(
                "model = PromptedCLIP(clip, PromptLearner(template), class_names)\n"
                "return [class_names[label] for label in model(images).argmax(dim=1)]"
            ),
            "one name after the other": classifier(
                "features, columns = clip.encode_image(images), []\n"
                "for name in class_names:\n"
                "    tokens = tokenize([template.replace('{}', ' '.join(name.split('_')))]).to(clip.device)\n"
                "    columns.append(features @ clip.encode_text(tokens)[0])\n"
                "best = torch.stack(columns, dim=1).max(dim=1).indices\n"
                "return [class_names[int(k)] for k in best]"
            ),
            "with probabilities": classifier(
                "tokens = tokenize([template.format(name.replace('_', ' ')) for name in class_names])\n"
                "i, t = clip.encode_image(images), clip.encode_text(tokens.to(clip.device))\n"
                "p = (clip.logit_scale.exp() * torch.einsum('bd,cd->bc', i, t)).softmax(dim=-1)\n"
                "return [max(zip(row.tolist(), class_names))[1] for row in p]"
            ),
        },
    ),
    "01.5": Bank(
        right={
            "a loop": per_class(
                "rows = [(predicted[labels == c] == c).float().mean() for c in range(n_classes)]\n"
                "return 100 * torch.stack(rows)"
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
    ),
    "01.6": Bank(
        right={
            "log softmax on the diagonal": contrast(
                "logits = logit_scale.exp() * image_features @ text_features.T\n"
                "rows, columns = logits.log_softmax(dim=1).diag(), logits.log_softmax(dim=0).diag()\n"
                "return -(rows + columns).mean() / 2"
            ),
            "with cosine_similarity": contrast(
                "logits = logit_scale.exp() * F.cosine_similarity(image_features[:, None], text_features, dim=-1)\n"
                "labels = torch.tensor(range(len(logits)))\n"
                "return 0.5 * F.cross_entropy(logits, labels) + 0.5 * F.cross_entropy(logits.T, labels)"
            ),
        },
    ),
}
