"""Questions that compare two things."""

from __future__ import annotations

from itertools import combinations
from random import Random

from chiasm.synth.forms.attributes import KIND_FREQUENCIES, KINDS, free_size
from chiasm.synth.programs import Program
from chiasm.synth.question import Fact, Question, exists, finish
from chiasm.synth.refer import SceneIndex

SAME = {
    "color": ("Are the {x} and the {y} the same color?", "Do the {x} and the {y} have the same color?"),
    "size": ("Are the {x} and the {y} the same size?", "Do the {x} and the {y} have the same size?"),
    "material": (
        "Are the {x} and the {y} made of the same material?",
        "Is the {x} made of the same material as the {y}?",
    ),
}
DIFFERENT = {  # that two things are the same, denied: nothing but the first words tells it from being asked so
    "color": "Is it false that the {x} and the {y} are the same color?",
    "size": "Is it false that the {x} and the {y} are the same size?",
    "material": "Is it false that the {x} and the {y} are made of the same material?",
}
POSITIONS = {
    "further left": ("to the left of", "Which is further left, the {x} or the {y}?"),
    "further right": ("to the right of", "Which is further right, the {x} or the {y}?"),
    "higher": ("above", "Which is higher up, the {x} or the {y}?"),
    "lower": ("below", "Which is lower down, the {x} or the {y}?"),
}
CLEARLY = 2  # times the margin: positions that are compared differ this much


def compare_attribute(index: SceneIndex, rng: Random) -> Question | None:
    """Are the cube and the ball the same color?"""
    kind = rng.choices(KINDS, KIND_FREQUENCIES)[0]
    things = [n for n in range(len(index.things)) if kind != "size" or free_size(index, n)]
    equal: list[tuple[int, int]] = []
    unequal: list[tuple[int, int]] = []
    for pair in combinations(things, 2):
        same = index.things[pair[0]].value(kind) == index.things[pair[1]].value(kind)
        (equal if same else unequal).append(pair)
    if not equal or not unequal:
        return None
    are_same = rng.random() < 0.5
    first, second = rng.sample(rng.choice(equal if are_same else unequal), 2)
    found, other = index.refer(first, rng, avoid=(kind,)), index.refer(second, rng, avoid=(kind,))
    if found is None or other is None:
        return None
    asks_same = rng.random() < 0.7
    answer = "yes" if are_same == asks_same else "no"
    program = Program()
    operation = f"{'same' if asks_same else 'different'} {kind}"
    program.add(operation, "", program.select(found, first), program.select(other, second))
    facts: frozenset[Fact] = frozenset({("same", frozenset({found.key, other.key}), kind)})
    values = index.things[first].value(kind), index.things[second].value(kind)
    made = "made of " if kind == "material" else ""
    return finish(
        rng.choice(SAME[kind]) if asks_same else DIFFERENT[kind],
        {"x": (found.text, first), "y": (other.text, second)},
        answer=answer,
        kind=("compare_attribute", "compare", "attr"),
        steps=program.steps,
        statement=f"{answer}, the {found.text} is {made}{values[0]} and the {other.text} is {made}{values[1]}.",
        gives=facts | exists(found, other),
        needs=facts,
    )


def compare_size(index: SceneIndex, rng: Random) -> Question | None:
    """Which is larger, the cube or the ball?"""
    small, large = (
        [n for n, thing in enumerate(index.things) if thing.size == size and free_size(index, n)]
        for size in ("small", "large")
    )
    if not small or not large:
        return None
    word, pair = ("larger", (large, small)) if rng.random() < 0.5 else ("smaller", (small, large))
    return _which(
        index, rng, word, f"Which is {word}, the {{x}} or the {{y}}?", rng.choice(pair[0]), rng.choice(pair[1])
    )


def compare_position(index: SceneIndex, rng: Random) -> Question | None:
    """Which is further left, the cube or the ball?"""
    word = rng.choice(tuple(POSITIONS))
    direction, form = POSITIONS[word]
    winner, loser = rng.sample(range(len(index.things)), 2)
    offset = index.scene.offsets[direction][winner][loser]
    if offset < 0:
        winner, loser = loser, winner
    if abs(offset) < CLEARLY * index.scene.margin:
        return None
    return _which(index, rng, word, form, winner, loser)


def _which(index: SceneIndex, rng: Random, word: str, form: str, winner: int, loser: int) -> Question | None:
    avoid = ("size",) if word in ("larger", "smaller") else ()
    phrases = {n: index.refer(n, rng, avoid=(*avoid, "category")) for n in (winner, loser)}
    names = {n: dict(p.properties).get("shape") for n, p in phrases.items() if p is not None}
    if len(names) < 2 or None in names.values() or names[winner] == names[loser]:
        return None
    first, second = rng.sample((winner, loser), 2)
    one, two = phrases[first], phrases[second]
    assert one is not None
    assert two is not None
    answer = index.things[winner].shape
    program = Program()
    program.add(f"compare {word}", "", program.select(one, first), program.select(two, second))
    axis = "size" if avoid else "x" if word.startswith("further") else "y"
    facts: frozenset[Fact] = frozenset({("order", frozenset({one.key, two.key}), axis)})
    return finish(
        form,
        {"x": (one.text, first), "y": (two.text, second)},
        answer=answer,
        kind=(f"compare_{'size' if avoid else 'position'}", "compare", "attr" if avoid else "rel"),
        steps=program.steps,
        statement=f"the {answer} is {word}.",
        answer_thing=winner,
        group="shape",
        gives=facts | exists(one, two),
        needs=facts,
    )
