"""What the tests of the service share: pictures as a client sends them, requests to an application in this process."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from PIL import Image

from chiasm.data.example import Example
from chiasm.serve.app import make_app
from chiasm.serve.endpoints import Service
from chiasm.serve.guard import Guard
from chiasm.tasks import Prediction
from chiasm.training.data import BadRowPolicy, read_splits
from chiasm.training.recipe import Recipe
from tests.serve.small import picture


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    """base64 of the image's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def row(number: int = 0, **more: Any) -> dict[str, Any]:
    """A row as a client sends it."""
    return {"image": encoded(picture(number)), "text": "What colour is it?", **more}


async def request(app: Guard, method: str, path: str, **options: Any) -> httpx.Response:
    """One request to the application, without a network."""
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, **options)


class Client:
    """Requests to a service in this process."""

    def __init__(self, service: Service) -> None:
        self.service, self.app = service, make_app(service)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(request(self.app, "GET", path, **options))

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["json"] = body
        return asyncio.run(request(self.app, "POST", path, **options))

    def post_all(self, path: str, bodies: Sequence[Any]) -> list[httpx.Response]:
        """All at once."""

        async def together() -> list[httpx.Response]:
            return await asyncio.gather(*(request(self.app, "POST", path, json=body) for body in bodies))

        return asyncio.run(together())


class Gate:
    """A bundle that answers only when it is let: `open` it. Every answer is the row's text."""

    name = "gate"
    examples = ()

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.passes: list[int] = []  # rows of each pass

    def answer(self, rows: Sequence[tuple[Example, int]]) -> list[Prediction]:
        self.begun.set()
        assert self.open.wait(20)
        self.passes.append(len(rows))
        return [Prediction(row.id, row.values["text"], 1.0) for row, _ in rows]

    def answer_json(self, answer: Prediction) -> dict[str, Any]:
        return {"id": answer.id, "answer": answer.answer}


def held_out(recipe: Recipe) -> list[Example]:
    """Examples of the recipe's generated world that it was not trained on."""
    splits = read_splits(recipe, None, BadRowPolicy("stop"), show=False)
    return list(splits.get("test") or splits["validation"])


@contextmanager
def closing(service: Service) -> Iterator[Client]:
    """A client of a service that is closed afterwards."""
    try:
        yield Client(service)
    finally:
        service.close()
