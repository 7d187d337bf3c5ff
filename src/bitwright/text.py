# SPDX-License-Identifier: Apache-2.0
"""Text that comes from files, on its way out: the only place where it is made safe.

A model's file chooses the names of nodes, values and networks. In memory and in data files (JSON, `.bw`) they stay as
they are. Wherever they are shown they pass one of these functions:

    printable     terminals, error lines, HTML pages, tables: nothing moves the cursor, breaks or reorders a line
    label         the same, for a column: never long; a long name ends in its digest
    comment       comments of generated sources: ASCII that ends no comment and begins no directive
    cell          a cell of a CSV file: nothing that a spreadsheet would compute
    markup        text within HTML, as notebooks show it

No name becomes part of an identifier or a file name: generated modules and files are numbered. What a file says that is
used as one, `is_identifier` and `is_source_path` check.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Container, Mapping, Sequence

ERROR_CHARACTERS = 20_000  # of one error line, at most
LABEL_CHARACTERS = 60
COMMENT_CHARACTERS = 100
DIGEST_DIGITS = 8
SAMPLED = ("accuracy", "agreement", "top5")  # shares of samples
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_SOURCE_PATH = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/){0,8}[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_COMMENT_SAFE = re.compile(rb"[A-Za-z0-9_ .,:;+<>()\[\]|=/-]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: object, limit: int | None = None) -> str:
    """The text as one line without control characters, marks of direction or lone surrogates, which become escapes.

    limit: characters at most; what is cut off is counted.
    """
    line = str(text)
    if limit is not None and len(line) > limit:
        line = f"{line[:limit]}... ({len(line) - limit:,} more characters)"
    return line if line.isprintable() else "".join(map(_visible, line))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{ord(character):02x}" if character < "\x80" else character.encode("ascii", "backslashreplace").decode()


def label(text: object, limit: int = LABEL_CHARACTERS) -> str:
    """`printable`, at most `limit` characters (one may be shown as an escape): a longer text ends in its digest."""
    return printable(_cut(str(text), limit))


def _cut(line: str, limit: int) -> str:
    """At most `limit` characters: a longer text ends in its digest."""
    if len(line) <= limit:
        return line
    digest = hashlib.sha256(line.encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS]
    return f"{line[: limit - DIGEST_DIGITS - 3]}...{digest}"


def comment(text: object) -> str:
    """The text within a comment of SystemVerilog, Tcl, C or Python: all but plain ASCII as in a URL, "%0A"."""
    line = _cut(str(text), COMMENT_CHARACTERS).encode(errors="surrogatepass")
    return "".join(chr(b) if _COMMENT_SAFE.match(bytes([b])) else f"%{b:02X}" for b in line)


def markup(text: object) -> str:
    """A `label` within HTML."""
    return html.escape(label(text))


def cell(text: object) -> str:
    """A cell of a CSV file: `printable`, with an apostrophe before what a spreadsheet would take for a formula."""
    line = printable(text)
    return f"'{line}" if line[:1] in tuple("=+-@") else line


def unique(name: str, taken: Container[str]) -> str:
    """The name, or the first of name_2, name_3 ... that is not taken: for values derived from those of a file."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    return found


def is_identifier(text: object) -> bool:
    """Whether it names a module in every language and script that is generated."""
    return isinstance(text, str) and _IDENTIFIER.fullmatch(text) is not None


def is_source_path(text: object) -> bool:
    """Whether it is a plain relative path, with "/" as separator, that stays in its folder and is no option."""
    return isinstance(text, str) and _SOURCE_PATH.fullmatch(text) is not None


def figure(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else printable(value)


def aligned(values: Sequence[object]) -> list[str]:
    """The values of a column, all numbers with as many decimals as the one that has most."""
    shown = [figure(value) for value in values]
    broken = [text for text, value in zip(shown, values, strict=True) if isinstance(value, float)]
    if any("e" in text for text in broken):
        return shown
    places = max((len(text.partition(".")[2]) for text in broken), default=0)
    return [f"{v:,.{places}f}" if isinstance(v, float) else text for v, text in zip(values, shown, strict=True)]


def percent(share: float, digits: int = 1) -> str:
    """A share, 0 to 1, as all text shows it: `12.3 %`."""
    return f"{100 * share:.{digits}f} %"


def in_percent(share: float | None) -> float | None:
    """A share as the number of a column whose name has the unit."""
    return None if share is None else round(100 * share, 10)


def rows(figures: Mapping[str, object]) -> list[list[object]]:
    """The rows of a table of figures, name and value; accuracies and the like, shares of samples, in percent."""
    shares = {n: percent(v, 2) for n, v in figures.items() if n.endswith(SAMPLED) and isinstance(v, float)}
    return [[name, shares.get(name, value)] for name, value in figures.items()]


class Shown:
    """A class whose objects have a `repr` of one line, and a table in notebooks."""

    def facts(self) -> Mapping[str, object]:
        """What there is to say, by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """`<Class: name value, name value>`."""
        told = ", ".join(f"{name} {figure(value)}" for name, value in self.facts().items() if value is not None)
        return f"<{type(self).__name__}: {told}>"

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        rows = "".join(
            f"<tr><th {left}>{markup(name)}</th><td {left}>{markup(figure(value))}</td></tr>"
            for name, value in self.facts().items()
            if value is not None
        )
        return f"<table><caption>{markup(type(self).__name__)}</caption>{rows}</table>"
