"""Sentences and their translations in two files, line by line, as Multi30k (Elliott et al., 2016) is distributed.

A row's `text` is the sentence to translate, its `answer` the translation.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.sources._files import first_file
from chiasm.data.words import SPECIAL, WordVocabulary

SPLITS: tuple[str, ...] = ("train", "val", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco", "test")
FILES = """<split>.<language>                          a sentence each line; or <split>.<language>.gz
<split>.<other language>                    the same number of lines"""


def read(
    folder: Path,
    split: str,
    *,
    source: str = "de",  # the language to translate from: the ending of its file
    target: str = "en",  # the language to translate into
    max_words: int = 0,  # pairs with a longer side, words and other signs counted, are left out; 0: none is
    limit: int = 0,  # the first so many pairs of these; 0: all
) -> list[Example]:
    """The pairs of one split. Raises `DataError` when a file is missing or the files do not go together."""
    files = [
        first_file(folder, [f"{split}.{language}", f"{split}.{language}.gz"], wanted=f"{split!r} in {language!r}")
        for language in (source, target)
    ]
    given, wanted = (_lines(file) for file in files)
    if len(given) != len(wanted):
        raise DataError(
            f"{files[0].name} has {len(given)} lines and {files[1].name} {len(wanted)}: they are no translation "
            "of each other, line by line"
        )
    words = WordVocabulary(SPECIAL)  # cuts as every vocabulary does

    def fits(sentence: str) -> bool:
        return len(words.cut(sentence)) <= max_words

    examples = [
        Example(f"{split}-{number}", {"text": one, "answer": other}, {}, f"{files[0].name}, line {number}")
        for number, (one, other) in enumerate(zip(given, wanted, strict=True), start=1)
        if not max_words or (fits(one) and fits(other))
    ][: limit or None]
    empty = [e for e in examples if not e.values["text"] or not e.values["answer"]]
    raise_rows(
        (RowError("the sentence or its translation is empty", origin=e.origin, row_id=e.id) for e in empty),
        usable=[e for e in examples if e not in empty] if empty else None,
    )
    return examples


def _lines(file: Path) -> list[str]:
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        return [line.strip() for line in content.decode("utf-8").removesuffix("\n").split("\n")]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is no text of one sentence a line ({error})") from error
