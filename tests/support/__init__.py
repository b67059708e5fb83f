"""Builders, servers and databases that the tests share."""
