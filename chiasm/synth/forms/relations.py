"""Questions that go from one thing to another through exactly one relation."""

from __future__ import annotations

from random import Random

from chiasm.synth import world
from chiasm.synth.forms.attributes import KIND_FREQUENCIES, KINDS
from chiasm.synth.programs import Program
from chiasm.synth.question import Fact, Question, exists, finish
from chiasm.synth.refer import Phrase, SceneIndex, article, numbers, phrase

# (relation, role of the thing sought) -> how it is said between the thing sought and the anchor.
WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("to the left of", "s"): ("to the left of", "left of"),
    ("to the right of", "s"): ("to the right of", "right of"),
    ("above", "s"): ("above",),
    ("below", "s"): ("below",),
    ("on", "s"): ("on", "on top of"),
    ("inside", "s"): ("inside", "in"),
    ("holding", "o"): ("held by",),
    ("holding", "s"): ("holding",),
    ("on", "o"): ("that carries",),
    ("inside", "o"): ("around",),
}
CARRIERS = {("holding", "s"): "robot", ("on", "o"): "table", ("inside", "o"): "frame"}
AXES = (("to the left of", "to the right of"), ("above", "below"))
QUERIES = {
    "color": ("What color is the {x} {r} the {y}?", "Which color does the {x} {r} the {y} have?"),
    "size": ("What size is the {x} {r} the {y}?", "How big is the {x} {r} the {y}?"),
    "material": ("What is the {x} {r} the {y} made of?", "Which material is the {x} {r} the {y} made of?"),
    "shape": ("What is the {x} {r} the {y}?", "What kind of thing is the {x} {r} the {y}?"),
}
FILTERS = ((), ("category",), ("shape",), ("color",), ("size",), ("material",))
FILTER_FREQUENCIES = (3.0, 2.0, 2.0, 1.0, 1.0, 1.0)


def _relation(index: SceneIndex, rng: Random) -> tuple[str, str, int]:
    """A random relation, the role of the thing sought, and the anchor."""
    contacts = index.scene.contacts
    if contacts and rng.random() < 0.3:
        subject, name, thing = rng.choice(contacts)
        role = "o" if (name == "holding") != (rng.random() < 0.25) else "s"
        return name, role, thing if role == "s" else subject
    return rng.choice(world.DIRECTIONS), "s", rng.randrange(len(index.things))


def _sought(index: SceneIndex, rng: Random, relation: tuple[str, str, int], kind: str) -> tuple[int, Phrase] | None:
    """The one thing that a loose phrase and the relation denote together.

    Another thing also fits the phrase but has another answer, so that the relation is needed.
    """
    certain, unclear = index.related(*relation)
    targets = numbers(certain)
    if not targets:
        return None
    number = rng.choice(targets)
    thing = index.things[number]
    carrier = CARRIERS.get(relation[:2])
    kinds = ("shape",) if carrier else rng.choices(FILTERS, FILTER_FREQUENCIES)[0]
    if kind in kinds or (kind == "shape" and carrier):
        return None
    found = phrase(*((k, thing.value(k)) for k in kinds))
    fitting = index.denoted(found.properties)
    if fitting & (certain | unclear) & ~(1 << relation[2]) != 1 << number:
        return None
    rivals = numbers(fitting & ~(1 << number | 1 << relation[2]))
    if not carrier and all(index.things[rival].value(kind) == thing.value(kind) for rival in rivals):
        return None
    return number, found


