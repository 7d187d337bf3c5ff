# SPDX-License-Identifier: Apache-2.0
"""Text templates: a missing key is an error, and so is a value that a script could take for more than a word."""

from __future__ import annotations

import re

import jinja2

_PLAIN = re.compile(r"[A-Za-z0-9_.,:/*+ -]*")


class Code(str):
    """Text of the template's own language, made by this program with every text from files as a literal."""


def render(template: str, **values: object) -> str:
    """The template of `deploy/templates` with its values.

    Values are printed only where they are plain, or `Code`: nothing is quoted in a script, so nothing may need it.
    `jinja2.UndefinedError` where one is missing, `ValueError` for one that is not plain.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bitwright.deployment"),
        undefined=jinja2.StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(template).render(**values)


def _plain(value: object) -> str:
    text = str(value)
    if not isinstance(value, Code) and not _PLAIN.fullmatch(text):
        raise ValueError(f"{text!r} cannot be printed into a script")
    return text
