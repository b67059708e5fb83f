"""Tests: folders as in the source, with builders and servers in support/ and an independent oracle in oracle/."""
