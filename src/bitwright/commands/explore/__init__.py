# SPDX-License-Identifier: Apache-2.0
"""Commands that search: for widths, and for whole designs."""
