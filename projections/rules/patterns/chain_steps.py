"""The steps of a chain: read together, with every problem at its place (docs/design.md, 4.5)."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from events.text import quote_briefly, storable
from projections.rules.conditions.status import FROZEN
from projections.rules.conditions.where import Where
from projections.rules.files.yaml_source import Loc, nearest
from projections.rules.limits import Delay, Length
from projections.rules.values import WANTED, FactTypes, RelatedFields, wrong

MOST_STEPS: Final = 5
NAME: Final = r"[a-z][a-z0-9_-]{0,39}"
"""The form of a step's name, as a regular expression of both Python and JSON Schema."""
RESERVED: Final = (
    *("anchor", "then", "absent", "any", "name", "subject", "first", "last", "count", "group", "limit"),
    *(f"step{number}" for number in range(1, MOST_STEPS + 1)),
)
"""The names that have a meaning of their own in a rule."""


class ThenStep(BaseModel):
    """A fact of some types that follows the step before within a time."""

    model_config = FROZEN
    then: FactTypes
    within: Length
    where: Where | None = None
    same: RelatedFields = frozenset()
    new: RelatedFields = frozenset()
    name: str | None = Field(alias="as", default=None)


class AbsentStep(BaseModel):
    """The end of a chain: no fact of some types follows the step before for a time, evaluated `settle` later."""

    model_config = FROZEN
    absent: FactTypes
    wait: Length = Field(alias="for")
    settle: Delay = timedelta(0)
    where: Where | None = None
    same: RelatedFields = frozenset()
    new: RelatedFields = frozenset()


ChainStep = ThenStep | AbsentStep


def names_of(step: ChainStep, number: int) -> tuple[str, ...]:
    """Return the names of the step *number*, which count from 1: by its place, and by `as`."""
    if isinstance(step, AbsentStep):
        return ()
    return (f"step{number}", *([step.name] if step.name else []))


def read_steps(value: object, info: ValidationInfo) -> tuple[ChainStep, ...]:
    """
    Return the steps in *value*, as YAML has them or as a stored rule does.

    Raises:
        ValidationError: with every problem, each at the keys and indexes that lead to it.
    """
    if not isinstance(value, list | tuple) or not value:
        raise wrong(f"{storable(quote_briefly(value)) if value else 'nothing'} is here", WANTED["steps"])
    if len(value) > MOST_STEPS:
        raise wrong(f"{len(value)} steps are here", f"at most {MOST_STEPS}")
    reading = _Reading(info.context)
    steps = [reading.step(index, step, is_last=index + 1 == len(value)) for index, step in enumerate(value)]
    reading.check_names([*value])
    reading.check_roles([*value], steps)
    if reading.errors:
        raise ValidationError.from_exception_data("steps", reading.errors)
    return tuple(step for step in steps if step is not None)


class _Reading:
    """The reader of the steps of one rule, with the problems found so far."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401 - of pydantic
        self.errors: list[InitErrorDetails] = []
        self._context = context

    def step(self, index: int, value: object, *, is_last: bool) -> ChainStep | None:
        """Read one step; None: it has a problem."""
        if isinstance(value, ChainStep):
            return value
        if not isinstance(value, Mapping):
            self._refuse((index,), f"{quote_briefly(value) if value else 'nothing'} is not a step", _STEP_WANTED)
            return None
        keys = {key: held for key, held in value.items() if isinstance(key, str)}
        kinds = [key for key in ("then", "absent") if key in keys]
        if len(kinds) != 1:
            what = "both then and absent are in this step" if kinds else "neither then nor absent is in this step"
            self._refuse((index,), what, "one of them: then for a follow-up, absent for silence in the last step")
            keys = {key: held for key, held in keys.items() if key not in _EVERY_KEY}
        elif kinds == ["absent"] and not is_last:
            self._refuse((index, "absent"), "absent is in a step before the last", "then, or absent in the last step")
        model: type[ChainStep] = AbsentStep if kinds == ["absent"] else ThenStep
        try:
            step = model.model_validate(keys, context=self._context)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                # Without a kind of step, the keys that are missing cannot be known. Names are checked by themselves.
                is_name = found["loc"][0] == "as" and found["type"] != "extra_forbidden"
                if not is_name and (len(kinds) == 1 or found["type"] != "missing"):
                    self._note(index, model if len(kinds) == 1 else None, found)
            return None
        return step

    def check_names(self, steps: Sequence[object]) -> None:
        """Check the `as` of each step, whatever else is wrong with the step."""
        taken: set[str] = set()
        for index, step in enumerate(steps):
            name = _name_of(step)
            if name is None:
                continue
            loc = (index, "as")
            if not isinstance(name, str) or not re.fullmatch(NAME, name, re.ASCII):
                self._refuse(loc, f"{quote_briefly(name)} is not a name of a step", WANTED["as"])
            elif name in RESERVED:
                self._refuse(loc, f'"{name}" has a meaning of its own in a rule', WANTED["as"])
            elif name in taken:
                self._refuse(loc, f'"{name}" is the name of a step before too', "another name")
            taken |= {name} if isinstance(name, str) else set()

    def check_roles(self, values: Sequence[object], steps: Sequence[ChainStep | None]) -> None:
        """Check that each `where` names only the anchor, its own step and the step before."""
        for index, step in enumerate(steps):
            if step is None or step.where is None:
                continue
            own = "absent" if isinstance(step, AbsentStep) else "then"
            roles = ["anchor", own]
            for place in (index, index - 1):
                name = _name_of(values[place]) if place >= 0 else None
                if place == index and own == "absent":
                    continue
                roles += [f"step{place + 1}"] if place >= 0 else []
                roles += [name] if isinstance(name, str) else []
            try:
                step.where.require_roles(roles)
            except ValidationError as error:
                for found in error.errors(include_url=False):
                    self._refuse((index, "where", *found["loc"]), found["ctx"]["what"], found["ctx"]["wanted"])

    def _note(self, index: int, model: type[BaseModel] | None, found: ErrorDetails) -> None:
        loc, key = (index, *found["loc"]), str(found["loc"][-1])
        known = _EVERY_KEY if model is None else _keys(model)
        match found["type"]:
            case "rule":
                self._refuse(loc, found["ctx"]["what"], found["ctx"]["wanted"])
            case "missing":
                self._refuse(loc, f"{key} is missing", WANTED[key])
            case "extra_forbidden":
                wanted = f"one of {', '.join(known)}"
                what = f"{key} is not for a step with {known[0]}"
                if key not in _EVERY_KEY:
                    what, wanted = f"unknown key {quote_briefly(key)}", nearest(key, known, wanted)
                what = storable(what)
                error = PydanticCustomError("rule_key", "{what} (want {wanted})", {"what": what, "wanted": wanted})
                self.errors.append(InitErrorDetails(type=error, loc=loc, input=None))
            case _:
                self._refuse(loc, f"{quote_briefly(found['input'])} is not what {key} takes", WANTED[key])

    def _refuse(self, loc: Loc, what: str, wanted: str) -> None:
        self.errors.append(InitErrorDetails(type=wrong(storable(what), wanted), loc=loc, input=None))


def _name_of(step: object) -> object:
    """Return the `as` of a step as it is written, or as it was read; None: it has none."""
    if isinstance(step, ThenStep):
        return step.name
    return step.get("as") if isinstance(step, Mapping) and "absent" not in step else None


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


_EVERY_KEY: Final = tuple(dict.fromkeys((*_keys(ThenStep), *_keys(AbsentStep))))
_STEP_WANTED: Final = "then and within, such as {then: Detained, within: P30D}"
