"""Bundles of other kinds are served too: tables with a form, dialogues over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.conversation import Conversation
from chiasm.serve.endpoints import Service
from chiasm.serve.predictor import Predictor
from chiasm.serve.served import Served
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train
from tests.serve.http.asking import Client, closing, held_out


@pytest.fixture(scope="module")
def table(table_predictor: Predictor) -> Iterator[Client]:
    with closing(Service([Served("table", table_predictor)])) as client:
        yield client


def test_a_table_is_answered_and_explained_by_its_columns(table: Client, table_predictor: Predictor) -> None:
    (described,) = table.get("/bundles").json()["bundles"]
    names = [column["name"] for column in described["columns"]]
    assert described["needs"] == ["table", "text"]
    assert any(column["classes"] for column in described["columns"])
    assert any(column["classes"] is None for column in described["columns"])
    example = held_out(table_predictor.bundle.recipe)[0]
    row = {"text": example.values["text"], "table": example.values["table"]}
    assert table.post("/predict", row).status_code == 200
    found = table.post("/explain", {**row, "attention": True}).json()
    assert found["columns"] == names
    (one,) = found["attributions"]
    assert (one["method"], len(one["columns"])) == ("leave_one_out", len(names))
    spaced = "".join((" " if word["space"] else "") + word["text"] for word in found["words"])
    assert spaced.strip() == example.values["text"][: len(spaced.strip())]
    refused = table.post("/predict", {**row, "table": dict.fromkeys(names, "x")})
    assert (refused.status_code, "a finite number is expected" in refused.json()["error"]) == (422, True)
    empty, both = {**row, "table": {}}, {"rows": [{**row, "table": {}}, {**row, "table": {}}]}
    assert (table.post("/predict", empty).status_code, table.post("/explain", empty).status_code) == (422, 422)
    assert ["no row has the column" in one["error"] for one in table.post("/predict", both).json()["answers"]] == [
        True
    ] * 2


def utterances(conversation: Conversation) -> list[dict[str, Any]]:
    """A conversation as a request holds it."""
    return [
        {
            "speaker": speaker,
            **({} if conversation.texts is None else {"text": conversation.texts[i]}),
            "features": {name: values[i].tolist() for name, values in conversation.features.items()},
        }
        for i, speaker in enumerate(conversation.speakers)
    ]


@pytest.mark.slow
def test_a_dialogue_is_answered_as_the_predictor_does(tmp_path: Path) -> None:
    recipe = load_recipe("coin_planted").tiny().with_settings(["training.epochs=1"])
    predictor = Predictor(train(recipe, out=tmp_path / "run", show=False).bundle)
    example = held_out(recipe)[3]
    row = {"dialogue": utterances(example.values["dialogue"]), "position": example.values["position"]}
    with closing(Service([Served("dialogue", predictor)])) as client:
        found = client.post("/predict", row).json()
        explained = client.post("/explain", row)
        broken = client.post("/predict", {**row, "position": 10_000})
        deep = client.post("/predict", {"dialogue": [{"speaker": "a", "features": {"text": ["x"]}}]})
    (expected,) = predictor.predict([example])
    assert (found["answer"], found["probability"]) == (expected.answer, pytest.approx(expected.probability, abs=1e-5))  # type: ignore[union-attr]
    assert explained.status_code == 200
    assert (broken.status_code, "is not in the dialogue" in broken.json()["error"]) == (422, True)
    assert deep.status_code == 422
