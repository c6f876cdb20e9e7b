"""Text: BERT's word pieces, by a given vocabulary or by one trained on the rows; or any model's own tokenizer.

    "What color is it?" -> lower case, accents stripped, punctuation apart, greedy longest pieces
                        -> [CLS] what color is it ? [SEP]

The pieces equal those of bert-base-uncased for its vocabulary file. Texts longer than `max_length` lose their tail.
Several texts of one row (title, body) are one text with " [SEP] " between them, whatever the tokenizer calls it.
"""

from __future__ import annotations

import json
import string
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from chiasm.batch import Text
from chiasm.data.columns import Column, Preprocessor, padded
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.vocabulary import half_character
from chiasm.data.words import frequent_words, word_tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SEPARATOR = "[SEP]"  # between the texts of one row
TRAIN = "train"
WORDS = "words"
TOKENIZER = "tokenizer.json"
# What the tokenizers of transformers' text encoders call padding, a hidden piece and separator.
PADDINGS = ("[PAD]", "<pad>", "<|endoftext|>")
MASKS = ("[MASK]", "<mask>")
SEPARATORS = ("[SEP]", "</s>", "<sep>", "<|endoftext|>")


class TextColumn(Column):
    """Word pieces of all examples: one flat tensor and where each text begins."""

    def __init__(
        self, ids: Tensor, offsets: Tensor, *, pad_id: int, mask_id: int | None = None, vocab_size: int = 0
    ) -> None:
        self.ids = ids  # (all pieces,) int32
        self.offsets = offsets  # (examples + 1,) int64
        self.pad_id = pad_id
        self.mask_id = mask_id  # of the piece that stands for a hidden one; None: the tokenizer has none
        self.vocab_size = vocab_size

    def __len__(self) -> int:
        return self.offsets.shape[0] - 1

    def lengths(self) -> Tensor:
        return self.offsets.diff()

    def gather(self, examples: Tensor) -> Text:
        """(B,) -> Text of (B, T), T the longest of the chosen texts."""
        places, mask = padded(self.offsets, examples)
        ids = torch.where(mask, self.ids[places].long(), self.pad_id)
        return Text(input_ids=ids, attention_mask=mask)


