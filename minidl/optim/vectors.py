"""An optimizer's flat half: parameters, gradients and state as vectors, and the executors that update them."""

from collections.abc import Sequence

from ..backend import Array, backend_of, to_backend
from ..hardware.arithmetic import computes
from ..hardware.threads import both
from .execution.blocked import PendingGradient, executor
from .flat import Flat, Span
from .group import Group
from .rule import Rule


class Vectors(Flat):
    """The `values` and `gradients` of an optimizer's parameters, and by name the vectors of its `state`.

    All `groups` share the vectors; each has the executor of its rule.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        super().__init__([p for group in groups for p in group.parameters])
        self.groups = groups
        self.state: dict[str, Array] = {}
        self._prepared = self.values  # the vector that state and executors were made for
        for group in groups:
            part = self.part(group.first, group.last)
            for name, start in zip(group.rule.state, group.rule.init(self.values[part]), strict=True):
                if name not in self.state:
                    self.state[name] = self.zeros()
                self.state[name][part] = start

    def prepare(self) -> None:
        """See to it that state and executors are for where the parameters are now, and for today's equations.

        Raises `OptionError` if a group holds what is not allowed.
        """
        for group in self.groups:
            group.read()  # another equation needs another executor
        if self.values is not self._prepared:
            self._prepared = self.values
            for name, vector in self.state.items():
                self.state[name] = self.zeros()
                self.state[name][...] = to_backend(vector, backend_of(self.values))
            for group in self.groups:
                group.executor = None
        for group in self.groups:
            if group.executor is None:
                group.executor = executor(group.rule, self.of_rule(group.rule))

    def of_rule(self, rule: Rule) -> list[Array]:
        """The vectors that `rule` works on: θ, the gradient, then its state."""
        return [self.values, self.gradients, *[self.state[name] for name in rule.state]]

    def spans_by_group(self, active: Sequence[bool]) -> list[tuple[Span, ...]]:
        """For each group, the elements of those of its parameters that are `active`."""
        return [self.spans(active, group.first, group.last) for group in self.groups]

    @computes  # and not `step`: schedules, which are the user's, are read as Python computes
    def apply(self, t: int, now: Sequence[tuple[Rule, float]], pending: PendingGradient | None) -> list[bool]:
        """Make update number `t`, with the rule and the rate of each group; which parameters have moved.

        Replaced parameters and gradients are taken in first; a `pending` gradient is made as a part of the update.
        """
        self.claim()
        active = self.collect()
        self.prepare()
        spans = self.spans_by_group(active)
        if pending is not None and len(spans) == 1 and self.groups[0].executor.can_overlap(spans[0], pending):
            rule, lr = now[0]
            self.groups[0].executor.step(rule, lr, t, spans[0], pending)
            return active
        if pending is not None:
            both(pending.first, pending.second)
        for group, (rule, lr), own in zip(self.groups, now, spans, strict=True):
            group.executor.step(rule, lr, t, own)
        return active
