"""Checks as a student meets them: verdicts, hints, predictions, numbers, and what a session remembers."""

from __future__ import annotations

import json
import linecache
import signal

import pytest
import torch
from torch import nn

from maple_lite.clip import write_prompt
from maple_lite.course import session
from maple_lite.course.session import GOES_ON, ExerciseError, Session, exercises_of
from maple_lite.course.teach import facets
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import by_hand, equals, returns, unchanged
from maple_lite.course.teach.verdicts import Watched, judge

X, PROMPT = torch.arange(24.0).view(2, 4, 3), -torch.ones(2, 3)
HINTS = ("The idea.", "How to go about it.", "Nearly:\n    torch.cat([x[:, :1], ...])")
SPLICE = Exercise(
    "03.1",
    "Splice the context",
    write_prompt,
    (
        returns((X, PROMPT), (2, 4, 3)),
        by_hand((X[:1, :, :1], PROMPT[:1, :1]), [[[0], [-1], [6], [9]]], "one token is replaced"),
        equals((X, PROMPT), write_prompt),
        unchanged((X, PROMPT)),
    ),
    HINTS,
    "The context stands in front of every name.",
)
COUNT = Exercise("03.2", "Count", 5, (facets.number(5, 0.1),), HINTS, "Right.")
CHOOSE = Exercise(
    "03.3", "Choose", "novel", (facets.choice("novel", {"base": "that was trained on"}),), HINTS, "Right."
)

GOOD = (
    "def splice(x, prompt):\n    return torch.cat([x[:, :1], prompt.expand(len(x), -1, -1), x[:, 1 + len(prompt):]], 1)"
)
STUB = "def splice(x, prompt):\n    raise NotImplementedError('03.1: write me')"


@pytest.fixture
def ex(monkeypatch, tmp_path):
    for name in ("STRICT", "RECORD", "SEED", "MODE"):
        monkeypatch.delenv(f"MAPLE_LITE_{name}", raising=False)
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    return Session("03_coop", (SPLICE, COUNT, CHOOSE))


def student(source: str):
    """What a cell of a notebook defines last."""
    file = f"ipykernel_1/{abs(hash(source))}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"torch": torch, "nn": nn}
    exec(compile(source, file, "exec"), namespace)
    return list(namespace.values())[-1]


# Verdicts


def test_a_right_submission_passes_and_is_given_back(ex, capsys):
    splice = student(GOOD)
    assert ex.check("03.1", splice) is splice
    assert ex.check("03.1", splice) is splice  # any number of times
    printed = capsys.readouterr().out
    assert printed.startswith("[passed] 03.1 Splice the context\n  checked:       type and shape, a case by hand, ")
    assert "The context stands in front of every name." in printed
    assert GOES_ON not in printed


def test_a_wrong_submission_is_replaced_by_the_reference_loudly(ex, capsys):
    splice = student("def splice(x, prompt):\n    print('here')\n    return x + 1")
    assert ex.check("03.1", splice) is write_prompt
    assert capsys.readouterr().out == (
        "[failed] 03.1 Splice the context\n"
        "  right so far:  type and shape\n"
        "  not yet:       a case by hand\n"
        "  expected:      [[[0], [-1], [6], [9]]], because one token is replaced\n"
        "  got:           [[[1], [4], [7], [10]]]\n"
        "  likely cause:  no number is right: go through the steps from the first, with shapes and a few\n"
        "                 numbers of each\n"
        "  called with:   x = a tensor [1, 4, 1]: [[[0], [3], [6], [9]]]\n"
        "                 prompt = a tensor [1, 1]: [[-1]]\n"
        "  you printed:   here\n"
        '  Stuck? ex.hint("03.1"). Change your cell, run it, and then this one again.\n'
        "  >>> The notebook goes on with the REFERENCE solution in place of yours. <<<\n"
    )


def test_a_stub_and_no_answer_are_not_attempted(ex, capsys):
    assert ex.check("03.1", student(STUB)) is write_prompt
    assert ex.check("03.2", None) == 5
    assert ex.check("03.3", ...) == "novel"
    printed = capsys.readouterr().out
    assert printed.count("[not attempted]") == printed.count(GOES_ON) == 3
    assert printed.count("Nothing to check yet: ") == 3
    assert "put your code in place of `raise NotImplementedError` in the cell above." in printed
    assert "Stuck?" not in printed


