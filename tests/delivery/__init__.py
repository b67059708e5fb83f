"""Tests of the notifier and its receivers."""
