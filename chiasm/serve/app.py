"""The HTTP service as an ASGI application: the endpoints, errors as JSON, the guard around all (extra `serve`)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException

from chiasm.serve.endpoints import Service, routes
from chiasm.serve.guard import Guard
from chiasm.serve.limits import Refused
from chiasm.version import __version__

SHOWN = 3  # mistakes in a request that are named


def make_app(service: Service) -> Guard:
    """The application; when its server ends it, the service is closed after what it took is answered."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    # The usual pages of documentation load scripts from elsewhere; the description itself is at /openapi.json.
    app = FastAPI(title="Chiasm", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.router.route_class = _StrictRoute
    for method, path, endpoint, options in routes(service):
        app.add_api_route(path, endpoint, methods=[method], **options)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
    paths = frozenset(path for _, path, _, _ in routes(service))
    return Guard(app, service.access, service.limits, service.counters, paths)


class _StrictRequest(Request):
    """A request whose JSON holds no NaN and no infinity, which are not JSON."""

    async def json(self) -> Any:
        try:
            return json.loads(await self.body(), parse_constant=_not_json)
        except RecursionError:
            raise HTTPException(400, "the request is nested too deeply") from None
        except ValueError as error:
            raise HTTPException(400, f"the request is no JSON: {error}") from None


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await answer(_StrictRequest(request.scope, request.receive))

        return strictly


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return JSONResponse({"error": error.reason}, error.status, headers)


async def _invalid(_: Request, error: Exception) -> Response:
    """What is wrong with the fields, without what was sent: that may be long, and pictures say nothing to a reader."""
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return JSONResponse({"error": "; ".join(found[:SHOWN]) + more}, 422)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, dict(error.headers or {}))


async def _unexpected(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": "something went wrong; the service's log says what"}, 500)
