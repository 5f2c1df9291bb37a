"""`minidl reproduce`: every row of the notes is there, its numbers are right to the last digit."""

from dataclasses import replace

import numpy as np
import pytest
from reproduce_cases import IDS, OFFERS, made

import minidl
from minidl.errors import DataError
from minidl.optim import rules
from minidl.teach import functions
from minidl.teach.reproduce import ROWS, Check, Result, sets_in_kind, trials, tuned
from minidl.teach.reproduce.registry import (
    DERIVED,
    DIFFERS,
    FAILED,
    IN_KIND,
    NOT_RUN,
    NOTE_B,
    OFFERED,
    OURS,
    REPRODUCED,
    UNDECIDED,
    agreed,
    claim,
    number,
    passages,
)
from minidl.teach.reproduce.rows import keras_equivalents, stability, tuning_protocols
from minidl.teach.reproduce.rows.averages import memory

PRINTED = {  # what the notes print, or the checklist says, to the last digit
    "A1": ["epoch 20, x1: -0.943467, x2: -0.000073"],
    "A2": ["epoch 20, x1: -0.387814, x2: -1673.365109"],
    "A3": ["epoch 20, x1: 0.007188, x2: 0.002553"],
    "A4": ["epoch 20, x1: -0.126340, x2: -0.186632"],
    "A5": ["epoch 20, x1: -0.387814, x2: -1673.365109"],
    "A6": ["epoch 20, x1: -2.382563, x2: -0.158591"],
    "A7": ["epoch 20, x1: -0.002295, x2: -0.000000"],
    "A8": ["epoch 20, x1: -0.010599, x2: 0.000000"],
    "A9": [
        "epoch 20, x1: -4.782488, x2: -1.787589",
        "epoch 20, x1: 0.996033, x2: -0.212751",
        "epoch 20, x1: 0.817388, x2: -0.147050",
        "epoch 20, x1: 0.000042, x2: -0.000000",
        "epoch 20, x1: -0.369635, x2: -0.000001",
        "epoch 20, x1: -0.003525, x2: -47633275.739951",
    ],
    "FA9": ["0.8715, 0.9852, 0.9999, 1.0000"],
    "EA3": ["100%, 10%, 1%", "100%, 90%, 81%"],
    "EA4": ["epoch 20, x1: 0.007188, x2: 0.002553", "epoch 20, x1: -0.289993, x2: 0.001723"],
    "EA8": ["0.0100"],
    "EA9": ["-4.6000", "3.16 η", "-3.735"],
    "EA11": ["0, 1, 1, 1, 2, 2"],
    "EB2": ["yes, yes", "yes, no", "no, yes"],
    "EB3": ["0.01, 0.00505, 0.0001, 0.0001"],
    "EB4": ["0.01, 0.009", "437,087"],
    "EB12": ["0.0020", "0.0050"],
    "EB14": ["-0.40", "1.70"],
    "S1": ["0.7071, stable", "2.3926, unstable"],
    "ER1": ["10809.66", "epoch 20, x1: -4.782488, x2: -1.787589"],
    "ER3": ["[0.52 0.58]", "[-5.148 -8.137]", "[ 0.996 -0.213]"],
    "ER8": ["-0.387814"],
    "ER12": ["1000"],
    "D11": ["epoch 20, x1: 0.817388, x2: -0.147050"],
}


# --- The rows


def test_every_row_of_the_checklist_is_there_and_has_its_passage():
    assert list(passages()) == IDS
    assert set(ROWS) == set(IDS)


def test_a_passage_says_which_note_and_where_and_is_no_latex():
    for id, passage in passages().items():
        assert passage.note in ("A", "B", "A+B")
        assert passage.section
        assert passage.words
        assert not set("\\$") & set(passage.words + passage.section), id


@pytest.mark.parametrize("id", PRINTED)
def test_the_numbers_are_right_to_the_last_digit(id):
    result = made(id)
    found = [check.ours for check in result.checks]
    for printed in PRINTED[id]:
        assert printed in found
    assert result.verdict == REPRODUCED


