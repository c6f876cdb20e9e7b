"""HTML written by function calls: everything that is not HTML already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

VOID = frozenset({"img", "br", "meta", "link", "rect", "line", "path", "circle", "polyline", "image"})


class Html(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """`<name attributes>children</name>`; None children and attributes are left out, `class_` means `class`.

    Children and attribute values are escaped unless they are `Html`. An underscore in an attribute's name becomes a
    hyphen.
    """
    words = [name, *(_attribute(key, value) for key, value in attributes.items() if value is not None)]
    opening = f"<{' '.join(words)}>"
    if name in VOID and not children:
        return Html(opening[:-1] + "/>")
    return Html(f"{opening}{join(children)}</{name}>")


def join(children: Iterable[object]) -> Html:
    """The children one after another, without what is None."""
    return Html("".join(_escaped(child) for child in children if child is not None))


def _escaped(child: object) -> str:
    return child if isinstance(child, Html) else html.escape(str(child), quote=False)


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f'{name}="{html.escape(shown)}"'
