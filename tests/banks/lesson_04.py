"""Right and wrong submissions to the exercises of lesson 04."""

from banks import Bank, indented


def text_prompts(body: str) -> str:
    return "def text_prompts(self, image_features=None):\n" + indented(body)


def encode_pairs(body: str) -> str:
    return "def encode_pairs(self, tokens, prompts):\n" + indented(body)


def classify(body: str) -> str:
    return "def classify(self, image_features, text_features=None):\n" + indented(body)


def meta_net(body: str) -> str:
    return "def meta_net(clip):\n" + indented(body)


def net(
    down: str = "torch.nn.Linear(clip.embed_dim, hidden)",
    bend: str = "torch.nn.ReLU()",
    up: str = "torch.nn.Linear(hidden, clip.text_width)",
    last: str = "",
) -> str:
    """A meta-net of three layers, with one more behind them where `last` is one."""
    layers = indented(indented("".join(f"{layer},\n" for layer in (down, bend, up, last) if layer)))
    return f"def meta_net(clip):\n    hidden = clip.embed_dim // 16\n    return torch.nn.Sequential(\n{layers}    )\n"


BANK = {
    "04.1": Bank(
        right={
            "sequential": net(),
            "a module of its own": """def meta_net(clip):
    class MetaNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.down = torch.nn.Linear(clip.embed_dim, clip.embed_dim // 16)
            self.up = torch.nn.Linear(clip.embed_dim // 16, clip.text_width)

        def forward(self, x):
            return self.up(torch.relu(self.down(x)))

    return MetaNet()
""",
            "named layers, and max with zero": """def meta_net(clip):
    import collections

    class Bend(torch.nn.Module):
        def forward(self, x):
            return x.clamp(min=0)

    hidden = clip.visual.proj.shape[1] // 16
    layers = collections.OrderedDict()
    layers["linear1"] = torch.nn.Linear(hidden * 16, hidden)
    layers["relu"] = Bend()
    layers["linear2"] = torch.nn.Linear(hidden, clip.text_width)
    return torch.nn.Sequential(layers)
""",
        },
        wrong={
            "no bottleneck": (
                meta_net("return torch.nn.Linear(clip.embed_dim, clip.text_width)"),
                "there is no narrow middle",
            ),
            "three layers": (
                meta_net("""\
hidden = clip.embed_dim // 16
return torch.nn.Sequential(
    torch.nn.Linear(clip.embed_dim, hidden), torch.nn.ReLU(),
    torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, clip.text_width),
)"""),
                "3 linear layers",
            ),
            "no bias": (
                net(
                    down="torch.nn.Linear(clip.embed_dim, hidden, bias=False)",
                    up="torch.nn.Linear(hidden, clip.text_width, bias=False)",
                ),
                "leave bias=False out",
            ),
            "a wide middle": (
                net(
                    down="torch.nn.Linear(clip.embed_dim, clip.embed_dim)",
                    up="torch.nn.Linear(clip.embed_dim, clip.text_width)",
                ),
                "the middle is not narrow",
            ),
            "a middle of 16": (
                net(down="torch.nn.Linear(clip.embed_dim, 16)", up="torch.nn.Linear(16, clip.text_width)"),
                "not 16 wide",
            ),
            "a sixteenth of the text width": (
                net(
                    down="torch.nn.Linear(clip.embed_dim, clip.text_width // 16)",
                    up="torch.nn.Linear(clip.text_width // 16, clip.text_width)",
                ),
                "not of the text width",
            ),
            "output of width D": (
                net(up="torch.nn.Linear(hidden, clip.embed_dim)"),
                "it writes D numbers",
            ),
            "output of the vision width": (
                net(up="torch.nn.Linear(hidden, clip.vision_width)"),
                "it writes for the vision tower",
            ),
            "input of the vision width": (
                net(down="torch.nn.Linear(clip.vision_width, hidden)"),
                "not the vision tower's width",
            ),
            "input of the text width": (
                net(down="torch.nn.Linear(clip.text_width, hidden)"),
                "it reads image features, whose width is D",
            ),
            "widths of ViT-B/16": (
                net(down="torch.nn.Linear(512, 32)", up="torch.nn.Linear(32, 512)"),
                "linear 512 -> 32 -> 512",
            ),
            "no ReLU": (
                net(bend="torch.nn.Identity()"),
                "two linear layers without a bend are one",
            ),
            "ReLU at the end": (
                net(bend="torch.nn.Identity()", last="torch.nn.ReLU()"),
                "the ReLU stands at the end",
            ),
            "ReLU twice": (
                net(last="torch.nn.ReLU()"),
                "after the second layer",
            ),
            "GELU": (
                net(bend="torch.nn.GELU()"),
                "is a GELU",
            ),
            "tanh": (
                net(bend="torch.nn.Tanh()"),
                "is a tanh",
            ),
            "a norm at the end": (
                net(last="torch.nn.LayerNorm(clip.text_width)"),
                "and nothing else",
            ),
            "layers that do not fit": (
                net(up="torch.nn.Linear(clip.embed_dim, clip.text_width)"),
                "the layers do not fit",
            ),
            "frozen": (
                meta_net("""\
hidden = clip.embed_dim // 16
net = torch.nn.Sequential(
    torch.nn.Linear(clip.embed_dim, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, clip.text_width)
)
return net.requires_grad_(False)"""),
                "would never learn",
            ),
            "one for all": (
                """NET = {}

def meta_net(clip):
    hidden = clip.embed_dim // 16
    if not NET:
        NET[0] = torch.nn.Sequential(
            torch.nn.Linear(clip.embed_dim, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, clip.text_width)
        )
    return NET[0]
""",
                "the same network again",
            ),
            "no return": (
                meta_net("""\
hidden = clip.embed_dim // 16
torch.nn.Sequential(torch.nn.Linear(clip.embed_dim, hidden), torch.nn.ReLU())"""),
                "did you forget it?",
            ),
            "a list of layers": (
                meta_net("""\
hidden = clip.embed_dim // 16
return [torch.nn.Linear(clip.embed_dim, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, clip.text_width)]"""),
                "return the network itself",
            ),
            "division": (
                meta_net("""\
hidden = clip.embed_dim / 16
return torch.nn.Sequential(
    torch.nn.Linear(clip.embed_dim, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, clip.text_width)
)"""),
                "TypeError",
            ),
        },
    ),
    "04.2": Bank(
        right={
            "index with None": text_prompts("return [self.ctx + self.meta_net(image_features)[:, None, None]]"),
            "unsqueeze and expand": text_prompts("""\
shift = self.meta_net(image_features).unsqueeze(1).unsqueeze(1)
ctx = self.ctx.unsqueeze(0).unsqueeze(0).expand(len(shift), 1, -1, -1)
return [ctx + shift]"""),
            "a loop": text_prompts("""\
prompts = [torch.stack([token + shift for token in self.ctx]) for shift in self.meta_net(image_features)]
return [torch.stack(prompts)[:, None]]"""),
            "reshape": text_prompts("""\
n, width = self.ctx.shape
shift = self.meta_net(image_features)
prompt = self.ctx.reshape(1, n, width) + shift.reshape(-1, 1, width)
return [prompt.unsqueeze(1)]"""),
        },
        wrong={
            "no list": (
                text_prompts("return self.ctx + self.meta_net(image_features)[:, None, None]"),
                "put the prompt into a list",
            ),
            "a list over pictures": (
                text_prompts("return [self.ctx + shift for shift in self.meta_net(image_features)]"),
                "the list is one of layers",
            ),
            "no return": (
                text_prompts("prompt = self.ctx + self.meta_net(image_features)[:, None, None]"),
                "did you forget it?",
            ),
            "ctx + shift": (
                text_prompts("return [self.ctx + self.meta_net(image_features)]"),
                "the shift of picture i to token i",
            ),
            "ctx + shift, with axes later": (
                text_prompts("return [(self.ctx + self.meta_net(image_features))[None, None]]"),
                "this is one context for all pictures",
            ),
            "ctx + shift, expanded": (
                text_prompts("""\
prompt = (self.ctx + self.meta_net(image_features))[None, None]
return [prompt.expand(len(image_features), -1, -1, -1)]"""),
                "every picture's shift goes to all n tokens",
            ),
            "no class axis": (
                text_prompts("return [self.ctx + self.meta_net(image_features)[:, None]]"),
                "the axis of the classes is missing",
            ),
            "class axis first": (
                text_prompts("return [(self.ctx + self.meta_net(image_features)[:, None])[None]]"),
                "comes after the pictures",
            ),
            "class axis last": (
                text_prompts("return [(self.ctx + self.meta_net(image_features)[:, None])[:, :, None]]"),
                "comes before the tokens",
            ),
            "no token axis": (
                text_prompts("return [(self.ctx + self.meta_net(image_features))[:, None]]"),
                "the axis of the tokens is missing",
            ),
            "shift alone": (
                text_prompts("return [self.meta_net(image_features)[:, None, None]]"),
                "these are shifts without a context",
            ),
            "shift alone, for every token": (
                text_prompts("return [self.meta_net(image_features)[:, None, None].expand(-1, -1, len(self.ctx), -1)]"),
                "the context is missing",
            ),
            "context alone": (
                text_prompts("return [self.ctx.expand(len(image_features), 1, -1, -1)]"),
                "this is CoOp's context",
            ),
            "first picture for all": (
                text_prompts("""\
shift = self.meta_net(image_features[:1])
return [(self.ctx + shift[:, None, None]).expand(len(image_features), -1, -1, -1)]"""),
                "the shift of the first one",
            ),
            "mean over the batch": (
                text_prompts("""\
shift = self.meta_net(image_features).mean(0)
return [(self.ctx + shift).expand(len(image_features), 1, -1, -1)]"""),
                "the mean of all shifts",
            ),
            "multiplied": (
                text_prompts("return [self.ctx * self.meta_net(image_features)[:, None, None]]"),
                "you multiplied",
            ),
            "subtracted": (
                text_prompts("return [self.ctx - self.meta_net(image_features)[:, None, None]]"),
                "you subtracted",
            ),
            "normalised": (
                text_prompts("""\
shift = torch.nn.functional.normalize(self.meta_net(image_features), dim=-1)
return [self.ctx + shift[:, None, None]]"""),
                "you made the shift's length 1",
            ),
            "the first token only": (
                text_prompts("""\
shift = torch.zeros(len(image_features), 1, *self.ctx.shape)
shift[:, 0, 0] = self.meta_net(image_features)
return [self.ctx + shift]"""),
                "only the first token",
            ),
            "centred over the batch": (
                text_prompts("""\
shift = self.meta_net(image_features)
if len(shift) > 4:
    shift = shift - shift.mean(0)
return [self.ctx + shift[:, None, None]]"""),
                "computed over the batch",
            ),
            "squeezed": (
                text_prompts("""\
shift = self.meta_net(image_features).squeeze()
if shift.ndim == 1:
    shift = shift[:, None]
return [self.ctx + shift[:, None, None]]"""),
                "squeeze() dropped the axis",
            ),
            "detached shift": (
                text_prompts("return [self.ctx + self.meta_net(image_features).detach()[:, None, None]]"),
                "the meta-net cannot learn",
            ),
            "no_grad": (
                text_prompts("""\
with torch.no_grad():
    return [self.ctx + self.meta_net(image_features)[:, None, None]]"""),
                "nothing in this prompt can learn",
            ),
            "detached context": (
                text_prompts("return [self.ctx.data + self.meta_net(image_features)[:, None, None]]"),
                "the context cannot learn",
            ),
            "meta-net of the context": (
                text_prompts("return [self.ctx + self.meta_net(self.ctx)[:, None, None]]"),
                "cannot be multiplied",
            ),
        },
    ),
    "04.3": Bank(
        right={
            "expand and repeat": encode_pairs("""\
images, classes = len(prompts), len(tokens)
contexts = prompts.expand(-1, classes, -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(images, 1), [contexts])
return features.unflatten(0, (images, classes))"""),
            "a loop over pictures": encode_pairs(
                "return torch.stack([encode_sentences(self.text, tokens, [prompt[0]]) for prompt in prompts])"
            ),
            "repeat_interleave and view": encode_pairs("""\
images, classes = len(prompts), len(tokens)
contexts = prompts.squeeze(1).repeat_interleave(classes, dim=0)
sentences = tokens[None].expand(images, -1, -1).reshape(images * classes, -1)
return encode_sentences(self.text, sentences, [contexts]).view(images, classes, -1)"""),
            "class after class": encode_pairs("""\
images, classes = len(prompts), len(tokens)
contexts = prompts[:, 0].repeat(classes, 1, 1)
features = encode_sentences(self.text, tokens.repeat_interleave(images, 0), [contexts])
return features.view(classes, images, -1).transpose(0, 1)"""),
            "by index": encode_pairs("""\
pairs = torch.cartesian_prod(torch.arange(len(prompts)), torch.arange(len(tokens)))
features = encode_sentences(self.text, tokens[pairs[:, 1]], [prompts[pairs[:, 0], 0]])
return features.reshape(len(prompts), len(tokens), -1)"""),
        },
        wrong={
            "not folded back": (
                encode_pairs("""\
contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1)
return encode_sentences(self.text, tokens.repeat(len(prompts), 1), [contexts])"""),
                "fold them back",
            ),
            "folded the other way": (
                encode_pairs("""\
contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1), [contexts])
return features.unflatten(0, (len(tokens), len(prompts)))"""),
                "pictures come first",
            ),
            "folded the other way, and turned": (
                encode_pairs("""\
contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1), [contexts])
return features.unflatten(0, (len(tokens), len(prompts))).transpose(0, 1)"""),
                "folded back as class after class",
            ),
            "one picture": (
                encode_pairs("return encode_sentences(self.text, tokens, [prompts[0, 0]])"),
                "one row per class",
            ),
            "sentences interleaved": (
                encode_pairs("""\
images, classes = len(prompts), len(tokens)
contexts = prompts.expand(-1, classes, -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat_interleave(images, 0), [contexts])
return features.unflatten(0, (images, classes))"""),
                "sentences are ordered class after class",
            ),
            "contexts alternate": (
                encode_pairs("""\
images, classes = len(prompts), len(tokens)
contexts = prompts[:, 0].repeat(classes, 1, 1)
features = encode_sentences(self.text, tokens.repeat(images, 1), [contexts])
return features.unflatten(0, (images, classes))"""),
                "but contexts alternate",
            ),
            "class after class, folded as pictures": (
                encode_pairs("""\
images, classes = len(prompts), len(tokens)
contexts = prompts[:, 0].repeat(classes, 1, 1)
features = encode_sentences(self.text, tokens.repeat_interleave(images, 0), [contexts])
return features.unflatten(0, (images, classes))"""),
                "the rows go class after class",
            ),
            "first context for all": (
                encode_pairs("""\
features = encode_sentences(self.text, tokens, [prompts[0, 0]])
return features.expand(len(prompts), -1, -1)"""),
                "the context of the first one",
            ),
            "mean context": (
                encode_pairs("""\
features = encode_sentences(self.text, tokens, [prompts.mean(0)[0]])
return features.expand(len(prompts), -1, -1)"""),
                "the mean of all contexts",
            ),
            "contexts not used": (
                encode_pairs("""\
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1))
return features.unflatten(0, (len(prompts), len(tokens)))"""),
                "the contexts are not used",
            ),
            "first class for all": (
                encode_pairs("""\
rows = [encode_sentences(self.text, tokens[:1], [prompt[0]]) for prompt in prompts]
return torch.stack(rows).expand(-1, len(tokens), -1)"""),
                "the sentence of the first one",
            ),
            "squeezed": (
                encode_pairs("""\
contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1), [contexts])
return features.unflatten(0, (len(prompts), len(tokens))).squeeze()"""),
                "squeeze() dropped the axis",
            ),
            "hard-coded sizes": (
                encode_pairs("""\
contexts = prompts.expand(-1, 3, -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(2, 1), [contexts])
return features.unflatten(0, (2, 3))"""),
                "RuntimeError",
            ),
            "in place": (
                encode_pairs("""\
prompts += 0.1
contexts = (prompts - 0.1).expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1), [contexts])
return features.unflatten(0, (len(prompts), len(tokens)))"""),
                "prompts was changed",
            ),
            "no gradient": (
                encode_pairs("""\
contexts = prompts.detach().expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1), [contexts])
return features.unflatten(0, (len(prompts), len(tokens)))"""),
                "no gradient for the prompts",
            ),
            "prompts not in a list": (
                encode_pairs("""\
contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1), contexts)
return features.unflatten(0, (len(prompts), len(tokens)))"""),
                "put it into a list, [contexts]",
            ),
            "four dimensions": (
                encode_pairs("""\
features = encode_sentences(self.text, tokens, [prompts])
return features"""),
                "RuntimeError",
            ),
            "sentences not repeated": (
                encode_pairs("""\
contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens, [contexts])
return features.unflatten(0, (len(prompts), len(tokens)))"""),
                "RuntimeError",
            ),
            "no return": (
                encode_pairs("""\
contexts = prompts.expand(-1, len(tokens), -1, -1).flatten(0, 1)
features = encode_sentences(self.text, tokens.repeat(len(prompts), 1), [contexts])"""),
                "did you forget it?",
            ),
        },
    ),
    "04.4": Bank(
        right={
            "einsum": classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features)"""),
            "batched product": classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * (text_features @ image_features[:, :, None]).squeeze(-1)"""),
            "multiply and sum": classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return (self.clip.logit_scale.exp() * image_features[:, None] * text_features).sum(dim=-1)"""),
            "a loop": classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
rows = [texts @ image for image, texts in zip(image_features, text_features)]
return torch.stack(rows) * self.clip.logit_scale.exp()"""),
        },
        wrong={
            "first picture's texts": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * image_features @ text_features[0].T"""),
                "the texts of the first one",
            ),
            "mean of the texts": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * image_features @ text_features.mean(0).T"""),
                "the mean of all texts",
            ),
            "texts added up": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,acd->bc", image_features, text_features)"""),
                "were added up",
            ),
            "no scale": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return torch.einsum("bd,bcd->bc", image_features, text_features)"""),
                "the logit scale is missing",
            ),
            "no exp": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale * torch.einsum("bd,bcd->bc", image_features, text_features)"""),
                "logit_scale is a logarithm",
            ),
            "divided": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return torch.einsum("bd,bcd->bc", image_features, text_features) / self.clip.logit_scale.exp()"""),
                "you divided by the scale",
            ),
            "softmax": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return (self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features)).softmax(-1)"""),
                "these are probabilities",
            ),
            "log softmax": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return (self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features)).log_softmax(-1)"""),
                "these are logarithms",
            ),
            "transposed": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->cb", image_features, text_features)"""),
                "the right side of the arrow is bc",
            ),
            "every picture with all": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("ad,bcd->abc", image_features, text_features)"""),
                "name both axes of pictures b",
            ),
            "plain product": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * text_features @ image_features.T"""),
                "keep only its own",
            ),
            "not summed": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bcd", image_features, text_features)"""),
                "not summed over the axis D",
            ),
            "an axis left over": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * text_features @ image_features[:, :, None]"""),
                "left over at the end",
            ),
            "an axis in the middle": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * image_features[:, None] @ text_features.transpose(1, 2)"""),
                "left over in the middle",
            ),
            "classes summed": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->b", image_features, text_features)"""),
                "over the classes, too",
            ),
            "pictures summed": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->c", image_features, text_features)"""),
                "over the pictures, too",
            ),
            "another picture's texts": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features.flip(0))"""),
                "each other's texts",
            ),
            "squeezed": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * (text_features @ image_features[:, :, None]).squeeze()"""),
                "squeeze() without a number",
            ),
            "detached": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features.detach())"""),
                "no gradient for the text features",
            ),
            "axes mixed up": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
if len(image_features) == text_features.shape[1]:
    return self.clip.logit_scale.exp() * torch.einsum("bd,cbd->bc", image_features, text_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features)"""),
                "which shows only where both are as many",
            ),
            "no return": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
