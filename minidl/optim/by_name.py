"""Optimizers by their names, as the command line gives them."""

from ..errors import OptionError
from .optimizer import Optimizer


def find_rule(name: str) -> type[Optimizer]:
    """The optimizer class called `name`, in any case. Raises `OptionError` with the list."""
    known = {kind.__name__.lower(): kind for kind in Optimizer.__subclasses__()}
    if name.lower() not in known:
        raise OptionError(f"optimizer {name!r}: choose one of {', '.join(sorted(known))}")
    return known[name.lower()]