@pytest.mark.parametrize(
    "source, rows",
    [
        (
            "def splice(x, prompt):\n    y = x\n    return torch.cat([y[:, :1], prompt, y[:, 3:]], 1)",
            {
                "raised": "RuntimeError: Tensors must have same number of dimensions: got 3 and 2",
                "your line 3": "return torch.cat([y[:, :1], prompt, y[:, 3:]], 1)",
                "likely cause": "one of them lacks a dimension: add it with [None] or .expand(...)",
                "called with": "x = a tensor [2, 4, 3]\nprompt = a tensor [2, 3]: [[-1, -1, -1], [-1, -1, -1]]",
            },
        ),
        (
            "def rows(y):\n    return y[7]\ndef splice(x, prompt):\n    print(1)\n    return rows(x)",
            {"your line 2": "return y[7]   (in rows)", "you printed": "1"},
        ),
        ("def splice(x, prompt):\n    return nn.Module()(x)", {"your line 2": "return nn.Module()(x)"}),
        (
            "def splice(x, prompt):\n    raise KeyError('word ' * 200)",
            {"raised": "KeyError: '" + ("word " * 60)[:299] + " ...", "likely cause": ""},
        ),
    ],
)
def test_an_error_shows_the_students_line_and_what_it_was_called_with(source, rows):
    found = judge(SPLICE, student(source))
    assert found.kind == "error"
    assert rows.items() <= dict(found.rows).items()


@pytest.mark.parametrize("line", ["nn.Module()(x)", "(x > 0).inverse()", "x.to('meta').item()"])
def test_what_torch_has_not_implemented_is_an_error_and_no_stub(line):
    found = judge(SPLICE, student(f"def splice(x, prompt):\n    return {line}"))
    assert found.kind == "error"


def test_what_a_check_cannot_use_is_said():
    odd = Exercise("03.1", "Odd", len, (Facet("length", lambda fn: fn([1, 2]).shape),), HINTS, "")
    rows = dict(judge(odd, student("def splice(x):\n    return 'word'")).rows)
    assert rows["your function"] == "returned 'word', with which the check could not go on"


@pytest.mark.parametrize(
    "source, given",
    [("def splice(x):\n    return x", "def splice(x)"), ("def splice(x, prompt, n):\n    return x", "(x, prompt, n)")],
)
def test_changed_parameters_are_a_mistake_and_no_error(source, given):
    found = judge(SPLICE, student(source))
    rows = dict(found.rows)
    assert found.kind == "failed"
    assert rows["expected"].startswith("splice can be called with (a tensor [2, 4, 3], a tensor [2, 3])")
    assert given in rows["got"]
    assert "put back those of the cell's first line" in rows["likely cause"]


def test_what_is_no_function_where_one_is_asked_for(ex):
    found = judge(SPLICE, write_prompt(X, PROMPT))
    assert found.kind == "failed"
    assert dict(found.rows)["got"] == "a tensor [2, 4, 3]"
    assert dict(found.rows)["likely cause"] == "pass the function itself, without calling it"
    assert judge(COUNT, write_prompt).kind == "failed"


def test_a_function_that_writes_into_its_inputs_harms_no_other_check():
    before = X.clone()
    source = "def splice(x, prompt):\n    x[:, 1:1 + len(prompt)] = prompt\n    return x"
    for _ in range(2):
        assert dict(judge(SPLICE, student(source)).rows)["got"] == "x was changed"
    assert torch.equal(X, before)
    greedy = Exercise("03.1", "", len, (Facet("raw", lambda fn: fn(X, PROMPT)),), HINTS, "")
    judge(greedy, student(source))
    assert torch.equal(X, before)


def test_much_printing_is_cut_and_a_pass_prints_none_of_it(ex, capsys):
    loud = "def splice(x, prompt):\n    print('loud\\n' * 99)\n    return x"
    assert dict(judge(SPLICE, student(loud)).rows)["you printed"] == "loud\n" * 5 + "..."
    ex.check("03.1", student(GOOD.replace("return", "print('loud')\n    return")))
    assert "loud" not in capsys.readouterr().out


def test_a_method_gets_its_object_and_can_be_installed():
    class Clip(nn.Module):
        scale = 3.0

    encode = student("def encode(self, x):\n    return self.scale * x")
    clip = Clip()
    law = Facet("installed", lambda fn: _same(type("Mine", (Clip,), {"encode": fn})().encode(X), 3 * X))
    right = Exercise("03.1", "", lambda self, x: 3 * x, (by_hand((clip, 2.0), 6.0), law), HINTS, "")
    assert judge(right, encode).kind == "passed"
    wrong = judge(right, student("def encode(self, x):\n    return x"))
    assert dict(wrong.rows)["called with"] == "self = a Clip\nx = 2"


