"""The generated dialogues: the planted rule, what a single utterance tells, and that a seed fixes every byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from chiasm.data.sources.dialogues import read
from chiasm.synth import WorldError, generate
from chiasm.synth.worlds.dialogues import MOOD_WORDS, TONE_WORDS, Turn, emotions


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate("dialogues", tmp_path_factory.mktemp("dialogues") / "world", dialogues=200, progress=False)


def test_the_emotion_is_the_tone_and_whether_the_two_last_moods_agree() -> None:
    turns = [Turn(0, 0, 0), Turn(1, 1, 1), Turn(1, 2, 0), Turn(0, 0, 1), Turn(0, 2, 1)]
    assert emotions(turns) == ["hap", "fru", "ang", "hap", "ang"]


def test_of_several_others_the_one_who_spoke_last_counts() -> None:
    assert emotions([Turn(1, 0, 0), Turn(2, 0, 1), Turn(0, 1, 1)])[-1] == "neu"
    assert emotions([Turn(2, 0, 1), Turn(1, 0, 0), Turn(0, 1, 1)])[-1] == "fru"


def word_of(text: str, words: tuple[tuple[str, ...], ...]) -> int:
    (found,) = [i for i, group in enumerate(words) if any(word in text.split() for word in group)]
    return found


def test_the_written_labels_follow_from_the_words_of_the_whole_dialogue(world: Path) -> None:
    for split in ("train", "val", "test"):
        for example in read(world, split):
            talk, position = example.values["dialogue"], example.values["position"]
            names = sorted(set(talk.speakers))
            turns = [
                Turn(names.index(speaker), word_of(text, TONE_WORDS), word_of(text, MOOD_WORDS))
                for speaker, text in zip(talk.speakers, talk.texts, strict=True)
            ]
            assert emotions(turns)[position] == example.values["answer"]


def test_an_utterance_alone_leaves_two_emotions_about_equally_likely(world: Path) -> None:
    examples = [e for e in read(world, "train") if e.values["position"] >= 4]
    counts = Counter(
        (word_of(e.values["text"], TONE_WORDS), word_of(e.values["text"], MOOD_WORDS), e.values["answer"])
        for e in examples
    )
    for tone in range(3):
        for mood in range(2):
            of_words = [n for (t, m, _), n in counts.items() if (t, m) == (tone, mood)]
            assert max(of_words) < 0.6 * sum(of_words)


def test_the_visual_features_tell_nothing(world: Path) -> None:
    examples = read(world, "train")
    visual = np.stack([e.values["dialogue"].features["visual"][e.values["position"]] for e in examples])
    labels = np.array([e.values["answer"] for e in examples])
    means = np.stack([visual[labels == label].mean(0) for label in np.unique(labels)])
    assert np.abs(means).max() < 5 / np.sqrt(len(labels) / 6)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(world: Path, tmp_path: Path) -> None:
    again = generate("dialogues", tmp_path / "again", dialogues=200, progress=False)
    other = generate("dialogues", tmp_path / "other", dialogues=200, seed=1, progress=False)
    for name in ("dialogues.jsonl", "features.safetensors"):
        assert (again / name).read_bytes() == (world / name).read_bytes()
        assert (other / name).read_bytes() != (world / name).read_bytes()


def test_several_speakers_are_made_when_asked_for(tmp_path: Path) -> None:
    folder = generate("dialogues", tmp_path / "many", dialogues=40, speakers=4, progress=False)
    assert {len(set(e.values["dialogue"].speakers)) for e in read(folder, "train")} >= {2, 3, 4}


def test_impossible_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="speakers is 1"):
        generate("dialogues", tmp_path / "x", speakers=1, progress=False)
    with pytest.raises(WorldError, match="did you mean 'dialogues'"):
        generate("dialogues", tmp_path / "x", dialogs=1, progress=False)
