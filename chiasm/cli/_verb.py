"""Running one verb: its file, its arguments, and its failures told in one line.

Private to the command line (the underscore keeps it from being a verb).
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import typer

from chiasm.registry import UnknownName

INTERRUPTED = 130  # what a shell expects of a process that Ctrl-C ended: 128 + SIGINT
SHOWN = 3  # how many of a group of errors the one line names


def run_verb(verb: str, arguments: Sequence[str], *, debug: bool) -> NoReturn:
    """Import `chiasm.cli.<verb>`, parse the arguments, run it, and exit with the documented code."""
    module = importlib.import_module(f"chiasm.cli.{verb}")
    warnings.showwarning = _show_warning
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        no_args_is_help=hasattr(module, "commands"),
        help=module.__doc__,
    )
    several: dict[str, Callable[..., None]] = getattr(module, "commands", {})
    for name, function in several.items():
        app.command(name)(_guarded(function, verb=f"{verb} {name}", debug=debug))
    if not several:
        app.command()(_guarded(module.command, verb=verb, debug=debug))
    app(list(arguments), prog_name=f"chiasm {verb}")
    raise SystemExit(0)


def message(error: BaseException) -> str:
    """One line that says what went wrong; a group of errors names the first few and counts the rest."""
    if isinstance(error, BaseExceptionGroup):
        leaves = list(_leaves(error))
        text = "; ".join(message(leaf) for leaf in leaves[:SHOWN])
        more = len(leaves) - SHOWN
        return f"{text}; and {more} more" if more > 0 else text
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split())
    expected = type(error).__module__.startswith("chiasm") or isinstance(error, ValueError | OSError)
    return text if expected and text else f"{type(error).__name__}: {text} (--debug shows where)"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _guarded(function: Callable[..., None], *, verb: str, debug: bool) -> Callable[..., None]:
    """The same function with its failures turned into one line on stderr and an exit code."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except KeyboardInterrupt as error:
            _fail(f"chiasm {verb}: {str(error) or 'stopped'}", INTERRUPTED)
        except BrokenPipeError:
            # The reader (`head`, `less`) has gone; what is still buffered for it has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except UnknownName as error:
            if debug:
                raise
            _fail(f"chiasm {verb}: {message(error)}", 2)
        except (typer.BadParameter, typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if debug:
                raise
            # An error may say its own code: `Interrupted` of the training loop has that of Ctrl-C.
            _fail(f"chiasm {verb}: {message(error)}", getattr(error, "exit_code", 1))

    return guarded


def _fail(line: str, code: int) -> NoReturn:
    print(line, file=sys.stderr)
    raise SystemExit(code)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning in one line, without the place in the source that raised it."""
    print(f"chiasm: warning: {' '.join(str(message).split())}", file=sys.stderr)
