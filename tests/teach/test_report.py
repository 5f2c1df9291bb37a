"""The report of `minidl reproduce`: its order, its languages, what it keeps, and that everybody can read it."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise
from string import Formatter

import pytest
from browser import chromium, violations

import minidl
from minidl.errors import OptionError
from minidl.teach.reproduce import ROWS, reproduce
from minidl.teach.reproduce.origin import sources_sha256
from minidl.teach.reproduce.page.order import topics
from minidl.teach.reproduce.page.row import finding
from minidl.teach.reproduce.page.text import inline, marked
from minidl.teach.reproduce.page.words import MEANINGS, WORDS
from minidl.teach.reproduce.record import read
from minidl.teach.reproduce.registry import FAILED, MEANING, REPRODUCED
from minidl.teach.reproduce.report import report

MATHML = "{http://www.w3.org/1998/Math/MathML}"
SOME = ["A1", "A3", "FA3", "EA4", "EB7", "D1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the report of some rows, and their records, one of them failed."""
    folder = tmp_path_factory.mktemp("made")
    reproduce(SOME, output=folder)
    records = read(folder / "report.json")
    records["A3"] = replace(records["A3"], verdict=FAILED, sources={"minidl.teach." + 60 * "x": "def a3(): ..."})
    return folder, list(records.values())


@pytest.fixture(scope="module")
def page(made):
    folder, records = made
    return ElementTree.fromstring(report(records, folder))


def words(element):
    return " ".join("".join(element.itertext()).split())


# --- Order


def test_the_notes_are_followed_section_by_section():
    found = topics(ROWS.values())
    assert [topic.title for topic in found if topic.chapter == "A"] == [
        "Introducción", "Descenso del gradiente", "Descenso del gradiente estocástico", "Mini batch SGD",
        "Descenso del gradiente, momentum", "Optimizadores", "Adagrad", "RMSProp", "Adadelta", "Adam",
    ]  # fmt: skip
    numbers = [topic.title.split()[0] for topic in found if topic.chapter == "B"]
    assert numbers == ("1.1 1.2 1.3 1.4 1.5 1.5.1 1.5.2 1.6 1.7 1.8 1.8.1 1.9 1.10 1.2–1.10 1.10.1 1.10.2".split())
    assert [topic.title for topic in found if topic.chapter == "A+B"] == ["stability", "disagreements"]
    assert sorted(row.id for topic in found for row in topic.rows) == sorted(ROWS)


