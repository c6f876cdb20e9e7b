"""The Penn Treebank tokenisation of the COCO caption evaluation, without Java.

The evaluation runs Stanford's PTBTokenizer (CoreNLP 3.4.1), turns everything to lower case and drops the tokens in
`PUNCTUATION`. These are its rules for what occurs in captions: clitics are split off ("dog's" -> "dog 's", "don't" ->
"do n't", "cannot" -> "can not"), words with hyphens or slashes stay whole, abbreviations and numbers keep their points.
Brackets stay, as "-lrb-" and "-rrb-": the official list of punctuation has them in capitals, and meets them in lower
case.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

PUNCTUATION = frozenset({'"', "''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"})
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
ABBREVIATIONS = (
    "mr|mrs|ms|dr|prof|rev|gen|col|capt|lt|sgt|maj|gov|sen|rep|st|mt|jr|sr|bros|inc|ltd|co|corp|etc|vs|dept|univ|ave"
    "|blvd|rd|jan|feb|mar|apr|aug|sept?|oct|nov|dec|mon|tue|wed|thu|fri|lbs"
)
CONTRACTED = {
    "cannot": "can not",
    "gonna": "gon na",
    "gotta": "got ta",
    "wanna": "wan na",
    "gimme": "gim me",
    "lemme": "lem me",
    "'tis": "'t is",
    "'twas": "'t was",
}
TOKEN = re.compile(
    rf"""
      (?:https?://|www\.)\S+ | [\w.+-]+@[\w-]+(?:\.[\w-]+)+ | \w[\w-]*\.(?:com|org|net|edu|gov)\b     # addresses
    | (?:[a-z]\.){{2,}}(?!\w) | (?<![\w'])[a-z]\.(?!\w) | [a-z](?:\.[a-z])+(?='s)                 # letters
    | (?:{ABBREVIATIONS})\.(?!\w)
    | [:;=]-?[()\[\]dp](?!\w)                                                                      # smileys
    | '(?:n'|\d\ds?|em|til|cause|tis|twas)(?!\w) | (?:n't|'(?:s|m|d|re|ve|ll))(?!\w)               # clitics
    | \d*(?:[.,:/]\d+|\d)+(?![\w/-]) | o'clock | ma'am | c'mon | y'(?=[a-z])                    # numbers
    | \w+?(?=n't(?!\w)) | (?:[dlo]'(?=[a-z]))?(?:(?-i:[A-Z]&[A-Z])(?!\w)|[^\W_]+(?:[-/][^\W_]+)*)    # words
    | \.{{2,}} | [?!]{{2,}} | -{{2,}} | _+ | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
WRITTEN = str.maketrans({"’": "'", "‘": "`", "“": '"', "”": '"', "–": "--", "—": "--", "…": " ... "})


def ptb(sentences: Iterable[str]) -> list[str]:
    """Each sentence as its tokens, in lower case, without punctuation, separated by single spaces."""
    return [_tokenised(sentence) for sentence in sentences]


def _tokenised(sentence: str) -> str:
    tokens = TOKEN.findall(html.unescape(sentence).translate(WRITTEN))
    return " ".join(word for token in tokens for word in _parts(token.lower()))


def _parts(token: str) -> list[str]:
    """A token in lower case as the words that are kept."""
    if token in PUNCTUATION or token[:2] in ("..", "--"):
        return []
    if token in CONTRACTED:
        return CONTRACTED[token].split()
    if token in BRACKETS or token[0] in ":;=":
        return ["".join(BRACKETS.get(sign, sign) for sign in token)]
    return [token]
