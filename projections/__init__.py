"""What we conclude from the facts: history, status, rules, alerts, the audit ledger and the tables."""
