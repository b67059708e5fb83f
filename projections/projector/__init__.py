"""The one place that writes conclusions: the projector, a write beside it, the rebuild and the backtest."""
