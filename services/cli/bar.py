"""A progress bar on stderr for long work; it is hidden if stderr is not a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .output import progress_console


class Advance(Protocol):
    """A function that moves the bar by *steps*, or to *steps* if *absolute*."""

    def __call__(self, steps: int, *, absolute: bool = False) -> None:
        """Move the bar."""


@contextmanager
def bar(title: str, total: int | None) -> Iterator[Advance]:
    """Show the progress of *total* steps (None: not known), and an estimate of the remaining time."""
    console = progress_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    # By default rich would redirect the output on stdout to the bar's stderr.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, disable=hidden) as progress:
        task = progress.add_task(title, total=total)

        def advance(steps: int, *, absolute: bool = False) -> None:
            if absolute:
                progress.update(task, completed=steps)
            else:
                progress.update(task, advance=steps)

        yield advance


def no_bar(steps: int, *, absolute: bool = False) -> None:
    """Show no progress."""
