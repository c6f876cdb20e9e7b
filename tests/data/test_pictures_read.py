"""Scene graphs of detected regions, and words in pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from chiasm.data.example import DataError
from chiasm.data.extractors import ExtractorIdentity
from chiasm.data.features import FeatureStore
from chiasm.data.graphs import read_graph
from chiasm.data.ocr import read_words, write_words
from chiasm.data.store_graphs import write_graphs
from chiasm.data.store_writer import StoreWriter

from ..conftest import SharedData
from .test_importers import write_store


def test_detections_become_scene_graphs_in_gqas_form(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store", ExtractorIdentity("d", "1", "-", 1)) as writer:
        boxes = [[0.0, 0.4, 0.2, 0.6], [0.6, 0.4, 0.8, 0.6], [0, 0, 1, 1]]
        writer.append("p", np.zeros((3, 1)), boxes, labels=[1, 0, 1], confidences=[0.9, 0.8, 0.1])
        writer.about["label_names"] = ["cat", "dog"]
    store = FeatureStore(tmp_path / "store")
    images = {"p": Image.new("RGB", (100, 50))}
    assert write_graphs(store, images, tmp_path / "graphs.json") == 1
    graph = json.loads((tmp_path / "graphs.json").read_text())["p"]
    assert (graph["width"], graph["height"]) == (100, 50)
    assert [thing["name"] for thing in graph["objects"].values()] == ["dog", "cat"]
    assert graph["objects"]["0"]["relations"] == [{"object": "1", "name": "to the left of"}]
    assert {key: graph["objects"]["1"][key] for key in "xywh"} == {"x": 60, "y": 20, "w": 20, "h": 10}
    read_graph(graph)
    with pytest.raises(DataError, match="is not among the 0 images"):
        write_graphs(store, {}, tmp_path / "other.json")


def test_a_store_without_names_of_classes_makes_no_graphs(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    with pytest.raises(DataError, match="does not say what its regions are"):
        write_graphs(store, {name: Image.new("RGB", (9, 9)) for name in "abc"}, tmp_path / "graphs.json")


def test_words_in_a_picture_are_read_with_their_boxes(tmp_path: Path) -> None:
    pytest.importorskip("pytesseract", reason="pip install 'chiasm[ocr]'")
    if shutil.which("tesseract") is None:
        pytest.skip("the program tesseract is not installed")
    image = Image.new("RGB", (400, 120), "white")
    ImageDraw.Draw(image).text((200, 30), "COFFEE", fill="black", font=ImageFont.load_default(48))
    (word,) = read_words(image)
    assert word.text == "COFFEE"
    assert word.confidence > 0.5
    assert word.box == pytest.approx((0.5, 0.3, 0.97, 0.65), abs=0.12)
    image.save(tmp_path / "shop.png")
    (tmp_path / "bad.png").write_text("")
    places = {"shop": str(tmp_path / "shop.png"), "bad": str(tmp_path / "bad.png")}
    count, bad = write_words(places, tmp_path / "words.jsonl")
    assert (count, list(bad)) == (1, ["bad"])
    (line,) = (tmp_path / "words.jsonl").read_text().splitlines()
    assert json.loads(line)["words"][0]["text"] == "COFFEE"
    with pytest.raises(DataError, match="tesseract: "):
        read_words(image, language="nothing")


def test_left_and_right_of_detections_agree_with_gqas_own_graphs(shared_data: SharedData) -> None:
    from chiasm.data.store_graphs import scene_graph

    graphs = json.loads((shared_data / "gqa_sample" / "debug_sceneGraphs.json").read_text())
    sides = ("to the left of", "to the right of")
    agree, total = 0, 0
    for graph in graphs.values():
        things = list(graph["objects"].values())
        places = {name: str(number) for number, name in enumerate(graph["objects"])}
        boxes = [[t["x"], t["y"], t["x"] + t["w"], t["y"] + t["h"]] for t in things]
        ours = scene_graph(boxes, [t["name"] for t in things], graph["width"], graph["height"])
        for number, thing in enumerate(things):
            said = {(r["object"], r["name"]) for r in ours["objects"][str(number)]["relations"]}
            for relation in thing["relations"]:
                if relation["name"] in sides and any((places[relation["object"]], side) in said for side in sides):
                    total += 1
                    agree += (places[relation["object"]], relation["name"]) in said
    assert total >= 100
    assert agree == total
