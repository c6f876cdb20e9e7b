"""Dialogues: from conversations to windows around the utterance that is asked about.

Each conversation is encoded once, however many of its utterances are asked about; a window is cut when a batch is
gathered. `future = 0` is what makes a model causal: nothing said later is in the window.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from chiasm.batch import Dialogue
from chiasm.data.columns import Column, Preprocessor
from chiasm.data.conversation import Conversation, conversations
from chiasm.data.example import BadRows, DataError, Example, RowError, raise_rows
from chiasm.data.text import TRAIN, TextColumn, read_vocabulary, train_pieces, word_piece_tokenizer

SILENCE = "[UNK]"  # stands for an utterance without words: in a transcript that is something said, not a bad row


class DialogueColumn(Column):
    """All utterances of all conversations in one flat table, and which of them each example asks about."""

    def __init__(
        self,
        features: Tensor,
        speakers: Tensor,
        texts: TextColumn | None,
        *,
        query: Tensor,
        back: Tensor,
        ahead: Tensor,
    ) -> None:
        self.features = features  # (all utterances, F), F = 0 when there are words only
        self.speakers = speakers  # (all utterances,) numbered within each conversation
        self.texts = texts  # of all utterances
        self.query = query  # (examples,) place of the utterance asked about
        self.back, self.ahead = back, ahead  # (examples,) utterances before and after it that are in the window

    def __len__(self) -> int:
        return len(self.query)

    def lengths(self) -> Tensor:
        return self.back + self.ahead + 1

    def gather(self, examples: Tensor) -> Dialogue:
        """(B,) -> Dialogue of (B, U): queries stand in one column, padding on both sides."""
        if not len(examples):
            raise ValueError("a batch of no examples")
        query, back, ahead = self.query[examples, None], self.back[examples, None], self.ahead[examples, None]
        slot = int(back.max())
        offset = torch.arange(-slot, int(ahead.max()) + 1)
        mask = (offset >= -back) & (offset <= ahead)  # (B, U)
        place = torch.where(mask, query + offset, query)
        speakers, own = self.speakers[place], self.speakers[query]
        relative = torch.where(speakers == own, 0, speakers + (speakers < own))
        return Dialogue(
            features=self.features[place] * mask[..., None] if self.features.shape[1] else None,
            speakers=torch.where(mask, relative, 0),
            attention_mask=mask,
            query=torch.full((len(examples),), slot),
            texts=self._texts(place),
        )

    def _texts(self, place: Tensor) -> Any:
        if self.texts is None:
            return None
        rows, index = torch.unique(place, return_inverse=True)
        words = self.texts.gather(rows)
        return type(words)(**{**vars(words), "index": index})


class Preprocess(Preprocessor):
    """Conversations -> windows of at most `history` utterances before the one asked about and `future` after it.

    `modalities` names the features that are used, in the order in which they are concatenated; `vocabulary`, a
    `vocab.txt` or "train", adds the words themselves. `standardise`: features minus their mean over the training
    conversations, divided by their deviation (a feature that never changes becomes 0).
    """

    stream: ClassVar[str] = "dialogue"
    role: ClassVar[str] = "dialogue"

    def __init__(
        self,
        *,
        modalities: Sequence[str] = ("text", "audio", "visual"),
        history: int = 40,  # K
        future: int = 0,
        standardise: bool = False,
        vocabulary: str = "",  # "": words are not read
        vocabulary_size: int = 8192,  # at most; only for a trained vocabulary
        lowercase: bool = True,
        max_length: int = 40,  # word pieces of an utterance, [CLS] and [SEP] included
    ) -> None:
        if history < 0 or future < 0:
            raise ValueError(f"history is {history}, future is {future}: neither may be negative")
        if not modalities and not vocabulary:
            raise ValueError("dialogue: name modalities, or give a vocabulary, so that there is something to read")
        if len(set(modalities)) != len(modalities):
            raise ValueError(f"modalities {list(modalities)}: one is named twice")
        self.options: dict[str, Any] = {
            "modalities": list(modalities),
            "history": history,
            "future": future,
            "standardise": standardise,
            "vocabulary": str(vocabulary),
            "vocabulary_size": vocabulary_size,
            "lowercase": lowercase,
            "max_length": max_length,
        }
        self.sizes: dict[str, int] = {}  # modality -> features
        self._mean = self._deviation = np.zeros(0, dtype=np.float32)
        self._tokenizer: Tokenizer | None = None

    @property
    def facts(self) -> dict[str, int]:
        words = self._tokenizer.get_vocab_size() if self._tokenizer is not None else 0
        return {"feature_size": sum(self.sizes.values()), "vocab_size": words}

    def fit(self, examples: Sequence[Example]) -> Self:
        with _blamed_on(examples):
            return self._fit(examples)

    def _fit(self, examples: Sequence[Example]) -> Self:
        found, _, _ = conversations(examples)
        self.sizes = {name: _table(found, name).shape[1] for name in self.options["modalities"]}
        features = self._features(found).astype(np.float64)
        self._mean = features.mean(0).astype(np.float32)
        deviation = features.std(0)
        self._deviation = np.where(deviation > 1e-8, deviation, np.inf).astype(np.float32)
        if self.options["vocabulary"]:
            self._tokenizer = self._make_tokenizer(found)
        return self

    def encode(self, examples: Sequence[Example]) -> DialogueColumn:
        """Raises `RowError`s naming the rows of dialogues without a modality, of another size, or without words."""
        with _blamed_on(examples):
            return self._encode(examples)

    def _encode(self, examples: Sequence[Example]) -> DialogueColumn:
        found, which, position = conversations(examples)
        features = self._features(found)
        if self.options["standardise"]:
            features = (features - self._mean) / self._deviation
        lengths = np.array([len(c) for c in found], dtype=np.int64)
        starts = np.concatenate([[0], lengths.cumsum()[:-1]])
        ahead = lengths[which] - 1 - position
        return DialogueColumn(
            torch.from_numpy(features),
            torch.from_numpy(np.concatenate([_numbered(c.speakers) for c in found])),
            self._words(found),
            query=torch.from_numpy(starts[which] + position),
            back=torch.from_numpy(np.minimum(position, self.options["history"])),
            ahead=torch.from_numpy(np.minimum(ahead, self.options["future"])),
        )

    def save(self, folder: Path) -> None:
        record = {"stream": self.stream, "options": self.options, "sizes": self.sizes}
        (folder / "preprocess.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        save_file({"mean": self._mean, "deviation": self._deviation}, folder / "statistics.safetensors")
        if self._tokenizer is not None:
            self._tokenizer.save(str(folder / "tokenizer.json"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        record = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        loaded = cls(**record["options"])
        loaded.sizes = record["sizes"]
        statistics = load_file(folder / "statistics.safetensors")
        loaded._mean, loaded._deviation = statistics["mean"], statistics["deviation"]
        if loaded.options["vocabulary"]:
            loaded._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return loaded

    def _features(self, found: Sequence[Conversation]) -> NDArray[np.float32]:
        """(all utterances, F): the modalities side by side, in the options' order."""
        tables = [_table(found, name, size) for name, size in self.sizes.items()]
        count = sum(len(conversation) for conversation in found)
        return np.concatenate([np.zeros((count, 0), dtype=np.float32), *tables], axis=1)

    def _make_tokenizer(self, found: Sequence[Conversation]) -> Tokenizer:
        options = self.options
        if options["vocabulary"] == TRAIN:
            lines = [line for c in found for line in _lines(c)]
            pieces = train_pieces(lines, size=options["vocabulary_size"], lowercase=options["lowercase"])
        else:
            pieces = read_vocabulary(Path(options["vocabulary"]))
        return word_piece_tokenizer(pieces, lowercase=options["lowercase"], max_length=options["max_length"])

    def _words(self, found: Sequence[Conversation]) -> TextColumn | None:
        if self._tokenizer is None:
            return None
        encoded = self._tokenizer.encode_batch_fast([line for c in found for line in _lines(c)])
        lengths = np.fromiter((len(e.ids) for e in encoded), np.int64, len(encoded))
        ids = np.fromiter((i for e in encoded for i in e.ids), np.int32, int(lengths.sum()))
        offsets = torch.from_numpy(np.concatenate([[0], lengths.cumsum()]))
        return TextColumn(torch.from_numpy(ids), offsets, pad_id=self._tokenizer.get_vocab()["[PAD]"])


