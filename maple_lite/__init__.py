"""MaPLe Lite: CLIP prompt learning, from zero-shot CLIP to multi-modal prompts, in a small package."""

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import open_dataset
from maple_lite.evaluation import accuracy, confusion, per_class_accuracy, predict
from maple_lite.experiments.plan import Plan, make_plan
from maple_lite.experiments.predictions import name_pictures
from maple_lite.experiments.run import Run, evaluate, execute, train
from maple_lite.experiments.tasks import base_to_novel
from maple_lite.learners import (
    IVLP,
    METHODS,
    VPT,
    CoCoOp,
    CoOp,
    DeepLanguage,
    KgCoOp,
    MaPLe,
    MaPLeSRC,
    PromptLearner,
    PromptSRC,
    Teacher,
)
from maple_lite.loading import load_clip
from maple_lite.presets import is_published, preset, template
from maple_lite.prompted import PromptedCLIP
from maple_lite.protocol import base_and_novel, few_shot, harmonic_mean
from maple_lite.storage import learner_notes, load_learner, save_learner
from maple_lite.support.seeds import seeded
from maple_lite.support.version import VERSION
from maple_lite.tokens import tokenize
from maple_lite.training import History, fit, learning_rate

__version__ = VERSION

__all__ = [
    "IVLP",
    "METHODS",
    "VPT",
    "CoCoOp",
    "CoOp",
    "DeepLanguage",
    "FrozenCLIP",
    "History",
    "KgCoOp",
    "MaPLe",
    "MaPLeSRC",
    "Plan",
    "PromptLearner",
    "PromptSRC",
    "PromptedCLIP",
    "Run",
    "Teacher",
    "accuracy",
    "base_and_novel",
    "base_to_novel",
    "confusion",
    "evaluate",
    "execute",
    "few_shot",
    "fit",
    "harmonic_mean",
    "is_published",
    "learner_notes",
    "learning_rate",
    "load_clip",
    "load_learner",
    "make_plan",
    "name_pictures",
    "open_dataset",
    "per_class_accuracy",
    "predict",
    "preset",
    "save_learner",
    "seeded",
    "template",
    "tokenize",
    "train",
]
