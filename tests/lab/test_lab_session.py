"""The laboratory without a web: what it answers is what `teach` computes, and nothing else gets through."""

import json
import os
import re
import tracemalloc

import numpy as np
import pytest
from lab_messages import RACE, mistaken

from minidl.lab import LabSession
from minidl.lab.lanes import RULES
from minidl.lab.presets import ROWS
from minidl.optim import rules
from minidl.teach import explain, race
from minidl.teach.functions import CURVATURES, START, bowl, descend
from minidl.teach.notation.notes import convention
from minidl.teach.reproduce import ROWS as NOTES
from minidl.teach.stability import spectral_radius

CODES = {"json", "message", "op", "schema", "limit", "option"}


def ask(op, session=None, **fields):
    """The reply to a message, which must not be an error."""
    reply = json.loads((session or LabSession()).handle(json.dumps({"id": 7, "op": op, **fields})))
    assert reply["id"] == 7
    return reply["ok"]


def refused(op, **fields):
    """The error that a message is refused with."""
    return json.loads(LabSession().handle(json.dumps({"id": 7, "op": op, **fields})))["error"]


def words(tree):
    """The text of MathML as nested lists."""
    return tree if isinstance(tree, str) else "".join(words(part) for part in tree[2:])


def paths(lanes, note="code", **fields):
    found = ask("surface.race", **{**RACE, "lanes": lanes, "note": note, **fields})
    return [np.array(lane["path"]).T for lane in found["lanes"]]


# --- The runs


@pytest.mark.parametrize("row", ROWS)
def test_a_preset_ends_on_the_digits_that_are_printed(row):
    """Six of them are note A's own."""
    preset = next(one for one in ask("hello")["presets"] if one["row"] == row)
    found = ask("surface.race", **{**RACE, "lanes": preset["lanes"], "steps": preset["steps"], "preset": row})
    printed = [check.expected for check in NOTES[row].function().checks if check.expected.startswith("epoch 20")]
    assert [f"epoch 20, {check['printed']}" for check in found["checks"]] == printed
    assert [lane["end"] for lane in found["lanes"]] == [check["printed"] for check in found["checks"]]
    assert all(check["agrees"] for check in found["checks"])


def test_note_a_prints_what_the_presets_show():
    ends = [
        ask("surface.race", **{**RACE, "lanes": ROWS[row]})["lanes"][0]["end"]
        for row in ("A1", "A2", "A3", "A4", "A6", "A7")
    ]
    assert ends == [
        "x1: -0.943467, x2: -0.000073", "x1: -0.387814, x2: -1673.365109", "x1: 0.007188, x2: 0.002553",
        "x1: -0.126340, x2: -0.186632", "x1: -2.382563, x2: -0.158591", "x1: -0.002295, x2: -0.000000",
    ]  # fmt: skip


def test_another_run_than_the_rows_is_not_said_to_agree():
    lanes = [{"rule": "Momentum", "settings": {"lr": 0.6, "beta": 0.51}}]
    assert [check["agrees"] for check in ask("surface.race", **{**RACE, "lanes": lanes, "preset": "A3"})["checks"]] == [
        False
    ]
    assert ask("surface.race", **{**RACE, "preset": "A3"})["checks"] == []  # two lanes
    assert ask("surface.race", **{**RACE, "lanes": ROWS["A3"], "steps": 21, "preset": "A3"})["checks"] == []


@pytest.mark.parametrize("name", RULES)
def test_a_path_is_to_the_bit_that_of_descend(name):
    kind = getattr(rules, name)
    (found,) = paths([{"rule": name, "settings": {"lr": 0.1}}])
    assert np.array_equal(found, descend(kind(), bowl, START, 0.1))


def test_a_lane_follows_the_notes_convention_unless_it_is_told_otherwise():
    inside = rules.AdaGrad(**convention(rules.AdaGrad, "A"))
    assert inside.eps_mode == "inside"
    (found,) = paths([{"rule": "AdaGrad"}], "A")
    assert np.array_equal(found, descend(inside, bowl, START, rules.AdaGrad.lr))
    (found,) = paths([{"rule": "AdaGrad", "settings": {"eps": 0.5, "eps_mode": "outside"}}], "A")
    assert np.array_equal(found, descend(rules.AdaGrad(eps=0.5), bowl, START, rules.AdaGrad.lr))


