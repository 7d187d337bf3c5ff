# SPDX-License-Identifier: Apache-2.0
"""The exception tree: everything the user can cause and mend is a `UserError`.

The command line shows a `UserError` as one clear line and ends with exit code 2.
A message names what is wrong, where, the rule, and what would be legal.
Any other exception is a bug in bitwright.
"""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.text import ERROR_CHARACTERS, printable


class UserError(Exception):
    """A mistake in the user's input, options or machine, told in one line; further arguments get a line each.

    Names from files appear as `text.printable` shows them, so that no name makes a line or controls a terminal.
    """

    def __str__(self) -> str:
        return "\n  ".join(printable(part, ERROR_CHARACTERS) for part in self.args)


class ModelError(UserError):
    """The model file or the network in it cannot be used as it is."""

    @classmethod
    def of(cls, where: str, lines: Sequence[str], count: int | None = None) -> ModelError:
        """The error of one problem or of several, told in a line each; `count` where lines tell of more than one."""
        if len(lines) == 1:
            return cls(f"{where}: {lines[0]}")
        return cls(f"{where}: {count or len(lines)} problems:", *lines)


class DataError(UserError):
    """Data do not fit the network: shape, type, range or missing arrays."""


class OptionError(UserError):
    """An option has an illegal value, or options contradict each other."""


class ToolError(UserError):
    """An external tool is missing, too old, or failed on valid input."""


class DeviceError(UserError):
    """The design does not fit the device, or the device is unknown."""
