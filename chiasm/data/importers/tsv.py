"""`tsv`: the region files of LXMERT and bottom-up attention, one file or a folder of them."""

from __future__ import annotations

from pathlib import Path

from chiasm.data.example import DataError
from chiasm.data.importers import Read, StoredImage
from chiasm.data.tsv import BOTTOM_UP, read_tsv

MADE_BY = BOTTOM_UP


def read(place: Path) -> Read:
    """The images of all lines. A damaged line ends the reading: nothing after it can be trusted."""
    files = sorted(place.glob("*.tsv")) if place.is_dir() else [place]
    if not files:
        raise DataError(f"{place} holds no .tsv file")
    columns = ("labels", "confidences", "attributes", "attribute_confidences")
    for file in files:
        for image in read_tsv(file):
            more = {name: getattr(image, name) for name in columns}
            yield StoredImage(image.id, image.features, image.boxes, more)
