"""The command line: `chiasm VERB ...`. A file here is a verb, found by its name and imported only when it is used.

A verb file's docstring begins with the line that `chiasm --help` shows, read without importing the file. It defines
`command`, a function whose parameters are the arguments (typer), or `commands`, such functions by sub-verb.

Exit codes: 0 done, 1 a failure told in one line on stderr, 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from chiasm.registry import names, nearest
from chiasm.version import __version__

ORDER = ("demo", "train", "evaluate", "predict", "explain", "report", "recipes", "synth", "doctor")

USAGE = """\
Usage: chiasm VERB ...

  Cross-modal models: rows in; a trained, measured, explained model out.

Verbs (`chiasm VERB --help` shows examples):
{verbs}

Options:
  --version   print the version
  --debug     with any verb: show the full traceback of a failure
  --help      this

Start with `chiasm demo`: everything on a generated world, in minutes, without a network.
"""


def verb_names() -> list[str]:
    """All verbs, in the order of use; a new file comes last."""
    found = names(__name__, __path__)
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def summary(verb: str) -> str:
    """The first line of a verb file's docstring, without importing the file."""
    source = (Path(__file__).parent / f"{verb}.py").read_text(encoding="utf-8")
    return source.split('"""', 2)[1].split("\n", 1)[0]


def usage() -> str:
    """What `chiasm --help` prints."""
    verbs = verb_names()
    width = max(map(len, verbs))
    return USAGE.format(verbs="\n".join(f"  {verb:<{width}}  {summary(verb)}" for verb in verbs))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; always ends by raising SystemExit with the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("--help", "-h", "help"):
        print(usage(), end="")
        raise SystemExit(0 if words else 2)
    if words[0] == "--version":
        print(f"chiasm {__version__}")
        raise SystemExit(0)
    verb, *rest = words
    if verb not in verb_names():
        print(f"chiasm: {nearest(verb, verb_names(), what='verb')}", file=sys.stderr)
        raise SystemExit(2)
    from chiasm.cli._verb import run_verb

    run_verb(verb, rest, debug=debug)
