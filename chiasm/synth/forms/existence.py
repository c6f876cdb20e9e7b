"""Whether something is there, and two such questions joined by "and" or "or"."""

from __future__ import annotations

from random import Random

from chiasm.synth import world
from chiasm.synth.forms.attributes import KINDS, claim, free_size, other_values
from chiasm.synth.programs import Program
from chiasm.synth.question import Question, Slot, exists, finish, properties_of
from chiasm.synth.refer import Phrase, SceneIndex, article, numbers, phrase, plural

PAIRS = (
    ("color", "shape"),
    ("size", "shape"),
    ("material", "shape"),
    ("color", "category"),
    ("color", "material"),
    ("size", "color"),
)
PAIR_FREQUENCIES = (5.0, 2.0, 2.0, 1.0, 1.0, 1.0)
BESIDES = 0.5  # how often another thing is named first


def _absent(index: SceneIndex, rng: Random, kinds: tuple[str, ...]) -> Phrase | None:
    """A phrase nothing fits, although each of two properties occurs: a red ball and a blue cube, but no red cube."""
    for _ in range(8):
        if len(kinds) == 2:
            properties = tuple((kind, rng.choice(index.present(kind))) for kind in kinds)
        else:
            properties = ((kinds[0], rng.choice(world.VOCABULARY[kinds[0]])),)
        if index.denoted(properties) == 0 and index.may_say(properties):
            return phrase(*properties)
    return None


def _present(index: SceneIndex, rng: Random, kinds: tuple[str, ...]) -> Phrase:
    if len(kinds) == 1:  # evenly over the values that occur, as in `_absent`
        return phrase((kinds[0], rng.choice(index.present(kinds[0]))))
    thing = rng.choice(index.things)
    return phrase(*((kind, thing.value(kind)) for kind in kinds))


def _both(index: SceneIndex, rng: Random) -> tuple[Phrase, Phrase] | None:
    """(a phrase that something fits, a phrase of the same kinds that nothing fits)."""
    kinds = rng.choices(PAIRS, PAIR_FREQUENCIES)[0] if rng.random() < 0.8 else (rng.choice(("shape", "color")),)
    absent = _absent(index, rng, kinds)
    return None if absent is None else (_present(index, rng, kinds), absent)


def _besides(index: SceneIndex, rng: Random, both: tuple[Phrase, Phrase]) -> tuple[Phrase, int] | None:
    """Another thing of the scene with nothing in common with what `both` say, whichever of them will be asked for."""
    number = rng.randrange(len(index.things))
    found = index.refer(number, rng)
    if found is None or index.denoted(both[0].properties) >> number & 1:
        return None
    return None if set(found.properties) & {*both[0].properties, *both[1].properties} else (found, number)


def exist(index: SceneIndex, rng: Random) -> Question | None:
    """Is there a red cube? Besides the small ball, is there a red cube?"""
    both = _both(index, rng)
    if both is None:
        return None
    found = both[rng.random() < 0.5]
    known = _besides(index, rng, both) if rng.random() < BESIDES else None
    matches = numbers(index.denoted(found.properties))
    program = Program()
    program.add("exist", "?", program.select(found, *matches))
    form, noun = rng.choice(
        (
            ("Is there {x} in the picture?", article(found.text)),
            ("Do you see {x}?", article(found.text)),
            ("Are there any {x}?", plural(found.text)),
        )
    )
    slots: dict[str, Slot] = {"x": (noun, matches[0]) if matches else noun}
    if known is not None:  # what is asked for comes second; what comes first decides nothing
        form = f"Besides the {{y}}, {form[0].lower()}{form[1:]}"
        slots["y"] = (known[0].text, known[1])
    answer = "yes" if matches else "no"
    return finish(
        form,
        slots,
        answer=answer,
        kind=("exist", "verify", "obj"),
        steps=program.steps,
        statement=f"{answer}, there is {article(found.text) if matches else 'no ' + found.text}.",
        gives=exists(*([found] if matches else []), *([known[0]] if known else [])),
        needs=exists(found) if matches else None,
    )


def logical_and(index: SceneIndex, rng: Random) -> Question | None:
    """Are there both a red cube and a small ball? Is the cube red and small?"""
    joined = _joined_existence if rng.random() < 0.5 else _joined_attributes
    return joined(index, rng, "and")


