# SPDX-License-Identifier: Apache-2.0
"""Target tlmac: table-lookup multiply-accumulate, one streaming circuit per network."""