class Preprocess(Preprocessor):
    """Text -> [CLS] pieces [SEP].

    `vocabulary` is a `vocab.txt` (or a folder that holds one) or "train": then at most `vocabulary_size` pieces are
    learnt from the training rows, the same ones for the same rows. "words" means whole words, those with at least
    `min_count` occurrences in the training rows. Or it is a `tokenizer.json` (or a folder that holds one), as every
    model of transformers has it; its own special tokens and case are used. `empty` says what becomes of a row without
    text: an error, or a text of no words.
    """

    stream: ClassVar[str] = "text"
    role: ClassVar[str] = "text"

    def __init__(
        self,
        *,
        vocabulary: str = TRAIN,
        vocabulary_size: int = 8192,  # at most; only for a trained vocabulary
        min_count: int = 1,  # of a word in the training rows; only for whole words
        lowercase: bool = True,
        max_length: int = 20,  # pieces, [CLS] and [SEP] included
        empty: Literal["refuse", "keep"] = "refuse",
        with_table: bool = False,  # the cells of the table row are read too, as further texts
    ) -> None:
        if max_length < 3:
            raise ValueError(f"max_length is {max_length}: at least 3 are needed for [CLS], one piece and [SEP]")
        self.options: dict[str, Any] = {
            "vocabulary": str(vocabulary),
            "vocabulary_size": vocabulary_size,
            "min_count": min_count,
            "lowercase": lowercase,
            "max_length": max_length,
            "empty": empty,
            "with_table": with_table,
        }
        self._tokenizer: Tokenizer | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """The `tokenizers` object: after `fit` or `load`."""
        if self._tokenizer is None:
            raise ValueError("the text preprocessor has no vocabulary yet: call fit(training examples) first")
        return self._tokenizer

    @property
    def facts(self) -> dict[str, int]:
        return {"vocab_size": self.tokenizer.get_vocab_size()}

    def fit(self, examples: Sequence[Example]) -> Self:
        lowercase, max_length = self.options["lowercase"], self.options["max_length"]
        if self.options["vocabulary"] == WORDS:
            found = self._texts(examples)
            words = frequent_words(found, min_count=self.options["min_count"], lowercase=lowercase, signs=True)
            self._tokenizer = word_tokenizer(words, lowercase=lowercase, signs=True, max_words=max_length - 2)
        else:
            self._tokenizer = piece_tokenizer(self.options, lambda: self._texts(examples))
        return self

    def encode(self, examples: Sequence[Example]) -> TextColumn:
        separator = special_token(self.tokenizer, SEPARATORS)
        lines = [text.replace(SEPARATOR, separator) for text in self._texts(examples)]
        encoded = self.tokenizer.encode_batch_fast(lines)
        lengths = np.fromiter((len(e.ids) for e in encoded), np.int64, len(encoded))
        if self.options["empty"] == "refuse":
            bare = self.tokenizer.num_special_tokens_to_add(is_pair=False)
            raise_rows(
                RowError("the text holds no printable character", origin=examples[i].origin, row_id=examples[i].id)
                for i in np.flatnonzero(lengths <= bare).tolist()
            )
        ids = np.fromiter((i for e in encoded for i in e.ids), np.int32, int(lengths.sum()))
        offsets = torch.from_numpy(np.concatenate([[0], lengths.cumsum()]))
        pad_id = self.tokenizer.get_vocab()[special_token(self.tokenizer, PADDINGS)]
        mask_id = next((i for token in MASKS if (i := self.tokenizer.token_to_id(token)) is not None), None)
        size = self.tokenizer.get_vocab_size()
        return TextColumn(torch.from_numpy(ids), offsets, pad_id=pad_id, mask_id=mask_id, vocab_size=size)

    def tokens(self, text: str) -> list[str]:
        """The pieces of one text as strings, [CLS] and [SEP] included: what evidence is drawn over."""
        separator = special_token(self.tokenizer, SEPARATORS)
        return list(self.tokenizer.encode(text.replace(SEPARATOR, separator)).tokens)

    def _texts(self, examples: Sequence[Example]) -> Iterator[str]:
        found = texts(examples, keep_empty=self.options["empty"] == "keep")
        return map(with_cells, found, examples) if self.options["with_table"] else found

    def save(self, folder: Path) -> None:
        record = {"stream": self.stream, "options": self.options}
        (folder / "preprocess.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        self.tokenizer.save(str(folder / "tokenizer.json"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        record = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        loaded = cls(**record["options"])
        loaded._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return loaded


def piece_tokenizer(options: Mapping[str, Any], lines: Callable[[], Iterable[str]]) -> Tokenizer:
    """The tokenizer that `vocabulary`, `vocabulary_size`, `lowercase` and `max_length` ask for: of a tokenizer.json,
    of a vocab.txt, or with word pieces learnt from the lines, which are asked for only then."""
    given, lowercase, max_length = options["vocabulary"], options["lowercase"], options["max_length"]
    if given == TRAIN:
        learnt = (line.replace(SEPARATOR, " ") for line in lines())
        pieces = train_pieces(learnt, size=options["vocabulary_size"], lowercase=lowercase)
    elif (file := tokenizer_file(Path(given))) is not None:
        return read_tokenizer(file, max_length=max_length)
    else:
        pieces = read_vocabulary(Path(given))
    return word_piece_tokenizer(pieces, lowercase=lowercase, max_length=max_length)


def texts(examples: Sequence[Example], *, keep_empty: bool = False) -> Iterator[str]:
    """The text of each example. Raises naming every row whose text is missing, NaN, empty or not a string.

    With `keep_empty` a missing or empty text is "".
    """
    bad = []
    for example in examples:
        value = example.values.get("text")
        reason = None if keep_empty and is_empty(value) else bad_text(value)
        if reason:
            bad.append(RowError(reason, origin=example.origin, row_id=example.id))
    raise_rows(bad)
    values = (example.values.get("text") for example in examples)
    return ("" if is_empty(value) else str(value) for value in values)


def with_cells(text: str, example: Example) -> str:
    """The text and the cells of the example's table row that are not empty, with `SEPARATOR` between them."""
    cells = [str(cell) for cell in example.values.get("table", {}).values() if not is_empty(cell)]
    return f" {SEPARATOR} ".join([text, *cells] if text else cells)


def is_empty(value: object) -> bool:
    """Whether there is no text: None, NaN, or nothing but spaces."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and value != value)


def bad_text(value: object) -> str | None:
    """Why `value` is no usable text, or None when it is one."""
    if is_empty(value):
        return "the text is empty" if isinstance(value, str) else "the text is missing"
    if not isinstance(value, str):
        return f"the text is {value!r}, a {type(value).__name__}; text in quotes is expected"
    return half_character(value)


def tokenizer_file(path: Path) -> Path | None:
    """The `tokenizer.json` that `path` is, or holds without a `vocab.txt` beside it; None when there is none."""
    if path.is_file():
        return path if path.suffix == ".json" else None
    alone = (path / TOKENIZER).is_file() and not (path / "vocab.txt").is_file()
    return path / TOKENIZER if alone else None


def read_tokenizer(file: Path, *, max_length: int) -> Tokenizer:
    """Any model's tokenizer from its `tokenizer.json`, truncating to `max_length`. Raises DataError."""
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises a bare Exception
        raise DataError(f"{file} is no tokenizer file: {error}") from error
    for tokens in (PADDINGS, SEPARATORS):
        special_token(tokenizer, tokens)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def special_token(tokenizer: Tokenizer, known: Sequence[str]) -> str:
    """The first of the `known` names that the tokenizer has. Raises DataError."""
    for token in known:
        if tokenizer.token_to_id(token) is not None:
            return token
    raise DataError(f"the tokenizer has none of the special tokens {', '.join(known)}")


def read_vocabulary(path: Path) -> list[str]:
    """The pieces of a `vocab.txt`, one a line, in the order of their ids. Raises DataError."""
    file = path / "vocab.txt" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f'vocabulary {str(path)!r} is not there: give a vocab.txt, or "train" to learn one')
    pieces = file.read_text(encoding="utf-8").rstrip("\n").split("\n")
    missing = [token for token in SPECIAL if token not in pieces]
    if missing:
        raise DataError(f"{file} is no BERT vocabulary: it lacks {', '.join(missing)}")
    if len(set(pieces)) != len(pieces):
        repeated = next(p for i, p in enumerate(pieces) if p in pieces[:i])
        raise DataError(f"{file} is no BERT vocabulary: {repeated!r} occurs twice")
    return pieces


