"""The authors' checkpoints: all six layouts read to the authors' numbers, written again, and bad files refused.

The layouts are written out here by hand, from the authors' trainers: what their `state_dict()` holds, and the training
state that their loop pickles beside it.
"""

import os
from collections import OrderedDict, defaultdict

import pytest
import torch
from test_golden import GOLDEN, TOLERANCE, build, draw, error, make_clip

from maple_lite import METHODS, CoOp, DeepLanguage, FrozenCLIP, MaPLe, PromptedCLIP, seeded
from maple_lite.storage.official import OFFICIAL, load_official, save_official
from maple_lite.support.small import small_open_clip

NAMES = ["cat", "dog"]
HALF = 2e-3  # half precision rounds prompts by 5e-4 of themselves; the worst case seen is 4e-4 of the largest logit
CASES = [case for case in GOLDEN["cases"] if case["method"] != "zeroshot"]


def frozen(clip: FrozenCLIP) -> dict[str, torch.Tensor]:
    """The frozen encoders of the authors' whole model: true names and shapes, every number zero (nothing reads them),
    but for the CLS token."""
    text = {key: value for key, value in clip.text.state_dict().items() if not key.startswith(("visual.", "token_emb"))}
    state = {f"image_encoder.{key}": value for key, value in clip.visual.state_dict().items()}
    state |= {f"text_encoder.{key}": value for key, value in text.items() if key != "logit_scale"}
    state = {key: torch.zeros(1).expand(value.shape) for key, value in state.items()}
    state["image_encoder.class_embedding"] = clip.visual.class_embedding
    return state | {"logit_scale": torch.zeros(())}


def sentences(clip: FrozenCLIP, n_ctx: int, classes: int) -> dict[str, torch.Tensor]:
    """The embeddings before and behind the context that the authors' prompt learners keep: SOS, and zeros here."""
    start = clip.text.token_embedding.weight[49406].detach()
    suffix = torch.zeros(1).expand(classes, 76 - n_ctx, len(start))
    return {"token_prefix": start.expand(classes, 1, -1), "token_suffix": suffix}


def layout(clip: FrozenCLIP, method: str, ours: dict[str, torch.Tensor], classes: int = 2) -> dict[str, torch.Tensor]:
    """What the authors' trainer of `method` saves as "state_dict", with our learner's tensors under their names."""
    if method in ("coop", "cocoop"):
        state = {"ctx": ours["ctx"]}
        if method == "cocoop":
            state["meta_net.linear1.weight"], state["meta_net.linear1.bias"] = (
                ours["meta_net.0.weight"],
                ours["meta_net.0.bias"],
            )
            state["meta_net.linear2.weight"], state["meta_net.linear2.bias"] = (
                ours["meta_net.2.weight"],
                ours["meta_net.2.bias"],
            )
        return state | sentences(clip, ours["ctx"].shape[-2], classes)
    learner, encoders = {}, frozen(clip)
    for name, tensor in ours.items():
        kind, i, *part = name.split(".")
        layer = int(i)
        if method == "maple" and kind == "text" and layer > 0:
            learner[f"compound_prompts_text.{layer - 1}"] = tensor
        elif kind == "couple":
            owner = f"compound_prompt_projections.{layer - 1}" if layer > 0 else "proj"
            learner[f"{owner}.{part[0]}"] = tensor
        elif kind == "text" and layer > 0:
            encoders[f"text_encoder.transformer.resblocks.{layer}.VPT_shallow"] = tensor
        elif kind == "vision" and layer > 0:
            encoders[f"image_encoder.transformer.resblocks.{layer}.VPT_shallow"] = tensor
        else:
            (encoders if kind == "vision" else learner)["image_encoder.VPT" if kind == "vision" else "ctx"] = tensor
    if method == "promptsrc":
        learner |= {f"ZS_{key}": value for key, value in frozen(clip).items() if key.startswith("image_encoder.")}
    if "ctx" in learner:
        learner |= sentences(clip, len(ours["text.0"]), classes)
    return {**{f"prompt_learner.{key}": tensor for key, tensor in learner.items()}, **encoders}


