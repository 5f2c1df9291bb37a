"""What `single backticks` mean in docstrings: a link where they name something public, and code where they do not."""

import re
from typing import Any

from docutils import nodes
from public_api import public_objects
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")


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
    if link.get("byname"):
        return content
    in_signature = "refexplicit" not in link  # a role has it
    return content if in_signature and (target.startswith("minidl.") or "._" in target) else None  # not for users


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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_role("name", Name())
    app.connect("doctree-read", leave_parameters)
    app.connect("missing-reference", resolve, priority=900)  # after intersphinx
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