def word_piece_tokenizer(pieces: Sequence[str], *, lowercase: bool, max_length: int) -> Tokenizer:
    """BERT's tokenizer for these pieces (ids in order), truncating to `max_length`."""
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    _split_like_bert(tokenizer, lowercase=lowercase)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.enable_truncation(max_length)
    return tokenizer


def _split_like_bert(tokenizer: Tokenizer, *, lowercase: bool) -> None:
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()


def _always_apart(character: str) -> bool:
    """Whether BERT splits this character from its neighbours, so that it never continues a word."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def train_pieces(lines: Iterable[str], *, size: int, lowercase: bool) -> list[str]:
    """At most `size` word pieces learnt from the lines, the same for the same lines. Raises DataError when too few fit.

    The trainer numbers the continuation pieces "##x" in the order of a hash map and breaks ties by number. Giving
    them as special tokens fixes the numbers, and so the result.
    """
    seen = list(lines)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    _split_like_bert(tokenizer, lowercase=lowercase)
    letters = sorted({c for line in seen for c in tokenizer.normalizer.normalize_str(line) if not c.isspace()})
    first = [*SPECIAL, *(f"##{c}" for c in letters if not _always_apart(c))]
    if size < len(first) + len(letters):
        raise DataError(f"vocabulary_size {size} is too small: the rows hold {len(letters)} different characters")
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=1, special_tokens=first, initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(seen, trainer)
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)
