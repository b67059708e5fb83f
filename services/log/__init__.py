"""The log of facts: one protocol, the table of the same database, Kafka, and the choice between them."""
