"""Questions that operators ask: lag, metrics, backup, doctor."""
