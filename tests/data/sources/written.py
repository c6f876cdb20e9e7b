"""What tests of sources share: writing a file, and looking whether pictures open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chiasm.data.example import Example
from chiasm.data.images import open_image


def dump(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def images_open(examples: list[Example]) -> bool:
    return all(open_image(image).mode == "RGB" for e in examples[:20] for image in e.values["images"])
