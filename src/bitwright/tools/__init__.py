# SPDX-License-Identifier: Apache-2.0
"""External tools, one small file each: find it, run it, read what it says."""