def _same(came, expected):
    if not torch.equal(came, expected):
        raise Finding("", "", "")


def test_a_class_can_be_an_exercise():
    module = Exercise(
        "03.1", "", nn.Linear, (Facet("made", lambda cls: issubclass(cls, nn.Module) and cls(2)),), HINTS, ""
    )
    assert (
        judge(module, student("class Net(nn.Module):\n    def __init__(self, n):\n        super().__init__()")).kind
        == "passed"
    )
    stub = student("class Net(nn.Module):\n    def __init__(self, n):\n        raise NotImplementedError")
    assert judge(module, stub).kind == "not attempted"


def test_arguments_with_few_digits_are_written_out():
    watched = Watched(lambda first, second: None)
    watched(torch.eye(2), torch.rand(4, 4))
    assert watched.call == "first = a tensor [2, 2]: [[1, 0], [0, 1]]\nsecond = a tensor [4, 4]"


def test_functions_without_a_signature_are_called_all_the_same():
    watched = Watched(torch.add)
    assert watched(X, X).shape == X.shape
    assert watched.call == "a tensor [2, 4, 3]\na tensor [2, 4, 3]"


# What a session remembers


@pytest.mark.parametrize("number, wrong", [("03.1", student(STUB)), ("03.3", "base")])
def test_a_check_that_runs_again_on_the_reference_is_no_pass(ex, capsys, number, wrong):
    handed = ex.check(number, wrong)
    for _ in range(2):
        capsys.readouterr()
        handed = ex.check(number, handed)
        printed = capsys.readouterr().out
        assert printed.startswith("[not attempted]")
        assert "This is the reference, from the check before. Run the cell with your own again" in printed
    ex.progress()
    assert "0 of 3 exercises passed" in capsys.readouterr().out


def test_an_answer_that_is_mended_passes(ex, capsys):
    for number, wrong, right in (("03.1", student(STUB), student(GOOD)), ("03.2", 4, 5), ("03.3", "base", "novel")):
        ex.check(number, wrong)
        assert ex.check(number, right) is right
        assert capsys.readouterr().out.count("[passed]") == 1


def test_progress_counts_the_best_verdicts_hints_and_predictions(ex, capsys):
    ex.check("03.1", student(GOOD))
    ex.check("03.1", student(STUB))
    ex.check("03.2", 4)
    ex.hint("03.2")
    ex.hint("03.2")
    ex.predict("03.a", "higher", ("higher", "lower"))
    ex.outcome("03.a", "higher")
    ex.predict("03.b", 70)
    ex.outcome("03.b", 60)
    ex.predict("03.c", 1)
    capsys.readouterr()
    ex.progress()
    assert capsys.readouterr().out.splitlines() == [
        "Lesson 03_coop: 1 of 3 exercises passed",
        "  [passed]        03.1  Splice the context",
        "  [failed]        03.2  Count  (2 hints)",
        "  [not attempted] 03.3  Choose",
        "Predictions: 1 of 2 came out as you said. (The wrong ones teach more.)",
        "Next: 03.2",
    ]
    for number, answer in (("03.2", 5), ("03.3", "novel")):
        ex.check(number, answer)
    ex.progress()
    assert capsys.readouterr().out.endswith("All done. Well done!\n")


def test_two_sessions_share_nothing(ex, capsys):
    ex.check("03.2", 5)
    Session("03_coop", (COUNT,)).progress()
    assert "0 of 1 exercises passed" in capsys.readouterr().out
    Session("00_start_here", ()).progress()
    assert capsys.readouterr().out == "Lesson 00_start_here has nothing to solve.\n"


def test_hints_come_one_after_the_other_and_the_third_again(ex, capsys):
    for _ in range(4):
        ex.hint("03.1")
    printed = capsys.readouterr().out
    first = "Hint 1 of 3 for 03.1 Splice the context:\n  The idea.\nHint 2 of 3 for 03.1 Splice the context:\n  How to"
    assert printed.startswith(first)
    assert printed.count("Hint 3 of 3") == printed.count("\n      torch.cat([x[:, :1], ...])\n") == 2
    assert printed.count('That was the last one. The solution: ex.solution("03.1")') == 2
    ex.hint("03.2", 2)
    ex.hint("03.2")
    assert [line[:6] for line in capsys.readouterr().out.splitlines() if line[:4] == "Hint"] == ["Hint 2", "Hint 3"]
    with pytest.raises(ValueError, match="there are 3 hints, 1 to 3, got 4"):
        ex.hint("03.1", 4)
    with pytest.raises(ValueError, match="which must be at least 1, got 0"):
        ex.hint("03.1", 0)


