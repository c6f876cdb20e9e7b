"""Images prepared as a published model's processor says, kept so that the model is not needed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from chiasm.data import images
from chiasm.data.example import DataError, Example
from chiasm.data.images import Preprocess, processor_options

VIT = {
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.25, 0.5],
    "resample": 3,
    "size": {"height": 12, "width": 12},
}


def written(folder: Path, **said: Any) -> str:
    (folder / "preprocessor_config.json").write_text(json.dumps({**VIT, **said}))
    return str(folder)


@pytest.mark.parametrize(
    ("said", "size"),
    [({}, 12), ({"size": 10}, 10), ({"size": {"shortest_edge": 9}}, 9), ({"crop_size": {"height": 8, "width": 8}}, 8)],
)
def test_the_size_is_found_however_it_is_written(tmp_path: Path, said: dict[str, Any], size: int) -> None:
    found = processor_options(written(tmp_path, **said))
    assert found == {"size": size, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.5], "resample": "bicubic"}


def test_what_the_processor_says_is_kept_in_the_bundle(tmp_path: Path) -> None:
    source = tmp_path / "model"
    source.mkdir()
    ours = Preprocess(processor=written(source)).fit([])
    (source / "preprocessor_config.json").unlink()
    ours.save(tmp_path)
    again = Preprocess.load(tmp_path)
    assert again.options["processor"] == ""
    assert again.facts == {"image_size": 12}
    picture = Image.fromarray((np.arange(20 * 30 * 3) % 255).astype(np.uint8).reshape(20, 30, 3))
    pixels = again.encode([Example("a", {"images": (picture,)})]).gather(torch.tensor([0])).pixel_values
    resized = np.asarray(picture.resize((12, 12), Image.Resampling.BICUBIC), np.float32) / 255
    expected = (torch.tensor(resized) - torch.tensor(VIT["image_mean"])) / torch.tensor(VIT["image_std"])
    torch.testing.assert_close(pixels[0], expected.permute(2, 0, 1), atol=1e-5, rtol=1e-5)


def test_a_processor_that_scales_otherwise_or_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"scales pixels by 0.1"):
        processor_options(written(tmp_path, rescale_factor=0.1))
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(DataError, match="does not say size"):
        processor_options(str(tmp_path))


def test_many_images_are_kept_in_a_file_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Example(str(i), {"images": (Image.new("RGB", (8, 8), (i, 2 * i, 3 * i)),)}) for i in range(5)]
    memory = Preprocess(size=4).encode(rows).gather(torch.arange(5))
    monkeypatch.setattr(images, "IN_MEMORY", 10)
    column = Preprocess(size=4).encode(rows)
    assert torch.equal(column.gather(torch.arange(5)).pixel_values, memory.pixel_values)