def checkpoint(state: dict[str, torch.Tensor]) -> dict:
    """A checkpoint as the authors' training loop makes it: the warm-up scheduler's state holds the cosine scheduler as
    an object, which holds the optimiser, which holds every parameter and its momentum."""
    weights = [torch.nn.Parameter(tensor.clone()) for tensor in list(state.values())[:2]]
    optimizer = torch.optim.SGD(weights, lr=0.0035, momentum=0.9, weight_decay=5e-4)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5.0)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    cosine.step()
    scheduler = {"successor": cosine, "warmup_epoch": 1, "cons_lr": 1e-5, "last_epoch": 1, "_last_lr": [1e-5]}
    content = {"state_dict": OrderedDict(state), "epoch": 5, "optimizer": optimizer.state_dict()}
    return content | {"scheduler": scheduler, "val_result": None}


def write(path, state, old: bool = False):
    torch.save(checkpoint(state), path, _use_new_zipfile_serialization=not old)
    return path


def made(clip: FrozenCLIP, method: str, **options):
    with seeded(3):
        learner = METHODS[method](clip, **options)
        for parameter in learner.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return learner


def saved(clip: FrozenCLIP, path, method: str, **options):
    """The path of a small checkpoint of `method` in the authors' layout."""
    return write(path, layout(clip, method, made(clip, method, **options).state_dict()))


@pytest.fixture(scope="module")
def golden_clip() -> FrozenCLIP:
    return make_clip()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method']}-{case['options']}")
@pytest.mark.parametrize("half, tolerance", [(False, TOLERANCE), (True, HALF)])
def test_an_authors_file_gives_the_authors_logits(golden_clip, tmp_path, case, half, tolerance):
    method, options, classes = case["method"], case["options"], GOLDEN["classes"]
    state = layout(golden_clip, method, build(golden_clip, method, options).learner.state_dict(), len(classes))
    state = {key: tensor.half() if half else tensor for key, tensor in state.items()}
    path = write(tmp_path / "model.pth.tar-5", state)
    learner = load_official(path, golden_clip, position=options.get("position", "end"))
    assert type(learner) is METHODS[method]
    images = draw(GOLDEN["images"], (len(GOLDEN["labels"]), 3, 64, 64), 1.0)
    with torch.no_grad():
        logits = PromptedCLIP(golden_clip, learner, classes)(images)
    theirs = torch.tensor(case["logits"])
    assert error(logits, theirs, theirs.abs().max()) < tolerance


@pytest.mark.parametrize("method", OFFICIAL)
@pytest.mark.parametrize("half, prefix, old", [(False, "", True), (True, "", False), (True, "module.", True)])
def test_every_layout_comes_back(clip, tmp_path, method, half, prefix, old):
    learner = made(clip, method)
    state = layout(clip, method, learner.state_dict())
    state = {f"{prefix}{key}": tensor.half() if half else tensor for key, tensor in state.items()}
    before = torch.get_rng_state()
    back = load_official(write(tmp_path / "model.pth.tar-5", state, old), clip)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(back) is METHODS[method]
    assert back.config.get("depth") == learner.config.get("depth")
    for name, tensor in learner.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor.half().float() if half else tensor), name
        assert back.state_dict()[name].dtype == torch.float32
    assert all(parameter.requires_grad for parameter in back.parameters())


@pytest.mark.parametrize("method", OFFICIAL)
def test_what_is_written_has_the_authors_names_and_comes_back(clip, tmp_path, method):
    learner, path = made(clip, method), tmp_path / "model.pth.tar-5"
    save_official(learner, path, epoch=5)
    content = torch.load(path, weights_only=True)
    expected = layout(clip, method, learner.state_dict())
    kept = {*frozen(clip), *(f"prompt_learner.ZS_{key}" for key in frozen(clip))}
    learned = {key for key in expected if not key.rpartition(".")[2].startswith("token_") and key not in kept}
    assert content["state_dict"].keys() == learned
    assert content["epoch"] == 5
    back = load_official(path, clip, method)
    assert all(torch.equal(back.state_dict()[name], tensor) for name, tensor in learner.state_dict().items())


def test_only_methods_of_the_authors_are_written(tmp_path):
    with pytest.raises(ValueError, match="the authors' code has no ZeroShot: write it with save_learner"):
        save_official(METHODS["zeroshot"](), tmp_path / "model.pth.tar-1")


def test_the_words_behind_the_learned_ones_are_the_authors(clip, tmp_path):
    def templates(n_ctx, **options):
        words = "of the old big red car" if n_ctx > 4 else "a photo of a"
        path = saved(clip, tmp_path / "model.pth.tar-5", "maple", n_ctx=n_ctx, init=words)
        return load_official(path, clip, **options).templates

    assert templates(2) == ["a photo of a {}."]
    assert templates(2, init="a drawing of a") == ["a drawing of a {}."]
    assert templates(2, init=None) == ["X X {}."]
    assert templates(6, init="of the old big red car") == ["X X X X X X {}."]  # more than four tokens: never words


