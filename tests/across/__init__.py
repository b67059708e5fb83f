"""Tests of the rules across people."""
