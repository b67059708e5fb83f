"""Tests of the facts, tracks and status of one person."""
