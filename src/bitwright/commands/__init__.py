# SPDX-License-Identifier: Apache-2.0
"""The commands of the command line, one a file: each has a function `run` whose docstring is its help.

A new command is a new file and its name in `cli.COMMANDS`; targets bring their own (`targets.commands`).
Files import heavy modules inside `run`.
"""
