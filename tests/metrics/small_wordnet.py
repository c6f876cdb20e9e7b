"""A WordNet of a few words, written in the format of the real one: offsets are bytes, counts as `wndb(5WN)` says."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

LICENCE = "  1 This is no licence.\n"
# name -> part of speech, words, parents (pointer, name)
SYNSETS: dict[str, tuple[str, list[str], list[tuple[str, str]]]] = {
    "entity": ("n", ["entity"], []),
    "animal": ("n", ["animal", "beast"], [("@", "entity")]),
    "pet": ("n", ["pet"], [("@", "animal")]),
    "canine": ("n", ["canine"], [("@", "animal")]),
    "dog": ("n", ["dog", "domestic_dog"], [("@", "canine"), ("@", "pet")]),
    "cat": ("n", ["cat"], [("@", "pet")]),
    "frump": ("n", ["frump", "dog"], [("@", "entity")]),
    "child": ("n", ["child", "kid"], [("@", "entity")]),
    "Rex": ("n", ["Rex"], [("@i", "dog")]),
    "island": ("n", ["island"], []),
    "move": ("v", ["move"], []),
    "run": ("v", ["run"], [("@", "move")]),
    "sleep": ("v", ["sleep"], []),
    "good": ("a", ["good"], []),
    "goodish": ("s", ["goodish(p)"], []),
    "well": ("r", ["well"], []),
}
EXCEPTIONS = {"n": "children child\n", "v": "ran run\n"}
FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}


def write(folder: Path) -> Path:
    """The folder, filled."""
    offsets: dict[str, int] = {}
    for _ in range(2):  # the offsets are known once all lines have been laid out
        texts = dict.fromkeys(FILES, LICENCE)
        for name, (kind, words, parents) in SYNSETS.items():
            pos = "a" if kind == "s" else kind
            at = len(texts[pos].encode())
            offsets[name] = at
            pointers = [f"{mark} {offsets.get(to, 0):08d} {SYNSETS[to][0]} 0000" for mark, to in parents]
            listed = " ".join(f"{word} 0" for word in words)
            line = f"{at:08d} 03 {kind} {len(words):02x} {listed} {len(parents):03d} {' '.join(pointers)}"
            texts[pos] += f'{line.strip()} | what it is; "{name}"  \n'
    for pos, file in FILES.items():
        (folder / f"data.{file}").write_text(texts[pos])
        entries: dict[str, list[int]] = defaultdict(list)
        for name, (kind, words, _) in SYNSETS.items():
            if ("a" if kind == "s" else kind) == pos:
                for word in words:
                    entries[word.split("(")[0].lower()].append(offsets[name])
        lines = [
            f"{word} {pos} {len(found)} 1 @ {len(found)} 0 {' '.join(f'{o:08d}' for o in found)}  "
            for word, found in sorted(entries.items())
        ]
        (folder / f"index.{file}").write_text(LICENCE + "\n".join(lines) + "\n")
        if pos in EXCEPTIONS:
            (folder / f"{file}.exc").write_text(EXCEPTIONS[pos])
    return folder
