# SPDX-License-Identifier: Apache-2.0
"""The cost and timing model of circuits."""
