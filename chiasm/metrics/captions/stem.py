"""The English stemmer of Snowball ("Porter2", Porter 2001), which METEOR's stem stage uses: running, runs -> run."""

from __future__ import annotations

import re
from functools import lru_cache

VOWELS = "aeiouy"
DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
WHOLE = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
} | dict.fromkeys(("sky", "news", "howe", "atlas", "cosmos", "bias", "andes"), "")
KEPT_AFTER_STEP_1A = frozenset(["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"])
PREFIXES = ("gener", "commun", "arsen")  # R1 begins after them

# Suffix -> what replaces it, longest first; of step 2 and 3 in R1, of step 4 in R2.
STEP_2 = {
    "ization": "ize",
    "ational": "ate",
    "fulness": "ful",
    "ousness": "ous",
    "iveness": "ive",
    "tional": "tion",
    "biliti": "ble",
    "lessli": "less",
    "entli": "ent",
    "ation": "ate",
    "alism": "al",
    "aliti": "al",
    "ousli": "ous",
    "iviti": "ive",
    "fulli": "ful",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "izer": "ize",
    "ator": "ate",
    "alli": "al",
    "bli": "ble",
    "ogi": "og",
    "li": "",
}
STEP_3 = {
    "ational": "ate",
    "tional": "tion",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ative": "",
    "ical": "ic",
    "ness": "",
    "ful": "",
}
STEP_4 = (
    *("ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion"),
    *("al", "er", "ic"),
)
VALID_BEFORE_LI = "cdeghkmnrt"
REGION = re.compile(r"[aeiouy][^aeiouy]")
SHORT_END = re.compile(r"(?:[^aeiouy][aeiouy][^aeiouywxY]|^[aeiouy][^aeiouy])$")


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """The stem of a word in lower case. A word of two letters or fewer is its own."""
    if len(word) <= 2:
        return word
    if word in WHOLE:
        return WHOLE[word] or word
    word = _mark_consonant_y(word.removeprefix("'"))
    r1, r2 = _regions(word)
    word = _step_1a(_step_0(word))
    if word in KEPT_AFTER_STEP_1A:
        return word
    word = _step_1c(_step_1b(word, r1))
    word = _step_3(_step_2(word, r1), r1, r2)
    return _step_5(_step_4(word, r2), r1, r2).replace("Y", "y")


def _mark_consonant_y(word: str) -> str:
    """An initial y, and one after a vowel, is a consonant: Y."""
    return re.sub(r"^y|(?<=[aeiouy])y", "Y", word)


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 begin: each after the first consonant that follows a vowel, R2 within R1."""
    prefix = next((p for p in PREFIXES if word.startswith(p)), None)
    r1 = len(prefix) if prefix else _after_first_syllable(word, 0)
    return r1, _after_first_syllable(word, r1)


def _after_first_syllable(word: str, start: int) -> int:
    found = REGION.search(word, start)
    return found.end() if found else len(word)


def _step_0(word: str) -> str:
    """The possessive."""
    for suffix in ("'s'", "'s", "'"):
        if word.endswith(suffix):
            return word[: -len(suffix)]
    return word


def _step_1a(word: str) -> str:
    """The plural."""
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _step_1b(word: str, r1: int) -> str:
    """Past tense and participles."""
    for suffix in ("eedly", "eed"):
        if word.endswith(suffix):
            return word[: -len(suffix)] + "ee" if len(word) - len(suffix) >= r1 else word
    for suffix in ("ingly", "edly", "ing", "ed"):
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            return _completed(rest, r1) if _has_vowel(rest) else word
    return word


def _completed(word: str, r1: int) -> str:
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if word.endswith(DOUBLES):
        return word[:-1]
    return word + "e" if r1 >= len(word) and SHORT_END.search(word) else word


def _step_1c(word: str) -> str:
    if word[-1:] in ("y", "Y") and len(word) > 2 and word[-2] not in VOWELS:
        return word[:-1] + "i"
    return word


def _step_2(word: str, r1: int) -> str:
    suffix = next((s for s in STEP_2 if word.endswith(s)), None)
    if suffix is None or len(word) - len(suffix) < r1:
        return word
    rest = word[: -len(suffix)]
    if (suffix == "ogi" and rest[-1:] != "l") or (suffix == "li" and rest[-1:] not in tuple(VALID_BEFORE_LI)):
        return word
    return rest + STEP_2[suffix]


def _step_3(word: str, r1: int, r2: int) -> str:
    suffix = next((s for s in STEP_3 if word.endswith(s)), None)
    if suffix is None or len(word) - len(suffix) < (r2 if suffix == "ative" else r1):
        return word
    return word[: -len(suffix)] + STEP_3[suffix]


def _step_4(word: str, r2: int) -> str:
    suffix = next((s for s in STEP_4 if word.endswith(s)), None)
    if suffix is None or len(word) - len(suffix) < r2 or (suffix == "ion" and word[-4:-3] not in ("s", "t")):
        return word
    return word[: -len(suffix)]


def _step_5(word: str, r1: int, r2: int) -> str:
    if word.endswith("e"):
        at = len(word) - 1
        removable = at >= r2 or (at >= r1 and not SHORT_END.search(word[:-1]))
        return word[:-1] if removable else word
    return word[:-1] if word.endswith("ll") and len(word) - 1 >= r2 else word


def _has_vowel(text: str) -> bool:
    return any(letter in VOWELS for letter in text)
