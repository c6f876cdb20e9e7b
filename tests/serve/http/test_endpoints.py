"""The endpoints: answers identical to the predictor's, errors that say what is wrong, nothing that breaks them."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from chiasm.serve.access import Access
from chiasm.serve.endpoints import Service
from chiasm.serve.limits import Limits
from chiasm.serve.predictor import Predictor
from chiasm.serve.schemas import Answer, Answers, Regions
from chiasm.serve.served import Served, ServeError, named
from tests.serve.http.asking import Client, Gate, closing, encoded, request, row
from tests.serve.small import QUESTIONS, examples, picture, small_bundle


def test_an_answer_is_the_predictors(client: Client, predictor: Predictor) -> None:
    answer = Answer(**client.post("/predict", row(1, id="mine", top_k=3)).json())
    expected = predictor.predict(image=picture(1), text="What colour is it?", top_k=3)
    assert (answer.id, answer.bundle, answer.answer) == ("mine", "small", expected.answer)
    assert [(one.answer, one.probability) for one in answer.alternatives] == list(expected.alternatives)


def test_answers_of_many_clients_are_those_of_one(client: Client, predictor: Predictor) -> None:
    bodies = [row(i, id=str(i), text=QUESTIONS[i % 3]) for i in range(40)]
    together = client.post_all("/predict", bodies)
    assert [found.status_code for found in together] == [200] * 40
    for i, found in enumerate(together):
        alone = predictor.predict(image=picture(i), text=QUESTIONS[i % 3])
        assert (found.json()["id"], found.json()["answer"]) == (str(i), alone.answer)
        assert found.json()["probability"] == pytest.approx(alone.probability, abs=1e-5)


def test_rows_are_answered_in_order_with_errors_in_place(client: Client) -> None:
    rows = [row(0, id="a"), row(1, id="b", text=" "), {"id": "c", "text": "x"}, row(2, id="d", image="/etc/passwd")]
    found = client.post("/predict", {"rows": [*rows, row(3, id="e")], "top_k": 2}).json()
    Answers(**found)
    assert [one["id"] for one in found["answers"]] == ["a", "b", "c", "d", "e"]
    assert [one.get("error") for one in found["answers"]] == [
        None,
        "the text is empty",
        "the row has no 'image'; it has 'text'",
        "image 1 is not base64 of a picture file (paths and addresses are not read)",
        None,
    ]
    assert len(found["answers"][0]["alternatives"]) == 2


def test_each_row_of_a_pass_gets_as_many_answers_as_it_wants(served: Served) -> None:
    found = served.answer([(one, top_k) for one, top_k in zip(examples(3), (1, 4, 2), strict=True)])
    assert [len(one.alternatives) for one in found] == [1, 4, 2]  # type: ignore[union-attr]


def test_requests_with_other_top_k_share_a_pass() -> None:
    gate = Gate()
    with closing(Service([gate])) as client:  # type: ignore[list-item]

        async def ask() -> list[Any]:
            first = asyncio.ensure_future(request(client.app, "POST", "/predict", json={"text": "first"}))
            await asyncio.to_thread(gate.begun.wait, 20)
            others = [
                asyncio.ensure_future(request(client.app, "POST", "/predict", json={"text": str(k), "top_k": k}))
                for k in range(1, 5)
            ]
            while client.service.batcher.waiting < 4:
                await asyncio.sleep(0.001)
            gate.open.set()
            return [found.json()["answer"] for found in await asyncio.gather(first, *others)]

        assert asyncio.run(ask()) == ["first", "1", "2", "3", "4"]
        assert gate.passes == [1, 4]


def test_an_explanation_has_words_regions_scores_and_every_head(client: Client, predictor: Predictor) -> None:
    found = client.post("/explain", row(0, attention=True)).json()
    assert found["answer"]["answer"] == predictor.predict(image=picture(0), text="What colour is it?").answer
    assert [word["text"] for word in found["words"]] == ["What", "colour", "is", "it", "?"]
    (view,) = found["views"]
    assert (view["width"], view["height"]) == (64, 48)
    (crossing,) = (one for one in found["attention"] if (one["query"], one["key"]) == ("text", "regions"))
    weights = crossing["weights"]
    assert (len(weights), len(weights[0]), len(weights[0][0])) == (crossing["layers"], 1, crossing["heads"])
    assert len(weights[0][0][0]) == len(found["tokens"])
    assert len(weights[0][0][0][0]) == len(view["boxes"])
    assert sum(weights[1][0][2][3]) == pytest.approx(1, abs=1e-3)
    for one in found["attributions"]:
        assert len(one["words"]) == 5
        assert len(one["regions"][0]) == len(view["boxes"])
        assert {score["stream"] for score in one["faithfulness"]} <= {"text", "regions"}


def test_an_explanation_without_every_head_has_their_mean(client: Client) -> None:
    found = client.post("/explain", row(0, methods=["rollout"])).json()
    assert [one["method"] for one in found["attributions"]] == ["rollout"]
    assert all(one["weights"] is None and one["mean"] for one in found["attention"])


def test_regions_are_those_that_the_answer_is_made_of(client: Client) -> None:
    found = Regions(**client.post("/regions", {"images": [encoded(picture(0))]}).json())
    assert found.views[0].boxes == client.post("/explain", row(0)).json()["views"][0]["boxes"]
    assert found.views[0].boxes == [[10 / 64, round(8 / 48, 5), 34 / 64, round(32 / 48, 5)]]


def test_regions_of_the_same_picture_twice() -> None:
    rows = examples(3, images=2)
    with closing(Service([Served("pairs", Predictor(small_bundle(rows, images=2)))])) as client:
        both = [encoded(picture(0))] * 2
        views = client.post("/regions", {"images": both}).json()["views"]
        assert views[0] == views[1]
        found = client.post("/explain", {"images": both, "text": QUESTIONS[0], "attention": True}).json()
        assert [view["boxes"] for view in found["views"]] == [view["boxes"] for view in views]
        assert client.post("/predict", {"images": both[:1], "text": "x"}).status_code == 422


def test_a_bundle_says_what_it_needs(client: Client) -> None:
    (found,) = client.get("/bundles").json()["bundles"]
    assert found["needs"] == ["images", "text"]
    assert (found["images"], found["finds_regions"], found["generated"]) == (1, True, False)
    assert {"text", "regions"} == {one["query"] for one in found["evidence"]}


def test_two_bundles_are_asked_by_name(served: Served) -> None:
    other = Served("other", Predictor(small_bundle(examples(6), initializer_range=0.4)))
    with closing(Service([served, other])) as client:
        both = [client.post("/predict", row(0, bundle=name)).json() for name in ("small", "other")]
        assert [one["bundle"] for one in both] == ["small", "other"]
        assert both[0]["probability"] != both[1]["probability"]
        missing = client.post("/predict", row(0, bundle="third"))
        assert (missing.status_code, missing.json()["error"]) == (
            404,
            "there is no bundle 'third'; there are: small, other",
        )


def test_health_and_metrics_count(served: Served) -> None:
    with closing(Service([served])) as client:
        assert client.get("/health").json()["status"] == "ok"
        client.post("/predict", {"rows": [row(0), {"text": "x"}]})
        client.get("/nothing/here")
        text = client.get("/metrics").text
    assert 'chiasm_requests_total{path="/predict",status="200"} 1' in text
    assert 'chiasm_rows_total{bundle="small",result="answered"} 1' in text
    assert 'chiasm_rows_total{bundle="small",result="bad"} 1' in text
    assert 'chiasm_requests_total{path="other",status="404"} 1' in text
    assert "chiasm_batch_rows_count 1" in text


def test_the_examples_of_openapi_can_be_sent(client: Client) -> None:
    described = client.get("/openapi.json").json()
    for path, name in (("/predict", "PredictRequest"), ("/explain", "ExplainRequest"), ("/regions", "RegionsRequest")):
        assert "post" in described["paths"][path]
        for example in described["components"]["schemas"][name]["examples"]:
            assert client.post(path, example).status_code == 200, path
    assert {"/bundles", "/examples", "/health", "/metrics"} <= set(described["paths"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": "x", "colour": 1}, "body.colour: Extra inputs are not permitted"),
        ({"text": "x", "top_k": 0}, "body.top_k"),
        ({"text": 3}, "body.text"),
        ({"rows": []}, "body.rows"),
        ({"rows": [{"text": "x"}], "text": "y"}, "text came with `rows`"),
        ({"image": "x", "boxes": [[1, 2, 3]], "text": "x"}, "body.boxes"),
        ([1], "body"),
    ],
)
def test_a_wrong_field_is_named_and_what_was_sent_is_not_repeated(client: Client, body: Any, said: str) -> None:
    found = client.post("/predict", body)
    assert found.status_code == 422
    assert said in found.json()["error"]
    assert set(found.json()) == {"error"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(client: Client, number: str) -> None:
    body = json.dumps(row(0))[:-1] + f', "boxes": [[0, 0, 9, {number}]]}}'
    found = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert found.status_code in (400, 422)
    assert "body.boxes" in found.json()["error"] or "not a JSON number" in found.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[" * 100_000,
        '{"dialogue": ' + "[" * 50_000,
        '"' + "x" * 10,
        "1" * 10_000,
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_broken_json_is_refused_and_nothing_else_happens(client: Client, body: Any) -> None:
    found = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert found.status_code in (400, 422)
    assert client.get("/health").status_code == 200


def test_a_form_from_another_site_is_not_json(client: Client) -> None:
    found = client.post("/predict", content=json.dumps(row(0)), headers={"content-type": "text/plain"})
    assert found.status_code == 422


@pytest.mark.parametrize("number", ["NaN", "-Infinity"])
def test_what_is_not_json_is_refused_wherever_it_is(client: Client, number: str) -> None:
    body = json.dumps(row(0))[:-1] + f', "graph": {{"deep": [{{"inside": {number}}}]}}}}'
    found = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert (found.status_code, found.json()["error"]) == (400, f"the request is no JSON: {number} is not a JSON number")


def test_boxes_outside_the_picture_are_refused_with_the_reason(client: Client) -> None:
    found = client.post("/predict", row(0, boxes=[[0, 0, 1e308, 5]]))
    assert found.status_code == 422
    assert "is outside the image" in found.json()["error"]


def test_an_unknown_method_names_the_nearest(client: Client) -> None:
    found = client.post("/explain", row(0, methods=["rolout"]))
    assert (found.status_code, "rollout" in found.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    "path",
    [
        "/page/..%2f..%2fapp.py",
        "/page/../endpoints.py",
        "/page/%2e%2e/app.py",
        "/page//etc/passwd",
        "/page/app.py",
        "/etc/passwd",
    ],
)
def test_no_file_but_the_pages_can_be_read(client: Client, path: str) -> None:
    found = client.get(path)
    assert found.status_code == 404
    assert "import" not in found.text


def test_the_page_is_served_and_may_load_nothing_from_elsewhere(client: Client) -> None:
    found = client.get("/")
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert client.get("/page/page.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/page/page.css").status_code == 200


def test_too_large_a_body_is_refused_before_it_is_read(served: Served) -> None:
    with closing(Service([served], limits=Limits(body_bytes=2_000))) as client:
        found = client.post("/predict", {"text": "x" * 3_000})
        assert (found.status_code, "2,000 bytes" in found.json()["error"]) == (413, True)

        async def chunks() -> Any:
            for _ in range(30):
                yield b"x" * 100

        sent = client.post("/predict", content=chunks(), headers={"content-type": "application/json"})
        assert sent.status_code == 413
        assert client.post("/predict", content=b"{}", headers={"content-length": "-5"}).status_code == 413
        assert client.app.bodies.held == 0


def test_a_body_that_does_not_arrive_is_given_up(served: Served) -> None:
    with closing(Service([served], limits=Limits(receive_seconds=0.05))) as client:

        async def slow() -> Any:
            yield b"{"
            await asyncio.sleep(5)

        found = client.post("/predict", content=slow(), headers={"content-type": "application/json"})
        assert (found.status_code, "within 0.05 s" in found.json()["error"]) == (408, True)


def test_a_full_queue_answers_503_with_retry_after_and_loses_nothing() -> None:
    gate = Gate()
    with closing(Service([gate], limits=Limits(queue=4, batch=2))) as client:  # type: ignore[list-item]
        opening = threading.Timer(0.5, gate.open.set)
        opening.start()
        found = client.post_all("/predict", [{"id": str(i), "text": str(i)} for i in range(20)])
        opening.join()
    codes = [one.status_code for one in found]
    assert set(codes) == {200, 503}
    assert codes.count(200) >= 4
    assert all(int(one.headers["retry-after"]) >= 1 for one in found if one.status_code == 503)
    assert all(one.json()["answer"] == str(i) for i, one in enumerate(found) if one.status_code == 200)


def test_no_answer_in_time_is_504_and_leaves_the_queue() -> None:
    gate = Gate()
    with closing(Service([gate], limits=Limits(answer_seconds=0.3))) as client:  # type: ignore[list-item]

        async def ask() -> list[int]:
            first = asyncio.ensure_future(request(client.app, "POST", "/predict", json={"text": "first"}))
            await asyncio.to_thread(gate.begun.wait, 20)
            others = [request(client.app, "POST", "/predict", json={"text": str(i)}) for i in range(3)]
            return [found.status_code for found in await asyncio.gather(first, *others)]

        assert asyncio.run(ask()) == [504] * 4
        gate.open.set()
    assert gate.passes == [1]  # the one that had begun


def test_too_many_rows_are_refused(served: Served) -> None:
    with closing(Service([served], limits=Limits(rows=2))) as client:
        found = client.post("/predict", {"rows": [{"text": "x"}] * 3})
        assert (found.status_code, found.json()["error"]) == (413, "3 rows; 2 are allowed in one request")


def test_a_token_is_asked_for() -> None:
    token = "0123456789abcdef"
    with closing(Service([Gate()], access=Access("0.0.0.0", token))) as client:  # type: ignore[list-item]
        refused = client.post("/predict", {"text": "x"})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert client.get("/metrics", headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/").status_code == 200


def test_a_bug_is_an_error_that_tells_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Gate):
        def answer(self, rows: Any) -> Any:
            raise RuntimeError("a secret at /srv/models")

    with closing(Service([Broken()])) as client:  # type: ignore[list-item]
        found = client.post("/predict", {"text": "x"})
        assert found.status_code == 500
        assert "srv" not in found.text
        assert client.get("/health").status_code == 200
    assert "a secret at /srv/models" in caplog.text


def test_a_service_without_bundles_is_refused() -> None:
    with pytest.raises(ServeError, match="no bundle to serve"):
        Service([])


def test_a_name_that_is_none_of_the_bundles(served: Served) -> None:
    assert named([served], None) is served
    with pytest.raises(ServeError, match="there are: small"):
        named([served], "x")