def query_relation(index: SceneIndex, rng: Random) -> Question | None:
    """What color is the thing left of the red cube?"""
    relation = _relation(index, rng)
    anchor_number = relation[2]
    kind = rng.choices((*KINDS, "shape"), (*KIND_FREQUENCIES, 4.0))[0]
    if kind == "size" and relation[0] in world.CONTACTS:
        return None
    sought = _sought(index, rng, relation, kind)
    if sought is None:
        return None
    number, found = sought
    anchor = index.refer(anchor_number, rng)
    if anchor is None:
        return None
    value = index.things[number].value(kind)
    program = Program()
    step = program.relate(found, relation[0], relation[1], program.select(anchor, anchor_number), number)
    program.add("query", "name" if kind == "shape" else kind, step)
    said = rng.choice(WORDS[relation[:2]])
    key: frozenset[object] = frozenset({*found.key, (*relation[:2], anchor.key)})
    form = rng.choice(QUERIES[kind])
    if kind == "shape" and not found.properties and rng.random() < 0.5:
        form = "What is {r} the {y}?"
    return finish(
        form,
        {"x": (found.text, number), "r": said, "y": (anchor.text, anchor_number)},
        answer=value,
        kind=("query_relation", "query", "rel"),
        steps=program.steps,
        statement=_claim(f"{found.text} {said} the {anchor.text}", kind, value),
        answer_thing=number if kind == "shape" else None,
        group=kind,
        gives=frozenset({("is", key, kind)}) | exists(found, anchor, phrase(*found.properties, (kind, value))),
        needs=frozenset({("is", key, kind)}),
    )


def _claim(subject: str, kind: str, value: str) -> str:
    if kind == "material":
        return f"the {subject} is made of {value}."
    return f"the {subject} is {article(value) if kind == 'shape' else value}."


def _pair_facts(found: Phrase, other: Phrase, axis: str) -> frozenset[Fact]:
    return frozenset({("order", frozenset({found.key, other.key}), axis)})


def _pair(index: SceneIndex, rng: Random) -> tuple[int, int, Phrase, Phrase, str, str] | None:
    """Two describable things and a direction (with its opposite) in which the first certainly lies."""
    first, second = rng.sample(range(len(index.things)), 2)
    axis = rng.choice(AXES)
    direction = next((d for d in axis if index.scene.offsets[d][first][second] >= index.scene.margin), None)
    if direction is None:
        return None
    found, other = index.refer(first, rng), index.refer(second, rng)
    if found is None or other is None:
        return None
    return first, second, found, other, direction, world.OPPOSITE[direction]


def verify_relation(index: SceneIndex, rng: Random) -> Question | None:
    """Is the cube left of the ball? Is there a toy left of the ball? Is the cube on the table?"""
    draw = rng.random()
    if draw < 0.25 and index.scene.contacts:
        return _verify_contact(index, rng)
    return _verify_direction(index, rng) if draw < 0.65 else _verify_existence(index, rng)


def _verify_direction(index: SceneIndex, rng: Random) -> Question | None:
    pair = _pair(index, rng)
    if pair is None:
        return None
    first, second, found, other, true, false = pair
    asked = true if rng.random() < 0.5 else false
    program = Program()
    program.add("verify rel", asked, program.select(found, first), program.select(other, second))
    facts = _pair_facts(found, other, "x" if true in AXES[0] else "y")
    return finish(
        "Is the {x} {r} the {y}?",
        {"x": (found.text, first), "r": rng.choice(WORDS[asked, "s"]), "y": (other.text, second)},
        answer="yes" if asked == true else "no",
        kind=("verify_relation", "verify", "rel"),
        steps=program.steps,
        statement=f"{'yes' if asked == true else 'no'}, the {found.text} is {true} the {other.text}.",
        gives=facts | exists(found, other),
        needs=facts,
    )


