"""The tables, and the statements that read and write their rows. All SQL of the projections begins here."""