def test_a_fork_has_the_same_past_to_the_bit_and_then_the_other_hyperparameter():
    lane = {"rule": "Momentum", "settings": {"lr": 0.1, "beta": 0.5}}
    straight, fork = paths([lane, {**lane, "fork": {"at": 10, "settings": {"beta": 0.99, "lr": 0.2}}}])
    assert np.array_equal(straight[:11], fork[:11])
    v = np.zeros(2)
    theta = np.array(START)
    for k in range(20):  # by hand
        beta, lr = (0.5, 0.1) if k < 10 else (0.99, 0.2)
        v = beta * v + np.array(CURVATURES) * theta
        theta = theta - lr * v
    np.testing.assert_allclose(fork[-1], theta, rtol=1e-12)
    assert not np.array_equal(straight[11], fork[11])


def test_a_schedule_lowers_the_rate_as_note_b_has_it():
    (found,) = paths([{"rule": "SGD", "settings": {"lr": 0.4}, "schedule": "linear"}])
    shrunk = [1 - CURVATURES[0] * ((1 - k / 20) * 0.4 + k / 20 * 0.004) for k in range(20)]
    assert found[-1][0] == pytest.approx(-5 * np.prod(shrunk), rel=1e-12)


def test_who_is_nearest_is_told_for_each_step():
    found = ask("surface.race", **{**RACE, "lanes": [ROWS["A2"][0], ROWS["A3"][0]]})
    far = np.array([np.hypot(*np.array(lane["path"])) for lane in found["lanes"]])
    assert found["nearest"][0] is None  # at the start both are
    assert found["nearest"][20] == far[:, 20].argmin() == 1
    assert found["lanes"][0]["diverged"] == 1
    assert found["lanes"][0]["excess"] == [pytest.approx(2.4), pytest.approx(2)]


def test_a_run_that_leaves_all_bounds_is_an_answer_of_nulls():
    found = ask("surface.race", **{**RACE, "lanes": [{"rule": "SGD", "settings": {"lr": 1e9}}], "steps": 60})
    assert found["lanes"][0]["path"][1][60] is None
    shown = ask(
        "ledger",
        **{
            **RACE,
            "lanes": [{"rule": "SGD", "settings": {"lr": 1e9}}],
            "steps": 60,
            "lane": 0,
            "t": 60,
            "coordinate": 1,
            "language": "en",
        },
    )
    assert any("diverged at step" in sentence for sentence in shown["sentences"])


def test_the_map_is_the_spectral_radius_of_the_rules_own_step():
    lane = {"rule": "Momentum", "settings": {"lr": 0.6, "beta": 0.5}}
    found = ask("surface.stability", surface={"name": "bowl"}, start=[-5, -2], lane=lane, steps=20, note="A", n=20)
    assert (found["kind"], found["share"], found["rows"]) == ("radius", "beta", 20)
    lr, beta = found["high"] * 12 / 20, 0.99 * 10 / 19
    expected = spectral_radius(rules.Momentum(beta=beta), CURVATURES, lr)
    assert found["values"][10 * 20 + 11] == pytest.approx(float(expected), rel=1e-5)


def test_a_lane_is_told_by_what_its_step_multiplies_the_error():
    lanes = [
        {"rule": "SGD", "settings": {"lr": 0.6}},
        {"rule": "Momentum", "settings": {"lr": 0.6, "beta": 0.5}},
        {"rule": "Adam"},
    ]
    found = ask("surface.race", **{**RACE, "lanes": lanes})["lanes"]
    assert [lane["radius"] for lane in found[:2]] == pytest.approx([1.4, 0.5**0.5])  # |1 - ηλ|; √β
    assert found[2]["radius"] is None
    assert ask("surface.race", **{**RACE, "surface": {"name": "saddle"}, "lanes": lanes})["lanes"][0]["radius"] is None


def test_where_there_is_no_matrix_the_map_is_measured():
    lane = {"rule": "Adam", "settings": {"lr": 0.4}}
    found = ask("surface.stability", surface={"name": "bowl"}, start=[-5, -2], lane=lane, steps=20, note="code", n=10)
    lr, beta1 = found["high"] * 4 / 10, 0.99 * 7 / 9
    end = bowl(descend(rules.Adam(beta1=beta1), bowl, START, lr, found["steps"])[-1])
    assert found["kind"] == "measured"
    assert found["values"][7 * 10 + 3] == pytest.approx(np.log10(end), rel=1e-4)


