"""WordNet's database read where a system keeps it: synonyms, base forms, and how alike concepts are (Wu and Palmer).

WordNet is a folder of text files (`index.noun`, `data.noun`, `noun.exc`, ...; format: `wndb(5WN)`), which Debian's
package `wordnet-base` installs. Nothing is downloaded and nothing is unpacked: a line of `data.*` is read when the
synset at its byte offset is asked for. The order of meanings and the similarities are those of NLTK's reader.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ENVIRONMENT = "CHIASM_WORDNET"
DEFAULT_FOLDER = Path("/usr/share/wordnet")  # of Debian's package wordnet-base
FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
HYPERNYMS = ("@", "@i")  # of a class, of an instance
# Endings that are replaced to reach a word's base form (`morphy(7WN)`), tried in this order.
ENDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "n": (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}


class WordNetMissing(Exception):
    """WordNet's files are not where they were looked for; the message says where and how to get them."""


@dataclass(frozen=True)
class Synset:
    """A set of words with one meaning. Equal when part of speech and offset are."""

    pos: str  # n noun, v verb, a adjective, r adverb
    offset: int  # bytes into data.<pos>
    name: str  # e.g. dog.n.01: the first word, and which of its senses this is
    words: tuple[str, ...]  # as written, spaces as underscores
    parents: tuple[tuple[str, int], ...]  # (pos, offset) of its hypernyms, instances' included

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Synset) and (self.pos, self.offset) == (other.pos, other.offset)

    def __hash__(self) -> int:
        return hash((self.pos, self.offset))


