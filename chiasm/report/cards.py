"""One card for each example: the picture, the question, the answers, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chiasm.explain.attribution import Attribution
from chiasm.explain.evidence import Maps
from chiasm.explain.explanation import Explanation
from chiasm.explain.faithfulness import Faithfulness
from chiasm.explain.matches import KINDS, matches
from chiasm.report.charts import Line, lines
from chiasm.report.contents import Example
from chiasm.report.html import Html, tag
from chiasm.report.matches import match_section
from chiasm.report.pictures import head_grid, heat_map, shaded_image, shaded_words
from chiasm.report.tables import percent, signed

STREAMS = {  # what the items of a stream are called
    "text": "words",
    "regions": "regions",
    "images": "patches",
    "choices": "words of the choices",
    "table": "columns",
    "dialogue": "utterances",
    "scene_graph": "things",
    "audio": "sound",
    "video": "frames",
}
LEAST = 0.0005  # of a runner-up's probability that is shown
LABELLED = 64  # rows and columns of an attention matrix, at most, that is drawn with labels


def card(example: Example, name: str) -> Html:
    """A card; details (attention, curves, other methods) are folded. `name` is its own on the page."""
    explanation = example.explanation
    main = explanation.main
    shown = _pictures(explanation, main, name)
    seen = tag("div", *shown, class_=f"views n{len(shown)}") if shown else None
    said = tag("div", _question(explanation, main), _verdict(example), _answers(explanation), class_="said")
    why = tag("div", _scores(main), class_="why") if main is not None and main.faithfulness else None
    return tag("article", seen, said, why, _details(explanation, name), class_=f"card {_state(example)}")


def _pictures(explanation: Explanation, attribution: Attribution | None, name: str) -> list[Html]:
    """Every image of the example, shaded by one attribution."""
    relevance = [
        explanation.region_relevance(attribution, i) if attribution is not None else [0.0] * len(view.boxes)
        for i, view in enumerate(explanation.views)
    ]
    return [
        shaded_image(view, values, alt=_alt(explanation, i), name=f"{name}-{i}")
        for i, (view, values) in enumerate(zip(explanation.views, relevance, strict=True))
    ]


def _state(example: Example) -> str:
    return {True: "right", False: "wrong", None: "open"}[example.correct]


def _alt(explanation: Explanation, view: int) -> str:
    count, what = len(explanation.views[view].boxes), STREAMS[explanation.views[view].stream]
    which = f" {view + 1}" if len(explanation.views) > 1 else ""
    return f"image{which} of example {explanation.prediction.id}, with {count} {what}"


def _question(explanation: Explanation, main: Attribution | None) -> Html | None:
    if explanation.text is None:
        return None
    words = explanation.words()
    if main is None or not words:
        return tag("h3", explanation.text)
    return tag("h3", shaded_words(words, explanation.word_relevance(main)))


def _verdict(example: Example) -> Html:
    """The answer, and whether it is right."""
    answer = tag("strong", answer_text(example.explanation.prediction.answer))
    if example.correct is None:
        return tag("p", answer, class_="verdict")
    pill = tag("span", "✓ right" if example.correct else "✗ wrong", class_="pill")
    expected = None
    if not example.correct and example.explanation.expected is not None:
        expected = tag("span", " expected ", tag("strong", answer_text(example.explanation.expected)))
    return tag("p", answer, " ", pill, expected, class_="verdict")


def answer_text(answer: Any) -> str:
    """An answer as a person reads it: several labels or annotators' answers with commas, the common ones once."""
    if isinstance(answer, Mapping):
        return ", ".join(str(key) for key in answer)
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        return ", ".join(dict.fromkeys(str(part) for part in answer))
    return str(answer)


def _answers(explanation: Explanation) -> Html | None:
    """The best answers with their probabilities as bars."""
    rows: list[Html] = []
    for answer, probability in explanation.prediction.alternatives:
        if rows and probability < LEAST:
            continue
        fill = tag("span", class_="fill", style=f"width:{100 * min(1.0, max(0.0, probability)):.1f}%")
        track = tag("span", fill, class_="track")
        rows.append(
            tag("li", tag("span", answer_text(answer), class_="name"), track, tag("small", percent(probability)))
        )
    return tag("ol", *rows, class_="answers") if rows else None


def _scores(main: Attribution) -> Html:
    """How faithful the shading is, beside random orders: a dot on a scale from -1 to 1, over a band."""
    rows = [_scale(STREAMS.get(stream, stream), score) for stream, score in main.faithfulness.items()]
    return tag("div", tag("p", f"Shaded by {main.title}; faithfulness:", class_="how"), *rows)


