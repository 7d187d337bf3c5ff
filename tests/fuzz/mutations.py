"""Mutations of files: of their bytes, and of what they hold (zip entries, JSON trees, protobuf fields, NPY headers)."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = (0, -1, 1, 2, 3, 255, 65536, 10**5, 2**31 - 1, 2**31, 2**32, 2**40, 2**53, 2**62, 2**63 - 1, -(2**63))
TEXTS = ("", "\n", "\0", "../x", "/etc/passwd", "input", "x" * 5000, "\x1b[2J", "int99", "uint8", "bipolar", "é\ud7ff")
ODD = (None, True, [], {}, 0.5, 1e308, [1], [[]], {"array": "arrays/0.npy"}, {"array": 3}, 10**300, *NUMBERS, *TEXTS)


def flip(data: bytes, rng: random.Random) -> bytes:
    """Some bytes are others."""
    found = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        found[rng.randrange(len(found))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(found)


def cut(data: bytes, rng: random.Random) -> bytes:
    """A part is missing."""
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:a] + data[b:] if rng.random() < 0.5 else data[:b]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """A part comes again, elsewhere, perhaps many times."""
    a = rng.randrange(len(data) + 1)
    part = data[a : a + rng.choice((1, 4, 64, 1000))]
    at = rng.randrange(len(data) + 1)
    return data[:at] + part * rng.choice((1, 2, 50)) + data[at:]


def number(data: bytes, rng: random.Random) -> bytes:
    """Eight bytes become a number that means something."""
    at = rng.randrange(len(data) + 1)
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
    return data[:at] + value.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


BYTES: tuple[Mutation, ...] = (flip, flip, cut, repeat, number)


def nested(rng: random.Random) -> Any:
    """Lists in lists."""
    value: Any = 0
    for _ in range(rng.choice((5, 65, 500))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def edit_tree(tree: Any, rng: random.Random) -> Any:
    """A JSON tree with one value changed, removed, doubled or moved."""
    places: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        places += [(node, key) for key in keys]
        stack += [node[key] for key in keys]
    if not places:
        return rng.choice(ODD)
    node, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del node[key]
    elif kind == 1:
        other, there = rng.choice(places)
        if there in other if isinstance(other, dict) else there < len(other):
            node[key] = json.loads(json.dumps(other[there]))
    elif kind == 2 and isinstance(node, list):
        node.insert(key, json.loads(json.dumps(node[key])))
    elif kind == 3:
        node[key] = nested(rng)
    else:
        node[key] = rng.choice(ODD)
    return tree


def edit_json(data: bytes, rng: random.Random) -> bytes:
    """JSON with an edited tree, or with what only its text can hold."""
    kind = rng.randrange(8)
    if kind == 0:
        return b"[" * rng.choice((10, 1000, 100_000)) + data
    if kind == 1:
        words = (b"NaN", b"Infinity", b"9" * 100_000, b"1e999", b'"\xff"', b'{"a":1,"a":2}')
        return data.replace(rng.choice((b"0", b"1", b"null", b'"')), rng.choice(words), 1)
    try:
        return json.dumps(edit_tree(json.loads(data), rng)).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return flip(data, rng)


def edit_npy(data: bytes, rng: random.Random) -> bytes:
    """An NPY file whose header or type says something else."""
    if rng.random() < 0.2:
        return rng.choice(BYTES)(data, rng)
    if rng.random() < 0.6:
        return _edit_array(data, rng)
    size = rng.choice(NUMBERS)
    shape = rng.choice((f"({size},)", f"({size}, {size})", "()", "(-1,)", "(True,)", "None", "(" * 200, "(1.5,)"))
    kind = rng.choice(("<i8", "<i8", "|O", "<f8", ">i8", "|u1", "<U4", "|V0", "i1,i1", "zz", "<c16"))
    order = rng.choice(("True", "False", "1", "None"))
    text = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"
    if rng.random() < 0.1:
        text = text + " " * rng.choice((100, 20_000, 65_000))
    header = text.encode()[:65_535]
    return data[:8] + len(header).to_bytes(2, "little") + header + data[-rng.choice((0, 8, 64, 4096)) :]


def _edit_array(data: bytes, rng: random.Random) -> bytes:
    """An NPY file of other numbers, or of another shape or type."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:  # an earlier mutation broke it
        return flip(data, rng)
    kind = rng.randrange(6)
    if kind == 0:
        return saved_array(array.reshape(rng.choice((-1, (1, -1), (-1, 1), (1, *array.shape)))))
    if kind == 1:
        return saved_array(array.T if rng.random() < 0.5 else array[: len(array) // 2] if array.ndim else array)
    if kind == 2:
        return saved_array(array.astype(rng.choice(("<i4", ">i8", "<f8", "|b1", "<u8"))))
    array = array.copy()
    if array.size and array.dtype.kind in "iuf":
        low, high = (
            (-(2**63), 2**63 - 1) if array.dtype.kind == "f" else (np.iinfo(array.dtype).min, np.iinfo(array.dtype).max)
        )
        array.flat[rng.randrange(array.size)] = min(max(rng.choice(NUMBERS), int(low)), int(high))
    return saved_array(array)


def edit_zip(data: bytes, rng: random.Random) -> bytes:
    """A zip archive with an entry changed, renamed, doubled or removed; the digest of a network is made right again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:  # an earlier mutation broke it
        return rng.choice(BYTES)(data, rng)
    if not entries:
        return flip(data, rng)
    trees = [i for i, (name, _) in enumerate(entries) if name == "network.json"]
    at = trees[0] if trees and rng.random() < 0.6 else rng.randrange(len(entries))
    name, content = entries[at]
    kind = rng.randrange(25)
    if kind == 0:
        del entries[at]
    elif kind == 1:
        entries.append((name, content))
    elif kind == 2:
        entries[at] = (rng.choice(("../x", "a" * 300, "format.json", "network.json", "é", "arrays/9.npy")), content)
    elif kind == 3:
        entries[at] = (name, content + bytes(rng.choice((1, 10**6, 5 * 10**7))))
    elif name.endswith(".npy"):
        entries[at] = (name, edit_npy(content, rng))
    else:
        entries[at] = (name, edit_json(content, rng))
    return _zipped(_signed(entries))


def _signed(entries: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The entries of a network with the digest that fits them, so that readers go on."""
    found = dict(entries)
    try:
        header = json.loads(found.get("format.json", b""))
        rest = {name: content for name, content in found.items() if name != "format.json"}
        h = hashlib.sha256()
        for name in sorted(rest):
            h.update(f"{name}\0{len(rest[name])}\0".encode())
            h.update(rest[name])
        header["digest"] = h.hexdigest()
    except (ValueError, TypeError, RecursionError):
        return entries
    text = json.dumps(header).encode()
    return [(name, text if name == "format.json" else content) for name, content in entries]


def _zipped(entries: list[tuple[str, bytes]]) -> bytes:
    import warnings

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def edit_model(data: bytes, rng: random.Random) -> bytes:
    """An ONNX model with one field of its protobuf tree changed, removed or doubled."""
    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # an earlier mutation broke it
        return rng.choice(BYTES)(data, rng)
    message: Any = model.graph
    for _ in range(rng.randrange(1, 7)):
        inner = [v for _, value in message.ListFields() for v in _messages(value)]
        if not inner:
            break
        message = rng.choice(inner)
    fields = [field for field, _ in message.ListFields()] or list(message.DESCRIPTOR.fields)
    field = rng.choice(fields if rng.random() < 0.8 else list(message.DESCRIPTOR.fields))
    try:
        _edit_field(message, field, rng)
    except (TypeError, ValueError, AttributeError, UnicodeEncodeError):
        message.ClearField(field.name)
    return model.SerializeToString()


def _messages(value: Any) -> list[Any]:
    if hasattr(value, "ListFields"):
        return [value]
    return [v for v in value if hasattr(v, "ListFields")] if hasattr(value, "__iter__") and value != "" else []


def _edit_field(message: Any, field: Any, rng: random.Random) -> None:
    value = getattr(message, field.name)
    kind = rng.randrange(5)
    if kind == 0:
        message.ClearField(field.name)
    elif hasattr(value, "append") or hasattr(value, "add"):
        if kind == 1 and len(value):
            del value[rng.randrange(len(value))]
        elif len(value) and hasattr(value[0], "ListFields"):
            value.add().CopyFrom(rng.choice(list(value)))
        elif len(value) and kind < 4:
            value[rng.randrange(len(value))] = _like(value[0], rng)
        else:
            value.append(_like(value[0] if len(value) else 1, rng))
    elif not hasattr(value, "ListFields"):
        setattr(message, field.name, _like(value, rng))


def _like(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bytes):
        return rng.choice(BYTES)(value, rng)
    if isinstance(value, str):
        return rng.choice((*TEXTS, "Relu", "Conv", "Loop", "Expand", "Tile", "ConstantOfShape", "x", "y", "w"))
    if isinstance(value, float):
        return rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf"), 1e-40))
    return rng.choice((*NUMBERS, value + 1, value - 1, 4, 5, 6, 7))


def edit_text(data: bytes, rng: random.Random) -> bytes:
    """A text with a line or a word changed, doubled, removed or very long."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    words = lines[at].split(b" ")
    odd = [str(n).encode() for n in NUMBERS] + [t.encode("utf-8", "replace") for t in TEXTS]
    odd += [b"0x" + b"f" * 100_000, b"[" * 2000, b"1.5", b"true", b'"a"', b"1e999", b"nan", b"\xff\xfe"]
    kind = rng.randrange(5)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[rng.randrange(len(lines))])
    elif kind == 2:
        lines[at] = lines[at] * rng.choice((2, 100))
    else:
        words[rng.randrange(len(words))] = rng.choice(odd)
        lines[at] = b" ".join(words)
    return b"\n".join(lines)


def saved_array(array: np.ndarray) -> bytes:
    """The array as an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
