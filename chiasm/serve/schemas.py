"""What goes over HTTP: requests and answers, with the examples that OpenAPI shows (extra `serve`)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

# A red square of 8 x 8 pixels, so that the examples can be sent as they are.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mM8ISfHgA0wMeAAg1MCANDKARQfGKMRAAAAAElFTkSuQmCC"
Finite = Annotated[float, Field(allow_inf_nan=False)]
Box = Annotated[list[Finite], Field(min_length=4, max_length=4)]
Cell = Finite | bool | str | None
Picture = Annotated[str, Field(description="base64 of a PNG, JPEG, WebP, GIF or BMP file, or a data: URI of it")]


class Strict(BaseModel):
    """No field that is not named here."""

    model_config = ConfigDict(extra="forbid")


class Row(Strict):
    """One row of raw values. Which of them a bundle needs, `GET /bundles` says."""

    id: str = Field("1", max_length=200, description="Comes back with the answer.")
    text: str | None = Field(None, description="The question, statement or sentence.")
    image: Picture | None = None
    images: list[Picture] | None = Field(None, description="For a model that takes several pictures.")
    boxes: list[Box] | list[list[Box] | None] | None = Field(
        None,
        description="Regions as x1, y1, x2, y2 in pixels: of `image` one list, of `images` a list for each. "
        "Without them the bundle finds regions itself.",
    )
    table: dict[str, Cell] | None = Field(None, description="Column name -> cell.")
    graph: dict[str, Any] | list[dict[str, Any]] | None = Field(
        None, description='A scene graph as GQA writes it, or detections: [{"name": ..., "box": [x1, y1, x2, y2]}].'
    )
    dialogue: list[dict[str, Any]] | None = Field(
        None, description='Utterances: {"speaker": ..., "text": ..., "features": {modality: [numbers]}}.'
    )
    position: int | None = Field(None, ge=0, description="The utterance of the dialogue that is asked about.")


class PredictRequest(Row):
    """One row, or several in `rows`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"image": PICTURE, "text": "is there a red cube?", "top_k": 3}]},
    )

    bundle: str | None = Field(None, description="Which bundle is asked; the first when left out.")
    rows: list[Row] | None = Field(None, min_length=1)
    top_k: int = Field(5, ge=1, le=100, description="How many answers come back, best first.")

    @model_validator(mode="after")
    def _rows_or_one(self) -> PredictRequest:
        given = sorted(self.model_fields_set & set(Row.model_fields))
        if self.rows is not None and given:
            raise ValueError(f"give either `rows` or one row, not both: {', '.join(given)} came with `rows`")
        return self


class ExplainRequest(Row):
    """One row whose answer is to be explained."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"image": PICTURE, "text": "is there a red cube?"}]}
    )

    bundle: str | None = Field(None, description="Which bundle is asked; the first when left out.")
    top_k: int = Field(5, ge=1, le=100)
    methods: list[str] | None = Field(
        None, min_length=1, max_length=8, description="Attribution methods; those of `GET /bundles` when left out."
    )
    attention: bool = Field(False, description="Also every layer and head, not only their mean.")


class RegionsRequest(Strict):
    """Pictures whose regions are to be found."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"images": [PICTURE]}]})

    images: list[Picture] = Field(min_length=1)
    bundle: str | None = None


class Alternative(BaseModel):
    """One of the answers that the model weighed."""

    answer: Any
    probability: float | None


class Answer(BaseModel):
    """The answer to one row."""

    id: str
    bundle: str
    answer: Any
    probability: float | None = Field(description="1 when the answer is a number")
    alternatives: list[Alternative]
    heads: dict[str, Any] = Field(default_factory=dict, description="What further heads said.")


class Failure(BaseModel):
    """A row that could not be answered, and why."""

    id: str
    error: str


class Answers(BaseModel):
    """One entry for each of `rows`, in their order."""

    answers: list[Answer | Failure]


class View(BaseModel):
    """One picture's regions."""

    width: int
    height: int
    boxes: list[list[float]] = Field(description="x1, y1, x2, y2 divided by width and height")


class Regions(BaseModel):
    """The regions of each picture."""

    views: list[View]


class Error(BaseModel):
    """What every refusal looks like."""

    error: str
