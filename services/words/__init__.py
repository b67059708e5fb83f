"""Facts, statuses and alerts in words for people, as plain text."""
