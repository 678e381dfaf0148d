"""Right submissions to the exercises of lesson 04, beside the references that its mistakes are patches of."""

from __future__ import annotations

from banks import Bank, indented
from maple_lite.course.exercises.lesson_04 import COSINES, LOGITS
from maple_lite.course.teach.mistakes import patched


def text_prompts(body: str) -> str:
    return "def text_prompts(self, image_features=None):\n" + indented(body)


def encode_pairs(body: str) -> str:
    return "def encode_pairs(self, tokens, prompts):\n" + indented(body)


BANK = {
    "04.1": Bank(
        right={
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
    ),
    "04.2": Bank(
        right={
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
    ),
    "04.3": Bank(
        right={
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
    ),
    "04.4": Bank(
        right={
            "batched product": patched(LOGITS, {COSINES: "(text_features @ image_features[:, :, None]).squeeze(-1)"}),
            "multiply and sum": patched(LOGITS, {COSINES: "(image_features[:, None] * text_features).sum(dim=-1)"}),
            "a loop": patched(LOGITS, {COSINES: "torch.stack([t @ i for i, t in zip(image_features, text_features)])"}),
        },
    ),
    "04.5": Bank(
        right={
            "computed": "answer = 50_000 * 1_000 / 1_000_000",
            "whole": "answer = 50",
            "a tensor": "answer = torch.tensor(50.0)",
        },
    ),
}
