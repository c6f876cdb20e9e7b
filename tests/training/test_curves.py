"""How soon a run came close to its best validation."""

from __future__ import annotations

from chiasm.training.curves import epochs_to_best


def log(*values: float) -> list[dict[str, object]]:
    """A log with a line of losses before each validation, one validation an epoch."""
    lines: list[dict[str, object]] = []
    for epoch, value in enumerate(values, start=1):
        lines += [{"step": 9 * epoch, "epoch": epoch, "loss": 1.0}]
        lines += [{"step": 10 * epoch, "epoch": epoch, "validation": {"accuracy": value}}]
    return lines


def test_the_first_epoch_within_a_tenth_of_a_point_of_the_best_counts() -> None:
    found = epochs_to_best(log(0.50, 0.7245, 0.725, 0.7255, 0.70), "accuracy")
    assert found is not None
    assert (found.value, found.low, found.high, found.n, found.share) == (2, 2, 2, 5, False)
    assert str(found.text(found.value)) == "2"


def test_a_point_that_is_a_little_too_low_does_not_count() -> None:
    found = epochs_to_best(log(0.50, 0.7239, 0.725), "accuracy")
    assert found is not None
    assert found.value == 3


def test_several_validations_in_an_epoch_are_in_that_epoch() -> None:
    lines = [{"epoch": 1, "validation": {"a": v}} for v in (0.1, 0.2)] + [{"epoch": 2, "validation": {"a": 0.2}}]
    found = epochs_to_best(lines, "a")
    assert found is not None
    assert found.value == 1


def test_without_validations_of_the_measure_there_is_nothing() -> None:
    assert epochs_to_best([], "accuracy") is None
    assert epochs_to_best(log(0.5), "consistency") is None
    assert epochs_to_best(log(float("nan")), "accuracy") is None
