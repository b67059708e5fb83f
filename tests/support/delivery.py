"""An example of `delivery.yaml` with every kind of receiver and every key of a route, and the folder it needs."""

from pathlib import Path

EXAMPLE = """\
receivers:
  desk-hook: {webhook: "https://desk.example/hook", secret: DESK_HOOK}
  desk-mail: {mail: [desk@example.org], digest: {at: "08:00", zone: Asia/Almaty}, language: en}
  desk-slack: {slack: C0123, token: DESK_SLACK}
  desk-feed: {feed: desk}
  stream: {kafka: casetrail.alerts.v1}
  test-hook: {webhook: "http://127.0.0.1:9000/", secret: TEST, allow: [127.0.0.0/8]}
  chat: {apprise: CHAT}
routes:
  - to: [desk-hook, desk-mail]
    severity: [warning, critical]
    wait: PT5M
    remind: P14D
  - to: desk-slack
    rule: [dismissed-without-follow-up]
    jurisdiction: KZ
    type: custody
    subject: kz-1
    agency: Ministry of Health
    watchlist: ministers
    weekly: true
watchlists: {ministers: lists/ministers.txt}
operators: [desk-mail]
heartbeat: https://watch.example/ping
"""


def folder_with_list(folder: Path) -> Path:
    """Add the watchlist that the example names to *folder*, and return it."""
    (folder / "lists").mkdir()
    (folder / "lists" / "ministers.txt").write_text("kz-1\n", "utf-8")
    return folder
