"""Reads a pickle without running it: arrays, lists, dicts, sets, strings and numbers, and nothing else.

Some data sets exist only as pickles, and unpickling a file runs whatever it asks for. Here the pickle's opcodes are
listed (which runs nothing) and interpreted by a small machine that knows the names below and no other. A file that
asks for anything else is refused by that name.

The formats of Python 2 (protocols 0 to 2, byte strings read as Latin-1) and 3 (up to protocol 5) are read.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chiasm.data.example import DataError

_MARK = object()
_KINDS = "biufSUO"  # numpy's letters for the kinds of entries that are admitted: numbers, texts, and plain values


class _Symbol(str):
    """A name that the file may mention; it is never looked up."""


class _Blank:
    """An array whose content comes later in the file."""

    def __init__(self) -> None:
        self.array: Any = None


class _Type:
    """A dtype by its letters; its byte order comes later in the file."""

    def __init__(self, letters: str) -> None:
        self.letters = letters
        if letters[:1] not in _KINDS:
            raise DataError(f"an array of type {letters!r}")
        self.dtype = np.dtype(letters)


_NAMES = {
    "numpy.core.multiarray _reconstruct": "array",
    "numpy._core.multiarray _reconstruct": "array",
    "numpy.core.multiarray scalar": "scalar",
    "numpy._core.multiarray scalar": "scalar",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "__builtin__ set": "set",
    "builtins set": "set",
    "__builtin__ frozenset": "set",
    "builtins frozenset": "set",
    "_codecs encode": "encode",
    "collections defaultdict": "dict",
    "collections OrderedDict": "dict",
    "__builtin__ dict": "dict",
    "__builtin__ list": "list",
}


def read_plain_pickle(path: Path) -> Any:
    """The plain values in a pickle file. Raises `DataError` naming what is not plain, or where the file is damaged."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return plain_values(content, where=str(path))


def plain_values(content: bytes, *, where: str) -> Any:
    """The plain values in the bytes of a pickle; errors name `where` they come from."""
    try:
        return _Machine().run(content)
    except DataError as error:
        raise DataError(f"{where} holds more than plain values: {error}") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{where} is no whole pickle file ({error})") from error


class _Machine:
    """The stack machine of the pickle format, without its power to call things."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        """The value that the opcodes build."""
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                return _finished(self.stack.pop())
            self._step(opcode.name, argument)
        raise ValueError("it has no end")

    def _step(self, name: str, argument: Any) -> None:
        if name in _IGNORED:
            return
        if name in _VALUES:
            self.stack.append(_VALUES[name](argument))
        elif name in _STEPS:
            _STEPS[name](self, argument)
        else:
            raise DataError(f"it uses the instruction {name}")

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark, taken from the stack with it."""
        place = len(self.stack) - 1 - next(i for i, v in enumerate(reversed(self.stack)) if v is _MARK)
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def push_tuple(self, count: int) -> None:
        """The last `count` values as a tuple."""
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        self.stack.append(tuple(items))

    def remember(self, place: int | None) -> None:
        """Keep the top of the stack under a number."""
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def name(self, module: str, symbol: str) -> None:
        """Push what a name stands for. Raises `DataError` for a name that is not admitted."""
        full = f"{module} {symbol}"
        if full not in _NAMES:
            raise DataError(f"it asks for {module}.{symbol}")
        self.stack.append(_Symbol(_NAMES[full]))

    def call(self) -> None:
        """What REDUCE would call, for the admitted names."""
        arguments, symbol = self.stack.pop(), self.stack.pop()
        if not isinstance(symbol, _Symbol):
            raise DataError(f"it calls {symbol!r}")
        self.stack.append(_MADE[symbol](*arguments))

    def build(self) -> None:
        """Give an array or a dtype its state."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Type):
            if state[1] in ("<", ">"):
                target.dtype = target.dtype.newbyteorder(state[1])
        elif isinstance(target, _Blank):
            _, shape, kind, fortran, raw = state
            target.array = _array(shape, kind.dtype, fortran, raw)
        else:
            raise DataError(f"it sets the state of a {type(target).__name__}")

    def fill_dict(self, items: list[Any]) -> None:
        """Keys and values into the dict on the top of the stack."""
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _array(shape: Any, dtype: Any, fortran: bool, raw: Any) -> Any:
    """An array from its bytes, or from a list of plain values."""
    order: Literal["F", "C"] = "F" if fortran else "C"
    if isinstance(raw, list):
        array = np.empty(len(raw), dtype=object)
        array[:] = [_finished(value) for value in raw]
        return array.reshape(shape, order=order).tolist()
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    return np.frombuffer(data, dtype=dtype).reshape(shape, order=order).copy()


def _scalar(kind: _Type, raw: Any) -> Any:
    return np.frombuffer(raw.encode("latin-1") if isinstance(raw, str) else raw, dtype=kind.dtype)[0].item()


def _encoded(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise DataError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin-1")


def _finished(value: Any) -> Any:
    """The value with arrays in the place of what stood for them. Raises `DataError` for what is left over."""
    if isinstance(value, _Blank):
        return value.array
    if isinstance(value, Mapping):
        return {_finished(key): _finished(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(_finished(inner) for inner in value)
    if isinstance(value, _Symbol | _Type):
        raise DataError(f"it holds the type {value!s}")
    return value


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


_IGNORED = frozenset({"PROTO", "FRAME"})
_VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"), _same),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE"), _same),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _text),
    **dict.fromkeys(("BINBYTES", "BINBYTES8", "SHORT_BINBYTES", "BYTEARRAY8"), _same),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_SET": lambda _: set(),
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: _MARK,
}
_STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    **{f"{name}PUT": lambda m, place: m.remember(place) for name in ("", "BIN", "LONG_BIN")},
    **{f"{name}GET": lambda m, place: m.stack.append(m.memo[place]) for name in ("", "BIN", "LONG_BIN")},
    "MEMOIZE": lambda m, _: m.remember(None),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.push_tuple(1),
    "TUPLE2": lambda m, _: m.push_tuple(2),
    "TUPLE3": lambda m, _: m.push_tuple(3),
    "LIST": lambda m, _: m.stack.append(m.since_mark()),
    "DICT": lambda m, _: _filled(m),
    "APPEND": lambda m, _: m.stack[-2].append(m.stack.pop()),
    "APPENDS": lambda m, _: _extend(m),
    "SETITEM": lambda m, _: _set_item(m),
    "SETITEMS": lambda m, _: m.fill_dict(m.since_mark()),
    "ADDITEMS": lambda m, _: _add(m),
    "FROZENSET": lambda m, _: m.stack.append(set(m.since_mark())),
    "GLOBAL": lambda m, both: m.name(*both.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: _stack_name(m),
    "REDUCE": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
}
_MADE: dict[str, Callable[..., Any]] = {
    "array": lambda *_: _Blank(),
    "dtype": lambda letters, *_: _Type(letters),
    "scalar": _scalar,
    "set": lambda items=(): set(items),
    "list": lambda items=(): list(items),
    "dict": lambda *_: {},
    "encode": _encoded,
}


def _filled(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.stack.append({})
    machine.fill_dict(items)


def _extend(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.stack[-1].extend(items)


def _add(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.stack[-1].update(items)


def _set_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.stack[-1][key] = value


def _stack_name(machine: _Machine) -> None:
    symbol, module = machine.stack.pop(), machine.stack.pop()
    machine.name(module, symbol)
