"""Right and wrong submissions to the exercises of lesson 08."""

from textwrap import indent

from banks import Bank


def built(body: str) -> str:
    """Source of couplings with a body."""
    return "def couplings(clip, depth):\n" + indent(body, "    ")


TWO = "first, deep = (torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(2))\n"


def listed(rest: str, before: str = TWO) -> str:
    """Source of couplings that returns a ModuleList of the first coupling and others."""
    return built(before + f"return torch.nn.ModuleList([first, {rest}])")


def prompts(body: str) -> str:
    """Source of vision_prompts with a body."""
    return "def vision_prompts(self):\n" + indent(body, "    ")


def way(
    text: str = "text_features = model.encode_classes().detach()",
    image: str = "image_features = model.encode_images(images)",
    logits: str = "logits = model.classify(image_features, text_features)",
    loss: str = "loss = F.cross_entropy(logits, labels)",
    end: str = "return list(torch.autograd.grad(loss, list(model.learner.text)))",
) -> str:
    """Source of through_vision, some of its lines changed."""
    lines = "\n".join([text, image, logits, loss, end])
    return "def through_vision(model, images, labels):\n" + indent(lines, "    ")


COPIES = "*(copy.deepcopy(deep) for _ in range(depth - 1))"

BANK = {
    "08.1": Bank(
        right={
            "deep copies": listed(COPIES),
            "numbers written into new layers": built(
                "layers = torch.nn.ModuleList(\n"
                "    [torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(depth)]\n)\n"
                "for layer in layers[2:]:\n    layer.load_state_dict(layers[1].state_dict())\nreturn layers"
            ),
            "appended": built(
                "layers = torch.nn.ModuleList([torch.nn.Linear(clip.text_width, clip.vision_width)])\n"
                "deep = torch.nn.Linear(clip.text_width, clip.vision_width)\n"
                "while len(layers) < depth:\n    layers.append(copy.deepcopy(deep))\nreturn layers"
            ),
        },
        wrong={
            "reversed": (
                listed(
                    COPIES,
                    "first, deep = (torch.nn.Linear(clip.vision_width, clip.text_width) for _ in range(2))\n",
                ),
                "the direction is reversed",
            ),
            "text to text": (
                listed(COPIES, TWO.replace("clip.vision_width", "clip.text_width")),
                "they write numbers for the text tower",
            ),
            "vision to vision": (
                listed(COPIES, TWO.replace("clip.text_width", "clip.vision_width")),
                "what goes in is a text prompt",
            ),
            "joint width": (
                listed(COPIES, TWO.replace("clip.text_width", "clip.embed_dim")),
                "prompts live inside the towers",
            ),
            "one module many times": (
                listed("*[deep] * (depth - 1)"),
                "would stay the same for ever",
            ),
            "one coupling for all": (
                built("return torch.nn.Linear(clip.text_width, clip.vision_width)"),
                "that is one coupling for all",
            ),
            "all drawn apart": (
                built(
                    "return torch.nn.ModuleList(\n"
                    "    [torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(depth)]\n)"
                ),
                "draw ONE layer for the deep ones",
            ),
            "all copies of one": (
                built(TWO + "return torch.nn.ModuleList([copy.deepcopy(deep) for _ in range(depth)])"),
                "the first one is a copy like the others",
            ),
            "the single one last": (
                built(
                    TWO + "layers = [*(copy.deepcopy(deep) for _ in range(depth - 1)), first]\n"
                    "return torch.nn.ModuleList(layers)"
                ),
                "it belongs to the first prompted layer",
            ),
            "the deep one drawn first": (
                listed(
                    COPIES, "deep, first = (torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(2))\n"
                ),
                "was drawn first",
            ),
            "two at least": (
                listed("deep, *(copy.deepcopy(deep) for _ in range(depth - 2))"),
                "there is no deep layer",
            ),
            "copies of the data only": (
                built(
                    TWO + "layers = torch.nn.ModuleList([first])\nwhile len(layers) < depth:\n"
                    "    layers.append(torch.nn.Linear(clip.text_width, clip.vision_width))\n"
                    "    layers[-1].weight.data, layers[-1].bias.data = deep.weight.data, deep.bias.data\n"
                    "return layers"
                ),
                "makes two layers look at one tensor",
            ),
            "copies without their bias": (
                built(
                    "layers = [torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(depth)]\n"
                    "for layer in layers[2:]:\n    layer.weight.data.copy_(layers[1].weight.data)\n"
                    "return torch.nn.ModuleList(layers)"
                ),
                "a copy has the bias, too",
            ),
            "no bias": (
                listed(COPIES, TWO.replace("clip.vision_width", "clip.vision_width, bias=False")),
                "leave bias=False out",
            ),
            "a plain list": (built(TWO + f"return [first, {COPIES}]"), "a plain list hides its layers"),
            "sequential": (
                built(TWO + f"return torch.nn.Sequential(first, {COPIES})"),
                "sends one layer's output into the next",
            ),
            "one too many": (listed("*(copy.deepcopy(deep) for _ in range(depth))"), "depth counts the first layer"),
            "the deep ones alone": (
                built(TWO + "return torch.nn.ModuleList([copy.deepcopy(deep) for _ in range(depth - 1)])"),
                "these are the deep ones alone",
            ),
            "the whole tower": (
                listed("*(copy.deepcopy(deep) for _ in range(clip.text_layers - 1))"),
                "does not follow `depth`",
            ),
            "a bend": (
                built(
                    "layer = torch.nn.Sequential(torch.nn.Linear(clip.text_width, clip.vision_width), "
                    "torch.nn.ReLU())\n"
                    "return torch.nn.ModuleList([copy.deepcopy(layer) for _ in range(depth)])"
                ),
                "no second layer, no bend",
            ),
            "small numbers": (
                listed(
                    COPIES,
                    TWO + "for layer in (first, deep):\n    torch.nn.init.normal_(layer.weight, std=0.02)\n",
                ),
                "as torch.nn.Linear draws them",
            ),
            "frozen": (
                built(TWO + f"return torch.nn.ModuleList([first, {COPIES}]).requires_grad_(False)"),
                "leave requires_grad as it is",
            ),
            "seeded inside": (
                listed(COPIES, "torch.manual_seed(0)\n" + TWO),
                "something seeds torch inside",
            ),
            "no return": (built(TWO + f"layers = torch.nn.ModuleList([first, {COPIES}])"), "did you forget"),
        },
    ),
    "08.2": Bank(
        right={
            "zip": prompts("return [couple(prompt) for couple, prompt in zip(self.couple, self.text)]"),
            "indices": prompts("return [self.couple[i](self.text[i]) for i in range(len(self.text))]"),
            "a product and a bias": prompts(
                "made = []\nfor i, couple in enumerate(self.couple):\n"
                "    made.append(self.text[i] @ couple.weight.T + couple.bias)\nreturn made"
            ),
        },
        wrong={
            "the first text prompt for all": (
                prompts("return [couple(self.text[0]) for couple in self.couple]"),
                "every layer got the first text prompt",
            ),
            "the first coupling for all": (
                prompts("return [self.couple[0](prompt) for prompt in self.text]"),
                "every prompt went through the first coupling",
            ),
            "reversed": (
                prompts("return [couple(prompt) for couple, prompt in zip(self.couple, self.text)][::-1]"),
                "entry 0 is for the first layer",
            ),
            "paired backwards": (
                prompts("return [couple(prompt) for couple, prompt in zip(self.couple, reversed(list(self.text)))]"),
                "paired the wrong way round",
            ),
            "one layer late": (
                prompts("return [couple(self.text[max(0, i - 1)]) for i, couple in enumerate(self.couple)]"),
                "the prompt of the layer before was taken",
            ),
            "text prompts": (prompts("return list(self.text)"), "these are the text prompts as they are"),
            "couplings": (prompts("return list(self.couple)"), "return a list of tensors"),
            "detached": (
                prompts("return [couple(prompt.detach()) for couple, prompt in zip(self.couple, self.text)]"),
                "the way back to the text prompts is cut",
            ),
            "couplings detached": (
                prompts(
                    "return [prompt @ couple.weight.detach().T + couple.bias.detach()\n"
                    "        for couple, prompt in zip(self.couple, self.text)]"
                ),
                "the couplings cannot learn",
            ),
            "no gradient": (
                prompts(
                    "with torch.no_grad():\n"
                    "    return [couple(prompt) for couple, prompt in zip(self.couple, self.text)]"
                ),
                "nothing behind these prompts can learn",
            ),
            "no bias": (
                prompts("return [prompt @ couple.weight.T for couple, prompt in zip(self.couple, self.text)]"),
                "the bias is missing",
            ),
            "unit length": (
                prompts(
                    "return [F.normalize(couple(prompt), dim=-1) for couple, prompt in zip(self.couple, self.text)]"
                ),
                "brought to length 1",
            ),
            "a bend": (
                prompts("return [couple(prompt).relu() for couple, prompt in zip(self.couple, self.text)]"),
                "the prompts were bent",
            ),
            "summed over layers": (
                prompts(
                    "made, total = [], 0\nfor couple, prompt in zip(self.couple, self.text):\n"
                    "    total = total + couple(prompt)\n    made.append(total)\nreturn made"
                ),
                "the prompts of the layers below were added",
            ),
            "kept from the first call": (
                prompts(
                    'if not hasattr(self, "made"):\n'
                    "    self.made = [couple(prompt) for couple, prompt in zip(self.couple, self.text)]\n"
                    "return self.made"
                ),
                "they are kept from the first call",
            ),
            "new text prompts": (
                prompts(
                    "self.text = torch.nn.ParameterList([prompt.detach().clone() for prompt in self.text])\n"
                    "return [couple(prompt) for couple, prompt in zip(self.couple, self.text)]"
                ),
                "something of self is replaced",
            ),
            "mean token": (
                prompts("return [couple(prompt).mean(dim=0) for couple, prompt in zip(self.couple, self.text)]"),
                "the tokens were averaged",
            ),
            "an axis for the pictures": (
                prompts("return [couple(prompt)[None] for couple, prompt in zip(self.couple, self.text)]"),
                "an axis of length 1 is too many",
            ),
            "stacked": (
                prompts("return torch.stack([couple(prompt) for couple, prompt in zip(self.couple, self.text)])"),
                "do not stack or add",
            ),
            "a generator": (
                prompts("return (couple(prompt) for couple, prompt in zip(self.couple, self.text))"),
                "round brackets make a generator",
            ),
            "the first alone": (prompts("return [self.couple[0](self.text[0])]"), "each makes one vision prompt"),
            "the weight's transpose": (
                prompts("return [prompt @ couple.weight for couple, prompt in zip(self.couple, self.text)]"),
                "is a transpose (.T) missing",
            ),
            "a fixed number of layers": (
                prompts("return [self.couple[i](self.text[i]) for i in range(3)]"),
                "IndexError",
            ),
            "no return": (
                prompts("found = [couple(prompt) for couple, prompt in zip(self.couple, self.text)]"),
                "did you forget",
            ),
        },
    ),
    "08.3": Bank(
        right={
            "a sum": "answer = 9 * 2 * 512 + 9 * (512 * 768 + 768)",
            "a number": "answer = 3555072",
            "counted": "answer = sum(9 * weight.numel() for weight in torch.nn.Linear(512, 768).parameters()) + 9216",
        },
        wrong={
            "couplings alone": ("answer = 9 * (512 * 768 + 768)", "those are the couplings alone"),
            "prompts alone": ("answer = 9 * 2 * 512", "those are the text prompts alone"),
            "no biases": ("answer = 9 * 2 * 512 + 9 * 512 * 768", "the biases are missing"),
            "matrices alone": ("answer = 9 * 512 * 768", "the couplings' matrices alone"),
            "one bias": ("answer = 9 * 2 * 512 + 9 * 512 * 768 + 768", "that is one bias for all"),
            "eight couplings": ("answer = 9 * 2 * 512 + 8 * (512 * 768 + 768)", "that is 8 couplings"),
            "twelve text prompts": ("answer = 12 * 2 * 512 + 9 * (512 * 768 + 768)", "only the 9 prompted layers"),
            "tokens times coupling": ("answer = 9 * 2 * 512 * 768", "as many numbers for two tokens as for one"),
            "the tiny CLIP's": ("answer = 5 * (2 * 128 + 128 * 128 + 128)", "that is our tiny CLIP"),
            "biases of the wrong width": ("answer = 9 * 2 * 512 + 9 * (512 * 768 + 512)", "768 numbers, not 512"),
            "one coupling": ("answer = 9 * 2 * 512 + 512 * 768 + 768", "that is one coupling for all"),
            "two couplings": ("answer = 9 * 2 * 512 + 2 * (512 * 768 + 768)", "copies learn apart"),
            "twelve layers": ("answer = 12 * (2 * 512 + 512 * 768 + 768)", "MaPLe takes 9 of them"),
            "one token": ("answer = 9 * 512 + 9 * (512 * 768 + 768)", "that is one token per prompt"),
            "a coupling per token": (
                "answer = 9 * 2 * 512 + 18 * (512 * 768 + 768)",
                "both tokens of a prompt go through the same",
            ),
            "vision prompts, too": (
                "answer = 9 * 2 * 1280 + 9 * (512 * 768 + 768)",
                "vision prompts are no parameters here",
            ),
            "prompts of the image tower": (
                "answer = 9 * 2 * 768 + 9 * (512 * 768 + 768)",
                "the learned prompts are the text tower's",
            ),
            "IVLP": ("answer = 30720", "that is IVLP: MaPLe learns"),
            "IVLP of nine layers": ("answer = 23040", "that is IVLP with 9 layers"),
            "millions": ("answer = 3.555072", "that is in millions"),
            "something else": ("answer = 4_000_000", "this is too large"),
            "words": ('answer = "3.6 million"', "write digits"),
        },
    ),
    "08.4": Bank(
        right={
            "detached text features": way(),
            "text features without a graph": way(
                text="with torch.no_grad():\n    text_features = model.encode_classes()"
            ),
            "backward into clean gradients": way(
                end="model.zero_grad()\nloss.backward()\nreturn [prompt.grad.clone() for prompt in model.learner.text]"
            ),
            "the whole less the text's part": "def through_vision(model, images, labels):\n"
            "    prompts = list(model.learner.text)\n"
            "    whole = torch.autograd.grad(F.cross_entropy(model(images), labels), prompts)\n"
            "    logits = model.classify(model.encode_images(images).detach())\n"
            "    part = torch.autograd.grad(F.cross_entropy(logits, labels), prompts)\n"
            "    return [a - b for a, b in zip(whole, part)]\n",
        },
        wrong={
            "both ways": (way(text="text_features = model.encode_classes()"), "both ways are open"),
            "the other way": (
                way(
                    text="text_features = model.encode_classes()",
                    image="image_features = model.encode_images(images).detach()",
                ),
                "the wrong way is cut",
            ),
            "no way": (
                way(image="image_features = model.encode_images(images).detach()"),
                "both towers are cut",
            ),
            "summed": (
                way(loss='loss = F.cross_entropy(logits, labels, reduction="sum")'),
                "takes their mean",
            ),
            "downhill": (way(loss="loss = -F.cross_entropy(logits, labels)"), "the sign is wrong"),
            "softmax twice": (
                way(loss="loss = F.cross_entropy(logits.softmax(dim=-1), labels)"),
                "cross-entropy got probabilities",
            ),
            "logits": (way(loss="loss = logits.sum()"), "not of the loss"),
            "no scale": (way(logits="logits = image_features @ text_features.T"), "the logit scale is missing"),
            "new vision prompts": (
                way(end="return list(torch.autograd.grad(loss, model.learner.vision_prompts()))"),
                "this loss never saw",
            ),
            "lengths as numbers": (
                way(end="return [g.norm().item() for g in torch.autograd.grad(loss, list(model.learner.text))]"),
                "those are lengths",
            ),
            "a step": (
                way(
                    end="found = torch.autograd.grad(loss, list(model.learner.text))\n"
                    "for prompt, g in zip(model.learner.text, found):\n    prompt.data -= 0.1 * g\nreturn found"
                ),
                "numbers that have moved",
            ),
            "CLIP thawed": (
                way(text="model.clip.requires_grad_(True)\ntext_features = model.encode_classes().detach()"),
                "whose weights ask for gradients",
            ),
            "the loss": (way(end="return loss"), "that is the loss"),
            "the first prompt alone": (
                way(end="return torch.autograd.grad(loss, list(model.learner.text))[0]"),
                "that is the gradient of one prompt",
            ),
            "the first prompt in a list": (
                way(end="return [torch.autograd.grad(loss, model.learner.text[0])[0]]"),
                "there are 3 text prompts",
            ),
            "stacked": (
                way(end="return torch.stack(torch.autograd.grad(loss, list(model.learner.text)))"),
                "do not stack or add them",
            ),
            "vision prompts": (
                way(
                    image="prompts = model.learner.vision_prompts()\n"
                    "image_features = model.clip.encode_image(images, prompts)",
                    end="return list(torch.autograd.grad(loss, prompts))",
                ),
                "those are gradients of the vision prompts",
            ),
            "couplings": (
                way(end="return list(torch.autograd.grad(loss, [couple.weight for couple in model.learner.couple]))"),
                "those are gradients of the couplings",
            ),
            "lengths": (
                way(end="return [g.norm() for g in torch.autograd.grad(loss, list(model.learner.text))]"),
                "those are single numbers",
            ),
            "mean token": (
                way(end="return [g.mean(dim=0) for g in torch.autograd.grad(loss, list(model.learner.text))]"),
                "keep both tokens of a prompt",
            ),
            "unit length": (
                way(end="return [g / g.norm() for g in torch.autograd.grad(loss, list(model.learner.text))]"),
                "brought to length 1",
            ),
            "reversed": (
                way(end="return list(torch.autograd.grad(loss, list(model.learner.text)))[::-1]"),
                "the layers are in reverse order",
            ),
            "no backward": (
                way(end="return [prompt.grad for prompt in model.learner.text]"),
                "until loss.backward() has run",
            ),
            "added up": (
                way(end="loss.backward()\nreturn [prompt.grad for prompt in model.learner.text]"),
                "loss.backward() ADDS to .grad",
            ),
            "frozen afterwards": (
                way(
                    end="found = torch.autograd.grad(loss, list(model.learner.text))\n"
                    "model.learner.text.requires_grad_(False)\nreturn list(found)"
                ),
                "requires_grad",
            ),
            "a ParameterList": (
                way(end="return list(torch.autograd.grad(loss, model.learner.text.data))"),
                "AttributeError",
            ),
            "no return": (way(end="found = torch.autograd.grad(loss, list(model.learner.text))"), "did you forget"),
        },
    ),
    "08.5": Bank(
        right={"C": 'answer = "C"', "small": 'answer = "c"'},
        wrong={
            "zeros": ('answer = "A"', "a prompt of zeros is still a prompt"),
            "frozen": ('answer = "B"', "then it learns as few numbers as CoOp"),
            "way back": ('answer = "D"', "that cuts the way back"),
            "no choice": ('answer = "E"', "none of the choices"),
        },
    ),
}
