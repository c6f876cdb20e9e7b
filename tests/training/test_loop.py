"""The loop: what it does to the weights and when, on a model that learns in a second."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from chiasm.training import loop as loop_file
from chiasm.training.errors import TrainingError
from chiasm.training.recipe import Recipe
from chiasm.training.run import RunResult, train

Make = Callable[..., Recipe]
Run = Callable[..., RunResult]

SGD = ("training.optimizer=sgd", "training.optimizer_options.momentum=0.0", "training.weight_decay=0.0")


@pytest.fixture
def run(recipe: Make, words: Path, tmp_path: Path) -> Run:
    """`run("training.epochs=2")`: a finished run of the small recipe in a new folder."""
    count = iter(range(100))

    def go(*settings: str, **options: Any) -> RunResult:
        out = tmp_path / f"run{next(count)}"
        return train(recipe("training.kernel=default", *settings), data=words, out=out, show=False, **options)

    return go


def weights(result: RunResult) -> Mapping[str, Tensor]:
    return result.bundle.model.state_dict()


def same(first: RunResult, second: RunResult, tolerance: float = 0.0) -> bool:
    pairs = zip(weights(first).values(), weights(second).values(), strict=True)
    return all(torch.allclose(a, b, rtol=0, atol=tolerance) for a, b in pairs)


def losses(result: RunResult) -> list[float]:
    return [line["loss"] for line in result.outcome.log if "loss" in line]


def test_the_loss_falls(run: Run) -> None:
    falling = losses(run("training.epochs=6"))
    assert falling[-1] < 0.5 * falling[0]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(run: Run) -> None:
    first = run()
    assert same(first, run())
    assert not same(first, run("training.seed=1"))


def test_prefetching_changes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = loop_file.ahead

    def always(make: Any, items: Any, count: int) -> Any:
        asked.append(count)
        return real(make, items, 3)

    plain = run()
    monkeypatch.setattr(loop_file, "ahead", always)
    assert same(plain, run())
    assert set(asked) == {0}  # on a CPU nothing is gathered in a thread unless made to


def test_accumulation_changes_nothing(run: Run) -> None:
    """Also with batches that do not divide evenly: 200 = 13 * 15 + 5."""
    plain = ("options.dropout=0.0", "training.batch_size=15")
    assert same(run(*plain), run(*plain, "training.accumulate=4"), tolerance=1e-5)


def test_checkpoints_change_nothing(run: Run) -> None:
    assert same(run(), run("training.save_every_steps=1"))


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps at which checkpoints are written. There are 13 in an epoch; the last one is saved at the end."""
    steps: list[int] = []
    real = loop_file.Loop._save

    def save(loop: loop_file.Loop) -> None:
        steps.append(loop.state.step)
        real(loop)

    monkeypatch.setattr(loop_file.Loop, "_save", save)
    return steps


