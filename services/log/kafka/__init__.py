"""Kafka as the log: its clients and topics, the writer, and the reader as a member of a consumer group."""
