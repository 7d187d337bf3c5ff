# SPDX-License-Identifier: Apache-2.0
"""Networks in external memory: parts of layers, tiles of maps, records and what they wait for."""
