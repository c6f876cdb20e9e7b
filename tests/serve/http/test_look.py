"""Where a word or region of the page looks, by attention and by scores: the page's own code, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

SCRIPT = """
import { lookOf, waysToLook } from "./evidence.mjs";
const { explanation, asked } = JSON.parse(process.argv[2]);
const ways = waysToLook(explanation);
const called = (label) => ways.find((way) => way.label === label);
const found = asked.map(([way, item]) => lookOf(explanation, called(way), item, -1, -1));
console.log(JSON.stringify({ labels: ways.map((way) => way.label), found }));
"""
BOX = [0, 0, 1, 1]
WORDS = [{"text": "red", "positions": [1]}, {"text": "birds", "positions": [2, 3]}]  # between [CLS] and [SEP]


def scores(kind: str, query: str, key: str, views: list[list[list[float]]]) -> dict[str, Any]:
    """One layer and head of a map."""
    title, weights = f"{kind} {query} {key}", [[[view] for view in views]]
    return {
        "title": title,
        "kind": kind,
        "query": query,
        "key": key,
        "layers": 1,
        "views": len(views),
        "weights": weights,
    }


def looked(
    folder: Path, *maps: dict[str, Any], asked: list[tuple[str, str, int, int]], views: int = 1
) -> dict[str, Any]:
    """The ways that the maps give, and where the asked items (way, stream, index, view) look."""
    source = resources.files("chiasm.serve").joinpath("page/evidence.js").read_text(encoding="utf-8")
    (folder / "evidence.mjs").write_text(source, encoding="utf-8")
    (folder / "look.mjs").write_text(SCRIPT, encoding="utf-8")
    explanation = {"attention": list(maps), "views": [{"boxes": [BOX, BOX]}] * views, "words": WORDS}
    items = [(way, {"stream": stream, "index": index, "view": view}) for way, stream, index, view in asked]
    told = json.dumps({"explanation": explanation, "asked": items})
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(folder / "look.mjs"), told], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


AFFINITY = scores("affinity", "text", "regions", [[[-4, -4], [-4, 4], [0, 2], [2, 0], [-4, -4]]])
ATTENTION = [
    scores("attention", "text", "regions", [[[0.5, 0.5], [0.25, 0.75], [1, 0], [0.5, 0.5], [1, 0]]]),
    scores("attention", "regions", "text", [[[0, 0.5, 0.25, 0.25, 0], [0, 0, 0.125, 0.125, 0.75]]]),
]


def test_attention_goes_both_ways_and_a_words_pieces_add_up(tmp_path: Path) -> None:
    asked = [("words ↔ regions", "text", 1, 0), ("words ↔ regions", "regions", 0, 0)]
    found = looked(tmp_path, AFFINITY, *ATTENTION, asked=asked)
    assert found["labels"] == ["words ↔ regions", "affinity text regions"]  # the affinity is not taken for a way back
    assert found["found"][0] == {"words": None, "regions": [[0.75, 0.25]]}
    assert found["found"][1] == {"words": [0.5, 0.5], "regions": None}


def test_an_affinity_is_shaded_from_its_lowest_to_its_highest_and_read_from_both_sides(tmp_path: Path) -> None:
    way = "affinity text regions"
    asked = [(way, "text", 0, 0), (way, "text", 1, 0), (way, "regions", 1, 0)]
    word, pieces, region = looked(tmp_path, AFFINITY, *ATTENTION, asked=asked)["found"]
    assert word["regions"] == [[0, 1]]
    assert pieces["regions"] == [[0.75, 0.75]]  # the best of a word's pieces
    assert region["words"] == [1, 0.75]


def test_a_pair_ranks_the_same_from_both_its_words(tmp_path: Path) -> None:
    above = [[0, 0, 0, 0, 0], [0, 0, 3, 1, 0], [0, 0, 0, 0, -1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    ranking = scores("ranking", "text", "text", [above])
    way = "ranking text text"
    first, second = looked(tmp_path, ranking, asked=[(way, "text", 0, 0), (way, "text", 1, 0)])["found"]
    assert first["words"] == [0, 1]
    assert second["words"][0] == 1


def test_a_region_looks_at_the_other_picture(tmp_path: Path) -> None:
    between = scores("affinity", "regions", "regions", [[[0, 1], [2, 4]]])
    way = "affinity regions regions"
    asked = [(way, "regions", 1, 0), (way, "regions", 0, 1)]
    first, second = looked(tmp_path, between, asked=asked, views=2)["found"]
    assert first["regions"] == [None, [0.5, 1]]
    assert second["regions"] == [[0, 0.5], None]
