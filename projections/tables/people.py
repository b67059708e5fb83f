"""The tables of conclusions about people: one row a person, and the parts that this row summarises."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from .columns import METADATA, Big, Instant, Json, cell, numbered, since


def subjects(prefix: str) -> Table:
    """Return the table of one row a person, with *prefix* before its name."""
    return Table(
        f"{prefix}subjects",
        METADATA,
        Column("subject_id", Text, primary_key=True, comment="given by the ingestion tool, never reused"),
        Column("name", Text, comment="the latest known name; null: none is known"),
        Column("post", Text, comment="the post that `service` rests on"),
        Column("agency", Text, comment="the agency of that post"),
        Column("region", Text, comment="the region of that post"),
        Column("jurisdiction", Text, comment="the person's jurisdiction"),
        Column("name_fact_id", Text, comment="the fact that names it so"),
        Column("post_fact_id", Text, comment="the fact that names it so"),
        Column("agency_fact_id", Text, comment="the fact that names it so"),
        Column("region_fact_id", Text, comment="the fact that names it so"),
        Column("jurisdiction_fact_id", Text, comment="the fact that names it so"),
        Column("headline", Text, nullable=False, comment="one word for lists"),
        *cell("service", "unknown, in_office, suspended, removed, dismissed, resigned, retired, term_ended, "
               "left_office or deceased"),
        *cell("custody", "the strictest: unknown, detained, remanded, house_arrest, paroled, bailed, released, "
               "extradited, imprisoned, sentence_served or deceased"),
        *cell("wanted", "the widest search: national, international; null: not wanted"),
        *cell("stage", "furthest stage of an open criminal case, else the last end of one; null: none is known"),
        Column("open_cases", Integer, nullable=False, comment="number of criminal cases that are open"),
        Column("convicted_cases", Integer, nullable=False, comment="number of criminal cases with a final conviction"),
        Column("counts_undecided", Integer, nullable=False, comment="counts of criminal cases: not decided"),
        Column("counts_convicted", Integer, nullable=False, comment="counts of criminal cases: convicted"),
        Column("counts_acquitted", Integer, nullable=False, comment="counts of criminal cases: acquitted"),
        Column("counts_ended", Integer, nullable=False, comment="counts of criminal cases: ended in another way"),
        Column("presumption", Text, nullable=False,
               comment="presumed_innocent, convicted_not_final, convicted or cleared"),
        Column("anomalies", Json, nullable=False,
               comment="[{code, fact_id}, ...]: facts that do not follow or are flagged"),
        Column("position_partition", Integer, nullable=False, comment="partition of the last fact folded in"),
        Column("position_offset", Big, nullable=False, comment="offset of the last fact folded in"),
        Column("due", Instant, comment="next instant at which time alone could change an answer"),
        Index(f"ix_{prefix}subjects_due", "position_partition", "due"),
        comment="The current status of each person, a summary of the tables of their parts.",
    )  # fmt: skip


def posts(prefix: str) -> Table:
    """Return the table of posts, with *prefix* before its name."""
    return Table(
        f"{prefix}posts",
        METADATA,
        *numbered("post"),
        Column("post", Text, comment="the post, in the words of one fact"),
        Column("agency", Text, comment="its agency, in the words of that fact"),
        Column("region", Text, comment="its region, in the words of that fact"),
        Column("jurisdiction", Text, comment="the jurisdiction that fact names"),
        Column("post_id", Text, comment="the id that fact gives the post"),
        Column("words_fact_id", Text, comment="the fact with these words"),
        Column("acting", Boolean, nullable=False, comment="whether it is held for the time being only"),
        Column("acting_fact_id", Text, comment="the fact that says so"),
        Column("status", Text, nullable=False, comment="in_office, suspended, moved, removed, dismissed, resigned, "
               "retired, term_ended, left_office or deceased"),
        *since("", "it can have begun"),
        Column("began", Text, comment="when the person took it, as the source wrote it; null: not known"),
        Column("began_earliest", Instant, comment="earliest instant that can have been; null: not known"),
        Column("began_latest", Instant, comment="latest instant that can have been; null: not known"),
        Column("began_fact_id", Text, comment="the fact that says so"),
        Column("ground", Text, comment="the ground of a dismissal or removal"),
        Column("until", Text, comment="the end that was ordered for a suspension, as the source wrote it"),
        comment="Each post of each person, held or former.",
    )  # fmt: skip


def cases(prefix: str) -> Table:
    """Return the table of cases, with *prefix* before its name."""
    return Table(
        f"{prefix}cases",
        METADATA,
        Column("subject_id", Text, primary_key=True, comment="the person the case is about"),
        Column("case_id", Text, primary_key=True, comment="given by the ingestion tool"),
        Column("kind", Text, nullable=False, comment="criminal (also where no source says), disciplinary, "
               "administrative or civil"),
        Column("kind_fact_id", Text, comment="the fact that names the kind; null: none does"),
        *cell("stage", "accused ... appeal, or the end: final, dropped, closed, acquitted, withdrawn, amnestied, "
               "pardoned; null: no step of it is known"),
        Column("is_open", Boolean, nullable=False, comment="whether the case is open"),
        Column("suspended", Boolean, nullable=False, comment="whether the investigation is suspended"),
        Column("suspended_fact_id", Text, comment="the fact that says so"),
        Column("sentence", Text, comment="the last sentence in words"),
        Column("parts", Json, nullable=False, comment="[{kind, term, amount, currency, until}, ...] of that sentence"),
        Column("sentence_fact_id", Text, comment="the fact that states them"),
        Column("charges", Json, nullable=False, comment="[{count_id, article, title, ...}, ...] as last stated"),
        Column("charges_fact_id", Text, comment="the fact that states them"),
        Column("authority", Text, comment="the authority last named"),
        Column("authority_fact_id", Text, comment="the fact that names it"),
        comment="Each case of each person.",
    )  # fmt: skip


def counts(prefix: str) -> Table:
    """Return the table of counts, with *prefix* before its name."""
    return Table(
        f"{prefix}counts",
        METADATA,
        Column("subject_id", Text, primary_key=True, comment="the person the case is about"),
        Column("case_id", Text, primary_key=True, comment="the case"),
        Column("n", Integer, primary_key=True, autoincrement=False, comment="number of the count in it, from 0"),
        Column("count_id", Text, comment="the id that its source gives it"),
        Column("article", Text, comment="the article of the law"),
        Column("title", Text, comment="its title; null here, in article and count_id: the whole case"),
        Column("counts", Integer, nullable=False, comment="how many alike it stands for"),
        Column("amount", Json, comment="the sum it is about"),
        Column("currency", Text, comment="the currency of the sum"),
        Column("charge_fact_id", Text, comment="the fact with these words; null: the whole case"),
        Column("status", Text, nullable=False, comment="undecided, convicted, acquitted, dropped, closed, withdrawn, "
               "replaced, amnestied or pardoned"),
        *since("", "that can have come about"),
        Column("authority", Text, comment="the court or body named by the fact it rests on"),
        Column("verdict", Text, comment="convicted or acquitted, a pardon leaves it; null: none stands"),
        Column("verdict_fact_id", Text, comment="the fact with the verdict"),
        Column("final", Boolean, nullable=False, comment="whether the verdict is final"),
        Column("final_fact_id", Text, comment="the fact that made it final"),
        Column("on_appeal", Boolean, nullable=False, comment="whether it is on appeal"),
        Column("appeal_fact_id", Text, comment="the fact that put it there"),
        Column("in_absentia", Boolean, nullable=False, comment="whether the verdict was given in absence"),
        Column("rehabilitated", Boolean, nullable=False, comment="whether it ended in a way that clears"),
        Column("sentence_fact_id", Text, comment="the fact with its sentence"),
        comment="Each count of each case: every charge that was ever stated.",
    )  # fmt: skip


def holds(prefix: str) -> Table:
    """Return the table of custody, with *prefix* before its name."""
    return Table(
        f"{prefix}holds",
        METADATA,
        *numbered("hold"),
        Column("case_id", Text, comment="the case in which the person is held; null: none is known"),
        Column("status", Text, nullable=False, comment="detained, remanded, house_arrest, paroled, bailed, released, "
               "extradited, imprisoned, sentence_served or deceased"),
        *since("", "it can have begun"),
        Column("until", Text, comment="the end that was ordered, as the source wrote it; no release by itself"),
        Column("until_fact_id", Text, comment="the fact that says so"),
        Column("authority", Text, comment="the body named by the fact it rests on"),
        Column("place", Text, comment="the place named by that fact"),
        Column("counted", Boolean, nullable=False, comment="whether it counts for the person's row: not if its case "
               "ended without a conviction"),
        comment="Custody of each person, case by case.",
    )  # fmt: skip


def searches(prefix: str) -> Table:
    """Return the table of searches, with *prefix* before its name."""
    return Table(
        f"{prefix}searches",
        METADATA,
        *numbered("search"),
        Column("case_id", Text, comment="the case for which the person is sought; null: none is known"),
        Column("scope", Text, nullable=False, comment="national (also where no source says) or international"),
        Column("jurisdiction", Text, comment="the jurisdiction that seeks the person"),
        Column("authority", Text, comment="the body that seeks the person"),
        *since("", "it can have begun"),
        Column("counted", Boolean, nullable=False, comment="whether it counts for the person's row: not if its case "
               "ended without a conviction"),
        comment="The searches that stand.",
    )  # fmt: skip


def measures(prefix: str) -> Table:
    """Return the table of measures, with *prefix* before its name."""
    return Table(
        f"{prefix}measures",
        METADATA,
        *numbered("measure"),
        Column("kind", Text, comment="travel_ban, sanction, asset_freeze, ..."),
        Column("title", Text, comment="its title in the source"),
        Column("authority", Text, comment="the body that imposed it"),
        Column("program", Text, comment="the program under which it did"),
        Column("case_id", Text, comment="the case to which it belongs"),
        Column("until", Text, comment="the end that was ordered, as the source wrote it"),
        Column("until_fact_id", Text, comment="the fact that says so"),
        *since("", "it can have begun"),
        comment="The measures that stand.",
    )