def logical_or(index: SceneIndex, rng: Random) -> Question | None:
    """Is there either a red cube or a small ball? Is the cube either red or small?"""
    joined = _joined_existence if rng.random() < 0.5 else _joined_attributes
    return joined(index, rng, "or")


def _truths(rng: Random, operation: str) -> list[bool]:
    """Whether each of two parts holds: the answer is yes half the time, and one false part is enough for "and"."""
    if operation == "and":
        return [True, True] if rng.random() < 0.5 else rng.choice(([True, False], [False, True]))
    return [False, False] if rng.random() < 0.5 else rng.choice(([True, False], [False, True]))


def _joined_existence(index: SceneIndex, rng: Random, operation: str) -> Question | None:
    choices = [_both(index, rng), _both(index, rng)]
    phrases = []
    for both, truth in zip(choices, _truths(rng, operation), strict=True):
        if both is None:
            return None
        phrases.append(both[0 if truth else 1])
    first, second = phrases
    # Different things must be meant, and different words must be said.
    if any(set(a.properties) & set(b.properties) for a in choices[0] or () for b in choices[1] or ()):
        return None
    program = Program()
    parts, holds = [], []
    for found in phrases:
        matches = numbers(index.denoted(found.properties))
        parts.append(program.add("exist", "?", program.select(found, *matches)))
        holds.append(bool(matches))
    program.add(operation, "", *parts)
    yes = all(holds) if operation == "and" else any(holds)
    forms = {
        "and": ("Is there both {x} and {y}?", "Do you see {x} and {y}?"),
        "or": ("Is there either {x} or {y}?", "Do you see {x} or {y}?"),
    }
    said = [f"{article(p.text) if held else 'no ' + p.text}" for p, held in zip(phrases, holds, strict=True)]
    known = [p for p, held in zip(phrases, holds, strict=True) if held]
    return finish(
        rng.choice(forms[operation]),
        {"x": article(first.text), "y": article(second.text)},
        answer="yes" if yes else "no",
        kind=(f"logical_{operation}", "logical", "obj"),
        steps=program.steps,
        statement=f"{'yes' if yes else 'no'}, there is {said[0]} and {said[1]}.",
        gives=exists(*known) if operation == "and" and yes else frozenset(),
        needs=exists(*known) if (operation == "and" and yes) or (operation == "or" and known) else None,
    )


def _joined_attributes(index: SceneIndex, rng: Random, operation: str) -> Question | None:
    number = rng.randrange(len(index.things))
    kinds = rng.sample(KINDS, 2)
    if "size" in kinds and not free_size(index, number):
        return None
    found = index.refer(number, rng, avoid=kinds)
    if found is None:
        return None
    thing = index.things[number]
    program = Program()
    step = program.select(found, number)
    asked, parts, truths = [], [], _truths(rng, operation)
    for kind, truth in zip(kinds, truths, strict=True):
        value = thing.value(kind)
        asked.append(value if truth else rng.choice(other_values(index, found, kind, value)))
        parts.append(program.add(f"verify {kind}", asked[-1], step))
    program.add(operation, "", *parts)
    yes = all(truths) if operation == "and" else any(truths)
    said = ["made of " + v if kind == "material" else v for kind, v in zip(kinds, asked, strict=True)]
    values = [(kind, thing.value(kind)) for kind in kinds]
    needs = frozenset(("is", found.key, kind) for kind in kinds)
    gives = frozenset[tuple[object, ...]]()
    if operation == "and" and yes:
        gives = gives.union(*(properties_of(found, kind, value) for kind, value in values))
    return finish(
        "Is the {x} both {a} and {b}?" if operation == "and" else "Is the {x} either {a} or {b}?",
        {"x": (found.text, number), "a": said[0], "b": said[1]},
        answer="yes" if yes else "no",
        kind=(f"logical_{operation}", "logical", "attr"),
        steps=program.steps,
        statement=f"{'yes' if yes else 'no'}, " + " and ".join(claim(found, *value) for value in values) + ".",
        gives=gives | exists(found),
        needs=needs,
    )
