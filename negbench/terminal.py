"""The process of the command line: its streams, its signals, and how an error ends it in one line."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

import negbench
from negbench import user_files
from negbench.errors import InputError, PartError
from negbench.escaping import for_terminal

if TYPE_CHECKING:
    from rich.console import Console

_OF_THE_SYSTEM = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ESTALE),
}
"""Errors that disks and permissions give, not mistakes in the program."""

_RESUMED = ("run", "quickstart", "repair", "evaluate")
"""Commands that go on where an interrupted one stopped."""


class Interrupted(KeyboardInterrupt):
    """A signal that asks the process to end, other than Ctrl-C; what is cleaned up after that is cleaned up, too."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Commands(TyperGroup):
    """The commands; an interrupted one says what is kept, and ends with 128 and the signal's number.

    An option or argument that is wrong is an InputError, as anything else that a user gives.
    """

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the command line to its end."""
        try:
            code = super().main(*args, **{**more, "standalone_mode": False})
        except Exception as error:
            if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
                raise  # it is no error about options and arguments, whose class typer keeps to itself
            if type(error).__name__ == "NoArgsIsHelpError":
                print(error.format_message(), file=sys.stderr)
                sys.exit(error.exit_code)
            context = getattr(error, "ctx", None)
            command = context.command_path if context is not None else "negbench"
            problem = error.format_message().rstrip(". ")
            raise InputError(f"{problem}; `{command} --help` lists what can be given") from error
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for; an interrupt ends the process."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            number = error.number if isinstance(error, Interrupted) else int(signal.SIGINT)
            print_error(f"negbench: stopped by {signal.Signals(number).name}{_kept(ctx.invoked_subcommand)}")
            sys.exit(128 + number)


def carry_out(app: Callable[[], object]) -> None:
    """Run the command line; an InputError, or an error of a disk, is printed in one line on stderr with exit code 2.

    So is a PartError, which is a mistake in a part's own code, with exit code 1.
    """
    _open_streams()
    try:
        try:
            with _listening():
                app()
        finally:
            sys.stdout.flush()  # at the interpreter's end an error would be printed in several lines
    except InputError as error:
        print_error(f"negbench: {error}")
        sys.exit(2)
    except PartError as error:
        print_error(f"negbench: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:  # the reader has seen enough
        _drop_output()
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            raise
        where = user_files.shown(os.fsdecode(error.filename)) if error.filename else "a file or the output"
        print_error(f"negbench: {where}: {error.strerror}; what is finished is kept, run again once this is mended")
        _drop_output()
        sys.exit(2)


def show(result: negbench.Result, as_json: bool) -> None:
    """Print a result: as a table, or as JSON for programs."""
    if as_json:
        print(json.dumps(result.data, indent=1))
    else:
        result.show()


def console(stderr: bool = False) -> Console:
    """Return a console that shows text as it is: square brackets are no markup, and ``:name:`` is no emoji."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def say(line: str, stderr: bool = False, style: str | None = None) -> None:
    """Print a line as it is, but for characters that would steer a terminal, on stdout or stderr."""
    console(stderr).print(for_terminal(line), style=style, soft_wrap=True)


def print_error(line: str) -> None:
    """Print a line in red on stderr."""
    say(line, stderr=True, style="red")


def _kept(command: str | None) -> str:
    if command not in _RESUMED:
        return ""
    store = os.environ.get("NEGBENCH_STORE", ".negbench")
    return f"; every finished stage is kept in {store}, and the same command goes on from there"


def _open_streams() -> None:
    """Open streams that are closed, and let those that cannot show a character show another instead."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, mode), number)  # or the next file that is opened would be taken for it
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif reconfigure := getattr(getattr(sys, name), "reconfigure", None):
            reconfigure(errors="replace")


def _drop_output() -> None:
    """Drop what stdout still holds, which cannot be written."""
    if sys.stdout is sys.__stdout__:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@contextlib.contextmanager
def _listening() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the process as Ctrl-C does, unless they are ignored (nohup)."""

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough; a second one would cut the cleaning up short
        raise Interrupted(number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    in_main = threading.current_thread() is threading.main_thread()  # no other thread may listen
    heard = [number for number in numbers if in_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
