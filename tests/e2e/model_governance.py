"""The part of the model that is about people: managers, states, tokens, and what needs a second person.

A mixin of model.Model; it is written from the same documents.
"""
import json
from dataclasses import dataclass

from expected import Anything, AtLeast, During, Either, Matcher, Members, Rows, Text, seconds_of

ACTIVE, SUSPENDED, RETIRED = "active", "suspended", "retired"
PENDING, APPROVED, REJECTED = "pending", "approved", "rejected"
TOKEN = Text("coffer_[0-9A-Za-z_-]+")
TIME = Text("[-0-9]+T[0-9:.]+Z")


@dataclass(eq=False)
class Token:
    number: int
    integration: object
    name: str
    description: str
    uid: int
    user: str
    expires_at: str
    created: During
    created_by: str
    text: str = None
    last_used: During = None
    revoked: During = None
    revoked_by: str = None

    def is_live(self, now):
        return self.revoked is None and (self.expires_at is None or seconds_of(self.expires_at) > now)

    def state(self, now):
        if self.revoked is not None:
            return "revoked"
        return "active" if self.is_live(now) else "expired"


@dataclass(eq=False)
class Approval:
    number: int
    integration: object
    method: str
    params: dict
    who: object  # who asked
    at: During
    object: tuple  # what it would change, as it was then
    state: str = PENDING
    decided: During = None
    decided_by: str = None
    note: str = None


def said(fields):
    """The fields that say something: an empty list is none."""
    return {name: value for name, value in fields.items() if value not in ("", [], {})}


class Known(Matcher):
    """Rows of integrations that the model knows; those of workspaces that were cleared away do not count."""

    def __init__(self, model, rows):
        self.names, self.rows = set(model.integrations), rows

    def difference(self, found):
        return self.rows.difference([row for row in found if row["integration"] in self.names])


