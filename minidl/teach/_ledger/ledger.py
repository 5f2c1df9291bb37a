"""The ledger: for a few elements, the numbers that the update rule computed with at every step of a training.

    book = ledger(optimizer, [(model[0].weight, (3, 7))])
    ... train ...
    print(book.at(12))                       # the rule's lines with their numbers
    print(book.at(12).text(letters="A"))     # in note A's letters; also .latex() and .mathml()

It reads and never writes: training is bit for bit the same with it. An optimizer without one pays nothing: `attach`
puts a function in front of the optimizer's ``step``.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...display.tables import html_of
from ...errors import OptionError, StateError
from ...nn import Module
from ...optim import Optimizer
from ...tensor import Tensor
from ...train import Callback, Run
from .entry import Entry
from .history import picture, table

_LAST = 12  # entries that a notebook shows
Index = int | tuple[int, ...]
Elements = Sequence[tuple[Any, Index]]


class _Place(NamedTuple):
    """One element: the number of its parameter, its index there, and its position in the optimizer's flat state."""

    parameter: int
    element: tuple[int, ...]
    flat: int


class Ledger(Callback):
    """Entries for some elements of an optimizer's parameters, one a step; made by `ledger`.

    ``len(book)`` counts the entries; iterating over it gives them all, in the order of the steps.
    """

    def __init__(self, elements: Elements | None = None, names: Mapping[str, Tensor] | Module | None = None) -> None:
        self.elements = elements
        self.names = dict(names.named_parameters() if isinstance(names, Module) else names or {})
        self.optimizer: Optimizer | None = None
        self._hook: Callable[[], None] | None = None  # what replaces the optimizer's step
        self._covered: Callable[[], None] | None = None  # what it replaced, if that was the hook of another ledger
        self._parameters: list[Any] = []
        self._shapes: list[tuple[int, ...]] = []
        self._places: list[_Place] = []
        self._entries: dict[tuple[_Place, int], Entry] = {}
        self._newest: dict[_Place, Entry] = {}

    def attach(self, optimizer: Any) -> None:
        """Record every step of `optimizer` from now on.

        Raises `OptionError` for what is no optimizer, and for elements that it does not have; `StateError` if
        the ledger is attached already.
        """
        if not isinstance(optimizer, Optimizer):
            raise OptionError(f"ledger: expected a minidl optimizer, got {type(optimizer).__name__}")
        if self.optimizer is not None:
            raise StateError("this ledger is attached to an optimizer already: detach() it first, or make another")
        self._parameters = list(optimizer.vectors.parameters)
        self._shapes = [p.shape for p in self._parameters]
        self._places = [self._place(self._number_of(parameter), index) for parameter, index in self.elements or ()]
        original = optimizer.step

        def step() -> None:
            if self._hook is step:
                self._record(optimizer, original)
            else:  # detached, but another ledger's hook still covers this one
                original()

        self.optimizer, self._hook, self._covered = optimizer, step, vars(optimizer).get("step")
        vars(optimizer)["step"] = step

    def detach(self) -> None:
        """Record no more; the entries stay."""
        if self.optimizer is not None and vars(self.optimizer)["step"] is self._hook:
            del vars(self.optimizer)["step"]
            vars(self.optimizer).update({} if self._covered is None else {"step": self._covered})
        self.optimizer = self._hook = self._covered = None

    def on_start(self, run: Run) -> None:
        """As a callback of `fit`: attach to its optimizer, and take the parameters' names from the model."""
        self.names = self.names or dict(run.model.named_parameters())
        if self.optimizer is None:
            self.attach(run.optimizer)

    def on_end(self, run: Run) -> None:
        """As a callback of `fit`: detach."""
        self.detach()

    def at(self, step: int, parameter: Any = None, index: Index | None = None) -> Entry:
        """The entry of `step` (t, from 1) for an element: of `parameter` (itself, its number or name), at `index`.

        Left out, they are those of the first element recorded. Raises `OptionError` if there is no such entry.
        """
        place = self._recorded(parameter, index)
        if (place, step) not in self._entries:
            steps = [t for other, t in self._entries if other == place]
            known = f"its entries are of steps {min(steps)} to {max(steps)}" if steps else "it has none so far"
            where = f"{self._where(place)} (a step without a gradient leaves none)"
            raise OptionError(f"ledger: no entry of step {step} for {where}: {known}")
        return self._entries[place, step]

    def table(
        self, first: int = 1, last: int | None = None, parameter: Any = None, index: Index | None = None, **shown: Any
    ) -> str:
        """The steps from `first` to `last` (both included) of an element, a line each.

        A line has the gradient, what the rule keeps, the effective learning rate (lr over the divisor, if there is
        one), the change of theta, and theta. `shown` are letters, digits, note, language and decimal, as in
        `Entry.text`. Raises `OptionError` if there is no such entry.
        """
        return table(self._between(first, last, parameter, index), **shown)

    def plot(
        self, first: int = 1, last: int | None = None, parameter: Any = None, index: Index | None = None, **shown: Any
    ) -> Any:
        """The same as a matplotlib figure, a panel for each value that is kept, and one for the effective rate.

        `shown` are letters, note and language. Raises `MissingExtraError` without matplotlib.
        """
        return picture(self._between(first, last, parameter, index), **shown)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def _recorded(self, parameter: Any, index: Index | None) -> _Place:
        """The place of an element that is recorded: the first that fits."""
        number = None if parameter is None else self._number_of(parameter)
        places = [place for place in self._places if number in (None, place.parameter)]
        if index is not None and places:
            wanted = self._place(places[0].parameter, index)
            places = [place for place in places if place == wanted]
        if not places:
            recorded = ", ".join(map(self._where, self._places)) or "none so far"
            raise OptionError(f"ledger: that element is not recorded; these are: {recorded}")
        return places[0]

    def _between(self, first: int, last: int | None, parameter: Any, index: Index | None) -> list[Entry]:
        """The entries of one element from a step to another."""
        place = self._recorded(parameter, index)
        found = [e for (other, t), e in self._entries.items() if other == place and first <= t <= (last or t)]
        if not found:
            until = "the end" if last is None else last
            raise OptionError(f"ledger: no entries from step {first} to {until} for {self._where(place)}")
        return found

    def __repr__(self) -> str:
        places = ", ".join(map(self._where, self._places)) or "elements that its first step chooses"
        return f"<Ledger of {places}: {len(self)} entries>"

    def _repr_html_(self) -> str:
        """The last entries as a table."""
        head = ("t", "element", "gradient", "before", "after", "moved by")
        rows = [
            (str(entry.t), entry.where, *(f"{x:.6g}" for x in (entry.g, entry.before["theta"], entry.after["theta"])),
             f"{entry.step:+.4g}")
            for entry in list(self)[-_LAST:]
        ]  # fmt: skip
        note = f"{len(self)} entries in all; book.at(t) shows one with every number of its equation"
        return html_of([head, *rows], "><>>>>", note)

    def _record(self, optimizer: Optimizer, step: Callable[[], None]) -> None:
        """Execute `step`, and read the values before and after it into entries."""
        if [p.shape for p in self._parameters] != self._shapes:
            step()  # raises: a parameter has changed its shape
            return
        if self.elements is None:
            self._choose_elements()
        before = [self._values(optimizer, place) for place in self._places]
        step()
        rules = {
            id(p): optimizer.at(optimizer.t, number)
            for number, group in enumerate(optimizer.groups)
            for p in group["params"]
        }
        for place, old in zip(self._places, before, strict=True):
            p = self._parameters[place.parameter]
            if p.grad is None or not p.requires_grad:
                continue
            rule, lr = rules[id(p)]
            new = self._values(optimizer, place)
            names = ("theta", *rule.state)
            last = self._newest.get(place)
            entry = Entry(
                where=self._where(place),
                rule=rule,
                lr=lr,
                t=optimizer.t,
                g=float(p.dtype.type(p.grad.data[place.element].item())),
                before={name: old[name] for name in names},
                after={name: new[name] for name in names},
                dtype=p.dtype,
                first=None if last is None else last.first or last,
                diverged=_diverged(last, optimizer.t, new["theta"]),
            )
            self._entries[place, optimizer.t] = self._newest[place] = entry

    def _choose_elements(self) -> None:
        """Of each parameter that has none yet, take the element with the largest gradient."""
        chosen = {place.parameter for place in self._places}
        for number, p in enumerate(self._parameters):
            if number not in chosen and p.requires_grad and isinstance(p.grad, Tensor):
                self._places.append(self._place(number, abs(p.grad.data).argmax().item()))

    def _values(self, optimizer: Optimizer, place: _Place) -> dict[str, float]:
        """The values of one element: theta and the state, by name."""
        theta = self._parameters[place.parameter].data[place.element]
        return {"theta": theta.item(), **{name: v[place.flat].item() for name, v in optimizer.vectors.state.items()}}

    def _number_of(self, parameter: Any) -> int:
        """The number, among all of the optimizer's, of a parameter: of itself, its number, or its name."""
        if isinstance(parameter, str):
            if parameter not in self.names:
                raise OptionError(
                    f"ledger: no parameter is called {parameter!r}; names: {', '.join(self.names) or 'none'}"
                )
            parameter = self.names[parameter]
        for number, p in enumerate(self._parameters):
            if parameter is p or (type(parameter) is int and parameter == number):
                return number
        what = f"number {parameter}" if isinstance(parameter, int) else f"this {type(parameter).__name__}"
        raise OptionError(f"ledger: {what} is none of the optimizer's {len(self._parameters)} parameters")

    def _place(self, parameter: int, index: Index) -> _Place:
        """The place of an element; `index` is a tuple, or a number that counts through all elements in C order."""
        shape = self._shapes[parameter]
        start = sum(math.prod(other) for other in self._shapes[:parameter])
        try:
            within = index if isinstance(index, int) else int(np.ravel_multi_index(index, shape))
            return _Place(parameter, tuple(map(int, np.unravel_index(within, shape))), start + within)
        except (ValueError, TypeError) as error:
            named = self._name(parameter) or f"parameter {parameter}"
            raise OptionError(f"ledger: {named}, of shape {shape}, has no element {index!r}") from error

    def _name(self, parameter: int) -> str | None:
        """What the parameter of that number is called, if names were given."""
        return next((name for name, p in self.names.items() if p is self._parameters[parameter]), None)

    def _where(self, place: _Place) -> str:
        name = self._name(place.parameter) or f"parameters[{place.parameter}]"  # as optimizer.parameters[0] is
        return f"{name}[{', '.join(map(str, place.element))}]" if place.element else name


def _diverged(last: Entry | None, t: int, theta: float) -> int | None:
    """The step since which an element is no finite number."""
    if math.isfinite(theta):
        return None
    return t if last is None or last.diverged is None else last.diverged


def ledger(
    optimizer: Any = None, elements: Elements | None = None, names: Mapping[str, Tensor] | Module | None = None
) -> Ledger:
    """Record every step of an optimizer, for a few elements of its parameters.

    Args:
        optimizer: recorded from now on, until ``detach()``. None makes a callback, which attaches to the optimizer of
            the `fit` that it is given to, for that fit.
        elements: pairs of a parameter (itself, its number among the optimizer's, or its name) and an index. By default
            one element of each parameter, that with the largest gradient at the first step.
        names: the model, or a dict of parameters by name; a callback asks the model that is trained. Without them
            a parameter is called by its place: parameters[0] is ``optimizer.parameters[0]``.

    Returns:
        A `Ledger`; ``at(step)`` gives its entries.

    Raises:
        OptionError: `optimizer` is none of minidl's, or has no such elements.
    """
    book = Ledger(elements, names)
    if optimizer is not None:
        book.attach(optimizer)
    return book
