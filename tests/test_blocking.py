"""The answer out of reach: what an exercise asks for cannot be called from a submission, and others can call it."""

from __future__ import annotations

import pytest
import torch
from test_banks import EXERCISES

import maple_lite.clip
from maple_lite import FrozenCLIP, harmonic_mean
from maple_lite.clip import write_prompt
from maple_lite.course.teach.mistakes import compiled
from maple_lite.course.teach.verdicts import FAILED, PASSED, judge

NAMES = {"write_prompt": write_prompt, "maple_lite": maple_lite, "FrozenCLIP": FrozenCLIP, "torch": torch}
HEADS = {
    "03.1": "def splice(x, prompt):",
    "03.2": "def encode_text(self, tokens, prompts=(), positions=None):",
    "02.5": "def my_mean(base, novel):",
    "06.2": "def encode_image(self, images, prompts=()):",
}
SHORTCUTS = {
    "by its name": ("03.1", "return write_prompt(x, prompt)"),
    "by its module": ("03.1", "return maple_lite.clip.write_prompt(x, prompt)"),
    "imported inside": ("03.1", "from maple_lite.clip import write_prompt as w\n    return w(x, prompt)"),
    "under another name": ("03.1", "mine = write_prompt\n    return mine(x, prompt)"),
    "by recursion": ("03.2", "return self.encode_text(tokens, prompts, positions)"),
    "by its class": ("03.2", "return FrozenCLIP.encode_text(self, tokens, prompts, positions)"),
    "of the protocol": ("02.5", "from maple_lite.protocol import harmonic_mean\n    return harmonic_mean(base, novel)"),
    "the image tower": ("06.2", "return self.encode_image(images, prompts)"),
}


def made(number: str, body: str):
    source = f"{HEADS[number]}\n    {body}\n"
    head = HEADS[number].split("(")[0].removeprefix("def ")
    return compiled(source, NAMES, "<ipython-input shortcut>")[head]


@pytest.mark.parametrize("about", SHORTCUTS)
def test_a_submission_cannot_call_the_answer(about):
    number, body = SHORTCUTS[about]
    verdict = judge(EXERCISES[number][1], made(number, body))
    assert verdict.kind == FAILED, verdict.text(number)
    text = " ".join(verdict.text(number).split())
    assert "code of your own" in text
    assert "is what this exercise asks you to write, so it is blocked while your function is checked" in text


def test_everything_is_as_before_after_a_check():
    before = maple_lite.clip.write_prompt, FrozenCLIP.encode_text
    for number, body in SHORTCUTS.values():
        judge(EXERCISES[number][1], made(number, body))
    assert (maple_lite.clip.write_prompt, FrozenCLIP.encode_text) == before
    assert NAMES["write_prompt"] is write_prompt
    assert harmonic_mean(80, 40) == pytest.approx(53.333, abs=0.01)


def test_what_another_exercise_asked_for_can_be_called(tmp_path):
    body = (
        "x = self.text.token_embedding(tokens)\n"
        "    x = write_prompt(x, prompts[0], positions) if len(prompts) else x\n"
        "    x = x + self.text.positional_embedding[: x.shape[1]]\n"
        "    mask = self.text.attn_mask[: x.shape[1], : x.shape[1]]\n"
        "    for block in self.text.transformer.resblocks:\n"
        "        x = block(x, attn_mask=mask)\n"
        "    x = self.text.ln_final(x[torch.arange(len(x)), tokens.argmax(dim=-1)])\n"
        "    return torch.nn.functional.normalize(x @ self.text.text_projection, dim=-1)"
    )
    verdict = judge(EXERCISES["03.2"][1], made("03.2", body))
    assert verdict.kind == PASSED, verdict.text("03.2")
