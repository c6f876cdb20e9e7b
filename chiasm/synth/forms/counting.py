"""How many there are: GQA does not ask this, VQA does, so only the VQA files have it."""

from __future__ import annotations

from random import Random

from chiasm.synth.programs import Program
from chiasm.synth.question import Question, finish
from chiasm.synth.refer import SceneIndex, numbers, phrase, plural

KINDS = ("shape", "color", "size", "material", "category")


def count(index: SceneIndex, rng: Random) -> Question | None:
    """How many red things are there? The number is drawn first, then something of that number."""
    found: dict[int, list[tuple[str, str]]] = {}
    for item, mask in index.having.items():
        found.setdefault(mask.bit_count(), []).append(item)
    if not {1, 2} <= found.keys():  # both common answers are possible: neither is the scene's own
        return None
    number = rng.choice(sorted(found))
    what = phrase(rng.choice(found[number]))
    program = Program()
    program.add("count", "", program.select(what, *numbers(index.denoted(what.properties))))
    form = rng.choice(("How many {x} are there?", "How many {x} are in the picture?"))
    return finish(
        form,
        {"x": plural(what.text)},
        answer=str(number),
        kind=("count", "query", "obj"),
        steps=program.steps,
        statement=f"there {'is' if number == 1 else 'are'} {number} {what.text if number == 1 else plural(what.text)}.",
        group="number",
    )
