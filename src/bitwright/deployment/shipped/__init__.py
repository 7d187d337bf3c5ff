# SPDX-License-Identifier: Apache-2.0
"""Modules that drivers contain word for word: they need Python, NumPy, and what each link says."""
