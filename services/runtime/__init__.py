"""Parts of any service, which know no facts: shutdown, heartbeat, probes with a timeout, logging."""
