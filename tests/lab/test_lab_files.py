"""The page's files: what they may not hold, their languages, and the libraries that come with them."""

import hashlib
import json
import re
import tomllib
from string import Formatter

import pytest
from layers import PACKAGE

STATIC = PACKAGE / "lab/static"
OWN = sorted(path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts)
SCRIPTS = [path for path in OWN if path.suffix == ".js"]
WORDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((STATIC / "words").glob("*.json"))}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_run_from_text_or_fetched_from_elsewhere(path):
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")  # the names of SVG and MathML
    assert (
        re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|\beval\b|new Function|https?://|\bon\w+=\"",
            text,
        )
        == []
    )


@pytest.mark.parametrize("path", [path for path in OWN if path.parent.name != "words"], ids=lambda path: path.name)
def test_no_file_of_the_page_grows_past_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_import_is_of_a_file_that_is_there():
    for path in SCRIPTS:
        for name in re.findall(r'(?:from|import) "([^"]+)"', path.read_text(encoding="utf-8")):
            made = name.startswith("../written/")  # by export.py; test_lab_export.py opens it
            assert made or (path.parent / name).is_file(), f"{path.name}: {name}"


@pytest.mark.parametrize("language", WORDS)
def test_every_language_has_the_same_words_with_the_same_fields(language):
    assert set(WORDS) == {"en", "es", "it"}
    assert set(WORDS[language]) == set(WORDS["en"])
    for name, english in WORDS["en"].items():
        fields = [
            {field for _, field, _, _ in Formatter().parse(text) if field} for text in (english, WORDS[language][name])
        ]
        assert fields[0] == fields[1], name


def test_every_word_that_the_page_says_is_there_and_every_word_is_said():
    text = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    said = set(re.findall(r'say\([^()]*?"([\w.-]+)"', text)) | set(
        re.findall(r'(?:flip|button)\([^()"]*"([\w.-]+)"', text)
    )
    said |= set(re.findall(r'\? "([\w.]+)" : "[\w.]+"', text)) | set(re.findall(r'\? "[\w.]+" : "([\w.]+)"', text))
    prefixes = tuple(re.findall(r"say\([^()]*?`([\w.]+\.)\$\{", text))
    assert {"surface.", "push.", "error.", "key."} <= set(prefixes)
    names = set(WORDS["en"])
    assert {name for name in said if "." in name or name in names} <= names
    assert {name for name in names if name not in said and not name.startswith(prefixes)} == set()


def test_the_libraries_are_those_that_the_table_names():
    table = tomllib.loads((STATIC / "vendor/VENDOR.toml").read_text(encoding="utf-8"))
    hashes = {name: value for entry in table["package"] for name, value in entry["sha256"].items()}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (STATIC / "vendor").iterdir()}
    assert {name: there[name] for name in hashes} == hashes
    assert set(there) - set(hashes) == {"VENDOR.toml", "LICENSE"}
    licence = (STATIC / "vendor/LICENSE").read_text(encoding="utf-8")
    for entry in table["package"]:
        assert f"{entry['name']} {entry['version']}\nSPDX: {entry['licence']}\n" in licence
        assert entry["integrity"].startswith("sha512-")
