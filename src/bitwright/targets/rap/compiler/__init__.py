# SPDX-License-Identifier: Apache-2.0
"""From a network to a program: mapping, storage, code."""
