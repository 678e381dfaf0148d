"""The exercises of the lessons: `lesson_NN.py` holds those of lesson NN, with their facets and hints."""

LESSONS = (
    "00_start_here",
    "01_zero_shot_clip",
    "02_few_shot_protocol",
    "03_coop",
    "04_cocoop",
    "05_deep_language",
    "06_deep_vision",
    "07_independent_vl",
    "08_maple",
    "09_ablations",
    "10_generalisation",
    "11_looking_inside",
    "12_real_clip",
)
