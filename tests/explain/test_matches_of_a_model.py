"""What a model with affinities and rankings shows, from raw inputs to figures, the report and the page."""

from __future__ import annotations

import pytest

from chiasm.explain.explanation import Explanation, explain_example
from chiasm.explain.matches import matches
from chiasm.report.attention import attention_figures
from chiasm.report.page import render_explanations
from chiasm.serve.evidence import evidence_of
from chiasm.training.bundle import Bundle
from tests.explain.matching import asked, matching_bundle

METHOD = "relevance_propagation"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return matching_bundle(asked(2), images=2)


@pytest.fixture(scope="module")
def explanation(bundle: Bundle) -> Explanation:
    return explain_example(bundle, asked(2), methods=(METHOD,), random_orders=2)


def test_every_table_has_the_names_of_what_is_really_there(explanation: Explanation) -> None:
    """The model pads to 20 words and 12 regions; the first image has 9 regions, the second 10."""
    found = {(table.kind, table.query, table.key, table.images): table for table in matches(explanation)}
    assert len(found) == 7
    for image, count in ((0, 9), (1, 10)):
        affinity = found["affinity", "text", "regions", (image,)]
        assert affinity.rows == explanation.tokens
        assert len(affinity.columns) == count
        assert found["ranking", "regions", "regions", (image,)].scores.shape == (count, count)
        assert found["ranking", "text", "text", (image,)].columns == explanation.tokens
    assert found["affinity", "regions", "regions", (0, 1)].scores.shape == (9, 10)


def test_they_are_drawn_for_the_image_that_is_asked_for(explanation: Explanation) -> None:
    names = ["affinity_text_regions", "affinity_regions_regions", "ranking_text", "ranking_regions"]
    for view, count in ((0, 9), (1, 10)):
        drawn = {one.name: one.numbers for one in attention_figures(explanation, view=view)}
        assert [name for name in drawn if name.startswith(("affinity", "ranking"))] == names
        assert len(drawn["affinity_text_regions"]["columns"]) == count


def test_the_report_and_the_page_have_them(explanation: Explanation) -> None:
    page = render_explanations([explanation])
    assert page.count('class="crops"') == 2
    assert page.count('class="matches') == 7
    assert page.count('class="matches wide"') == 2
    told = {(one["kind"], one["query"], one["key"]): one for one in evidence_of(explanation)["attention"]}
    affinity = told["affinity", "text", "regions"]
    assert affinity["queries"] == list(explanation.tokens)
    assert affinity["keys"] == [str(number + 1) for number in range(10)]
    assert affinity["views"] == 2
    assert told["affinity", "regions", "regions"]["views"] == 1


def test_a_frozen_part_is_explained_and_stays_frozen(bundle: Bundle, explanation: Explanation) -> None:
    """Relevance is propagated through the attention of the frozen words, too."""
    frozen = [name for name, parameter in bundle.model.named_parameters() if not parameter.requires_grad]
    assert any(name.startswith("encoder.language_layers.") for name in frozen)
    assert explanation.main is not None
    assert any(explanation.word_relevance(explanation.main))
