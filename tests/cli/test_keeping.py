"""What the verbs leave alone: files that were there before an answer is, files that are read; and wrong numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from chiasm.cli import _inputs, _show

Chiasm = Callable[..., int]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def broken(picture: Path, tmp_path: Path) -> Path:
    """Rows, the third of which has a picture that cannot be read."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    pictures = (picture, picture, tmp_path / "broken.png", picture)
    rows = [{"id": f"row{n}", "image": str(p), "text": "is it red?"} for n, p in enumerate(pictures, start=1)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_answers_that_fail_leave_the_former_file(chiasm: Chiasm, trained: Path, broken: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    out.write_text("former")
    words = ("predict", trained / "bundle", "--rows", broken, "--out", out, "--batch-size", 1)
    assert chiasm(*words) == 1
    assert out.read_text() == "former"
    assert [path.name for path in tmp_path.iterdir() if "answers" in path.name] == ["answers.jsonl"]
    assert chiasm(*words, "--on-error", "skip") == 0
    assert len(out.read_text().splitlines()) == 4


def test_rows_are_not_written_over(chiasm: Chiasm, trained: Path, broken: Path, capsys: Captured) -> None:
    before = broken.read_text()
    there = broken.parent / ".." / broken.parent.name / broken.name
    for verb in ("predict", "explain"):
        out = there if verb == "predict" else there.with_suffix(".html")
        rows = broken if verb == "predict" else broken.rename(broken.with_suffix(".json"))
        assert chiasm(verb, trained / "bundle", "--rows", rows, "--out", out) == 2
        assert "written over what is read" in " ".join(capsys.readouterr().err.replace("│", " ").split())
        assert rows.read_text() == before


def test_only_what_is_read_is_refused(tmp_path: Path) -> None:
    _inputs.keep_inputs(tmp_path / "out.jsonl", None, tmp_path / "rows.jsonl")
    with pytest.raises(typer.BadParameter, match="written over"):
        _inputs.keep_inputs(tmp_path / "rows.jsonl", None, tmp_path / "rows.jsonl")


def test_numbers_that_cannot_be_written_leave_the_former_file(tmp_path: Path) -> None:
    _show.write_json([1.0, float("nan")], tmp_path / "new" / "a.json")
    with pytest.raises(TypeError):
        _show.write_json([object()], tmp_path / "new" / "a.json")
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == [1.0, None]


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "b", "--text", "a", "--top-k", "0"),
        ("predict", "b", "--text", "a", "--top-k", "-1"),
        ("predict", "b", "--rows", "r.csv", "--batch-size", "0"),
        ("predict", "b", "--rows", "r.csv", "--batch-size", "-2"),
        ("explain", "b", "--rows", "r.csv", "--limit", "0"),
        ("examples", "b", "--limit", "0"),
        ("report", "r", "--examples", "-1"),
        ("demo", "--scenes", "0"),
        ("demo", "--seconds", "0"),
        ("features", "extract", "i", "--out", "s", "--regions", "0"),
        ("features", "extract", "i", "--out", "s", "--workers", "0"),
        ("features", "graphs", "s", "i", "--out", "g.json", "--regions", "0"),
        ("synth", "scenes", "--out", "w", "--workers", "0"),
        ("synth", "scenes", "--out", "w", "--scenes", "0"),
        ("synth", "scenez", "--out", "w"),
        ("synth", "scenes", "--out", "w", "--set", "questions=99"),
        ("synth", "dialogues", "--out", "w", "--set", "scene=5"),
    ],
    ids=" ".join,
)
def test_a_number_out_of_range_is_wrong_usage(chiasm: Chiasm, words: tuple[str, ...], tmp_path: Path) -> None:
    assert chiasm(*words) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_of_world_names_the_nearest(chiasm: Chiasm, capsys: Captured) -> None:
    assert chiasm("synth", "scenez", "--out", "w") == 2
    assert "did you mean 'scenes'" in capsys.readouterr().err


def test_a_folder_with_another_world_is_a_failure_and_no_wrong_usage(chiasm: Chiasm, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "mine.txt").write_text("")
    assert chiasm("synth", "scenes", "--out", "w") == 1


def test_explain_puts_the_reason_in_a_bad_rows_place_only_when_asked(
    chiasm: Chiasm, trained: Path, broken: Path, tmp_path: Path, capsys: Captured
) -> None:
    page = tmp_path / "why.html"
    words = ("explain", trained / "bundle", "--rows", broken, "--limit", 3, "--method", "gradient_input")
    assert chiasm(*words, "--out", page) == 1
    assert not page.exists()
    assert chiasm(*words, "--out", page, "--on-error", "skip") == 0
    found = json.loads(page.with_suffix(".json").read_text())
    assert [one["id"] for one in found] == ["row1", "row2", "row3"]
    assert ["error" in one for one in found] == [False, False, True]
    assert "row3: not explained: " in capsys.readouterr().out


def test_explain_writes_no_page_about_nothing(
    chiasm: Chiasm, trained: Path, broken: Path, tmp_path: Path, capsys: Captured
) -> None:
    broken.write_text(broken.read_text().splitlines()[2])
    words = ("explain", trained / "bundle", "--rows", broken, "--on-error", "skip", "--out", tmp_path / "why.html")
    assert chiasm(*words) == 1
    assert "there is no row to explain" in capsys.readouterr().err
    assert not (tmp_path / "why.html").exists()
