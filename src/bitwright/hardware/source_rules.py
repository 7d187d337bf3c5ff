# SPDX-License-Identifier: Apache-2.0
"""What the sources of a design may hold. Tools run nothing else, whoever wrote the files of a build folder.

A simulator executes SystemVerilog, and SystemVerilog reaches outside: system tasks run commands and write files, an
imported C function is linked in, comments and directives carry C++, `include` reads any file. So everything of the
kind is refused but what the designs use:

    file names     plain, of a known kind
    *.mem          digits of $readmemh
    *.vlt          `lint_off` lines
    all others     printable ASCII; system functions of TASKS; directives of DIRECTIVES, with `include` of files of the
                   design alone; no macros, no escaped names, no functions of other languages, nothing but hardware;
                   directives in comments for lint alone

What is looked for is found in comments and strings, too, where that is simpler: a rule that does not depend on how a
tool splits a text holds for every tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from bitwright.errors import ModelError
from bitwright.text import is_source_path

TASKS = frozenset(["$bits", "$clog2", "$error", "$fatal", "$info", "$readmemh", "$signed", "$unsigned", "$warning"])
DIRECTIVES = frozenset(["`include", "`ifdef", "`ifndef", "`elsif", "`else", "`endif", "`default_nettype"])
SUFFIXES = (".sv", ".svh", ".v", ".vh", ".mem", ".vlt")
MESSAGE_HEAD = 40  # characters before a message in which its task stands
_WORDS = b"0123456789abcdefABCDEFxXzZ_@ \n"
_LINT_LINE = re.compile(r'\s*|`verilator_config|//[^`$]*|lint_off( -rule [A-Z]+)?( -file "[\w.*]+")?')
_FOREIGN = re.compile(r"[^\n\t -~]")
_TASK = re.compile(r"\$[A-Za-z_][\w$]*")
_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\\\n]*"', re.DOTALL)
_MESSAGE = re.compile(r"\$(error|fatal|info|warning)\s*\((\s*\d+\s*,)?\s*$")
_COMMENT_DIRECTIVE = re.compile(r"/[/*]\s*verilator\b(?!\s+lint_(?:off|on|save|restore)\b)", re.IGNORECASE)
_HIDDEN = re.compile(r"`\s*(define|undef|pragma|line|systemc\w*|verilator\w*|begin_\w+|end_\w+|timescale)\b")
_DIRECTIVE = re.compile(r"`\s*\w*")
_INCLUDE = re.compile(r'`include[ \t]+"([\w.-]+\.(?:svh|vh|sv|v))"')
_NOWHERE = {'"DPI': "a function of another language", '"""': "a string of many lines", "\\\n": "a continued line"}
_OPEN = {"\\": "a backslash", "/*": "a comment without end", '"': "a string that does not end in its line"}
_STRING = "~"  # what strings are replaced by in code
_NO_HARDWARE = re.compile(
    rf"\b(?:(?:import|export)\s*{_STRING}|(?:bind|class|config|extern|library|program|randomize)\b)"
)


def check_sources(files: Mapping[str, str]) -> None:
    """Raise `ModelError` for the first file (texts by path) that holds anything but the above."""
    check_paths(files)
    names = {PurePosixPath(path).name for path in files}
    for path in sorted(files):
        for where, what, legal in _faults(path, files[path], names):
            line = files[path].count("\n", 0, where) + 1
            raise ModelError(f"{path}, line {line} of the design's sources: {what}; legal: {legal}")


def check_paths(paths: Mapping[str, str] | list[str]) -> None:
    """Raise `ModelError` for a path of a source that is not plain, leaves the folder or is of no known kind."""
    for path in paths:
        if not is_source_path(path) or not path.endswith(SUFFIXES):
            legal = f"plain relative paths that end in {', '.join(SUFFIXES)}"
            raise ModelError(f"{path!r} is no path of a design's source; legal: {legal}")


def _faults(path: str, text: str, names: set[str]) -> Iterator[tuple[int, str, str]]:
    """(position, what is wrong, what would be legal) of the faults of a file."""
    if path.endswith(".mem"):
        if not text.isascii() or text.encode().translate(None, _WORDS):
            yield 0, "a memory file with other text than words", "hexadecimal words"
    elif path.endswith(".vlt"):
        position = 0
        for line in text.split("\n"):
            if not _LINT_LINE.fullmatch(line):
                yield position, "a setting of Verilator", "lint_off with a rule and a file"
            position += len(line) + 1
    else:
        yield from _everywhere(text)
        yield from _in_code(text, names)


def _everywhere(text: str) -> Iterator[tuple[int, str, str]]:
    """Faults that are refused in comments and strings as well."""
    for match in _FOREIGN.finditer(text):
        yield match.start(), f"character {match[0]!r}", "printable ASCII"
    for match in _TASK.finditer(text):
        if match[0] not in TASKS:
            yield match.start(), f"system task {match[0]}", ", ".join(sorted(TASKS))
    for match in _HIDDEN.finditer(text):
        yield match.start(), f"directive {match[0]}", ", ".join(sorted(DIRECTIVES))
    for match in _COMMENT_DIRECTIVE.finditer(text):
        yield match.start(), "a directive for Verilator in a comment", "lint_off, lint_on, lint_save, lint_restore"
    for part, what in _NOWHERE.items():
        if part in text:
            yield text.index(part), what, "no such text, in comments neither"


def _in_code(text: str, names: set[str]) -> Iterator[tuple[int, str, str]]:
    """Faults of strings, and of what is left without comments and strings."""
    for match in _TOKEN.finditer(text):
        start = match.start()
        if match[0][0] == '"' and "/" in match[0] and not _MESSAGE.search(text, max(0, start - MESSAGE_HEAD), start):
            yield start, f"string {match[0]}", "strings without a path"
    code = _TOKEN.sub(_blank, text)
    for mark, what in _OPEN.items():
        if mark in code:
            yield code.index(mark), what, "plain names, strings of one line, whole comments"
    for match in _NO_HARDWARE.finditer(code):
        yield match.start(), f"{match[0].rstrip(_STRING)!r}", "modules, their instances, packages"
    for match in _DIRECTIVE.finditer(code):
        if match[0] not in DIRECTIVES:
            yield match.start(), f"macro or directive {match[0]}", ", ".join(sorted(DIRECTIVES))
        elif match[0] == "`include":
            found = _INCLUDE.match(text, match.start())
            if not found or found[1] not in names:
                yield match.start(), "include of another file than the design's", "headers of the design by bare name"


def _blank(match: re.Match[str]) -> str:
    """As many characters as the comment or string."""
    return (_STRING if match[0][0] == '"' else " ").ljust(len(match[0]))
