"""
A literal reading of docs/design.md, as plain and as slow as possible, which the code must agree with.

All results are computed from the whole set of facts about one person. Nothing of `projections` is used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from events.edtf import parse
from events.facts import Fact
from tests.oracle.model_cases import WEIGHT, Case
from tests.oracle.model_counts import Count
from tests.oracle.model_custody import STRICTEST, Custody, Measures
from tests.oracle.model_posts import Posts, post_row, unnamed
from tests.oracle.model_time import TRACK, Event, Flags, Normal, begins_after, cell, folded, moment, world, years

Row = dict[str, Any]
Chain = tuple[Normal, list[Event]]
OF_A_ROW = ("post", "agency", "region")


def status(facts: Sequence[Fact], clock: datetime, as_of: datetime | None = None) -> Row:
    """
    Return the status of the person in *facts*, as JSON, without `position` and `unread`.

    Args:
        facts: all facts about one person, at least one.
        clock: the watermark; facts that are ahead count once it has passed them.
        as_of: the instant of the world for the status; None for all facts that count.
    """
    events, flags = world(facts, clock, as_of)
    life = Life(flags)
    for _, group in groupby(events, key=lambda event: event.pos[0][:2]):
        life.read(list(group))
    return life.row(facts[0].subject)


@dataclass
class Life:
    """The whole state of one person."""

    flags: Flags
    cases: dict[str, Case] = field(default_factory=dict)
    described: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.posts = Posts(self.flag)
        self.custody = Custody(self.flag)
        self.measures = Measures(self.flag)

    @property
    def died(self) -> Event | None:
        """Return the death, or None."""
        return self.posts.died

    def flag(self, code: str, event: Event) -> None:
        """Note an anomaly."""
        self.flags.add((code, event.id))

    def read(self, group: Sequence[Event]) -> None:
        """Apply the events of one span, track by track, each with the events that `after` places behind it."""
        by_rank = sorted({event.pos[0] for event in group})
        chains = [(root, [event for event in group if event.pos[0] == root]) for root in by_rank]
        of_service = [chain for chain in chains if TRACK_AT[chain[0][2]] == "service"]
        of_custody = [chain for chain in chains if TRACK_AT[chain[0][2]] == "custody"]
        for event in self._service(of_service):
            self._apply(event)
        for _, events in chains[len(of_service) :]:
            if events and TRACK_AT[events[0].pos[0][2]] == "case":
                for event in events:
                    self._apply(event)
        for event, keys in self._custody(of_custody):
            self._apply(event, keys)
        for root, events in chains:
            if TRACK_AT[root[2]] not in {"service", "case", "custody"}:
                for event in events:
                    self._apply(event)

    def _service(self, chains: Sequence[Chain]) -> Iterator[Event]:
        roots = [event for _, events in chains for event in events if len(event.pos) == 1]
        phases = {} if self.died else self.posts.phases(roots)
        # Events behind another report of an event are read in the group of that event.
        phases |= {name: phases[event.id] for event in roots if event.id in phases for name in event.reports}
        for _, events in sorted(chains, key=lambda chain: (phases.get(chain[0][-1], 0), chain[0])):
            yield from events

    def _custody(self, chains: Sequence[Chain]) -> Iterator[tuple[Event, set[str | None] | None]]:
        roots = [event for _, events in chains for event in events if len(event.pos) == 1]
        steps = [(0, event, None) for event in roots] if self.died else self.custody.batch(roots)
        by_root = dict(chains)
        phase_of = {name: phase for phase, event, _ in steps[::-1] for name in event.reports}
        root_ids = {event.id for event in roots}
        orphans = {(phase_of.get(root[-1], 0), root) for root in by_root if root[-1] not in root_ids}
        order = sorted({(phase, event.pos[0]) for phase, event, _ in steps} | orphans)
        keys_of = {(phase, event.pos[0]): (event, keys) for phase, event, keys in steps}
        done = set()
        for phase, root in order:
            if (phase, root) in keys_of:
                yield keys_of[phase, root]
            if root not in done:
                done.add(root)
                yield from ((event, None) for event in by_root[root] if len(event.pos) > 1)

    def _apply(self, event: Event, keys: set[str | None] | None = None) -> None:
        track = TRACK[event.type]
        if track == "service":
            self.posts.read(event)
            if event is self.died:
                self.custody.die(event)
        elif track == "case":
            self._case(event)
        elif track == "custody" and self.died:
            self.flag("after_death", event)
        elif track == "custody":
            self.custody.read(event, keys)
        elif track == "measure":
            self.measures.read(event)
        elif event.type == "SubjectDescribed":
            self.described.append(event)

    def _case(self, event: Event) -> None:
        case_id = event.data["case_id"]
        new = case_id not in self.cases
        case = self.cases.setdefault(case_id, Case(self.flag))
        case.read(event)
        if (new or case.was_open) and not case.open and not self.died:
            convicted = any(count.finally_convicted for count in case.counts)
            self.custody.case_ended(case_id, event, convicted=convicted)

    def row(self, subject_id: str) -> Row:
        """Return the row of the person."""
        self._flag_descriptions()
        self._flag_held_after_end()
        stage, stage_open = self._stage()
        service, service_event, _ = self.posts.shown()
        custody, wanted = self._custody_cell(), self._wanted()
        counts = [count for case in self._criminal() for count in case.counts]
        headline = next(
            word
            for word in (
                "deceased" if self.died else None,
                custody["status"] if custody["status"] not in {"released", "sentence_served", "unknown"} else None,
                stage and stage_open and stage["status"],
                wanted and "wanted",
                stage and stage["status"],
                service,
            )
            if word
        )
        return {
            "subject_id": subject_id,
            **self._words(),
            "headline": headline,
            "service": cell(service, service_event),
            "custody": custody,
            "wanted": wanted,
            "stage": stage,
            "open_cases": sum(case["open"] and case["kind"] == "criminal" for case in self._cases()),
            "convicted_cases": sum(
                any(count.stands_convicted and count.final for count in case.counts) for case in self._criminal()
            ),
            "counts": numbers(counts),
            "presumption": self._presumption(counts),
            "anomalies": [{"code": code, "fact_id": name} for code, name in sorted(self.flags)],
            "posts": [self._post(n) for n in range(len(self.posts.known))],
            "cases": self._cases(),
            "custody_cases": self._custody_cases(),
            "searches": self._searches(),
            "measures": self._measures(),
        }

    def _criminal(self) -> list[Case]:
        return [case for case in self.cases.values() if case.kind in {None, "criminal"}]

    def _words(self) -> Row:
        """Return the name and the post of the row, each with its fact."""
        named = [event for event in self.described if "name" in event.data]
        post = self.posts.shown()[2]
        words: dict[str, Any] = {}
        source: Event | None = None
        if post and not unnamed(post.words):
            words, source = dict(post.words), post.words_event
        else:
            for event in self.described:
                if event.data.keys() & {*OF_A_ROW}:
                    words, source = dict(event.data), event
        post_words = {name: words.get(name) for name in OF_A_ROW}
        stating = [event for event in self.described if "jurisdiction" in event.data]
        law = stating[-1] if stating else post.words_event if post and post.words.get("jurisdiction") else None
        return {
            "name": named[-1].data["name"] if named else None,
            "name_fact_id": named[-1].id if named else None,
            **post_words,
            **{f"{name}_fact_id": source.id if source and post_words[name] else None for name in OF_A_ROW},
            "jurisdiction": law.data.get("jurisdiction") if law else None,
            "jurisdiction_fact_id": law.id if law else None,
        }

    def _stage(self) -> tuple[Row | None, bool]:
        """Return the stage of the row, and whether it belongs to an open case."""
        stages = [(case.open, case.shown_stage) for case in self._criminal()]
        open_ = [stage for is_open, stage in stages if is_open and stage]
        if open_:
            return cell(*max(open_, key=lambda stage: (WEIGHT[stage[0]], stage[1].pos))), True
        ended = [stage for is_open, stage in stages if not is_open and stage]
        return (cell(*max(ended, key=lambda stage: stage[1].pos)), False) if ended else (None, False)

    def _presumption(self, counts: Sequence[Count]) -> str:
        if any(count.stands_convicted and count.final for count in counts):
            return "convicted"
        if not self.died and any(count.status == "convicted" for count in counts):
            return "convicted_not_final"
        if any(case["open"] and case["kind"] == "criminal" for case in self._cases()):
            return "presumed_innocent"
        if self._held_since():
            return "presumed_innocent"
        ended = [count for count in counts if count.status != "replaced"]
        clear = [not count.open and (count.status == "acquitted" or count.rehabilitated) for count in ended]
        hinders = [
            count for count, clears in zip(ended, clear, strict=True) if not clears and count.status != "withdrawn"
        ]
        return "cleared" if any(clear) and not hinders else "presumed_innocent"

    def clearing(self) -> Event | None:
        """Return the event that cleared the person last; None if the presumption says something else."""
        counts = [count for case in self._criminal() for count in case.counts]
        if self._presumption(counts) != "cleared":
            return None
        ended = [count.end for count in counts if count.status == "acquitted" or count.rehabilitated]
        return max(ended, key=lambda event: event.pos)

    def _held_since(self) -> bool:
        """Return whether custody or a search began after the end of the last criminal case."""
        ended = [case.shown_stage[1] for case in self._criminal() if not case.open and case.shown_stage]
        if not ended:
            return False
        last = max(ended, key=lambda event: event.pos).span.latest
        begun = [hold.since for hold in self.custody.holds.values() if hold.active]
        begun += [search.since for search in self.custody.searches]
        return any(last and event.span.earliest and event.span.earliest >= last for event in begun)

    def _left_out(self, case_id: str | None) -> bool:
        """Return whether the case ended without a conviction."""
        case = self.cases.get(case_id) if case_id else None
        return case is not None and not (case.open or any(count.stands_convicted for count in case.counts))

    def _custody_cell(self) -> Row:
        if self.died:
            return cell("deceased", self.died)
        holds = [hold for key, hold in self.custody.holds.items() if not (hold.active and self._left_out(key))]
        first = max(holds, key=lambda hold: (-STRICTEST.index(hold.status), hold.since.pos), default=None)
        return cell(first.status, first.since) if first else cell("unknown", None)

    def _wanted(self) -> Row | None:
        left = [search for search in self.custody.searches if not self._left_out(search.key[0])]
        widest = [search for search in left if search.scope == "international"] or left
        first = min(widest, key=lambda search: search.since.pos, default=None)
        return cell(first.scope, first.since) if first else None

    def _flag_held_after_end(self) -> None:
        held = [(key, hold.since) for key, hold in self.custody.holds.items() if hold.active]
        for key, event in held + [(search.key[0], search.since) for search in self.custody.searches]:
            case = self.cases.get(key) if key else None
            if case and not case.open and case.shown_stage and case.shown_stage[0] != "final":
                self.flag("held_after_end", event)

    def _flag_descriptions(self) -> None:
        for n, event in enumerate(self.described):
            if "born" in event.data and begins_after(parse(event.data["born"]), event.published):
                self.flag("born_ahead", event)
            if any(differs(event, other) for other in self.described[:n]):
                self.flag("identity_differs", event)

    def _post(self, n: int) -> Row:
        post = self.posts.known[n]
        return {
            **post_row(post),
            **cell(post.status, post.since),
            "began": moment(post.began) if post.began else None,
        }

    def _cases(self) -> list[Row]:
        """Return the rows of the cases, with those that only custody facts name."""
        rows = {case_id: self._case_row(case_id, case) for case_id, case in self.cases.items()}
        for key, hold in self.custody.holds.items():
            if key is not None and key not in rows:
                rows[key] = self._case_row(key, Case(self.flag)) | {"open": hold.active}
        return [rows[case_id] for case_id in sorted(rows)]

    def _case_row(self, case_id: str, case: Case) -> Row:
        stage = case.shown_stage
        sentence = case.sentence.data if case.sentence else {}
        return {
            "case_id": case_id,
            "kind": case.kind or "criminal",
            "kind_fact_id": identity(case.kind_event),
            "stage": cell(*stage) if stage else None,
            "open": case.open and not self.died,
            "suspended": bool(case.suspended),
            "suspended_fact_id": identity(case.suspended),
            "counts": [count_row(count) for count in case.counts],
            "sentence": sentence.get("sentence"),
            "parts": sentence.get("parts", []),
            "sentence_fact_id": identity(case.sentence),
            "charges": case.charges.data["charges"] if case.charges else [],
            "charges_fact_id": identity(case.charges),
            "authority": case.authority.data["authority"] if case.authority else None,
            "authority_fact_id": identity(case.authority),
        }

    def _custody_cases(self) -> list[Row]:
        return [
            {
                "case_id": key,
                **cell(hold.status, hold.since),
                "until": hold.until,
                "until_fact_id": identity(hold.until_event),
                "authority": hold.since.data.get("authority"),
                "place": hold.since.data.get("place"),
                "counted": not (hold.active and self._left_out(key)),
            }
            for key, hold in sorted(self.custody.holds.items(), key=lambda item: item[0] or "")
        ]

    def _searches(self) -> list[Row]:
        rows = []
        for search in self.custody.searches:
            case_id, scope, jurisdiction = search.key
            fields = {"case_id": case_id, "scope": scope, "jurisdiction": jurisdiction}
            fields |= {"authority": search.since.data.get("authority"), "counted": not self._left_out(case_id)}
            rows.append(fields | without_status(search.since))
        return rows

    def _measures(self) -> list[Row]:
        names = ("kind", "title", "authority", "program", "case_id")
        return [
            {name: measure.since.data.get(name) for name in names}
            | {"until": measure.until, "until_fact_id": identity(measure.until_event)}
            | without_status(measure.since)
            for measure in self.measures.standing
        ]


TRACK_AT = list(TRACK.values())


def identity(event: Event | None) -> str | None:
    """Return the id of the best report of *event*."""
    return event.id if event else None


def without_status(event: Event) -> Row:
    """Return a cell without its status."""
    return {name: value for name, value in cell("", event).items() if name != "status"}


def differs(a: Event, b: Event) -> bool:
    """Return whether two descriptions share no name and no year of birth."""
    names = [{folded(name) for name in (e.data.get("name"), *e.data.get("aliases", [])) if name} for e in (a, b)]
    born = [parse(event.data["born"]) for event in (a, b) if "born" in event.data]
    if not all(names) or names[0] & names[1] or len(born) < 2 or not all(span.dated for span in born):
        return False
    (first, last), (other_first, other_last) = (years(span) for span in born)
    return last < other_first or other_last < first


def numbers(counts: Sequence[Count]) -> Row:
    """Return the numbers of counts by state, without those that were replaced."""
    totals = dict.fromkeys(("undecided", "convicted", "acquitted", "ended"), 0)
    for count in counts:
        if count.status != "replaced":
            totals[count.status if count.status in totals else "ended"] += count.n
    return totals


def count_row(count: Count) -> Row:
    """Return one count in the form that programs read."""
    return {
        **{name: count.charge.get(name) for name in ("count_id", "article", "title", "amount", "currency")},
        "counts": count.n,
        **cell(count.status, count.since),
        "authority": count.since.data.get("authority"),
        "verdict": count.verdict,
        "verdict_fact_id": identity(count.verdict_event),
        "final": bool(count.final),
        "final_fact_id": identity(count.final),
        "on_appeal": bool(count.appeal),
        "appeal_fact_id": identity(count.appeal),
        "in_absentia": count.in_absentia,
        "rehabilitated": count.rehabilitated,
        "charge_fact_id": identity(count.charge_event),
        "sentence_fact_id": identity(count.sentence),
    }
