"""What kind of word a word is: article, pronoun, noun or another; by word lists, for English.

Articles, pronouns and the other closed classes are listed whole. Of the open classes a word counts as a noun unless a
list or its ending says that it is a verb, an adjective or an adverb.

# Differs: the paper marked the words of its figure 5 by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Kind = Literal["article", "pronoun", "noun", "other"]


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ARTICLES = frozenset({"a", "an", "the"})
PRONOUNS = _words(
    "i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself "
    "we us our ours ourselves they them their theirs themselves this that these those who whom whose which what "
    "someone somebody something anyone anybody anything everyone everybody everything nobody nothing none one ones "
)
_CLOSED = _words(
    "about above across after against along among around as at before behind below beneath beside besides between "
    "beyond by down during except for from in inside into like near next of off on onto out outside over past since "
    "than through throughout to toward towards under underneath until up upon with within without and but or nor so "
    "yet if because although though while whereas whether when where why how am is are was were be been being do "
    "does did done have has had having can could may might must shall should will would not no yes n't 's there "
    "here any some all both each every either neither another other such much many more most few fewer less least "
    "several enough just only also too very quite rather really almost always never often sometimes still already "
    "again ever now then together away back first second third last two three four five six seven eight nine ten "
    "zero "
)
_VERBS = _words(
    "appear appears ask become came come comes contain contains doing eat eats feel fit fly gave get gets give "
    "given go goes gone got hang happen hit hold holds keep keeps knew know lay leave lie lies live lives look "
    "looks made make makes mean need needs play plays point put reach read ride run runs said sat saw say says see "
    "seem seems seen serve show shows shown sit sits stand stands start stay take taken takes tell think throw told "
    "took touch try turn use used uses walk want wants watch wear wears went work write "
)
_ADJECTIVES = _words(
    "able bad beige big black blond blonde blue bright brown clean clear closed cold cool curly cyan dark dirty dry "
    "empty fast fat full gold golden good gray great green grey happy hard healthy heavy high hot large left light "
    "little long loose low magenta metallic new nice old open orange pink plastic purple rainy red right round sad "
    "safe same short silver similar slow small smart soft square striped strong sunny tall tan thick thin tiny "
    "visible warm weak wet white whole wide wild wooden yellow young "
)
_ENDINGS = ("ing", "ly", "ous", "ful", "ible", "able", "ish", "est")
_NOUNS = _words(
    "building ceiling clothing evening fish king morning painting ring railing string swing thing wing family "
    "butterfly vegetable table cable dish forest nest vest west chest guest light orange dishes spring awning "
    "bowling bus "
)


def word_kind(word: str, before: str = "") -> Kind:
    """The kind of a word; `before` is the word that precedes it."""
    lower = word.lower()
    if lower in ARTICLES:
        return "article"
    if lower in PRONOUNS:
        return "pronoun"
    if not any(letter.isalpha() for letter in lower) or lower in _CLOSED | _VERBS:
        return "other"
    if lower in _ADJECTIVES and not (lower in _NOUNS and before.lower() in ARTICLES):
        return "other"
    if lower.endswith(_ENDINGS) and lower not in _NOUNS:
        return "other"
    return "noun"


def word_kinds(words: Sequence[str]) -> list[Kind]:
    """The kind of each word of a sentence."""
    return [word_kind(word, before) for word, before in zip(words, ["", *words[:-1]], strict=True)]
