"""docs/check_site.py finds what a reader without a network would miss in a built site."""

import runpy
from pathlib import Path

import pytest

faults = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "check_site.py"))["faults"]


def site(folder, page="", **files):
    (folder / "index.html").write_text(f'<html><body><h1 id="top">Site</h1>{page}</body></html>')
    for name, text in files.items():
        folder.joinpath(name.replace("_", ".")).write_text(text)
    return faults(folder)


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example.org/math.js"></script>',
        '<script src="//cdn.example.org/math.js"></script>',
        '<img src="http://example.org/logo.png">',
        '<link rel="stylesheet" href="https://fonts.example.org/css">',
        '<p style="background: url(https://example.org/paper.png)">',
        "<style>@import 'https://fonts.example.org/css';</style>",
        '<script>fetch("https://example.org/pages.json")</script>',
    ],
)
def test_a_page_that_loads_from_elsewhere_is_found(tmp_path, page):
    assert len(site(tmp_path, page)) == 1


def test_a_style_or_script_that_loads_from_elsewhere_is_found(tmp_path):
    style, script = (
        "@font-face { src: url(https://fonts.example.org/serif) }",
        'a.src = "https://cdn.example.org/math.js"',
    )
    assert site(tmp_path, site_css=style, site_js=script) == [
        "site.css loads https://fonts.example.org/serif",
        "site.js loads https://cdn.example.org/math.js",
    ]


def test_links_may_lead_anywhere_and_those_within_the_site_must_arrive(tmp_path):
    outside = '<a href="https://example.org/">there</a> <a href="mailto:a@example.org">write</a>'
    assert site(tmp_path, outside + '<a href="index.html#top">top</a><a href="#top">top</a>') == []
    assert site(tmp_path, '<a href="gone.html">gone</a>') == ["index.html links to gone.html, which is not there"]
    assert site(tmp_path, '<a href="#gone">gone</a>') == ["index.html links to #gone, which is not there"]


def test_what_lies_beside_the_page_may_be_loaded(tmp_path):
    page = '<link rel="stylesheet" href="site.css"><script src="site.js"></script><link rel="canonical" href="https://a.b/">'
    assert site(tmp_path, page, site_css="a { background: url(a.svg) }", site_js="// see https://example.org") == []
