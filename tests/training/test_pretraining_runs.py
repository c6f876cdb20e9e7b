"""A pre-training run: exact resume in the middle of an epoch, its measures, and its bundle measured again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from chiasm.training.checkpoint import module_tensors
from chiasm.training.errors import Interrupted
from chiasm.training.evaluate import evaluate
from chiasm.training.loop import Loop
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

SETTINGS = [
    "training.epochs=2", "training.kernel=default", "training.keep_best=false", "training.trackers=[]",
    "task.answers_from_epoch=1", "options.hidden_dropout=0.1",
]  # fmt: skip


def test_a_run_stopped_within_an_epoch_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("lxmert_pretrain").tiny().with_settings(SETTINGS)
    whole = train(recipe, out=tmp_path / "whole", show=False)
    stop = whole.outcome.steps - 3  # in the second epoch
    original = Loop._step

    def stepped(loop: Loop, parts: object) -> None:
        if loop.state.step == stop - 1:
            os.kill(os.getpid(), signal.SIGINT)
        original(loop, parts)  # type: ignore[arg-type]

    monkeypatch.setattr(Loop, "_step", stepped)
    with pytest.raises(Interrupted, match=f"after step {stop}"):
        train(recipe, out=tmp_path / "stopped", show=False)
    monkeypatch.setattr(Loop, "_step", original)
    resumed = train(recipe, out=tmp_path / "stopped", resume=True, show=False)
    assert resumed.outcome.steps == whole.outcome.steps
    one, other = module_tensors(whole.bundle.model), module_tensors(resumed.bundle.model)
    assert all(torch.equal(one[name], other[name]) for name in one)
    measured = whole.metrics["validation"]
    assert {f"loss/{head}" for head in ("words", "matched", "objects", "attributes", "features", "answer")} <= set(
        measured
    )
    again = evaluate(whole.bundle, show=False)  # other batches, the same hidden words
    assert again["loss"].value == pytest.approx(measured["loss"].value, rel=1e-5)
