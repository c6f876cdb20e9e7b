"""A model card: what a bundle is, what it was trained on, how good it is, and what it must not be taken for.

Everything in it comes from the bundle itself; what nobody said (a licence, further limits) is said to be unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chiasm.metrics.estimate import Estimate
from chiasm.models import model as model_file
from chiasm.report.tables import Table, metrics_table
from chiasm.training.bundle import Bundle

UNKNOWN = "unknown"
SHOWN = 40  # metrics of a split in the table; all are in metrics.json


def model_card(bundle: Bundle, name: str, *, licence: str = UNKNOWN, limits: Sequence[str] = ()) -> str:
    """The README.md of a bundle that is called `name`: Markdown with the metadata that a Hub reads.

    `licence` is an SPDX name in lower case, e.g. "apache-2.0"; `limits` are further sentences about what the model
    should not be used for.
    """
    parts = [
        _metadata(bundle, licence),
        f"# {bundle.recipe.title}\n\n{_purpose(bundle)}",
        _usage(bundle, name),
        "## How good it is\n\n" + "\n\n".join(_measured(bundle)),
        "## What it was trained on\n\n" + _data(bundle),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in [*_limits(bundle, licence), *limits]),
        f"## The recipe\n\n```toml\n{bundle.recipe.to_toml().strip()}\n```",
        "## Made with\n\n" + _environment(bundle.environment),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(bundle: Bundle, licence: str) -> str:
    """The YAML before the text. JSON strings are YAML strings."""
    tags = ["multimodal", bundle.recipe.model, bundle.recipe.task]
    lines = [f"license: {json.dumps(licence)}", "library_name: chiasm", "tags:", *(f"- {json.dumps(t)}" for t in tags)]
    return "\n".join(["---", *lines, "---"])


def _purpose(bundle: Bundle) -> str:
    first = (model_file(bundle.recipe.model).__doc__ or "").strip().split("\n", 1)[0]
    size = sum(parameter.numel() for parameter in bundle.model.parameters())
    return (
        f"The model `{bundle.recipe.model}` ({first.rstrip('.')}; {size / 1e6:.1f} M parameters) for the task "
        f"`{bundle.recipe.task}`, trained by the recipe `{bundle.recipe.name}` of Chiasm."
    )


def _usage(bundle: Bundle, name: str) -> str:
    roles = {p.role for p in bundle.preprocessors.values()}
    given = ['image="photo.jpg"'] if "images" in roles and bundle.task.images == 1 else []
    given += ['images=["left.jpg", "right.jpg"]'] if "images" in roles and bundle.task.images > 1 else []
    given += ['text="..."'] if "text" in roles else []
    call = f"model.predict({', '.join(given)}).answer" if given else 'list(model.predict("rows.csv"))'
    return f'## How to use it\n\n```python\nimport chiasm\n\nmodel = chiasm.from_pretrained("{name}")\n{call}\n```'


def _measured(bundle: Bundle) -> Iterator[str]:
    """A table of the metrics of each held-out split."""
    found = bundle.metrics.get("metrics") or {}
    if not found:
        yield "Nothing was measured."
    for split, metrics in found.items():
        estimates = {name: Estimate.from_json(value) for name, value in metrics.items()}
        shown = dict(list(estimates.items())[:SHOWN])
        table: Table = metrics_table(shown, title=f"{split}, with 95 % intervals")
        more = f"\n\nand {len(estimates) - SHOWN} more in metrics.json" if len(estimates) > SHOWN else ""
        yield table.to_markdown() + more
    for name, note in (bundle.metrics.get("notes") or {}).items():
        yield f"{name}: {note}"


def _data(bundle: Bundle) -> str:
    data, metrics = bundle.recipe.data, bundle.metrics
    counts = ", ".join(f"{count:,} {split}" for split, count in (metrics.get("examples") or {}).items())
    world = metrics.get("generated_world")
    where = (
        f"A generated world of the kind `{world['kind']}`, seed {world.get('seed', 0)}"
        if world
        else f"The data set read by the source `{data.source}`, splits {', '.join(data.train)}"
    )
    skipped = len(metrics.get("skipped_rows") or ())
    left_out = f" {skipped} rows that could not be used were left out." if skipped else ""
    extractors = [str(p.identity) for p in bundle.preprocessors.values() if hasattr(p, "identity")]
    features = f" Regions are the features of {', '.join(extractors)}." if extractors else ""
    return f"{where}. Examples: {counts or 'not recorded'}.{left_out}{features}"


def _limits(bundle: Bundle, licence: str) -> Iterator[str]:
    if bundle.metrics.get("generated_world"):
        yield (
            "It was trained and measured on generated pictures. Its numbers are those of a test bed: they say nothing "
            "about photographs and must not stand beside a published number."
        )
    answers = getattr(bundle.task, "vocabulary", None)
    if answers is not None:
        yield f"It can give {len(answers)} answers, those of its training data, and no other."
    yield "It answers every question, also one that the input says nothing about; a probability is no guarantee."
    yield "It was measured only on data like that it was trained on. Measure it on your own before relying on it."
    if licence == UNKNOWN:
        yield "Nobody said under which licence it may be used. Ask who published it; mind the data's licence too."


def _environment(environment: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in (environment.get("packages") or {}).items())
    known = {key: value for key, value in environment.items() if key != "packages" and value is not None}
    return "; ".join([*(f"{key} {value}" for key, value in known.items()), packages or "packages not recorded"])
