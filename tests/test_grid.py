"""The cells of the evaluation, the variants behind the ablations, and the version of the code."""

from __future__ import annotations

import inspect

import pytest
import torch

from maple_lite import IVLP, METHODS, FrozenCLIP, MaPLe, PromptedCLIP, load_clip, seeded
from maple_lite.datasets import DRAWN, open_dataset
from maple_lite.datasets.emoji.drawn import Drawn
from maple_lite.datasets.handwritten import Handwritten
from maple_lite.experiments.ablations import (
    CoCoOpOnClassText,
    CoCoOpOnNoise,
    ProgressiveCLIP,
    ReversedCoupling,
    cocoop_variants,
    coop_variants,
    maple_variants,
)
from maple_lite.experiments.benchmark import table_path
from maple_lite.experiments.grid import (
    CLASSIFIERS,
    SMALL,
    TABLES,
    Cell,
    Where,
    compute_cell,
    digest_settings,
    estimate_effort,
    list_cells,
)
from maple_lite.experiments.plan import make_plan
from maple_lite.experiments.published import read_results
from maple_lite.experiments.run import make_learner
from maple_lite.support.files import data_folder
from maple_lite.support.version import DECIDING, _bare, _collect, class_version, code_version
from maple_lite.tokens import tokenize

NAMES = ["cat", "big dog", "small red car"]


@pytest.fixture(scope="module")
def tiny():
    return load_clip(device="cpu")


def test_the_whole_evaluation_is_what_the_papers_report_with_three_seeds(tiny):
    found = {table: list_cells(table, tiny) for table in TABLES}
    assert len(found["base-to-novel"]) == 11 * len(METHODS) * 3
    assert len(found["transfer"]) == len(METHODS) * 3
    variants = 2 + len(maple_variants(tiny)) + len(cocoop_variants())
    assert len(found["ablations"]) == variants * 3 * 3
    assert len(found["few-shot"]) == (len(METHODS) + len(CLASSIFIERS) + len(coop_variants(2))) * 5 * 3 * 3
    assert {cell.dataset for cell in found["few-shot"]} == set(SMALL)
    sizes = {name: len(open_dataset(name).class_names) for name in DRAWN}
    assert sum(sizes[name] for name in SMALL) == sum(sorted(sizes.values())[:3])


def test_seeds_come_one_after_the_other_and_the_longest_cell_first(tiny):
    found, n = list_cells("base-to-novel", tiny, ["sea", "animals"], seeds=[1, 2]), 2 * len(METHODS)
    assert [cell.seed for cell in found] == [1] * n + [2] * n
    efforts = [estimate_effort(cell, tiny) for cell in found[:n]]
    assert efforts == sorted(efforts, reverse=True)
    assert (found[0].dataset, found[0].method) == ("animals", "cocoop")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("base2novel",), "unknown table 'base2novel': did you mean 'base-to-novel'"),
        (("transfer", ["sea"]), "unknown dataset of transfer 'sea': choose one of objects"),
        (("ablations", None, ["vpt"]), "unknown method of ablations 'vpt': choose one of maple, cocoop"),
        (("few-shot", None, None, [1], [0]), "shots must be at least 1, got 0"),
    ],
)
def test_what_a_table_does_not_have_is_refused(tiny, arguments, words):
    table, *rest = arguments
    with pytest.raises(ValueError, match=words):
        list_cells(table, tiny, *rest)


def test_a_configuration_tells_every_setting_and_nothing_else(tiny):
    cell = Cell("base-to-novel", "sea", "maple", "preset", 1, 16)
    others = [
        Cell("base-to-novel", "sea", "maple", "preset", 2, 16),
        Cell("base-to-novel", "sea", "maple", "preset", 1, 8),
        Cell("base-to-novel", "sea", "ivlp", "preset", 1, 16),
        Cell("ablations", "sea", "maple", "depth: 2", 1, 16),
    ]
    assert digest_settings(cell, tiny) == digest_settings(Cell(*vars(cell).values()), tiny)
    assert len({digest_settings(each, tiny) for each in [cell, *others]}) == 5


