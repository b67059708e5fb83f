"""Select the routes that a notice fits."""

from collections.abc import Iterator

from events.text import comparison_form
from services.delivery.config.model import DeliveryConfig, Route

from .notice import Notice


def fitting_routes(config: DeliveryConfig, receiver: str, notice: Notice) -> Iterator[Route]:
    """Yield the routes to *receiver* that *notice* fits, in the order of the file; each of them sends."""
    for route in config.routes:
        if receiver in route.to and _fits(config, route, notice):
            yield route


def _fits(config: DeliveryConfig, route: Route, notice: Notice) -> bool:
    facets = notice.facets
    return (
        _has(route.severity, notice.severity)
        and _has(route.rule, notice.rule)
        and _meets(_folded(route.jurisdiction), _folded(facets.jurisdictions))
        and _meets(_folded(route.agency), _folded(facets.agencies))
        and _meets(_folded(route.region), _folded(facets.regions))
        and _meets(route.subject, facets.subjects)
        and _meets(route.type, facets.types)
        and (not route.watchlist or any(config.watchlists[name] & facets.subjects for name in route.watchlist))
    )


def _has(wanted: frozenset[str], value: str | None) -> bool:
    return not wanted or value in wanted


def _meets(wanted: frozenset[str], values: frozenset[str]) -> bool:
    return not wanted or bool(wanted & values)


def _folded(texts: frozenset[str]) -> frozenset[str]:
    """Return *texts* in the form in which they are compared."""
    return frozenset(map(comparison_form, texts))
