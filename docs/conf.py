"""How Sphinx builds the site: ``sphinx-build docs site``, from a checkout with ``pip install '.[docs]'``.

The pages are the Markdown files of this folder and of the one above, and one page per public module: these
_extensions/api_pages.py writes into ``docs/api``. Nothing is fetched, neither to build the site nor to read it.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent)]  # this checkout, whatever is installed

import minidl  # noqa: E402

project = "minidl"
copyright = "the minidl authors, MIT licence"
version = release = minidl.__version__

extensions = [
    "myst_parser",
    "root_pages",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "public_api",
    "api_pages",
    "docstrings",
    "names",
    "rule_equations",
    "laboratory",
]
exclude_patterns = ["_*"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", "RichText"),  # rich has no inventory worth keeping for one name
    ("py:(class|obj)", r"[A-Z](\.args|\.kwargs)?"),  # type variables
]
show_warning_types = True
highlight_language = "text"  # of what names no language: equations, listings, tables

smartquotes_action = "D"  # dashes only: "inside" is what one types
myst_heading_anchors = 3  # page.md#a-heading, as code hosts have it

default_role = "name"  # names.py has it
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # np.float32, as in the source
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 72
add_module_names = False
toc_object_entries_show_parents = "hide"

# What minidl's signatures and docstrings name of others' documentation. Plain text, so that a build needs no network.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", "_inventories/python.inv"),
    "numpy": ("https://numpy.org/doc/stable/", "_inventories/numpy.inv"),
}

html_theme = "furo"
html_title = f"minidl {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # a page opened from a file may not read the others
html_show_sphinx = False
pygments_style, pygments_dark_style = "friendly", "monokai"
