"""The page's files fit together, and name nothing outside."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from chiasm.serve.endpoints import page_files

FILES = page_files()
TEXT = {name: content.decode() for name, (content, _) in FILES.items()}


def test_the_files_of_the_page_come_with_the_package() -> None:
    assert {"index.html", "page.css", "page.js", "icon.svg"} <= set(FILES)
    assert resources.files("chiasm.serve").joinpath("page").is_dir()


@pytest.mark.parametrize("name", sorted(TEXT))
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    addresses = set(
        re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", re.sub(r"^\s*//.*$", "", TEXT[name], flags=re.M))
    )
    assert {address for address in addresses if not address.startswith("http://www.w3.org/")} == set()
    assert "@import" not in TEXT[name]
    assert "innerHTML" not in TEXT[name]
    assert "eval(" not in TEXT[name]


@pytest.mark.parametrize("name", sorted(name for name in TEXT if name.endswith(".js")))
def test_what_a_module_imports_is_exported(name: str) -> None:
    for names, source in re.findall(r"import \{([^}]*)\} from \"\./([\w.]+)\"", TEXT[name]):
        for imported in (part.strip() for part in names.split(",")):
            assert re.search(rf"export (?:async )?(?:function|const|class) {imported}\b", TEXT[source]), (
                source,
                imported,
            )


def test_every_id_that_a_module_uses_is_in_the_page() -> None:
    there = set(re.findall(r'id="([\w-]+)"', TEXT["index.html"]))
    used = {found for name in TEXT if name.endswith(".js") for found in re.findall(r'byId\("([\w-]+)"\)', TEXT[name])}
    assert used <= there


def test_every_field_has_a_label() -> None:
    labelled = set(re.findall(r'for="([\w-]+)"', TEXT["index.html"]))
    for field in re.findall(r"<(?:input|select)[^>]*id=\"([\w-]+)\"", TEXT["index.html"]):
        inside = re.search(rf'<label[^>]*>(?:(?!</label>).)*id="{field}"', TEXT["index.html"], re.S)
        assert field in labelled or inside, field


@pytest.mark.parametrize("name", sorted(TEXT))
def test_no_file_of_the_page_is_over_300_lines(name: str) -> None:
    assert len(TEXT[name].splitlines()) <= 300