def test_several_processes_save_at_the_steps_that_were_asked_for(
    run: Run, saved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only where they agree about stopping, every ten steps."""
    monkeypatch.setattr(Accelerator, "num_processes", 2)
    run("training.epochs=1", "training.save_every_steps=3")
    assert saved == [3, 6, 9, 12, 13]


@pytest.mark.parametrize(("seconds", "steps"), [("1e-6", set(range(1, 14))), ("3600.0", {13}), ("0.0", {13})])
def test_a_checkpoint_is_due_when_its_seconds_are_over(
    run: Run, saved: list[int], seconds: str, steps: set[int]
) -> None:
    run("training.epochs=1", f"training.save_every_seconds={seconds}")
    assert set(saved) == steps


def test_validation_changes_nothing_but_the_choice(run: Run) -> None:
    last = "training.keep_best=false"
    assert same(run(last), run(last, "training.evaluate_every=3"))


def test_the_rate_follows_the_schedule(run: Run) -> None:
    result = run("training.log_every=1", "training.warmup=0.5")
    rates = [line["lr"] for line in result.outcome.log if "lr" in line]
    assert len(rates) == result.outcome.steps == 39
    assert rates[0] == 0.0
    assert max(rates) == pytest.approx(0.01, rel=0.06)
    assert rates.index(max(rates)) in (19, 20)


def test_clipping_bounds_the_step(run: Run) -> None:
    settings = (*SGD, "training.max_steps=2", "training.schedule=constant", "training.warmup=0.0", "training.lr=1.0")
    clipped, free = run(*settings, "training.clip_norm=1e-8"), run(*settings, "training.clip_norm=0.0")
    start = run(*settings, "training.clip_norm=1e-30")
    assert same(clipped, start, tolerance=1e-7)
    assert not same(free, start, tolerance=1e-3)


def test_numbers_of_the_gradients_are_clipped(run: Run) -> None:
    """One step of plain descent at rate 1 moves each weight by its clipped gradient."""
    settings = (*SGD, "training.max_steps=1", "training.schedule=constant", "training.warmup=0.0", "training.lr=1.0")
    start = weights(run(*settings, "training.clip_norm=1e-30"))
    free = weights(run(*settings, "training.clip_norm=0.0"))
    clipped = weights(run(*settings, "training.clip_norm=0.0", "training.clip_value=1e-3"))
    assert any((start[name] - free[name]).abs().max() > 2e-3 for name in start)
    for name, tensor in clipped.items():
        wanted = (free[name] - start[name]).clamp(-1e-3, 1e-3)
        torch.testing.assert_close(tensor - start[name], wanted, rtol=0, atol=1e-6)


def test_max_steps_ends_the_run_and_the_schedule(run: Run) -> None:
    result = run("training.max_steps=17", "training.log_every=1")
    assert result.outcome.steps == 17
    assert [line["lr"] for line in result.outcome.log if "lr" in line][-1] < 0.1 * 0.01


def test_a_budget_of_seconds_ends_the_run(run: Run) -> None:
    result = run("training.epochs=100000", "training.max_seconds=1.0", "training.evaluate_limit=10")
    assert result.outcome.ended_by == "budget"
    assert result.outcome.seconds < 10  # a busy machine
    rates = [line["lr"] for line in result.outcome.log if "lr" in line]
    assert rates[-1] < max(rates)  # the schedule has hurried on; how exactly is in test_schedule.py


def test_early_stopping_ends_the_run(run: Run) -> None:
    result = run("training.epochs=50", "training.early_stopping=2")
    assert result.outcome.ended_by == "early stopping"
    values = [line["validation"]["accuracy"] for line in result.outcome.log if "validation" in line]
    assert max(values) == values[-3]
    assert result.outcome.headline == max(values)


def test_the_best_weights_are_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validations say 0.1, 0.9, 0.2: the weights of the second one remain."""
    said = iter([0.1, 0.9, 0.2])
    kept = {}

    def validate(setup: Any) -> dict[str, float]:
        value = next(said)
        kept[value] = {name: tensor.clone() for name, tensor in setup.model.state_dict().items()}
        return {"accuracy": value}

    monkeypatch.setattr(loop_file, "validate", validate)
    result = run()
    assert (result.outcome.headline, result.outcome.best_step) == (0.9, 26)
    assert all(torch.equal(weights(result)[name], tensor) for name, tensor in kept[0.9].items())


def test_the_rate_falls_on_a_plateau_and_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven epochs of 13 steps; nothing better after the second one: the rate falls after the fourth and the sixth."""
    said = iter([0.1, 0.5, 0.4, 0.4, 0.5, 0.3, 0.2])
    monkeypatch.setattr(loop_file, "validate", lambda setup: {"accuracy": next(said)})
    settings = ("training.schedule=constant", "training.warmup=0.0", "training.lr=0.01", "training.log_every=13")
    result = run(*settings, "training.epochs=7", "training.plateau=2", "training.plateau_factor=0.5")
    rates = [line["lr"] for line in result.outcome.log if "lr" in line]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.0025])


def test_a_loss_that_is_no_number_stops_the_run(run: Run) -> None:
    """At the next line of the log (every 5 steps), not only at the end of the epoch (13)."""
    with pytest.raises(TrainingError, match=r"the loss answer is not a number at step (5|10) "):
        run("training.lr=1e30", "training.clip_norm=0.0", "training.warmup=0.0", "training.epochs=30")


def test_a_task_that_does_not_give_its_headline_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from chiasm.tasks import task

    monkeypatch.setattr(task("two_way").Task, "headline", "beauty")
    with pytest.raises(TrainingError, match="gave accuracy, but not its headline 'beauty'"):
        run()


def test_too_few_examples_for_a_full_batch_are_told(run: Run) -> None:
    with pytest.raises(TrainingError, match="200 training examples make no full batch of 300"):
        run("training.batch_size=300", "training.drop_last=true")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_and_leaves_float32_weights(run: Run, precision: str) -> None:
    result = run(f"training.precision={precision}", "training.epochs=6")
    assert losses(result)[-1] < 0.5 * losses(result)[0]
    assert {tensor.dtype for tensor in weights(result).values()} == {torch.float32}
    answers = result.bundle.model(result.splits["test"].batch(torch.arange(2)))
    assert answers.scores["answer"].dtype == torch.float32


def test_the_log_holds_every_step_group_and_validation(run: Run) -> None:
    result = run("training.log_every=10")
    lines = [json.loads(text) for text in (result.out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [10, 20, 30, 39]
    assert [line["step"] for line in lines if "validation" in line] == [13, 26, 39]
    assert all(math.isfinite(line["losses"]["answer"]) for line in lines if "loss" in line)


def test_tensorboard_gets_the_numbers(run: Run) -> None:
    result = run("training.trackers=['tensorboard']")
    assert list((result.out / "logs").glob("events.out.tfevents.*"))


def test_an_unknown_tracker_is_told(run: Run) -> None:
    with pytest.raises(TrainingError, match="trackers"):
        run("training.trackers=['tensorbord']")
