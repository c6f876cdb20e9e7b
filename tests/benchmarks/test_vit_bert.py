"""ViT-BERT's benchmark runs, on a model of toy size: the figures that it promises, and outputs that are equal."""

from __future__ import annotations

import json
import sys

import pytest

from tests.conftest import ROOT


def test_the_last_line_is_one_object_with_every_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import vit_bert

    monkeypatch.setattr(vit_bert, "limits", lambda: {"float32": 1.0})
    vit_bert.main(["--small", "--rounds", "1", "--batches", "1", "--train-batch", "2", "--threads", "1", "--json"])
    for name in ("vit_bert", "lxmert_setup"):
        sys.modules.pop(name, None)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    for part in ("inference", "shared_image", "cached_image"):
        assert set(found[part]) == {"float32", "bfloat16", "int8"}
        assert all(ratio["1"] > 0 for ratio in found[part].values())
    assert set(found["training"]) == {"float32", "bfloat16"}
    assert found["max_difference"]["float32"] < 1e-5
    assert 1e-5 < found["max_difference"]["int8"] < 0.3
