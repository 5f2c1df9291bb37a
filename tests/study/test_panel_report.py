"""The report of four panels: one page that opens anywhere, in three languages, with every ranking under its budget."""

import re
import xml.etree.ElementTree as ElementTree
from string import Formatter

import pytest
from browser import chromium, violations
from command_line import said
from panel_cases import four_panels, momentum_needs_more

from minidl.study import report
from minidl.study.report import WORDS, write_report


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page, and its folder."""
    folder = tmp_path_factory.mktemp("report")
    with four_panels(folder, train=momentum_needs_more) as panels:
        return folder, write_report(panels, folder).read_text(encoding="utf-8")


def words(element):
    return " ".join("".join(element.itertext()).split())


def test_every_language_has_every_word_and_fills_in_the_same_facts():
    english = WORDS["en"]
    for language in ("es", "it"):
        assert WORDS[language].keys() == english.keys()
        for name, text in WORDS[language].items():
            fields = [{field for _, field, _, _ in Formatter().parse(each) if field} for each in (text, english[name])]
            assert fields[0] == fields[1], (language, name)


def test_the_note_stands_in_its_own_words_beside_what_came_out(pages):
    root = ElementTree.fromstring(pages[1].partition("\n")[2])
    assert root.get("lang") == "en"
    assert "Nel primo: α/learning rate costante, Adam peggiore" in words(root.find(".//blockquote"))
    table = root.find(".//section/div/table")
    statements = [[words(cell) for cell in row] for row in table.findall(".//tbody/tr")]
    assert len(statements) == 5
    assert {row[1] for row in statements} <= {"yes", "no", "not decided"}
    assert all(re.search(r"[+-]\d\.\d{4} \[.+, .+\]", row[3].replace("\N{NO-BREAK SPACE}", " ")) for row in statements)


def test_no_ranking_stands_without_its_budget_and_a_search_that_was_too_small_is_said_so(pages):
    root = ElementTree.fromstring(pages[1].partition("\n")[2])
    articles = root.findall(".//article")
    assert len(articles) == 4
    for article, trials in zip(articles, (4, 4, 8, 8), strict=True):
        assert f"{trials} trials a rule, 1 epochs of 500 samples, 6 fresh seeds" in words(article.find(".//caption"))
        assert len(article.findall(".//table[1]/tbody/tr")) == 2 * 9
    assert "Search too small, no ranking: Momentum contains SGD" in words(articles[2])


def test_the_page_needs_nothing_else_and_its_figures_are_files_too(pages):
    folder, made = pages
    assert not re.search(r'(?:src|href)="(?!#)', re.sub(r'xmlns(:\w+)?="[^"]*"', "", made))
    names = sorted(path.name for path in (folder / "figures").iterdir())
    assert names == ["mnist-best-of-k.svg", "mnist-figure.svg", "mnist-sensitivity.svg", "mnist-survival.svg"]
    assert report.FILE == "report.html"


@pytest.mark.slow
def test_the_command_writes_it_again_in_another_language(pages):
    folder, _ = pages
    told, code = said("study", "report", str(folder), "--language", "es")
    assert (told, code) == (f"report: {folder}/report.html\n", 0)
    assert '<html lang="es">' in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_everybody_can_read_it(pages):
    folder, _ = pages
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 400, "height": 900})
        page.goto((folder / "report.html").as_uri())
        assert violations(page) == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
