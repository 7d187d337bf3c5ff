"""The exception tree: everything the user can cause and mend is a `UserError`.

The command line shows a `UserError` as one clear line and ends with exit code 2.
A message names what is wrong, where, the rule, and what would be legal.
Any other exception is a bug in bitwright.
"""


class UserError(Exception):
    """A mistake in the user's input, options or machine, told in one line."""


class ModelError(UserError):
    """The model file or the network in it cannot be used as it is."""


class DataError(UserError):
    """Data do not fit the network: shape, type, range or missing arrays."""


class OptionError(UserError):
    """An option has an illegal value, or options contradict each other."""


class ToolError(UserError):
    """An external tool is missing, too old, or failed on valid input."""


class DeviceError(UserError):
    """The design does not fit the device, or the device is unknown."""
