"""All caption measures at once, by the names under which they are reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chiasm.metrics.captions import bleu, cider, diversity, rouge
from chiasm.metrics.captions.meteor import Meteor, with_wordnet_if_present
from chiasm.metrics.captions.references import References, indexed
from chiasm.metrics.captions.tokenise import ptb
from chiasm.metrics.estimate import Estimate

Tokenise = Callable[[Sequence[str]], list[str]]


def evaluate(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]] | References,
    *,
    tokenise: Tokenise | None = ptb,
    documents: Sequence[Sequence[str]] | References | None = None,
    meteor: Meteor | None = None,
    groups: Sequence[object] | None = None,
) -> dict[str, Estimate]:
    """`bleu1` to `bleu4`, `rouge_l`, `cider_d`, `cider`, METEOR named for its stages, `vocabulary_usage`, `distinct1`..

    One hypothesis and any number of references for each image. `tokenise` is applied to sentences, not to `References`,
    which are tokenised already; with None everything is tokens separated by spaces. `documents` give CIDEr's document
    frequencies. `meteor`: by default with synonyms where WordNet is present. Intervals resample images, or `groups`.
    """
    texts = list(hypotheses) if tokenise is None else tokenise(hypotheses)
    spoken = diversity.known_words(hypotheses)
    spoken = spoken if tokenise is None else texts if spoken == list(hypotheses) else tokenise(spoken)
    known = tokenised(references, tokenise)
    counted = None if documents is None else tokenised(documents, tokenise)
    return (
        bleu.score(texts, known, groups=groups)
        | rouge.score(texts, known, groups=groups)
        | cider.score(texts, known, documents=counted, groups=groups)
        | (meteor or with_wordnet_if_present()).score(texts, known, groups=groups)
        | {"vocabulary_usage": diversity.vocabulary_usage(spoken)}
        | diversity.distinct(spoken, order=2)
    )


def tokenised(references: Sequence[Sequence[str]] | References, tokenise: Tokenise | None = ptb) -> References:
    """References indexed for any number of evaluations, their sentences tokenised all at once."""
    if isinstance(references, References) or tokenise is None:
        return indexed(references)
    flat = iter(tokenise([text for texts in references for text in texts]))
    return References([[next(flat) for _ in texts] for texts in references])
