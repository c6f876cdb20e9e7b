"""Letters for the signs: a bitmap alphabet of our own, so that pictures are the same on every machine."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image

HEIGHT = 7

# One row of pixels a line; "#" is ink. Only the letters of `world.WORDS`.
LETTERS: dict[str, tuple[str, ...]] = {
    "A": (".##.", "#..#", "#..#", "####", "#..#", "#..#", "#..#"),
    "B": ("###.", "#..#", "#..#", "###.", "#..#", "#..#", "###."),
    "E": ("###", "#..", "#..", "##.", "#..", "#..", "###"),
    "F": ("###", "#..", "#..", "##.", "#..", "#..", "#.."),
    "G": (".##.", "#..#", "#...", "#.##", "#..#", "#..#", ".##."),
    "H": ("#..#", "#..#", "#..#", "####", "#..#", "#..#", "#..#"),
    "I": ("#", "#", "#", "#", "#", "#", "#"),
    "O": (".##.", "#..#", "#..#", "#..#", "#..#", "#..#", ".##."),
    "R": ("###.", "#..#", "#..#", "###.", "#.#.", "#..#", "#..#"),
    "S": (".###", "#...", "#...", ".##.", "...#", "...#", "###."),
    "T": ("###", ".#.", ".#.", ".#.", ".#.", ".#.", ".#."),
    "U": ("#..#", "#..#", "#..#", "#..#", "#..#", "#..#", ".##."),
    "Z": ("####", "...#", "..#.", ".#..", "#...", "#...", "####"),
}


@lru_cache(maxsize=1024)
def write(word: str, width: int, height: int) -> Image.Image:
    """`word` in capitals, white on black ("L"), as large as `width` x `height` pixels allow. Raises KeyError."""
    rows = [".".join(LETTERS[letter.upper()][row] for letter in word) for row in range(HEIGHT)]
    image = Image.new("L", (len(rows[0]), HEIGHT))
    image.putdata([255 if pixel == "#" else 0 for row in rows for pixel in row])
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
