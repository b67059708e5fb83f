"""The conditions of rules: on data, on the status, and between facts."""
