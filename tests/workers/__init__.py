"""Tests of the workers and of the runtime."""
