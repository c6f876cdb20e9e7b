"""Pictures: what the boxes and masks say is what one sees."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from chiasm.synth import world
from chiasm.synth.lettering import LETTERS, write
from chiasm.synth.render import mask, paint, png, render
from chiasm.synth.sampling import SceneSampler
from chiasm.synth.shapes import sprite

SAMPLER = SceneSampler(seed=2)
SCENES = [SAMPLER.scene("test", index) for index in range(150)]


def test_connected_areas_that_differ_from_the_ground_are_the_boxes() -> None:
    for scene in SCENES:
        picture = render(scene)
        labels, _ = ndimage.label((picture != picture[0, 0]).any(-1), structure=np.ones((3, 3)))
        found = {(s[1].start, s[0].start, s[1].stop, s[0].stop) for s in ndimage.find_objects(labels)}
        assert found == {(t.x, t.y, t.x + t.width, t.y + t.height) for t in scene.things}


def test_masks_cover_exactly_what_is_not_ground() -> None:
    for scene in SCENES[:40]:
        picture = render(scene)
        covered = np.add.reduce([mask(scene, number).astype(int) for number in range(len(scene.things))])
        assert covered.max() == 1
        np.testing.assert_array_equal(covered == 1, (picture != picture[0, 0]).any(-1))


def test_the_outline_is_dark() -> None:
    for scene in SCENES[:20]:
        for thing in scene.things:
            drawing = sprite(thing.shape, thing.side, thing.variant)
            assert paint(thing)[drawing.outline].max() < 50


def test_things_are_drawn_in_their_color() -> None:
    """The mean inner color is nearer to its own than to any other, whatever the material."""
    colors = np.array(list(world.COLORS.values()), dtype=float)
    names = list(world.COLORS)
    right = total = 0
    for scene in SCENES:
        for thing in scene.things:
            drawing = sprite(thing.shape, thing.side, thing.variant)
            inner = paint(thing)[drawing.mask & ~drawing.outline & (drawing.white < 0.1) & (drawing.dark < 0.1)]
            hue = np.median(inner, axis=0)
            direction = (hue - hue.mean()) / (np.linalg.norm(hue - hue.mean()) + 12)
            own = colors - colors.mean(1, keepdims=True)
            own /= np.linalg.norm(own, axis=1, keepdims=True) + 12
            right += names[int(np.linalg.norm(own - direction, axis=1).argmin())] == thing.color
            total += 1
    assert right / total > 0.93


@pytest.mark.parametrize("shape", world.SHAPES)
def test_corners_of_a_box_show_the_ground(shape: str) -> None:
    """So that the ground can be told from the crops alone; a frame shows it in its middle."""
    drawing = sprite(shape, 30, "go" if shape == "sign" else "")
    middle = drawing.mask[drawing.mask.shape[0] // 2, drawing.mask.shape[1] // 2]
    corners = drawing.mask[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.all() or not middle


@pytest.mark.parametrize("shape", world.SHAPES)
@pytest.mark.parametrize("side", [16, 20, 29, 34])
def test_shapes_are_one_connected_piece(shape: str, side: int) -> None:
    for variant in {"sign": world.WORDS, "robot": ("", "left", "right")}.get(shape, ("",)):
        _, count = ndimage.label(sprite(shape, side, variant).mask, structure=np.ones((3, 3)))
        assert count == 1


def test_every_word_can_be_written() -> None:
    assert {letter for word in world.WORDS for letter in word.upper()} <= LETTERS.keys()


def test_words_on_signs_look_different() -> None:
    drawn = [np.asarray(write(word, 14, 7).resize((14, 7)), dtype=float) for word in world.WORDS]
    for number, first in enumerate(drawn):
        for second in drawn[:number]:
            assert np.abs(first - second).mean() > 25


def test_png_files_hold_the_picture() -> None:
    picture = render(SCENES[0])
    with Image.open(io.BytesIO(png(picture))) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(image), picture)


@pytest.mark.parametrize("size", [96, 160, 224])
def test_pictures_scale(size: int) -> None:
    scene = SceneSampler(seed=0, image_size=size, max_objects=4).scene("train", 0)
    assert render(scene).shape == (size, size, 3)
    reference = SceneSampler(seed=0, max_objects=4).scene("train", 0)
    assert scene.margin == reference.margin * size / 128
