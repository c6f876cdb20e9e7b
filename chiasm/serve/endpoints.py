"""The endpoints: what each request does, between its body and its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse, PlainTextResponse

from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.registry import UnknownName
from chiasm.serve.access import PAGE, Access
from chiasm.serve.batching import Batcher
from chiasm.serve.counters import Counters
from chiasm.serve.limits import Budget, Holding, Limits, Refused
from chiasm.serve.received import received
from chiasm.serve.schemas import Answer, Answers, Error, ExplainRequest, PredictRequest, Regions, RegionsRequest, Row
from chiasm.serve.served import Served, ServeError, named, reason_of
from chiasm.version import __version__

DECODERS = 2  # threads that decode pictures
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Service:
    """The bundles, the queue before them, and what is answered over HTTP. `close` it at the end."""

    def __init__(self, served: Sequence[Served], *, access: Access | None = None, limits: Limits | None = None) -> None:
        if not served:
            raise ServeError("there is no bundle to serve")
        self.served = list(served)
        self.access, self.limits = access or Access(), limits or Limits()
        self.counters = Counters()
        self.counters.describe("chiasm_rows_total", "rows by bundle and what became of them")
        self.batcher = Batcher(self.limits, self.counters)
        self.pixels = Budget(self.limits.held_pixels, "pixels")
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="chiasm-decoder")
        self._page = page_files()

    def close(self) -> None:
        """Finish what was taken, and take no more."""
        self.batcher.close()
        self._decoders.shutdown()

    async def predict(self, request: PredictRequest) -> Response:
        """The answer to one row, or to each of `rows` with an error in the place of a row that cannot be answered."""
        served = self._named(request.bundle)
        rows: Sequence[Row] = request.rows if request.rows is not None else [request]
        if len(rows) > self.limits.rows:
            raise Refused(413, f"{len(rows)} rows; {self.limits.rows} are allowed in one request")
        with Holding(self.pixels) as holding:
            async with self._in_time():
                examples = await self._received(rows, holding)
                good = [(row, request.top_k) for row in examples if isinstance(row, Example)]
                run, group = served.answer, (id(served), "answer")
                answers = iter(await self.batcher.answer(run, good, group=group) if good else [])
        found = [
            served.answer_json(next(answers)) if isinstance(row, Example) else {"id": row.row_id, "error": row.reason}
            for row in examples
        ]
        for one in found:
            self.counters.add("chiasm_rows_total", bundle=served.name, result="bad" if "error" in one else "answered")
        if request.rows is not None:
            return JSONResponse({"answers": found})
        if "error" in found[0]:
            raise Refused(422, found[0]["error"])
        return JSONResponse(found[0])

    async def explain(self, request: ExplainRequest) -> Response:
        """The answer to one row with its evidence: relevance of words and regions, faithfulness, attention."""
        served = self._named(request.bundle)

        def run(rows: Sequence[Example]) -> list[bytes]:
            found = served.explain(rows[0], methods=request.methods, top_k=request.top_k, attention=request.attention)
            return [json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()]

        return Response(await self._alone(request, run), media_type="application/json")

    async def regions(self, request: RegionsRequest) -> Response:
        """The regions that the bundle finds in pictures, before anything is asked about them."""
        served = self._named(request.bundle)

        def run(rows: Sequence[Example]) -> list[bytes]:
            return [json.dumps({"views": served.find_regions(rows[0])}).encode()]

        row = Row.model_validate({"images": request.images})
        return Response(await self._alone(row, run), media_type="application/json")

    async def bundles(self) -> Response:
        """The bundles: what each needs, and what evidence it gives."""
        return JSONResponse({"bundles": [one.describe() for one in self.served]})

    async def examples(self, bundle: str | None = None) -> Response:
        """Rows to try with a bundle, as `/predict` takes them, with the right answer in "expected"."""
        return JSONResponse({"examples": list(self._named(bundle).examples)})

    async def health(self) -> Response:
        """Whether the service answers."""
        return JSONResponse({"status": "ok", "version": __version__, "waiting": self.batcher.waiting})

    async def metrics(self) -> Response:
        """Counts for Prometheus."""
        return PlainTextResponse(self.counters.to_text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def index(self) -> Response:
        """The page."""
        return await self.page("index.html")

    async def page(self, name: str) -> Response:
        """A file of the page."""
        if name not in self._page:
            raise Refused(404, f"the page has no file {name!r}")
        content, kind = self._page[name]
        return Response(content, media_type=f"{kind}; charset=utf-8")

    def _named(self, bundle: str | None) -> Served:
        try:
            return named(self.served, bundle)
        except ServeError as error:
            raise Refused(404, str(error)) from error

    async def _alone(self, row: Row, run: Callable[[Sequence[Example]], list[bytes]]) -> bytes:
        """What `run` makes of one row. Raises `Refused` (422) saying what is wrong with the row."""
        with Holding(self.pixels) as holding:
            async with self._in_time():
                (example,) = await self._received([row], holding)
                if isinstance(example, RowError):
                    raise Refused(422, example.reason)
                try:
                    (found,) = await self.batcher.answer(run, [example])
                except (BadRows, DataError, UnknownName) as error:
                    raise Refused(422, reason_of(error)) from error
        content: bytes = found
        return content

    async def _received(self, rows: Sequence[Row], holding: Holding) -> list[Example | RowError]:
        """The rows decoded, in threads when they hold pictures."""

        def decode() -> list[Example | RowError]:
            return [received(row, self.limits, holding.take) for row in rows]

        if all(row.image is None and not row.images for row in rows):
            return decode()
        return await asyncio.get_running_loop().run_in_executor(self._decoders, decode)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Raises `Refused` (504) when the block takes too long; what waits in the queue is taken out of it."""
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                yield
        except TimeoutError:
            reason = f"there was no answer within {self.limits.answer_seconds:g} s"
            raise Refused(504, reason, retry_after=self.batcher.retry_after()) from None


def routes(service: Service) -> list[tuple[str, str, Callable[..., Any], Mapping[str, Any]]]:
    """Method, path, endpoint, and what OpenAPI says of it."""
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Error} for status in (401, 404, 408, 413, 422, 503, 504)
    }
    asked: dict[str, Any] = {"responses": refusals}
    return [
        ("POST", "/predict", service.predict, {**asked, "response_model": Answer | Answers}),
        ("POST", "/explain", service.explain, asked),
        ("POST", "/regions", service.regions, {**asked, "response_model": Regions}),
        ("GET", "/bundles", service.bundles, {}),
        ("GET", "/examples", service.examples, {}),
        ("GET", "/health", service.health, {}),
        ("GET", "/metrics", service.metrics, {"response_class": PlainTextResponse}),
        ("GET", "/", service.index, {"include_in_schema": False}),
        ("GET", PAGE + "{name}", service.page, {"include_in_schema": False}),
    ]


def page_files() -> dict[str, tuple[bytes, str]]:
    """The page's files by name: content and type. They are read once; no request opens a file."""
    folder = resources.files("chiasm.serve").joinpath("page")
    return {
        file.name: (file.read_bytes(), TYPES["." + file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if "." + file.name.rpartition(".")[2] in TYPES
    }
