"""The names of the methods as people read them."""

TITLES = {
    "zeroshot": "zero-shot",
    "coop": "CoOp",
    "cocoop": "CoCoOp",
    "vpt": "VPT",
    "language": "deep language",
    "ivlp": "IVLP",
    "maple": "MaPLe",
    "kgcoop": "KgCoOp",
    "promptsrc": "PromptSRC",
    "maple-src": "MaPLe + SRC",
}
"""The name of every method of `METHODS` in tables, figures and prose."""

CLASSIFIER_TITLES = {
    "probe": "linear probe",
    "tip-adapter": "Tip-Adapter",
    "tip-adapter-f": "Tip-Adapter-F",
    "text-probe": "linear probe from text",
}
"""The names of the classifiers of image features that few-shot tables hold, beside the methods."""
