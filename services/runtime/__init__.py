"""Parts of any service, without knowledge of facts: shutdown, heartbeat, backoff, probes with a timeout, logging."""
