"""Answer over HTTP, with a page to ask on: one trained model, or several side by side."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chiasm.serve.served import Served

MISSING = "the service needs packages that are not installed; run: pip install 'chiasm[serve]'"


Bundles = Annotated[
    list[str], typer.Argument(metavar="BUNDLE...", help="Bundle folders, or NAME=FOLDER; the first is asked first.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")]
Host = Annotated[str, typer.Option(help="The address to listen on; another than this machine's needs a token.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A file with the token that clients must send; or CHIASM_TOKEN is set."),
]
Examples = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Rows to try on the page; else a few are generated for a generated world."),
]
Device = Annotated[str, typer.Option(help="Where models compute: cpu, cuda, ...")]
AtOnce = Annotated[int, typer.Option(min=1, help="Rows that are answered at once.")]
Queue = Annotated[int, typer.Option(min=1, help="Requests that may wait; further ones get 503.")]
Seconds = Annotated[float, typer.Option(min=0.1, help="In which a request is answered, or gets 504.")]
Megabytes = Annotated[int, typer.Option(min=1, help="Of one request; larger ones get 413.")]
Megapixels = Annotated[float, typer.Option(min=0.001, help="Of one picture.")]
Grace = Annotated[float, typer.Option(min=0, help="Seconds to finish what was taken, at the end.")]


def command(
    bundles: Bundles,
    port: Port = 8000,
    host: Host = "127.0.0.1",
    token_file: TokenFile = None,
    examples: Examples = None,
    device: Device = "cpu",
    batch: AtOnce = 32,
    queue: Queue = 256,
    seconds: Seconds = 60.0,
    max_megabytes: Megabytes = 16,
    max_megapixels: Megapixels = 40.0,
    grace: Grace = 30.0,
) -> None:
    """Answer over HTTP, and show a page to ask and look at: one trained model, or several side by side.

    The page is at the address that is printed. Requests: POST /predict, /explain, /regions; GET /bundles, /examples,
    /health, /metrics, /openapi.json. SIGTERM or Ctrl-C ends it when what was taken is answered.

    \b
    Examples:
      chiasm serve runs/demo/bundle
      chiasm serve small=runs/a/bundle large=runs/b/bundle --port 8080
      chiasm serve runs/fit/bundle --examples rows.csv
      chiasm serve runs/demo/bundle --host 0.0.0.0 --token-file token.txt
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise RuntimeError(MISSING) from error
    from chiasm.serve.access import Access
    from chiasm.serve.endpoints import Service
    from chiasm.serve.limits import MEGABYTE, Limits
    from chiasm.serve.served import serve_all
    from chiasm.serve.server import run

    access = Access(host, _token(token_file))
    limits = Limits(
        batch=batch,
        queue=queue,
        answer_seconds=seconds,
        body_bytes=max_megabytes * MEGABYTE,
        pixels=round(max_megapixels * 1e6),
    )
    served = _with_examples(serve_all(bundles, device=device), examples)

    def ready(address: str) -> None:
        for one in served:
            print(f"{one.name}: {one.predictor.bundle.recipe.title}; {len(one.examples)} examples")
        print(f"serving at {address}  (Ctrl-C ends it)", flush=True)

    run(Service(served, access=access, limits=limits), port=port, grace=grace, ready=ready)
    print("everything that was taken is answered; ended")


def _token(file: Path | None) -> str:
    """The token in the file, else that of the environment, else "". Raises OSError, BadParameter."""
    if file is None:
        return os.environ.get("CHIASM_TOKEN", "").strip()
    token = file.read_text(encoding="utf-8").strip()
    if not token:
        raise typer.BadParameter(f"{file} is empty; it should hold the token")
    return token


def _with_examples(served: Sequence[Served], rows: Path | None) -> list[Served]:
    """The bundles with rows to try: of the file for the first one and all that need the same, else generated."""
    from dataclasses import replace

    from chiasm.serve.examples import examples_of_file, examples_of_world

    found = []
    for one in served:
        bundle = one.predictor.bundle
        tried = examples_of_world(bundle) if rows is None else examples_of_file(rows, bundle)
        found.append(replace(one, examples=tuple(tried)))
    return found
