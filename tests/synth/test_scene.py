"""Scenes: what is in them, where it stands, and which combinations are kept for the test."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from chiasm.synth import world
from chiasm.synth.sampling import CrowdedSceneError, SceneSampler
from chiasm.synth.scene import Scene

SAMPLER = SceneSampler(seed=11)
SCENES = {split: [SAMPLER.scene(split, index) for index in range(400)] for split in world.SPLITS}


def combinations_in(split: str) -> Counter[tuple[str, str]]:
    return Counter((thing.shape, thing.color) for scene in SCENES[split] for thing in scene.things)


def distance(scene: Scene, first: int, second: int) -> int:
    """Pixels between two boxes along the axis on which they are further apart; negative: they overlap."""
    a, b = scene.things[first], scene.things[second]
    across = max(a.x - (b.x + b.width), b.x - (a.x + a.width))
    down = max(a.y - (b.y + b.height), b.y - (a.y + a.height))
    return max(across, down)


@pytest.mark.parametrize("split", ["train", "val"])
def test_held_out_combinations_never_occur_before_the_test(split: str) -> None:
    assert not combinations_in(split).keys() & set(SAMPLER.held_out.items())


def test_one_thing_of_every_test_scene_is_a_held_out_combination() -> None:
    held_out = set(SAMPLER.held_out.items())
    for scene in SCENES["test"]:
        assert sum((thing.shape, thing.color) in held_out for thing in scene.things) == 1


def test_all_other_combinations_occur_in_training() -> None:
    expected = {(s, c) for s in world.SHAPES for c in world.COLORS} - set(SAMPLER.held_out.items())
    assert combinations_in("train").keys() == expected


@pytest.mark.parametrize("seed", range(20))
def test_every_shape_has_a_held_out_color_and_no_color_is_held_out_for_more_than_two(seed: int) -> None:
    held_out = world.held_out(seed)
    assert held_out.keys() == set(world.SHAPES)
    assert max(Counter(held_out.values()).values()) <= 2


def test_other_seeds_hold_out_other_combinations() -> None:
    assert world.held_out(0) != world.held_out(1)


def test_shapes_and_colors_are_about_equally_frequent() -> None:
    things = [thing for scene in SCENES["train"] for thing in scene.things]
    for kind, values in (("shape", world.SHAPES), ("color", world.COLORS), ("material", world.MATERIALS)):
        counts = Counter(thing.value(kind) for thing in things)
        for value in values:
            assert counts[value] * len(values) / len(things) == pytest.approx(1, abs=0.3), value


def test_things_stay_inside_the_picture() -> None:
    for scene in SCENES["train"]:
        for thing in scene.things:
            assert thing.x >= 1
            assert thing.y >= 1
            assert thing.x + thing.width < scene.image_size
            assert thing.y + thing.height < scene.image_size


def test_things_that_do_not_touch_keep_their_distance() -> None:
    for scene in SCENES["train"]:
        touching = {frozenset((subject, thing)) for subject, _, thing in scene.contacts}
        for pair in combinations(range(len(scene.things)), 2):
            if frozenset(pair) not in touching:
                assert distance(scene, *pair) >= world.GAP


def test_what_is_on_inside_or_held_is_drawn_so() -> None:
    seen = Counter()
    for scene in SCENES["train"]:
        for subject, name, thing in scene.contacts:
            seen[name] += 1
            first, second = scene.things[subject], scene.things[thing]
            if name == "inside":
                assert second.shape == "frame"
                assert second.x < first.x
                assert first.x + first.width < second.x + second.width
                assert second.y < first.y
                assert first.y + first.height < second.y + second.height
            elif name == "on":
                assert second.shape == "table"
                assert first.y + first.height + world.TOUCH == second.y
            else:
                assert first.shape == "robot"
                assert distance(scene, subject, thing) == world.TOUCH
                assert first.arm == ("right" if second.x > first.x else "left")
    assert min(seen[name] for name in world.CONTACTS) > 20


def test_only_robots_that_hold_something_stretch_out_an_arm() -> None:
    for scene in SCENES["train"]:
        holding = {subject for subject, name, _ in scene.contacts if name == "holding"}
        for number, thing in enumerate(scene.things):
            assert bool(thing.arm) == (number in holding)


def test_directions_hold_only_with_a_margin() -> None:
    for scene in SCENES["train"][:100]:
        relations = set(scene.relations())
        for first, second in combinations(range(len(scene.things)), 2):
            gap = scene.things[first].center[0] - scene.things[second].center[0]
            assert ((first, "to the right of", second) in relations) == (gap >= world.MARGIN)
            assert ((second, "to the left of", first) in relations) == (gap >= world.MARGIN)


def test_large_things_are_clearly_larger() -> None:
    things = [thing for scene in SCENES["train"] for thing in scene.things]
    for shape in world.SHAPES:
        areas = {s: [t.width * t.height for t in things if t.shape == shape and t.size == s] for s in world.SIZES}
        assert max(areas["small"]) * 1.5 < min(areas["large"])


def test_a_scene_depends_on_seed_split_and_index_alone() -> None:
    assert SceneSampler(seed=11).scene("train", 5) == SCENES["train"][5]
    assert SceneSampler(seed=12).scene("train", 5) != SCENES["train"][5]
    assert SCENES["val"][5].things != SCENES["train"][5].things


def test_wanted_things_are_there() -> None:
    from random import Random

    wanted = [{"shape": "cube", "color": "red"}, {"category": "furniture", "material": "metal"}]
    sampler = SceneSampler(seed=0, min_objects=2, max_objects=4)
    for number in range(50):
        scene = sampler.compose(Random(number), "test", 0, wanted=wanted, contact=("on", {"shape": "heart"}))
        assert any(thing.shape == "cube" and thing.color == "red" for thing in scene.things)
        assert any(thing.category == "furniture" and thing.material == "metal" for thing in scene.things)
        subject, name, _ = scene.contacts[0]
        assert (name, scene.things[subject].shape) == ("on", "heart")


def test_a_picture_too_small_for_its_things_is_an_error() -> None:
    with pytest.raises(CrowdedSceneError, match="30 to 30 things do not fit into 128 pixels"):
        SceneSampler(seed=0, min_objects=30, max_objects=30).scene("train", 0)
