"""Extractors of published weights: beside `transformers` itself, alone and together, saved and loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from chiasm.data.example import DataError
from chiasm.data.extractors import Extractor, chosen_extractor, make_extractor
from chiasm.data.extractors._preparation import Preparation
from chiasm.data.extractors.detector import class_scores, corners, roi_mean

from . import published

PUBLISHED = {**published.DETECTORS, "vit": published.vit, "resnet": published.residual}


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


class Folders:
    """The small models by name, each made when it is first asked for."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __getitem__(self, name: str) -> Path:
        folder = self.place / name
        return folder if folder.exists() else PUBLISHED[name](folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return Folders(tmp_path_factory.mktemp("published"))


def detector(folder: Path, **options: Any) -> Any:
    return make_extractor("detector", {"model": str(folder), **options})


@pytest.mark.parametrize("name", list(published.DETECTORS))
def test_detections_are_those_of_transformers(folders: Folders, name: str) -> None:
    image = photo(120, 90)
    ours = detector(folders[name], regions=8)
    (found,) = ours.extract([(image, None)])
    pixels = torch.from_numpy(ours.preparation(image))[None]
    with torch.no_grad():
        output = ours.model(pixel_values=pixels)
    x, y, width, height = output.pred_boxes[0].unbind(-1)
    theirs = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1).clamp(0, 1)
    scores, labels = (
        output.logits.softmax(-1)[0, :, :-1] if output.logits.shape[-1] == 6 else output.logits.sigmoid()[0]
    ).max(-1)
    order = scores.argsort(descending=True, stable=True)
    assert found.confidences is not None
    assert found.labels is not None
    np.testing.assert_allclose(found.confidences, scores[order], atol=1e-6)
    assert found.labels.tolist() == labels[order].tolist()
    np.testing.assert_allclose(found.boxes, theirs[order], atol=1e-6)
    np.testing.assert_allclose(found.features, output.last_hidden_state[0, -8:][order], atol=1e-5)
    assert found.features.shape == (8, ours.feature_size)
    assert len(np.unique(found.features.round(4), axis=0)) > 1


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_an_image_gives_the_same_alone_and_among_others(folders: Folders, name: str) -> None:
    kind, options = chosen_extractor(str(folders[name]), {})
    assert kind == ("detector" if name in published.DETECTORS else "backbone")
    ours = make_extractor(kind, options)
    images = [(photo(*size, seed=i), None) for i, size in enumerate([(120, 90), (90, 120), (120, 90), (64, 64)])]
    together = ours.extract(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = ours.extract([image])
        np.testing.assert_allclose(found.features, alone.features, atol=1e-5)
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=1e-6)


def test_a_threshold_keeps_sure_detections_and_never_none(folders: Folders) -> None:
    (every,) = detector(folders["detr"], regions=8).extract([(photo(80, 80), None)])
    middle = float(every.confidences[4])
    (sure,) = detector(folders["detr"], regions=8, threshold=middle).extract([(photo(80, 80), None)])
    assert 1 <= len(sure.features) < 8
    assert (sure.confidences >= middle).all()
    (one,) = detector(folders["detr"], threshold=0.999).extract([(photo(80, 80), None)])
    np.testing.assert_array_equal(one.features, every.features[:1])


def test_regions_pooled_from_the_map_change_with_their_box(folders: Folders) -> None:
    ours = detector(folders["detr"], pool="roi", regions=3)
    image = photo(96, 64)
    features, boxes = ours(image, [[0, 0, 48, 32], [48, 32, 96, 64], [0, 0, 96, 64]])
    assert features.shape == (3, 24)  # the channels of the backbone's last stage
    assert boxes[1].tolist() == [0.5, 0.5, 1, 1]
    assert not np.allclose(features[0], features[1])
    assert detector(folders["rt_detr"], pool="roi").extract([(image, None)])[0].features.shape == (8, 24)
    with pytest.raises(DataError, match="no backbone that makes maps"):
        detector(folders["yolos"], pool="roi")


def test_the_mean_inside_a_box_of_a_plain_slope_is_its_value_at_the_centre() -> None:
    slope = (torch.arange(16) + 0.5).expand(1, 8, 16) / 16  # the value at x is x, in the middle of the map
    boxes = torch.tensor([[0.25, 0.25, 0.75, 0.75], [0.5, 0.1, 0.6, 0.9]])
    torch.testing.assert_close(roi_mean(slope, boxes)[:, 0], torch.tensor([0.5, 0.55]), atol=1e-6, rtol=0)


def test_scores_are_softmax_with_a_class_for_nothing_and_sigmoid_without() -> None:
    logits = torch.tensor([[[0.0, 0.0, 0.0]]])
    torch.testing.assert_close(class_scores(logits, 2), torch.full((1, 1, 2), 1 / 3))
    torch.testing.assert_close(class_scores(logits, 3), torch.full((1, 1, 3), 0.5))
    assert corners(torch.tensor([0.1, 0.5, 0.4, 0.2])).tolist() == pytest.approx([0, 0.4, 0.3, 0.6])


