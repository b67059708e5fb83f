"""Delivery of the outbox: the notifier, the protocol of a receiver, and the Kafka receiver."""
