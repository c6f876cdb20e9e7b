"""Statements about two pictures: true half the time, and not to be judged by matching words with things."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest

from chiasm.synth.statements import FAMILIES
from tests.synth.executor import Files
from tests.synth.judge import Picture, judge

SPLITS = ("train", "val", "test")


def entries(pairs: Files, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (pairs.folder / f"nlvr2/{split}.json").read_text().splitlines()]


def graphs_of(pairs: Files, split: str, entry: dict[str, Any]) -> list[dict[str, Any]]:
    stem = entry["identifier"].rpartition("-")[0]
    return [pairs.graphs(split)[f"{stem}-img{side}"] for side in (0, 1)]


@pytest.mark.parametrize("threshold", [8.0, 0.01, -7.99], ids=["strict", "by a hair", "generous"])
@pytest.mark.parametrize("split", SPLITS)
def test_labels_are_true_however_strictly_directions_are_meant(pairs: Files, split: str, threshold: float) -> None:
    for entry in entries(pairs, split):
        found = judge(entry["sentence"], graphs_of(pairs, split, entry), pairs.info, threshold)
        assert str(found) == entry["label"], entry


@pytest.mark.parametrize("split", SPLITS)
def test_every_statement_is_true_of_half_its_pairs(pairs: Files, split: str) -> None:
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries(pairs, split):
        kind, number, _, sentence = entry["identifier"].split("-")
        assert kind == split
        labels[f"{number}-{sentence}"][entry["label"]] += 1
    assert all(counts == {"True": 2, "False": 2} for counts in labels.values())


def test_the_position_of_a_pair_does_not_tell_its_label(pairs: Files) -> None:
    first = [entry["label"] for entry in entries(pairs, "train") if entry["identifier"].split("-")[2] == "0"]
    assert 18 < first.count("True") < 42


def test_all_families_occur(pairs: Files) -> None:
    families = {entry["family"] for split in SPLITS for entry in entries(pairs, split)}
    assert len(families) == len(FAMILIES)


def test_things_that_a_relation_names_are_there_whether_it_holds_or_not(pairs: Files) -> None:
    seen = 0
    for entry in entries(pairs, "train"):
        if entry["family"] == "relation" and entry["label"] == "False":
            words = entry["sentence"].split(", ")[1].rstrip(".")
            nouns = [part.split(" ", 1)[1] for part in _around_direction(words)]
            side = 0 if "left image" in entry["sentence"] else 1
            picture = Picture(graphs_of(pairs, "train", entry)[side], pairs.info, 8.0)
            assert all(picture.all(noun) for noun in nouns)
            seen += 1
    assert seen > 8


def _around_direction(words: str) -> list[str]:
    for direction in ("to the left of", "to the right of", "above", "below"):
        if f" is {direction} " in words:
            return words.split(f" is {direction} ")
    raise AssertionError(words)


def test_both_pictures_of_every_pair_are_there(pairs: Files) -> None:
    for split in SPLITS:
        for entry in entries(pairs, split):
            stem = entry["identifier"].rpartition("-")[0]
            assert (pairs.folder / f"images/{stem}-img0.png").is_file()
            assert (pairs.folder / f"images/{stem}-img1.png").is_file()


def test_held_out_combinations_are_kept_for_the_test(pairs: Files) -> None:
    held_out = set(pairs.info["held_out"].items())

    def found(split: str) -> set[tuple[str, str]]:
        things = [thing for graph in pairs.graphs(split).values() for thing in graph["objects"].values()]
        return {(thing["name"], thing["attributes"][0]) for thing in things}

    assert not found("train") & held_out
    assert not found("val") & held_out
    assert len(found("test") & held_out) > 5
    for entry in entries(pairs, "train"):
        assert not any(f"{color} {shape}" in entry["sentence"] for shape, color in held_out)
