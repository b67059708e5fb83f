"""Tests of the projector, the rebuild and the backtest."""
