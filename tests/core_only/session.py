"""What somebody does with an installed wheel, in Python and on the command line; prints what came, as JSON."""

import contextlib
import importlib
import io
import json

import maple_lite
from maple_lite import MaPLe, PromptedCLIP, accuracy, fit, load_clip, open_dataset
from maple_lite.cli.main import main

COMMANDS = (
    "info",
    "presets --task cross-dataset --model tiny",
    "datasets --root .",
    "train --method coop --dataset sea --shots 1 --epochs 1 --device cpu --output coop.safetensors",
    "benchmark --cluster tcp://127.0.0.1:9 --tables base-to-novel",
)
MODULES = ("course.plots", "course.ladder", "course.gallery")


def said(command):
    """The status of a command and what it printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = main(command.split())
    return status, out.getvalue()


def sentence(module):
    """The error of an import, or "" if it works."""
    try:
        importlib.import_module(f"maple_lite.{module}")
    except ImportError as error:
        return str(error)
    return ""


clip = load_clip(device="cpu")
data = open_dataset("plants", clip=clip).subset(range(3))
model = PromptedCLIP(clip, MaPLe(clip), data.class_names)
loss = fit(model, data.train(shots=2), epochs=2, lr=0.0035, batch_size=2).frame().loss
print(
    json.dumps(
        {
            "file": maple_lite.__file__,
            "steps": len(loss),
            "accuracy": accuracy(model, data),
            "commands": {command.split(" --")[0]: said(command) for command in COMMANDS},
            "sentences": {module: sentence(module) for module in MODULES},
        }
    )
)