def test_a_number_is_compared_digit_by_digit():
    assert number("x", "-0.000000", "-0.000000", OURS).ok
    assert not number("x", "0.000000", "-0.000000", OURS).ok


@pytest.mark.slow
def test_a_wrong_rule_gets_a_cross(monkeypatch):
    monkeypatch.setattr(rules.SGD, "update", lambda self, theta, g, *, lr, t: (theta - 1.0001 * lr * g,))
    assert made("A1").verdict == FAILED
    assert made("A3").verdict == REPRODUCED
    monkeypatch.setattr(rules.Momentum, "update", lambda self, theta, g, v, *, lr, t: (theta - lr * g, g))
    assert made("A3").verdict == FAILED
    assert made("EA3").verdict == FAILED
    assert made("EB5").verdict == FAILED


def test_the_verdict_follows_from_the_checks():
    good, bad = claim("a", "1", True, "1", OURS), claim("b", "1", np.bool_(False), "2", OURS)
    open_, other = claim("c", "1", None, "2", OURS), claim("d", "1", False, "2", NOTE_B, elsewhere=True)
    assert [check.ok for check in (good, bad, open_)] == [True, False, None]
    assert Result([good]).verdict == REPRODUCED
    assert Result([good, open_]).verdict == UNDECIDED
    assert Result([good, open_, other]).verdict == DIFFERS
    assert Result([good, open_, other, bad]).verdict == FAILED
    assert Result([], not_run="no data").verdict == NOT_RUN
    assert Result([], offered=True).verdict == Result([good], offered=True).verdict == OFFERED
    assert Result([good, bad], offered=True).verdict == FAILED


def test_a_row_in_kind_is_not_called_reproduced_and_hides_no_failure():
    good, bad = claim("a", "1", True, "1", OURS), claim("b", "1", False, "2", OURS)
    assert Result([good], in_kind="another workload").verdict == IN_KIND
    assert Result([good, bad], in_kind="another workload").verdict == FAILED
    assert Result([good], in_kind="another workload").reason == "another workload"


def test_seeds_that_do_not_agree_decide_nothing():
    assert agreed([True, True, True]) is True
    assert agreed([False, False]) is False
    assert agreed([True, False, True]) is None
    assert agreed([True, None]) is None


def test_an_expected_value_must_say_where_it_is_from():
    for make in (lambda: number("x", "1", "1"), lambda: claim("x", "1", True, "1"), lambda: Check("x", "1", "1", True)):
        with pytest.raises(TypeError, match="source"):
            make()
    assert number("x", "1", "1", DERIVED).source == "derived"


def test_nothing_is_said_to_be_reproduced_without_a_check():
    assert Result([]).verdict != REPRODUCED


@pytest.mark.parametrize("id", OFFERS)
def test_a_row_that_only_shows_what_minidl_has_is_not_called_reproduced(id):
    assert made(id).verdict == OFFERED
    assert made(id).tables


def test_a_line_for_a_line_of_keras_that_does_not_run_is_noticed(monkeypatch):
    monkeypatch.setattr(keras_equivalents, "EQUIVALENTS", [("Adam()", "optim.Adam(parameters)", "")])
    with pytest.raises(NameError):
        made("EB11")


@pytest.mark.parametrize("id", IDS)
def test_a_row_shows_its_own_code_and_minidls(id):
    row = ROWS[id]
    code = row.sources()
    own = next(iter(code.values()))
    assert own.startswith(f"def {row.function.__name__}(")
    assert "Result" in own
    assert "@row" not in own
    assert len(code) == 1 + len(row.shows)


def test_what_is_shown_beside_momentum_is_the_rule_itself():
    assert "v = self.beta * v + (g if" in ROWS["A3"].sources()["minidl.optim.rules.Momentum"]


# --- Closed forms, worked out here once more


