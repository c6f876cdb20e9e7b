"""`chiasm serve`: what it refuses before it listens."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., int]


def test_another_address_without_a_token_is_refused(
    chiasm: Run, trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHIASM_TOKEN", raising=False)
    assert chiasm("serve", trained / "bundle", "--host", "0.0.0.0", "--port", 0) == 1
    assert "a token is needed" in capsys.readouterr().err


def test_a_short_token_and_an_empty_file_are_refused(
    chiasm: Run, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("short\n")
    assert chiasm("serve", trained / "bundle", "--token-file", tmp_path / "token") == 1
    assert "at least 16" in capsys.readouterr().err
    (tmp_path / "token").write_text("\n")
    assert chiasm("serve", trained / "bundle", "--token-file", tmp_path / "token") == 2
    assert "should hold the token" in capsys.readouterr().err


def test_what_is_no_bundle_is_named(chiasm: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert chiasm("serve", tmp_path / "nothing") == 1
    assert "is not a bundle" in capsys.readouterr().err


def test_without_the_extra_the_pip_line_is_printed(
    chiasm: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert chiasm("serve", "any") == 1
    assert "pip install 'chiasm[serve]'" in capsys.readouterr().err


def test_help_shows_examples(chiasm: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert chiasm("serve", "--help") == 0
    assert "chiasm serve runs/demo/bundle" in capsys.readouterr().out
