"""Pairs of words with people's judgement how closely they are related: SimLex-999, MEN, MTurk-771, WordSim-353.

SimLex-999 (Hill et al. 2015) asks for similarity (0 to 10), MEN (Bruni et al. 2014, 0 to 50) and MTurk-771 (Halawi et
al. 2012, 1 to 5) for relatedness. Read are lines `word<TAB>word<TAB>number`, as collections of these sets have them,
and the files as their authors publish them: separated by spaces or commas, with part-of-speech endings ("sun-n"), or
with a header, whose column `SimLex999`, `score` or `Human (mean)` is the number.
"""

from __future__ import annotations

import re
from pathlib import Path

from chiasm.data.example import DataError, RowError, raise_rows

SCORE_COLUMNS = ("SimLex999", "score", "Human (mean)")
POS_ENDING = re.compile(r"-[nvjar]$")  # of MEN's lemma form


def read_pairs(file: Path) -> list[tuple[str, str, float]]:
    """(word, word, number) of each line, words in lower case.

    Raises `RowError` or `BadRows` for lines that are none, and `DataError` for a file without pairs.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror})") from error
    pairs, errors, column = list[tuple[str, str, float]](), list[RowError](), 2
    for number, line in enumerate(lines, start=1):
        fields = _fields(line)
        if not line.strip() or line.startswith("#"):
            continue
        named = [fields.index(name) for name in SCORE_COLUMNS if name in fields]
        if named and not pairs:
            column = named[0]
            continue
        try:
            first, second, score = fields[0], fields[1], float(fields[column])
        except (IndexError, ValueError):
            errors.append(RowError(f"expected two words and a number, got {line!r}", origin=f"{file}, line {number}"))
            continue
        pairs.append((POS_ENDING.sub("", first.lower()), POS_ENDING.sub("", second.lower()), score))
    raise_rows(errors)
    if not pairs:
        raise DataError(f"{file} holds no pairs of words")
    return pairs


def _fields(line: str) -> list[str]:
    """Separated by tabs where there is one, else by commas, else by spaces."""
    for mark in ("\t", ","):
        if mark in line:
            return [field.strip() for field in line.split(mark)]
    return line.split()
