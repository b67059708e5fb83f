"""Tests of the two logs."""
