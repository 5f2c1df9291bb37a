"""How minidl's docstrings are read: `single backticks` are names, and what is set in by four columns is an equation."""

import inspect
import re
from typing import Any

from docutils import nodes
from public_api import public_objects
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")
TOLD = re.compile(r"\b(Source|Memory|Defaults?|Neighbours): ")
SECTIONS = Config(napoleon_use_ivar=True)


class Name(SphinxRole):
    """The default role: a link where it names something public, and code where it does not."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The node for one name, to be resolved once all pages are read."""
        literal = nodes.literal(self.rawtext, self.text, classes=["py", "py-obj"])
        if not NAME.fullmatch(self.text):
            return [literal], []
        link = addnodes.pending_xref(
            self.rawtext,
            literal,
            refdomain="py",
            reftype="obj",
            reftarget=self.text.removesuffix("()"),
            refdoc=self.env.docname,
            byname=True,
        )
        link["py:module"] = self.env.ref_context.get("py:module")
        link["py:class"] = self.env.ref_context.get("py:class")
        self.set_source_info(link)
        return [link], []


def leave_parameters(app: Sphinx, doctree: nodes.document) -> None:
    """Show as code, without a link, what is the name of a parameter of what is being described."""
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link.get("byname") and link["reftarget"] in _parameters(link):
            link.replace_self(link.children)


def _parameters(node: nodes.Node) -> set[str]:
    """The parameters of the signatures that a node stands under."""
    names: set[str] = set()
    while node is not None:
        if isinstance(node, addnodes.desc):
            for parameter in node.findall(addnodes.desc_parameter):
                if parameter.parent.parent.parent is node:
                    names |= {name.astext() for name in list(parameter.findall(addnodes.desc_sig_name))[:1]}
        node = node.parent
    return names


def resolve(app: Sphinx, env: BuildEnvironment, link: addnodes.pending_xref, content: nodes.Element) -> Any:
    """Find what Sphinx could not: short names, names by which code is imported within minidl, and plain code."""
    target = link.get("reftarget", "")
    if link.get("refdomain") != "py":
        return None
    public = _public(target, link.get("py:module") or "")
    known = env.domains.python_domain.objects
    if public in known:
        place = known[public]
        return make_refnode(app.builder, link["refdoc"], place.docname, place.node_id, content, public)
    internal = target.startswith("minidl.") or "._" in target  # a type in a signature that users do not make
    return content if link.get("byname") or internal else None


def _public(target: str, module: str) -> str | None:
    """The full name of the public object that `target`, read within `module`, stands for."""
    objects = public_objects()
    holder, _, member = target.rpartition(".")
    for candidate in (f"{module}.{target}", f"minidl.{target}", target):
        if candidate in objects:
            return objects[candidate].name
    for name, public in objects.items():  # Tensor, minidl.tensor.Tensor, nn.Dense
        written = f"{getattr(public.value, '__module__', '')}.{name.rpartition('.')[2]}"
        if target == written or f".{name}".endswith(f".{target}"):
            return public.name
    if holder and (owner := _public(holder, module)):  # Tensor.backward
        return f"{owner}.{member}"
    return None


def read(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make reStructuredText of a docstring, in place."""
    if what == "data" and "\n".join(lines).strip() == (inspect.getdoc(type(obj)) or "").strip():
        lines.clear()  # a dict, say, has no docstring of its own
    lines[:] = _with_equations(lines)
    lines[:] = _with_lines([bars_as_they_are(line) for line in lines])
    if what not in ("property", "attribute", "data"):  # there napoleon takes "Where it lives: ..." for a type
        lines[:] = GoogleDocstring(lines, SECTIONS, app, what, name, obj, options).lines()


def without_addresses(app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str, result: str) -> Any:
    """Leave out of a signature the defaults that are no Python: a function, or what a dataclass makes anew."""
    return (re.sub(r"<function [^>]*>+|<factory>", "...", arguments), result) if arguments else None


def _with_equations(lines: list[str]) -> list[str]:
    """Make a literal block of each block that is set in after an empty line: its columns and lines have a meaning."""
    result: list[str] = []
    above = 0  # how far the paragraph above is set in
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if line.strip() and i and not lines[i - 1].strip() and indent >= above + 4 and _is_prose(result):
            result += [" " * above + "::", ""]
            above = indent
        elif line.strip():
            above = indent
        result.append(line)
    return result


def _with_lines(lines: list[str]) -> list[str]:
    """Keep a rule's last lines apart, which begin with what they tell: Source, Memory, Defaults, Neighbours."""
    result: list[str] = []
    within = False
    for line in lines:
        begins = TOLD.match(line)
        within = bool(begins) or (within and bool(line.strip()))
        apart = TOLD.sub(r"\n| **\1:** ", line).strip().split("\n")
        result += [part if part.startswith("| **") else f"  {part}" for part in apart] if within else [line]
    return result


def bars_as_they_are(line: str) -> str:
    """The same line, with the bars of ``|x|`` outside of code escaped: to reStructuredText they are a substitution."""
    return "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in re.split(r"(``.*?``)", line))


def _is_prose(lines: list[str]) -> bool:
    """Whether the paragraph that ends `lines` is neither a list's item, nor a directive, nor an announced block."""
    paragraph = []
    for line in reversed(lines):
        if not line.strip() and paragraph:
            break
        paragraph += [line.strip()] if line.strip() else []
    return bool(paragraph) and not paragraph[0].endswith("::") and not re.match(r"([-*+]|\d+\.|\.\.) ", paragraph[-1])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_role("name", Name())
    app.connect("autodoc-process-docstring", read)
    app.connect("autodoc-process-signature", without_addresses)
    app.connect("doctree-read", leave_parameters)
    app.connect("missing-reference", resolve, priority=900)  # after intersphinx
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
