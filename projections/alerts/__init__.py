"""The life of a finding: the alerts of one person, step by step, and their shapes. Pure."""
