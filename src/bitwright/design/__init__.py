# SPDX-License-Identifier: Apache-2.0
"""A design on disk and on its streams: build folders, their checks, packed words."""
