"""A progress bar on stderr, for long work; nothing where stderr is not a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .output import progress_console


class Advance(Protocol):
    """Tell of *steps* more steps, or, if *absolute*, of the number reached."""

    def __call__(self, steps: int, *, absolute: bool = False) -> None:
        """Tell of it."""


@contextmanager
def bar(title: str, total: int | None) -> Iterator[Advance]:
    """Show how far the work of *total* steps has come (None: not known), and an estimate of the rest."""
    console = progress_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    # What a command prints to stdout must not end up beside the bar, which is where rich would put it.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, disable=hidden) as progress:
        task = progress.add_task(title, total=total)

        def advance(steps: int, *, absolute: bool = False) -> None:
            if absolute:
                progress.update(task, completed=steps)
            else:
                progress.update(task, advance=steps)

        yield advance
