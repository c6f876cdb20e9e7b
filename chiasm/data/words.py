"""Whole words: sentences -> numbers and back, for models that write.

    "A dog, running." -> a dog , running . -> [CLS] 12 4 9 31 5 [SEP]

A word is a run of letters and digits, with apostrophes and hyphens inside; every other visible character stands alone,
or is left out. Words with fewer than `min_count` occurrences in the training sentences are unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Self

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from chiasm.data.example import DataError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")  # padding, an unknown word, start and end of a sentence
PAD, UNKNOWN, START, END = range(len(SPECIAL))
WORD = r"\w+(?:['’\-]\w+)*"
WORD_OR_SIGN = WORD + r"|[^\w\s]"


class WordVocabulary:
    """The words a model can write, numbered: the four special ones, then the commonest first."""

    def __init__(self, words: Sequence[str], *, lowercase: bool = True, signs: bool = True, max_words: int = 0) -> None:
        self.words = tuple(words)
        if self.words[: len(SPECIAL)] != SPECIAL:
            raise DataError(f"a vocabulary of words begins with {', '.join(SPECIAL)}")
        self.tokenizer = word_tokenizer(self.words, lowercase=lowercase, signs=signs, max_words=max_words)

    @classmethod
    def fit(
        cls,
        sentences: Iterable[str],
        *,
        min_count: int = 1,
        lowercase: bool = True,
        signs: bool = True,
        max_words: int = 0,
    ) -> Self:
        """The words of the sentences. Raises `DataError` when none occurs `min_count` times."""
        words = frequent_words(sentences, min_count=min_count, lowercase=lowercase, signs=signs)
        return cls(words, lowercase=lowercase, signs=signs, max_words=max_words)

    def __len__(self) -> int:
        return len(self.words)

    def cut(self, text: str) -> list[str]:
        """The words of a text as this vocabulary cuts them, known or not, however many."""
        return _cut(self.tokenizer, text)

    def encode(self, sentences: Sequence[str]) -> list[list[int]]:
        """Each sentence as numbers, with `END` after its last word; at most `max_words` words are kept."""
        return [encoding.ids[1:] for encoding in self.tokenizer.encode_batch_fast(list(sentences))]

    def spoken(self, numbers: Iterable[int]) -> list[str]:
        """The words up to the end of the sentence, without it."""
        found: list[str] = []
        for number in numbers:
            if number in (END, PAD):
                break
            found.append(self.words[number])
        return found


def tokenize(sentence: str, *, lowercase: bool = True, signs: bool = True) -> list[str]:
    """The words of a sentence as the vocabulary counts them."""
    return _cut(_splitter(lowercase=lowercase, signs=signs), sentence)


def frequent_words(sentences: Iterable[str], *, min_count: int, lowercase: bool, signs: bool) -> list[str]:
    """The special words and those that occur at least `min_count` times, the commonest first, equal ones by name."""
    splitter = _splitter(lowercase=lowercase, signs=signs)
    counts = Counter(word for sentence in sentences for word in _cut(splitter, sentence))
    kept = sorted((w for w, n in counts.items() if n >= min_count), key=lambda word: (-counts[word], word))
    if not kept:
        raise DataError(f"no word occurs at least {min_count} times among the {counts.total()} of the sentences")
    return [*SPECIAL, *kept]


def word_tokenizer(words: Sequence[str], *, lowercase: bool, signs: bool, max_words: int = 0) -> Tokenizer:
    """A tokenizer of whole words: [CLS] w1 .. wn [SEP]. `max_words` cuts longer sentences; 0: none is cut."""
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=SPECIAL[UNKNOWN]))
    splitter = _splitter(lowercase=lowercase, signs=signs)
    tokenizer.normalizer, tokenizer.pre_tokenizer = splitter.normalizer, splitter.pre_tokenizer
    ends: Any = ((SPECIAL[END], END), (SPECIAL[START], START))
    tokenizer.post_processor = processors.BertProcessing(*ends)
    if max_words:
        tokenizer.enable_truncation(max_words + 2)
    return tokenizer


def _splitter(*, lowercase: bool, signs: bool) -> Tokenizer:
    """A tokenizer that only normalises and splits."""
    tokenizer = Tokenizer(models.WordLevel({SPECIAL[UNKNOWN]: 0}, unk_token=SPECIAL[UNKNOWN]))
    parts = [normalizers.NFC(), normalizers.Lowercase()] if lowercase else [normalizers.NFC()]
    tokenizer.normalizer = normalizers.Sequence(parts)
    pattern = Regex(WORD_OR_SIGN if signs else WORD)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "removed", invert=True)
    return tokenizer


def _cut(splitter: Tokenizer, sentence: str) -> list[str]:
    normal = splitter.normalizer.normalize_str(sentence)
    return [word for word, _ in splitter.pre_tokenizer.pre_tokenize_str(normal)]
