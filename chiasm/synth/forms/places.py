"""Questions about the whole picture: what the ground is."""

from __future__ import annotations

from random import Random

from chiasm.synth import world
from chiasm.synth.programs import Program
from chiasm.synth.question import Fact, Question, finish
from chiasm.synth.refer import SceneIndex

PLACE: frozenset[Fact] = frozenset({("place",)})


def query_global(index: SceneIndex, rng: Random) -> Question:
    """What is in the background?"""
    form = rng.choice(("What is in the background?", "What is the background of the picture?"))
    return _about_place(index, form, {}, ("query_global", "query"), "query place", "")


def verify_global(index: SceneIndex, rng: Random) -> Question:
    """Is there snow in the background?"""
    place = index.scene.place
    asked = place if rng.random() < 0.5 else rng.choice([p for p in world.PLACES if p != place])
    form = rng.choice(("Is there {v} in the background?", "Is the background {v}?"))
    return _about_place(index, form, {"v": asked}, ("verify_global", "verify"), "verify place", asked)


def choose_global(index: SceneIndex, rng: Random) -> Question:
    """Is the background snow or sand?"""
    place = index.scene.place
    offered = rng.sample([place, rng.choice([p for p in world.PLACES if p != place])], 2)
    slots = {"a": offered[0], "b": offered[1]}
    form = "Is the background {a} or {b}?"
    return _about_place(index, form, slots, ("choose_global", "choose"), "choose place", "|".join(offered))


def _about_place(
    index: SceneIndex, form: str, slots: dict[str, str], types: tuple[str, str], operation: str, argument: str
) -> Question:
    place = index.scene.place
    structural = types[1]
    answer = place if structural != "verify" else "yes" if argument == place else "no"
    program = Program()
    if structural == "query":
        operation, argument = "query", "place"
    program.add(operation, argument, program.scene())
    return finish(
        form,
        slots,
        answer=answer,
        kind=(*types, "global"),
        steps=program.steps,
        statement=f"{answer + ', ' if structural == 'verify' else ''}the background is {place}.",
        group=None if structural == "verify" else "place",
        gives=PLACE if answer != "no" else frozenset(),
        needs=PLACE,
    )
