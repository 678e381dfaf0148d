"""Right and wrong submissions to the exercises of lesson 07."""

from __future__ import annotations

from banks import Bank, indented


def prompts(**changes: str) -> str:
    """`independent_prompts` of named lines, some of them changed."""
    lines = {
        "n": "n = len(words)",
        "deeper": "deeper = [torch.randn(n, clip.text_width) * 0.02 for _ in range(depth - 1)]",
        "text": "text = torch.nn.ParameterList([words.clone(), *deeper])",
        "random": "random = [torch.randn(n, clip.vision_width) * 0.02 for _ in range(depth)]",
        "vision": "vision = torch.nn.ParameterList(random)",
        "end": "return text, vision",
    } | changes
    return "def independent_prompts(clip, words, depth):\n" + indented("\n".join(filter(None, lines.values())))


def norms(**changes: str) -> str:
    """`gradient_norms` of named lines, some of them changed."""
    lines = {
        "zero": "model.zero_grad()",
        "loss": "loss = F.cross_entropy(model(images), labels)",
        "backward": "loss.backward()",
        "named": "named = model.learner.named_parameters()",
        "grad": "size = lambda w: 0.0 if w.grad is None else w.grad.norm().item()",
        "end": "return {name: size(w) for name, w in named}",
    } | changes
    return "def gradient_norms(model, images, labels):\n" + indented("\n".join(filter(None, lines.values())))


def size(expression: str) -> str:
    """Norms by another expression of the gradient g."""
    return norms(grad=f"size = lambda w: 0.0 if w.grad is None else (lambda g: {expression})(w.grad)")


def branches(body: str) -> str:
    return "def branches(learner, keep):\n" + indented(body)


