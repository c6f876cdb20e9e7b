"""The contact sheet."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from chiasm.synth import WorldError
from chiasm.synth.sheet import sheet
from tests.synth.executor import Files


@pytest.mark.parametrize("name", ["scenes", "pairs"])
def test_a_sheet_is_a_picture_in_color(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    files: Files = request.getfixturevalue(name)
    with Image.open(sheet(files.folder, tmp_path / "deep" / "sheet.png", split="test", count=4)) as image:
        assert image.format == "PNG"
        assert min(image.size) > 500
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 20) or []) > 500


def test_a_folder_without_a_world_has_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="holds no generated world"):
        sheet(tmp_path, tmp_path / "sheet.png")


def test_an_unknown_split_is_refused(scenes: Files, tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no split 'dev'; it has train, val, test"):
        sheet(scenes.folder, tmp_path / "sheet.png", split="dev")