def _verify_existence(index: SceneIndex, rng: Random) -> Question | None:
    """Things of a kind lie only on one side of the anchor: yes on that side, no on the other."""
    anchor_number = rng.randrange(len(index.things))
    axis = rng.choice(AXES)
    thing = index.things[rng.randrange(len(index.things))]
    kinds = rng.choice((("shape",), ("category",), ("color",), ("color", "shape"), ("material",), ("size",)))
    found = phrase(*((k, thing.value(k)) for k in kinds))
    fitting = index.denoted(found.properties) & ~(1 << anchor_number)
    sides = {side: index.related(side, "s", anchor_number) for side in axis}
    occupied = [side for side in axis if sides[side][0] & fitting]
    if len(occupied) != 1 or any(unclear & fitting for _, unclear in sides.values()):
        return None
    anchor = index.refer(anchor_number, rng)
    if anchor is None:
        return None
    true = occupied[0]
    asked = true if rng.random() < 0.5 else world.OPPOSITE[true]
    answer = "yes" if asked == true else "no"
    matches = numbers(sides[asked][0] & fitting)
    program = Program()
    step = program.relate(found, asked, "s", program.select(anchor, anchor_number), *matches)
    program.add("exist", "?", step)
    said = rng.choice(WORDS[asked, "s"])
    there = article(found.text) if matches else f"no {found.text}"
    return finish(
        rng.choice(("Is there {x} {r} the {y}?", "Do you see {x} {r} the {y}?")),
        {"x": article(found.text), "r": said, "y": (anchor.text, anchor_number)},
        answer=answer,
        kind=("verify_relation", "verify", "rel"),
        steps=program.steps,
        statement=f"{answer}, there is {there} {said} the {anchor.text}.",
        gives=exists(anchor, found) if matches else exists(anchor),  # "no" says nothing of such things elsewhere
    )


def _verify_contact(index: SceneIndex, rng: Random) -> Question | None:
    """Is the cube on the table? Asked of what is there, or of another thing that could be."""
    subject, name, thing = rng.choice(index.scene.contacts)
    carried, carrier = (thing, subject) if name == "holding" else (subject, thing)
    rivals = [n for n, t in enumerate(index.things) if n != carried and t.shape in world.PORTABLE]
    if not rivals:
        return None
    asked = carried if rng.random() < 0.5 else rng.choice(rivals)
    # What is inside or on something is often small, so the size would tell.
    found, other = index.refer(asked, rng, avoid=("size",)), index.refer(carrier, rng)
    if found is None or other is None or found.noun not in (*world.PORTABLE, "thing"):
        return None
    answer = "yes" if asked == carried else "no"
    steps = Program()
    pair = steps.select(found, asked), steps.select(other, carrier)
    steps.add("verify rel", name, *(reversed(pair) if name == "holding" else pair))
    form = "Is the {y} holding the {x}?" if name == "holding" else "Is the {x} {r} the {y}?"
    role = "o" if name == "holding" else "s"
    fact: frozenset[Fact] = frozenset({("contact", found.key, name, other.key)})
    denied = "" if asked == carried else "not "
    said = f"{name} the {found.text}" if role == "o" else f"{name} the {other.text}"
    return finish(
        form,
        {"x": (found.text, asked), "r": rng.choice(WORDS[name, role]), "y": (other.text, carrier)},
        answer=answer,
        kind=("verify_relation", "verify", "rel"),
        steps=steps.steps,
        statement=f"{answer}, the {other.text if role == 'o' else found.text} is {denied}{said}.",
        gives=fact | exists(found, other),
        needs=fact,
    )


def choose_relation(index: SceneIndex, rng: Random) -> Question | None:
    """Is the cube to the left or to the right of the ball?"""
    pair = _pair(index, rng)
    if pair is None:
        return None
    first, second, found, other, true, _ = pair
    axis = AXES[0] if true in AXES[0] else AXES[1]
    offered = list(axis)
    rng.shuffle(offered)
    short = {"to the left of": "left", "to the right of": "right"}
    program = Program()
    program.add("choose rel", "|".join(offered), program.select(found, first), program.select(other, second))
    joined = " or ".join(offered).replace("of or", "or") if axis == AXES[0] else " or ".join(offered)
    facts = _pair_facts(found, other, "x" if axis == AXES[0] else "y")
    return finish(
        "Is the {x} {r} the {y}?",
        {"x": (found.text, first), "r": joined, "y": (other.text, second)},
        answer=short.get(true, true),
        kind=("choose_relation", "choose", "rel"),
        steps=program.steps,
        statement=f"the {found.text} is {true} the {other.text}.",
        group="direction",
        gives=facts | exists(found, other),
        needs=facts,
    )
