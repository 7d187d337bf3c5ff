# SPDX-License-Identifier: Apache-2.0
"""What targets share for external memory."""
