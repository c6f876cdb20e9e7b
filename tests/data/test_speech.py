"""Speech features of synthesised speech: what is higher, louder or faster measures so; bad sounds are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chiasm.data.conversation import Conversation
from chiasm.data.dialogue_folder import Labelled
from chiasm.data.example import BadRows, DataError
from chiasm.data.speech import SpeechFeatures, speech_tables

from . import spoken

pytest.importorskip("opensmile", reason="pip install 'chiasm[audio]'")
TEXT = "I am so very happy to see you today"
PITCH = "F0semitoneFrom27.5Hz_sma3nz_amean"
LOUDNESS = "loudness_sma3_amean"


@pytest.fixture(scope="module")
def features() -> SpeechFeatures:
    return SpeechFeatures()


def measured(features: SpeechFeatures, name: str, **how: int) -> float:
    return float(features.of_signal(*spoken.say(TEXT, **how))[features.names.index(name)])


def test_a_higher_voice_has_a_higher_pitch(features: SpeechFeatures) -> None:
    low, middle, high = (measured(features, PITCH, pitch=pitch) for pitch in (20, 50, 90))
    assert low + 2 < middle < high - 2  # semitones


def test_a_louder_voice_is_louder(features: SpeechFeatures) -> None:
    assert measured(features, LOUDNESS, loudness=100) > 1.3 * measured(features, LOUDNESS, loudness=40)


def test_the_same_words_again_have_the_same_features(features: SpeechFeatures) -> None:
    signal, rate = spoken.say(TEXT)
    assert np.array_equal(features.of_signal(signal, rate), features.of_signal(signal, rate))
    assert len(features.of_signal(signal, rate)) == len(features.names) == 88


def test_a_file_is_measured_as_its_signal(features: SpeechFeatures, tmp_path: Path) -> None:
    path = spoken.write(tmp_path / "a.wav", TEXT)
    pitch = features.names.index(PITCH)
    assert features.of_file(path)[pitch] == pytest.approx(measured(features, PITCH), abs=0.1)


def test_silence_has_finite_features(features: SpeechFeatures) -> None:
    assert np.isfinite(features.of_signal(np.zeros(16000, np.float32), 16000)).all()


@pytest.mark.parametrize(
    ("signal", "reason"),
    [(np.zeros(10, np.float32), "at least 50 ms"), (np.full(16000, np.nan, np.float32), "not finite numbers")],
)
def test_a_signal_that_is_no_sound_is_refused(features: SpeechFeatures, signal: np.ndarray, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        features.of_signal(signal, 16000)


def test_an_unknown_set_and_a_file_that_is_no_sound_are_named(features: SpeechFeatures, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'eGeMAPSv02'"):
        SpeechFeatures("egemapsv02")
    (tmp_path / "x.wav").write_text("words")
    with pytest.raises(DataError, match=r"x\.wav cannot be read as sound"):
        features.of_file(tmp_path / "x.wav")


def test_a_dialogue_gets_a_table_and_missing_sounds_are_named_together(
    features: SpeechFeatures, tmp_path: Path
) -> None:
    talk = Labelled(Conversation("d", ("A", "B", "A"), ("hello", "no", "well")), ("x", "y", "x"), "train")
    spoken.write(tmp_path / "d_0.wav", "hello", pitch=90)
    with pytest.raises(BadRows, match=r"there is no sound d_1\.wav"):
        speech_tables([talk], tmp_path, features)
    for position in (1, 2):
        spoken.write(tmp_path / f"d_{position}.wav", "hello", pitch=20)
    (table,) = speech_tables([talk], tmp_path, features)
    pitch = features.names.index(PITCH)
    assert table.shape == (3, 88)
    assert table[0, pitch] > table[1, pitch] + 5
