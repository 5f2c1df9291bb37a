"""`minidl reproduce`: every row of the notes is there, its numbers are right to the last digit, its report is whole."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
import pytest
from data_files import write_cifar, write_imdb
from PIL import Image

import minidl
from minidl import optim
from minidl.errors import OptionError
from minidl.optim import rules
from minidl.teach import functions, plots
from minidl.teach.reproduce import ROWS, Check, Result, command, listing, report, trials
from minidl.teach.reproduce.registry import DIFFERS, FAILED, NOT_RUN, OFFERED, REPRODUCED, claim, number, passages
from minidl.teach.reproduce.rows import keras_equivalents, stability
from minidl.teach.reproduce.rows.averages import memory

# every id of the checklist of the notes
IDS = (
    "A1 A2 A3 A4 A5 A6 A7 A8 A9 "
    "FA1 FA2 FA3 FA4 FA5 FA6 FA7 FA8 FA9 FA10 FA11 FA12 FA13 FA14 "
    "EA1 EA2 EA3 EA4 EA5 EA6 EA7 EA8 EA9 EA10 EA11 "
    "EB1 EB2 EB3 EB4 EB5 EB6 EB7 EB8 EB9 EB10 EB11 EB12 EB13 EB14 "
    "FB0 FB1 FB2 FB3 FB4 FB5 "
    "S1 "
    "ER1 ER2 ER3 ER4 ER5 ER6 ER7 ER8 ER9 ER10 ER11 ER12 ER13 ER14 ER15 ER16 ER17 ER18 "
    "D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11"
).split()
TRAINED = {"FA11", "FB2", "FB3", "FB4", "EA10"}  # what comes of these depends on the budget
ABSENT = {"FA12", "FA13"}
OFFERS = ("EB11", "D7", "D9", "D10")
DRAWN = [id for id in IDS if id.startswith("F") and id not in ABSENT] + [
    "S1",
    "EA2",
    "EA5",
    "EA10",
    "EB3",
    "EB4",
    "EB12",
    "ER1",
]

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


def made(id):
    minidl.seed(0)
    with plots.style():
        return ROWS[id].run(quick=True)


def minidl_reproduce(*arguments, cwd, code=0, **environment):
    import os

    command = [sys.executable, "-W", "error", "-m", "minidl.cli", "reproduce", *map(str, arguments)]
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=600, env={**os.environ, **environment}
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


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
    assert number("x", "-0.000000", "-0.000000").ok
    assert not number("x", "0.000000", "-0.000000").ok


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
    good, bad = Check("a", "1", "1", True), Check("b", "1", "2", False)
    assert Result([good]).verdict == REPRODUCED
    assert Result([good, bad]).verdict == FAILED
    assert Result([good, bad], because="another workload").verdict == DIFFERS
    assert Result([good], because="another workload").verdict == REPRODUCED
    assert Result([], not_run="no data").verdict == NOT_RUN
    assert Result([], offered=True).verdict == Result([good], offered=True).verdict == OFFERED
    assert Result([good, bad], offered=True).verdict == FAILED
    assert claim("c", "seen", np.bool_(True)).ok is True


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
    return trials.Trial(**{"workload": "mnist/linear", "rule": "SGD", "lr": 0.1, "updates": 40, **given})


def test_a_trial_gives_the_same_curve_again_and_another_seed_another():
    first = trials.run(trial())
    assert first == trials.run(trial())
    assert first.steps == (20, 40)
    assert first.loss[1] < first.loss[0]
    assert trials.run(trial(seed=1)) != first


def test_a_trial_that_diverges_counts_as_infinitely_bad():
    curve = trials.run(trial(lr=1e9))
    assert curve.loss == (np.inf, np.inf)
    assert curve.error == (1.0, 1.0)


def test_a_falling_learning_rate_ends_at_its_share(monkeypatch):
    seen = []
    fit = trials.fit
    monkeypatch.setattr(trials, "fit", lambda model, data, optimizer, **options: (
        fit(model, data, optimizer=optimizer, **options), seen.append(optimizer.lr)))  # fmt: skip
    trials.run(trial(decay=0.01))
    assert seen == [pytest.approx(0.1 * 0.01)]


def test_trials_are_run_once_and_on_several_processes():
    wanted = [trial(updates=20, seed=7), trial(updates=20, seed=8)]
    found = trials.run_all([*wanted, wanted[0]])
    assert list(found) == wanted
    assert found[wanted[0]] is trials.run_all(wanted)[wanted[0]]
    assert found[wanted[0]] == trials.run(wanted[0])


# --- Style


def test_every_rule_has_a_colour_of_its_own():
    names = {name for name in optim.__all__ if isinstance(getattr(rules, name, None), type)}
    assert set(plots.COLOURS) == names
    assert len(set(plots.COLOURS.values())) == len(names)


def test_a_rules_line_has_its_colour_everywhere():
    _, ((axes,),) = plots.new_figure()
    plots.curves(axes, [0, 1], {"Adam": [1, 2], "Nesterov": [2, 1]})
    plots.trace(axes, np.zeros((3, 2)), "Adam")
    colours = [line.get_color() for line in axes.get_lines()]
    assert colours == [plots.COLOURS[name] for name in ("Adam", "Nesterov", "Adam", "Adam")]


# --- Names


def test_names_are_found_in_any_case_and_given_the_notes_order():
    assert [row.id for row in command.chosen(["fa3", "A10" if "A10" in ROWS else "a1", "ER18", "A1"])] == [
        "A1",
        "FA3",
        "ER18",
    ]
    assert [row.id for row in command.chosen(["ALL"])] == IDS


@pytest.mark.parametrize(("name", "close"), [("A11", "A1"), ("FA33", "FA3"), ("EAA4", "EA4"), ("al", "all")])
def test_an_unknown_name_lists_close_ones(name, close):
    with pytest.raises(OptionError, match=rf"no row '{name}'; close names: .*\b{close}\b"):
        command.chosen([name])


def test_the_listing_names_every_row():
    shown = listing()
    for id, row in ROWS.items():
        assert re.search(rf"^  {id} +{re.escape(row.title)}$", shown, re.MULTILINE)


# --- The report's parts


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ("v_t = βv_{t-1}", "v<sub>t</sub> = βv<sub>t-1</sub>"),
        ("β^τ, 2^-10, x_1^2", "β<sup>τ</sup>, 2<sup>-10</sup>, x<sub>1</sub><sup>2</sup>"),
        ("decay_steps < 3", "decay_steps &lt; 3"),
        ("Δx_t", "Δx<sub>t</sub>"),
    ],
)
def test_subscripts_and_superscripts(plain, shown):
    assert report._marked(plain) == shown


def test_two_drawings_on_one_page_share_no_names():
    svg = '<?xml version="1.0"?><svg><metadata>x</metadata><g id="a"/><use xlink:href="#a"/><g clip-path="url(#a)" style="fill:#aaa"/></svg>'
    assert report.inline(svg, "F") == (
        '<svg><g id="F-a"/><use xlink:href="#F-a"/><g clip-path="url(#F-a)" style="fill:#aaa"/></svg>'
    )


# --- All of it, quickly, as a user runs it


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    empty = {"MINIDL_DATA": str(folder / "none"), "XDG_CACHE_HOME": str(folder / "none")}
    return folder / "reproduced", minidl_reproduce("all", "--quick", cwd=folder, **empty)


def verdicts(printed):
    """The verdict of each row, from what was printed."""
    found, id = {}, None
    for line in printed.splitlines():
        if line.partition(" ")[0] in ROWS:
            id = line.partition(" ")[0]
        elif re.match(r"   [✓○≈✗–] ", line):
            found.setdefault(id, line[3])
    return found


@pytest.mark.slow
def test_every_row_is_run_and_those_that_train_nothing_are_reproduced(everything):
    _, printed = everything
    found = verdicts(printed)
    assert list(found) == IDS
    for id, verdict in found.items():
        if id in ABSENT:
            assert verdict == NOT_RUN
        elif id not in TRAINED:
            assert verdict == (OFFERED if id in OFFERS else REPRODUCED), id
        else:
            assert verdict in (REPRODUCED, DIFFERS, FAILED)


@pytest.mark.slow
def test_the_numbers_are_printed_beside_the_notes(everything):
    _, printed = everything
    assert (
        "A3   Momentum, β = 0.5, η = 0.6\n"
        "     ✓ 20 steps\n"
        "         minidl  epoch 20, x1: 0.007188, x2: 0.002553\n"
        "         note    epoch 20, x1: 0.007188, x2: 0.002553\n"
        "   ✓ reproduced\n"
    ) in printed
    assert re.search(r"84 rows in \d+ s\n  ✓ +\d+  reproduced: .*\n  ○ +4  offered: ", printed)


@pytest.mark.slow
def test_data_that_is_not_there_is_said_to_be_so_with_the_remedy(everything):
    _, printed = everything
    assert "– not run: data not present. cifar-10: not found." in printed
    assert "– not run: data not present. imdb: not found." in printed
    assert "download the “CIFAR-10 binary version" in printed


@pytest.mark.slow
def test_every_figure_is_there_as_svg_and_png(everything):
    folder, _ = everything
    names = {path.stem.partition("-")[0] for path in (folder / "figures").iterdir()}
    assert names == set(DRAWN)
    for svg in (folder / "figures").glob("*.svg"):
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        with Image.open(svg.with_suffix(".png")) as picture:
            assert min(picture.size) > 200
            colours = picture.convert("RGB").getcolors(1 << 24)
            assert len(colours) > 20  # lines and letters, not a blank sheet


@pytest.fixture(scope="module")
def page(everything):
    text = (everything[0] / "report.html").read_text(encoding="utf-8")
    return text, ElementTree.fromstring(text)  # raises if the page is not well-formed


@pytest.mark.slow
def test_the_report_holds_every_row_with_passage_verdict_and_code(page):
    text, root = page
    sections = {section.get("id"): section for section in root.iter("section")}
    assert list(sections) == IDS
    for id, section in sections.items():
        words = " ".join("".join(section.itertext()).split())
        quoted = "".join(section.find("blockquote/span").itertext())
        first = re.split(r"[_^{]", passages()[id].words)[0].split("\n")[0]
        assert first in quoted
        assert passages()[id].section.split("_")[0] in words
        assert f"def {ROWS[id].function.__name__}(" in words
        assert section.find("h3/span").text in "✓○≈✗–"
    assert "epoch 20, x1: -0.943467, x2: -0.000073" in text


@pytest.mark.slow
def test_the_report_has_every_figure_drawn_in_it(page, everything):
    _, root = page
    figures = list(root.iter("figure"))
    assert len(figures) == len(list((everything[0] / "figures").glob("*.svg")))
    assert all(figure.find("{http://www.w3.org/2000/svg}svg") is not None for figure in figures)
    assert all(figure.get("aria-label") for figure in figures)


@pytest.mark.slow
def test_the_report_needs_nothing_from_elsewhere(page):
    text, root = page
    for element in root.iter():
        assert element.tag.rpartition("}")[2] not in ("script", "link", "iframe", "base", "object")
        for name, value in element.attrib.items():
            if name.rpartition("}")[2] in ("src", "href", "srcset", "data", "poster"):
                assert value.startswith(("#", "data:")), value
    assert not re.search(r"@import|@font-face|url\((?!#)", text)


@pytest.mark.slow
def test_no_two_things_on_the_page_have_one_name_and_every_reference_leads_somewhere(page):
    text, root = page
    names = Counter(element.get("id") for element in root.iter() if element.get("id"))
    assert not [name for name, count in names.items() if count > 1]
    references = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    assert references <= set(names)


# --- As a user meets it


def test_without_a_name_the_rows_are_listed(tmp_path):
    assert minidl_reproduce(cwd=tmp_path).strip() == listing().strip()
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_refused_in_one_line(tmp_path):
    printed = minidl_reproduce("A99", cwd=tmp_path, code=1)
    assert "no row 'A99'; close names: A9" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_few_rows_come_with_their_tables_and_a_report_of_their_own(tmp_path):
    printed = minidl_reproduce("ea11", "a1", "--output", "here", cwd=tmp_path)
    assert re.search(r"^ +AdaDelta +s, d +2$", printed, re.MULTILINE)
    root = ElementTree.fromstring((tmp_path / "here/report.html").read_text(encoding="utf-8"))
    assert [section.get("id") for section in root.iter("section")] == ["A1", "EA11"]


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    assert "--output taken: cannot make this folder" in minidl_reproduce(
        "A1", "--output", "taken", cwd=tmp_path, code=1
    )


@pytest.mark.slow
def test_the_same_run_leaves_the_same_figures(tmp_path):
    for name in ("one", "two"):
        minidl_reproduce("FA3", "FA9", "--output", name, cwd=tmp_path)
    for file in ("FA3.svg", "FA3.png", "FA9.svg"):
        assert (tmp_path / "one/figures" / file).read_bytes() == (tmp_path / "two/figures" / file).read_bytes()


@pytest.mark.slow
def test_with_data_of_the_users_cifar_and_imdb_are_run(tmp_path):
    write_cifar(tmp_path / "data/cifar-10", count=40)
    good, bad = ["a good film", "very good", "I liked it"], ["a bad film", "very bad", "I hated it"]
    folders = {
        f"{part}/{kind}": texts * 40 for part in ("train", "test") for kind, texts in (("pos", good), ("neg", bad))
    }
    write_imdb(tmp_path / "data/imdb", folders)
    printed = minidl_reproduce("FA12", "FA13", "--quick", cwd=tmp_path, MINIDL_DATA=str(tmp_path / "data"))
    assert verdicts(printed) == {"FA12": DIFFERS, "FA13": DIFFERS}
    assert (
        printed.count(" every rule learns") == 2
    )  # or not: the pictures are noise, of which there is nothing to learn
    assert "✓ every rule learns" in printed.partition("FA13")[2]
    assert sorted(path.name for path in (tmp_path / "reproduced/figures").iterdir()) == [
        "FA12.png", "FA12.svg", "FA13.png", "FA13.svg",
    ]  # fmt: skip


def test_numbers_need_no_matplotlib_and_figures_name_the_extra(tmp_path):
    program = (
        "import sys; sys.modules['matplotlib'] = None\nfrom minidl.cli import main\nmain(['reproduce', *sys.argv[1:]])"
    )
    for name, code, said in (
        ("A1", 0, "reproduced"),
        ("FA3", 1, "figures need matplotlib: pip install 'minidl[plot]'"),
    ):
        result = subprocess.run([sys.executable, "-c", program, name], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == code, result.stderr
        assert said in result.stdout + result.stderr
        assert "Traceback" not in result.stderr


def test_importing_minidl_does_not_import_teach():
    program = "import sys, minidl; print([name for name in sys.modules if name.startswith('minidl.teach')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
