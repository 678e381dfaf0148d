"""Right and wrong submissions to the exercises of lesson 06."""

from __future__ import annotations

from banks import Bank, indented

APPEND = """if i < len(prompts):
    prompt = visual.ln_pre(prompts[0]) if i == 0 else prompts[i]
    x = torch.cat([x[:, :own], prompt.expand(len(x), -1, -1)], dim=1)"""


def tower(
    enter: str = APPEND,
    pool: str = "x, _ = visual._pool(x[:, :own])",
    project: str = "x = x @ visual.proj",
    unit: str = "return F.normalize(x, dim=-1)",
    embed: str = "x = visual._embeds(images)",
) -> str:
    """A walk through the image tower, with its lines exchanged."""
    start = f"visual = self.visual\n{embed}\nown = x.shape[1]\n"
    loop = "for i, block in enumerate(visual.transformer.resblocks):\n" + indented(enter) + "    x = block(x)\n"
    lines = f"{start}{loop}{pool}\n{project}\n{unit}"
    return "def encode_image(self, images, prompts=()):\n" + indented(lines)


def first(rows: str = "visual.ln_pre(prompts[0])", parts: str = "[x, rows.expand(len(x), -1, -1)]") -> str:
    """What happens before a block, with other lines for the first; deeper prompts replace the last n tokens."""
    return f"""if i == 0 and prompts:
    rows = {rows}
    x = torch.cat({parts}, dim=1)
elif i < len(prompts):
    x = torch.cat([x[:, :-len(prompts[i])], prompts[i].expand(len(x), -1, -1)], dim=1)"""


def later(lines: str) -> str:
    """What happens before a block, with other lines for deeper prompts."""
    return f"""if i == 0 and prompts:
    x = torch.cat([x, visual.ln_pre(prompts[0]).expand(len(x), -1, -1)], dim=1)
{lines}"""


def prompts(body: str) -> str:
    return "def new_prompts(clip, n_ctx, depth):\n" + indented(body)


def drawn_as(numbers: str) -> str:
    """Prompts whose numbers are drawn by an expression."""
    return prompts(f"return torch.nn.ParameterList([torch.nn.Parameter({numbers}) for _ in range(depth)])")


