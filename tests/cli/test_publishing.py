"""Bundles on a Hub: published with a card, fetched by name, refused when altered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import chiasm as package
from chiasm.report.model_card import model_card
from chiasm.serve.hub import HubError, fetched, is_hub_name, push_to_hub
from chiasm.training.bundle import Bundle, BundleError
from chiasm.training.recipe import Recipe

from ..serve.fake_hub import FakeHub, serving

Chiasm = Callable[..., int]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.setenv("CHIASM_CACHE", str(tmp_path / "cache"))
    with serving() as served:
        yield served


def test_a_published_bundle_is_loaded_by_its_name_and_answers_the_same(
    chiasm: Chiasm, trained: Path, picture: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--licence", "apache-2.0", "--limit", "Not for medicine.", "--private", "--endpoint", hub.endpoint)
    assert chiasm("push", trained / "bundle", "me/small", *words) == 0
    assert f"published: {hub.endpoint}/me/small/commit/" in capsys.readouterr().out
    assert hub.private == {"me/small"}
    hub.repositories["me/small"][".gitattributes"] = b"a Hub adds such a file"
    again = package.from_pretrained("me/small", endpoint=hub.endpoint)
    asked = {"image": str(picture), "text": "is there a red cube?"}
    assert again.predict(**asked) == package.load(trained / "bundle").predict(**asked)
    card = hub.repositories["me/small"]["README.md"].decode()
    assert card.startswith('---\nlicense: "apache-2.0"\nlibrary_name: chiasm\n')
    assert "- Not for medicine." in card


def test_what_was_fetched_is_not_fetched_again(trained: Path, hub: FakeHub) -> None:
    push_to_hub(Bundle.load(trained / "bundle"), "me/small", endpoint=hub.endpoint)
    first = fetched("me/small", endpoint=hub.endpoint)
    hub.requests.clear()
    assert fetched("me/small", endpoint=hub.endpoint) == first
    assert not [request for request in hub.requests if "resolve" in request]


def test_an_altered_or_incomplete_bundle_on_the_hub_is_refused_and_not_kept(trained: Path, hub: FakeHub) -> None:
    push_to_hub(Bundle.load(trained / "bundle"), "me/small", endpoint=hub.endpoint)
    files = hub.repositories["me/small"]
    recipe = files["recipe.toml"]
    files["recipe.toml"] = recipe + b"#"
    with pytest.raises(BundleError, match=r"recipe\.toml was altered"):
        fetched("me/small", endpoint=hub.endpoint)
    del files["recipe.toml"]
    with pytest.raises(BundleError, match="is no whole bundle"):
        fetched("me/small", endpoint=hub.endpoint)
    files["recipe.toml"] = recipe
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["../out.txt"] = "0"
    files["manifest.json"] = json.dumps(manifest).encode()
    with pytest.raises(BundleError, match=r"names '\.\./out\.txt', which is not inside"):
        fetched("me/small", endpoint=hub.endpoint)


def test_failures_of_the_hub_are_told_in_one_line(trained: Path, hub: FakeHub) -> None:
    with pytest.raises(HubError, match="nobody/nothing is not on the Hub"):
        fetched("nobody/nothing", endpoint=hub.endpoint)
    hub.refuses = 403
    with pytest.raises(HubError, match="the Hub refused"):
        push_to_hub(Bundle.load(trained / "bundle"), "me/small", endpoint=hub.endpoint)
    with pytest.raises(HubError, match="the Hub was not reached"):
        fetched("me/small", endpoint="http://127.0.0.1:9")
    with pytest.raises(HubError, match="'small' is no name on a Hub"):
        fetched("small", endpoint=hub.endpoint)


def test_a_folder_is_loaded_without_a_hub(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.parent)
    assert not is_hub_name(f"{trained.name}/bundle")
    assert package.from_pretrained(f"{trained.name}/bundle").bundle.recipe.name == "demo"
    assert is_hub_name("me/small")
    assert not is_hub_name("a/b/c")


def test_the_card_says_data_metrics_with_intervals_recipe_and_limits(
    chiasm: Chiasm, trained: Path, recipe: Recipe, tmp_path: Path
) -> None:
    assert chiasm("push", trained / "bundle", "--card-only", tmp_path / "card.md") == 0
    card = (tmp_path / "card.md").read_text()
    metrics = json.loads((trained / "metrics.json").read_text())["metrics"]["test"]["accuracy"]
    row = f"| accuracy | {100 * metrics['value']:.1f} % | {100 * metrics['low']:.1f}–{100 * metrics['high']:.1f} |"
    assert row in card
    assert "A generated world of the kind `scenes`" in card
    assert "they say nothing about photographs" in card
    assert "Nobody said under which licence" in card
    assert "```toml\n" in card
    assert f"Regions are the features of {recipe.streams['regions']['extractor']} " in card
    assert 'model.predict(image="photo.jpg", text="...").answer' in card
    assert "Nobody said" not in model_card(Bundle.load(trained / "bundle"), "x", licence="mit")


def test_publishing_needs_a_name(chiasm: Chiasm, trained: Path) -> None:
    assert chiasm("push", trained / "bundle") == 2
