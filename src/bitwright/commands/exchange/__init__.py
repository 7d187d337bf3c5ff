# SPDX-License-Identifier: Apache-2.0
"""Commands that hand results to other tools."""
