"""What must hold of every recipe, now and of every one added later: found from the folder, none is named here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import chiasm.models
from chiasm.batch import Batch
from chiasm.layers.recording import record
from chiasm.models import CrossModalModel
from chiasm.training.bundle import Bundle
from chiasm.training.recipe import load_recipe

from .conftest import Tiny

Scores = Callable[[CrossModalModel, Batch], dict[str, Tensor]]
TOLERANCE = 1e-5  # float32 sums in another order


def total_loss(model: CrossModalModel, batch: Batch) -> Tensor:
    return torch.stack([loss.reshape(()) for loss in model.losses(model(batch), batch).values()]).sum()


def loss_now(model: CrossModalModel, batch: Batch) -> float:
    with torch.no_grad():
        return float(total_loss(model, batch))


def with_rubbish_in_padding(batch: Batch) -> Batch:
    """The batch with everything under a False of an attention mask replaced."""
    changed = {}
    for name, stream in batch.streams():
        mask = getattr(stream, "attention_mask", None)
        if mask is None or name in batch.more:
            continue
        new = {}
        for field in fields(stream):
            value = getattr(stream, field.name)
            if not isinstance(value, Tensor) or field.name in ("attention_mask", "index", "token_type_ids"):
                continue
            if value.shape[: mask.ndim] == mask.shape:
                hidden = ~mask.reshape(*mask.shape, *[1] * (value.ndim - mask.ndim)).expand_as(value)
                new[field.name] = torch.where(
                    hidden, torch.full_like(value, 7 if field.name == "input_ids" else 0.7), value
                )
        changed[name] = replace(stream, **new)
    return replace(batch, **changed)


def test_training_lowers_the_loss(tiny: Tiny) -> None:
    before, after = tiny.model(), tiny.run.bundle.model
    data = tiny.prepared.splits["train"]
    batch = data.batch(torch.arange(min(256, len(data))))
    assert loss_now(after, batch) < 0.98 * loss_now(before, batch)


def test_a_handful_of_examples_is_learnt_by_heart(tiny: Tiny) -> None:
    model, batch = tiny.model(), tiny.batch(6)  # in evaluation mode: no dropout
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    wanted = 0.2 * loss_now(model, batch)
    for _ in range(300):
        optimiser.zero_grad()
        loss = total_loss(model, batch)
        if float(loss.detach()) < wanted:
            return
        loss.backward()
        optimiser.step()
    assert loss_now(model, batch) < wanted


def test_every_parameter_gets_a_gradient_or_is_declared_idle(tiny: Tiny) -> None:
    model = tiny.model()
    total_loss(model, tiny.batch(16)).backward()
    without = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == set(model.idle_parameters())


def test_an_example_is_answered_alone_as_among_others(tiny: Tiny, scores: Scores) -> None:
    model, data = tiny.model(), tiny.prepared.splits["train"]
    together = scores(model, tiny.batch(8))
    for place, position in enumerate(tiny.positions(8).tolist()):
        for head, alone in scores(model, data.batch(torch.tensor([position]))).items():
            torch.testing.assert_close(alone[0], together[head][place], atol=TOLERANCE, rtol=TOLERANCE)


def test_padding_does_not_change_the_answer(tiny: Tiny, scores: Scores) -> None:
    model, batch = tiny.model(), tiny.batch(32)
    rubbish = with_rubbish_in_padding(batch)
    before, after = scores(model, batch), scores(model, rubbish)
    for head in before:
        torch.testing.assert_close(after[head], before[head], atol=TOLERANCE, rtol=TOLERANCE)


def test_the_rubbish_reaches_the_padding(tiny: Tiny) -> None:
    """Guards the test above: where there is padding it was changed, and nothing else was."""
    batch = tiny.batch(32)
    changed = dict(with_rubbish_in_padding(batch).streams())
    for name, stream in batch.streams():
        mask = getattr(stream, "attention_mask", None)
        for field in fields(stream) if mask is not None and name not in batch.more else ():
            value, new = getattr(stream, field.name), getattr(changed[name], field.name)
            if field.name in ("input_ids", "features", "boxes") and isinstance(value, Tensor):
                assert torch.equal(value[mask], new[mask])
                hidden = value[~mask]  # none, when nothing is padded or the stream has no numbers
                assert hidden.numel() == 0 or not torch.equal(hidden, new[~mask])


def test_recording_evidence_does_not_change_the_answer(tiny: Tiny, scores: Scores) -> None:
    model, batch = tiny.model(), tiny.batch(8)
    plain = scores(model, batch)
    with record(model) as recorded:
        watched = scores(model, batch)
    for head in plain:
        assert torch.equal(plain[head], watched[head])
    for evidence in model.evidence():
        for module in evidence.modules:
            (seen,) = recorded[module]
            assert seen.ndim == 4, evidence.title  # (rows, H, Q, K)
            if evidence.kind == "attention":
                torch.testing.assert_close(seen.sum(-1), torch.ones(seen.shape[:-1]), atol=TOLERANCE, rtol=0)


def test_a_bundle_gives_the_same_answers_bit_for_bit(tiny: Tiny, scores: Scores) -> None:
    assert tiny.run.bundle.folder is not None
    loaded = Bundle.load(tiny.run.bundle.folder)
    examples = tiny.run.splits["train"].examples[:8]
    mine = tiny.run.bundle.dataset(examples).batch(torch.arange(8))
    theirs = loaded.dataset(examples).batch(torch.arange(8))
    before, after = scores(tiny.run.bundle.model, mine), scores(loaded.model, theirs)
    assert before.keys() == after.keys()
    for head in before:
        assert torch.equal(before[head], after[head])


def test_a_run_leaves_metrics_of_every_held_out_split(tiny: Tiny) -> None:
    run = tiny.run
    assert set(run.metrics) == set(run.splits) - {"train"}
    for metrics in run.metrics.values():
        assert run.bundle.task.headline in metrics
    assert (run.out / "metrics.json").is_file()
    assert not [
        p for p in run.out.rglob("*") if p.suffix in (".pt", ".pth", ".pkl", ".bin") and "store" not in p.parts[-2]
    ]


def test_the_full_size_builds_on_the_meta_device(tiny: Tiny) -> None:
    recipe = load_recipe(tiny.name)
    file = chiasm.models.model(recipe.model)
    with torch.device("meta"):
        model = file.Model(file.Config(**recipe.options), tiny.prepared.task.objectives())
    assert all(parameter.is_meta for parameter in model.parameters())
    assert sum(p.numel() for p in model.parameters()) >= sum(p.numel() for p in tiny.model().parameters())


@pytest.fixture(autouse=True)
def _nothing_is_written_into_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
