"""Text templates; a missing key is an error."""

from __future__ import annotations

import jinja2


def render(template: str, **values: object) -> str:
    """The template of `deploy/templates` with its values; `jinja2.UndefinedError` where one is missing."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bitwright.deploy"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(template).render(**values)
