"""A trained model in Python: raw inputs in, answers out.

>>> import chiasm
>>> model = chiasm.load("runs/demo/bundle")
>>> model.predict(image="scene.png", text="is there a red cube?").answer
'yes'
>>> for answer in model.predict("questions.csv", on_error="skip"): ...
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Self, overload

from chiasm.data.columns import EncodedDataset
from chiasm.data.example import BadRows, Example, RowError
from chiasm.data.table_files import read_raw
from chiasm.explain.attribution import METHODS
from chiasm.explain.explanation import Explanation, explain_example
from chiasm.layers import kernels
from chiasm.serve.incoming import OnError, example_of, incoming, is_table
from chiasm.tasks import Prediction
from chiasm.training.bundle import Bundle
from chiasm.training.fit import trained_columns
from chiasm.training.predict import predict

CHUNK = 512  # rows that are encoded at a time, so that any number can be answered


@dataclass(frozen=True)
class PredictionError:
    """In place of an answer: which row could not be answered, and why."""

    id: str
    reason: str


class Predictor:
    """What a bundle can do with raw inputs. It holds no web server and writes no file."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Self:
        """The model in the bundle `folder`. Raises `BundleError` when a file is missing or altered."""
        return cls(Bundle.load(folder, device=device))

    @property
    def num_images(self) -> int:
        """How many images each example has; 0 when the model reads none."""
        reads = any(p.role == "images" for p in self.bundle.preprocessors.values())
        return self.bundle.task.images if reads else 0

    @overload
    def predict(
        self,
        *,
        image: Any = None,
        images: Sequence[Any] | None = None,
        text: str | None = None,
        boxes: Sequence[Any] | None = None,
        top_k: int = 5,
        **roles: Any,
    ) -> Prediction: ...

    @overload
    def predict(
        self,
        rows: Any,
        *,
        columns: Mapping[str, str] | None = None,
        top_k: int = 5,
        on_error: OnError = "stop",
        batch_size: int = 64,
    ) -> Iterator[Prediction | PredictionError]: ...

    def predict(
        self,
        rows: Any = None,
        *,
        columns: Mapping[str, str] | None = None,
        top_k: int = 5,
        on_error: OnError = "stop",
        batch_size: int = 64,
        **roles: Any,
    ) -> Prediction | Iterator[Prediction | PredictionError]:
        """The answer to one example, or to each of `rows`, in their order.

        One example: `image` (a path, "archive.zip::member", bytes, a Pillow image or an array), or `images` when the
        model takes several, `text`, and `boxes` in pixels (of `images`: one list each); without boxes the model's
        extractor finds regions itself. Raises `RowError`.

        Rows: an iterable of mappings with those keys, and "id", or of `Example`s, read as they are needed; or a file,
        a DataFrame, a Hugging Face data set, whose `columns` are what they were in training, or guessed where neither
        that nor the caller says it. A row that cannot be answered ends the answers with a `RowError` ("stop"), or its
        place is taken by a `PredictionError` ("skip").
        """
        if rows is not None:
            if roles:
                raise TypeError(f"give rows or one example, not both: {', '.join(roles)} came with rows")
            if on_error not in ("stop", "skip"):
                raise ValueError(f'on_error is {on_error!r}; "stop" or "skip" is expected')
            entries = incoming(rows, columns or self._columns(rows), on_error=on_error, need=self._columns_needed())
            return self._stream(entries, top_k, on_error, batch_size)
        (answer,) = self._answers([example_of(**roles)], top_k, "stop", batch_size)
        if isinstance(answer, PredictionError):
            raise RowError(answer.reason)
        return answer

    def explain(
        self, *, methods: Sequence[str] = METHODS, top_k: int = 5, random_orders: int = 10, seed: int = 0, **roles: Any
    ) -> Explanation:
        """The answer to one example, given as to `predict`, with its evidence and faithfulness scores.

        Raises `RowError`, and `UnknownName` for a method that does not exist.
        """
        example = example_of(**roles)
        self._check(example)
        with kernels.using(self._kernel()):
            return explain_example(
                self.bundle, example, methods=methods, top_k=top_k, random_orders=random_orders, seed=seed
            )

    def _columns(self, rows: Any) -> Mapping[str, str] | None:
        """What the columns of a file or table were in training, if that is known."""
        return trained_columns(self.bundle.recipe, read_raw(rows).columns) if is_table(rows) else None

    def _columns_needed(self) -> list[str]:
        """What a table must have columns for."""
        names = {"images": "image", "text": "text"}
        return [names[p.role] for p in self.bundle.preprocessors.values() if p.role in names]

    def _stream(
        self, rows: Iterator[Example | RowError], top_k: int, on_error: OnError, batch_size: int
    ) -> Iterator[Prediction | PredictionError]:
        while chunk := list(islice(rows, CHUNK)):
            yield from self._answers(chunk, top_k, on_error, batch_size)

    def _answers(
        self, chunk: Sequence[Example | RowError], top_k: int, on_error: OnError, batch_size: int
    ) -> Iterator[Prediction | PredictionError]:
        """The chunk's answers and errors in order. With "stop" the first bad row is raised after the rows before it."""
        bad = {i: row for i, row in enumerate(chunk) if isinstance(row, RowError)}
        good = {i: row for i, row in enumerate(chunk) if isinstance(row, Example)}
        dataset, places = self._encoded(good, bad)
        with kernels.using(self._kernel()):
            found = (
                predict(self.bundle.model, self.bundle.task, dataset, batch_size=batch_size, top_k=top_k)
                if dataset
                else []
            )
        answers = dict(zip(places, found, strict=True))
        for i, row in enumerate(chunk):
            if i in answers:
                assert isinstance(row, Example)
                yield replace(answers[i], id=row.id)
            elif on_error == "stop":
                raise bad[i]
            else:
                yield PredictionError(bad[i].row_id, bad[i].reason)

    def _encoded(
        self, good: Mapping[int, Example], bad: dict[int, RowError]
    ) -> tuple[EncodedDataset | None, list[int]]:
        """The usable rows encoded, and their places; the others go to `bad`. Rows may share an id."""
        left: dict[str, Example] = {}
        for place, row in good.items():
            try:
                self._check(row)
                left[str(place)] = replace(row, id=str(place))
            except RowError as error:
                bad[place] = error
        while left:
            try:
                return self.bundle.dataset(list(left.values())), [int(place) for place in left]
            except (RowError, BadRows) as error:
                found = error.exceptions if isinstance(error, BadRows) else (error,)
                for one in found:
                    assert isinstance(one, RowError)
                    if left.pop(one.row_id, None) is None:
                        raise
                    row = good[int(one.row_id)]
                    bad[int(one.row_id)] = RowError(one.reason, origin=row.origin, row_id=row.id)
        return None, []

    def _check(self, row: Example) -> None:
        """Raises `RowError` when the row lacks what the model reads, or has another number of images."""
        for preprocessor in self.bundle.preprocessors.values():
            if preprocessor.role not in row.values:
                raise RowError(_lacks(preprocessor.role, row), origin=row.origin, row_id=row.id)
        images = row.values.get("images")
        if self.num_images and images is not None and len(images) != self.num_images:
            reason = f"{len(images)} image(s), but this model takes {self.num_images} for each example"
            raise RowError(reason, origin=row.origin, row_id=row.id)

    def _kernel(self) -> kernels.Kernel:
        parameter = next(self.bundle.model.parameters())
        return kernels.choice() if parameter.device.type == "cpu" else kernels.current()


def _lacks(role: str, row: Example) -> str:
    """What is missing, and what the row has instead."""
    wanted = "image" if role == "images" else role
    if not row.values:
        return f"the row has no {wanted!r}: this model needs it"
    close = difflib.get_close_matches(wanted, row.values, n=1)
    hint = f" (did you mean {close[0]!r} to be it?)" if close else ""
    return f"the row has no {wanted!r}; it has {', '.join(map(repr, row.values))}{hint}"
