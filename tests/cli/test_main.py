"""The command line as a whole: fast to start, verbs found by file, failures in one line, the exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm import cli
from chiasm.cli import _verb, main, summary, verb_names
from chiasm.data.example import DataError, RowError
from chiasm.registry import UnknownName

VERBS = ["demo", "train", "evaluate", "predict", "explain", "report", "recipes", "synth", "doctor"]
HEAVY = ("torch", "pandas", "transformers", "sklearn", "matplotlib", "datasets", "pyarrow")


def exit_code(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def modules_after(*words: str) -> set[str]:
    """The heavy modules a fresh process has imported once `chiasm WORDS` is over."""
    code = (
        f"import sys\nfrom chiasm.cli import main\ntry:\n    main({list(words)!r})\nexcept SystemExit:\n    pass\n"
        f"print('modules:', *[m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_names_every_verb_with_the_first_line_of_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    shown = capsys.readouterr().out
    assert [verb for verb in verb_names() if verb in VERBS] == VERBS
    for verb in verb_names():
        assert summary(verb) in shown
        assert len(summary(verb)) < 90


def test_help_imports_nothing_heavy() -> None:
    assert modules_after("--help") == set()


@pytest.mark.parametrize("verb", verb_names())
def test_each_verbs_help_shows_examples_and_imports_nothing_heavy(verb: str) -> None:
    assert modules_after(verb, "--help") == set()
    done = subprocess.run([sys.executable, "-m", "chiasm", verb, "--help"], capture_output=True, text=True, check=True)
    assert f"chiasm {verb}" in done.stdout
    assert "Example" in done.stdout or "Commands" in done.stdout


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr().out.startswith("chiasm 0.")


def test_no_verb_is_wrong_usage_and_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code() == 2
    assert "Verbs" in capsys.readouterr().out


def test_an_unknown_verb_is_wrong_usage_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("trian") == 2
    assert "did you mean 'train'" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("doctor", "--jsn", "x") == 2
    assert "--json" in capsys.readouterr().err


def test_a_new_verb_is_a_new_file_and_comes_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "zap.py").write_text('"""Zap it."""\n')
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    assert verb_names()[-1] == "zap"


def run(function: Callable[[], None], *, debug: bool = False) -> int:
    with pytest.raises(SystemExit) as ended:
        _verb._guarded(function, verb="test", debug=debug)()
    return int(ended.value.code or 0)


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def test_a_failure_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(DataError("rows.csv has no column 'anwser';\n did you mean 'answer'?"))) == 1
    assert capsys.readouterr().err == "chiasm test: rows.csv has no column 'anwser'; did you mean 'answer'?\n"


def test_a_failure_nobody_foresaw_names_its_kind_and_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(ZeroDivisionError("division by zero"))) == 1
    assert capsys.readouterr().err == "chiasm test: ZeroDivisionError: division by zero (--debug shows where)\n"


def test_debug_lets_the_traceback_through() -> None:
    with pytest.raises(ZeroDivisionError):
        _verb._guarded(raising(ZeroDivisionError()), verb="test", debug=True)()


def test_a_group_of_bad_rows_names_the_first_and_counts_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [RowError("no image", origin=f"a.csv, line {i}") for i in range(5)]
    assert run(raising(ExceptionGroup("bad rows", rows))) == 1
    told = capsys.readouterr().err
    assert "a.csv, line 0: no image; a.csv, line 1: no image; a.csv, line 2: no image; and 2 more" in told


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(lambda: print((tmp_path / "absent.csv").read_text())) == 1
    assert capsys.readouterr().err == f"chiasm test: {tmp_path / 'absent.csv'}: No such file or directory\n"


def test_an_unknown_name_is_wrong_usage() -> None:
    assert run(raising(UnknownName("unknown recipe 'dmo'"))) == 2


def test_ctrl_c_is_exit_code_130_and_passes_on_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt("saved; go on with --resume"))) == 130
    assert "saved; go on with --resume" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_traceback() -> None:
    code = "from chiasm.cli import _verb; _verb._guarded(lambda: print('x' * 1_000_000), verb='test', debug=False)()"
    command = f'{sys.executable} -c "{code}" | true'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
