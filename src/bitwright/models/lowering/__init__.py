# SPDX-License-Identifier: Apache-2.0
"""The float graph of a quantized model to an integer network."""