def test_the_two_that_look_alike_are_asked_for(clip, tmp_path, images):
    path = saved(clip, tmp_path / "model.pth.tar-5", "language", depth=1)
    with pytest.raises(
        ValueError, match="could be CoOp's or, of depth 1, DeepLanguage's: say method='coop' or method="
    ):
        load_official(path, clip)
    coop, language = (load_official(path, clip, method) for method in ("coop", "language"))
    assert (type(coop), type(language)) == (CoOp, DeepLanguage)
    with torch.no_grad():
        assert torch.equal(*(PromptedCLIP(clip, learner, NAMES)(images) for learner in (coop, language)))


def test_a_whole_model_of_coop_is_read(clip, tmp_path):
    learner = made(clip, "coop", n_ctx=3, n_classes=2)
    alone = layout(clip, "coop", learner.state_dict())
    state = {**{f"prompt_learner.{key}": tensor for key, tensor in alone.items()}, **frozen(clip)}
    back = load_official(write(tmp_path / "model.pth.tar-5", state), clip)  # class-specific: CoOp's alone
    assert back.n_classes == 2
    assert torch.equal(back.ctx, learner.ctx)
    with pytest.raises(ValueError, match="contexts of its own for 2 classes and fits no other list, got 3"):
        PromptedCLIP(clip, back, ["bird", "car", "tree"])


class Evil:
    """An object whose reading would make a file."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


class Foreign:
    """A class of someone's own."""


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("where", ["scheduler", "state_dict", "extra"])
def test_a_foreign_object_is_named_and_never_run(clip, tmp_path, old, where):
    target, path = tmp_path / "made", tmp_path / "model.pth.tar-5"
    calls = [
        (Evil(open, str(target), "w"), "io.open"),
        (Evil(os.mkdir, str(target)), "posix.mkdir"),
        (Evil(eval, "1"), "eval"),
    ]
    for thing, name in [*calls, (Foreign(), "test_official.Foreign")]:
        content = checkpoint(layout(clip, "maple", made(clip, "maple").state_dict()))
        content[where] = thing if where == "extra" else {**content[where], "thing": thing}
        torch.save(content, path, _use_new_zipfile_serialization=not old)
        with pytest.raises(ValueError, match=f"model.pth.tar-5 holds {name}, which is no tensor and could run code"):
            load_official(path, clip)
        assert not target.exists()


def test_not_even_torchs_own_classes_are_run(clip, tmp_path, monkeypatch):
    path = saved(clip, tmp_path / "model.pth.tar-5", "maple")

    def refuse(*args):
        raise AssertionError("ran")

    for kind in (torch.optim.SGD, torch.optim.lr_scheduler.CosineAnnealingLR):
        monkeypatch.setattr(kind, "__setstate__", refuse, raising=False)
    assert isinstance(load_official(path, clip), MaPLe)


def test_what_the_process_allows_is_neither_used_nor_lost(clip, tmp_path):
    path = tmp_path / "model.pth.tar-5"
    torch.save({"state_dict": {}, "thing": Foreign()}, path)
    with torch.serialization.safe_globals([Foreign, defaultdict]):
        before = set(torch.serialization.get_safe_globals())
        with pytest.raises(ValueError, match=r"holds test_official.Foreign"):
            load_official(path, clip)
        assert isinstance(load_official(saved(clip, path, "maple"), clip), MaPLe)
        assert set(torch.serialization.get_safe_globals()) == before