def test_the_solution_is_shown_where_the_solved_notebook_is(ex, capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("MAPLE_LITE_DATA")
    ex.solution("03.1")
    shown = capsys.readouterr().out
    assert "03.1 Splice the context, as solutions/03_coop.ipynb has it" in shown
    assert "torch.cat([x[:, :1], prompt, x[:, 1 + n :]], dim=1)" in shown
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ex.solution("03.1")
    assert "solved in solutions/03_coop.ipynb" in capsys.readouterr().out


def test_what_was_done_survives_a_restart(tmp_path, capsys):
    exercises, file = exercises_of("01_zero_shot_clip"), tmp_path / "progress.json"
    first = Session("01_zero_shot_clip", exercises, file)
    first.welcome()
    assert capsys.readouterr().out == ""
    first.check("01.3", 43.94)
    first.hint("01.1")
    first.predict("a", "up", ("up", "down"))
    first.outcome("a", "up")
    first.predict("b", 3)
    capsys.readouterr()
    again = Session("01_zero_shot_clip", exercises, file)
    again.welcome()
    assert "Welcome back: 1 of 6 exercises passed." in capsys.readouterr().out
    again.progress()
    lines = capsys.readouterr().out
    assert "[passed]        01.3" in lines
    assert "01.1  Similarity of pictures and sentences  (1 hint)" in lines
    assert "Predictions: 1 of 1" in lines
    again.predict("a", "down", ("up", "down"))
    assert "it stays 'up'" in capsys.readouterr().out
    again.outcome("b", 3)
    assert "you said 3, it came out 3" in capsys.readouterr().out
    again.reset()
    assert not file.is_file()
    again.progress()
    assert "0 of 6 exercises passed" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "[]", "{", '{"best": 3}', '{"best": {"01.3": "won"}, "hints": {"01.1": "x"}}'])
def test_a_damaged_file_of_progress_is_no_progress(tmp_path, capsys, content):
    file = tmp_path / "progress.json"
    file.write_text(content)
    Session("01_zero_shot_clip", exercises_of("01_zero_shot_clip"), file).progress()
    assert "0 of 6 exercises passed" in capsys.readouterr().out


def test_outside_of_notebooks_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session("01_zero_shot_clip").check("01.3", 43.94)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="Windows has no alarm signals")
def test_a_submission_that_never_ends_is_stopped_and_told_so(ex, capsys, monkeypatch):
    monkeypatch.setattr("maple_lite.course.teach.verdicts.PATIENCE", 0.2)

    def forever(x, prompt):
        while True:
            x = x + 0

    ex.check("03.1", forever)
    printed = " ".join(capsys.readouterr().out.split())
    assert "so your function was stopped" in printed
    assert "a loop never ends" in printed
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("method", ["check", "hint", "solution"])
def test_an_unknown_exercise_is_named_with_the_close_ones(ex, method):
    with pytest.raises(ValueError, match=r"unknown exercise '3.1': did you mean '03.1'"):
        getattr(ex, method)("3.1", *[3] * (method == "check"))


def test_an_unknown_lesson_is_named_with_the_close_ones():
    with pytest.raises(ValueError, match="unknown lesson '03_cop': did you mean '03_coop'"):
        session("03_cop")
    assert session("00_start_here").lesson == "00_start_here"


def test_an_exercise_is_whole():
    with pytest.raises(ValueError, match=r"exercise 03\.9 needs facets and 3 hints, got 0 facets and 2 hints"):
        Exercise("03.9", "", 1, (), ("a", "b"), "")


# Strict mode, seeds


@pytest.mark.parametrize("wrong", [None, 4, "x"])
def test_strict_mode_raises_on_anything_but_a_pass(ex, monkeypatch, wrong):
    monkeypatch.setenv("MAPLE_LITE_STRICT", "1")
    with pytest.raises(ExerciseError, match=r"\[(not attempted|failed)\] 03.2 Count"):
        ex.check("03.2", wrong)
    with pytest.raises(ExerciseError, match=r"(?s)\[error\] 03.1 .*raised: .*likely cause: .*called with: "):
        ex.check("03.1", student("def splice(x, prompt):\n    return x[9]"))
    assert ex.check("03.2", 5) == 5


def test_the_seed_is_the_environments(monkeypatch):
    monkeypatch.delenv("MAPLE_LITE_SEED", raising=False)
    assert Session("03_coop", ()).seed == 1
    monkeypatch.setenv("MAPLE_LITE_SEED", "3")
    assert Session("03_coop", ()).seed == 3


