"""Scenes as pictures: an RGB array, a PNG file, exact masks."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chiasm.synth import world
from chiasm.synth.scene import Scene, Thing
from chiasm.synth.shapes import sprite

OUTLINE = np.array((34, 32, 40), dtype=np.float32)  # nearly black: differs from every ground by more than 140


@lru_cache(maxsize=512)
def _finish(material: str, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The look of a material on an h x w box: (h, w) factors for the colour, (h, w) shares of white over it.

    Wood has four bands of grain, metal a gloss along the diagonal, plastic is plain; all scale with the box, so that
    a crop resized to a few pixels still shows them.
    """
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
    x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) / width
    plain = np.ones((height, width), np.float32)
    if material == "wood":
        grain = np.sin(2 * np.pi * (4 * y + 0.12 * np.sin(2 * np.pi * x))) > 0.1
        return np.where(grain, np.float32(0.58), np.float32(1.04)), 0 * plain
    if material == "metal":
        along = (x + y) / 2
        gloss = np.exp(-(((along - 0.36) / 0.09) ** 2)) + 0.8 * np.exp(-(((along - 0.68) / 0.05) ** 2))
        return (1.0 - 0.18 * along).astype(np.float32), (0.85 * np.minimum(gloss, 1)).astype(np.float32)
    return plain, 0 * plain


def paint(thing: Thing) -> NDArray[np.uint8]:
    """The thing's own pixels, (h, w, 3); only those under its mask are meant to be used."""
    drawing = sprite(thing.shape, thing.side, thing.variant)
    factor, gloss = _finish(thing.material, thing.height, thing.width)
    color = np.array(world.COLORS[thing.color], np.float32) + np.array(thing.tint, np.float32)
    pixels: NDArray[np.float32] = color * (drawing.light * factor)[..., None]
    if thing.material == "metal":
        pixels += (255 - pixels) * gloss[..., None]
    if thing.word:
        pixels += (255 - pixels) * drawing.white[..., None]
    if drawing.inked:
        pixels += (OUTLINE - pixels) * drawing.dark[..., None]
    pixels[drawing.outline] = OUTLINE
    return pixels.clip(0, 255).astype(np.uint8)


def render(scene: Scene) -> NDArray[np.uint8]:
    """The scene's picture, (height, width, 3)."""
    ground = np.clip(np.array(world.PLACES[scene.place]) + np.array(scene.ground_tint), 0, 255)
    picture = np.empty((scene.image_size, scene.image_size, 3), np.uint8)
    picture[:] = ground.astype(np.uint8)
    for thing in scene.things:
        mask = sprite(thing.shape, thing.side, thing.variant).mask
        area = picture[thing.y : thing.y + thing.height, thing.x : thing.x + thing.width]
        np.copyto(area, paint(thing), where=mask[..., None])
    return picture


def mask(scene: Scene, index: int) -> NDArray[np.bool_]:
    """The pixels that belong to thing number `index`, (height, width)."""
    thing = scene.things[index]
    full = np.zeros((scene.image_size, scene.image_size), np.bool_)
    full[thing.y : thing.y + thing.height, thing.x : thing.x + thing.width] = sprite(
        thing.shape, thing.side, thing.variant
    ).mask
    return full


def png(picture: NDArray[np.uint8], level: int = 1) -> bytes:
    """An (h, w, 3) picture as the bytes of a PNG file; a low zlib `level` writes fast.

    Written here because it is several times faster than through an image library for small pictures, and the same
    bytes come out whatever version is installed. Format: https://www.w3.org/TR/png/
    """
    height, width, _ = picture.shape
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0] = 2  # filter "up": the difference to the pixel above, nearly all zero on a plain ground
    flat = picture.reshape(height, -1)
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), level)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
