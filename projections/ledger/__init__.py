"""The audit chain: the entry for each record, its outcome and its hash. Pure."""
