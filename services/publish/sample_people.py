"""Invented people: the words for them, their posts and cases, and the data of each fact about them."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from events.vocabulary import TRACK_OF

from .sample_lives import Step

SAME_AGENCY: Final = 2

_GIVEN: Final = ("Alin", "Bero", "Cela", "Daven", "Edra", "Fenn", "Galia", "Horan", "Ilke", "Jorun", "Lora", "Oren")
_STEM: Final = ("Bar", "Cond", "Dol", "Ferr", "Gol", "Hast", "Jar", "Kov", "Lund", "Mard", "Nor", "Ost", "Tam", "Zan")
_ENDING: Final = ("ak", "ane", "eck", "elin", "enko", "iar", "ides", "imov", "ing", "ola", "ori", "ow", "urd")
_REGIONS: Final = tuple(f"{side} Province" for side in ("Northern", "Southern", "Eastern", "Western", "Central"))
_AGENCIES: Final = (
    *("Customs Service", "Road Police", "Ministry of Waters", "Land Registry", "State Forests", "Tax Office"),
    *("Harbour Authority", "Border Guard", "Ministry of Roads", "Prison Service", "Public Housing Fund", "Mint"),
)
_POSTS: Final = ("head", "deputy head", "chief inspector", "head of department", "treasurer", "regional director")
_AUTHORITIES: Final = ("Anti-Corruption Bureau", "Prosecutor's Office", "City Court", "Regional Court")
_CHARGES: Final = ("taking a bribe", "abuse of office", "fraud", "embezzlement", "forgery")
_RELATIONS: Final = ("sibling", "spouse", "parent", "child", "associate", "subordinate", "superior")

_CASE_ENDS: Final = frozenset({"AllegationWithdrawn", "ChargesDropped", "Acquitted", "VerdictOverturned", "CaseClosed"})
_CHARGING: Final = frozenset({"SuspectNamed", "Charged", "ChargesAmended", "Indicted"})
_OFTEN_OMITTED: Final = frozenset({"after", "authority", "ground", "place", "region"})


class Person:
    """One invented person, and the facts so far. All of them draw from one source of random numbers."""

    def __init__(self, number: int, random: Random) -> None:
        self.subject = _subject_id(number)
        self.number = number
        self.random = random
        self.name = f"{random.choice(_GIVEN)} {random.choice(_STEM)}{random.choice(_ENDING)}"
        self.posts = _Posts(self.subject, random)
        self.cases = _Cases(self.subject, random)
        self.facts: list[dict[str, Any]] = []
        self.event: Mapping[str, Any] = {}

    def fact(self, step: Step, occurred: str, published: str) -> dict[str, Any]:
        """Return the next fact about this person, and keep it."""
        serial = len(self.facts) + 1
        source = {
            "url": f"https://news.example/{self.number + 1}/{serial}",
            "reliability": self.random.choice("ABCDEF"),
        }
        data = {
            "occurred": published if TRACK_OF[step.type] == "meta" else occurred,
            "published": published,
            "jurisdiction": "XA",
            "sources": [source],
        }
        event = {
            "type": step.type,
            "id": f"{self.subject}-{serial}",
            "source": "urn:casetrail:generated",
            "subject": self.subject,
            "data": data,
        }
        if step.plain:
            data |= self._particulars(step.type)
        elif step.again:
            event["data"] = self._second_report(data)
        else:
            self._add_scene(step, data)
            self.event = event
        self.facts.append(event)
        return event

    def _second_report(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return *data* as another paper's report of the last event: its own day and source, and fewer particulars."""
        event = self.event["data"]
        kept = {name: value for name, value in event.items() if name not in _OFTEN_OMITTED}
        paper = {**data["sources"][0], "publisher": "The Second Paper"}
        return {**kept, "occurred": data["occurred"], "published": data["published"], "sources": [paper]}

    def _add_scene(self, step: Step, data: dict[str, Any]) -> None:
        """Add to *data* the particulars of a step of a scene."""
        self.cases.begin(opens=step.opens)
        post = {} if step.post is None else self.posts.numbered(step.post)
        data |= self._particulars(step.type)
        data |= post
        if step.to_post is not None:
            data |= self.posts.move(self.posts.numbered(step.to_post))
        if step.counts:
            data["charges"] = [self.cases.charge(count) for count in step.counts]
        if step.second:
            data["case_id"] += "-b"
        if step.until:
            data["until"] = f"{int(data['published'][:4]) + 1}{data['published'][4:7]}"
        if step.then:
            data |= {"occurred": self.event["data"]["occurred"], "after": [self.event["id"]]}
        if step.type == "MeasureLifted" and "kind" not in step.data:
            data["fact_id"] = self.event["id"]
        data |= step.data
        for name in step.omitted:
            del data[name]

    def _particulars(self, type_: str) -> Mapping[str, Any]:
        match TRACK_OF[type_]:
            case "service":
                return self.posts.particulars(type_)
            case "case":
                return self.cases.particulars(type_)
            case "custody":
                scope = {"scope": self.random.choice(("national", "international"))} if type_ == "Wanted" else {}
                return {"case_id": self.cases.id(), **scope}
            case "measure":
                return {"case_id": self.cases.id(), "authority": self.random.choice(_AUTHORITIES)}
            case "meta":
                return self._about_a_fact(type_)
        return self._about_the_person(type_)

    def _about_the_person(self, type_: str) -> Mapping[str, Any]:
        match type_:
            case "Noted":
                return {}
            case "ReplyRecorded":
                return {"fact_id": self.facts[-1]["id"], "text": "Denies it."}
            case "SubjectDescribed":
                return {"name": self.name, "aliases": [self.name.upper()], **self.posts.described()}
        other = _subject_id(max(0, self.number - self.random.randint(1, 9)))
        return {"other": other, "relation": self.random.choice(_RELATIONS)}

    def _about_a_fact(self, type_: str) -> Mapping[str, Any]:
        """Correct a date to its month; or retract a fact, a correction if there is one."""
        corrections = [event for event in self.facts if event["type"] == "Corrected"]
        if type_ == "Retracted":
            target = self.random.choice(corrections or self.facts)
            return {"fact_id": target["id"], "reason": "The source took it back."}
        target = self.random.choice([event for event in self.facts if TRACK_OF[event["type"]] != "meta"])
        data = {**target["data"], "occurred": target["data"]["published"][:7], "note": "The month only is known."}
        return {"fact_id": target["id"], "data": data}