@pytest.mark.parametrize(("name", "size"), [("vit", 16), ("resnet", 24)])
def test_patches_grid_and_the_whole_image(folders: Folders, name: str, size: int) -> None:
    image, model = photo(100, 80), str(folders[name])

    def features(**options: Any) -> np.ndarray[Any, Any]:
        (found,) = make_extractor("backbone", {"model": model, **options}).extract([(image, None)])
        assert found.boxes[-1, 2:].tolist() == [1, 1]
        return found.features

    patches = features()
    side = {"vit": 4, "resnet": 2}[name]
    assert patches.shape == (side * side, size)
    grid = features(part="grid", rows=1, columns=2)
    halves = patches.reshape(side, 2, side // 2, size).mean(axis=(0, 2))
    np.testing.assert_allclose(grid, halves, atol=1e-5)
    whole = features(part="whole")
    assert whole.shape == (1, size)
    assert np.allclose(whole[0], patches.mean(0), atol=1e-5) == (name == "resnet")  # ViT has a class token


def test_the_identity_tells_weights_and_options_not_places(folders: Folders, tmp_path: Path) -> None:
    ours = detector(folders["detr"], regions=4)
    assert ours.identity.name == "detector detr"
    options = ours.save(tmp_path / "copy")
    assert str(tmp_path) not in json.dumps(options)
    moved = make_extractor("detector", {**options, "model": str(tmp_path / "copy"), "batch_size": 1})
    assert moved.identity == ours.identity
    assert detector(folders["detr"], regions=5).identity != ours.identity
    with torch.no_grad():
        next(iter(moved.model.parameters())).add_(1e-3)
    moved.model.save_pretrained(tmp_path / "copy")
    assert make_extractor("detector", {**options, "model": str(tmp_path / "copy")}).identity != ours.identity


def test_a_saved_extractor_finds_the_same(folders: Folders, tmp_path: Path) -> None:
    ours: Extractor = detector(folders["deformable_detr"])
    again = make_extractor("detector", {**ours.save(tmp_path / "x"), "model": str(tmp_path / "x")})
    first, second = (one.extract([(photo(90, 70), None)])[0] for one in (ours, again))
    np.testing.assert_array_equal(first.features, second.features)


@pytest.mark.parametrize(
    ("size", "image", "expected"),
    [
        (published.SHORTEST, (120, 90), (85, 64)),
        (published.SHORTEST, (90, 120), (64, 85)),
        (published.SHORTEST, (400, 100), (96, 24)),
        ({"shortest_edge": 800, "longest_edge": 1333}, (640, 480), (1066, 800)),
        (published.SQUARE, (400, 100), (64, 64)),
        (224, (400, 100), (224, 224)),
    ],
)
def test_images_get_the_size_that_the_processor_says(size: Any, image: Any, expected: Any) -> None:
    assert Preparation.from_values({**published.PROCESSOR, "size": size}).size(*image) == expected


def test_pixels_are_those_of_transformers_own_processor() -> None:
    processors = pytest.importorskip("transformers.models.detr.image_processing_pil_detr")
    theirs = processors.DetrImageProcessorPil(size=published.SHORTEST, **published.COLOURS)
    image = photo(123, 77)
    expected = theirs(images=[image], return_tensors="np")["pixel_values"][0]
    ours = Preparation.from_values({**published.PROCESSOR, "size": published.SHORTEST})(image)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_older_processor_files_are_read_and_incomplete_ones_refused(tmp_path: Path) -> None:
    old = Preparation.from_values({"size": 800, "max_size": 1333, **published.COLOURS})
    assert (old.shortest, old.longest) == (800, 1333)
    cut = Preparation.from_values(
        {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224, **published.COLOURS}
    )
    assert (cut.width, cut.height) == (224, 224)
    with pytest.raises(DataError, match="says no image_mean"):
        Preparation.from_values({"size": 3})
    with pytest.raises(DataError, match="has no preprocessor_config"):
        Preparation.load(str(tmp_path))


def test_what_is_no_extractor_or_lacks_weights_is_refused(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'.*nothing' is no extractor \(backbone, detector, grid, pixels\)"):
        chosen_extractor(str(tmp_path / "nothing"), {})
    with pytest.raises(DataError, match=r"vit cannot be loaded: Unrecognized configuration class"):
        make_extractor("detector", {"model": str(folders["vit"])})
    lacking = shutil.copytree(folders["detr"], tmp_path / "lacking")
    weights = load_file(lacking / "model.safetensors")
    save_file({k: v for k, v in weights.items() if k != "class_labels_classifier.bias"}, lacking / "model.safetensors")
    with pytest.raises(DataError, match="lacks 1 weights of a DetrForObjectDetection, such as class_labels_classifier"):
        make_extractor("detector", {"model": str(lacking)})
    with pytest.raises(ValueError, match="model is missing"):
        make_extractor("backbone", {})
    with pytest.raises(ValueError, match="pool is 'max'"):
        detector(folders["detr"], pool="max")
