"""Tests of the questions to the tables."""
