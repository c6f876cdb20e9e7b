"""HTML is escaped unless it is HTML."""

from __future__ import annotations

from chiasm.report.html import Html, join, tag


def test_text_and_attributes_are_escaped() -> None:
    made = tag("p", "<script>alert('x')</script>", title='a "quoted" <b>')
    assert made == "<p title=\"a &quot;quoted&quot; &lt;b&gt;\">&lt;script&gt;alert('x')&lt;/script&gt;</p>"


def test_html_inside_html_is_not_escaped_twice() -> None:
    assert tag("div", tag("b", "a & b")) == "<div><b>a &amp; b</b></div>"


def test_what_is_none_is_left_out() -> None:
    assert tag("p", None, "x", id=None, class_="y") == '<p class="y">x</p>'
    assert join([None, Html("<br/>"), 3]) == "<br/>3"


def test_underscores_of_attributes_become_hyphens() -> None:
    assert tag("img", aria_label="x", name="n") == '<img aria-label="x" name="n"/>'
