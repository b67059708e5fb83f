"""Tests of the parts that run."""