BANK = {
    "06.1": Bank(
        right={
            "computed": "answer = 1 + (224 // 16) ** 2 + 8",
            "whole": "answer = 205",
            "a tensor": "answer = torch.tensor(205.0)",
        },
        wrong={
            "patches": ("answer = (224 // 16) ** 2", "those are the patches alone"),
            "no prompts": ("answer = 1 + 14 * 14", "those are CLS and the patches"),
            "no CLS": ("answer = 14 * 14 + 8", "CLS is missing"),
            "piled up": ("answer = 1 + 14 * 14 + 12 * 8", "do not pile up: there are never more"),
            "piled up, no CLS": ("answer = 14 * 14 + 12 * 8", "do not pile up from layer to layer, and CLS"),
            "one row": ("answer = 1 + 224 // 16 + 8", "there are 14 rows of them"),
            "ours": ("answer = 1 + 36 + 8", "that is our tiny CLIP"),
            "pixels": ("answer = 1 + 224 * 224 + 8", "a pixel is not a token"),
            "all layers": ("answer = 12 * 205", "the sum over twelve layers"),
            "words": ("answer = '205 tokens'", "write digits"),
        },
    ),
    "06.2": Bank(
        right={
            "as the package": tower(),
            "the last n tokens replaced": tower(first()),
            "ln_pre over everything, from the parts of the tower": tower(
                embed="""x = visual.conv1(images).flatten(2).transpose(1, 2)
x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
own_tokens = x.shape[1]
if prompts:
    x = torch.cat([x, prompts[0].expand(len(x), -1, -1)], dim=1)
x = visual.ln_pre(x)""",
                enter="""own = own_tokens
if 0 < i < len(prompts):
    x = torch.cat([x[:, :own], prompts[i].repeat(len(x), 1, 1)], dim=1)""",
                unit="return x / x.norm(dim=-1, keepdim=True)",
            ),
            "between CLS and the patches, where order does not matter": tower(
                enter="""if i < len(prompts):
    rows = (visual.ln_pre(prompts[0]) if i == 0 else prompts[i]).expand(len(x), -1, -1)
    x = torch.cat([x[:, :1], rows, x[:, 1 if i == 0 else 1 + len(prompts[i]):]], dim=1)""",
                pool="n = len(prompts[0]) if prompts else 0\n"
                "x = visual._pool(torch.cat([x[:, :1], x[:, 1 + n:]], dim=1))[0]",
            ),
        },
        wrong={
            "no ln_pre": (tower(first("prompts[0]")), "the prompt did not pass ln_pre"),
            "ln_pre twice": (
                tower(first("prompts[0]") + "\nif i == 0 and prompts:\n    x = visual.ln_pre(x)"),
                "CLS and patches a second time",
            ),
            "ln_pre twice, always": (tower("if i == 0:\n    x = visual.ln_pre(x)\n" + APPEND), "has done it already"),
            "over the first patches": (
                tower(
                    "if i < len(prompts):\n"
                    "    rows = (prompts[i] if i else visual.ln_pre(prompts[0])).expand(len(x), -1, -1)\n"
                    "    x = torch.cat([x[:, :1], rows, x[:, 1 + rows.shape[1]:]], dim=1)"
                ),
                "over the first patches, as over words in lesson 05: append them",
            ),
            "over the first patches, no ln_pre": (
                tower(
                    "if i < len(prompts):\n    x = torch.cat([x[:, :1], prompts[i].expand(len(x), -1, -1), "
                    "x[:, 1 + len(prompts[i]):]], dim=1)"
                ),
                "append them, after self.visual.ln_pre",
            ),
            "after its block": (
                tower("x = block(x)\n" + APPEND).replace("        x = block(x)\n    x, _", "    x, _"),
                "appended after its block",
            ),
            "the last again": (
                tower(
                    "if prompts:\n"
                    "    prompt = visual.ln_pre(prompts[0]) if i == 0 else prompts[min(i, len(prompts) - 1)]\n"
                    "    x = torch.cat([x[:, :own], prompt.expand(len(x), -1, -1)], dim=1)"
                ),
                "was written again before later blocks",
            ),
            "reversed": (
                tower(APPEND.replace("prompts[0]", "prompts[-1]").replace("else prompts[i]", "else prompts[-1 - i]")),
                "in reverse order",
            ),
            "what the blocks make is lost": (
                tower().replace("x = block(x)", "block(x)"),
                "the blocks changed nothing",
            ),
            "positions once more": (
                tower(embed="x = visual._embeds(images) + visual.positional_embedding"),
                "the positional embedding was added a second time",
            ),
            "before CLS": (
                tower(first(parts="[rows.expand(len(x), -1, -1), x]")),
                "the pooling reads a prompt",
            ),
            "positions of patches": (
                tower(first("visual.ln_pre(prompts[0] + visual.positional_embedding[1:1 + len(prompts[0])])")),
                "the prompts got positions",
            ),
            "last positions": (
                tower(first("visual.ln_pre(prompts[0] + visual.positional_embedding[-len(prompts[0]):])")),
                "the last positions",
            ),
            "over patches": (
                tower(first(parts="[x[:, :-len(rows)], rows.expand(len(x), -1, -1)]")),
                "written over the last patches",
            ),
            "appended in every layer": (
                tower(
                    later("elif i < len(prompts):\n    x = torch.cat([x, prompts[i].expand(len(x), -1, -1)], dim=1)")
                ),
                "the sequence grew",
            ),
            "first layer alone": (tower(later("")), "prompts[1] and prompts[2] changed nothing"),
            "the first again": (tower(APPEND.replace("prompts[i]", "prompts[0]")), "came back in every layer"),
            "a layer late": (tower(APPEND.replace("prompts[i]", "prompts[i - 1]")), "a layer late"),
            "ln_pre in every layer": (
                tower(APPEND.replace("else prompts[i]", "else visual.ln_pre(prompts[i])")),
                "deeper prompts passed ln_pre, too",
            ),
            "added": (
                tower(later("elif i < len(prompts):\n    x = torch.cat([x[:, :own], x[:, own:] + prompts[i]], dim=1)")),
                "they replace it",
            ),
            "dropped after their block": (tower(APPEND + "\nelse:\n    x = x[:, :own]"), "they travel on to the end"),
            "not cut": (tower(pool="x, _ = visual._pool(x)"), "averaged with the patches"),
            "CLS by hand": (tower(pool="x = visual.ln_post(x[:, 0])"), "leave the choice to self.visual._pool"),
            "no ln_post": (tower(pool="x = x[:, 0]"), "ln_post is missing"),
            "mean": (tower(pool="x = visual.ln_post(x[:, :own]).mean(dim=1)"), "all tokens were averaged"),
            "last token": (tower(pool="x = visual.ln_post(x[:, -1])"), "the last token was read"),
            "ignored": (tower("pass"), "the prompts changed nothing"),
            "not normalised": (tower(unit="return x"), "features of norm 1"),
            "over the batch": (
                tower(unit="return F.normalize(x, dim=0)"),
                "works along another dimension",
            ),
            "no projection": (tower(project=""), "the last step is missing"),
            "patches returned": (tower(pool="_, x = visual._pool(x[:, :own])"), "take the first"),
            "no pooling": (tower(pool="x = visual.ln_post(x[:, :own])"), "one feature per token came"),
            "pair not unpacked": (tower(pool="x = visual._pool(x[:, :own])"), "unsupported operand"),
            "not expanded": (tower(first(parts="[x, rows]")), "same number of dimensions"),
            "no gradient": (tower(unit="return F.normalize(x, dim=-1).detach()"), "no gradient for prompts[0]"),
            "deeper ones cut off": (
                tower(APPEND.replace("else prompts[i]", "else prompts[i].detach()")),
                "no gradient for prompts[1]",
            ),
            "no return": (tower(unit="F.normalize(x, dim=-1)"), "did you forget"),
        },
    ),
    "06.3": Bank(
        right={
            "a list": drawn_as("0.02 * torch.randn(n_ctx, clip.vision_width)"),
            "in place": prompts(
                "made = torch.nn.ParameterList()\n"
                "for layer in range(depth):\n"
                "    prompt = torch.empty(n_ctx, clip.vision_width)\n"
                "    torch.nn.init.normal_(prompt, std=0.02)\n"
                "    made.append(torch.nn.Parameter(prompt))\n"
                "return made"
            ),
            "all at once": prompts(
                "return torch.nn.ParameterList(torch.randn(depth, n_ctx, clip.vision_width).mul(0.02).unbind())"
            ),
        },
        wrong={
            "text width": (drawn_as("0.02 * torch.randn(n_ctx, clip.text_width)"), "the text tower's width"),
            "joint width": (drawn_as("0.02 * torch.randn(n_ctx, clip.embed_dim)"), "the joint width D"),
            "128": (drawn_as("0.02 * torch.randn(n_ctx, 128)"), "each prompt is [n_ctx, clip.vision_width]"),
            "exchanged": (drawn_as("0.02 * torch.randn(clip.vision_width, n_ctx)"), "a row per token"),
            "depth and length": (drawn_as("0.02 * torch.randn(depth, clip.vision_width)"), "depth and n_ctx"),
            "an axis too many": (drawn_as("0.02 * torch.randn(1, n_ctx, clip.vision_width)"), "the axis for pictures"),
            "one token": (drawn_as("0.02 * torch.randn(clip.vision_width)"), "a single token"),
            "variance": (drawn_as("0.02**2 * torch.randn(n_ctx, clip.vision_width)"), "squared once too often"),
            "root": (drawn_as("0.02**0.5 * torch.randn(n_ctx, clip.vision_width)"), "square root of 0.02"),
            "too large": (drawn_as("torch.randn(n_ctx, clip.vision_width)"), "a standard deviation of 1"),
            "uniform": (drawn_as("0.02 * torch.rand(n_ctx, clip.vision_width)"), "draws from 0 to 1"),
            "uniform around 0": (
                drawn_as("0.04 * torch.rand(n_ctx, clip.vision_width) - 0.02"),
                "these are not normal",
            ),
            "around 0.02": (drawn_as("0.02 + 0.02 * torch.randn(n_ctx, clip.vision_width)"), "the mean is not 0"),
            "zeros": (drawn_as("torch.zeros(n_ctx, clip.vision_width)"), "all tokens start alike"),
            "ten times": (drawn_as("0.2 * torch.randn(n_ctx, clip.vision_width)"), "10 times what it should be"),
            "frozen": (
                drawn_as("0.02 * torch.randn(n_ctx, clip.vision_width), requires_grad=False"),
                "leave requires_grad alone",
            ),
            "the same object": (
                prompts(
                    "prompt = torch.nn.Parameter(0.02 * torch.randn(n_ctx, clip.vision_width))\n"
                    "return torch.nn.ParameterList([prompt] * depth)"
                ),
                "repeats one object",
            ),
            "the same numbers": (
                prompts(
                    "prompt = 0.02 * torch.randn(n_ctx, clip.vision_width)\n"
                    "return torch.nn.ParameterList([torch.nn.Parameter(prompt.clone()) for _ in range(depth)])"
                ),
                "one draw was copied",
            ),
            "a plain list": (
                prompts(
                    "return [torch.nn.Parameter(0.02 * torch.randn(n_ctx, clip.vision_width)) for _ in range(depth)]"
                ),
                "the learner would not find them",
            ),
            "one tensor": (
                prompts("return torch.nn.Parameter(0.02 * torch.randn(depth, n_ctx, clip.vision_width))"),
                "one tensor for all layers",
            ),
            "every layer of the tower": (
                prompts(
                    "numbers = [0.02 * torch.randn(n_ctx, clip.vision_width) for _ in range(clip.vision_layers)]\n"
                    "return torch.nn.ParameterList(numbers)"
                ),
                "only the first `depth` layers",
            ),
            "one too few": (
                prompts(
                    "numbers = [0.02 * torch.randn(n_ctx, clip.vision_width) for _ in range(1, depth)]\n"
                    "return torch.nn.ParameterList(numbers)"
                ),
                "the first layer counts, too",
            ),
            "a seed inside": (
                prompts(
                    "numbers = torch.Generator().manual_seed(0)\n"
                    "return torch.nn.ParameterList(\n"
                    "    [0.02 * torch.randn(n_ctx, clip.vision_width, generator=numbers) for _ in range(depth)]\n"
                    ")"
                ),
                "a seed is set inside",
            ),
            "no return": (prompts("torch.nn.ParameterList([])"), "did you forget"),
        },
    ),
    "06.4": Bank(
        right={
            "as it stands there": 'answer = "CoOp, CoCoOp, deep language"',
            "in capitals": 'answer = "COOP, COCOOP, DEEP LANGUAGE"',
        },
        wrong={
            "not CoCoOp": ('answer = "CoOp, deep language"', "lesson 04 computed them once"),
            "all": ('answer = "all of them"', "prompts stand in the image tower"),
            "VPT": ('answer = "VPT"', "the other way round"),
            "none": ('answer = "none of them"', "what was frozen there"),
            "something else": ('answer = "IVLP"', "none of the choices"),
        },
    ),
}
