"""Worlds on disk: reproducible, whole or not there, refused with a reason."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from chiasm.synth import KINDS, WorldError, generate, production, world_info
from chiasm.synth.options import ScenesOptions, options

SMALL = {"scenes": 6, "val_scenes": 3, "test_scenes": 3, "questions": 4}
SIZES = {"scenes": SMALL, "pairs": {"statements": 4, "val_statements": 2, "test_statements": 2}}


def contents(folder: Path) -> dict[str, str]:
    """relative path -> hash of the file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    first = generate(kind, tmp_path / "a", seed=4, workers=1, **SIZES[kind])
    second = generate(kind, tmp_path / "b", seed=4, workers=1, **SIZES[kind])
    assert contents(first) == contents(second)


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_other_pictures(tmp_path: Path, kind: str) -> None:
    first, second = (contents(generate(kind, tmp_path / str(s), seed=s, workers=1, **SIZES[kind])) for s in (1, 2))
    pictures = [path for path in first if path.endswith(".png")]
    assert all(first[path] != second[path] for path in pictures)


def test_the_number_of_processes_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = generate("scenes", tmp_path / "a", workers=1, **SMALL)
    monkeypatch.setattr(production, "JOB_SIZE", 2)
    together = generate("scenes", tmp_path / "b", workers=2, **SMALL)
    assert contents(alone) == contents(together)


def test_the_first_scenes_do_not_depend_on_how_many_follow(tmp_path: Path) -> None:
    few = contents(generate("scenes", tmp_path / "a", workers=1, **{**SMALL, "scenes": 3}))
    more = contents(generate("scenes", tmp_path / "b", workers=1, **SMALL))
    assert few["images/1000002.png"] == more["images/1000002.png"]


def test_a_world_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = generate("scenes", tmp_path / "w", workers=1, **SMALL)
    monkeypatch.setattr(production, "produce", lambda *a, **k: pytest.fail("made again"))
    assert generate("scenes", folder, workers=2, **SMALL) == folder


def test_another_world_in_the_folder_is_refused_and_kept(tmp_path: Path) -> None:
    folder = generate("scenes", tmp_path / "w", seed=1, workers=1, **SMALL)
    before = contents(folder)
    with pytest.raises(WorldError, match=r"holds another world \(seed: 1 there, 2 asked for\)"):
        generate("scenes", folder, seed=2, workers=1, **SMALL)
    assert contents(folder) == before


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(WorldError, match="is not empty and holds no generated world"):
        generate("scenes", tmp_path, workers=1, **SMALL)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    generate("scenes", folder, workers=1, **SMALL)
    assert world_info(folder)["complete"] is True


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_what_is_interrupted_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(production, "join", fail)
    with pytest.raises(type(error)):
        generate("scenes", tmp_path / "w", workers=1, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_behind_is_removed(tmp_path: Path) -> None:
    code = "import sys, os\nfrom chiasm.synth import production, generate\n"
    code += "production.join = lambda *a: os.kill(os.getpid(), 9)\n"
    code += f"generate('scenes', sys.argv[1], workers=1, **{SMALL})"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "w")], check=False, cwd=Path(__file__).parents[2])
    assert len(list(tmp_path.glob(".w.*.partial"))) == 1
    generate("scenes", tmp_path / "w", workers=1, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_a_failing_worker_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(production, "WORKER", ("-c", "raise SystemExit('out of paint')"))
    with pytest.raises(WorldError, match=r"a worker process failed on \w+ 0 to [36]; its message stands above"):
        generate("scenes", tmp_path / "w", workers=2, **SMALL)
    assert "out of paint" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("scene", {}, "unknown kind of world 'scene'; did you mean 'scenes'?"),
        ("scenes", {"scense": 3}, "unknown option of a world of scenes 'scense'; did you mean 'scenes'"),
        ("scenes", {"scenes": "many"}, "scenes is 'many'; it must be a whole number"),
        ("scenes", {"scenes": True}, "scenes is True; it must be a whole number"),
        ("scenes", {"scenes": 0}, "split 'train' has size 0"),
        ("scenes", {"image_size": 16}, "image_size is 16; it must be between 96 and 1024"),
        ("scenes", {"min_objects": 5, "max_objects": 4}, "must satisfy 2 <= min_objects <= max_objects <= 8"),
        ("scenes", {"questions": 99}, "questions is 99"),
        ("scenes", {"formats": ["gqq"]}, "unknown format 'gqq'; did you mean 'gqa'?"),
        ("scenes", {"formats": "gqa"}, "formats is 'gqa'; it must be a list of names"),
        ("scenes", {"families": ["exists"]}, "unknown family of questions 'exists'; did you mean 'exist'"),
        ("scenes", {"families": [3]}, "families is [3]; it must be a list of names"),
        ("pairs", {"pairs": 3}, "pairs is 3; it must be 2, 4, 6 or 8"),
        ("pairs", {"statements": 100_000}, "at most 50,000 statements"),
        ("pairs", {"families": ["relations"]}, "unknown family of statements 'relations'; did you mean 'relation'"),
    ],
)
def test_options_that_make_no_sense_are_refused(kind: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(WorldError) as error:
        options(kind, dict(given))
    assert message in str(error.value)


def test_a_world_may_have_only_some_formats(tmp_path: Path) -> None:
    folder = generate("scenes", tmp_path / "w", workers=1, formats=["captions"], **SMALL)
    assert sorted(path.name for path in folder.iterdir()) == ["captions", "images", "world.json"]


def test_a_world_may_have_only_some_types_of_questions(tmp_path: Path) -> None:
    wanted = ["query_relation", "compare_position"]
    folder = generate("scenes", tmp_path / "w", workers=1, families=wanted, formats=["gqa"], **SMALL)
    asked = json.loads((folder / "questions/train_balanced_questions.json").read_text()).values()
    assert {question["types"]["detailed"] for question in asked} == set(wanted)


def test_a_type_of_questions_that_is_named_twice_is_asked_more_often(tmp_path: Path) -> None:
    counts = []
    for times in (1, 2):
        wanted = ["exist", *["compare_position"] * times]
        folder = generate("scenes", tmp_path / str(times), workers=1, families=wanted, formats=["gqa"], **SMALL)
        asked = json.loads((folder / "questions/train_balanced_questions.json").read_text()).values()
        counts.append(sum(question["types"]["detailed"] == "compare_position" for question in asked))
    assert counts[1] > 1.2 * counts[0]


def test_a_world_may_have_only_some_kinds_of_statements(tmp_path: Path) -> None:
    wanted = ["relation_in_both", "both"]
    folder = generate("pairs", tmp_path / "w", workers=1, families=wanted, **{**SIZES["pairs"], "statements": 12})
    lines = (folder / "nlvr2/train.json").read_text().splitlines()
    assert {json.loads(line)["family"] for line in lines} == set(wanted)


def test_validation_and_test_are_a_tenth_unless_asked_otherwise() -> None:
    assert ScenesOptions(scenes=5000).sizes() == {"train": 5000, "val": 500, "test": 500}
    assert ScenesOptions(scenes=10, test_scenes=7).sizes() == {"train": 10, "val": 20, "test": 7}


def test_a_folder_without_a_world_has_no_description(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="holds no generated world"):
        world_info(tmp_path)


def test_importing_the_generator_is_cheap() -> None:
    code = "import sys, chiasm.synth; print(json.dumps([m for m in sys.modules if m in ('numpy', 'PIL', 'torch')]))"
    run = [sys.executable, "-c", f"import json; {code}"]
    found = subprocess.run(run, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert json.loads(found.stdout) == []
