"""Conclusions from the facts: statuses, alerts, the audit ledger and the tables that hold them."""