def test_descend_is_the_closed_form_and_takes_many_runs_at_once():
    rates = np.array([0.1, 0.4, 0.6])
    start = np.repeat([functions.START], 3, axis=0).T
    path = functions.descend(rules.SGD(), functions.bowl, start, rates, 20)
    assert path.shape == (21, 2, 3)
    t = np.arange(21)[:, None]
    np.testing.assert_allclose(path[:, 0], -5 * (1 - 0.2 * rates) ** t, rtol=1e-12)
    np.testing.assert_allclose(path[:, 1], -2 * (1 - 4 * rates) ** t, rtol=1e-12)


def test_descend_shows_the_iterate_of_a_rule_that_looks_ahead():
    path = functions.descend(rules.Nesterov(beta=0.5), functions.bowl, functions.START, 0.3, 1)
    np.testing.assert_allclose(path[1], [-5 + 0.3 * 0.2 * 5, -2 + 0.3 * 4 * 2])


@pytest.mark.parametrize("f", [functions.bowl, functions.parabola, functions.plateau, functions.two_valleys,
                               functions.saddle, functions.fading])  # fmt: skip
def test_the_functions_take_grids_and_have_right_gradients(f):
    minidl.check_grads(f, np.array([0.7, -1.3]), order=1)
    grid = np.random.default_rng(0).standard_normal((2, 4, 5))
    assert f(grid).shape == (4, 5)
    assert f(grid)[1, 2] == pytest.approx(float(f(grid[:, 1, 2])))


def test_the_plateau_has_the_slopes_that_its_docstring_says():
    slope = minidl.grad(lambda x: functions.plateau(x))
    for x, expected in ((1.0, -1.0), (5.0, -0.02), (8.5, -1.0), (12.0, 1.0)):
        assert slope(np.array([x])).numpy()[0] == pytest.approx(expected, abs=1e-3)


def test_memory_reads_the_weights_off_the_rules():
    np.testing.assert_allclose(memory(rules.Momentum(beta=0.5), 4), [1, 0.5, 0.25, 0.125])
    np.testing.assert_allclose(memory(rules.RMSProp(rho=0.5), 3), [0.5, 0.25, 0.125])


@pytest.mark.parametrize(("name", "beta", "lr", "radius"), [("SGD", 0.0, 0.6, 1.4), ("Momentum", 0.5, 0.6, 0.5**0.5),
                                                           ("Nesterov", 0.5, 0.375, 1.0), ("Momentum", 0.25, 0.625, 1.0)])  # fmt: skip
def test_spectral_radii_by_hand(name, beta, lr, radius):
    rule = rules.SGD() if name == "SGD" else getattr(rules, name)(beta=beta)
    assert float(np.abs(np.linalg.eigvals(stability.update_matrix(rule, 4.0, lr))).max()) == pytest.approx(radius)
    assert float(stability.closed_form(name, 4.0, lr, beta)) == pytest.approx(radius)


# --- Trials


def trial(**given):
    return trials.Trial(**{"workload": "mnist/linear", "rule": "SGD", "lr": 0.1, "updates": 40, "every": 10, **given})


def test_a_trial_gives_the_same_curve_again_and_another_seed_another():
    first = trials.run(trial())
    assert first == trials.run(trial())
    assert first.steps == (10, 20, 30, 40)
    assert first.loss[-1] < first.loss[0]
    assert trials.run(trial(seed=1)) != first


def test_a_trial_that_diverges_counts_as_infinitely_bad():
    curve = trials.run(trial(lr=1e9))
    assert curve.loss == (np.inf,) * 4
    assert curve.error == (1.0,) * 4


def test_a_falling_learning_rate_ends_at_its_share(monkeypatch):
    seen = []
    fit = trials.fit
    monkeypatch.setattr(trials, "fit", lambda model, data, optimizer, **options: (
        fit(model, data, optimizer=optimizer, **options), seen.append(optimizer.lr)))  # fmt: skip
    trials.run(trial(decay=0.01))
    assert seen == [pytest.approx(0.1 * 0.01)]


