"""One scene: which things there are, what each is like, where it stands, and how they relate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from chiasm.synth import world
from chiasm.synth.shapes import sprite

ARRANGED = 0.5  # how likely room for two things is used for a table with something on it, a full frame, ...
# How often a free thing has each shape, so that with the arranged ones all shapes are about equally frequent.
FREE_WEIGHTS = {"robot": 0.85, "table": 0.7, "frame": 0.7, "sign": 1.4}


class CrowdedScene(Exception):
    """The things do not fit into the picture."""


@dataclass(frozen=True)
class Thing:
    """One thing in a scene; the box is in pixels and tight."""

    shape: str
    color: str
    size: str
    material: str
    side: int  # pixels that the drawing was asked to have
    word: str = ""  # what a sign says
    arm: str = ""  # the side on which a robot stretches out its arm
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0
    tint: tuple[int, int, int] = (0, 0, 0)  # the colour's deviation from the pure one

    @property
    def category(self) -> str:
        """toy, symbol or furniture."""
        return world.CATEGORY_OF[self.shape]

    @property
    def variant(self) -> str:
        """What `sprite` needs besides shape and size."""
        return self.word or self.arm

    @property
    def center(self) -> tuple[float, float]:
        """The middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2

    def value(self, kind: str) -> str:
        """The value of one of its properties: "color" -> "red"."""
        return str(getattr(self, kind))


@dataclass(frozen=True)
class Scene:
    """A picture before it is painted."""

    image_id: int
    split: str
    image_size: int
    place: str
    things: tuple[Thing, ...]
    contacts: tuple[tuple[int, str, int], ...]  # (subject, "on" | "inside" | "holding", object)
    ground_tint: tuple[int, int, int] = (0, 0, 0)
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def margin(self) -> float:
        """How far centres must be apart for a direction to be certain, in pixels."""
        return world.MARGIN * self.image_size / world.REFERENCE_SIZE

    def offset(self, subject: int, anchor: int, direction: str) -> float:
        """How many pixels `subject`'s centre lies to the left of (right of, above, below) `anchor`'s."""
        (x1, y1), (x2, y2) = self.things[subject].center, self.things[anchor].center
        return {"to the left of": x2 - x1, "to the right of": x1 - x2, "above": y2 - y1, "below": y1 - y2}[direction]

    def relations(self) -> Iterator[tuple[int, str, int]]:
        """Every certain relation as (subject, name, object)."""
        for subject in range(len(self.things)):
            for anchor in range(len(self.things)):
                if subject != anchor:
                    for direction in world.DIRECTIONS:
                        if self.offset(subject, anchor, direction) >= self.margin:
                            yield subject, direction, anchor
        yield from self.contacts


@dataclass
class _Unit:
    """Things placed together: `offsets` are their upper left corners inside the unit's rectangle."""

    things: list[Thing]
    offsets: list[tuple[int, int]]
    width: int
    height: int
    contact: str = ""  # between the first (what is carried, or the robot) and the second
    left: int = 0
    top: int = 0


