"""The caption measures as their definitions say, sentence by sentence: slow, and written to be checked by eye."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

Sentences = Sequence[str]


def ngrams(sentence: str, n: int) -> Counter[tuple[str, ...]]:
    words = sentence.split()
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def bleu_counts(hypothesis: str, references: Sentences) -> list[float]:
    common = []
    for n in range(1, 5):
        largest = Counter[tuple[str, ...]]()
        for reference in references:
            largest |= ngrams(reference, n)
        common.append(float(sum((ngrams(hypothesis, n) & largest).values())))
    length = len(hypothesis.split())
    closest = min((abs(len(r.split()) - length), len(r.split())) for r in references)[1]
    return [*common, *(float(max(0, length - n)) for n in range(4)), float(length), float(closest)]


def bleu(hypotheses: Sentences, references: Sequence[Sentences]) -> list[float]:
    rows = [bleu_counts(h, r) for h, r in zip(hypotheses, references, strict=True)]
    sums = [sum(column) for column in zip(*rows, strict=True)]
    product, values = 1.0, []
    for n in range(4):
        product *= (sums[n] + 1e-15) / (sums[4 + n] + 1e-9)
        ratio = (sums[8] + 1e-15) / (sums[9] + 1e-9)
        values.append(product ** (1 / (n + 1)) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0))
    return values


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def rouge(hypothesis: str, references: Sentences) -> float:
    words = hypothesis.split()
    common = [common_length(words, r.split()) for r in references]
    precision = max(c / max(1, len(words)) for c in common)
    recall = max(c / max(1, len(r.split())) for c, r in zip(common, references, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)


def cider(
    hypotheses: Sentences,
    references: Sequence[Sentences],
    *,
    documents: Sequence[Sentences] | None = None,
    clipped: bool = True,
) -> list[float]:
    counted = references if documents is None else documents
    frequency = Counter(
        gram
        for document in counted
        for gram in {g for sentence in document for n in range(1, 5) for g in ngrams(sentence, n)}
    )

    def vector(sentence: str, n: int) -> dict[tuple[str, ...], float]:
        weights = {g: math.log(len(counted)) - math.log(max(1, frequency[g])) for g in ngrams(sentence, n)}
        return {g: count * weights[g] for g, count in ngrams(sentence, n).items()}

    def compare(h: str, r: str) -> float:
        total = 0.0
        for n in range(1, 5):
            a, b = vector(h, n), vector(r, n)
            norm = math.hypot(*a.values()) * math.hypot(*b.values())
            product = sum((min(a[g], b[g]) if clipped else a[g]) * b[g] for g in a if g in b)
            total += product / norm if norm else 0.0
        apart = sum(ngrams(h, 2).values()) - sum(ngrams(r, 2).values())
        return 10 * total / 4 * (math.exp(-(apart**2) / 72) if clipped else 1.0)

    return [sum(compare(h, r) for r in texts) / len(texts) for h, texts in zip(hypotheses, references, strict=True)]
