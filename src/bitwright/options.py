# SPDX-License-Identifier: Apache-2.0
"""Options given as text, `key=value`, for a dataclass of options."""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
import os
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from bitwright.errors import OptionError
from bitwright.parsing import parse_json

Kind = TypeVar("Kind")


def parse_options(kind: type, texts: Sequence[str], what: str) -> dict[str, Any]:
    """The values of `key=value` texts in the types of the fields of `kind`; `what` names the owner in errors.

    Booleans are true or false, none is None where the field allows it, tuples are separated by commas, and
    mappings are JSON objects. Raises `OptionError` naming the key and what is legal.
    """
    hints = typing.get_type_hints(kind)
    legal = [f.name for f in dataclasses.fields(kind)]
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise OptionError(f"option {text!r} has no value; legal is key=value")
        if key not in legal:
            raise OptionError(f"{what} has no option {key!r}; legal are {', '.join(legal)}")
        values[key] = _typed(value.strip(), hints[key], key)
    return values


def from_keywords(kind: type[Kind], values: Mapping[str, Any], what: str) -> Kind:
    """Options of keyword arguments; `OptionError` names what is unknown to `what` and what is legal."""
    legal = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(legal))
    if unknown:
        raise OptionError(f"{what} has no option {', '.join(map(repr, unknown))}; legal are {', '.join(legal)}")
    return kind(**values)


def described(kind: type) -> dict[str, dict[str, str]]:
    """What is legal for every field of a dataclass of options, its default and its meaning, as text."""
    hints = typing.get_type_hints(kind)
    found = {}
    for f in dataclasses.fields(kind):
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        shown = as_text(default) or "(none)"
        found[f.name] = {"legal": _name(hints[f.name]), "default": shown, "doc": f.metadata.get("doc", "")}
    return found


def as_text(value: Any) -> str:
    """A value as `parse_options` reads it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return json.dumps({str(k): v for k, v in value.items()}) if isinstance(value, Mapping) else str(value)


def from_json(kind: type, values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Values that JSON gave in the types of the fields of `kind`: lists become tuples; else as `parse_options`."""
    hints = typing.get_type_hints(kind)
    legal = [f.name for f in dataclasses.fields(kind)]
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key not in legal:
            raise OptionError(f"{what} has no option {key!r}; legal are {', '.join(legal)}")
        found[key] = tuple(value) if isinstance(value, list) else value
        if not fits_type(found[key], hints[key]):
            raise OptionError(f"{what}: option {key} is {value!r}; legal is {_name(hints[key])}")
    return found


def check_types(options: Any) -> None:
    """`OptionError` for a field of a dataclass of options whose value is not of the field's type."""
    hints = typing.get_type_hints(type(options))
    for f in dataclasses.fields(options):
        value = getattr(options, f.name)
        if not fits_type(value, hints[f.name]):
            raise OptionError(f"option {f.name} is {value!r}; legal is {_name(hints[f.name])}")


def fits_type(value: Any, hint: Any) -> bool:
    """Whether a value is of a type hint: plain types, unions, tuples; whole numbers are numbers, booleans are none."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits_type(value, a) for a in arguments)
    if hint is types.NoneType:
        return value is None
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        repeated = len(arguments) == 2 and arguments[1] is Ellipsis
        kinds = arguments[:1] * len(value) if repeated else arguments
        return len(kinds) == len(value) and all(map(fits_type, value, kinds))
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, numbers.Real) and math.isfinite(value)
    legal: dict[Any, Any] = {int: numbers.Integral, bool: (bool, np.bool_), str: (str, os.PathLike)}
    return isinstance(value, legal.get(hint, origin or hint))


def check_fields(kind: type, values: Mapping[str, Any]) -> None:
    """Raise `ValueError` unless the values are of the types of the fields of the dataclass `kind`."""
    hints = typing.get_type_hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise ValueError(f"{kind.__name__} has no field {name[:40]!r}")
        if not fits_type(value, hints[name]):
            raise ValueError(f"{name} of {kind.__name__} is no {getattr(hints[name], '__name__', hints[name])}")


def _typed(text: str, hint: Any, key: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if types.NoneType in arguments and text.lower() == "none":
            return None
        (hint,) = (a for a in arguments if a is not types.NoneType)
        return _typed(text, hint, key)
    try:
        if hint is bool:
            return {"true": True, "false": False}[text.lower()]
        if hint in (int, str):
            return hint(text)
        if hint is float:
            return _finite(float(text))
        if origin is tuple:
            parts = [part.strip() for part in text.split(",")]
            repeated = len(arguments) == 2 and arguments[1] is Ellipsis
            kinds = [arguments[0]] * len(parts) if repeated else arguments
            return tuple(_typed(part, kind, key) for part, kind in zip(parts, kinds, strict=True))
        return _object(parse_json(text))
    except (ValueError, KeyError):
        raise OptionError(f"option {key} is {text!r}; legal is {_name(hint)}") from None


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError
    return value


def _name(hint: Any) -> str:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_name(a) for a in typing.get_args(hint))
    plain = {types.NoneType: "none", bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    if typing.get_origin(hint) is tuple:
        return "a list separated by commas"
    return plain.get(hint, "a JSON object")
