"""What runs: settings, the logs, the projector loop and the `casetrail` command."""