@contextmanager
def _blamed_on(examples: Sequence[Example]) -> Iterator[None]:
    """What is wrong with a dialogue is wrong with each of its rows: errors name these, so that they can be skipped."""
    try:
        yield
    except (RowError, BadRows) as error:
        found = [error] if isinstance(error, RowError) else [e for e in error.exceptions if isinstance(e, RowError)]
        reasons = {one.row_id: one.reason for one in found}
        rows = [(e, getattr(e.values.get("dialogue"), "id", None)) for e in examples]
        spread = [RowError(reasons[c], origin=e.origin, row_id=e.id) for e, c in rows if c in reasons]
        raise_rows(spread)
        raise


def _table(found: Sequence[Conversation], name: str, size: int | None = None) -> NDArray[np.float32]:
    """(all utterances, F) of one modality. Raises `RowError`s for dialogues without it or of another size."""
    errors = []
    for conversation in found:
        values = conversation.features.get(name)
        known = ", ".join(conversation.features) or "none"
        if values is None:
            reason = f"the dialogue has no {name!r} features (it has: {known})"
            errors.append(RowError(reason, origin=conversation.origin, row_id=conversation.id))
        elif size is not None and values.shape[1] != size:
            reason = f"{values.shape[1]} {name} features, but the model was made for {size}"
            errors.append(RowError(reason, origin=conversation.origin, row_id=conversation.id))
    raise_rows(errors)
    widths = {c.features[name].shape[1] for c in found}
    if len(widths) > 1:
        raise DataError(f"{name} features have different sizes in different dialogues: {sorted(widths)}")
    return np.concatenate([c.features[name] for c in found]).astype(np.float32, copy=False)


def _lines(conversation: Conversation) -> list[str]:
    """The utterances' words. Raises `RowError` when the dialogue has none."""
    if conversation.texts is None:
        raise RowError("the dialogue has no texts", origin=conversation.origin, row_id=conversation.id)
    return [text if text.strip() else SILENCE for text in conversation.texts]


def _numbered(speakers: Sequence[str]) -> NDArray[np.int64]:
    """The speakers of one conversation as numbers, in the order in which they first speak."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(speaker, len(numbers)) for speaker in speakers], dtype=np.int64)