BANK = {
    "07.1": Bank(
        right={
            "list comprehensions": prompts(),
            "a loop": prompts(
                deeper="text, vision = torch.nn.ParameterList([words.detach().clone()]), torch.nn.ParameterList()",
                text="while len(text) < depth:\n"
                "    text.append(torch.nn.Parameter(torch.randn(n, clip.text_width) * 0.02))",
                random="for _ in range(depth):",
                vision="    vision.append(torch.nn.Parameter(torch.randn(n, clip.vision_width) * 0.02))",
            ),
            "init.normal_ on empty ones": prompts(
                deeper="new = lambda d: torch.nn.init.normal_(torch.empty(n, d), std=0.02)",
                text="text = torch.nn.ParameterList([words + 0] + [new(clip.text_width) for _ in range(1, depth)])",
                random="random = [new(clip.vision_width) for _ in range(depth)]",
            ),
            "one tensor for all layers, cut up": prompts(
                deeper="deeper = (torch.randn(depth - 1, n, clip.text_width) * 0.02).unbind()",
                random="random = (torch.randn(depth, n, clip.vision_width) * 0.02).unbind()",
            ),
        },
        wrong={
            "plain lists": (
                prompts(text="text = [words.clone(), *deeper]", vision="vision = random"),
                "a plain list hides its prompts",
            ),
            "one list": (prompts(end="return text"), "only one list is returned"),
            "no return": (prompts(end="pass"), "did you forget it?"),
            "a tensor per tower": (
                prompts(vision="vision = torch.stack(random)"),
                "one tensor for all layers",
            ),
            "a random one too many": (
                prompts(deeper="deeper = [torch.randn(n, clip.text_width) * 0.02 for _ in range(depth)]"),
                "the words are the prompt of the first layer: only depth - 1",
            ),
            "a vision prompt too few": (
                prompts(random="random = [torch.randn(n, clip.vision_width) * 0.02 for _ in range(depth - 1)]"),
                "the vision tower has no words",
            ),
            "shallow": (
                prompts(vision="vision = torch.nn.ParameterList(random[:1])"),
                "only the first layer has a prompt",
            ),
            "vision as wide as text": (
                prompts(random="random = [torch.randn(n, clip.text_width) * 0.02 for _ in range(depth)]"),
                "this is the width of the other tower: vision prompts",
            ),
            "text as wide as vision": (
                prompts(deeper="deeper = [torch.randn(n, clip.vision_width) * 0.02 for _ in range(depth - 1)]"),
                "this is the width of the other tower: text prompts",
            ),
            "the joint width": (
                prompts(random="random = [torch.randn(n, clip.embed_dim) * 0.02 for _ in range(depth)]"),
                "this is the joint width D",
            ),
            "transposed": (
                prompts(random="random = [torch.randn(clip.vision_width, n) * 0.02 for _ in range(depth)]"),
                "tokens come first, then their numbers",
            ),
            "one token": (
                prompts(random="random = [torch.randn(clip.vision_width) * 0.02 for _ in range(depth)]"),
                "this is one token; a prompt has",
            ),
            "always two tokens": (prompts(n="n = 2"), "read it from words"),
            "words at the end": (
                prompts(text="text = torch.nn.ParameterList([*deeper, words.clone()])"),
                "stand in another one: put them in front",
            ),
            "no words": (
                prompts(text="text = torch.nn.ParameterList([words.clone() * 0 + deeper[0] * 1.5, *deeper])"),
                "it should start as the words",
            ),
            "scaled words": (
                prompts(text="text = torch.nn.ParameterList([words * 0.02, *deeper])"),
                "the words were scaled",
            ),
            "words in every layer": (
                prompts(text="text = torch.nn.ParameterList([words.clone() for _ in range(depth)])"),
                "the words are for the first layer alone",
            ),
            "spread 1": (
                prompts(random="random = [torch.randn(n, clip.vision_width) for _ in range(depth)]"),
                "torch.randn has spread 1",
            ),
            "zeros": (
                prompts(random="random = [torch.zeros(n, clip.vision_width) for _ in range(depth)]"),
                "all of its tokens are equal",
            ),
            "the variance": (
                prompts(random="random = [torch.randn(n, clip.vision_width) * 0.02**2 for _ in range(depth)]"),
                "the standard deviation, and not the variance",
            ),
            "torch.rand": (
                prompts(random="random = [torch.rand(n, clip.vision_width) * 0.02 for _ in range(depth)]"),
                "all on one side of 0",
            ),
            "frozen vision": (
                prompts(vision="vision = torch.nn.ParameterList(random).requires_grad_(False)"),
                "here, both towers learn",
            ),
            "one prompt in all layers": (
                prompts(
                    vision="one = torch.nn.Parameter(random[0])\nvision = torch.nn.ParameterList([one] * depth)",
                ),
                "repeats one tensor",
            ),
            "copies of one prompt": (
                prompts(vision="vision = torch.nn.ParameterList([random[0].clone() for _ in random])"),
                "draw again for every layer and tower",
            ),
            "seeded inside": (prompts(n="n = len(words)\ntorch.manual_seed(0)"), "something seeds torch inside"),
            "vision first": (
                prompts(
                    n="n = len(words)\nrandom = [torch.randn(n, clip.vision_width) * 0.02 for _ in range(depth)]",
                    random="",
                ),
                "finish the list of text prompts first",
            ),
            "words themselves": (
                prompts(text="text = torch.nn.ParameterList([words, *deeper])"),
                "the very tensor that was passed in",
            ),
        },
    ),
    "07.2": Bank(
        right={
            "computed": "answer = 2 * 12 * (512 + 768)",
            "added": "answer = 12288 + 18432",
            "from tensors": "answer = torch.zeros(24, 512).numel() + torch.zeros(24, 768).numel()",
        },
        wrong={
            "text alone": ("answer = 2 * 12 * 512", "this is the text tower alone"),
            "vision alone": ("answer = 2 * 12 * 768", "this is the image tower alone"),
            "one width for both": ("answer = 2 * 2 * 12 * 512", "you took 512 for both towers"),
            "the other width": ("answer = 2 * 2 * 12 * 768", "you took 768 for both towers"),
            "one layer": ("answer = 2 * (512 + 768)", "this is one layer"),
            "one token": ("answer = 12 * (512 + 768)", "this is one token in every layer"),
            "the words are free": ("answer = 2 * 12 * 1280 - 2 * 512", "it starts as words, and then it learns"),
            "eleven layers": ("answer = 2 * 11 * 1280", "12 prompted layers, not 11"),
            "MaPLe's depth": ("answer = 2 * 9 * 1280", "this is a depth of 9"),
            "four tokens": ("answer = 4 * 12 * 1280", "four tokens in every layer"),
            "multiplied": ("answer = 2 * 12 * 512 * 768", "are added, and not multiplied"),
            "neither tokens nor layers": ("answer = 512 + 768", "one token in one layer"),
            "MaPLe's": ("answer = 3_555_072", "this is MaPLe"),
            "the tiny CLIP's": ("answer = 2 * 2 * 6 * 128", "this is our tiny CLIP"),
            "words": ('answer = "30 thousand"', "write digits"),
        },
    ),
    "07.3": Bank(
        right={
            "zero_grad and backward": norms(),
            "autograd.grad": norms(
                zero="named = dict(model.learner.named_parameters())",
                backward="asking = {name: w for name, w in named.items() if w.requires_grad}",
                named="found = dict(zip(asking, torch.autograd.grad(loss, list(asking.values()))))",
                grad="",
                end="return {n: found[n].square().sum().sqrt().item() if n in found else 0.0 for n in named}",
            ),
            "a loop": norms(
                zero="for w in model.parameters():\n    w.grad = None",
                grad="found = {}\nfor name, w in named:\n    found[name] = 0.0",
                end="    if w.grad is not None:\n        found[name] = float(w.grad.pow(2).sum() ** 0.5)\nreturn found",
            ),
            "the mean by hand": norms(
                loss="loss = -model(images).log_softmax(-1)[torch.arange(len(labels)), labels].mean()"
            ),
        },
        wrong={
            "no return": (norms(end="found = {name: size(w) for name, w in named}"), "did you forget it?"),
            "a list": (norms(end="return [size(w) for name, w in named]"), "return {name: norm}"),
            "CLIP as well": (norms(named="named = model.named_parameters()"), "CLIP's weights are there, too"),
            "one branch": (
                norms(end="return {name: size(w) for name, w in named if name.startswith('text')}"),
                "both branches",
            ),
            "names from the model": (
                norms(end="return {f'learner.{name}': size(w) for name, w in named}"),
                "without 'learner.' in front",
            ),
            "numbers for names": (
                norms(end="return {i: size(w) for i, (name, w) in enumerate(named)}"),
                "take names and parameters from",
            ),
            "a tensor": (
                norms(grad="size = lambda w: 0.0 if w.grad is None else w.grad.norm()"),
                "take the number out of the tensor",
            ),
            "a norm per token": (size("g.norm(dim=-1)"), "a norm is one number for the whole gradient"),
            "no backward": (
                norms(backward="", grad="size = lambda w: w.grad"),
                "there is no gradient yet",
            ),
            "no backward, zeros": (norms(backward=""), "no gradient was there to read"),
            "zeroed after": (norms(named="model.zero_grad()\nnamed = model.learner.named_parameters()"), "not after"),
            "sum of losses": (
                norms(loss="loss = F.cross_entropy(model(images), labels, reduction='sum')"),
                "takes their mean",
            ),
            "softmax twice": (
                norms(loss="loss = F.cross_entropy(model(images).softmax(-1), labels)"),
                "softmax was taken twice",
            ),
            "no logarithm": (
                norms(loss="loss = F.nll_loss(model(images).softmax(-1), labels)"),
                "the logarithm is missing",
            ),
            "the first picture": (
                norms(loss="loss = F.cross_entropy(model(images[:1]), labels[:1])"),
                "only the first picture was asked",
            ),
            "from the logits": (norms(loss="loss = model(images).sum()"), "not from a loss"),
            "no root": (size("g.square().sum().item()"), "the root is missing"),
            "mean of squares": (size("g.square().mean().sqrt().item()"), "the root of the mean of squares"),
            "plus and minus": (size("g.sum().item()"), "plus and minus cancel"),
            "absolute values": (size("g.abs().sum().item()"), "which is the 1-norm"),
            "mean of absolute values": (size("g.abs().mean().item()"), "the mean of absolute values"),
            "the spectral norm": (size("torch.linalg.norm(g, 2).item()"), "the largest singular value"),
            "rounded": (size("round(g.norm().item(), 2)"), "were they rounded"),
            "the largest": (size("g.abs().max().item()"), "this is the largest number"),
            "mean over tokens": (size("g.norm(dim=-1).mean().item()"), "the norms of the tokens were averaged"),
            "sum over tokens": (size("g.norm(dim=-1).sum().item()"), "the norms of the tokens were added"),
            "of the parameters": (
                norms(grad="size = lambda w: w.detach().norm().item()"),
                "norms of the parameters and not",
            ),
            "half of it zeroed": (norms(zero="model.learner.text.zero_grad()"), "clear all of them"),
            "not zeroed": (norms(zero=""), "backward() ADDS to .grad"),
            "frozen ones are read": (
                norms(grad="size = lambda w: w.grad.norm().item()"),
                "its .grad is None: count that as 0.0",
            ),
            "frozen ones are asked for": (
                norms(
                    zero="named = dict(model.learner.named_parameters())",
                    backward="found = torch.autograd.grad(loss, list(named.values()))",
                    named="",
                    grad="",
                    end="return {name: g.norm().item() for name, g in zip(named, found)}",
                ),
                "autograd.grad refuses frozen parameters",
            ),
            "frozen ones are left out": (
                norms(end="return {name: w.grad.norm().item() for name, w in named if w.grad is not None}"),
                "stays in the dict, with 0.0",
            ),
            "frozen ones thawed": (
                norms(zero="model.zero_grad()\nmodel.learner.requires_grad_(True)"),
                "you made frozen parameters learn again",
            ),
            "CLIP thawed": (
                norms(zero="model.zero_grad()\nmodel.clip.requires_grad_(True)"),
                "ask for gradients after",
            ),
            "a step": (
                norms(grad="size = lambda w: 0.0 if w.grad is None else w.grad.norm().item()")
                .replace("    return", "    found =")
                .rstrip("\n")
                + "\n    torch.optim.SGD(model.learner.parameters(), lr=0.1).step()\n    return found\n",
                "prompts that have moved",
            ),
            "no gradients at all": (
                norms(loss="loss = F.cross_entropy(model(images).detach(), labels)"),
                "RuntimeError",
            ),
        },
    ),
    "07.4": Bank(
        right={"as it stands": 'answer = "other numbers"', "capitals": 'answer = "Other numbers"'},
        wrong={
            "the same": ('answer = "the same numbers"', "no parameter is shared, but the loss is"),
            "zero": ('answer = "zero"', "stops what is learned THERE"),
            "something else": ("answer = True", "this is none of the choices"),
        },
    ),
    "07.5": Bank(
        right={
            "two conditions": branches(
                'text = learner.text_prompts() if "text" in keep else []\n'
                'vision = learner.vision_prompts() if "vision" in keep else []\nreturn text, vision'
            ),
            "slices": branches(
                "text, vision = learner.text_prompts(), learner.vision_prompts()\n"
                'return text[: len(text) * ("text" in keep)], vision[: len(vision) * ("vision" in keep)]'
            ),
            "a dict": branches(
                'found = {"text": learner.text_prompts(), "vision": learner.vision_prompts()}\n'
                "return [prompts if tower in keep else [] for tower, prompts in found.items()]"
            ),
        },
        wrong={
            "no return": (branches('text = learner.text_prompts() if "text" in keep else []'), "did you forget it?"),
            "one list": (
                branches('return learner.text_prompts() if "text" in keep else learner.vision_prompts()'),
                "return both, also where one is empty",
            ),
            "None for nothing": (
                branches(
                    'return (learner.text_prompts() if "text" in keep else None, '
                    'learner.vision_prompts() if "vision" in keep else None)'
                ),
                "no prompts is an empty list",
            ),
            "zeros for nothing": (
                branches(
                    "text, vision = learner.text_prompts(), learner.vision_prompts()\n"
                    'text = text if "text" in keep else [0 * p for p in text]\n'
                    'return text, vision if "vision" in keep else [0 * p for p in vision]'
                ),
                "zeros are prompts, too",
            ),
            "first layer left": (
                branches(
                    "text, vision = learner.text_prompts(), learner.vision_prompts()\n"
                    'return text if "text" in keep else text[:1], vision if "vision" in keep else vision[:1]'
                ),
                "the first layer still has its prompt",
            ),
            "the wrong branch": (
                branches(
                    'text = learner.text_prompts() if "vision" in keep else []\n'
                    'return text, learner.vision_prompts() if "text" in keep else []'
                ),
                "the wrong branch was left out",
            ),
            "the wrong order": (
                branches(
                    'text = learner.text_prompts() if "text" in keep else []\n'
                    'return learner.vision_prompts() if "vision" in keep else [], text'
                ),
                "text first, then vision",
            ),
            "text always": (
                branches('return learner.text_prompts(), learner.vision_prompts() if "vision" in keep else []'),
                "text prompts are there although",
            ),
            "vision always": (
                branches('return learner.text_prompts() if "text" in keep else [], learner.vision_prompts()'),
                "vision prompts are there although",
            ),
            "all": (branches("return learner.text_prompts(), learner.vision_prompts()"), "everything is kept"),
            "nothing": (
                branches(
                    'text = learner.text_prompts() if keep == "text" else []\n'
                    'return text, learner.vision_prompts() if keep == "vision" else []'
                ),
                "nothing is kept",
            ),
            "elif": (
                branches(
                    'if "text" in keep:\n    return learner.text_prompts(), []\n'
                    'elif "vision" in keep:\n    return [], learner.vision_prompts()\nreturn [], []'
                ),
                "not with elif",
            ),
            "destroys": (
                branches(
                    "text, vision = learner.text_prompts(), learner.vision_prompts()\nfor tower, prompts in "
                    '(("text", text), ("vision", vision)):\n    if tower not in keep:\n'
                    "        for p in prompts:\n            p.data.zero_()\n"
                    'return text if "text" in keep else [], vision if "vision" in keep else []'
                ),
                "change nothing in the learner",
            ),
            "freezes": (
                branches(
                    "learner.requires_grad_(False)\n"
                    'text = learner.text_prompts() if "text" in keep else []\n'
                    'return text, learner.vision_prompts() if "vision" in keep else []'
                ),
                "prompts are frozen",
            ),
            "empty tensors": (
                branches(
                    'text = [p if "text" in keep else p[:0] for p in learner.text_prompts()]\n'
                    'return text, [p if "vision" in keep else p[:0] for p in learner.vision_prompts()]'
                ),
                "an empty tensor per layer",
            ),
            "methods without brackets": (
                branches(
                    'text = learner.text_prompts if "text" in keep else []\n'
                    'return text, learner.vision_prompts if "vision" in keep else []'
                ),
                "call the method",
            ),
            "text and vision in keep": (
                branches(
                    'if "text" and "vision" in keep:\n'
                    "    return learner.text_prompts(), learner.vision_prompts()\n"
                    'return learner.text_prompts() if "text" in keep else [], []'
                ),
                "asks for 'vision' alone",
            ),
            "by attributes": (
                branches(
                    'return list(learner.text) if "text" in keep else [], '
                    'list(learner.vision) if "vision" in keep else []'
                ),
                "ask the learner by its methods",
            ),
        },
    ),
}