class Governance:
    """States, managers, tokens and approvals of a Model."""

    # managers

    def manages(self, who, integration):
        """By the numbers that managed_by had when it was written."""
        if integration is None:
            return False
        users, groups = integration.managers
        return who.uid in users or bool({who.gid, *who.groups} & groups)

    def manager_numbers(self, answer, words):
        """The uids and gids of managed_by; what nobody has is a refusal."""
        users, groups = set(), set()
        for word in words or ():
            known, found, name = (
                (self.groups, groups, word[1:]) if word.startswith("%") else (self.users, users, word)
            )
            if name.isdigit():
                found.add(int(name))
            elif name in known:
                found.add(known[name])
            else:
                answer.refusals |= {"bad_value", "not_found"}
        return users, groups

    def visible(self, who):
        """The integrations that lists show to this caller."""
        if self.roles_of(who):
            return list(self.integrations.values())
        return [one for one in self.integrations.values() if self.manages(who, one)]

    # states

    def check_open(self, answer, integration):
        """What keeps an integration from being worked on."""
        if integration is not None and integration.state == RETIRED:
            answer.refusals.add("retired")

    def transition(self, answer, may, becomes, more=None):
        """integration.suspend, resume, retire: from these states to that one."""
        integration = self.find(answer, "name")
        if integration is None:
            return
        if integration.state not in may:
            answer.refusals |= {"conflict"} if integration.state != RETIRED else {"conflict", "retired"}

        def change(_, when):
            integration.state, integration.changed, integration.changed_by = becomes, when, answer.who.user
            if becomes != ACTIVE:
                for watcher in integration.watchers:
                    watcher.is_lost = True
            if more:
                more(integration, when)
            self.record(answer)

        answer.result, answer.effect = {"integration": {"name": integration.name, "state": becomes}}, change

    def integration_suspend(self, answer):
        self.transition(answer, {ACTIVE}, SUSPENDED)

    def integration_resume(self, answer):
        self.transition(answer, {SUSPENDED}, ACTIVE)

    def integration_retire(self, answer):
        self.transition(answer, {ACTIVE, SUSPENDED}, RETIRED, self.end_of)

    @staticmethod
    def end_of(integration, when):
        """Grants and tokens are gone; what nobody holds is destroyed, the rest when nobody does."""
        integration.grants.clear()
        for token in integration.tokens.values():
            if token.revoked is None:
                token.revoked, token.revoked_by = when, None
        for secret in integration.secrets.values():
            for version in secret.versions:
                if version.state == "staged" or version.state != "revoked" and not version.holders():
                    version.becomes("revoked", when)
                elif version.state == "current":
                    version.becomes("draining", when)

    # people

    def integration_review(self, answer):
        integration = self.find(answer, "name")
        self.check_open(answer, integration)
        if integration is None:
            return

        def review(_, when):
            integration.reviewed, integration.reviewed_by = when, answer.who.user
            self.record(answer)

        now = During(answer.now, answer.now + 60)
        shown = {"name": integration.name, "reviewed_at": now, "reviewed_by": answer.who.user}
        answer.result, answer.effect = {"integration": shown}, review

    def integration_transfer(self, answer):
        """Of one integration, or of everything of a person."""
        name, person = answer.get("name"), answer.get("from_owner")
        if (name is None) == (person is None):
            answer.refusals.add("bad_request")
            return
        if name is not None:
            some = [one for one in [self.find(answer, "name")] if one]
            for one in some:
                self.check_open(answer, one)
        else:
            some = [
                one
                for one in self.integrations.values()
                if one.fields["owner"] == person and one.state != RETIRED
            ]
            if not some:
                answer.refusals.add("not_found")

        def hand_over(_, when):
            for one in some:
                one.fields = {
                    **one.fields,
                    **{k: answer.get(k) for k in ("owner", "contact", "backup_contact") if answer.get(k)},
                }
                one.changed, one.changed_by = when, answer.who.user
                self.record(answer, one)

        answer.effect = hand_over

    # tokens

    def token_row(self, token, now):
        return {
            "id": token.number,
            "integration": token.integration.name,
            "name": token.name,
            "description": token.description,
            "uid": token.uid,
            "user": Either(
                token.user, str(token.uid), *[name for name, uid in self.users.items() if uid == token.uid]
            ),
            "unit": None,
            "state": token.state(now),
            "created_at": token.created,
            "created_by": token.created_by,
            "last_used_at": token.last_used,
        }

    def token_create(self, answer):
        integration = self.find(answer)
        self.check_open(answer, integration)
        user = answer.get("user")
        uid = int(user) if user.isdigit() else self.users.get(user)
        if uid is None:
            answer.refusals |= {"bad_value", "not_found"}
        if integration is None:
            return
        name = answer.get("token_name")
        if any(token.name == name and token.revoked is None for token in integration.tokens.values()):
            answer.refusals.add("conflict")
        self.newest_token = max(self.newest_token, 0)
        answer.result = {
            "integration": integration.name,
            "id": AtLeast(self.newest_token + 1),
            "name": name,
            "token": TOKEN,
            "detail": None,
        }

        def create(result, when):
            made = Token(
                result["id"],
                integration,
                name,
                answer.get("description"),
                uid,
                user,
                answer.get("expires_at"),
                when,
                answer.who.user,
                result["token"],
            )
            self.newest_token = made.number
            integration.tokens[made.number] = made
            self.record(answer, object=made.number)

        answer.effect = create

    def token_revoke(self, answer):
        integration = self.find(answer)
        token = integration and integration.tokens.get(answer.get("id"))
        if token is None:
            answer.refusals.add("not_found")
            return
        if token.revoked is not None:
            answer.perhaps |= {"conflict", "not_found"}

        def revoke(_, when):
            if token.revoked is None:
                token.revoked, token.revoked_by = when, answer.who.user
            self.record(answer, object=token.number)

        answer.result, answer.effect = {"revoked": token.number}, revoke

    def token_list(self, answer):
        some = [self.find(answer)] if "integration" in answer.params else self.visible(answer.who)
        if not answer.refusals:
            rows = [self.token_row(token, answer.now) for one in some for token in one.tokens.values()]
            answer.result = {"tokens": Known(self, Rows(["id"], rows))}

    def session_authenticate(self, answer):
        """The connection holds the token from now on; the one of this text, which its own user alone may show."""
        text, who = answer.get("token"), answer.who
        every = [token for one in self.integrations.values() for token in one.tokens.values()]
        token = next((token for token in every if token.text == text), None)
        if token is None:
            answer.refusals |= {"denied", "bad_value"}
            return
        if not token.is_live(answer.now) or token.uid != who.uid:
            answer.refusals.add("denied")
        answer.result = {"integration": token.integration.name, "id": token.number, "token_name": token.name}

        def hold(_, when):
            token.last_used, who.token = when, token
            self.record(answer, token.integration, object=token.number)

        answer.effect = hold

    # what needs a second person

    def needs_second(self, answer):
        """In production: by the configuration; always, what would weaken that or give oneself the values."""
        integration = self.integrations.get(answer.get("integration", answer.get("name")))
        if integration is None or integration.fields.get("environment") != "production":
            return False
        if answer.method in self.second_person:
            return True
        if answer.method == "grant.add":
            uid, gid, _ = self.numbers_of(answer)
            who = answer.who
            if uid is None and gid is None:  # a unit, which is root's to make
                return who.uid != 0
            return uid in (None, who.uid) and (gid is None or gid == who.gid or gid in who.groups)
        if answer.method != "integration.edit":
            return False
        leaves = answer.get("environment", "production") != "production"
        managed_by = answer.get("managed_by")
        return (
            leaves
            or managed_by is not None
            and self.manager_numbers(answer, managed_by) != integration.managers
        )

    def object_of(self, method, params):
        """What somebody approves it for: the record, and what the request is about."""
        integration = self.integrations[params.get("integration", params.get("name"))]
        secret = integration.secrets.get(params.get("key"))
        if "key" in params:
            parts = [(one.number, one.state) for one in secret.versions] if secret else []
        elif method != "integration.edit":
            parts = sorted(integration.grants)
        else:
            parts = []
        return json.dumps([integration.state, said(integration.fields), parts], sort_keys=True)

    def demand_second(self, answer):
        """Instead of the result: filed, with a number."""
        params = {k: v for k, v in answer.params.items() if k != "request_id"}
        integration = self.integrations[params.get("integration", params.get("name"))]
        same = [
            one
            for one in self.approvals.values()
            if one.state == PENDING
            and one.who.uid == answer.who.uid
            and one.method == answer.method
            and one.params == params
        ]
        answer.refusals = {"approval_required"}
        answer.data["approval_required"] = {
            "request": same[0].number if same else AtLeast(self.newest_approval + 1)
        }
        pending = sum(
            one.state == PENDING and one.who.uid == answer.who.uid for one in self.approvals.values()
        )
        if not same and pending >= 30:
            answer.refusals = {"approval_required", "busy"}

        def file(error, when):
            number = error["data"].get("request")
            if number is None or same:
                return
            self.newest_approval = number
            self.approvals[number] = Approval(
                number,
                integration,
                answer.method,
                params,
                answer.who,
                when,
                self.object_of(answer.method, params),
            )

        answer.effect, answer.on_refusal = None, file

    def approval_row(self, one):
        return {
            "id": one.number,
            "method": one.method,
            "integration": one.integration.name,
            "params": Anything(),
            "requested_at": one.at,
            "requested_by": one.who.user,
            "state": one.state,
            "decided_at": one.decided,
            "decided_by": one.decided_by,
            "note": one.note,
        }

    def request_list(self, answer):
        some = [self.find(answer)] if "integration" in answer.params else self.visible(answer.who)
        if not answer.refusals:
            rows = [
                self.approval_row(one)
                for one in self.approvals.values()
                if one.integration in some and answer.get("state") in (None, one.state)
            ]
            answer.result = {"requests": Known(self, Rows(["id"], rows))}

    def find_approval(self, answer):
        one = self.approvals.get(answer.get("id"))
        if one is None:
            answer.refusals.add("not_found")
        elif one.state != PENDING:
            answer.refusals |= {"conflict", "expired"}
        return one

    def decide(self, answer, one, state, when):
        one.state, one.decided, one.decided_by, one.note = state, when, answer.who.user, answer.get("note")
        self.record(answer, one.integration, object=one.number)

    def request_reject(self, answer):
        """By an admin, or by whoever asked, who takes it back."""
        one = self.approvals.get(answer.get("id"))
        if "admin" not in self.roles_of(answer.who) and (one is None or one.who.uid != answer.who.uid):
            answer.refusals.add("denied")
            return
        one = self.find_approval(answer)
        if one is not None:
            answer.effect = lambda _, when: self.decide(answer, one, REJECTED, when)

    def request_approve(self, answer):
        """Nobody approves their own; the right and the object are looked at again; it is done once, as its requester."""
        one = self.find_approval(answer)
        if one is None or answer.refusals:
            return
        if one.who.uid == answer.who.uid:
            answer.refusals.add("denied")
            return
        if self.object_of(one.method, one.params) != one.object:
            answer.refusals.add("conflict")
        inner = self.expect_approved(one, answer.now)
        answer.refusals |= inner.refusals
        answer.perhaps |= inner.perhaps
        answer.data.update(inner.data)
        answer.result = {"result": inner.result}

        def approve(result, when):
            inner.settle(result["result"], when)
            self.decide(answer, one, APPROVED, when)

        answer.effect = approve
