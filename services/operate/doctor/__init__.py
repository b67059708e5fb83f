"""The checks of `casetrail doctor`."""
