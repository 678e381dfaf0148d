"""Learners in files: ours, and the authors' checkpoints."""

from maple_lite.storage.learner_files import learner_notes, load_learner, save_learner
from maple_lite.storage.official import load_official, save_official

__all__ = ["learner_notes", "load_learner", "load_official", "save_learner", "save_official"]
