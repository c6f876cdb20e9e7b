"""The verbs on a small trained bundle: what they write, and how they fail."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from chiasm.cli.synth import command as synth_command
from chiasm.synth import KINDS
from chiasm.training.recipe import Recipe

Chiasm = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# -- train ------------------------------------------------------------------------------------------------------------


def test_train_prints_metrics_and_says_where_everything_went(
    chiasm: Chiasm, recipe: Recipe, tmp_path: Path, capsys: Captured
) -> None:
    file, out = tmp_path / "mine.toml", tmp_path / "run"
    file.write_text(recipe.to_toml())
    words = ("train", file, "--out", out, "--set", "training.epochs=1", "--seed", 5)
    assert chiasm(*words) == 0
    shown = capsys.readouterr().out
    assert "accuracy" in shown
    assert "generated world" in shown
    assert f"written: {out / 'metrics.json'}" in shown
    record = json.loads((out / "metrics.json").read_text())
    assert record["environment"]["seed"] == 5
    assert chiasm(*words) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert chiasm(*words, "--overwrite") == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dmo",), "did you mean 'demo'"),
        (("demo", "--set", "training.epoch=3"), "did you mean 'epochs'"),
        (("demo", "--set", "training.epochs=many"), "a whole number"),
        (("demo", "--set", "training.epochs"), "section.key=value"),
        (("demo", "--on-error", "ignore"), "ignore"),
    ],
)
def test_a_wrong_recipe_or_setting_is_wrong_usage(
    chiasm: Chiasm, capsys: Captured, words: tuple[str, ...], told: str
) -> None:
    assert chiasm("train", *words) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_data_folder_that_is_not_there_is_one_line(chiasm: Chiasm, capsys: Captured, tmp_path: Path) -> None:
    assert chiasm("train", "demo", "--data", tmp_path / "absent", "--out", tmp_path / "run") == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "absent" in told


def test_ctrl_c_saves_says_how_to_resume_and_ends_with_130(recipe: Recipe, tmp_path: Path, world: Path) -> None:
    file, out = tmp_path / "mine.toml", tmp_path / "run"
    file.write_text(recipe.with_settings(["training.epochs=400"]).to_toml())
    command = [sys.executable, "-m", "chiasm", "train", str(file), "--data", str(world), "--out", str(out)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (out / "checkpoints").is_dir() and any((out / "checkpoints").iterdir()):
            break
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "--resume" in told.splitlines()[-1]
    assert "Traceback" not in told


# -- evaluate ---------------------------------------------------------------------------------------------------------


def test_evaluate_writes_metrics_predictions_and_the_official_file(
    chiasm: Chiasm, trained: Path, world: Path, tmp_path: Path, capsys: Captured
) -> None:
    answers, official, out = tmp_path / "answers.jsonl", tmp_path / "official.json", tmp_path / "metrics.json"
    words = ("--data", world, "--split", "val", "--predictions", answers, "--submission", official, "--out", out)
    assert chiasm("evaluate", trained / "bundle", *words) == 0
    content = json.loads(out.read_text())
    assert content["metrics"]["accuracy"]["n"] == content["examples"] == len(lines(answers))
    assert set(json.loads(official.read_text())[0]) == {"questionId", "prediction"}
    shown = capsys.readouterr().out
    assert [f"written: {path}" for path in (out, answers, official) if f"written: {path}" not in shown] == []


def test_evaluate_gives_what_training_measured(chiasm: Chiasm, trained: Path) -> None:
    assert chiasm("evaluate", trained / "bundle") == 0
    measured = json.loads((trained / "evaluation.json").read_text())["metrics"]
    assert measured == json.loads((trained / "metrics.json").read_text())["metrics"]["test"]


def test_an_altered_bundle_is_refused_by_name(chiasm: Chiasm, trained: Path, tmp_path: Path, capsys: Captured) -> None:
    shutil.copytree(trained / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle" / "recipe.toml").write_text("altered")
    assert chiasm("evaluate", tmp_path / "bundle") == 1
    told = capsys.readouterr().err
    assert "recipe.toml was altered" in told
    assert told.count("\n") == 1


def test_a_split_that_is_not_there_is_named(chiasm: Chiasm, trained: Path, world: Path, capsys: Captured) -> None:
    assert chiasm("evaluate", trained / "bundle", "--data", world, "--split", "testdv") == 1
    assert "testdv" in capsys.readouterr().err


# -- predict ----------------------------------------------------------------------------------------------------------


def test_predict_answers_one_example_best_answer_first(
    chiasm: Chiasm, trained: Path, picture: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "one.jsonl"
    words = ("--image", picture, "--text", "is there a red cube?", "--out", out, "--top-k", 3)
    assert chiasm("predict", trained / "bundle", *words) == 0
    (line,) = lines(out)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[-1] == line["answer"]
    assert len(shown) == 4


def test_predict_keeps_the_order_of_the_rows(
    chiasm: Chiasm, trained: Path, questions: list[dict[str, str]], tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    rows.write_text("".join(json.dumps(q) + "\n" for q in questions[:20]))
    assert chiasm("predict", trained / "bundle", "--rows", rows, "--out", out, "--batch-size", 7) == 0
    assert [line["id"] for line in lines(out)] == [q["id"] for q in questions[:20]]


def test_predict_puts_the_reason_in_a_bad_rows_place_only_when_asked(
    chiasm: Chiasm, trained: Path, picture: Path, tmp_path: Path, capsys: Captured
) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    rows.write_text(f"picture,asked\n{picture},is it red?\n{picture},\nabsent.png,is it red?\n")
    words = ("predict", trained / "bundle", "--rows", rows, "--column", "picture=image", "--column", "asked=text")
    assert chiasm(*words, "--out", out) == 1
    told = capsys.readouterr().err
    assert "line 3" in told
    assert "absent.png" in told
    assert not out.exists()
    assert chiasm(*words, "--out", out, "--on-error", "skip") == 0
    found = lines(out)
    assert sum("answer" in line for line in found) == 1
    assert sum("error" in line for line in found) == 2
    assert "1 answered, 2 could not be answered" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [(), ("--text", "a", "--rows", "b.csv"), ("--rows", "b.csv", "--column", "text")],
    ids=["nothing", "both", "no role"],
)
def test_predict_wants_one_example_or_rows(
    chiasm: Chiasm, trained: Path, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "b.csv").write_text("text\nx\n")
    assert chiasm("predict", trained / "bundle", *words) == 2


def test_a_column_that_is_not_there_is_named_with_those_there_are(
    chiasm: Chiasm, trained: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "rows.csv").write_text("picture,question\na.png,b\n")
    assert chiasm("predict", trained / "bundle", "--rows", tmp_path / "rows.csv", "--column", "questoin=text") == 1
    told = capsys.readouterr().err
    assert "did you mean 'question'" in told
    assert "picture" in told


# -- explain, report, synth -------------------------------------------------------------------------------------------


def test_explain_writes_a_page_and_the_numbers_beside_it(
    chiasm: Chiasm, trained: Path, picture: Path, tmp_path: Path, capsys: Captured
) -> None:
    page = tmp_path / "why.html"
    words = ("--image", picture, "--text", "is there a red cube?", "--method", "gradient_input", "--out", page)
    assert chiasm("explain", trained / "bundle", *words) == 0
    assert page.read_text().startswith("<!doctype html>")
    (explanation,) = json.loads(page.with_suffix(".json").read_text())
    assert [a["method"] for a in explanation["attributions"]] == ["gradient_input"]
    assert "faithfulness" in capsys.readouterr().out


def test_explain_takes_the_first_rows_of_a_file(
    chiasm: Chiasm, trained: Path, questions: list[dict[str, str]], tmp_path: Path
) -> None:
    rows, page = tmp_path / "rows.jsonl", tmp_path / "why.html"
    rows.write_text("".join(json.dumps(q) + "\n" for q in questions[:9]))
    words = ("--rows", rows, "--limit", 2, "--method", "gradient_input", "--out", page)
    assert chiasm("explain", trained / "bundle", *words) == 0
    assert [e["id"] for e in json.loads(page.with_suffix(".json").read_text())] == [q["id"] for q in questions[:2]]


def test_an_unknown_method_is_wrong_usage(chiasm: Chiasm, trained: Path, picture: Path, capsys: Captured) -> None:
    words = ("--image", picture, "--text", "is it red?", "--method", "gradient_imput")
    assert chiasm("explain", trained / "bundle", *words) == 2
    assert "did you mean 'gradient_input'" in capsys.readouterr().err


def test_report_puts_another_run_beside_this_one(
    chiasm: Chiasm, trained: Path, tmp_path: Path, capsys: Captured
) -> None:
    page = tmp_path / "report.html"
    assert chiasm("report", trained, "--baseline", f"twin={trained}", "--examples", 1, "--out", page) == 0
    numbers = json.loads(page.with_suffix(".json").read_text())
    assert numbers["metrics"] == numbers["baselines"]["twin"]
    assert numbers["generated_world"] is True
    assert "twin" in page.read_text()
    assert "twin" in capsys.readouterr().out


def test_report_of_a_folder_without_a_run_says_so(chiasm: Chiasm, tmp_path: Path, capsys: Captured) -> None:
    assert chiasm("report", tmp_path) == 1
    assert "holds no finished run" in capsys.readouterr().err


def test_synth_writes_a_world_and_a_contact_sheet(chiasm: Chiasm, tmp_path: Path, capsys: Captured) -> None:
    out, sheet = tmp_path / "world", tmp_path / "sheet.png"
    words = ("synth", "scenes", "--out", out, "--scenes", 20, "--seed", 3, "--set", "questions=4", "--sheet", sheet)
    assert chiasm(*words) == 0
    info = json.loads((out / "world.json").read_text())
    assert (info["seed"], info["options"]["scenes"], info["options"]["questions"]) == (3, 20, 4)
    assert sheet.read_bytes()[:4] == b"\x89PNG"
    assert f"written: {sheet}" in capsys.readouterr().out


@pytest.mark.parametrize("setting", ["questions", "questions=ten", "=3"])
def test_a_malformed_option_of_synth_is_wrong_usage(chiasm: Chiasm, tmp_path: Path, setting: str) -> None:
    assert chiasm("synth", "scenes", "--out", tmp_path / "world", "--set", setting) == 2


def test_the_help_of_synth_names_every_option_of_every_kind() -> None:
    text = synth_command.__doc__ or ""
    for kind, options in KINDS.items():
        assert kind in text
        assert [f.name for f in fields(options) if f.name not in text] == []


# -- your own rows ----------------------------------------------------------------------------------------------------


def test_a_model_of_ones_own_rows_says_what_it_took_the_columns_for(
    chiasm: Chiasm, world: Path, tmp_path: Path, capsys: Captured
) -> None:
    asked = json.loads((world / "questions" / "train_balanced_questions.json").read_text()).values()
    rows = tmp_path / "rows.csv"
    with rows.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["picture", "asked", "reply"])
        table.writerows([world / "images" / f"{q['imageId']}.png", q["question"], q["answer"]] for q in asked)
        table.writerow(["absent.png", "is it red?", "yes"])
    small = [
        f"--set=options.{size}"
        for size in ("hidden_size=16", "num_attention_heads=2", "intermediate_size=32", "cross_layers=1")
    ]
    words = ("train", "lxmert_rows", "--data", rows, "--out", tmp_path / "run", "--set", "training.epochs=1", *small)
    reply = ("--set", "data.options.columns.reply=answer")
    assert chiasm(*words) == 1  # nothing says which column is the answer
    assert chiasm(*words, *reply) == 1
    assert "absent.png" in capsys.readouterr().err
    assert chiasm(*words, *reply, "--on-error", "skip") == 0
    told = capsys.readouterr()
    assert "column 'picture': image" in told.err
    assert "column 'reply': answer (as you say)" in told.err
    assert "left out:" in told.out
    assert "numbers of single parts, in the JSON file" in told.out
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["skipped_rows"]