def test_a_field_is_the_function_on_a_grid():
    found = ask(
        "surface.field",
        surface={"name": "quadratic", "curvatures": [4.0, 0.2], "angle": 90},
        n=9,
        domain=[[-1, 1], [-2, 2]],
    )
    values = np.array(found["values"]).reshape(9, 9)
    assert values[8, 0] == pytest.approx(0.5 * 0.2 * 1 + 0.5 * 4 * 4)  # at (-1, 2): the steep axis is x2
    assert values[4, 4] == 0


# --- The ledger


@pytest.mark.parametrize("note", ["A", "B", "code"])
@pytest.mark.parametrize("name", RULES)
def test_the_ledger_shows_the_entrys_own_numbers_and_says_its_sentences(name, note):
    session, lane = LabSession(), {"rule": name, "settings": {"lr": 0.3}}
    kind = getattr(rules, name)
    settings = {k: v for k, v in convention(kind, note).items() if k != "lr"}
    entry = race(bowl, [(kind(**settings), 0.3)], START, 20).lanes[0].entry(6, 1)
    read = entry if note == "code" else entry.in_note(note)
    for language in ("en", "es", "it"):
        found = ask(
            "ledger",
            session,
            **{**RACE, "lanes": [lane], "note": note, "lane": 0, "t": 6, "coordinate": 1, "language": language},
        )
        assert len(found["lines"]) == len(read.lines)
        for line, own in zip(found["lines"], read.lines, strict=True):
            assert plain(words(line["result"])) == pytest.approx(read.values[own.expression], rel=1e-4)
        told = explain(entry, language, note=note, decimal=".", curvature=CURVATURES[1])
        assert "\n".join(found["sentences"]).replace("−", "-") == told.replace("−", "-")
        total = sum(push["value"] for push in found["pushes"])
        assert total == pytest.approx(read.step, rel=1e-3)


def plain(text):
    """A number as it is shown: −1.2·10−8."""
    mantissa, _, power = text.replace("−", "-").partition("·10")
    return 10.0 ** int(mantissa[2:]) if re.fullmatch(r"10-\d+", mantissa) else float(mantissa) * 10.0 ** int(power or 0)


def test_a_symbol_is_one_in_letters_and_numbers_and_v_before_is_not_v_after():
    found = ask("ledger", **{**RACE, "lane": 0, "t": 6, "coordinate": 1, "language": "en"})
    velocity, theta = found["lines"]
    tags = lambda tree: re.findall(r"data-symbol.*?(\d+)", json.dumps(tree))
    assert tags(velocity["expression"]) == tags(velocity["numbers"])
    assert str(velocity["symbol"]) not in tags(velocity["expression"])  # v before the step
    assert str(velocity["symbol"]) in tags(theta["expression"])  # v after it


def test_minus_signs_are_minus_signs_and_words_keep_their_hyphens():
    found = ask(
        "ledger",
        **{
            **RACE,
            "lanes": [{"rule": "Nesterov", "settings": {"lr": 0.3}}],
            "lane": 0,
            "t": 6,
            "coordinate": 1,
            "language": "en",
        },
    )
    text = " ".join(found["sentences"])
    assert not re.search(r"-\d", text)
    assert "look-ahead" in text


# --- The program

SHAPES = [
    {"name": "saddle"},
    {"name": "quadratic", "curvatures": [4.0, 0.2], "angle": 30.0},
    {"name": "formula", "formula": "x1^2 + exp(x2)/3"},
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape["name"])
def test_a_state_as_a_program_asserts_the_numbers_that_were_shown(shape, capsys):
    lanes = [
        {"rule": name, "settings": {"lr": 0.05}, "schedule": plan}
        for name, plan in (("NAdam", "constant"), ("Nesterov", "linear"), ("AdamW", "exponential"))
    ]
    fields = {
        **RACE,
        "surface": shape,
        "start": [1.5, -0.5],
        "lanes": lanes,
        "lane": 1,
        "t": 9,
        "coordinate": 0,
        "language": "es",
    }
    text = ask("script", **fields)["text"]
    exec(compile(text, "run.py", "exec"), {})
    assert "En el paso 9, Nesterov" in capsys.readouterr().out
    shown = re.findall(r"== (\[.*\])$", text, re.MULTILINE)
    assert json.loads(shown[0]) == [axis[9] for axis in ask("surface.race", **fields_of(fields))["lanes"][1]["path"]]
    with pytest.raises(AssertionError):
        exec(compile(text.replace(shown[0], "[0.0, 0.0]"), "run.py", "exec"), {})


