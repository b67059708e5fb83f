"""The rule language: rules as data, and the findings of a rule in one person's history. Pure."""
