"""Rows that tests write in every kind of file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd

ROWS = [
    {"question": "what is in the middle of the picture", "img": "a.png", "label": "cat"},
    {"question": "how many red cubes are there", "img": "b.png", "label": "2"},
    {"question": "is there a dog, or a cat?", "img": "a.png", "label": "yes"},
]
ROLES = {"question": "text", "img": "image", "label": "answer"}
BAD = [
    {"id": "1", "question": "is this a good row", "img": "a.png", "label": "yes"},
    {"id": "2", "question": "where is the picture", "img": "gone.png", "label": "no"},
    {"id": "3", "question": "   ", "img": "a.png", "label": "no"},
    {"id": "4", "question": None, "img": "a.png", "label": "no"},
    {"id": "5", "question": "is an unknown answer fine", "img": "b.png", "label": None},
    {"id": "1", "question": "is the same id fine", "img": "b.png", "label": "no"},
    {"id": "7", "question": "is the picture on the web", "img": "https://x.org/a.png", "label": "no"},
]


def write(folder: Path, ending: str, rows: list[dict[str, Any]] = ROWS) -> Path:
    file = folder / f"rows.{ending}"
    frame = pd.DataFrame(rows)
    if ending == "parquet":
        frame.to_parquet(file)
    elif ending == "json":
        file.write_text(json.dumps(rows))
    elif "jsonl" in ending:
        text = "\n".join(map(json.dumps, rows))
        file.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    else:
        frame.to_csv(file, index=False, sep="\t" if ending == "tsv" else ",", encoding="utf-8-sig")
    return file
