"""A dialogue as a table: true and given emotions, and what an utterance read."""

from __future__ import annotations

import pytest

from chiasm.data.example import DataError, Example
from chiasm.explain.case_study import case_study, reading
from chiasm.explain.explanation import explain_example
from chiasm.training.bundle import Bundle
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[Example]]:
    recipe = load_recipe("coin").tiny().with_settings(["training.epochs=4", "training.trackers=[]"])
    result = train(recipe, out=tmp_path_factory.mktemp("coin") / "run", show=False)
    return result.bundle, result.splits["test"].examples


def test_every_utterance_of_a_dialogue_has_a_line_and_wrong_answers_a_star(
    trained: tuple[Bundle, list[Example]],
) -> None:
    bundle, examples = trained
    rows = [e for e in examples if e.info["cluster"] == "test0"]
    lines = case_study(bundle, rows).splitlines()
    assert lines[0].split() == ["speaker", "utterance", "true", "given"]
    assert len(lines) == 1 + len(rows)
    for line, example in zip(lines[1:], rows, strict=True):
        true, given = line.split()[-2:]
        assert true == example.values["answer"]
        assert given.endswith("*") == (given.rstrip("*") != true)


def test_examples_of_two_dialogues_are_refused(trained: tuple[Bundle, list[Example]]) -> None:
    bundle, examples = trained
    with pytest.raises(DataError, match="the examples are of 10"):
        case_study(bundle, examples)


def test_what_an_utterance_reads_sums_to_one_in_each_stack(trained: tuple[Bundle, list[Example]]) -> None:
    bundle, examples = trained
    lines = reading(bundle, examples[6]).splitlines()
    assert lines[0].split() == ["speaker", "utterance", "read", "1", "read", "2"]
    for column in (-2, -1):
        assert sum(float(line.split()[column]) for line in lines[1:]) == pytest.approx(1, abs=0.05)
    assert lines[-1].split()[-1] == "0.00"  # the query itself is not in its memory


def test_an_utterance_is_explained_with_attributions_over_the_dialogue(
    trained: tuple[Bundle, list[Example]],
) -> None:
    bundle, examples = trained
    explanation = explain_example(bundle, examples[6], random_orders=3)
    assert {a.method for a in explanation.attributions} >= {"gradient_input", "integrated_gradients"}
    for attribution in explanation.attributions:
        assert attribution.relevance["dialogue"].shape == (1, 7)
        assert "dialogue" in attribution.faithfulness
    assert {one.evidence.kind for one in explanation.maps} == {"memory read", "self-attention"}
