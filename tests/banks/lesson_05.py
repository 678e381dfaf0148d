"""Right and wrong submissions to the exercises of lesson 05."""

from __future__ import annotations

from banks import Bank, indented

DOOR = "if i < len(prompts):\n    x = write_prompt(x, prompts[i], positions)"
PLACES = "if i == 0:\n    x = x + text.positional_embedding[:length]"
BLOCK = "x = block(x, attn_mask=mask)"


def tower(*steps: str, before: str = "") -> str:
    """An `encode_text` whose loop does `steps` in every layer."""
    loop = "for i, block in enumerate(text.transformer.resblocks):\n" + indented("\n".join(steps))
    lines = [
        "text, length = self.text, tokens.shape[1]",
        "mask = text.attn_mask[:length, :length]",
        "x = text.token_embedding(tokens)",
        *([before] if before else []),
        loop.rstrip(),
        "end = tokens.argmax(dim=-1)",
        "x = text.ln_final(x[torch.arange(len(x), device=x.device), end])",
        "return F.normalize(x @ text.text_projection, dim=-1)",
    ]
    return "def encode_text(self, tokens, prompts=(), positions=None):\n" + indented("\n".join(lines))


def deep(*change: str) -> str:
    """An `encode_text` with a right first layer, and `change` at the input of deeper layers that have a prompt."""
    return tower(
        "if i == 0 and prompts:\n    x = write_prompt(x, prompts[0], positions)",
        PLACES,
        "if 0 < i < len(prompts):\n" + indented("n = len(prompts[i])\n" + "\n".join(change)).rstrip(),
        BLOCK,
    )


def start(body: str) -> str:
    return 'def deep_prompts(clip, n_ctx, depth, init="a photo of a"):\n' + indented(body)


FIRST = "first = clip.text.token_embedding.weight[word_ids(init)[:n_ctx]].clone()\n"
RANDOM = "0.02 * torch.randn(n_ctx, clip.text_width)"


def prompts(first: str = FIRST, other: str = RANDOM, made: str = "torch.nn.ParameterList([first, *others])") -> str:
    return start(f"{first}others = [{other} for _ in range(depth - 1)]\nreturn {made}")


