# SPDX-License-Identifier: Apache-2.0
"""Functions of one tensor that a model writes in elementary operators."""
