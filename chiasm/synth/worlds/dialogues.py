"""Dialogues in which an emotion depends on the other speaker: no utterance can be judged by itself.

Every utterance has a *tone* (soft, flat, strong) and leaves its speaker in a *mood* (good, bad). The emotion of an
utterance is a function of its own tone and of two moods that were there before it: its speaker's, as his last
utterance left it, and the other's, as his last one left it (of several others: the one who spoke last).

                     soft   flat   strong
    moods agree      hap    neu    exc
    moods differ     sad    fru    ang

Whoever has not spoken yet is in a good mood. Tones are carried by the words and the "text" features, moods by the
words and the "audio" features, and "visual" is noise, so a model without one of the first two must fail and one
without the last must not. The words of one utterance alone give no better than one of two emotions.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chiasm.data.conversation import Conversation
from chiasm.data.dialogue_folder import Labelled, write_dialogues

VERSION = 1
TONES = ("soft", "flat", "strong")
EMOTIONS = {True: ("hap", "neu", "exc"), False: ("sad", "fru", "ang")}  # by "the moods agree", by tone
TONE_WORDS = (("perhaps", "maybe", "softly"), ("fine", "okay", "right"), ("never", "always", "totally"))
MOOD_WORDS = (("rain", "grey", "broken"), ("sun", "bright", "lovely"))  # bad, good
FILLERS = ("i think", "you know", "it is", "we had", "there was", "listen")
NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana")


@dataclass(frozen=True)
class Options:
    """How many dialogues, how long, by how many speakers, and how noisy the features are."""

    dialogues: int = 600  # of the training split; a fifth of it, at least 10, in val and in test
    min_utterances: int = 8
    max_utterances: int = 12
    speakers: int = 2  # at most; each dialogue of more than two has two to so many
    features: int = 16  # of each modality
    noise: float = 0.5  # deviation of the noise on features whose signal has deviation 1

    def __post_init__(self) -> None:
        if self.dialogues < 1 or self.features < 1 or self.noise < 0:
            raise ValueError("dialogues and features must be at least 1, and noise not negative")
        if not 1 <= self.min_utterances <= self.max_utterances:
            raise ValueError(f"utterances from {self.min_utterances} to {self.max_utterances}: the order is wrong")
        if not 2 <= self.speakers <= len(NAMES):
            raise ValueError(f"speakers is {self.speakers}; it must be between 2 and {len(NAMES)}")

    def sizes(self) -> dict[str, int]:
        """split -> dialogues."""
        fifth = max(10, self.dialogues // 5)
        return {"train": self.dialogues, "val": fifth, "test": fifth}


@dataclass(frozen=True)
class Turn:
    """What is behind one utterance."""

    speaker: int
    tone: int  # 0 soft, 1 flat, 2 strong
    mood: int  # 0 bad, 1 good: in which it leaves its speaker


def write(folder: Path, options: Options, *, seed: int) -> None:
    """The dialogues of all splits, as the source `dialogues` reads them."""
    signals = np.random.default_rng([seed, 0]).normal(size=(2, len(TONES), options.features))
    found = []
    for split, count in options.sizes().items():
        for number in range(count):
            chance = random.Random(f"{seed}/{split}/{number}")
            noise = np.random.default_rng([seed, 1 + list(options.sizes()).index(split), number])
            found.append(_dialogue(f"{split}{number}", split, options, chance, noise, signals))
    write_dialogues(folder, found)


def emotions(turns: Sequence[Turn]) -> list[str]:
    """The emotion of each utterance, by the rule at the top of this file."""
    moods: dict[int, int] = {}  # the speakers so far, whoever spoke last at the end
    found = []
    for turn in turns:
        others = [mood for speaker, mood in moods.items() if speaker != turn.speaker]
        agree = moods.get(turn.speaker, 1) == (others[-1] if others else 1)
        found.append(EMOTIONS[agree][turn.tone])
        moods.pop(turn.speaker, None)
        moods[turn.speaker] = turn.mood
    return found


def _dialogue(
    name: str,
    split: str,
    options: Options,
    chance: random.Random,
    noise: np.random.Generator,
    signals: NDArray[np.float64],
) -> Labelled:
    parties = chance.randint(2, options.speakers)
    length = chance.randint(options.min_utterances, options.max_utterances)
    turns = [Turn(chance.randrange(parties), chance.randrange(3), chance.randrange(2)) for _ in range(length)]
    names = chance.sample(NAMES, parties)
    tones, moods = [turn.tone for turn in turns], [turn.mood for turn in turns]
    clean = {"text": signals[0, tones], "audio": signals[1, moods], "visual": np.zeros((length, options.features))}
    spread = {"text": options.noise, "audio": options.noise, "visual": 1.0}
    features = {m: (x + spread[m] * noise.normal(size=x.shape)).astype(np.float32) for m, x in clean.items()}
    texts = tuple(_words(turn, chance) for turn in turns)
    conversation = Conversation(name, tuple(names[turn.speaker] for turn in turns), texts, features)
    return Labelled(conversation, tuple(emotions(turns)), split)


def _words(turn: Turn, chance: random.Random) -> str:
    """A sentence that shows the tone and the mood, in either order."""
    parts = [chance.choice(TONE_WORDS[turn.tone]), chance.choice(MOOD_WORDS[turn.mood])]
    chance.shuffle(parts)
    return f"{chance.choice(FILLERS)} {parts[0]} {chance.choice(FILLERS)} {parts[1]}"