class _Posts:
    """The posts of one person: the present one, and those with a number in a scene."""

    def __init__(self, subject: str, random: Random) -> None:
        self.subject = subject
        self.random = random
        self.present: Mapping[str, str] = self._random_post()
        self.region = random.choice(_REGIONS)
        self.by_number: dict[int, Mapping[str, str]] = {}

    def particulars(self, type_: str) -> Mapping[str, Any]:
        """Return the data of a fact about the present post."""
        data = self.described()
        if type_ == "Transferred":
            return data | self.move(self._random_post())
        return data | ({"ground": "loss of trust"} if type_ == "Dismissed" else {})

    def described(self) -> dict[str, str]:
        """Return the fields of the present post."""
        return {**self.present, "region": self.region}

    def move(self, post: Mapping[str, str]) -> dict[str, str]:
        """Make *post* the present one, and return the fields of a transfer to it."""
        self.present = post
        return {f"to_{name}": value for name, value in post.items()}

    def numbered(self, number: int) -> Mapping[str, str]:
        """Return the post *number*: 0 the present one, 2 a post in the agency of the present one, others anywhere."""
        if number == 0:
            return self.present
        if number not in self.by_number:
            agency = {"agency": self.present["agency"]} if number == SAME_AGENCY else {}
            self.by_number[number] = {**self._random_post(), **agency, "post_id": f"{self.subject}-post-{number}"}
        return self.by_number[number]

    def _random_post(self) -> dict[str, str]:
        return {"post": self.random.choice(_POSTS), "agency": self.random.choice(_AGENCIES)}


class _Cases:
    """The cases of one person, one at a time, and the charges of the present one."""

    def __init__(self, subject: str, random: Random) -> None:
        self.subject = subject
        self.random = random
        self.number, self.is_named, self.has_ended = 1, False, False
        self.charges: dict[int, Mapping[str, Any]] = {}

    def begin(self, *, opens: bool) -> None:
        """Prepare a step of a scene; one that *opens* a case begins the next one, if a fact named the present one."""
        if opens and self.is_named:
            self.number, self.is_named = self.number + 1, False
            self.charges.clear()
        self.has_ended = False

    def particulars(self, type_: str) -> Mapping[str, Any]:
        """Return the data of a fact about the present case, or about the next one if the present one has ended."""
        if self.has_ended and type_ not in _CASE_ENDS:
            self.number, self.has_ended = self.number + 1, False
        self.has_ended = self.has_ended or type_ in _CASE_ENDS
        data: dict[str, Any] = {"case_id": self.id(), "authority": self.random.choice(_AUTHORITIES)}
        match type_:
            case "Accused":
                data["by"] = {"name": f"{self.random.choice(_GIVEN)} {self.random.choice(_STEM)}el"}
            case "Sentenced":
                data["sentence"] = f"{self.random.randint(2, 12)} years of imprisonment"
            case "CaseClosed":
                data["rehabilitating"] = bool(self.random.getrandbits(1))
            case _ if type_ in _CHARGING:
                data["charges"] = [self._offence()]
        return data

    def id(self) -> str:
        """Return the id of the present case, and note that a fact names it."""
        self.is_named = True
        return f"{self.subject}-case-{self.number}"

    def charge(self, number: int) -> Mapping[str, Any]:
        """Return the charge *number* of the present case."""
        if number not in self.charges:
            self.charges[number] = {"count_id": str(number), "article": f"{180 + number}", **self._offence()}
        return self.charges[number]

    def _offence(self) -> dict[str, Any]:
        amount = self.random.randint(1, 500) * 1000
        return {"title": self.random.choice(_CHARGES), "amount": amount, "currency": "XTS"}


def _subject_id(number: int) -> str:
    return f"ex-{number + 1:06}"