class WordNet:
    """The database in `folder`: by default where the variable CHIASM_WORDNET says, else in `/usr/share/wordnet`.

    Raises `WordNetMissing` when a file is not there.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = Path(folder or os.environ.get(ENVIRONMENT) or DEFAULT_FOLDER)
        wanted = [f"{kind}.{name}" for kind in ("index", "data") for name in FILES.values()]
        missing = [name for name in wanted if not (self.folder / name).is_file()]
        if missing:
            raise WordNetMissing(
                f"WordNet is not in {self.folder} ({missing[0]} is missing); install Debian's package wordnet-base, "
                f"or let {ENVIRONMENT} name a folder with the files of WordNet's dict/"
            )
        self._known: dict[tuple[str, int], Synset] = {}
        self._depths: dict[Synset, tuple[int, int]] = {}
        self._distances: dict[Synset, dict[Synset, int]] = {}
        self._similar: dict[tuple[str, str, str | None], float] = {}

    # ----- words -> synsets

    def synsets(self, word: str, pos: str | None = None) -> list[Synset]:
        """The meanings of a word, of its base forms too, the commonest first; spaces count as underscores.

        `pos` is n, v, a or r, or None for all of them in this order. An unknown word has none.
        """
        lemma = word.strip().lower().replace(" ", "_")
        kinds = FILES if pos is None else {_checked(pos): ""}
        forms = [(kind, form) for kind in kinds for form in self.base_forms(lemma, kind)]
        return [self.synset(kind, offset) for kind, form in forms for offset in self._offsets(form, kind)]

    def base_forms(self, word: str, pos: str) -> list[str]:
        """The entries that a word may be a form of, e.g. dogs -> dog, children -> child; itself first if it is one."""
        if word in self._exceptions[pos]:
            return self._entries([word, *self._exceptions[pos][word]], pos)
        forms = _without_endings([word], pos)
        found = self._entries([word, *forms], pos)
        while forms and not found:
            forms = _without_endings(forms, pos)
            found = self._entries(forms, pos)
        return found

    def synonyms(self, word: str) -> frozenset[tuple[str, int]]:
        """The keys (pos, offset) of the synsets of a word and its base forms: two words that share one are synonyms.

        As METEOR has it: base forms are the irregular ones, or else the first regular one that is a word at all, and
        they count as any part of speech (children: child; leaps: leap, which is a noun and a verb).
        """
        bases = [base for pos in FILES for base in self._exceptions[pos].get(word, ())]
        regular = (form for pos in FILES for form in _without_endings([word], pos))
        known = (form for form in regular if any(form in index for index in self._index.values()))
        forms = [word, *(bases or [form for form in [next(known, None)] if form])]
        return frozenset((pos, at) for pos in FILES for form in forms for at in self._offsets(form, pos))

    def synset(self, pos: str, offset: int) -> Synset:
        """The synset whose line begins `offset` bytes into `data.<pos>`. Raises ValueError when none begins there."""
        key = (pos, offset)
        if key not in self._known:
            self._known[key] = self._read(pos, offset)
        return self._known[key]

    # ----- the hierarchy

    def hypernyms(self, synset: Synset) -> list[Synset]:
        """What a synset is a kind or an instance of, directly."""
        return [self.synset(*parent) for parent in synset.parents]

    def depth(self, synset: Synset) -> int:
        """The number of steps of the longest way from the root; the root's is 0."""
        return self._longest_and_shortest(synset)[0]

    def distances(self, synset: Synset) -> dict[Synset, int]:
        """Every ancestor, and itself, with the fewest steps up to it."""
        if synset not in self._distances:
            queue, found = deque([(synset, 0)]), dict[Synset, int]()
            while queue:
                node, steps = queue.popleft()
                if node not in found:
                    found[node] = steps
                    queue.extend((parent, steps + 1) for parent in self.hypernyms(node))
            self._distances[synset] = found
        return self._distances[synset]

    def wup(self, first: Synset, second: Synset) -> float:
        """Wu and Palmer's similarity in (0, 1]: 2 d / (d1 + d2), 0 for two nouns without a common ancestor.

        d is the depth of the deepest common ancestor counted in nodes; d1 and d2 are d plus the fewest steps between
        it and each synset. As in NLTK the ancestor is the one whose shortest way to a root is longest (then the first
        by name), while d is its longest way; other parts of speech, which have many roots, get one root above all.
        """
        ups, others = self.distances(first), self.distances(second)
        common = [node for node in ups if node in others]
        deepest = max((self._longest_and_shortest(node)[1] for node in common), default=0)
        best = [node for node in common if self._longest_and_shortest(node)[1] == deepest]
        if deepest == 0 and first not in best and not first.pos == second.pos == "n":
            return 2 / (2 + _to_common_root(ups) + _to_common_root(others))
        if not best:
            return 0.0
        ancestor = first if first in best else min(best, key=lambda node: node.name)
        above, depth = self.distances(ancestor), self.depth(ancestor) + 1
        return 2 * depth / (2 * depth + _between(ups, above) + _between(others, above))

    def similarity(self, first: str, second: str, pos: str | None = "n") -> float:
        """The highest `wup` of any two meanings of two words, in [0, 1]; 1 for equal words, 0 for an unknown one."""
        if first == second:
            return 1.0
        key = (first, second, pos)
        if key not in self._similar:
            pairs = [(a, b) for a in self.synsets(first, pos) for b in self.synsets(second, pos)]
            self._similar[key] = max((self.wup(a, b) for a, b in pairs), default=0.0)
        return self._similar[key]

    # ----- files

    @cached_property
    def _index(self) -> dict[str, dict[str, str]]:
        """pos -> entry -> the rest of its line."""
        return {
            pos: dict(
                line.split(" ", 1)
                for line in (self.folder / f"index.{name}").read_text(encoding="utf-8").splitlines()
                if not line.startswith(" ")  # the licence
            )
            for pos, name in FILES.items()
        }

    @cached_property
    def _data(self) -> dict[str, bytes]:
        return {pos: (self.folder / f"data.{name}").read_bytes() for pos, name in FILES.items()}

    @cached_property
    def _exceptions(self) -> dict[str, dict[str, list[str]]]:
        """pos -> irregular form -> base forms; a part of speech without such a file has none."""
        found: dict[str, dict[str, list[str]]] = {}
        for pos, name in FILES.items():
            path = self.folder / f"{name}.exc"
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            found[pos] = {form: bases for form, *bases in map(str.split, filter(None, lines))}
        return found

    def _entries(self, forms: Iterable[str], pos: str) -> list[str]:
        """Those that have an entry, each once, in order."""
        return [form for form in dict.fromkeys(forms) if form in self._index[pos]]

    def _offsets(self, entry: str, pos: str) -> list[int]:
        """Of an entry's synsets, the commonest first. Line: pos, synsets, pointers, pointer..., two counts, offsets."""
        fields = self._index[pos].get(entry, "").split()
        return [int(offset) for offset in fields[-int(fields[1]) :]] if fields else []

    def _read(self, pos: str, offset: int) -> Synset:
        """Line: offset, file, type, words (hexadecimal), word and id each, pointers, symbol/offset/pos/target each."""
        data = self._data[_checked(pos)]
        fields = data[offset : data.find(b"\n", offset)].split(b" | ")[0].decode().split()
        if not fields or fields[0] != f"{offset:08d}":
            raise ValueError(f"no synset begins {offset} bytes into data.{FILES[pos]}")
        kind, count = fields[2], int(fields[3], 16)
        words = tuple(word.split("(")[0] for word in fields[4 : 4 + 2 * count : 2])  # (p), (a): syntactic markers
        pointers = fields[5 + 2 * count :][: 4 * int(fields[4 + 2 * count])]
        fours = [pointers[i : i + 4] for i in range(0, len(pointers), 4)]
        up = [(to, int(at)) for wanted in HYPERNYMS for symbol, at, to, _ in fours if symbol == wanted]
        sense = self._offsets(words[0].lower(), pos).index(offset) + 1
        return Synset(pos, offset, f"{words[0].lower()}.{kind}.{sense:02d}", words, tuple(up))

    def _longest_and_shortest(self, synset: Synset) -> tuple[int, int]:
        """The steps of the longest and of the shortest way up to a root."""
        if synset not in self._depths:
            above = [self._longest_and_shortest(parent) for parent in self.hypernyms(synset)]
            longest, shortest = (max(a for a, _ in above) + 1, min(b for _, b in above) + 1) if above else (0, 0)
            self._depths[synset] = longest, shortest
        return self._depths[synset]


def _checked(pos: str) -> str:
    if pos not in FILES:
        raise ValueError(f"unknown part of speech {pos!r}; expected one of {', '.join(FILES)}")
    return pos


def _without_endings(forms: Iterable[str], pos: str) -> list[str]:
    return [form[: -len(old)] + new for form in forms for old, new in ENDINGS[pos] if form.endswith(old)]


def _to_common_root(ups: dict[Synset, int]) -> int:
    """Steps to the root put above all of WordNet's own: one above the ancestor farthest away."""
    return max(ups.values()) + 1


def _between(ups: dict[Synset, int], above: dict[Synset, int]) -> int:
    """The fewest steps between two synsets over an ancestor of both, from their steps up to each ancestor."""
    return min(steps + above[node] for node, steps in ups.items() if node in above)
