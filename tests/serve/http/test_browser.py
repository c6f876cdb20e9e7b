"""The page in a headless Chromium: asked and answered, looked at, broken on purpose, on a phone.

Skipped where there is no playwright or no Chromium (`CHIASM_CHROMIUM` says where one is). `CHIASM_SCREENSHOTS`
names a folder for pictures of the page.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chiasm.serve.access import Access
from chiasm.serve.endpoints import Service
from chiasm.serve.examples import to_try
from chiasm.serve.predictor import Predictor
from chiasm.serve.served import Served
from tests.serve.http.asking import held_out
from tests.serve.http.raw import running
from tests.serve.small import examples, picture, small_bundle

playwright_of = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
CHROMIUM = os.environ.get("CHIASM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: install it, or set CHIASM_CHROMIUM"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # pipes of the browser's driver at its end
]
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_of.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two bundles of one picture, and one of two pictures, on a port."""
    rows = examples(6)
    tried = tuple(to_try(rows))
    pairs = examples(6, images=2)
    served = [
        Served("one", Predictor(small_bundle(rows)), tuple({**row, "expected": "red"} for row in tried)),
        Served("other", Predictor(small_bundle(rows, initializer_range=0.5)), tried),
        Served("pairs", Predictor(small_bundle(pairs, images=2)), tuple(to_try(pairs))),
    ]
    with running(Service(served)) as (host, port):
        yield f"http://{host}:{port}/"


