"""A training that is broken off in the middle, to see how it goes on."""

from minidl.train import Callback


class Interrupt(Exception):
    pass


class Until(Callback):
    """Breaks training off before the update after `step`, without a word to anyone, as a crash does."""

    def __init__(self, step):
        self.last = step

    def interval(self, run):
        return max(self.last - run.step, 1)

    def on_pause(self, run):
        if run.step >= self.last:
            raise Interrupt
