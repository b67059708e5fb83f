"""The texts of several alerts in one message: the openings of a minute, and the digest of a day."""

from collections.abc import Iterator, Sequence

from projections.queries.notices import Background, people_of
from services.words.text import Text

from .loading import Messages, load
from .notices import AlertNotice, change_lines, title_of
from .parts import evidence_lines, links_of, ordered_people, plain, presumption_lines, sentence_lines, text_facts


def word_summary(notices: Sequence[AlertNotice], background: Background, language: str) -> Text:
    """
    Return the text of many openings within a minute: the first line and the sentence of each.

    Args:
        notices: the openings, each alert once.
        background: the facts and people that they speak of.
        language: the language of the receiver.

    Raises:
        BadInput: if the language has no texts.
    """
    messages = load(language)
    return Text(
        messages.say("title.summary", number=len(notices)),
        (*(_story(notice, background, messages) for notice in notices), _everybody(notices, background, messages)),
        language,
        _links(notices, background),
    )


def word_digest(
    day: str, standing: Sequence[AlertNotice], ended: Sequence[AlertNotice], background: Background, language: str
) -> Text:
    """
    Return the text of a digest, grouped by person: the open alerts, each once, then those that ended.

    Args:
        day: the day of the digest, in the receiver's zone.
        standing: the alerts that are open.
        ended: the ends, each of an alert of an earlier digest or message.
        background: the facts and people that they speak of.
        language: the language of the receiver.

    Raises:
        BadInput: if the language has no texts.
    """
    messages = load(language)
    title = messages.say("title.digest", day=plain(day), open=len(standing), ended=len(ended))
    parts = (("digest.open", standing), ("digest.ended", ended))
    body = [
        paragraph
        for key, notices in parts
        if notices
        for paragraph in (messages.say(key), *_by_person(notices, background, messages))
    ]
    return Text(title, tuple(body), language, _links((*standing, *ended), background))


def _by_person(notices: Sequence[AlertNotice], background: Background, messages: Messages) -> Iterator[str]:
    """Yield the presumption of each person with the alerts about them, then the alerts about several people."""
    of_one: dict[str, list[AlertNotice]] = {}
    of_several = []
    for notice in notices:
        people = people_of(notice.alert)
        if len(people) == 1:
            of_one.setdefault(people[0], []).append(notice)
        else:
            of_several.append(notice)
    for subject_id, own in sorted(of_one.items()):
        yield "\n".join(presumption_lines([subject_id], background, messages))
        yield from (_story(notice, background, messages) for notice in own)
    if of_several:
        yield messages.say("digest.group")
        yield from (_story(notice, background, messages) for notice in of_several)
        yield _everybody(of_several, background, messages)


def _story(notice: AlertNotice, background: Background, messages: Messages) -> str:
    """Return one alert in a paragraph: its first line, its sentence, its evidence; of one that ended, the end."""
    alert = notice.alert
    lines = [
        title_of(notice, background, messages),
        *sentence_lines(alert, notice.sentences, notice.language_of_rule, messages),
        *evidence_lines(alert["evidence"], background, messages),
        *(change_lines(notice, background, messages) if notice.kind != "open" else ()),
    ]
    return "\n".join(lines)


def _everybody(notices: Sequence[AlertNotice], background: Background, messages: Messages) -> str:
    people = [own for notice in notices for own in ordered_people(notice.alert, background)]
    return "\n".join(presumption_lines(people, background, messages))


def _links(notices: Sequence[AlertNotice], background: Background) -> tuple[str, ...]:
    return links_of([fact_id for notice in notices for fact_id in text_facts(notice.alert)], background)
