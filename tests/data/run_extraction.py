"""Extracts a folder of images, for tests that kill it: FOLDER STORE WORKERS PART_SIZE."""

from __future__ import annotations

import sys
from pathlib import Path

from chiasm.data.extraction import extract
from chiasm.data.image_files import find_images

if __name__ == "__main__":
    folder, store, workers, part_size = sys.argv[1:]
    images, _ = find_images(Path(folder))
    extract(images, store, "grid", {"rows": 2, "columns": 2}, workers=int(workers), part_size=int(part_size))
