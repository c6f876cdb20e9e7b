"""Relevance propagation: the paper's rules step by step, and the planted reason found."""

from __future__ import annotations

import torch
from torch import Tensor

from chiasm.explain.attribution import attribute
from chiasm.explain.evidence import Step, attention_steps
from chiasm.explain.methods import relevance_propagation
from chiasm.explain.methods.relevance_propagation import normalised, propagate
from chiasm.explain.probe import probe
from chiasm.models.lxmert import Lxmert
from tests.explain.planted import ASKED, ColourTask, sample


def by_the_paper(steps: list[Step], matrices: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Equations 5 to 11 for one text and one image, as the authors' code orders them: R_tt and R_ti."""
    t, i = (next(s.weights.shape[-1] for s in steps if s.key == name) for name in ("text", "regions"))
    r = {"tt": torch.eye(t), "ii": torch.eye(i), "ti": torch.zeros(t, i), "it": torch.zeros(i, t)}
    letter = {"text": "t", "regions": "i"}
    waiting: list[tuple[str, Tensor]] = []
    for number, (step, cam) in enumerate(zip(steps, matrices, strict=True)):
        s, q = letter[step.query], letter[step.key]
        if s == q:
            other = "i" if s == "t" else "t"
            r[s + s], r[s + other] = r[s + s] + cam @ r[s + s], r[s + other] + cam @ r[s + other]
            continue
        waiting.append((s + q, by_row(r[s + s]).T @ cam @ by_row(r[q + q])))
        waiting.append((s + s, cam @ r[q + s]))
        after = steps[number + 1] if number + 1 < len(steps) else None
        if after is None or (after.query, after.key) != (step.key, step.query):
            for pair, gain in waiting:
                r[pair] = r[pair] + gain
            waiting = []
    return r["tt"], r["ti"]


def by_row(relevance: Tensor) -> Tensor:
    rows = []
    for m, row in enumerate(relevance):
        own = torch.zeros_like(row)
        own[m] = 1.0
        gained = row - own
        rows.append(own + gained / gained.sum() if float(gained.sum()) > 0 else own)
    return torch.stack(rows)


def test_the_rules_are_the_papers(model: Lxmert) -> None:
    batch, _ = sample(1, torch.Generator().manual_seed(5))
    asked = probe(model, ColourTask(), batch)
    output, steps = attention_steps(model, asked.batch)
    gradients = torch.autograd.grad(asked.score(output).sum(), [s.weights for s in steps], allow_unused=True)
    matrices = [
        torch.zeros_like(s.weights[0, 0]) if g is None else (s.weights * g).clamp(min=0).mean(1)[0].detach()
        for s, g in zip(steps, gradients, strict=True)
    ]
    text, regions = by_the_paper(steps, matrices)
    found = relevance_propagation.attribute(asked)
    assert float(regions[0].max()) > 0
    torch.testing.assert_close(found["text"][0], text[0])
    torch.testing.assert_close(found["regions"][0], regions[0])


def test_normalising_keeps_what_has_no_relevance_but_its_own() -> None:
    relevance = torch.eye(3)
    relevance[0, 1], relevance[0, 2] = 3.0, 1.0
    expected = torch.tensor([[1.0, 0.75, 0.25], [0, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(normalised(relevance), expected)


def test_one_look_across_by_hand() -> None:
    weights = torch.zeros(1, 1, 1, 2)
    held = propagate([Step("text", "regions", weights)], [torch.tensor([[[0.2, 0.5]]])])
    torch.testing.assert_close(held["text", "regions"], torch.tensor([[[0.2, 0.5]]]))
    torch.testing.assert_close(held["text", "text"], torch.ones(1, 1, 1))


def test_both_directions_read_what_was_held_before_them() -> None:
    looks = [Step("text", "regions", torch.zeros(1, 1, 1, 1)), Step("regions", "text", torch.zeros(1, 1, 1, 1))]
    held = propagate(looks, [torch.full((1, 1, 1), 0.5), torch.full((1, 1, 1), 0.25)])
    assert float(held["text", "text"]) == 1.0, "R_it was still zero when the text looked"
    assert float(held["text", "regions"]) == 0.5
    assert float(held["regions", "text"]) == 0.25


def test_it_finds_the_planted_word_and_region(model: Lxmert) -> None:
    right = {"text": 0, "regions": 0}
    generator = torch.Generator().manual_seed(11)
    for _ in range(20):
        batch, asked = sample(1, generator)
        found = relevance_propagation.attribute(probe(model, ColourTask(), batch))
        right["text"] += int(found["text"][0, 1:-1].argmax()) + 1 == ASKED
        right["regions"] += int(found["regions"][0].argmax()) == int(asked[0])
    assert right["regions"] >= 17, right
    assert right["text"] >= 17, right


def test_hiding_what_it_calls_relevant_first_hurts_sooner(model: Lxmert) -> None:
    generator, areas, random = torch.Generator().manual_seed(5), [], []
    for _ in range(8):
        (found,) = attribute(probe(model, ColourTask(), sample(1, generator)[0]), ("relevance_propagation",))
        score = found.faithfulness["regions"]
        assert score.most_relevant_first[0] == score.least_relevant_first[0]
        areas.append(score.area)
        random.append(float(score.random_areas.mean()))
    assert sum(areas) / 8 > 0.3
    assert sum(areas) / 8 > sum(random) / 8 + 0.2
