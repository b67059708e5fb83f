"""The faults and their times, drawn from a seed, so that a seed always draws the same schedule."""

from collections.abc import Iterator
from itertools import cycle
from random import Random
from typing import Final, NamedTuple

KINDS: Final = (
    "kill_projector",
    "freeze_projector",
    "restart_broker",
    "freeze_broker",
    "restart_postgres",
    "end_sessions",
    "cut_commits",
    "kill_notifier",
    "freeze_notifier",
    "kill_correlator",
    "freeze_correlator",
)
SESSION_SECONDS: Final = 2
"""Seconds without a heartbeat after which a projector loses its partitions."""

EVERY_SECONDS: Final = 2.4
SCALES: Final = ((0.0, 2), (0.12, 4), (0.25, 8), (0.75, 3))
"""The number of projectors from each part of the time on."""

MOMENTS: Final = ("before", "during", "after")


class Fault(NamedTuple):
    """
    One fault.

    Attributes:
        at: seconds after the start.
        kind: one of `KINDS`, or ``scale``.
        pick: the number of the running process, modulo their count.
        seconds: the duration of a fault that ends.
        times: the number of projectors for ``scale``, and of repetitions for others.
        moments: the moment of each cut for ``cut_commits``.
    """

    at: float
    kind: str
    pick: int = 0
    seconds: float = 0.0
    times: int = 1
    moments: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = {
            "pick": self.pick,
            "seconds": self.seconds,
            "times": self.times if self.times > 1 else 0,
            "moments": ",".join(self.moments),
        }
        fields = [f"{name}={value}" for name, value in values.items() if value]
        return " ".join([f"{self.at:6.1f} s", self.kind, *fields])


def draw(seed: int, seconds: float) -> list[Fault]:
    """Return the faults of a run of *seconds*, in their order; each kind comes at least once."""
    random = Random(seed)  # noqa: S311 - not a secret
    count = max(len(KINDS), int(seconds / EVERY_SECONDS))
    kinds = [*_shuffled(random, count)]
    # The last part of the time is left for work that is still under way.
    times = sorted(random.uniform(0.06, 0.85) * seconds for _ in kinds)
    faults = [_fault(random, round(at, 1), kind) for at, kind in zip(times, kinds, strict=True)]
    faults += [Fault(round(part * seconds, 1), "scale", times=count) for part, count in SCALES]
    return sorted(faults, key=lambda fault: fault.at)


def _shuffled(random: Random, count: int) -> Iterator[str]:
    """Yield *count* kinds, with all of them before any is repeated."""
    left: list[str] = []
    for _ in range(count):
        if not left:
            left = random.sample(KINDS, len(KINDS))
        yield left.pop()


def _fault(random: Random, at: float, kind: str) -> Fault:
    pick = random.randrange(24)
    match kind:
        case "freeze_projector" | "freeze_notifier" | "freeze_correlator":
            return Fault(at, kind, pick, round(SESSION_SECONDS * random.uniform(2, 4), 1))
        case "freeze_broker":
            return Fault(at, kind, seconds=round(random.uniform(1, 4), 1))
        case "restart_broker" | "restart_postgres":
            return Fault(at, kind, seconds=round(random.uniform(0, 3), 1))
        case "end_sessions":
            return Fault(at, kind, times=random.randrange(3, 12), seconds=round(random.uniform(0.02, 0.2), 2))
        case "cut_commits":
            moments = cycle(random.sample(MOMENTS, len(MOMENTS)))
            return Fault(at, kind, moments=tuple(next(moments) for _ in range(random.randrange(3, 7))))
    return Fault(at, kind, pick)
