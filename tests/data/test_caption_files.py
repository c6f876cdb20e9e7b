"""Captions, judgements and word pairs read from files: what is there, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chiasm.data.caption_files import paired, read_references, read_results
from chiasm.data.example import DataError
from chiasm.data.judgements import read_captions, read_judgements
from chiasm.data.word_similarity import read_pairs

from ..conftest import SharedData


def test_references_are_read_from_coco_files(tmp_path: Path) -> None:
    entries = [{"image_id": 7, "id": 1, "caption": "A dog."}, {"image_id": 7, "id": 2, "caption": "It runs."}]
    file = tmp_path / "captions.json"
    file.write_text(json.dumps({"images": [], "annotations": entries}))
    assert read_references(file) == {"7": ["A dog.", "It runs."]}


def test_references_are_read_from_flickr8ks_file_and_from_a_plain_object(tmp_path: Path) -> None:
    tokens, plain = tmp_path / "x.token.txt", tmp_path / "x.json"
    tokens.write_text("a.jpg#0\tA dog .\na.jpg#1\tIt runs .\nb.jpg#0\tA cat .\n")
    plain.write_text(json.dumps({"a.jpg": ["A dog .", "It runs ."], "b.jpg": ["A cat ."]}))
    assert (
        read_references(tokens) == read_references(plain) == {"a.jpg": ["A dog .", "It runs ."], "b.jpg": ["A cat ."]}
    )


@pytest.mark.parametrize(
    "content", [[{"image_id": 1, "caption": "a"}, {"image_id": 2, "caption": "b"}], {"1": "a", "2": "b"}]
)
def test_results_are_read_as_cocos_list_or_as_an_object(tmp_path: Path, content: object) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(content))
    assert read_results(file) == {"1": "a", "2": "b"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.json", "{", "no valid JSON"),
        ("x.json", "3", "holds no captions"),
        ("x.json", '[{"image_id": 1}]', "entry 0.*expected image_id and caption"),
        ("x.json", '[{"image_id": 1, "caption": "a"}, {"image_id": 1, "caption": "b"}]', "image 1 has several"),
        ("x.json", '{"1": 2}', "caption of image 1 is 2"),
    ],
)
def test_damaged_results_are_refused_by_name(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read_results(tmp_path / name)


def test_damaged_references_are_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a.jpg#0\tA dog\nno tab\n")
    with pytest.raises(DataError, match="line 2"):
        read_references(tmp_path / "x.txt")
    (tmp_path / "x.json").write_text('{"a.jpg": "A dog"}')
    with pytest.raises(DataError, match="expected a list of captions"):
        read_references(tmp_path / "x.json")


def test_results_and_references_are_paired_by_image() -> None:
    assert paired({"b": "1", "a": "2"}, {"a": ["x"], "b": ["y", "z"]}) == (["2", "1"], [["x"], ["y", "z"]])
    with pytest.raises(DataError, match=r"1 of 2 images have no result, e\.g\. b"):
        paired({"a": "1"}, {"a": ["x"], "b": ["y"]})
    with pytest.raises(DataError, match="have no reference"):
        paired({"a": "1", "c": "2"}, {"a": ["x"]})


def write_judgements(folder: Path) -> None:
    lines = [f"{image}#{k}\tcaption {k} of {image}" for image in ("a.jpg", "b.jpg") for k in range(3)]
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    (folder / "ExpertAnnotations.txt").write_text("a.jpg\tb.jpg#1\t1\t2\t1\na.jpg\ta.jpg#0\t4\t4\t3\n")
    (folder / "CrowdFlowerAnnotations.txt").write_text("a.jpg\ta.jpg#2\t1\t3\t0\na.jpg\tb.jpg#0\t0.25\t1\t3\n")


def test_experts_judgements_keep_all_references(tmp_path: Path) -> None:
    write_judgements(tmp_path)
    other, own = read_judgements(tmp_path, "experts")
    assert (other.caption, other.grades, other.own) == ("caption 1 of b.jpg", (1, 2, 1), False)
    assert (own.own, len(own.references), len(other.references)) == (True, 3, 3)


def test_a_caption_that_the_crowd_judged_is_no_reference_of_its_image(tmp_path: Path) -> None:
    write_judgements(tmp_path)
    own, other = read_judgements(tmp_path, "crowd")
    assert own.references == other.references == ("caption 0 of a.jpg", "caption 1 of a.jpg")
    assert (own.grades, own.own, other.grades) == ((1.0,), True, (0.25,))


@pytest.mark.parametrize(
    ("line", "said"),
    [("a.jpg\ta.jpg#9\t1\t1\t1", "does not hold"), ("a.jpg\ta.jpg#0\tx\t1\t1", "line 1"), ("a.jpg", "line 1")],
)
def test_damaged_judgements_are_refused(tmp_path: Path, line: str, said: str) -> None:
    write_judgements(tmp_path)
    (tmp_path / "ExpertAnnotations.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=said):
        read_judgements(tmp_path, "experts")


def test_flickr8k_holds_what_its_papers_say(shared_data: SharedData) -> None:
    folder = shared_data("flickr8k_text")
    assert len(read_captions(folder)) == 8092
    experts, crowd = read_judgements(folder, "experts"), read_judgements(folder, "crowd")
    assert (len(experts), sum(j.own for j in experts), len(crowd)) == (5822, 158, 47830)


@pytest.mark.parametrize(
    "text",
    [
        "sun\tsunlight\t50.0\nriver\twater\t49\n",
        "sun-n sunlight-n 50.000000\nriver-n water-n 49.000000\n",
        "sun,sunlight,50\nriver,water,49\n",
        "word1\tword2\tPOS\tSimLex999\nSun\tsunlight\tN\t50\nriver\twater\tN\t49\n",
    ],
)
def test_word_pairs_are_read_in_every_published_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "pairs.txt").write_text(text)
    assert read_pairs(tmp_path / "pairs.txt") == [("sun", "sunlight", 50.0), ("river", "water", 49.0)]


def test_damaged_word_pairs_are_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("sun\tsunlight\t50\nriver water\n")
    with pytest.raises(DataError, match="line 2: expected two words and a number"):
        read_pairs(tmp_path / "pairs.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="no pairs"):
        read_pairs(tmp_path / "empty.txt")


def test_the_sets_of_word_pairs_are_whole(shared_data: SharedData) -> None:
    folder = shared_data("word_similarity")
    counts = {name: len(read_pairs(folder / f"EN-{name}.txt")) for name in ("SIMLEX-999", "MEN-TR-3k", "MTurk-771")}
    assert counts == {"SIMLEX-999": 999, "MEN-TR-3k": 3000, "MTurk-771": 771}
