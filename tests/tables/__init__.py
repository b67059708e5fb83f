"""Tests of the tables and their statements."""