@pytest.mark.parametrize("table", TABLES)
def test_the_settings_of_every_stored_cell_come_out_again(tiny, table):
    """A stored row tells its settings in eight digits: presets, plans and variants may not drift away from them."""
    if not table_path(data_folder() / "results", table).is_file():
        pytest.skip(f"{table} is not computed yet for the tiny CLIP that is shipped")
    rows = read_results(table).query("seed == 1").drop_duplicates(["dataset", "method", "variant", "shots"])
    for row in rows.itertuples():
        assert digest_settings(Cell(table, row.dataset, row.method, row.variant, 1, row.shots), tiny) == row.config


def test_a_cell_measures_its_accuracies_time_and_parameters():
    cell = Cell("base-to-novel", "sea", "language", "preset", 1, 4)
    done = compute_cell(cell, Where(threads=torch.get_num_threads()))
    assert list(done.accuracies) == ["base", "novel", "hm"]
    assert 10 < done.accuracies["base"] <= 100
    assert set(done.measured) == {"seconds", "cpu_seconds", "parameters", "config"}
    assert done.measured["parameters"] == sum(weight.numel() for weight in done.learner.parameters())
    for name in CLASSIFIERS:
        cell = Cell("few-shot", "sea", name, "preset", 1, 16)
        classifier = compute_cell(cell, Where(threads=torch.get_num_threads()))
        assert classifier.learner is None
        assert classifier.accuracies["all"] > 80


def images_of(clip):
    return torch.randn(2, 3, *clip.visual.image_size, generator=torch.Generator().manual_seed(0))


def made(variant, clip):
    plan = variant.apply(make_plan("maple", open_dataset("sea", clip=clip), clip))
    return PromptedCLIP(plan.clip, make_learner(plan), NAMES)


def test_every_variant_trains_all_its_parameters(clip):
    for name, variant in maple_variants(clip).items():
        model = made(variant, clip)
        model(images_of(clip))[:, 0].sum().backward()
        left = [part for part, weight in model.learner.named_parameters() if weight.grad is None]
        assert not left, (name, left)


def test_every_variant_differs_from_the_preset_in_its_factor_alone(clip):
    plain = make_plan("maple", open_dataset("sea", clip=clip), clip)
    for variant in maple_variants(clip).values():
        plan = variant.apply(plain)
        changed = {name for name, value in plan.learner_kwargs.items() if value != plain.learner_kwargs[name]}
        assert changed <= set(variant.change) == set(plan.given)
        assert plan.fit_kwargs == plain.fit_kwargs
        assert (plan.kind is MaPLe) == (variant.kind is None)
        assert type(plan.clip) is variant.clip
        assert (plan.task, plan.tests, plan.seed, plan.shots) == (plain.task, plain.tests, plain.seed, plain.shots)


def test_cocoop_on_class_text_shifts_by_the_class_and_not_by_the_image(clip):
    with seeded(1):
        learner = CoCoOpOnClassText(clip)
    model, images = PromptedCLIP(clip, learner, NAMES), images_of(clip)
    assert model.encode_classes().shape == (3, clip.embed_dim)
    prompts = learner.class_prompts(model)[0]
    frozen = clip.encode_text(tokenize(["a photo of a cat."], clip.context_length))
    torch.testing.assert_close(prompts[0], learner.ctx + learner.meta_net(frozen)[0])
    assert not torch.allclose(prompts[0], prompts[1])
    one = PromptedCLIP(clip, learner, NAMES[:1])(images)  # a class alone, and each image alone, give the same
    torch.testing.assert_close(model(images)[:, :1], one)
    torch.testing.assert_close(torch.cat([model(image[None]) for image in images]), model(images))
    model(images).sum().backward()
    assert all(weight.grad is not None for weight in learner.parameters())


def test_cocoop_on_noise_is_one_context_for_all_and_keeps_its_noise(clip, tmp_path):
    with seeded(1):
        learner, other = CoCoOpOnNoise(clip), CoCoOpOnNoise(clip)
    assert learner.text_prompts()[0].shape == learner.ctx.shape
    assert not torch.equal(learner.noise, other.noise)
    other.load_state_dict(learner.state_dict())
    assert torch.equal(learner.text_prompts()[0], other.text_prompts()[0])
    assert learner.noise.norm() == pytest.approx(1)


