"""Commands on the terminal: errors and warnings in one line each, in characters that it can show."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..errors import MinidlError
from ..system.early import end
from ..system.terminal import attach_missing_streams, printable, spell_what_has_no_letter, tell

ARGUMENTS = "minidl.arguments"  # in a context's `meta`: what was typed behind the command


class Command(click.Command):
    """A command that remembers what was typed, to start others with it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A click group that shows errors and warnings in one line, without a traceback (--debug shows it)."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line, whatever state the standard streams are in."""
        attach_missing_streams()
        spell_what_has_no_letter()
        return super().main(*arguments, **options)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the options that come before the command."""
        with _printable_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        """Run the command; exit with 1 and one line where minidl or the system refuses, with 130 after Ctrl-C."""
        try:
            with _interruptible(), _printable_errors(), _in_one_line(bool(context.params.get("debug"))):
                return super().invoke(context)
        except KeyboardInterrupt:
            context.exit(130)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within the block, Ctrl-C raises ``KeyboardInterrupt``, as in every other program.

    What the process does about Ctrl-C is afterwards what it was before, except in the process of the command itself
    if it has ignored Ctrl-C since: it is about to exit, and says why.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        now = signal.getsignal(signal.SIGINT)
        if now is not before and not (before is end and now is signal.SIG_IGN):
            signal.signal(signal.SIGINT, before)


@contextmanager
def _printable_errors() -> Iterator[None]:
    """Write out the control characters in click's errors, which quote what was typed."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = printable(error.message, lines=True)
        raise


@contextmanager
def _in_one_line(debug: bool) -> Iterator[None]:
    """Turn the errors that a user can meet into click's, which are shown in one line; with `debug`, do not."""
    if debug:
        yield
        return
    warnings.showwarning = _show_warning
    try:
        yield
    except BrokenPipeError:  # the reader has closed the pipe, as head and less do
        _forget_output()
        raise SystemExit(141) from None
    except MinidlError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        _forget_output()
        where = printable(error.filename or "standard output")
        raise click.ClickException(f"{where}: {error.strerror or error}") from error
    except MemoryError as error:
        raise click.ClickException(f"out of memory: {error or 'there is not enough for this'}") from error


def _show_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    tell(f"Warning: {message}", error=True)


def _forget_output() -> None:
    """Discard what could not be printed, or Python would try again at exit, and fail."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