# Predictions


@pytest.mark.parametrize(
    "guess, choices, value, printed",
    [
        ("Higher ", ("higher", "lower"), "higher", "Prediction 03.a: 'higher', as you said."),
        ("coop", ("CoOp", "VPT"), "VPT", "you said 'CoOp', it came out 'VPT'. Why? Read on."),
        (70, None, 71.34, "you said 70, it came out 71.34. You are off by 1.34."),
        (70, None, 70, "you said 70, it came out 70. Exactly."),
        (2, (2, 4), 4, "you said 2, it came out 4. Why? Read on."),
        (4, (2, 4), 4, "Prediction 03.a: 4, as you said."),
        (None, None, 71.3, "it came out 71.3. You made no prediction."),
    ],
)
def test_an_outcome_stands_beside_the_prediction(ex, capsys, guess, choices, value, printed):
    ex.predict("03.a", guess, choices)
    ex.outcome("03.a", value)
    assert capsys.readouterr().out.splitlines()[1].endswith(printed)


def test_no_prediction_and_a_misspelt_one_are_friendly(ex, capsys):
    ex.predict("03.a", None, ("higher", "lower"))
    ex.predict("03.a", "higer", choices=("higher", "lower"))
    ex.predict("03.b", None)
    ex.predict("03.b", "50 percent")
    none, misspelt, number, words = capsys.readouterr().out.splitlines()
    assert "Write one into the cell above (a number)" in number
    assert words == "Prediction 03.b: '50 percent' is no number. Write digits, without quotes or units."
    assert none.startswith("Prediction 03.a: none yet. Write one into the cell above ('higher' or 'lower')")
    assert misspelt.startswith("Prediction 03.a: 'higer' is not among the choices ('higher' or 'lower').")
    ex.outcome("03.a", "lower")
    assert "You made no prediction" in capsys.readouterr().out


def test_a_prediction_can_change_until_its_outcome_is_known(ex, capsys):
    for guess in (50, 60):
        ex.predict("03.a", guess)
    ex.outcome("03.a", 61)
    ex.predict("03.a", 61)
    ex.outcome("03.a", 61)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "Prediction 03.a: you said 60, it came out 61. You are off by 1.",
        "Prediction 03.a: the outcome is known by now, so it stays 60.",
        "Prediction 03.a: you said 60, it came out 61. You are off by 1.",
    ]


# Numbers beside ours


@pytest.fixture
def bands(ex, tmp_path):
    (tmp_path / "expected.json").write_text(json.dumps({"03_coop": {"novel": [66.0, 77.5]}}))


@pytest.mark.parametrize("value", [66, 71.3, torch.tensor(77.5)])
def test_a_number_in_its_band_is_one_quiet_line(ex, bands, monkeypatch, capsys, value):
    monkeypatch.setenv("MAPLE_LITE_STRICT", "1")
    ex.expect("novel", value)
    assert capsys.readouterr().out == f"novel {float(value):.1f}, as expected (66 to 77.5)\n"


@pytest.mark.parametrize("value", [65.9, 77.6, float("nan")])
def test_a_number_outside_its_band_is_a_sentence_and_strictly_an_error(ex, bands, monkeypatch, capsys, value):
    ex.expect("novel", value)
    printed = capsys.readouterr().out
    assert f"novel {value:.1f} is outside of what we saw with seeds 1 to 3 (66 to 77.5). If you changed" in printed
    monkeypatch.setenv("MAPLE_LITE_STRICT", "1")
    with pytest.raises(ExerciseError, match="is outside of what we saw"):
        ex.expect("novel", value)


def test_a_number_without_band_or_with_another_clip_is_not_judged(ex, bands, monkeypatch, capsys):
    monkeypatch.setenv("MAPLE_LITE_STRICT", "1")
    ex.expect("base", 1)
    monkeypatch.setenv("MAPLE_LITE_MODE", "full")
    ex.expect("novel", 1)
    nothing = "1.0 (there is nothing to compare it with)\n"
    assert capsys.readouterr().out == f"base {nothing}novel {nothing}"


def test_a_record_takes_the_numbers_and_judges_none(ex, bands, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MAPLE_LITE_STRICT", "1")
    monkeypatch.setenv("MAPLE_LITE_RECORD", str(tmp_path / "record"))
    for value in (1, 2.5):
        ex.expect("novel", value)
    about = {"lesson": "03_coop", "seed": 1, "name": "novel"}
    records = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]
    assert records == [about | {"value": 1.0}, about | {"value": 2.5}]
    assert capsys.readouterr().out == ""