@pytest.mark.slow
def test_trials_are_run_once_and_on_several_processes():
    wanted = [trial(updates=20, seed=7), trial(updates=20, seed=8)]
    found = trials.run_all([*wanted, wanted[0]])
    assert list(found) == wanted
    assert found[wanted[0]] is trials.run_all(wanted)[wanted[0]]
    assert found[wanted[0]] == trials.run(wanted[0])


def test_what_is_measured_has_chosen_nothing():
    train, choosing, fresh = trials.datasets("mnist")
    assert (len(train), len(choosing), len(fresh)) == (6000, 2000, 2000)
    digits = {image.tobytes() for image in choosing.inputs}
    assert not digits & {image.tobytes() for image in fresh.inputs}
    assert trials.run(trial(fresh=True)).loss != trials.run(trial()).loss


def test_the_seed_that_chooses_is_none_of_those_that_measure():
    for study in range(3):
        first, *others = tuned.seeds(study, 4)
        assert first not in others
        assert not set(tuned.seeds(study, 11)) & set(tuned.seeds(study + 1, 11))


def test_a_difference_within_a_tie_decides_nothing():
    assert tuned.decided(0.10, 0.12, 0.006) is True
    assert tuned.decided(0.12, 0.10, 0.006) is False
    assert tuned.decided(0.100, 0.105, 0.006) is None
    assert tuned.decided(np.inf, np.inf, 0.006) is None
    assert tuned.is_best(["Adam", "NAdam"], {"SGD": 0.2, "Adam": 0.1, "NAdam": 0.15}) is True
    assert tuned.is_best(["Adam", "NAdam"], {"SGD": 0.12, "Adam": 0.1, "NAdam": 0.15}) is False


def test_updates_to_a_target_are_those_until_it_is_met_first():
    curve = trials.Curve((10, 20, 30), (1.0, 0.5, 0.6), (0.5, 0.2, 0.3))
    assert tuned.updates_to(curve, 0.25) == 20
    assert tuned.updates_to(curve, 0.1) == np.inf


@pytest.mark.parametrize("panel", tuning_protocols.PANELS)
@pytest.mark.parametrize("rule", trials.PLOTTED)
def test_each_way_of_tuning_tries_as_many_settings_and_what_is_best_within_it(rule, panel):
    falls, _, within = tuning_protocols.PANELS[panel]
    winners = [trial(rule=rule, lr=0.01 * (i + 1)) for i in within]
    tried = tuning_protocols.trials(rule, panel, 6, winners, 40, 0)
    assert len(tried) == len(set(tried)) == 6
    for winner in winners:
        assert replace(winner, workload="mnist/mlp", decay=1.0 if falls else None) in [
            replace(one, workload="mnist/mlp") for one in tried
        ]


# --- Sets in kind


def test_the_harder_pictures_are_digits_moved_before_pieces_of_others():
    train, _ = minidl.data.mnist()
    made = sets_in_kind.pictures(200)
    np.testing.assert_array_equal(made.labels, train.labels[:200])
    np.testing.assert_array_equal(made.inputs, sets_in_kind.pictures(200).inputs)
    for picture, digit in zip(made.inputs, train.inputs[:200], strict=True):
        ink = digit.reshape(28, 28)
        moved = [np.roll(ink, (dy, dx), axis=(0, 1)) for dy in range(-3, 4) for dx in range(-3, 4)]
        assert any((picture.reshape(28, 28) >= one).all() for one in moved)


def test_the_bags_of_words_are_sparse_and_half_of_each_kind():
    made = sets_in_kind.texts()
    assert made.inputs.shape[1] == 1000
    assert made.labels.mean() == 0.5
    assert 0.002 < (made.inputs > 0).mean() < 0.05
    seen = (made.inputs > 0).sum(axis=0)
    assert seen[0] > 20 * max(seen[-1], 1)  # frequent words and rare ones


def test_a_python_without_its_source_is_said_to_be_one(monkeypatch, tmp_path):
    monkeypatch.setattr(sets_in_kind.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(DataError, match="too few docstrings, 0: this Python has no source"):
        sets_in_kind.texts()
