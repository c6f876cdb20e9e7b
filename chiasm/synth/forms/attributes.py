"""Questions about one thing: its colour, size, material, name, or the word on it."""

from __future__ import annotations

from random import Random

from chiasm.synth import world
from chiasm.synth.programs import Program
from chiasm.synth.question import Question, exists, finish, properties_of
from chiasm.synth.refer import NOUNS, Phrase, SceneIndex, article

KINDS = ("color", "size", "material")
KIND_FREQUENCIES = (4.0, 2.0, 3.0)
QUERIES = {
    "color": ("What color is the {x}?", "Which color does the {x} have?", "What is the color of the {x}?"),
    "size": ("What size is the {x}?", "How big is the {x}?", "What is the size of the {x}?"),
    "material": ("What is the {x} made of?", "Which material is the {x} made of?"),
    "shape": ("What is the {x}?", "What kind of thing is the {x}?"),
}
SAYS = {"color": "the {x} is {v}", "size": "the {x} is {v}", "material": "the {x} is made of {v}"}


def free_size(index: SceneIndex, number: int) -> bool:
    """Whether the thing's size is its own, not fixed by what it touches."""
    return number not in index.contact_of


def pick(index: SceneIndex, rng: Random, kind: str) -> tuple[int, Phrase] | None:
    """A thing whose `kind` may be asked for, and a phrase for it that does not name it."""
    number = rng.randrange(len(index.things))
    if kind == "size" and not free_size(index, number):
        return None
    found = index.refer(number, rng, avoid=(kind,))
    return None if found is None else (number, found)


def claim(found: Phrase, kind: str, value: str) -> str:
    """ "the red cube is made of wood"."""
    said = article(NOUNS.get(value, value)) if kind in ("shape", "category") else value
    return SAYS.get(kind, "the {x} is {v}").replace("{x}", found.text).replace("{v}", said)


def other_values(index: SceneIndex, found: Phrase, kind: str, value: str) -> list[str]:
    """Values that the thing does not have and that may be said of it: toys among toys."""
    values = world.VOCABULARY[kind]
    category = dict(found.properties).get("category")
    if kind == "shape" and category:
        values = world.CATEGORIES[category]
    return [v for v in values if v != value and index.may_say((*found.properties, (kind, v)))]


def query_attribute(index: SceneIndex, rng: Random) -> Question | None:
    """What color is the small cube?"""
    kind = rng.choices(KINDS, KIND_FREQUENCIES)[0]
    return _query(index, rng, kind, ("query_attribute", "query", "attr"))


def query_name(index: SceneIndex, rng: Random) -> Question | None:
    """What is the small red thing?"""
    return _query(index, rng, "shape", ("query_name", "query", "cat"))


def _query(index: SceneIndex, rng: Random, kind: str, types: tuple[str, str, str]) -> Question | None:
    picked = pick(index, rng, kind)
    if picked is None:
        return None
    number, found = picked
    value = index.things[number].value(kind)
    program = Program()
    program.add("query", "name" if kind == "shape" else kind, program.select(found, number))
    return finish(
        rng.choice(QUERIES[kind]),
        {"x": (found.text, number)},
        answer=value,
        kind=types,
        steps=program.steps,
        statement=claim(found, kind, value) + ".",
        answer_thing=number if kind == "shape" else None,
        group=kind,
        gives=properties_of(found, kind, value),
        needs=frozenset({("is", found.key, kind)}),
    )


def query_word(index: SceneIndex, rng: Random) -> Question | None:
    """What does the blue sign say?"""
    signs = [number for number, thing in enumerate(index.things) if thing.shape == "sign"]
    if not signs:
        return None
    number = rng.choice(signs)
    found = index.refer(number, rng)
    if found is None or found.noun != "sign":
        return None
    word = index.things[number].word
    program = Program()
    program.add("query", "word", program.select(found, number))
    return finish(
        rng.choice(("What does the {x} say?", "Which word is on the {x}?", "What is written on the {x}?")),
        {"x": (found.text, number)},
        answer=word,
        kind=("query_word", "query", "attr"),
        steps=program.steps,
        statement=f"the {found.text} says {word}.",
        group="word",
        gives=frozenset({("is", found.key, "word")}) | exists(found),
        needs=frozenset({("is", found.key, "word")}),
    )


def verify_attribute(index: SceneIndex, rng: Random, about: tuple[int, Phrase, str] | None = None) -> Question | None:
    """Is the small cube red? `about`: the thing, phrase and kind to ask for; otherwise random ones."""
    about = about or _about(index, rng)
    if about is None:
        return None
    number, found, kind = about
    value = index.things[number].value(kind)
    others = other_values(index, found, kind, value)
    if not others:
        return None
    asked = value if rng.random() < 0.5 else rng.choice(others)
    answer = "yes" if asked == value else "no"
    forms = (
        ("Is the {x} made of {v}?", "Is {v} what the {x} is made of?") if kind == "material" else ("Is the {x} {v}?",)
    )
    said = article(NOUNS.get(asked, asked)) if kind in ("shape", "category") else asked
    program = Program()
    program.add(f"verify {'name' if kind == 'shape' else kind}", asked, program.select(found, number))
    known = properties_of(found, kind, value) if answer == "yes" else exists(found)
    return finish(
        rng.choice(forms),
        {"x": (found.text, number), "v": said},
        answer=answer,
        kind=("verify_attribute", "verify", "cat" if kind == "shape" else "attr"),
        steps=program.steps,
        statement=f"{answer}, {claim(found, kind, value)}.",
        gives=known,
        needs=frozenset({("is", found.key, kind)}),
    )


def choose_attribute(index: SceneIndex, rng: Random, about: tuple[int, Phrase, str] | None = None) -> Question | None:
    """Is the small cube red or blue?"""
    return _choose(index, rng, about or _about(index, rng), "choose_attribute")


def choose_name(index: SceneIndex, rng: Random) -> Question | None:
    """Is the small red thing a cube or a ball?"""
    picked = pick(index, rng, "shape")
    return None if picked is None else _choose(index, rng, (*picked, "shape"), "choose_name")


def _about(index: SceneIndex, rng: Random) -> tuple[int, Phrase, str] | None:
    kind = rng.choices(KINDS, KIND_FREQUENCIES)[0]
    picked = pick(index, rng, kind)
    return None if picked is None else (*picked, kind)


def _choose(index: SceneIndex, rng: Random, about: tuple[int, Phrase, str] | None, family: str) -> Question | None:
    if about is None:
        return None
    number, found, kind = about
    value = index.things[number].value(kind)
    others = other_values(index, found, kind, value)
    if not others:
        return None
    offered = [value, rng.choice(others)]
    rng.shuffle(offered)
    first, second = (article(v) if kind == "shape" else v for v in offered)
    program = Program()
    program.add(f"choose {'name' if kind == 'shape' else kind}", "|".join(offered), program.select(found, number))
    form = "Is the {x} made of {a} or {b}?" if kind == "material" else "Is the {x} {a} or {b}?"
    return finish(
        form,
        {"x": (found.text, number), "a": first, "b": second},
        answer=value,
        kind=(family, "choose", "cat" if kind == "shape" else "attr"),
        steps=program.steps,
        statement=claim(found, kind, value) + ".",
        answer_thing=number if kind == "shape" else None,
        group=kind,
        gives=properties_of(found, kind, value),
        needs=frozenset({("is", found.key, kind)}),
    )
