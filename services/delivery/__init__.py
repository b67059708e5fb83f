"""Rows of the outbox to their receivers: the notifier, the protocol of a receiver, Kafka."""
