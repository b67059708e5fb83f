"""An unexpected error in a few words for logs and records, without any value that it may hold."""

from traceback import walk_tb

from services.database import failed_with

_OWN = frozenset({"events", "projections", "services"})


def fault_of(problem: Exception) -> str:
    """Return the kind of *problem* and the last line of our code that it passed, such as `KeyError in mime.py:7`."""
    frames = [
        (frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line)
        for frame, line in walk_tb(problem.__traceback__)
    ]
    own = [(file, line) for module, file, line in frames if module.partition(".")[0] in _OWN]
    places = own or [(file, line) for _, file, line in frames]
    where = "".join(f" in {file.rpartition('/')[2]}:{line}" for file, line in places[-1:])
    return f"{failed_with(problem)}{where}"
