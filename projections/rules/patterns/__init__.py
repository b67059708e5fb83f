"""The patterns of rules: each is one module behind one protocol."""
