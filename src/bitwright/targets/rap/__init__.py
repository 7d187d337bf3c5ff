# SPDX-License-Identifier: Apache-2.0
"""Reconfigurable array processor: a programmed grid of processing elements with lanes of 16, 8 or 4 bits."""
