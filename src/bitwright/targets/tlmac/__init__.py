"""Target tlmac: table-lookup multiply-accumulate, one streaming circuit per network."""
