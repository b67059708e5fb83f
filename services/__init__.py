"""The running program: settings, the logs, publishing, delivery, the workers and the `casetrail` command."""
