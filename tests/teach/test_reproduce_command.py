"""`minidl reproduce` as a user runs it: the listing, all rows, quickly, and the report of them."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest
from data_files import write_cifar, write_imdb
from make_reproduced import PAGE, offers, row_line
from notes_text import stands_in
from PIL import Image
from reproduce_cases import ABSENT, DRAWN, IDS, OFFERS, TRAINED, TURNS, minidl_reproduce

from minidl.errors import OptionError
from minidl.teach.reproduce import ROWS, command, listing
from minidl.teach.reproduce.record import read
from minidl.teach.reproduce.registry import (
    MEANING,
    NOT_RUN,
    NOTE_A,
    NOTE_B,
    OFFERED,
    REPRODUCED,
    SOURCES,
    UNDECIDED,
    passages,
)

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
        elif re.match(r"   [✓◇○≈?✗–] ", line):
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
        elif id in TURNS:
            assert verdict == UNDECIDED
        elif id not in TRAINED:
            assert verdict == (OFFERED if id in OFFERS else REPRODUCED), id
        else:
            assert verdict in MEANING


@pytest.mark.slow
def test_the_numbers_are_printed_beside_the_notes(everything):
    _, printed = everything
    assert (
        "A3   Momentum, β = 0.5, η = 0.6\n"
        "     ✓ 20 steps\n"
        "         minidl  epoch 20, x1: 0.007188, x2: 0.002553\n"
        "         note A  epoch 20, x1: 0.007188, x2: 0.002553\n"
        "   ✓ reproduced\n"
    ) in printed
    assert re.search(r"104 rows in \d+ s\n  ✓ +\d+  reproduced: (.*\n)+  ○ +6  offered: ", printed)


@pytest.mark.slow
def test_data_that_is_not_there_is_said_to_be_so_with_the_remedy(everything):
    _, printed = everything
    assert "– not run: data not present. cifar-10: not found." in printed
    assert "– not run: data not present. imdb: not found." in printed
    assert "download the “CIFAR-10 binary version" in printed


# --- Where expected values are from

A_NUMBER = re.compile(r"(?<![\wβηλ])\d+(?:\.\d+)?")  # not the 1 of β1


def checks(folder):
    for one in read(folder / "report.json").values():
        for check in one.checks:
            yield one.id, check


@pytest.mark.slow
def test_every_expected_value_says_where_it_is_from(everything):
    for id, check in checks(everything[0]):
        assert check.source in SOURCES, (id, check.what)
        assert check.expected or check.words, (id, check.what)
        assert bool(check.words) <= check.source.startswith("note"), (id, check.what)


@pytest.mark.slow
def test_what_is_said_to_be_a_notes_stands_in_the_note(everything):
    found = [(id, check) for id, check in checks(everything[0]) if check.source in (NOTE_A, NOTE_B)]
    assert len(found) > 50
    for id, check in found:
        words = check.words or check.expected
        assert stands_in(words, check.source), (id, words)
        assert all(number in words for number in A_NUMBER.findall(check.expected)), (id, check.expected)


def test_a_value_that_no_note_has_is_not_found_in_one():
    assert stands_in("x1: -0.943467, x2: -0.000073", "note A")
    assert not stands_in("x1: -0.943468, x2: -0.000073", "note A")
    assert stands_in("α_τ = α_0/100", "note B")
    assert not stands_in("α_τ = α_0/100", "note A")


# --- The page about it


@pytest.mark.slow
def test_the_page_has_the_verdicts_of_a_run(everything):
    """Those of the rows whose budget is smaller here are of a full run; they are held to this version's rows."""
    page = PAGE.read_text(encoding="utf-8")
    records = read(everything[0] / "report.json").values()
    shown = {line.split()[1]: line for line in page.splitlines() if re.match(r"\| [A-Z]+\d+ \S \|", line)}
    for one in records:
        if one.quick is None:
            expected = row_line(one) if one.verdict not in (REPRODUCED, OFFERED) else None
            assert shown.get(one.id) == expected, f"{one.id}: run tests/support/make_reproduced.py"
        elif one.id in shown:
            asked = [check.what[:20] for check in one.checks]
            assert any(words in shown[one.id] for words in asked) or one.verdict == NOT_RUN
    assert all(f"| {meaning} |" in page for meaning in MEANING.values())
    assert offers(records)[0] in page


# --- Figures and report


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
    articles = {article.get("id"): article for article in root.iter("article")}
    assert sorted(articles) == sorted(IDS)
    for id, article in articles.items():
        words = " ".join("".join(article.itertext()).split())
        quoted = "".join(article.find("blockquote").itertext())
        first = re.split(r"[_^{]", passages()[id].words)[0].split("\n")[0]
        assert first in quoted
        assert passages()[id].section.split("_")[0] in words
        assert f"def {ROWS[id].function.__name__}(" in words
        assert article.find("h4/span").text == article.get("data-verdict")
        assert article.get("data-verdict") in MEANING
    assert "epoch 20, x1: -0.943467, x2: -0.000073" in text


@pytest.mark.slow
def test_the_report_has_every_figure_drawn_in_it(page, everything):
    _, root = page
    drawn = [element for element in root.iter("div") if element.get("role") == "img"]
    assert len(drawn) == len(list((everything[0] / "figures").glob("*.svg")))
    assert all(element.find("{http://www.w3.org/2000/svg}svg") is not None for element in drawn)
    assert all(len(element.get("aria-label")) > 40 for element in drawn)


@pytest.mark.slow
def test_the_report_needs_nothing_from_elsewhere(page):
    text, root = page
    for element in root.iter():
        assert element.tag.rpartition("}")[2] not in ("link", "iframe", "base", "object")
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
    assert [article.get("id") for article in root.iter("article")] == ["A1", "EA11"]


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
    assert set(verdicts(printed)) == {"FA12", "FA13"}
    assert NOT_RUN not in verdicts(printed).values()
    assert (
        printed.count(" every rule learns") == 2
    )  # or not: the pictures are noise, of which there is nothing to learn
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