def test_variants_of_cocoop_keep_its_settings(clip):
    plain = make_plan("cocoop", open_dataset("sea", clip=clip), clip)
    for variant in cocoop_variants().values():
        plan = variant.apply(plain)
        assert (plan.learner_kwargs, plan.fit_kwargs) == (plain.learner_kwargs, plain.fit_kwargs)
        assert not make_learner(plan).needs_image


def test_a_shared_coupling_counts_once_and_a_network_has_as_many_weights_as_a_linear_function(clip):
    variants = maple_variants(clip)
    counts = {
        name: sum(weight.numel() for weight in made(variants[name], clip).learner.couple.parameters())
        for name in ("coupling: one for all layers", "coupling: small network", "initialisation: other words")
    }
    shared, network, linear = counts.values()
    depth = MaPLe(clip).config["depth"]
    assert shared * depth == linear
    assert abs(network - linear) < 0.02 * linear


def test_words_at_every_layer_are_the_words(clip):
    learner = made(maple_variants(clip)["initialisation: words at every layer"], clip).learner
    assert all(torch.equal(prompt, MaPLe(clip).text[0]) for prompt in learner.text)


def test_reversed_text_prompts_are_functions_of_the_vision_prompts(clip):
    learner = ReversedCoupling(clip, depth=2)
    sum(prompt.sum() for prompt in learner.text_prompts()).backward()
    assert all(prompt.grad.abs().sum() > 0 for prompt in learner.vision)
    assert [list(prompt.shape) for prompt in learner.text_prompts()] == [[2, clip.text_width]] * 2


def test_added_prompts_equal_replaced_ones_at_depth_1_and_nothing_at_zero(clip):
    adding = ProgressiveCLIP(clip.model)
    with seeded(1):
        shallow, deep = IVLP(clip, depth=1), IVLP(clip, depth=3)
    images = images_of(clip)
    assert torch.equal(PromptedCLIP(adding, shallow, NAMES)(images), PromptedCLIP(clip, shallow, NAMES)(images))
    with torch.no_grad():
        deep.text[0].copy_(shallow.text[0])
        deep.vision[0].copy_(shallow.vision[0])
        assert not torch.equal(PromptedCLIP(adding, deep, NAMES)(images), PromptedCLIP(clip, deep, NAMES)(images))
        for prompt in [*deep.text[1:], *deep.vision[1:]]:
            prompt.zero_()
    torch.testing.assert_close(PromptedCLIP(adding, deep, NAMES)(images), PromptedCLIP(clip, shallow, NAMES)(images))
    tokens = PromptedCLIP(clip, shallow, NAMES).tokens
    assert torch.equal(adding.encode_text(tokens), clip.encode_text(tokens))
    assert torch.equal(adding.encode_image(images), clip.encode_image(images))


def test_the_code_version_ignores_comments_and_sees_code(monkeypatch):
    assert _bare('"""One."""\ndef f():\n    """Two."""\n    # three\n    return 1') == _bare("def f():\n    return 1")
    assert _bare("def f():\n    return 1") != _bare("def f():\n    return 2")
    assert len(code_version()) == 8


MODULE = """
from maple_lite.learners import first_prompt
SCALE = 2
class Other: ...
def helper(x): return SCALE * x
class Own:
    def f(self): return helper(first_prompt)
"""


def test_the_version_of_a_class_is_that_of_all_that_it_is_made_of(tmp_path):
    def found_in(source):
        file, found = tmp_path / f"{len(list(tmp_path.iterdir()))}.py", {}
        file.write_text(source)
        _collect(str(file), "Own", found)
        return {name: code for (_, name), code in found.items()}

    plain = found_in(MODULE)
    assert {"Own", "helper", "SCALE", "first_prompt"} <= set(plain)
    assert "Other" not in plain
    assert found_in(MODULE.replace("class Other: ...", "class Another: ...")) == plain
    assert found_in(MODULE.replace("SCALE = 2", "SCALE = 3")) != plain
    kinds = [*METHODS.values(), ReversedCoupling]
    assert len({class_version(kind) for kind in kinds}) == len(kinds)


def test_every_module_that_defines_a_picture_or_a_training_step_decides():
    for thing in [FrozenCLIP, PromptedCLIP, ProgressiveCLIP, Drawn, Handwritten, compute_cell]:
        assert inspect.getmodule(thing).__name__.removeprefix("maple_lite.").replace(".", "/") in DECIDING
