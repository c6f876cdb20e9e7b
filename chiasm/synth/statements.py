"""Statements about two pictures, as in NLVR2: what they say, when they are true, and what to show to test them.

What is shown for a true and for a false pair is drawn alike: the things a statement names are there either way, and
only how many, where, or in which picture decides. So matching words with things is not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, le
from random import Random

from chiasm.synth import world
from chiasm.synth.refer import Phrase, SceneIndex, article, phrase, plural
from chiasm.synth.statement import Show, Speaker, Statement, counted

NUMBERS = ("no", "one", "two", "three", "four")
SIDES = ("left", "right")
Wanted = list[Mapping[str, str]]
SINGLE = (("shape",), ("category",), ("color",))
DOUBLE = (("color", "shape"), ("material", "shape"), ("size", "shape"), ("color", "category"))


def _copies(found: Phrase, count: int) -> Wanted:
    return [dict(found.properties)] * count


def _scattered(found: Phrase, rng: Random, held_out: Mapping[str, str]) -> Wanted:
    """Each of two properties on a thing of its own: a red ball and a blue cube for "red cube"."""
    (kind, value), (other, second) = found.properties
    apart = [{kind: value, other: _else(other, second, rng)}, {kind: _else(kind, value, rng), other: second}]
    if any(held_out.get(thing.get("shape", "")) == thing.get("color", "none") for thing in apart):
        return _scattered(found, rng, held_out)
    return list(apart)


def _else(kind: str, value: str, rng: Random) -> str:
    return rng.choice([other for other in world.VOCABULARY[kind] if other != value])


def _number(count: int, found: Phrase) -> str:
    return f"{NUMBERS[count]} {found.text if count == 1 else plural(found.text)}"


def _count_in_one(speaker: Speaker) -> Statement:
    """The left image contains exactly two toys."""
    rng, found = speaker.rng, speaker.phrase(SINGLE)
    side, count = rng.randrange(2), rng.randint(1, 3)
    name, number, be = SIDES[side], _number(count, found), "is" if count == 1 else "are"
    text = rng.choice(
        (f"The {name} image contains exactly {number}.", f"There {be} exactly {number} in the {name} image.")
    )

    def truth(*images: SceneIndex) -> bool:
        return counted(images[side], found) == count

    def show(rng: Random) -> tuple[Show, Show]:
        first, second = (Show(_copies(found, max(0, count + rng.choice((-1, 0, 0, 1))))) for _ in SIDES)
        return first, second

    return Statement(text, "count_in_one", truth, show)


def _count_in_both(speaker: Speaker) -> Statement:
    """There are at least three red things in both images together."""
    rng, found = speaker.rng, speaker.phrase(SINGLE)
    count = rng.randint(2, 4)
    compare, word = rng.choice(((eq, "exactly"), (ge, "at least"), (le, "at most")))

    def truth(*images: SceneIndex) -> bool:
        return bool(compare(sum(counted(image, found) for image in images), count))

    def show(rng: Random) -> tuple[Show, Show]:
        total = max(0, count + rng.choice((-1, 0, 1)))
        first = rng.randint(max(0, total - 3), min(3, total))
        return Show(_copies(found, first)), Show(_copies(found, total - first))

    text = f"There are {word} {_number(count, found)} in both images together."
    return Statement(text, "count_in_both", truth, show)


def _more(speaker: Speaker) -> Statement:
    """The left image contains more toys than the right image."""
    rng, found = speaker.rng, speaker.phrase(SINGLE)
    side = rng.randrange(2)
    more = rng.random() < 0.5

    def truth(*images: SceneIndex) -> bool:
        difference = counted(images[side], found) - counted(images[1 - side], found)
        return difference > 0 if more else difference < 0

    def show(rng: Random) -> tuple[Show, Show]:
        return Show(_copies(found, rng.randint(0, 3))), Show(_copies(found, rng.randint(0, 3)))

    word = "more" if more else "fewer"
    text = f"The {SIDES[side]} image contains {word} {plural(found.text)} than the {SIDES[1 - side]} image."
    return Statement(text, "more", truth, show)


def _presence(speaker: Speaker, found: Phrase) -> Callable[[Random], tuple[Show, Show]]:
    """In each picture either the thing, or its properties on two other things."""

    def show(rng: Random) -> tuple[Show, Show]:
        first, second = (
            Show(_copies(found, 1) if rng.random() < 0.6 else _scattered(found, rng, speaker.held_out)) for _ in SIDES
        )
        return first, second

    return show


def _both_contain(speaker: Speaker) -> Statement:
    """Both images contain a red cube."""
    found = speaker.phrase(DOUBLE)
    noun = article(found.text)
    text = speaker.rng.choice((f"Both images contain {noun}.", f"There is {noun} in each image."))
    return Statement(text, "both", lambda *images: all(counted(i, found) for i in images), _presence(speaker, found))


def _exactly_one(speaker: Speaker) -> Statement:
    """Exactly one of the images contains a red cube."""
    found = speaker.phrase(DOUBLE)
    noun = article(found.text)
    text = speaker.rng.choice((f"Exactly one of the images contains {noun}.", f"Only one image contains {noun}."))
    return Statement(
        text, "exactly_one", lambda *images: sum(counted(i, found) > 0 for i in images) == 1, _presence(speaker, found)
    )


def _one_contains(speaker: Speaker) -> Statement:
    """The left image contains a red cube."""
    found = speaker.phrase(DOUBLE)
    side = speaker.rng.randrange(2)
    noun, name = article(found.text), SIDES[side]
    text = speaker.rng.choice((f"The {name} image contains {noun}.", f"There is {noun} in the {name} image."))
    return Statement(text, "one_contains", lambda *images: counted(images[side], found) > 0, _presence(speaker, found))


def _related(index: SceneIndex, found: Phrase, direction: str, other: Phrase) -> bool | None:
    """Whether a `found` lies so of an `other`; None when it is not clear, or one of them is missing."""
    anchors = [n for n in range(len(index.things)) if index.denoted(other.properties) >> n & 1]
    subjects = index.denoted(found.properties)
    if not anchors or not subjects:
        return None
    unclear = False
    for anchor in anchors:
        certain, maybe = index.related(direction, "s", anchor)
        if certain & subjects:
            return True
        unclear |= bool(maybe & subjects)
    return None if unclear else False


def _two_things(speaker: Speaker) -> tuple[Phrase, Phrase, str, Callable[[Random], tuple[Show, Show]]]:
    """Two phrases, a direction, and pictures that both contain both, whether the direction is right or not."""
    patterns = (("shape",), ("color", "shape"))
    found, other = speaker.phrase(patterns), speaker.phrase(patterns)
    while other.noun == found.noun:
        other = speaker.phrase(patterns)
    both = Show([*_copies(found, 1), *_copies(other, 1)])
    return found, other, speaker.rng.choice(world.DIRECTIONS), lambda rng: (both, both)


def _relation(speaker: Speaker) -> Statement:
    """In the left image, a cube is to the left of a ball."""
    found, other, direction, show = _two_things(speaker)
    side = speaker.rng.randrange(2)
    text = f"In the {SIDES[side]} image, {article(found.text)} is {direction} {article(other.text)}."
    return Statement(text, "relation", lambda *images: _related(images[side], found, direction, other), show)


def _relation_in_both(speaker: Speaker) -> Statement:
    """In both images, a cube is above a ball."""
    found, other, direction, show = _two_things(speaker)

    def truth(*images: SceneIndex) -> bool | None:
        single = [_related(image, found, direction, other) for image in images]
        return None if None in single else all(single)

    text = f"In both images, {article(found.text)} is {direction} {article(other.text)}."
    return Statement(text, "relation_in_both", truth, show)


CONTACT_WORDS = {"on": "is on a table", "inside": "is inside a frame", "holding": "is held by a robot"}
CARRIERS = {"on": "table", "inside": "frame", "holding": "robot"}


def _contact(speaker: Speaker) -> Statement:
    """In the left image, a ball is on a table. Ball and table are in the picture either way."""
    rng = speaker.rng
    found = phrase(("shape", rng.choice(world.PORTABLE)))
    name, side = rng.choice(world.CONTACTS), rng.randrange(2)
    carrier = phrase(("shape", CARRIERS[name]))

    def truth(*images: SceneIndex) -> bool | None:
        index = images[side]
        if not counted(index, found) or not counted(index, carrier):
            return None
        carried = [s if name != "holding" else o for s, relation, o in index.scene.contacts if relation == name]
        return any(index.denoted(found.properties) >> number & 1 for number in carried)

    def show(rng: Random) -> tuple[Show, Show]:
        # Something is always carried; the thing named, or another while the thing named stands elsewhere.
        def one() -> Show:
            if rng.random() < 0.5:
                return Show((), (name, dict(found.properties)))
            other = rng.choice([shape for shape in world.PORTABLE if shape != found.noun])
            return Show(_copies(found, 1), (name, {"shape": other}))

        return one(), one()

    return Statement(
        f"In the {SIDES[side]} image, {article(found.text)} {CONTACT_WORDS[name]}.", "contact", truth, show
    )


def _same_value(speaker: Speaker) -> Statement:
    """The cube in the left image and the cube in the right image are the same color."""
    rng, found = speaker.rng, speaker.phrase((("shape",),))
    kind = rng.choice(("color", "size", "material"))
    phrases = {
        "color": "have the same color",
        "size": "have the same size",
        "material": "are made of the same material",
    }

    def truth(*images: SceneIndex) -> bool | None:
        masks = [image.denoted(found.properties) for image in images]
        if any(mask.bit_count() != 1 for mask in masks):
            return None
        values = {image.things[mask.bit_length() - 1].value(kind) for image, mask in zip(images, masks, strict=True)}
        return len(values) == 1

    text = f"The {found.text} in the left image and the {found.text} in the right image {phrases[kind]}."
    return Statement(text, "same_value", truth, lambda rng: (Show(_copies(found, 1)), Show(_copies(found, 1))))


def _same_place(speaker: Speaker) -> Statement:
    """Both images have the same background."""
    different = speaker.rng.random() < 0.5
    text = "The images have different backgrounds." if different else "Both images have the same background."
    return Statement(text, "same_place", lambda left, right: (left.scene.place == right.scene.place) is not different)


FAMILIES: Mapping[str, tuple[Callable[[Speaker], Statement], float]] = {  # name -> what draws one, and how often
    "count_in_one": (_count_in_one, 2),
    "count_in_both": (_count_in_both, 1.5),
    "more": (_more, 1.5),
    "both": (_both_contain, 1.5),
    "exactly_one": (_exactly_one, 1.5),
    "one_contains": (_one_contains, 1.5),
    "relation": (_relation, 2.5),
    "relation_in_both": (_relation_in_both, 1),
    "contact": (_contact, 1.5),
    "same_value": (_same_value, 1),
    "same_place": (_same_place, 0.3),
}


def draw(speaker: Speaker, families: Sequence[str] = ()) -> Statement:
    """A random statement of one of the named families; (): of any."""
    makers, weights = zip(*(FAMILIES[name] for name in families or FAMILIES), strict=True)
    make: Callable[[Speaker], Statement] = speaker.rng.choices(makers, weights)[0]
    return make(speaker)
