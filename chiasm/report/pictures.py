"""Evidence as pictures inside a page: boxes shaded over an image, words shaded, attention as heat maps."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from chiasm.explain.evidence import darkest
from chiasm.explain.explanation import View, Word, shares
from chiasm.report.html import Html, join, tag

LARGEST = 640  # pixels of an image's longer side in the page
FOR, AGAINST = "232 89 12", "28 126 214"  # RGB: speaks for the answer, speaks against it
CELL = 18  # of a heat map, in its own units


def data_uri(image: Image.Image) -> str:
    """The image inside a page: at most `LARGEST` pixels wide, PNG when small or transparent, else JPEG."""
    shown = image
    if max(image.size) > LARGEST:
        scale = LARGEST / max(image.size)
        shown = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    kind = "PNG" if shown.mode == "RGBA" or max(shown.size) <= 256 else "JPEG"
    buffer = io.BytesIO()
    shown.save(buffer, kind, optimize=True, **({"quality": 88} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def shaded_image(view: View, relevance: Sequence[float], *, alt: str, name: str) -> Html:
    """The image under a veil that lifts over relevant boxes, so that their colours stay true; regions are numbered.

    `name` tells this picture from the others on the page. Without any relevance there is no veil.
    """
    width, height = 100.0, 100.0 * view.image.height / view.image.width
    order = sorted(range(len(relevance)), key=lambda i: -area(view.boxes[i]))  # small boxes on top
    values = shares(relevance)
    numbered = [] if view.patches else order
    drawn = [_box(i + 1, view.boxes[i], values[i], width, height) for i in numbered]
    veil = _veil(view, values, width, height, name) if any(values) else None
    overlay = tag("svg", veil, *drawn, viewBox=f"0 0 {width:g} {height:.2f}", aria_hidden="true")
    picture = tag("img", src=data_uri(view.image), alt=alt, width=view.image.width, height=view.image.height)
    return tag("div", picture, overlay, class_="picture")


def area(box: Tensor) -> float:
    """Of a box x1, y1, x2, y2."""
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _corners(box: Tensor, width: float, height: float) -> dict[str, str]:
    """A box as the attributes of a rectangle."""
    x1, y1, x2, y2 = (float(v) for v in box)
    place = {"x": x1 * width, "y": y1 * height, "width": (x2 - x1) * width, "height": (y2 - y1) * height}
    return {key: f"{value:.2f}" for key, value in place.items()}


def _veil(view: View, values: Sequence[float], width: float, height: float, name: str) -> Html:
    """Dark over the whole image, except where boxes are relevant."""
    holes = [
        tag("rect", **_corners(box, width, height), style=f"fill:rgb(0 0 0 / {abs(share):.3f})")
        for box, share in zip(view.boxes, values, strict=True)
    ]
    sheet = tag("rect", width=f"{width:g}", height=f"{height:.2f}", style="fill:#fff")
    mask = tag("mask", sheet, *holes, id=name)
    veil = tag("rect", width=f"{width:g}", height=f"{height:.2f}", mask=f"url(#{name})", class_="veil")
    return join([mask, veil])


def _box(number: int, box: Tensor, share: float, width: float, height: float) -> Html:
    place, strength = _corners(box, width, height), abs(share)
    colour = FOR if share >= 0 else AGAINST
    rectangle = tag(
        "rect",
        tag("title", f"region {number}: {share:+.2f} of the largest relevance"),
        **place,
        rx="0.8",
        style=f"fill:none;stroke:rgb({colour} / {0.2 + 0.8 * strength:.3f});stroke-width:{1 + 2 * strength:.2f}px",
        vector_effect="non-scaling-stroke",
        pointer_events="all",
    )
    x, y = float(box[0]) * width, float(box[1]) * height
    return join([rectangle, tag("text", number, x=f"{x + 1.2:.2f}", y=f"{y + 5.2:.2f}", class_="number")])


def shaded_words(words: Sequence[Word], relevance: Sequence[float]) -> Html:
    """The text, each word on a background as strong as its relevance."""
    parts: list[object] = []
    for word, value, share in zip(words, relevance, shares(relevance), strict=True):
        colour = FOR if share >= 0 else AGAINST
        style = f"background:rgb({colour} / {0.55 * abs(share):.3f})"
        shaded = tag("span", word.text, class_="word", style=style, title=f"relevance {value:+.3g}")
        parts += [" " if word.space and parts else None, shaded]
    return tag("span", *parts, class_="words")


def heat_map(
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    darkest_at: float | None = None,
) -> Html:
    """A labelled matrix; the darker a cell, the higher its value. By default darkest as suits attention (`darkest`)."""
    height, width = values.shape
    side = 10 + 7 * max((len(name) for name in rows), default=0)
    top = 10 + 6 * max((len(name) for name in columns), default=0)
    picture = tag(
        "image",
        href=data_uri_exact(tinted(values / (darkest(values) if darkest_at is None else darkest_at))),
        x=side,
        y=top,
        width=width * CELL,
        height=height * CELL,
        preserveAspectRatio="none",
        style="image-rendering:pixelated",
    )
    left = [tag("text", name, x=side - 5, y=top + i * CELL + 13, class_="axis end") for i, name in enumerate(rows)]
    above = [
        tag("text", name, transform=f"translate({side + i * CELL + 12} {top - 5}) rotate(-60)", class_="axis")
        for i, name in enumerate(columns)
    ]
    frame = tag("rect", x=side, y=top, width=width * CELL, height=height * CELL, class_="frame")
    full_width, full_height = side + width * CELL + 24, top + height * CELL + 4
    svg = tag(
        "svg",
        tag("title", title),
        picture,
        frame,
        *left,
        *above,
        viewBox=f"0 0 {full_width} {full_height}",
        width=full_width,
        role="img",
        aria_label=title,
    )
    return tag("figure", tag("figcaption", title), svg, class_="heat")


def head_grid(layers: Sequence[Tensor], *, title: str) -> Html:
    """All heads of all layers as small matrices: a row for each layer, a column for each head.

    `layers` are (H, Q, K) each; every matrix has a scale of its own (`darkest`).
    """
    heads, queries, keys = layers[0].shape
    gap = max(1, queries // 6)
    sheet = np.zeros((len(layers) * (queries + gap) - gap, heads * (keys + gap) - gap))
    for i, layer in enumerate(layers):
        for h in range(heads):
            matrix = layer[h].double().numpy()
            y, x = i * (queries + gap), h * (keys + gap)
            sheet[y : y + queries, x : x + keys] = matrix / darkest(matrix)
    unit = max(1.0, 620 / sheet.shape[1])
    image = tag(
        "img",
        src=data_uri_exact(tinted(sheet)),
        alt=f"{title}: {len(layers)} layers (rows) by {heads} heads (columns)",
        style=f"image-rendering:pixelated;width:{min(unit, 8) * sheet.shape[1]:.0f}px",
    )
    caption = f"{title}: layers 1–{len(layers)} downwards, heads 1–{heads} across"
    return tag("figure", tag("figcaption", caption), image, class_="heads")


def tinted(values: NDArray[np.float64]) -> Image.Image:
    """(height, width) in [0, 1] -> an image whose opacity is the value, readable on light and dark."""
    pixels = np.empty((*values.shape, 4), dtype=np.uint8)
    pixels[..., :3] = [int(part) for part in FOR.split()]
    pixels[..., 3] = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return Image.fromarray(pixels)


def data_uri_exact(image: Image.Image) -> str:
    """A PNG of exactly these pixels."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