def fields_of(fields):
    return {name: fields[name] for name in RACE}


def test_a_fork_is_no_program_yet():
    fork = {"at": 3, "settings": {"lr": 0.1}}
    fields = {**RACE, "lanes": [{"rule": "SGD", "fork": fork}], "lane": 0, "t": 1, "coordinate": 0, "language": "en"}
    assert "remove the forks" in refused("script", **fields)["fix"]


# --- What is not carried out


def test_the_same_messages_have_the_same_replies():
    texts = [*mistaken(1, 40)]
    first, second = LabSession(), LabSession()
    assert [first.handle(text) for text in texts] == [second.handle(text) for text in texts]


def test_what_is_not_allowed_is_named():
    assert refused("surface.race", **{**RACE, "steps": 10**6}) == {
        "code": "schema", "what": "surface.race.steps: 1000000", "fix": "give an integer from 1 to 2000"}  # fmt: skip
    assert "no_such" in refused("surface.race", **RACE, no_such=1)["what"]
    assert (
        "beta=1.0"
        in refused("surface.race", **{**RACE, "lanes": [{"rule": "Momentum", "settings": {"beta": 1}}]})["what"]
    )
    assert refused("surface.race", **{**RACE, "lanes": RACE["lanes"] * 6, "steps": 2000})["code"] == "limit"
    assert (
        "cannot change on the way"
        in refused(
            "surface.race",
            **{**RACE, "lanes": [{"rule": "Adam", "fork": {"at": 3, "settings": {"eps_mode": "inside"}}}]},
        )["what"]
    )
    assert (
        "not one of"
        in refused("surface.race", **{**RACE, "surface": {"name": "formula", "formula": "open(x1)"}})["what"]
    )
    assert refused("surface.race", **{**RACE, "start": [1]})["fix"] == "this surface has 2: give 2"
    assert refused("ledger", **RACE, lane=5, t=1, coordinate=0, language="en")["fix"] == "give 0 to 1"
    assert refused("no.such")["code"] == "op"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 60_000, "json"), ('{"id":1,"op":"hello","a":NaN}', "json"), ("", "json"), ("[1]", "message"), ("x" * 70_000, "message"),
        ('{"op":"hello"}', "schema"), ('{"id":-1,"op":"hello"}', "schema"), ('{"id":1}', "op"), ('{"id":1,"op":["hello"]}', "op"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_told_by_its_code(text, code):
    assert json.loads(LabSession().handle(text))["error"]["code"] == code


def test_a_fault_of_its_own_is_told_and_the_session_goes_on(monkeypatch):
    def broken(message):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("minidl.lab.surface.raced", broken)
    session = LabSession()
    text = json.dumps({"id": 4, "op": "surface.race", **RACE})
    error = {"code": "fault", "what": "ZeroDivisionError: by zero", "fix": "please report it"}
    assert json.loads(session.handle(text)) == {"id": 4, "error": error}
    assert "ok" in json.loads(session.handle('{"id": 5, "op": "hello"}'))


def replies_to(texts):
    session = LabSession()
    for text in texts:
        reply = json.loads(session.handle(text))
        yield reply["error"]["code"] if "error" in reply else "ok"


def test_spoiled_messages_are_answered_with_named_errors():
    seen = [*replies_to(mistaken(2, 400))]
    assert set(seen) <= CODES | {"ok"}
    assert {"ok", "json", "schema", "option"} <= set(seen)


@pytest.mark.slow
def test_thousands_of_spoiled_messages_leave_nothing_behind():
    """As many as MESSAGES says; 10,000 take half a minute."""
    count = int(os.environ.get("MESSAGES", "800"))
    texts = mistaken(3, count)
    session = LabSession()
    sizes = []
    tracemalloc.start()
    try:
        for number, text in enumerate(texts, 1):
            reply = json.loads(session.handle(text))
            assert "ok" in reply or reply["error"]["code"] in CODES
            if number % (count // 4) == 0:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] < sizes[0] + 4e6
