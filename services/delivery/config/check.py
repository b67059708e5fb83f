"""Parts of a correct configuration that can have no effect, and rules that it tells nobody of."""

from collections.abc import Mapping
from typing import NamedTuple

from events.text import near_words

from .model import DeliveryConfig, KafkaTopic, Route


class UnknownRule(NamedTuple):
    """A rule that a route names and that is not in force, the place of the route, and the nearest rule, if any."""

    route: int
    rule: str
    nearest: str | None


class Unserved(NamedTuple):
    """
    The gaps of a configuration; everything is in the order of the file or of the rules.

    Attributes:
        rules: rules that no route can send: by their id, their severity, or because all watchlists are empty.
        watchlists: watchlists that no route names.
        empty_watchlists: watchlists without people.
        receivers: receivers that neither a route nor `operators` names, without topics of Kafka.
        unknown_rules: names of rules that are not in force.
    """

    rules: tuple[str, ...]
    watchlists: tuple[str, ...]
    empty_watchlists: tuple[str, ...]
    receivers: tuple[str, ...]
    unknown_rules: tuple[UnknownRule, ...]


def unserved(config: DeliveryConfig, severities: Mapping[str, str]) -> Unserved:
    """
    Return the gaps of *config*.

    Args:
        config: the configuration.
        severities: the severity of each rule in force of which notices are sent, by the id of the rule.
    """
    named_lists = {name for route in config.routes for name in route.watchlist}
    # A topic of Kafka gets everything, without a route.
    topics = {name for name, receiver in config.receivers.items() if isinstance(receiver.target, KafkaTopic)}
    named_receivers = {*topics, *config.operators, *(name for route in config.routes for name in route.to)}
    return Unserved(
        tuple(
            rule
            for rule, severity in severities.items()
            if not any(_can_send(config, route, rule, severity) for route in config.routes)
        ),
        tuple(name for name in config.watchlists if name not in named_lists),
        tuple(name for name, people in config.watchlists.items() if not people),
        tuple(name for name in config.receivers if name not in named_receivers),
        tuple(
            UnknownRule(route.index, rule, next(iter(near_words(rule, severities, most=1)), None))
            for route in config.routes
            for rule in sorted(route.rule)
            if rule not in severities
        ),
    )


def _can_send(config: DeliveryConfig, route: Route, rule: str, severity: str) -> bool:
    """Return whether *route* can fit an alert of *rule*. Its other conditions depend on the facts."""
    return (
        (not route.rule or rule in route.rule)
        and (not route.severity or severity in route.severity)
        and (not route.watchlist or any(config.watchlists[name] for name in route.watchlist))
    )
