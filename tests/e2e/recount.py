#!/usr/bin/python3
"""Recomputes a report from the exported audit records alone, by other means than those that made it, and compares.

    recount.py AUDIT.jsonl REPORT.json REPORT.html

Prints each difference and exits with 1 if there is one.  What no record tells is not compared and is named by NOT_TOLD.
"""
import html.parser
import json
import pwd
import re
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone

# Which processes live, and what follows from that alone, is in no record; alerts come from both.
NOT_TOLD = {"holders", "critical", "warning", "notice"}

MONTHS_AHEAD = 12
FAR = datetime.max.replace(tzinfo=timezone.utc)


def when(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc) if text else None


def period(text):
    """365d → so much; never or nothing → None."""
    match = re.fullmatch(r"(\d+)([smhd])", text or "")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    return timedelta(**{unit[match[2]]: int(match[1])}) if match else None


def expiry(fields):
    text = fields.get("expires_at")
    return when(text if "." in text else text.replace("Z", ".000Z")) if text else None


def person(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class Version:
    def __init__(self, made, by, state, expires):
        self.made, self.by, self.expires, self.fetches = made, by, expires, 0
        self.states = [(made, state)]

    def become(self, at, state):
        self.states.append((at, state))

    @property
    def state(self):
        return self.states[-1][1]

    @property
    def since(self):
        return self.states[-1][0]


class Integration:
    def __init__(self, made):
        self.made, self.state, self.fields = made, "active", {}
        self.reviews, self.transfers = [], []
        self.grants, self.secrets, self.tokens, self.requests = {}, {}, {}, {}
        self.fetches, self.refused = Counter(), Counter()
        self.runs = {}
        self.given = {}  # (key, version) → times
        self.removed = []  # (time, key)

    def versions(self):
        return [(key, number, version) for key, row in self.secrets.items() for number, version in row.items()]


class Story:
    """What happened, told by the records up to a number."""

    def __init__(self, records, last):
        self.integrations = {}
        self.last = None
        for record in records:
            if record["seq"] > last:
                break
            self.last = record
            method = getattr(self, "on_" + record["kind"].replace(".", "_"), None)
            if record["kind"] == "env.fetch":
                self.fetch(record)
            elif record["outcome"] == "approval_required":
                self.ask_second(record)
            elif method and record["outcome"] == "ok":
                method(record, when(record["time"]))

    def of(self, record):
        return self.integrations[record["integration"]]

    @staticmethod
    def words(record):
        """The subject's field=value words; of a field without a value, None."""
        text = re.sub(r"'[^']*'", "''", record["subject"] or "")
        words = (word.partition("=") for word in text.split())
        return {name: None if value in ("", "none") else value for name, _, value in words}

    def on_integration_add(self, record, at):
        self.integrations[record["integration"]] = made = Integration(at)
        made.fields.update(self.words(record))

    def on_integration_edit(self, record, _):
        self.of(record).fields.update(self.words(record))

    def on_integration_transfer(self, record, at):
        self.of(record).transfers.append((at, record["uid"]))

    def on_integration_review(self, record, at):
        self.of(record).reviews.append((at, record["uid"]))

    def on_integration_suspend(self, record, _):
        self.of(record).state = "suspended"

    def on_integration_resume(self, record, _):
        self.of(record).state = "active"

    def on_integration_retire(self, record, at):
        one = self.of(record)
        one.state = "retired"
        one.grants.clear()
        for token in one.tokens.values():
            token["revoked"] = True
        for key, number, state in re.findall(r"(\S+)=(\d+):(\w+)", record["subject"]):
            if one.secrets[key][int(number)].state != state:
                one.secrets[key][int(number)].become(at, state)

    def on_retired_destroyed(self, record, at):
        self.of(record).secrets[record["key"]][record["version"]].become(at, "revoked")

    def on_grant_add(self, record, at):
        self.of(record).grants[record["object"]] = {"at": at, "by": record["uid"], "rule": record["subject"]}

    def on_grant_remove(self, record, _):
        del self.of(record).grants[record["object"]]

    def on_token_create(self, record, at):
        self.of(record).tokens[record["object"]] = {"at": at, "revoked": False, **self.words(record)}

    def on_token_revoke(self, record, _):
        self.of(record).tokens[record["object"]]["revoked"] = True

    def replace(self, record, at):
        """What was current drains."""
        for version in self.of(record).secrets[record["key"]].values():
            if version.state == "current":
                version.become(at, "draining")

    def on_secret_put(self, record, at):
        row = self.of(record).secrets.setdefault(record["key"], {})
        is_staged = "staged" in (record["detail"] or "")
        if not is_staged:
            self.replace(record, at)
        row[record["version"]] = Version(
            at, record["uid"], "staged" if is_staged else "current", expiry(self.words(record))
        )

    def on_secret_promote(self, record, at):
        self.replace(record, at)
        self.of(record).secrets[record["key"]][record["version"]].become(at, "current")

    on_secret_rollback = on_secret_promote

    def on_secret_revoke(self, record, at):
        version = self.of(record).secrets[record["key"]][record["version"]]
        if version.state != "revoked":
            version.become(at, "revoked")

    def on_secret_remove(self, record, at):
        del self.of(record).secrets[record["key"]]
        self.of(record).removed.append((at, record["key"]))

    def on_run_end(self, record, at):
        match = re.search(r"exit=(\d+)", record["subject"] or "")
        self.of(record).runs[record["run"]].update(ended=at, status=int(match[1]))

    def fetch(self, record):
        one, day = self.integrations.get(record["integration"]), record["time"][:10]
        if one is None:
            return
        if record["outcome"] != "ok":
            one.refused[day] += 1
            return
        is_staged = "staged" in (record["detail"] or "")
        one.fetches[day] += not is_staged
        one.runs[record["run"]] = {"at": when(record["time"]), "staged": is_staged, "status": None}
        for key, number in (word.split("=") for word in record["subject"].split()):
            one.given.setdefault((key, int(number)), []).append(when(record["time"]))
            if int(number) in one.secrets.get(key, {}):
                one.secrets[key][int(number)].fetches += 1

    # ---- requests for a second person ----

    def ask_second(self, record):
        self.of(record).requests.setdefault(record["object"], "pending")

    def on_request_approve(self, record, _):
        self.of(record).requests[record["object"]] = "approved"

    def on_request_reject(self, record, _):
        self.of(record).requests[record["object"]] = "rejected"

    def on_request_expire(self, record, _):
        self.of(record).requests[record["object"]] = "expired"


class Recount:
    """The story's own figures beside those of the report."""

    def __init__(self, records, document, page):
        self.document, self.page = document, page
        self.vault = document["vaults"][0]
        self.now, self.since = when(self.vault["generated_at"]), when(self.vault["since"])
        self.days = [(self.since + timedelta(days=number)).strftime("%Y-%m-%d") for number in range(self.vault["days"])]
        self.records = records
        self.story = Story(records, self.vault["audit"]["seq"])
        self.entries = {entry["integration"]["name"]: entry for entry in self.vault["integrations"]}
        self.differences = []

    def same(self, what, found, told):
        if found != told:
            self.differences.append(f"{what}: the report says {found!r}, the records {told!r}")

    def check(self):
        self.same("head", self.vault["audit"]["hash"], self.story.last and self.story.last["hash"])
        self.same("integrations", sorted(self.entries), sorted(self.story.integrations))
        for name in sorted(self.entries.keys() & self.story.integrations.keys()):
            self.check_entry(name, self.entries[name], self.story.integrations[name])
        self.check_figures()
        self.check_page()
        return self.differences

    # ---- the document ----

    def check_entry(self, name, entry, one):
        record = entry["integration"]
        self.same(f"{name} state", record["state"], one.state)
        self.same(f"{name} made", when(record["created_at"]), one.made)
        for field in (
            "environment",
            "rotate_after",
            "review_after",
            "expires_at",
            "access",
            "expected_every",
            "rate_limit",
        ):
            told = one.fields.get(field)
            found = record.get(field)
            self.same(
                f"{name} {field}",
                found if found is None else str(found).replace(".000Z", "Z"),
                told and told.replace(".000Z", "Z"),
            )
        self.same(f"{name} review due", when(entry["review_at"]), self.review_due(one))
        self.same(f"{name} reviewed", when(record.get("reviewed_at")), one.reviews[-1][0] if one.reviews else None)
        grants = {(grant["id"], when(grant["created_at"]), grant["created_by"]) for grant in entry["grants"]}
        self.same(
            f"{name} grants",
            grants,
            {(number, grant["at"], person(grant["by"])) for number, grant in one.grants.items()},
        )
        for grant in entry["grants"]:
            for condition in ("uid", "gid", "unit"):
                if grant["rule"].get(condition) is not None and grant["id"] in one.grants:
                    word = f"{condition}={grant['rule'][condition]}"
                    self.same(f"{name} grant {grant['id']}", word in one.grants[grant["id"]]["rule"].split(), True)
        self.check_use(name, entry, one)
        self.check_versions(name, entry, one)
        self.check_runs(name, entry, one)
        found = {
            (token["id"], token["uid"], token["state"] == "revoked", when(token["created_at"]))
            for token in entry["tokens"]
        }
        told = {(number, int(token["uid"]), token["revoked"], token["at"]) for number, token in one.tokens.items()}
        self.same(f"{name} tokens", found, told)
        found = {request["id"]: request["state"] for request in entry.get("requests", [])}
        self.same(f"{name} requests", found, one.requests)

    def check_use(self, name, entry, one):
        found = {
            day["day"]: (day["fetches"], day["refused"]) for day in entry["usage"] if day["fetches"] or day["refused"]
        }
        told = {day: (one.fetches[day], one.refused[day]) for day in self.days if one.fetches[day] or one.refused[day]}
        self.same(f"{name} use", found, told)

    def check_versions(self, name, entry, one):
        found, told = {}, {}
        for secret in entry["secrets"]:
            self.same(
                f"{name} {secret['key']} rotation due", when(secret["rotate_at"]), self.rotation_due(one, secret["key"])
            )
            for version in secret["versions"]:
                found[secret["key"], version["version"]] = (
                    version["state"],
                    when(version["changed_at"]),
                    when(version["created_at"]),
                    version["created_by"],
                    version["fetches"],
                )
        for key, number, version in one.versions():
            told[key, number] = version.state, version.since, version.made, person(version.by), version.fetches
        self.same(f"{name} versions", found, told)
        if "history" not in entry:
            return
        steps = Counter(
            (change["key"], change["version"], when(change["at"]), change["new"])
            for change in entry["history"]
            if change["field"] == "state" and change["version"]
        )
        gone = {key for _, key in one.removed}
        told = Counter(
            (key, number, at, state) for key, number, version in one.versions() for at, state in version.states
        )
        self.same(
            f"{name} states over time",
            Counter(step for step in steps if step[0] not in gone),
            Counter(step for step in told if step[0] not in gone),
        )

    def check_runs(self, name, entry, one):
        started = [run for run in one.runs.values() if run["at"] >= self.since]
        found = entry["runs"]["started"], entry["runs"]["ok"], entry["runs"]["failed"]
        # Only an end that somebody reported is in the records.
        ok = sum(run["status"] == 0 for run in started)
        failed = sum(bool(run["status"]) and not run["staged"] for run in started)
        self.same(f"{name} runs", found, (len(started), ok, failed))
        held = Counter()
        first = {}
        for span in entry["held"]:
            at = span["key"], span["version"]
            held[at] += span["runs"]
            first[at] = min(first.get(at, when(span["from"])), when(span["from"]))
        given = {at: [time for time in times if time >= self.since] for at, times in one.given.items()}
        self.same(f"{name} held", dict(held), {at: len(times) for at, times in given.items() if times})
        self.same(f"{name} held from", first, {at: min(times) for at, times in given.items() if times})

    # ---- what follows ----

    @staticmethod
    def review_due(one):
        length = period(one.fields.get("review_after"))
        since = one.reviews[-1][0] if one.reviews else one.made
        return since + length if length and one.state != "retired" else None

    @staticmethod
    def rotation_due(one, key):
        length = period(one.fields.get("rotate_after"))
        made = [version.made for version in one.secrets.get(key, {}).values() if version.state == "current"]
        return made[0] + length if made and length and one.state != "retired" else None

    def due(self):
        """(when, what, integration, key) of all that is due."""
        for name, one in self.story.integrations.items():
            for key, row in one.secrets.items():
                yield self.rotation_due(one, key), "Rotate", name, key
                for version in row.values():
                    if version.state in ("staged", "current"):
                        yield version.expires, "Version expires", name, key
            yield self.review_due(one), "Review", name, "–"
            if one.state != "retired":
                yield expiry(one.fields), "Integration expires", name, "–"

    def figures(self):
        story = self.story.integrations.values()
        states = Counter(version.state for one in story for _, _, version in one.versions())
        late = Counter(what for at, what, _, _ in self.due() if at and at <= self.now)
        tokens = [token for one in story for token in one.tokens.values() if not token["revoked"]]
        return {
            "integrations": len(story),
            **{state: sum(one.state == state for one in story) for state in ("active", "suspended", "retired")},
            **{word: sum(one.fields["environment"] == word for one in story) for word in ("production", "sandbox")},
            "secrets": sum(len(one.secrets) for one in story),
            **{state: states[state] for state in ("staged", "current", "draining", "revoked")},
            "rotations_overdue": late["Rotate"],
            "reviews_overdue": late["Review"],
            "expired": late["Version expires"] + late["Integration expires"],
            "fetches": sum(one.fetches[day] for one in story for day in self.days),
            "runs_failed": sum(
                bool(run["status"]) and run["at"] >= self.since and not run["staged"]
                for one in story
                for run in one.runs.values()
            ),
            "grants": sum(len(one.grants) for one in story),
            "tokens": sum((expiry(token) or FAR) > self.now for token in tokens),
            "requests_pending": sum(state == "pending" for one in story for state in one.requests.values()),
            "reviews": sum(at >= self.since for one in story for at, _ in one.reviews),
        }

    def check_figures(self):
        told = self.figures()
        for name, figure in self.document["figures"].items():
            if name in NOT_TOLD:
                continue
            self.same(f"figure {name}", figure, told.get(name))
        self.told = told

    # ---- the page ----

    def check_page(self):
        page = self.page
        for name, figure in page.figures.items():
            if name not in NOT_TOLD:
                self.same(f"page: figure {name}", figure, self.told[name])
        self.same("page: figures", set(page.figures), set(self.document["figures"]))
        self.check_heatmap(page.table("Fetches by integration and day"))
        self.check_due(page.table("What is due"))
        found = Counter((row[0].text, row[5].text) for row in page.table("Grants in force"))
        told = Counter(
            (name, grant["at"].strftime("%Y-%m-%d"))
            for name, one in self.story.integrations.items()
            for grant in one.grants.values()
        )
        self.same("page: grants", found, told)
        found = Counter(
            (row[0].text, row[1].text, row[2].text)
            for row in page.table("Versions: states and holders over the period")
            if row[0].text
        )
        told = Counter(
            (key, str(number), version.state + version.since.strftime("%Y-%m-%d"))
            for one in self.story.integrations.values()
            for key, number, version in one.versions()
        )
        self.same("page: versions", found, told)
        head = page.table("Heads")[0]
        self.same("page: head", (head[3].text, head[4].text), (str(self.story.last["seq"]), self.story.last["hash"]))

    def check_heatmap(self, rows):
        found = {}
        for row in rows:
            if row[0].text:
                bars = dict(title.split(": ") for title in row[1].titles[1:])
                found[row[0].text] = (
                    {day: int(count) for day, count in bars.items()},
                    int(row[2].text),
                    int(row[3].text),
                    int(row[4].text),
                )
        told = {}
        for name, one in self.story.integrations.items():
            days = {day: one.fetches[day] for day in self.days if one.fetches[day]}
            told[name] = days, sum(days.values()), len(days), sum(one.refused[day] for day in self.days)
        self.same("page: heatmap", found, told)

    def check_due(self, rows):
        found = sorted((row[0].text, row[1].text, row[2].text, row[3].text) for row in rows if len(row) > 1)
        end = (self.now.year * 12 + self.now.month - 1) + MONTHS_AHEAD
        told = sorted(
            (at.strftime("%Y-%m-%d") + (" overdue" if at <= self.now else ""), what, name, key)
            for at, what, name, key in self.due()
            if at and at.year * 12 + at.month - 1 < end
        )
        self.same("page: what is due", found, told)


class Cell:
    def __init__(self):
        self.text, self.titles = "", []


class Page(html.parser.HTMLParser):
    """The tables of a page by their captions, and its figures."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tables, self.figures = {}, {}
        self.open, self.rows, self.cell, self.figure = [], None, None, None
        self.feed(text)
        self.close()

    def table(self, caption):
        return [row for row in self.tables.get(caption, []) if row]

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "br", "rect", "path"):
            self.open.append(tag)
        if tag == "table":
            self.rows, self.caption = [], ""
        elif tag == "tr" and self.rows is not None and "thead" not in self.open:
            self.rows.append([])
        elif tag in ("td", "th") and self.rows and "thead" not in self.open:
            self.cell = Cell()
            self.rows[-1].append(self.cell)
        elif tag == "title" and self.cell:
            self.cell.titles.append("")
        self.figure = attrs.get("data-figure")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass
        if tag == "caption":
            self.rows = self.tables.setdefault(self.caption, [])
        elif tag == "table":
            self.rows = None
        elif tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        at = self.open[-1] if self.open else ""
        if self.figure:
            self.figures[self.figure] = int(data)
            self.figure = None
        elif at == "caption":
            self.caption += data
        elif self.cell and at == "title":
            self.cell.titles[-1] += data
        elif self.cell and at != "text":
            self.cell.text += data


def records_of(lines):
    """The records of an export, without what it says about itself around them."""
    return [record for record in map(json.loads, lines) if "seq" in record]


def recount(records, document, page_text):
    """The differences, in words."""
    return Recount(records, document, Page(page_text)).check()


def main():
    audit, report, page = sys.argv[1:]
    with open(audit, encoding="utf-8") as file:
        records = records_of(file)
    with open(report, encoding="utf-8") as file:
        document = json.load(file)
    with open(page, encoding="utf-8") as file:
        differences = recount(records, document, file.read())
    for difference in differences:
        print(difference)
    print(f"{len(records)} records, {len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