def test_a_missing_file_is_named(clip, tmp_path):
    for path in (tmp_path / "model.pth.tar-5", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*: name a file, such as model.pth.tar-5"):
            load_official(path, clip)


@pytest.mark.parametrize("old", [False, True])
def test_a_damaged_file_is_named(clip, tmp_path, old):
    path = write(tmp_path / "model.pth.tar-5", layout(clip, "vpt", made(clip, "vpt").state_dict()), old)
    content = path.read_bytes()
    for size in (0, 1, 5, 100, 1000, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"model.pth.tar-5 is damaged or was not written by torch.save"):
            load_official(path, clip)
    path.write_text("<html>quota exceeded</html>")
    with pytest.raises(ValueError, match=r"is damaged or was not written by torch.save"):
        load_official(path, clip)


@pytest.mark.parametrize("content", [torch.zeros(2), {"ctx": torch.zeros(2, 48)}, {"state_dict": {"ctx": [1.0]}}])
def test_another_kind_of_file_is_refused(clip, tmp_path, content):
    torch.save(content, tmp_path / "model.pth.tar-5")
    with pytest.raises(ValueError, match="is no checkpoint of the authors' code: it holds no 'state_dict' of tensors"):
        load_official(tmp_path / "model.pth.tar-5", clip)


@pytest.mark.parametrize(
    "method, change, message",
    [
        ("coop", dict(ctx=torch.zeros(4, 64)), "a CLIP of text_width 64, this one has 48: load that"),
        ("cocoop", {"meta_net.linear1.weight": torch.zeros(2, 40)}, "a CLIP of embed_dim 40, this one has 32"),
        ("vpt", {"image_encoder.VPT": torch.zeros(8, 32)}, "a CLIP of vision_width 32, this one has 64"),
        ("maple", {"prompt_learner.proj.weight": torch.zeros(32, 48)}, "a CLIP of vision_width 32, this one has 64"),
        (
            "ivlp",
            {"image_encoder.transformer.resblocks.4.ln_1.weight": torch.zeros(64)},
            "of vision_layers 5, .* has 4",
        ),
        ("vpt", {"text_encoder.transformer.resblocks.3.ln_1.weight": torch.zeros(48)}, "of text_layers 4, .* has 3"),
        ("coop", dict(token_prefix=torch.ones(2, 1, 48)), r"same sizes with other weights \(token_prefix\)"),
        ("vpt", {"image_encoder.class_embedding": torch.ones(64)}, r"other weights \(image_encoder.class_embedding\)"),
        ("coop", dict(ctx=torch.zeros(48)), r"the first prompt in .* has the shape \[48\], expected \[n_ctx, width\]"),
        ("maple", {"prompt_learner.ctx": torch.zeros(2, 2, 48)}, r"has the shape \[2, 2, 48\], expected"),
        (
            "ivlp",
            {"image_encoder.VPT": torch.zeros(4, 64)},
            r"vision.0 has the shape \[4, 64\] in .*, \[2, 64\] in IVLP",
        ),
        ("coop", dict(adapter=torch.zeros(1)), "holds 'adapter', which CoOp does not have: is it of another method"),
        (
            "maple",
            {"image_encoder.adapter.w": torch.zeros(1)},
            "holds 'image_encoder.adapter.w', which MaPLe does not have",
        ),
        (
            "ivlp",
            {"image_encoder.transformer.resblocks.3.VPT_shallow": torch.zeros(2, 64)},
            "3.VPT_shallow', which IVLP",
        ),
    ],
)
def test_what_does_not_fit_is_named(clip, tmp_path, method, change, message):
    state = layout(clip, method, made(clip, method).state_dict()) | change
    with pytest.raises(ValueError, match=message):
        load_official(write(tmp_path / "model.pth.tar-5", state), clip)


def test_prompts_deeper_than_the_clip_are_refused(clip, tmp_path):
    save_official(made(clip, "maple", depth=3), tmp_path / "model.pth.tar-5")
    with pytest.raises(ValueError, match="depth must be 1 to 2, the layers of the text tower, got 3"):
        load_official(tmp_path / "model.pth.tar-5", FrozenCLIP(small_open_clip(layers=2)))


def test_another_method_than_asked_for_is_refused(clip, tmp_path):
    path = saved(clip, tmp_path / "model.pth.tar-5", "maple")
    with pytest.raises(ValueError, match=r"holds prompts of MaPLe, not of IVLP: read it as that"):
        load_official(path, clip, "ivlp")
    with pytest.raises(ValueError, match="unknown method 'mapel': did you mean 'maple'"):
        load_official(path, clip, "mapel")
    with pytest.raises(ValueError, match=r"position='front' is CoOp's alone, .* holds MaPLe: leave it"):
        load_official(path, clip, position="front")


def test_a_file_without_prompts_is_refused(clip, tmp_path):
    with pytest.raises(ValueError, match=r"holds no prompts of the seven methods, but 'image_encoder.class_embedding'"):
        load_official(write(tmp_path / "model.pth.tar-5", frozen(clip)), clip)
