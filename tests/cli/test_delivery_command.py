"""`casetrail delivery check`, `list` and `test`."""

from base64 import b64encode
from pathlib import Path

from tests.support.reading import ask, database_with


def test_a_check_names_missing_secrets_and_the_parts_without_effect(tmp_path: Path) -> None:
    """A missing secret is a finding, since the service would not start. The other gaps are warnings."""
    database_with(tmp_path).dispose()
    (tmp_path / "all.txt").write_text("o-1\n", "utf-8")
    (tmp_path / "delivery.yaml").write_text(
        "receivers:\n"
        "  hook: {webhook: https://desk.example/, secret: HOOK}\n"
        "  feed: {feed: desk}\n"
        "watchlists: {all: all.txt}\n"
        "routes: [{to: hook, rule: [relatives, relativs]}]\n",
        "utf-8",
    )
    without = ask("delivery check", tmp_path)
    secret = b64encode(bytes(24)).decode()
    checked = ask("delivery check", tmp_path, CASETRAIL_SECRET_HOOK=secret)

    assert (1, 0) == (without.returncode, checked.returncode)
    assert "casetrail: receiver hook: CASETRAIL_SECRET_HOOK: not set" in without.stderr
    assert "no problems" not in without.stderr
    assert "warning: no route sends the rule dismissed-without-follow-up\n" in checked.stderr
    assert "warning: no route sends the rule relatives\n" not in checked.stderr
    assert "warning: no route names the watchlist all\n" in checked.stderr
    assert "warning: no route names the receiver feed\n" in checked.stderr
    assert "warning: route 1 names a rule that is not in force: relativs (perhaps relatives)\n" in checked.stderr
