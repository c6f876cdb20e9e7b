"""`chiasm features dialogues`: conversion, speech and text features, and a recipe that trains on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.cli.features import dialogues as command
from chiasm.data.conversation import Conversation
from chiasm.data.dialogue_folder import Labelled, write_dialogues
from chiasm.data.sources import dialogues
from chiasm.synth import generate
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train

from ..data import spoken


def test_a_text_cnn_gives_features_on_which_coin_trains(tmp_path: Path) -> None:
    world = generate("dialogues", tmp_path / "world", dialogues=20, progress=False)
    cnn = load_recipe("text_cnn_meld").tiny().with_settings(["training.epochs=2"])
    train(cnn, world, out=tmp_path / "cnn", show=False)
    command(world, tmp_path / "made", "dialogues", None, None, "eGeMAPSv02", tmp_path / "cnn" / "bundle")
    made = dialogues.read(tmp_path / "made", "test")
    assert made[0].values["dialogue"].features["text"].shape[1] == 12
    coin = load_recipe("coin").tiny().with_settings(["training.epochs=1", "dialogue.modalities=['text']"])
    result = train(coin, tmp_path / "made", out=tmp_path / "coin", show=False)
    assert result.bundle.model.config.feature_size == 12


def test_sounds_become_audio_features(tmp_path: Path) -> None:
    pytest.importorskip("opensmile", reason="pip install 'chiasm[audio]'")
    talk = Labelled(Conversation("d", ("A", "B"), ("hello", "no")), ("x", "y"), "train")
    write_dialogues(tmp_path / "plain", [talk])
    (tmp_path / "wavs").mkdir()
    for position, text in enumerate(("hello", "no")):
        spoken.write(tmp_path / "wavs" / f"d_{position}.wav", text)
    command(tmp_path / "plain", tmp_path / "made", "dialogues", ["train"], tmp_path / "wavs")
    assert dialogues.read(tmp_path / "made", "train")[0].values["dialogue"].features["audio"].shape == (2, 88)


def test_a_model_that_reads_more_than_words_gives_no_text_features(tmp_path: Path) -> None:
    from chiasm.data.example import DataError
    from chiasm.training.text_features import text_tables

    coin = load_recipe("coin_planted").tiny().with_settings(["training.epochs=1"])
    result = train(coin, out=tmp_path / "coin", show=False)
    with pytest.raises(DataError, match="need a model of words alone; this one reads dialogue"):
        text_tables([], result.bundle)
