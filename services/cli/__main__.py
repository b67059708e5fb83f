"""Run the command as ``python -m services.cli``."""

from . import main

main()
