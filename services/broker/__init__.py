"""Kafka as the log: its clients, its topics, publishing to it, and reading it as one of a group."""
