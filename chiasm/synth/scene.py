"""One scene: its things, what each is like, where it stands, and how they relate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chiasm.synth import world


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

    image_id: int  # unique in the world
    split: str
    image_size: int
    place: str
    things: tuple[Thing, ...]
    contacts: tuple[tuple[int, str, int], ...]  # (subject, "on" | "inside" | "holding", object)
    ground_tint: tuple[int, int, int] = (0, 0, 0)
    name: str = ""  # of the picture, where it is not the id

    @property
    def stem(self) -> str:
        """The picture's file name without ending, and its key among the scene graphs."""
        return self.name or str(self.image_id)

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
