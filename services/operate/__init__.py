"""Operation of an installation: lag, health, metrics, backup and the doctor."""