def test_numbers_figures_statements_and_slips_of_a_section_stand_together():
    momentum = next(topic for topic in topics(ROWS.values()) if topic.title == "Descenso del gradiente, momentum")
    ids = [row.id for row in momentum.rows]
    assert [id for id in ids if id in ("A3", "FA5", "EA3", "ER6")] == ["A3", "FA5", "EA3", "ER6"]
    assert "A6" not in ids


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(element.tag[1]) for element in page.iter() if re.fullmatch(r"h\d", element.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert levels.count(4) == len(SOME)
    assert all(after - before <= 1 for before, after in pairwise(levels))


# --- Languages


@pytest.mark.parametrize("language", ["es", "it"])
def test_every_fixed_word_and_verdict_is_translated(language):
    assert set(MEANINGS[language]) >= set(MEANING)
    assert set(WORDS[language]) == set(WORDS["en"])
    for name, english in WORDS["en"].items():
        fields = [
            {field for _, field, _, _ in Formatter().parse(text) if field} for text in (english, WORDS[language][name])
        ]
        assert fields[0] == fields[1], name


def test_a_page_in_italian_keeps_the_languages_of_notes_and_rows(made):
    folder, records = made
    root = ElementTree.fromstring(report(records, folder, "it"))
    assert root.get("lang") == "it"
    assert "Dove le due dispense non concordano" in words(root)
    rows = {article.get("id"): article for article in root.iter("article")}
    assert rows["A1"].find("blockquote/span").get("lang") == "es"
    assert rows["A1"].find("h4/span[2]").get("lang") == "en"
    assert rows["A3"].find("h4/span").get("aria-label") == "non riprodotto"


def test_the_passages_of_both_notes_are_each_in_their_language(page):
    spans = page.findall(".//article[@id='D1']/blockquote/span")
    assert [(span.get("lang"), words(span)[:3]) for span in spans] == [("es", "[A]"), ("it", "[B]")]


# --- Equations, figures, origin


def test_equations_are_mathematics_in_the_notes_own_letters(page):
    a3, eb7 = (page.find(f".//article[@id='{id}']//{MATHML}math") for id in ("A3", "EB7"))
    assert ["".join(row.itertext()) for row in a3.iter(f"{MATHML}mtr")] == [
        "vt=βvt-1+gt".replace("βv", "β\N{INVISIBLE TIMES}v"), "xt=xt-1−η\N{INVISIBLE TIMES}vt",
    ]  # fmt: skip
    assert "".join(eb7.itertext()).replace("\n", "").endswith("r←r+g⊙gθ←θ+−αδ+r⊙g")
    assert a3.find(f"{MATHML}mtable").get("displaystyle") == "true"
    sides = [cell.get("style") for cell in a3.find(f".//{MATHML}mtr")]
    assert sides == ["text-align: right", "text-align: center", "text-align: left"]


def test_a_figure_says_what_was_found_to_those_who_do_not_see_it(made, page):
    _, records = made
    fa3 = next(one for one in records if one.id == "FA3")
    drawn = page.find(".//article[@id='FA3']//figure/div/div")
    assert drawn.get("role") == "img"
    assert drawn.get("aria-label") == finding(fa3)
    assert fa3.checks[0].ours in finding(fa3)
    assert "not as expected" not in finding(fa3)
    assert "not as expected" in finding(replace(fa3, checks=[replace(fa3.checks[0], ok=False)]))


def test_a_figure_that_is_gone_is_said_to_be(made, tmp_path):
    _, records = made
    assert "figures/FA3.svg is not there any more; make FA3 again" in report(records, tmp_path)


def test_a_row_of_another_version_says_so(made):
    folder, records = made
    records = [replace(one, origin=one.origin | {"minidl": "0.0.7"}) if one.id == "A1" else one for one in records]
    root = ElementTree.fromstring(report(records, folder))
    said = [id for id in SOME if "made by minidl 0.0.7" in words(root.find(f".//article[@id='{id}']"))]
    assert said == ["A1"]


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
    assert marked(plain) == shown


def test_two_drawings_on_one_page_share_no_names():
    svg = '<?xml version="1.0"?><svg><metadata>x</metadata><g id="a"/><use xlink:href="#a"/><g clip-path="url(#a)" style="fill:#aaa"/></svg>'
    assert inline(svg, "F") == (
        '<svg><g id="F-a"/><use xlink:href="#F-a"/><g clip-path="url(#F-a)" style="fill:#aaa"/></svg>'
    )


# --- What is kept


def test_the_json_file_has_values_verdicts_times_seeds_and_digests(made):
    folder, _ = made
    rows = {one["id"]: one for one in json.loads((folder / "report.json").read_text(encoding="utf-8"))["rows"]}
    assert list(rows) == SOME
    a1 = rows["A1"]
    assert a1["checks"][0]["ours"] == "epoch 20, x1: -0.943467, x2: -0.000073"
    assert (a1["verdict"], a1["seed"], a1["quick"]) == (REPRODUCED, 0, None)
    assert 0 < a1["seconds"] < 60
    assert a1["origin"]["minidl"] == minidl.__version__
    assert a1["origin"]["sources_sha256"] == sources_sha256()
    assert a1["origin"]["mnist_sha256"]["train-images-idx3-ubyte"].startswith("ba891046e650")
    assert rows["FA3"]["figures"][0]["file"] == "figures/FA3"


def test_a_run_of_one_row_adds_to_the_report_and_overwrites_no_other(tmp_path):
    reproduce(["A2", "D2"], output=tmp_path)
    kept = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    for row in kept["rows"]:
        row["seconds"] = 1000.0  # which no run of theirs takes
    (tmp_path / "report.json").write_text(json.dumps(kept), encoding="utf-8")
    before = read(tmp_path / "report.json")
    reproduce(["A1", "A2"], output=tmp_path)
    after = read(tmp_path / "report.json")
    assert list(after) == ["A1", "A2", "D2"]
    assert after["D2"] == before["D2"]
    assert after["A2"].seconds < before["A2"].seconds == 1000
    shown = ElementTree.fromstring((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [article.get("id") for article in shown.iter("article")] == ["A1", "A2", "D2"]


@pytest.mark.parametrize("content", ["{", "[]", '{"rows": [{"id": "A1"}]}'])
def test_a_report_json_of_something_else_is_refused_and_kept(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(OptionError, match=r"report\.json: not a file that this version .* --output"):
        reproduce(["A1"], output=tmp_path)
    assert (tmp_path / "report.json").read_text() == content


# --- In a browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser, made):
    """A function that opens the report in a window; at the end nothing may have been asked of any machine."""
    folder, records = made
    contexts, asked = [], []

    def open_(width=1280, scheme="light", language="en"):
        path = folder / f"{language}.html"
        path.write_text(report(records, folder, language), encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme))
        shown = contexts[-1].new_page()
        for event in ("console", "pageerror"):
            shown.on(event, lambda said: asked.append(str(said)))
        shown.on("request", lambda request: None if request.url == path.as_uri() else asked.append(request.url))
        shown.goto(path.as_uri())
        return shown

    yield open_
    for context in contexts:
        context.close()
    assert asked == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme", "language"), [(1280, "light", "en"), (390, "dark", "es")])
def test_axe_finds_nothing_that_keeps_a_reader_out(opened, width, scheme, language):
    assert violations(opened(width, scheme, language)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_scrolls_sideways_and_the_contents_stay_in_sight(opened, width):
    shown = opened(width)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.locator("#D1").scroll_into_view_if_needed()
    assert shown.evaluate("scrollY") > 500
    assert shown.locator("nav summary").bounding_box()["y"] < 50
    assert shown.locator("nav li").first.is_visible() == (width == 1280)


@pytest.mark.slow
def test_rows_are_shown_by_verdict_in_the_page_and_the_contents(opened):
    shown = opened()
    shown.get_by_label("not reproduced").last.wait_for()
    shown.locator("#filter input[value='✓']").uncheck()
    assert [row.get_attribute("id") for row in shown.locator("article:visible").all()] == ["A3"]
    assert shown.locator("nav a[href='#A3']").is_visible()
    assert not shown.locator("nav a[href='#D1']").is_visible()
    assert not shown.locator("#note-A-B").is_visible()  # a chapter of which nothing is left
    shown.locator("#filter input[value='✓']").check()
    assert shown.locator("article:visible").count() == len(SOME)


@pytest.mark.slow
def test_the_page_is_dark_where_the_reader_wants_it_and_figures_keep_their_paper(opened):
    ground = {}
    for scheme in ("light", "dark"):
        shown = opened(scheme=scheme)
        ground[scheme] = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (
            shown.evaluate("getComputedStyle(document.querySelector('.drawn')).backgroundColor") == "rgb(255, 255, 255)"
        )
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}
