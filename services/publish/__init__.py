"""Facts on their way into the log: lines, batches, corrections, the import of an export, invented samples."""
