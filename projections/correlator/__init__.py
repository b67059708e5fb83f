"""The correlator: the second stage, which judges rules across people over the ledger below the horizon."""
