"""A study of four panels, its trainings formulas: fair to all rules, resumable, and looked at again where it was too small."""

import math
import re
from dataclasses import replace

import numpy as np
import panel_cases
import pytest
from command_line import said
from panel_cases import TINY, by_formula, four_panels, momentum_needs_more

from minidl.errors import StateError
from minidl.study.findings import findings, flips, statements
from minidl.study.four_panels import REPORT_SEEDS, TUNING_SEED
from minidl.study.panel_text import text
from minidl.study.panels import PANELS, RULES, Change
from minidl.study.table import Table


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The rows of a study that was carried out, what it found, and its text."""
    folder = tmp_path_factory.mktemp("panels")
    with four_panels(folder) as panels:
        found = findings(panels)
        return folder, list(panels.table.rows()), found, text(panels, found), panels.trainings()


def test_every_rule_has_as_many_trials_in_a_panel_and_the_best_is_run_again_on_fresh_paired_seeds(done):
    _, rows, _, _, trainings = done
    assert len(rows) == trainings == 4 * 9 * (4 + 6)
    for panel in PANELS:
        for rule in RULES:
            tuned = [row for row in rows if row["cell"] == f"mnist/{panel}/{rule}/tune"]
            report = [row for row in rows if row["cell"] == f"mnist/{panel}/{rule}/report"]
            assert [row["seed"] for row in tuned] == [TUNING_SEED] * 4
            assert [row["seed"] for row in report] == list(REPORT_SEEDS[:6])
            assert {row["config"]["part"] for row in tuned} == {"tuning"}
            assert {row["config"]["part"] for row in report} == {"reporting"}
            best = min(tuned, key=lambda row: row["result"]["loss"] or math.inf)
            assert {row["point"] for row in report} == {best["point"]}
            assert all(row["config"]["lr"] == best["config"]["lr"] for row in report)


def test_panel_four_has_the_winners_of_two_and_three_among_its_trials(done):
    _, rows, found, _, _ = done
    for rule in RULES:
        tuned = [row["config"] for row in rows if row["cell"] == f"mnist/P4/{rule}/tune"]
        for panel in ("P2", "P3"):
            won = found["mnist", panel].winners[rule].config
            assert any(won.items() <= config.items() for config in tuned)
        assert found["mnist", "P4"].winners[rule].tuned <= found["mnist", "P2"].winners[rule].tuned
        assert found["mnist", "P4"].winners[rule].tuned <= found["mnist", "P3"].winners[rule].tuned


def test_the_best_is_found_with_its_probability_and_diverged_trials_are_counted(done):
    _, rows, found, told, _ = done
    p1 = found["mnist", "P1"]
    assert p1.best == "NAdam"
    assert p1.probability[RULES.index("NAdam")] == 1
    assert p1.difference("SGD", "NAdam").sign == 1
    tuned = [row for row in rows if row["cell"] == "mnist/P1/NAdam/tune"]
    assert p1.diverged("NAdam") == np.mean([row["state"] == "diverged" for row in tuned])
    assert sum(p1.diverged(rule) for rule in RULES) > 0
    assert "mnist, P1: lr constant; lr alone is tuned\n4 trials a rule" in told
    assert "on 6 fresh seeds" in told


def test_the_notes_statements_are_said_to_hold_or_not_by_an_interval(done):
    _, _, found, told, _ = done
    said_so = {each.says: each for each in statements(found, "mnist")}
    assert said_so["adam_worst"].holds is False
    assert said_so["adam_best"].holds is False
    assert said_so["adam_best"].evidence[0][1] == "NAdam"
    assert "P4: Adam is the best" in told
    same = flips(found["mnist", "P1"], found["mnist", "P4"])
    assert same[RULES.index("NAdam"), RULES.index("SGD")] == 1
    assert (np.diag(same) == 0).all()


def test_a_study_that_is_done_is_not_done_again_and_another_tier_is_refused(done):
    folder, rows, _, told, _ = done
    with four_panels(folder, train=lambda config, seed: 1 / 0) as panels:
        assert list(panels.table.rows()) == rows
        assert text(panels, findings(panels)) == told
    message, code = said("study", "four-panels", str(folder), "--tier", "laptop")
    assert code == 1
    assert "holds another study" in message
    assert message.count("\n") == 1


def test_a_study_cut_off_anywhere_ends_with_the_same_numbers(done, tmp_path, monkeypatch):
    folder, _, _, told, _ = done
    left = [120]

    def train(config, seed):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return by_formula(config, seed)

    monkeypatch.setattr(panel_cases, "now", train, raising=False)
    for _ in range(30):
        left[0] = 120
        try:
            with four_panels(tmp_path, train=lambda config, seed: panel_cases.now(config, seed)) as panels:
                assert text(panels, findings(panels)) == told
                break
        except (KeyboardInterrupt, StateError):  # the second where it came to a worker of an executor of one's own
            continue
    with Table(folder) as whole, Table(tmp_path) as cut:
        assert whole.digest() == cut.digest()


def test_a_general_rule_that_loses_to_its_special_case_is_searched_once_more_in_a_wider_space(tmp_path):
    with four_panels(tmp_path, train=momentum_needs_more, tier=replace(TINY, trials=12)) as panels:
        rows, found = list(panels.table.rows()), findings(panels)
        again = panels.widened("mnist", "P3", "Momentum")
    assert Change("lr", True) in again
    for rule in RULES:  # all rules have as many trials still
        assert sum(row["cell"] == f"mnist/P3/{rule}/tune" for row in rows) == 24
        assert sum(row["cell"] == f"mnist/P4/{rule}/tune" for row in rows) == 24
        assert sum(row["cell"] == f"mnist/P1/{rule}/tune" for row in rows) == 12
    widest = max(row["config"]["lr"] for row in rows if row["cell"] == "mnist/P3/Momentum/tune")
    assert widest > 1
    assert ("SGD", "Momentum") in found["mnist", "P3"].too_small  # it stands: no ranking
    told = text(panels, found)
    assert "search too small, no ranking: Momentum contains SGD, and came out worse" in told


def test_where_no_border_is_flagged_there_are_twice_the_trials_in_the_same_space(tmp_path):
    with four_panels(tmp_path, train=momentum_needs_more) as panels:
        assert panels.widened("mnist", "P3", "Momentum") == []
        rows = [row for row in panels.table.rows() if row["cell"] == "mnist/P3/Momentum/tune"]
    assert len({row["config"]["lr"] for row in rows}) == 8


@pytest.mark.slow
def test_the_test_set_is_opened_once_after_a_smoke_study_on_the_command_line(tmp_path):
    told, code = said("study", "open-test", str(tmp_path))
    assert (code, told.count("no study is kept there")) == (1, 1)
    told, code = said("study", "four-panels", str(tmp_path / "p"), "--tier", "smoke")
    assert not code, told
    assert re.search(r"324 trainings of [\d.]+ s on \d+ workers: about", told)
    assert told.count("trials a rule by loss on the tuning data") == 4
    told, code = said("study", "open-test", str(tmp_path / "p"))
    assert not code, told
    assert (tmp_path / "p/test.lock").read_text().startswith("The test set was opened at")
    with Table(tmp_path / "p") as table:
        opened = list(table.rows("cell LIKE '%/test'"))
    assert len(opened) == 36
    assert {row["config"]["part"] for row in opened} == {"test"}
    again, code = said("study", "open-test", str(tmp_path / "p"))
    assert not code
    assert again.splitlines()[-36:] == told.splitlines()[-36:]


def test_a_verdict_is_best_tied_worse_or_that_the_search_was_too_small(done):
    p1 = replace(done[2]["mnist", "P1"], too_small=[("SGD", "NAdam")])
    seeds = np.random.default_rng(3).normal(size=(20, 1))
    apart = replace(p1, losses=seeds + np.array([5.0, 3, 3, 3, 3, 3, 3, 3, 1]))
    assert (apart.verdict("NAdam"), apart.verdict("Adam"), apart.verdict("SGD")) == ("best", "worse", "unranked")
    level = replace(p1, losses=seeds + np.array([5.0, 3, 3, 3, 3, 3, 3, 1, 1]))
    assert (level.verdict("NAdam"), level.verdict("Adam")) == ("tied", "tied")
