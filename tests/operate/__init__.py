"""Tests of lag, metrics, backup and doctor."""
