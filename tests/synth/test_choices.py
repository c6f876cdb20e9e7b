"""Generated questions with four answers and rationales: in VCR's format, true, and silent without the picture."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chiasm.data.sources.vcr import read
from chiasm.synth import WorldError, generate, world
from chiasm.synth.refer import SceneIndex
from chiasm.synth.sampling import SceneSampler
from chiasm.synth.worlds import choices

SIZES = {"scenes": 300, "val_scenes": 20, "test_scenes": 20}
SEED = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate("choices", tmp_path_factory.mktemp("worlds") / "choices", seed=SEED, **SIZES)


def entries(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def test_the_source_reads_it(folder: Path) -> None:
    examples = read(folder, "val", boxes=True)
    assert len(examples) > 30
    for example in examples:
        with Image.open(example.values["images"][0]) as picture:
            assert picture.size == (128, 128)
        assert len(example.values["boxes"][0]) == len(example.info["objects"])
        assert "[" not in " ".join([example.values["text"], *example.values["choices"], *example.values["rationales"]])


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    few = {"scenes": 5, "val_scenes": 1, "test_scenes": 1}
    made = [generate("choices", tmp_path / f"{n}", seed=seed, **few) for n, seed in enumerate((1, 1, 2))]
    texts = [(one / "train.jsonl").read_bytes() for one in made]
    assert texts[0] == texts[1] != texts[2]


def is_true(text: list[Any], question: list[Any], index: SceneIndex) -> bool:
    """Judged by the scene itself, from the words: not by the code that made them."""
    scene, things = index.scene, index.things
    words = [word for word in text if isinstance(word, str)]
    about = [word[0] for word in text if not isinstance(word, str)]
    asked = next(word[0] for word in question if not isinstance(word, str))
    if words[:2] == ["It", "is"]:
        return words[2] in (things[asked].color, scene.place) and words[2] in (
            (scene.place,) if "ground" in question else (things[asked].color,)
        )
    if words[:2] == ["It", "says"]:
        return words[2] == things[asked].word
    if words[1:3] == ["of", "them"]:
        return choices.NUMBERS.index(words[0]) == len(things) - 1
    assert words[:2] == ["I", "see"]
    assert about[0] == asked
    if words[2] == "on":
        return words[3] == scene.place
    if words[2] == "with":
        return words[-2] == things[about[1]].color
    direction = " ".join(words[2:-1])
    (x, y), (a, b) = (things[n].center for n in about)
    gap = {"to the left of": a - x, "to the right of": x - a, "above": b - y, "below": y - b}[direction]
    return gap >= scene.margin


def test_exactly_one_answer_and_one_rationale_is_true_of_the_picture(folder: Path) -> None:
    sampler = SceneSampler(seed=SEED)
    for split in world.SPLITS:
        for entry in entries(folder, split):
            number = int(Path(entry["img_fn"]).stem) % 1_000_000
            index = SceneIndex(sampler.scene(split, number), sampler.held_out)
            for part in ("answer", "rationale"):
                judged = [is_true(text, entry["question"], index) for text in entry[f"{part}_choices"]]
                assert judged == [place == entry[f"{part}_label"] for place in range(4)], entry["annot_id"]


def test_a_thing_that_is_spoken_of_is_the_only_one_of_its_kind(folder: Path) -> None:
    for entry in entries(folder):
        texts = [entry["question"], *entry["answer_choices"], *entry["rationale_choices"]]
        named = {word[0] for text in texts for word in text if not isinstance(word, str)}
        assert all(entry["objects"].count(entry["objects"][number]) == 1 for number in named)


def test_the_place_of_the_right_one_and_the_words_alone_tell_nothing(folder: Path) -> None:
    found = entries(folder)
    places = Counter(entry["answer_label"] for entry in found)
    assert all(0.18 < places[n] / len(found) < 0.32 for n in range(4))
    for part in ("answer", "rationale"):
        said: Counter[str] = Counter()
        right: Counter[str] = Counter()
        for entry in found:
            for n, text in enumerate(entry[f"{part}_choices"]):
                words = " ".join(word for word in text if isinstance(word, str))
                said[words] += 1
                right[words] += n == entry[f"{part}_label"]
        common = [words for words, count in said.items() if count >= 100]
        assert len(common) >= 4
        assert all(0.1 < right[words] / said[words] < 0.4 for words in common)


def test_the_rationale_does_not_repeat_the_answer(folder: Path) -> None:
    for entry in entries(folder):
        if "ground" in entry["question"]:
            assert not any(
                word in world.PLACES for text in entry["rationale_choices"] for word in text if isinstance(word, str)
            )


def test_no_two_rationales_contradict_each_other(folder: Path) -> None:
    """Of two that do, one is right, which would tell without the picture."""
    seen = 0
    for entry in entries(folder):
        said = set()
        for text in entry["rationale_choices"]:
            direction = " ".join(word for word in text[3:-1] if isinstance(word, str))
            if direction in world.OPPOSITE:
                said.add((direction, text[-2][0]))
        seen += len(said)
        assert not any((world.OPPOSITE[direction], anchor) in said for direction, anchor in said)
    assert seen > 100


def test_a_held_out_colour_is_never_said_of_its_kind_in_training(folder: Path) -> None:
    held_out = world.held_out(SEED)
    for entry in entries(folder):
        if entry["question"][1] == "color":
            kind = entry["objects"][entry["question"][3][0]]
            assert all(held_out[kind] not in text for text in entry["answer_choices"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenes": 0}, "must be at least 1"),
        ({"answers": ["colour"]}, "answers is"),
        ({"answers": ["place"], "rationales": ["place"]}, "would repeat"),
        ({"max_objects": 20}, "max_objects"),
        ({"picture": 3}, "unknown option"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(WorldError, match=message):
        generate("choices", tmp_path / "x", **options)
