"""What a person sees, and what is written down."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from accelerate import Accelerator

from chiasm.training.journal import Journal, read_journal
from chiasm.training.progress import Bar, Lines, Quiet, Status, clock, progress

STATUS = Status(30, 100, 2, 4, 0.51234, 0.875, 12.0, 75.2)


def test_a_status_says_epoch_loss_accuracy_and_time_left() -> None:
    assert str(STATUS) == "epoch 2/4  step 30/100  loss 0.5123  accuracy 87.5 %  1:15 left"


def test_a_headline_that_is_no_share_is_shown_as_a_number() -> None:
    status = replace(STATUS, headline=-6.67, measure="minus_loss")
    assert "  minus loss -6.6700  " in str(status)


def test_before_the_first_validation_there_is_no_accuracy() -> None:
    status = Status(1, 100, 1, 4, 2.0, math.nan, 0.0, math.inf)
    assert str(status) == "epoch 1/4  step 1/100  loss 2.0000  accuracy -  - left"


@pytest.mark.parametrize(("seconds", "shown"), [(5, "0:05"), (75, "1:15"), (3725, "1:02:05"), (math.nan, "-")])
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_terminal_gets_a_bar_and_a_pipe_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert isinstance(progress(), Bar)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert isinstance(progress(), Lines)
    assert isinstance(progress(False), Quiet)


def test_lines_and_bar_show_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in (Lines, Bar):
        shown = kind()
        shown.note("hello")
        shown.update(STATUS)
        shown.close()
        text = capsys.readouterr().err
        assert "hello" in text
        assert "step 30/100" in text


def journal(path: Path) -> Journal:
    return Journal(path, Accelerator(cpu=True), [])


def test_a_resumed_journal_drops_the_lines_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    first = journal(path)
    first.start(0)
    for step in (10, 20, 30):
        first.write(step=step, loss=1.0)
    again = journal(path)
    again.start(20)
    again.write(step=30, loss=2.0)
    assert [(line["step"], line["loss"]) for line in read_journal(path)] == [(10, 1.0), (20, 1.0), (30, 2.0)]
    assert again.lines == read_journal(path)


def test_a_new_journal_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 3}\n', encoding="utf-8")
    journal(path).start(0)
    assert read_journal(path) == []


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"step": 1}) + '\n{"step": 2, "lo', encoding="utf-8")
    assert read_journal(path) == [{"step": 1}]