BANK = {
    "05.1": Bank(
        right={
            "two questions at the door": tower(DOOR, PLACES, BLOCK),
            "layer 0 before the loop": tower(
                "if 0 < i < len(prompts):\n    x = write_prompt(x, prompts[i], positions)",
                BLOCK,
                before="x = write_prompt(x, prompts[0], positions) if len(prompts) else x\n"
                "x = x + text.positional_embedding[:length]",
            ),
            "a slice is written into a clone": tower(
                "if i < len(prompts):\n"
                "    own = torch.arange(1, 1 + len(prompts[i])).expand(len(x), -1)\n"
                "    places = own if positions is None else positions\n"
                "    x = x.clone()\n    x[torch.arange(len(x))[:, None], places] = prompts[i]",
                PLACES,
                BLOCK,
            ),
            "cat, prompts from an iterator": tower(
                "p = next(waiting, None)\nif p is not None and positions is None:\n"
                "    x = torch.cat([x[:, :1], p.expand(len(x), -1, -1), x[:, 1 + len(p):]], dim=1)\n"
                "elif p is not None:\n"
                "    x = x.scatter(1, positions[..., None].expand(-1, -1, len(p[0])), p.repeat(len(x), 1, 1))",
                PLACES,
                BLOCK,
                before="waiting = iter(prompts)",
            ),
        },
        wrong={
            "inserted": (
                tower(
                    "if i < len(prompts):\n"
                    "    x = torch.cat([x[:, :1], prompts[i].expand(len(x), -1, -1), x[:, 1:]], dim=1)",
                    "if i == 0:\n    x = x + text.positional_embedding[: x.shape[1]]",
                    BLOCK,
                ),
                "so that the sequence grows",
            ),
            "inserted deep, mask cut to fit": (
                deep(
                    "x = torch.cat([x[:, :1], prompts[i].expand(len(x), -1, -1), x[:, 1:]], dim=1)",
                    "mask = text.attn_mask[: x.shape[1], : x.shape[1]]",
                ),
                "tokens in layer 1",
            ),
            "a token too many is cut": (
                deep("x = torch.cat([x[:, :1], prompts[i].expand(len(x), -1, -1), x[:, 2 + n:]], dim=1)"),
                "tokens were lost",
            ),
            "no mask": (tower(DOOR, PLACES, "x = block(x)"), "without its mask"),
            "mask by position": (tower(DOOR, PLACES, "x = block(x, mask)"), "passed without its name"),
            "the whole mask": (tower(DOOR, PLACES, "x = block(x, attn_mask=text.attn_mask)"), "[77, 77] in layer 0"),
            "a mask that grows with the prompts": (
                tower(
                    DOOR,
                    PLACES,
                    "longer = length + (len(prompts[0]) if prompts else 0)",
                    "x = block(x, attn_mask=text.attn_mask[:longer, :longer])",
                ),
                "the sequence is as long as before",
            ),
            "blocks run only where there is a prompt": (
                tower(
                    "if i < len(prompts[:2]):\n    x = write_prompt(x, prompts[i])\n"
                    "    x = x + text.positional_embedding[:length] if i == 0 else x\n    x = block(x, attn_mask=mask)"
                ),
                "2 layers were run",
            ),
            "no prompt at all": (tower(PLACES, BLOCK), "the prompt changed nothing"),
            "places before the first prompt": (tower(PLACES, DOOR, BLOCK), "was added before the first prompt"),
            "prompts[0] everywhere": (
                tower("if prompts:\n    x = write_prompt(x, prompts[0])", PLACES, BLOCK),
                "prompts[0] was written again",
            ),
            "no places at all": (tower(DOOR, BLOCK), "the positional embedding is missing"),
            "a layer late": (
                tower(PLACES, "if 0 < i <= len(prompts):\n    x = write_prompt(x, prompts[i - 1])", BLOCK),
                "a layer late",
            ),
            "only the first": (deep("pass"), "only prompts[0] was used"),
            "added": (deep("x = write_prompt(x, x[:, 1 : 1 + n] + prompts[i])"), "was added to what stood there"),
            "places for deep prompts": (
                deep("x = write_prompt(x, prompts[i] + text.positional_embedding[1 : 1 + n])"),
                "a deep prompt got the positional embedding",
            ),
            "places in every layer": (
                tower(DOOR, "x = x + text.positional_embedding[:length]", BLOCK),
                "added to all tokens in every layer",
            ),
            "places wherever there is a prompt": (
                tower(
                    "if i < len(prompts):\n    x = write_prompt(x, prompts[i])\n"
                    "if i == 0 or i < len(prompts):\n    x = x + text.positional_embedding[:length]",
                    BLOCK,
                ),
                "added again in every layer that has a prompt",
            ),
            "deep prompts after their layer": (
                tower(
                    "if i == 0 and prompts:\n    x = write_prompt(x, prompts[0])",
                    PLACES,
                    BLOCK,
                    "if 0 < i < len(prompts):\n    x = write_prompt(x, prompts[i])",
                ),
                "written after its layer",
            ),
            "the first for all": (deep("x = write_prompt(x, prompts[0])"), "the prompt of the first"),
            "the last again, deep": (
                tower(
                    "if prompts and (i == 0 or len(prompts) > 1):\n"
                    "    x = write_prompt(x, prompts[min(i, len(prompts) - 1)])",
                    PLACES,
                    BLOCK,
                ),
                "the last prompt was written again in all later layers",
            ),
            "reversed": (
                tower("if i < len(prompts):\n    x = write_prompt(x, prompts[len(prompts) - 1 - i])", PLACES, BLOCK),
                "in reverse order",
            ),
            "over SOS": (
                deep("x = torch.cat([prompts[i].expand(len(x), -1, -1), x[:, n:]], dim=1)"),
                "writes over SOS",
            ),
            "over EOT": (
                deep("x = torch.cat([x[:, :-n], prompts[i].expand(len(x), -1, -1)], dim=1)"),
                "stands at the end, over EOT",
            ),
            "pushed": (
                deep("x = torch.cat([x[:, :1], prompts[i].expand(len(x), -1, -1), x[:, 1:-n]], dim=1)"),
                "pushed the other tokens",
            ),
            "not in the last layer": (
                tower(
                    "if i < len(prompts) and i < len(text.transformer.resblocks) - 1:\n"
                    "    x = write_prompt(x, prompts[i])",
                    PLACES,
                    BLOCK,
                ),
                "the last layer got no prompt of its own",
            ),
            "detached": (
                tower("if i < len(prompts):\n    x = write_prompt(x, prompts[i].detach())", PLACES, BLOCK),
                "gradient",
            ),
            "the loop ends with the prompts": (
                tower(DOOR, PLACES, BLOCK).replace(
                    "i, block in enumerate(text.transformer.resblocks)",
                    "i, (block, _) in enumerate(zip(text.transformer.resblocks, prompts))",
                ),
                "the loop ended with the prompts",
            ),
            "what the layers make is lost": (
                tower(DOOR, PLACES, "block(x, attn_mask=mask)"),
                "the layers changed nothing",
            ),
            "the first is added, too": (
                tower("if i < len(prompts):\n    x[:, 1 : 1 + len(prompts[i])] += prompts[i]", PLACES, BLOCK),
                "the first prompt was added to the words",
            ),
            "the first over SOS": (
                tower(
                    "if i < len(prompts):\n"
                    "    x = torch.cat([prompts[i].expand(len(x), -1, -1), x[:, len(prompts[i]):]], dim=1)",
                    PLACES,
                    BLOCK,
                ),
                "the first prompt stands at 0..n-1",
            ),
            "the first over EOT": (
                tower(
                    "if i < len(prompts):\n"
                    "    x = torch.cat([x[:, :-len(prompts[i])], prompts[i].expand(len(x), -1, -1)], dim=1)",
                    PLACES,
                    BLOCK,
                ),
                "the first prompt stands at the end",
            ),
            "positions ignored": (
                tower(DOOR.replace(", positions", ""), PLACES, BLOCK),
                "the positions did not arrive",
            ),
            "positions for the first alone": (
                deep("x = write_prompt(x, prompts[i])"),
                "the positions arrived in layer 0 alone",
            ),
            "positions for deep ones alone": (
                tower(DOOR.replace("positions", "positions if i else None"), PLACES, BLOCK),
                "the positions arrived in deeper layers alone",
            ),
            "index out of range": (tower("x = write_prompt(x, prompts[i])", PLACES, BLOCK), "IndexError"),
            "no return": (tower(DOOR, PLACES, BLOCK).replace("return F", "F"), "did you forget"),
        },
    ),
    "05.2": Bank(
        right={
            "a list comprehension": prompts(),
            "parameters appended": start(
                "made = torch.nn.ParameterList()\n"
                "made.append(torch.nn.Parameter(clip.text.token_embedding.weight[word_ids(init)[:n_ctx]].clone()))\n"
                "while len(made) < depth:\n"
                "    made.append(torch.nn.Parameter(torch.empty(n_ctx, clip.text_width)))\n"
                "    torch.nn.init.normal_(made[-1], std=0.02)\nreturn made"
            ),
            "the table is called; one draw is cut": start(
                "ids = torch.tensor(word_ids(init)[:n_ctx], device=clip.device)\n"
                "first = clip.text.token_embedding(ids)\n"
                "others = torch.normal(0, 0.02, (depth - 1, n_ctx, clip.text_width), device=clip.device)\n"
                "return torch.nn.ParameterList([first, *(o.clone() for o in others)])"
            ),
        },
        wrong={
            "a plain list": (
                prompts(made="[torch.nn.Parameter(p) for p in [first, *others]]"),
                "hides its tensors from the optimiser",
            ),
            "one tensor": (prompts(made="torch.nn.Parameter(torch.stack([first, *others]))"), "one tensor came"),
            "no return": (prompts().replace("return torch", "made = torch"), "did you forget"),
            "one too many": (prompts().replace("depth - 1", "depth"), "J counts the first layer"),
            "the first is missing": (
                prompts(made="torch.nn.ParameterList(others)"),
                "the prompt of the first layer is missing",
            ),
            "the first alone": (prompts(made="torch.nn.ParameterList([first])"), "only the first is there"),
            "joint width": (
                prompts(other="0.02 * torch.randn(n_ctx, clip.embed_dim)"),
                "as wide as the joint space",
            ),
            "image width": (
                prompts(other="0.02 * torch.randn(n_ctx, clip.vision_width)"),
                "as wide as the image tower",
            ),
            "transposed": (prompts(other="0.02 * torch.randn(clip.text_width, n_ctx)"), "are exchanged"),
            "one token": (prompts(other="0.02 * torch.randn(clip.text_width)"), "one token came"),
            "words of one's own": (
                prompts(FIRST.replace("word_ids(init)", 'word_ids("a photo of a")')),
                "the words of init arrive as an argument",
            ),
            "SOS and EOT": (
                prompts("first = clip.text.token_embedding(tokenize([init]).to(clip.device))[0]\n"),
                "SOS and EOT came along",
            ),
            "starts at SOS": (
                prompts("first = clip.text.token_embedding(tokenize([init]).to(clip.device))[0, :n_ctx]\n"),
                "the first token is SOS",
            ),
            "all at random": (prompts(f"first = {RANDOM}\n"), "the first prompt is random"),
            "places in the first": (
                prompts(FIRST.replace(".clone()", " + clip.text.positional_embedding[1 : 1 + n_ctx]")),
                "the positional embedding is in it",
            ),
            "the last words": (prompts(FIRST.replace("[:n_ctx]", "[-n_ctx:]")), "the first two words are learned"),
            "always four words": (prompts(FIRST.replace("[:n_ctx]", "")), "must have as many tokens, not 4"),
            "words and noise": (prompts(FIRST.strip() + f" + {RANDOM}\n"), "something was added to the words"),
            "zeros first": (
                prompts("first = torch.zeros(n_ctx, clip.text_width)\n"),
                "all numbers of the first prompt are equal",
            ),
            "all from words": (prompts(other="first.clone()"), "the words were copied into deep layers"),
            "one parameter for all": (
                start(FIRST + "return torch.nn.ParameterList([torch.nn.Parameter(first)] * depth)"),
                "share one and the same parameter",
            ),
            "one deep parameter": (
                start(
                    FIRST + f"other = torch.nn.Parameter({RANDOM})\n"
                    "return torch.nn.ParameterList([first, *[other] * (depth - 1)])"
                ),
                "repeats one parameter",
            ),
            "copies of one draw": (
                start(
                    FIRST + f"other = {RANDOM}\n"
                    "return torch.nn.ParameterList([first, *(other.clone() for _ in range(depth - 1))])"
                ),
                "copies of one draw",
            ),
            "zeros": (prompts(other="torch.zeros(n_ctx, clip.text_width)"), "get the same gradient"),
            "standard normal": (prompts(other="torch.randn(n_ctx, clip.text_width)"), "multiply by 0.02"),
            "squared": (prompts(other="0.02**2 * torch.randn(n_ctx, clip.text_width)"), "squared once too often"),
            "square root": (prompts(other="0.02**0.5 * torch.randn(n_ctx, clip.text_width)"), "square root of 0.02"),
            "uniform": (prompts(other="0.02 * torch.rand(n_ctx, clip.text_width)"), "draws from 0 to 1"),
            "uniform around 0": (
                prompts(other="0.04 * torch.rand(n_ctx, clip.text_width) - 0.02"),
                "these are not normal",
            ),
            "0.2": (prompts(other="0.2 * torch.randn(n_ctx, clip.text_width)"), "times what it should be"),
            "a seed inside": (
                prompts("torch.manual_seed(0)\n" + FIRST),
                "a seed is set inside the function",
            ),
            "frozen": (
                prompts(made="torch.nn.ParameterList([first, *others]).requires_grad_(False)"),
                "would never learn",
            ),
            "three layers always": (
                prompts().replace("depth - 1", "2"),
                "a number stands where depth should",
            ),
        },
    ),
    "05.3": Bank(
        right={"a list": "answer = [5, 6, 7]", "a tuple": "answer = (7, 6, 5)", "a range": "answer = range(5, 8)"},
        wrong={
            "all": ("answer = list(range(8))", "SOS comes first"),
            "the prompts, too": ("answer = [1, 2, 3, 4, 5, 6, 7]", "no token sees those after it"),
            "the last prompt": ("answer = [4, 5, 6, 7]", "with position 4"),
            "EOT alone": ("answer = [7]", "the name itself has changed"),
            "the name alone": ("answer = 5", "the full stop comes after the name"),
            "without EOT": ("answer = [5, 6]", "EOT comes last"),
            "words": ('answer = ["leo", ".", "EOT"]', "write positions from 0 to 7"),
            "out of range": ("answer = [5, 6, 7, 8]", "[5, 6, 7, 8]"),
        },
    ),
    "05.4": Bank(
        right={"a product": "answer = 12 * 4 * 512", "a number": "answer = 24576", "a float": "answer = 2.4576e4"},
        wrong={
            "CoOp's": ("answer = 2048", "that is one layer"),
            "eleven": ("answer = 11 * 4 * 512", "12 prompts, and not 11"),
            "thirteen": ("answer = 13 * 4 * 512", "12 prompts, and not 13"),
            "768": ("answer = 12 * 4 * 768", "width of the image tower"),
            "one token": ("answer = 12 * 512", "there are n = 4"),
            "tokens": ("answer = 48", "those are tokens"),
            "both towers": ("answer = 2 * 12 * 4 * 512", "the text tower alone"),
            "per class": ("answer = 1000 * 12 * 4 * 512", "the same for all classes"),
            "the tiny one": ("answer = 3072", "our tiny CLIP"),
            "words": ('answer = "24 thousand"', "write digits"),
        },
    ),
}