def _scale(what: str, score: Faithfulness) -> Html:
    random = score.random
    low, high = (min(1.0, max(-1.0, value)) for value in (random.low, random.high))
    spoken = f"{what}: {signed(score.area)}; {_random(score)}"
    band = tag("span", class_="band", style=f"left:{50 + 50 * low:.1f}%;width:{50 * (high - low):.1f}%")
    dot = tag("span", class_="point", style=f"left:{50 + 50 * score.area:.1f}%")
    scale = tag("span", tag("span", class_="zero"), band, dot, class_="scale")
    return tag("div", tag("span", what), scale, tag("b", signed(score.area)), class_="score", title=spoken)


def _random(score: Faithfulness) -> str:
    r = score.random
    return f"random orders {signed(r.value)}, mostly {signed(r.low)} to {signed(r.high)}"


def _details(explanation: Explanation, name: str) -> Html | None:
    """Everything else, folded: other methods, curves, attention."""
    parts = [
        *(_method(explanation, one, f"{name}-{one.method}") for one in explanation.attributions[1:]),
        _curves(explanation),
        *(match_section(table, explanation) for table in matches(explanation)),
        *(_attention(explanation, one) for one in explanation.maps if one.evidence.kind not in KINDS),
    ]
    shown = [part for part in parts if part is not None]
    if not shown:
        return None
    summary = tag("summary", "Evidence: other methods, curves, attention")
    return tag("details", summary, tag("div", *shown, class_="evidence"))


def _method(explanation: Explanation, attribution: Attribution, name: str) -> Html:
    """Another method's shading, with its scores."""
    seen = {"regions", "images", "scene_graph"} & set(attribution.relevance)
    views = _pictures(explanation, attribution, name) if seen else []
    words = explanation.words()
    text = tag("p", shaded_words(words, explanation.word_relevance(attribution))) if words else None
    scores = "; ".join(
        f"{STREAMS.get(stream, stream)} {signed(score.area)} ({_random(score)})"
        for stream, score in attribution.faithfulness.items()
    )
    said = tag("p", f"Faithfulness: {scores}", class_="how") if scores else None
    return tag("section", tag("h4", attribution.title), text, *views, said, class_="method")


def _curves(explanation: Explanation) -> Html | None:
    """Perturbation curves of the main method, one chart for each stream."""
    main = explanation.main
    if main is None or not main.faithfulness:
        return None
    charts = [curve_chart(score, STREAMS.get(stream, stream)) for stream, score in main.faithfulness.items()]
    return tag("section", tag("h4", f"Hiding by {main.title}"), tag("div", *charts, class_="charts"), class_="curves")


def curve_chart(score: Faithfulness, what: str) -> Html:
    """Probability of the answer as more and more of a stream is hidden, in three orders."""
    hidden = [100 * float(x) for x in score.hidden]
    curves = [
        Line("most relevant first", hidden, score.most_relevant_first.tolist(), "model"),
        Line("least relevant first", hidden, score.least_relevant_first.tolist(), "against"),
        Line("random order (mean)", hidden, score.random_order.mean(0).tolist(), "faint"),
    ]
    return lines(
        curves,
        title=f"Probability of the answer when {what} are hidden",
        x_name=f"{what} hidden, %",
        y_name="probability",
        y_range=(0.0, 1.0),
        as_percent=True,
    )


def _attention(explanation: Explanation, maps: Maps) -> Html:
    """One kind of attention: its mean over layers and heads, and every head."""
    query, key = maps.evidence.query, maps.evidence.key
    shown = []
    for view in range(maps.layers[0].shape[0]):
        mean = maps.mean()[view].double().numpy()
        rows = explanation.item_names(query, mean.shape[0])
        columns = explanation.item_names(key, mean.shape[1])
        which = f", image {view + 1}" if maps.layers[0].shape[0] > 1 else ""
        title = f"mean of {len(maps.layers)} layers and {maps.layers[0].shape[1]} heads{which}"
        if max(mean.shape) <= LABELLED:  # of more nobody reads the labels
            shown.append(heat_map(mean, rows, columns, title=f"{_who(query)} (rows) look at {_who(key)}: {title}"))
        shown.append(head_grid([layer[view] for layer in maps.layers], title=f"every head{which}"))
    return tag("section", tag("h4", maps.evidence.title), *shown, class_="attention")


def _who(stream: str) -> str:
    return STREAMS.get(stream, stream)
