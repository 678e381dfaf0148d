"""The figures of the course: every one takes plain numbers or a frame, and draws one idea on one Axes."""

from maple_lite.support.extras import require_extra

require_extra("a figure", "plots", "matplotlib", "seaborn")

from maple_lite.course.plots.calibration import plot_reliability
from maple_lite.course.plots.classes import plot_confusion, plot_features
from maple_lite.course.plots.curves import plot_few_shot, plot_levels, plot_loss
from maple_lite.course.plots.dots import plot_detection, plot_targets, plot_variants
from maple_lite.course.plots.gains import plot_gains, plot_gains_by_frequency, plot_gains_by_shift
from maple_lite.course.plots.gallery import plot_gallery
from maple_lite.course.plots.inside import plot_nearest_words, plot_prompt_attention
from maple_lite.course.plots.methods import plot_base_against_novel, plot_base_to_novel, plot_cost
from maple_lite.course.plots.pictures import plot_picture, plot_predictions, plot_probabilities
from maple_lite.course.plots.space import plot_angles, plot_pairs, plot_pictures, plot_similarities
from maple_lite.course.plots.style import COLOURS, COUPLING, FROZEN, INK, LANGUAGE, MARKERS, SPLITS, VISION
from maple_lite.course.plots.sweeps import plot_bars, plot_lines, plot_two
from maple_lite.course.plots.towers import GAP, HEIGHT, PROMPT, plot_conditional_prompts, plot_prompts
from maple_lite.experiments.titles import TITLES

__all__ = [
    "COLOURS",
    "COUPLING",
    "FROZEN",
    "GAP",
    "HEIGHT",
    "INK",
    "LANGUAGE",
    "MARKERS",
    "PROMPT",
    "SPLITS",
    "TITLES",
    "VISION",
    "plot_angles",
    "plot_bars",
    "plot_base_against_novel",
    "plot_base_to_novel",
    "plot_conditional_prompts",
    "plot_confusion",
    "plot_cost",
    "plot_detection",
    "plot_features",
    "plot_few_shot",
    "plot_gains",
    "plot_gains_by_frequency",
    "plot_gains_by_shift",
    "plot_gallery",
    "plot_levels",
    "plot_lines",
    "plot_loss",
    "plot_nearest_words",
    "plot_pairs",
    "plot_picture",
    "plot_pictures",
    "plot_predictions",
    "plot_probabilities",
    "plot_prompt_attention",
    "plot_prompts",
    "plot_reliability",
    "plot_similarities",
    "plot_targets",
    "plot_two",
    "plot_variants",
]