class Page:
    """A page in a window of its own; what went wrong in it is kept."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.on("request", lambda asked: self.note(asked.url, address))
        self.page.set_default_timeout(20_000)
        self.page.goto(address)

    def note(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.foreign.append(url)

    def ask(self, question: str = "What colour is it?") -> None:
        self.page.get_by_label("Question").fill(question)
        self.page.get_by_role("button", name="Ask").click()
        self.page.locator(".panel .words").first.wait_for()

    def use_example(self, number: int = 1) -> None:
        self.page.locator("#strip button").nth(number - 1).click()
        self.page.locator(".panel .region").first.wait_for()

    def strengths(self, selector: str) -> list[float]:
        found: list[float] = self.page.eval_on_selector_all(
            selector, "all => all.map(one => Number(getComputedStyle(one).getPropertyValue('--strength')))"
        )
        return found

    def keep(self, name: str) -> None:
        if folder := os.environ.get("CHIASM_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Page]:
    found = Page(browser, address, viewport={"width": 1280, "height": 900})
    yield found
    found.context.close()
    assert found.foreign == []


def test_a_question_is_asked_and_answered(opened: Page) -> None:
    opened.use_example()
    assert opened.page.locator(".panel .region").count() == 1
    opened.ask()
    bars = opened.page.locator(".panel .answers li")
    assert bars.count() >= 2
    assert "%" in bars.first.inner_text()
    assert opened.page.locator(".panel .answer").inner_text() in ("red", "green", "blue", "gray")
    assert opened.page.locator(".faithful li").count() >= 1
    assert opened.errors == []
    opened.keep("answered")


def test_the_right_answer_is_shown_only_for_the_example_itself(opened: Page) -> None:
    opened.use_example()
    opened.page.get_by_role("button", name="Ask").click()
    opened.page.locator(".panel .pill").wait_for()
    opened.ask("Is the square red?")
    assert opened.page.locator(".panel .pill").count() == 0


def test_hovering_a_word_shows_its_regions_and_a_region_its_words(opened: Page) -> None:
    opened.use_example()
    opened.ask()
    word = opened.page.locator(".panel .word").nth(1)
    word.hover()
    assert "chosen" in (word.get_attribute("class") or "")
    assert "“colour”: region 1 100 %" in opened.page.locator(".note").inner_text()
    assert max(opened.strengths(".panel .region .box")) == 1
    opened.page.locator(".panel .region").first.hover()
    note = opened.page.locator(".note").inner_text()
    assert note.startswith("region 1: “")
    assert max(opened.strengths(".panel .word")) == 1
    opened.page.mouse.move(2, 2)
    assert "Point at a word" in opened.page.locator(".note").inner_text()


def test_a_layer_and_a_head_change_what_is_shown(opened: Page) -> None:
    opened.use_example()
    opened.ask()
    opened.page.locator(".panel .region").first.click()
    seen = {tuple(opened.strengths(".panel .word"))}
    for layer, head in (("1", "1"), ("1", "2"), ("2", "4")):
        opened.page.get_by_label("Layer").select_option(layer)
        opened.page.get_by_label("Head").select_option(head)
        seen.add(tuple(opened.strengths(".panel .word")))
    assert len(seen) == 4
    opened.page.get_by_text("The weights").click()
    assert opened.page.locator(".heat table").count() == 2
    opened.keep("weights")


def test_the_keyboard_does_it_all(opened: Page) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the question"
    page.locator("#strip button").first.focus()
    page.keyboard.press("Enter")
    page.locator(".panel .region").first.wait_for()
    page.get_by_label("Question").focus()
    page.keyboard.press("Enter")
    page.locator(".panel .words").wait_for()
    page.locator(".panel .word").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == page.locator(".panel .word").nth(1).inner_text()
    page.keyboard.press("Enter")
    assert page.locator(".panel .word").nth(1).get_attribute("aria-pressed") == "true"
    page.locator(".panel .region").first.focus()
    assert "region 1" in page.locator("#spoken").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".panel [aria-pressed=true]").count() == 0


def test_two_bundles_answer_side_by_side(opened: Page) -> None:
    opened.page.get_by_label("Compare with").select_option("other")
    opened.use_example()
    opened.ask()
    opened.page.locator(".panel .words").nth(1).wait_for()
    boxes = [opened.page.locator(".panel").nth(i).bounding_box() for i in range(2)]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < 2
    assert boxes[1]["x"] > boxes[0]["x"] + boxes[0]["width"]
    values = opened.page.locator(".panel .answers li:first-child .value").all_inner_texts()
    assert values[0] != values[1]
    assert opened.page.locator("#other option").all_inner_texts() == ["none", "other"]
    opened.keep("compared")


def test_a_pair_of_pictures(opened: Page) -> None:
    opened.page.get_by_label("Bundle").select_option("pairs")
    opened.page.locator("#strip button").first.click()
    opened.page.locator(".panel .region").nth(1).wait_for()
    opened.page.get_by_label("Statement").fill("both are red")
    opened.page.get_by_role("button", name="Ask").click()
    opened.page.locator(".panel .words").wait_for()
    opened.page.locator(".panel .word").first.hover()
    assert "of picture" in opened.page.locator(".note").inner_text()
    assert opened.errors == []


def test_a_broken_picture_gives_a_message_and_another_one_works(opened: Page, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    picture(1).save(tmp_path / "whole.png")
    opened.page.locator("#slots input").set_input_files(tmp_path / "broken.png")
    message = opened.page.get_by_role("alert")
    message.wait_for()
    assert "image 1" in message.inner_text()
    assert str(tmp_path) not in message.inner_text()
    opened.keep("broken")
    opened.page.locator("#slots input").set_input_files(tmp_path / "whole.png")
    opened.page.locator(".panel .region").first.wait_for()
    assert not message.is_visible()
    opened.ask()


def test_asking_without_a_picture_or_words_says_what_is_missing(opened: Page) -> None:
    opened.page.get_by_label("Question").fill("what is it?")
    opened.page.get_by_role("button", name="Ask").click()
    assert "First choose a picture" in opened.page.get_by_role("alert").inner_text()
    opened.use_example()
    opened.page.get_by_label("Question").fill("  ")
    opened.page.get_by_role("button", name="Ask").click()
    assert "First type something" in opened.page.get_by_role("alert").inner_text()


def test_what_people_type_is_text(opened: Page) -> None:
    opened.use_example()
    opened.ask("<img src=x onerror=alert(1)> red?")
    assert opened.page.locator(".panel .words img").count() == 0
    assert opened.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out(browser: Any, address: str, scheme: str) -> None:
    phone = Page(browser, address, viewport=PHONE, device_scale_factor=2, has_touch=True, color_scheme=scheme)
    phone.use_example()
    phone.ask()
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.page.locator(".panel .word").nth(1).tap()
    assert phone.page.locator(".panel .word").nth(1).get_attribute("aria-pressed") == "true"
    sizes = phone.page.eval_on_selector_all("button[type=submit], select", "all => all.map(e => e.offsetHeight)")
    assert min(size for size in sizes if size) >= 40
    phone.keep(f"phone-{scheme}")
    phone.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, address: str, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for the page's texts."""
    found = Page(browser, address, color_scheme=scheme)
    colours = found.page.evaluate(
        "['--ink', '--soft', '--model', '--right', '--wrong', '--card', '--paper'].map(name => "
        "[name, getComputedStyle(document.documentElement).getPropertyValue(name).trim()])"
    )
    value = {name: luminance(text) for name, text in colours}
    for text in ("--ink", "--soft", "--model", "--right", "--wrong"):
        for ground in ("--card", "--paper"):
            light, dark = sorted((value[text], value[ground]), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
    found.context.close()


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_token_is_asked_for_once(browser: Any) -> None:
    token = "0123456789abcdef"
    rows = examples(6)
    served = Served("one", Predictor(small_bundle(rows)), tuple(to_try(rows)))
    with running(Service([served], access=Access("127.0.0.1", token))) as (host, port):
        found = Page(browser, f"http://{host}:{port}/")
        found.page.get_by_label("This service wants its token").fill("wrong wrong wrong")
        found.page.get_by_role("button", name="Go on").click()
        found.page.get_by_label("This service wants its token").fill(token)
        found.page.get_by_role("button", name="Go on").click()
        found.use_example()
        found.ask()
        found.context.close()
        linked = Page(browser, f"http://{host}:{port}/#token={token}")
        linked.use_example()
        assert token not in linked.page.url
        linked.context.close()


def test_a_service_that_has_gone_is_said(browser: Any) -> None:
    rows = examples(6)
    served = Served("one", Predictor(small_bundle(rows)), tuple(to_try(rows)))
    with running(Service([served])) as (host, port):
        found = Page(browser, f"http://{host}:{port}/")
        found.use_example()
    found.page.get_by_role("button", name="Ask").click()
    found.page.locator(".message", has_text="cannot be reached").first.wait_for()
    found.context.close()


def test_a_table_has_a_field_for_each_column(browser: Any, table_predictor: Predictor) -> None:
    tried = tuple(to_try(held_out(table_predictor.bundle.recipe)))
    with running(Service([Served("table", table_predictor, tried)])) as (host, port):
        found = Page(browser, f"http://{host}:{port}/")
        found.page.locator("#strip button").nth(2).click()
        fields = found.page.locator("#columns label")
        assert fields.count() == len(table_predictor.bundle.preprocessors["table"].column_names)  # type: ignore[attr-defined]
        number = found.page.locator("#columns input").first
        number.fill("20")
        found.page.get_by_role("button", name="Ask").click()
        found.page.locator(".columns li").first.wait_for()
        assert found.page.locator(".columns li").count() == fields.count()
        before = found.page.locator(".panel .answers .value").all_inner_texts()
        number.fill("")  # missing
        found.page.get_by_role("button", name="Ask").click()
        found.page.locator(".columns li").first.wait_for()
        assert found.page.locator(".panel .answers .value").all_inner_texts() != before
        assert found.errors == []
        found.keep("table")
        found.context.close()


def test_a_large_photo_with_a_rotation_shows_its_regions_upright(opened: Page, tmp_path: Path) -> None:
    photo = Image.new("RGB", (1600, 1200), "white")
    photo.paste((200, 30, 30), (100, 100, 500, 400))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "photo.jpg", exif=exif, quality=90)
    opened.page.locator("#slots input").set_input_files(tmp_path / "photo.jpg")
    opened.page.locator(".panel .region").first.wait_for()
    box = opened.page.locator(".panel .picture").bounding_box()
    assert box["height"] > box["width"]
    region = opened.page.locator(".panel .region .box").first.bounding_box()
    assert region["x"] - box["x"] > box["width"] / 2  # the red square is at the right after turning
