# SPDX-License-Identifier: Apache-2.0
"""The multiply-accumulate elements: how constant weights become lookups."""
