"""`chiasm convert`: one line about what was done, and one about what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from chiasm.cli import main
from chiasm.models.lxmert import Config, Lxmert
from chiasm.weights.lxmert import Weights, from_pretrained
from chiasm.weights.lxmert import _original as original_names

SIZES = {
    "vocab_size": 30, "hidden_size": 64, "num_attention_heads": 1, "intermediate_size": 32, "feature_size": 8,
    "language_layers": 1, "object_layers": 1, "cross_layers": 1, "num_labels": 3,
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    model = Lxmert(Config(**SIZES), {})
    torch.save(original_names(Weights("lxmert", model.config, model.state_dict(), ""), module=True), tmp_path / "B.pth")
    return tmp_path / "B.pth"


def run(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["convert", *map(str, arguments)])
    return ended.value.code


def test_a_file_becomes_a_folder_that_loads(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lxmert", file, tmp_path / "ours") == 0
    told = capsys.readouterr().out
    assert told.startswith("lxmert: original -> chiasm, ")
    assert f"written: {tmp_path / 'ours'}" in told
    loaded = from_pretrained(tmp_path / "ours")
    assert isinstance(loaded, Lxmert)
    assert loaded.config.num_labels == 3


def test_a_switch_reaches_the_conversion(file: Path, tmp_path: Path) -> None:
    assert run("lxmert", file, tmp_path / "two", "--set", "shared_cross_attention=false") == 0
    loaded = from_pretrained(tmp_path / "two")
    assert isinstance(loaded, Lxmert)
    assert loaded.config.shared_cross_attention is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["lxmert", "nowhere.pth", "DST"], 1, "nowhere.pth is neither a file"),
        (["lxmret", "FILE", "DST"], 2, "did you mean 'lxmert'"),
        (["lxmert", "FILE", "DST", "--to", "onnx"], 1, "unknown format 'onnx'"),
        (["lxmert", "FILE", "DST", "--set", "modul=true"], 2, "module=true|false"),
        (["bert", "FILE", "DST"], 2, "no weights that are converted"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    file: Path, tmp_path: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"FILE": str(file), "DST": str(tmp_path / "made")}
    assert run(*(named.get(word, word) for word in arguments)) == code
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "made").exists()
