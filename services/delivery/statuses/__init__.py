"""The topic of statuses: the present row of each person, for readers of Kafka."""
