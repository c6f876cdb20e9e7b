"""Which examples a report explains: chosen fairly, not for how good they look."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from chiasm.data.example import Example as Row
from chiasm.explain.explanation import explain_example
from chiasm.report.contents import Example
from chiasm.tasks import BaseTask, Prediction
from chiasm.training.bundle import Bundle

TYPES = ("detailed", "structural", "question_type", "answer_type")  # where `info` may say a question's type
CANDIDATES = 500  # rows drawn at random, from which the explained ones are taken
HIGHER = 0.5  # an answer whose official accuracy reaches this counts as right


def explained(
    bundle: Bundle, rows: Sequence[Row], answers: Sequence[Prediction], count: int, *, seed: int = 0
) -> list[Example]:
    """Explanations of `count` rows, drawn at random: types in turn, wrong answers in the share in which they occur.

    At least one is wrong if any of the candidates is, and each is about a picture of its own while there are any.
    """
    pool = sorted(random.Random(seed).sample(range(len(rows)), min(CANDIDATES, len(rows))))
    right = [is_right(bundle.task, answers[i], rows[i]) for i in pool]
    chosen = choose([rows[i] for i in pool], right, count, seed=seed)
    return [Example(explain_example(bundle, rows[pool[i]]), right[i]) for i in chosen]


def is_right(task: BaseTask, answer: Prediction, row: Row) -> bool | None:
    """Whether the task's official accuracy calls this one answer right.

    None when the right answer is not known, or the task has no accuracy: a predicted number is not right or wrong.
    """
    if row.values.get("answer") is None:
        return None
    measured = task.evaluate([answer], [row])
    return measured["accuracy"].value >= HIGHER if "accuracy" in measured else None


def choose(rows: Sequence[Row], right: Sequence[bool | None], count: int, *, seed: int = 0) -> list[int]:
    """Positions of `count` rows, in order: wrong ones in their share, rounded up; types in turn."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    wrong = [i for i in order if right[i] is False]
    others = [i for i in order if right[i] is not False]
    share = math.ceil(count * len(wrong) / max(1, len(rows)))
    mistakes = types_in_turn(rows, wrong, max(share, count - len(others)))
    return sorted([*mistakes, *types_in_turn(rows, others, count - len(mistakes))])


def types_in_turn(rows: Sequence[Row], order: Sequence[int], count: int) -> list[int]:
    """At most `count` positions of `order` when every type has its turn, pictures that were not shown before first."""
    waiting: dict[str, list[int]] = {}
    for i in order:
        waiting.setdefault(_type(rows[i]), []).append(i)
    chosen: list[int] = []
    shown: set[str] = set()
    while len(chosen) < count and any(waiting.values()):
        for kind in sorted(waiting):
            if not waiting[kind] or len(chosen) == count:
                continue
            fresh = next((i for i in waiting[kind] if _pictures(rows[i]) not in shown), waiting[kind][0])
            waiting[kind].remove(fresh)
            chosen.append(fresh)
            shown.add(_pictures(rows[fresh]))
    return chosen


def _type(row: Row) -> str:
    return str(next((row.info[key] for key in TYPES if row.info.get(key)), ""))


def _pictures(row: Row) -> str:
    images = row.values.get("images")
    return repr(images) if images else row.id
