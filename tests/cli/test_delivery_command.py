"""`casetrail delivery`: receivers are listed, and addresses muted."""

from pathlib import Path

from tests.support.reading import answer, ask, database_with


def test_an_address_is_muted_once(tmp_path: Path) -> None:
    """An address is muted and unmuted, and unmuting it again is a finding."""
    database_with(tmp_path).dispose()
    codes = [ask(f"delivery {word} ann@example.org", tmp_path).returncode for word in ("mute", "unmute", "unmute")]

    assert [0, 0, 1] == codes
    assert [] == answer("delivery list", tmp_path)
    assert [] == answer("delivery show 87ddf79b", tmp_path)
    assert 1 == ask("delivery enable desk", tmp_path).returncode
