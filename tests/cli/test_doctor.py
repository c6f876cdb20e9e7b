"""`chiasm doctor` tells what is there, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from chiasm.cli import doctor, main
from chiasm.training.data import cache_folder


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *words])
    return int(ended.value.code or 0)


def without(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Make the installed metadata say that the package `missing` is not there."""
    version = importlib.metadata.version

    def fake(name: str) -> str:
        if name == missing:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", fake)


def test_a_whole_installation_is_ok_and_goes_to_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "doctor.json"
    assert run("--json", str(file)) == 0
    content = json.loads(file.read_text())
    assert content["ok"] is True
    assert {"torch", "transformers", "typer"} <= {p["name"] for p in content["packages"] if p["fits"]}
    assert f"written: {file}" in capsys.readouterr().out


def test_a_missing_extra_says_what_it_enables_and_the_pip_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "datasets")
    assert run() == 0
    shown = capsys.readouterr().out
    assert "rows from Hugging Face data sets" in shown
    assert "pip install 'chiasm[datasets]'" in shown


def test_a_missing_required_package_is_exit_code_1_with_the_pip_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "tomli-w")
    assert run() == 1
    told = capsys.readouterr()
    assert "tomli-w        missing, needs >=1.0" in told.out
    assert "pip install 'tomli-w>=1.0'" in told.err


def test_a_package_that_cannot_be_imported_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(doctor.IMPORTED_AS, "tomli-w", "a_wheel_that_does_not_load")
    assert run() == 1
    assert "ModuleNotFoundError" in capsys.readouterr().out


@pytest.mark.parametrize("given", [{}, {"XDG_CACHE_HOME": "x"}, {"XDG_CACHE_HOME": "x", "CHIASM_CACHE": "c"}])
def test_the_cache_that_is_shown_is_the_one_that_training_uses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str]
) -> None:
    for name in ("XDG_CACHE_HOME", "CHIASM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    assert doctor.machine()["cache"] == str(cache_folder())


def test_every_extra_of_the_package_says_what_it_enables() -> None:
    assert {p.extra for p in doctor.packages() if p.extra} <= set(doctor.ENABLES)
