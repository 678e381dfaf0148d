"""Right submissions to the exercises of lesson 08, beside the references that its mistakes are patches of."""

from banks import Bank, indented
from maple_lite.course.exercises.lesson_08 import MADE, PROMPTS, RETURNED, WAY
from maple_lite.course.teach.mistakes import patched


def built(body: str) -> str:
    return "def couplings(clip, depth):\n" + indented(body)


BANK = {
    "08.1": Bank(
        right={
            "numbers written into new layers": built(
                "layers = [torch.nn.Linear(clip.text_width, clip.vision_width) for _ in range(depth)]\n"
                "for layer in layers[2:]:\n    layer.load_state_dict(layers[1].state_dict())\n"
                "return torch.nn.ModuleList(layers)"
            ),
            "appended": built(
                "layers = torch.nn.ModuleList([torch.nn.Linear(clip.text_width, clip.vision_width)])\n"
                "deep = torch.nn.Linear(clip.text_width, clip.vision_width)\n"
                "while len(layers) < depth:\n    layers.append(copy.deepcopy(deep))\nreturn layers"
            ),
        },
    ),
    "08.2": Bank(
        right={
            "indices": patched(PROMPTS, {MADE: "[self.couple[i](self.text[i]) for i in range(len(self.text))]"}),
            "a product and a bias": patched(
                PROMPTS,
                {
                    "return": "made = []\nfor i, couple in enumerate(self.couple):\n"
                    "    made.append(self.text[i] @ couple.weight.T + couple.bias)\nreturn",
                    MADE: "made",
                },
            ),
        },
    ),
    "08.3": Bank(
        right={
            "a number": "answer = 3555072",
            "counted": "answer = sum(9 * weight.numel() for weight in torch.nn.Linear(512, 768).parameters()) + 9216",
        },
    ),
    "08.4": Bank(
        right={
            "text features without a graph": patched(
                WAY,
                {
                    "text_features = model.encode_classes().detach()": "with torch.no_grad():\n"
                    "    text_features = model.encode_classes()"
                },
            ),
            "backward into clean gradients": patched(
                WAY,
                {
                    RETURNED: "model.zero_grad()\nloss.backward()\n"
                    "return [prompt.grad.clone() for prompt in model.learner.text]"
                },
            ),
            "the whole less the text's part": "def through_vision(model, images, labels):\n"
            "    prompts = list(model.learner.text)\n"
            "    whole = torch.autograd.grad(F.cross_entropy(model(images), labels), prompts)\n"
            "    logits = model.classify(model.encode_images(images).detach())\n"
            "    part = torch.autograd.grad(F.cross_entropy(logits, labels), prompts)\n"
            "    return [a - b for a, b in zip(whole, part)]\n",
        },
    ),
    "08.5": Bank(right={"C": 'answer = "C"', "small": 'answer = "c"'}),
}
