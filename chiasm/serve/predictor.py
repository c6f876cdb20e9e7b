"""A trained model in Python: raw inputs in, answers out.

>>> import chiasm
>>> model = chiasm.load("runs/demo/bundle")
>>> model.predict(image="scene.png", text="is there a red cube?").answer
'yes'
>>> for answer in model.predict("questions.csv", on_error="skip"): ...
"""

from __future__ import annotations

import difflib
import warnings
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
from chiasm.serve.hub import fetched, is_hub_name, push_to_hub
from chiasm.serve.incoming import OnError, example_of, incoming, is_table
from chiasm.serve.memory import rows_at_once, with_fewer
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
        self._rows_at_once: int | None = None  # as memory allows, once it was measured
        self._has_told = False  # what the model does not know, of the first rows with something of it

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Self:
        """The model in the bundle `folder`. Raises `BundleError` when a file is missing or altered."""
        return cls(Bundle.load(folder, device=device))

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | None = None,
        endpoint: str | None = None,
        device: str = "cpu",
    ) -> Self:
        """The model of a bundle folder, or of a name on a Hub ("owner/name"). Raises `BundleError`, `HubError`."""
        folder = fetched(str(name), revision=revision, token=token, endpoint=endpoint) if is_hub_name(name) else name
        return cls.load(folder, device=device)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the bundle to a folder."""
        return self.bundle.save(folder)

    def push_to_hub(self, name: str, **options: Any) -> str:
        """Publish the bundle with a model card; `options` are those of `chiasm.serve.hub.push_to_hub`."""
        return push_to_hub(self.bundle, name, **options)

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
        batch_size: int | None = None,
    ) -> Iterator[Prediction | PredictionError]: ...

    def predict(
        self,
        rows: Any = None,
        *,
        columns: Mapping[str, str] | None = None,
        top_k: int = 5,
        on_error: OnError = "stop",
        batch_size: int | None = None,
        **roles: Any,
    ) -> Prediction | Iterator[Prediction | PredictionError]:
        """The answer to one example, or to each of `rows`, in their order.

        One example: `image` (a path, "archive.zip::member", bytes, a Pillow image or an array), or `images` when the
        model takes several, `text`, and `boxes` in pixels (of `images`: one list each); without boxes the model's
        extractor finds regions itself. `graph` for a model of scene graphs. Raises `RowError`.

        Rows: an iterable of mappings with those keys, and "id", or of `Example`s, read as they are needed; or a file,
        a DataFrame, a Hugging Face data set, whose `columns` are what they were in training, or guessed where neither
        that nor the caller says it. A row that cannot be answered ends the answers with a `RowError` ("stop"), or its
        place is taken by a `PredictionError` ("skip"). `batch_size` rows are answered at once; without it, as many as
        memory allows.
        """
        if rows is not None:
            if roles:
                raise TypeError(f"give rows or one example, not both: {', '.join(roles)} came with rows")
            return self._stream(self._entries(rows, columns, on_error), top_k, on_error, batch_size)
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

    def explain_rows(
        self,
        rows: Any,
        *,
        columns: Mapping[str, str] | None = None,
        on_error: OnError = "stop",
        methods: Sequence[str] = METHODS,
        top_k: int = 5,
    ) -> Iterator[Explanation | PredictionError]:
        """The answer to each of `rows`, given as to `predict`, with its evidence; one row at a time, in their order."""
        for row in self._entries(rows, columns, on_error):
            try:
                if isinstance(row, RowError):
                    raise row
                self._check(row)
                with kernels.using(self._kernel()):
                    yield explain_example(self.bundle, row, methods=methods, top_k=top_k)
            except RowError as error:
                if on_error == "stop":
                    raise
                yield PredictionError(error.row_id or error.origin, error.reason)

    def use_store(self, folder: str | Path) -> None:
        """Look regions up in a feature store from now on, instead of finding them in the images.

        Raises `DataError` when another extractor made it, or when the model reads no regions.
        """
        self.bundle.use_store(folder)

    def _entries(self, rows: Any, columns: Mapping[str, str] | None, on_error: OnError) -> Iterator[Example | RowError]:
        if on_error not in ("stop", "skip"):
            raise ValueError(f'on_error is {on_error!r}; "stop" or "skip" is expected')
        return incoming(rows, columns or self._columns(rows), on_error=on_error, need=self._columns_needed())

    def _columns(self, rows: Any) -> Mapping[str, str] | None:
        """What the columns of a file or table were in training, if that is known."""
        return trained_columns(self.bundle.recipe, read_raw(rows).columns) if is_table(rows) else None

    def _columns_needed(self) -> list[str]:
        """What a table must have columns for."""
        names = {"images": "image", "text": "text", "graph": "graph"}
        return [names[p.role] for p in self.bundle.preprocessors.values() if p.role in names]

    def _stream(
        self, rows: Iterator[Example | RowError], top_k: int, on_error: OnError, batch_size: int | None
    ) -> Iterator[Prediction | PredictionError]:
        while chunk := list(islice(rows, CHUNK)):
            yield from self._answers(chunk, top_k, on_error, batch_size)

    def _answers(
        self, chunk: Sequence[Example | RowError], top_k: int, on_error: OnError, batch_size: int | None
    ) -> Iterator[Prediction | PredictionError]:
        """The chunk's answers and errors in order. With "stop" the first bad row is raised after the rows before it."""
        bad = {i: row for i, row in enumerate(chunk) if isinstance(row, RowError)}
        good = {i: row for i, row in enumerate(chunk) if isinstance(row, Example)}
        dataset, places = self._encoded(good, bad)
        if dataset and not self._has_told:
            self._tell(dataset.notes())
        with kernels.using(self._kernel()):
            found = self._predicted(dataset, top_k, batch_size) if dataset else []
        answers = dict(zip(places, found, strict=True))
        for i, row in enumerate(chunk):
            if i in answers:
                assert isinstance(row, Example)
                yield replace(answers[i], id=row.id)
            elif on_error == "stop":
                raise bad[i]
            else:
                yield PredictionError(bad[i].row_id or bad[i].origin, bad[i].reason)

    def _tell(self, notes: Sequence[str]) -> None:
        for note in notes:
            warnings.warn(note, stacklevel=2)
            self._has_told = True

    def _predicted(self, dataset: EncodedDataset, top_k: int, batch_size: int | None) -> list[Prediction]:
        """The answers, as many rows at once as asked for, or as memory allows."""
        model, task = self.bundle.model, self.bundle.task
        if batch_size is None and len(dataset) > 1:
            if self._rows_at_once is None:
                self._rows_at_once = rows_at_once(model, dataset[_longest(dataset)])
            batch_size = self._rows_at_once

        def answered(rows: int) -> list[Prediction]:
            return predict(model, task, dataset, batch_size=rows, top_k=top_k)

        found, fitting = with_fewer(answered, batch_size or 1)
        if self._rows_at_once is not None and batch_size == self._rows_at_once:
            self._rows_at_once = fitting
        return found

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


def _longest(dataset: EncodedDataset) -> int:
    """The position of the row that needs most memory."""
    lengths = dataset.lengths()
    return 0 if lengths is None else int(lengths.argmax())


def _lacks(role: str, row: Example) -> str:
    """What is missing, and what the row has instead."""
    wanted = "image" if role == "images" else role
    if not row.values:
        return f"the row has no {wanted!r}: this model needs it"
    close = difflib.get_close_matches(wanted, row.values, n=1)
    hint = f" (did you mean {close[0]!r} to be it?)" if close else ""
    return f"the row has no {wanted!r}; it has {', '.join(map(repr, row.values))}{hint}"
