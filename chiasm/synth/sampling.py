"""Drawing scenes: which things, what they are like, and a free place for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from chiasm.synth import world
from chiasm.synth.scene import Scene, Thing
from chiasm.synth.shapes import sprite

ARRANGED = 0.5  # how likely room for two things is used for a table with something on it, a full frame, ...
# How often a free thing has each shape, so that with the arranged ones all shapes are about equally frequent.
FREE_WEIGHTS = {"robot": 0.85, "table": 0.7, "frame": 0.7, "sign": 1.4}


class CrowdedSceneError(Exception):
    """The things do not fit into the picture."""


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


Wanted = Mapping[str, str]  # properties that a thing must have: {"category": "toy", "color": "red"}


class SceneSampler:
    """Draws scenes; the same seed, split and index give the same scene.

    No thing has its shape's held-out colour, except in test, where in every scene one thing does.
    """

    def __init__(
        self, *, seed: int, image_size: int = world.REFERENCE_SIZE, min_objects: int = 3, max_objects: int = 6
    ) -> None:
        self.seed, self.image_size = seed, image_size
        self.min_objects, self.max_objects = min_objects, max_objects
        self.held_out = world.held_out(seed)

    def scene(self, split: str, index: int) -> Scene:
        """Scene number `index` of a split. Raises `CrowdedSceneError`."""
        rng = Random(f"scene/{self.seed}/{split}/{index}")
        return self.compose(rng, split, image_number(split, index))

    def compose(
        self,
        rng: Random,
        split: str,
        image_id: int,
        *,
        name: str = "",
        wanted: Sequence[Wanted] = (),
        contact: tuple[str, Wanted] | None = None,
    ) -> Scene:
        """A scene with things that have the `wanted` properties, and a contact of what has the given ones.

        Raises `CrowdedSceneError` when the picture is too small for the things.
        """
        for _ in range(200):
            units = self._units(rng, split, wanted, contact)
            if self._place(units, rng):
                return self._scene(image_id, split, name, units, rng)
        raise CrowdedSceneError(
            f"{self.min_objects} to {self.max_objects} things do not fit into {self.image_size} pixels: "
            "ask for fewer things or a larger picture"
        )

    def _pixels(self, reference: float) -> int:
        return round(reference * self.image_size / world.REFERENCE_SIZE)

    def _thing(self, rng: Random, wanted: Wanted, side: int = 0) -> Thing:
        """A thing with the wanted properties and otherwise random ones; `side` 0: drawn from the size's range."""
        shape = wanted.get("shape") or _shape(rng, wanted.get("category"), wanted.get("color"), self.held_out)
        size = wanted.get("size") or rng.choice(world.SIZES)
        colors = [color for color in world.COLORS if self.held_out[shape] != color]
        thing = Thing(
            shape=shape,
            color=wanted.get("color") or rng.choice(colors),
            size=size,
            material=wanted.get("material") or rng.choice(world.MATERIALS),
            side=self._pixels(side or rng.randint(*world.SIDES[size])),
            word=rng.choice(world.WORDS) if shape == "sign" else "",
            tint=(rng.randint(-7, 7), rng.randint(-7, 7), rng.randint(-7, 7)),
        )
        return _measured(thing)

    def _units(
        self, rng: Random, split: str, wanted: Sequence[Wanted], contact: tuple[str, Wanted] | None
    ) -> list[_Unit]:
        units = [_alone(self._thing(rng, properties)) for properties in wanted]
        fixed = len(units)
        if contact is not None:
            units.append(self._arranged(rng, *contact))
            fixed += 1
        remaining = max(0, rng.randint(self.min_objects, self.max_objects) - sum(len(unit.things) for unit in units))
        contacts = [] if wanted or contact else list(world.CONTACTS)
        rng.shuffle(contacts)
        while remaining:
            if remaining >= 2 and contacts and rng.random() < ARRANGED / len(world.CONTACTS) * len(contacts):
                units.append(self._arranged(rng, contacts.pop(), {}))
                remaining -= 2
            else:
                contacts.clear()
                units.append(_alone(self._thing(rng, {})))
                remaining -= 1
        if split == "test" and len(units) > fixed:
            unit = rng.choice(units[fixed:])
            which = rng.randrange(len(unit.things))
            thing = unit.things[which]
            unit.things[which] = replace(thing, color=self.held_out[thing.shape])
        return units

    def _arranged(self, rng: Random, contact: str, wanted: Wanted) -> _Unit:
        """Two things that touch: the subject of the contact first. `wanted` is meant for what is carried."""
        touch = max(world.TOUCH, self._pixels(world.TOUCH))
        carried = dict(wanted)
        if "shape" not in carried:
            shapes = [
                s for s in world.PORTABLE if world.CATEGORY_OF[s] == carried.get("category", world.CATEGORY_OF[s])
            ]
            allowed = [s for s in shapes if self.held_out[s] != carried.get("color")]
            carried["shape"] = rng.choice(allowed)
        if contact == "on":
            table = self._thing(rng, {"shape": "table"})
            thing = self._thing(rng, carried if table.size == "large" else {**carried, "size": "small"})
            width = max(table.width, thing.width)
            offsets = [((width - thing.width) // 2, 0), ((width - table.width) // 2, thing.height + touch)]
            return _Unit([thing, table], offsets, width, thing.height + touch + table.height, contact)
        if contact == "inside":
            frame = self._thing(rng, {"shape": "frame", "size": "large"}, world.SIDES["large"][1])
            side = world.SIDES["small"][0] + rng.randint(0, 1)
            thing = self._thing(rng, {**carried, "size": "small"}, side)
            offsets = [((frame.width - thing.width) // 2, (frame.height - thing.height) // 2), (0, 0)]
            return _Unit([thing, frame], offsets, frame.width, frame.height, contact)
        arm = rng.choice(("left", "right"))
        robot = _measured(replace(self._thing(rng, {"shape": "robot"}), arm=arm))
        thing = self._thing(rng, carried if robot.size == "large" else {**carried, "size": "small"})
        height = max(robot.height, thing.height)
        robot_top = height - robot.height
        hand = robot_top + round(robot.height * 0.53)  # where the stretched arm is
        thing_top = min(max(0, hand - thing.height // 2), height - thing.height)
        offsets = [
            (thing.width + touch if arm == "left" else 0, robot_top),
            (0 if arm == "left" else robot.width + touch, thing_top),
        ]
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

    def _scene(self, image_id: int, split: str, name: str, units: list[_Unit], rng: Random) -> Scene:
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
        return Scene(image_id, split, self.image_size, place, tuple(things), contacts, tint, name)


def _measured(thing: Thing) -> Thing:
    """The thing with the width and height of its drawing."""
    height, width = sprite(thing.shape, thing.side, thing.variant).mask.shape
    return replace(thing, width=width, height=height)


def _alone(thing: Thing) -> _Unit:
    return _Unit([thing], [(0, 0)], thing.width, thing.height)


def _shape(rng: Random, category: str | None, color: str | None, forbidden: Mapping[str, str]) -> str:
    """A random shape of the category, if one is wanted, that may have the colour, if one is wanted."""
    shapes = [
        shape for shape in world.CATEGORIES.get(category or "", world.SHAPES) if color != forbidden.get(shape, "")
    ]
    return rng.choices(shapes, [FREE_WEIGHTS.get(shape, 1.0) for shape in shapes])[0]


def image_number(split: str, index: int) -> int:
    """The image id of item `index` of a split: ids of different splits never meet."""
    return (world.SPLITS.index(split) + 1) * 1_000_000 + index