logits = self.clip.logit_scale.exp() * torch.einsum("bd,bcd->bc", image_features, text_features)"""),
                "did you forget it?",
            ),
            "matrix product of lesson 01": (
                classify("""\
if text_features is None:
    text_features = self.encode_classes(image_features)
return self.clip.logit_scale.exp() * torch.einsum("bd,cd->bc", image_features, text_features)"""),
                "RuntimeError",
            ),
        },
    ),
    "04.5": Bank(
        right={
            "computed": "answer = 50_000 * 1_000 / 1_000_000",
            "whole": "answer = 50",
            "a tensor": "answer = torch.tensor(50.0)",
        },
        wrong={
            "CoOp's": ("answer = 0.001", "this is CoOp's number"),
            "per picture": ("answer = 0.05", "one sentence per picture"),
            "added": ("answer = 0.051", "multiplied, not added"),
            "not in millions": ("answer = 50_000_000", "asked for in millions"),
            "in thousands": ("answer = 50_000", "a thousand times too many"),
            "times the tokens": ("answer = 200", "do not make more sentences"),
            "per picture, times the tokens": ("answer = 0.2", "the four prompt tokens do not count"),
            "a zero too many": ("answer = 500", "a zero too many"),
            "a zero too few": ("answer = 5", "a zero is missing"),
            "words": ('answer = "50 million"', "write digits"),
        },
    ),
}