class SceneSampler:
    """Draws scenes; the same seed, split and index give the same scene.

    In train and val no thing has its shape's held-out colour; in test at least one does.
    """

    def __init__(
        self, *, seed: int, image_size: int = world.REFERENCE_SIZE, min_objects: int = 3, max_objects: int = 6
    ) -> None:
        self.seed, self.image_size = seed, image_size
        self.min_objects, self.max_objects = min_objects, max_objects
        self.held_out = world.held_out(seed)
        self.weights = [FREE_WEIGHTS.get(shape, 1.0) for shape in world.SHAPES]

    def scene(self, split: str, index: int) -> Scene:
        """Scene number `index` of a split. Raises `CrowdedScene` when the picture is too small for the things."""
        rng = Random(f"scene/{self.seed}/{split}/{index}")
        image_id = (world.SPLITS.index(split) + 1) * 1_000_000 + index
        for _ in range(200):
            units = self._units(rng, split)
            if self._place(units, rng):
                return self._scene(image_id, split, units, rng)
        raise CrowdedScene(
            f"{self.min_objects} to {self.max_objects} things do not fit into {self.image_size} pixels: "
            "ask for fewer things or a larger picture"
        )

    def _pixels(self, reference: float) -> int:
        return round(reference * self.image_size / world.REFERENCE_SIZE)

    def _thing(self, rng: Random, split: str, shape: str, size: str | None = None, side: int = 0) -> Thing:
        """A thing with random properties; `side` 0: drawn from the size's range."""
        size = size or rng.choice(world.SIZES)
        colors = [c for c in world.COLORS if split == "test" or c != self.held_out[shape]]
        thing = Thing(
            shape=shape,
            color=rng.choice(colors),
            size=size,
            material=rng.choice(world.MATERIALS),
            side=self._pixels(side or rng.randint(*world.SIDES[size])),
            word=rng.choice(world.WORDS) if shape == "sign" else "",
            tint=(rng.randint(-7, 7), rng.randint(-7, 7), rng.randint(-7, 7)),
        )
        return _measured(thing)

    def _units(self, rng: Random, split: str) -> list[_Unit]:
        remaining = rng.randint(self.min_objects, self.max_objects)
        contacts = list(world.CONTACTS)
        rng.shuffle(contacts)
        units = []
        while remaining:
            if remaining >= 2 and contacts and rng.random() < ARRANGED / len(world.CONTACTS) * len(contacts):
                units.append(self._arranged(rng, split, contacts.pop()))
                remaining -= 2
            else:
                contacts.clear()
                thing = self._thing(rng, split, rng.choices(world.SHAPES, self.weights)[0])
                units.append(_Unit([thing], [(0, 0)], thing.width, thing.height))
                remaining -= 1
        if split == "test":
            unit = rng.choice(units)
            which = rng.randrange(len(unit.things))
            thing = unit.things[which]
            unit.things[which] = replace(thing, color=self.held_out[thing.shape])
        return units

    def _arranged(self, rng: Random, split: str, contact: str) -> _Unit:
        """Two things that touch: the subject of the contact first."""
        touch = max(world.TOUCH, self._pixels(world.TOUCH))
        shape = rng.choice(world.PORTABLE)
        if contact == "on":
            table = self._thing(rng, split, "table")
            thing = self._thing(rng, split, shape, "small" if table.size == "small" else None)
            width = max(table.width, thing.width)
            offsets = [((width - thing.width) // 2, 0), ((width - table.width) // 2, thing.height + touch)]
            return _Unit([thing, table], offsets, width, thing.height + touch + table.height, contact)
        if contact == "inside":
            frame = self._thing(rng, split, "frame", "large", world.SIDES["large"][1])
            thing = self._thing(rng, split, shape, "small", world.SIDES["small"][0] + rng.randint(0, 1))
            offsets = [((frame.width - thing.width) // 2, (frame.height - thing.height) // 2), (0, 0)]
            return _Unit([thing, frame], offsets, frame.width, frame.height, contact)
        arm = rng.choice(("left", "right"))
        robot = _measured(replace(self._thing(rng, split, "robot"), arm=arm))
        thing = self._thing(rng, split, shape, "small" if robot.size == "small" else None)
        height = max(robot.height, thing.height)
        robot_top = height - robot.height
        thing_top = min(max(0, robot_top + round(robot.height * 0.53 - thing.height / 2)), height - thing.height)
        robot_left = thing.width + touch if arm == "left" else 0
        thing_left = 0 if arm == "left" else robot.width + touch
        offsets = [(robot_left, robot_top), (thing_left, thing_top)]
        return _Unit([robot, thing], offsets, robot.width + touch + thing.width, height, contact)

    def _place(self, units: list[_Unit], rng: Random) -> bool:
        """Gives every unit a free rectangle, the largest first; False when one finds none."""
        gap, edge = self._pixels(world.GAP), self._pixels(3)
        placed: list[_Unit] = []
        for unit in sorted(units, key=lambda unit: -unit.width * unit.height):
            for _ in range(40):
                left = rng.randint(edge, self.image_size - edge - unit.width)
                top = rng.randint(edge, self.image_size - edge - unit.height)
                if all(
                    left >= other.left + other.width + gap
                    or left + unit.width + gap <= other.left
                    or top >= other.top + other.height + gap
                    or top + unit.height + gap <= other.top
                    for other in placed
                ):
                    unit.left, unit.top = left, top
                    placed.append(unit)
                    break
            else:
                return False
        return True

    def _scene(self, image_id: int, split: str, units: list[_Unit], rng: Random) -> Scene:
        """The units' things in random order, so that an object's number tells nothing."""
        entries = [(unit, position) for unit in units for position in range(len(unit.things))]
        rng.shuffle(entries)
        things = []
        number = {}
        for index, (unit, position) in enumerate(entries):
            left, top = unit.offsets[position]
            things.append(replace(unit.things[position], x=unit.left + left, y=unit.top + top))
            number[id(unit), position] = index
        contacts = tuple((number[id(u), 0], u.contact, number[id(u), 1]) for u in units if u.contact)
        tint = (rng.randint(-4, 4), rng.randint(-4, 4), rng.randint(-4, 4))
        place = rng.choice(list(world.PLACES))
        return Scene(image_id, split, self.image_size, place, tuple(things), contacts, tint)


def _measured(thing: Thing) -> Thing:
    """The thing with the width and height of its drawing."""
    height, width = sprite(thing.shape, thing.side, thing.variant).mask.shape
    return replace(thing, width=width, height=height)
