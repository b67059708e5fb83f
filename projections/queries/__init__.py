"""Questions that people ask of the tables: subjects, alerts, rejected records, verification, export."""
