"""What the tests of holders begin with and ask the vault for."""
from coffer_test import ETL, OPERATOR, canary, equal

LIMITS = {"fetches_per_minute": 1000000}
ABSENT_RUN = "01JD0000000000000000000000"

made = []  # integrations


def make(vault, name, *uids, keys=("API_TOKEN",), **fields):
    """An integration with a version of each key, granted to these users."""
    vault.add(name, **fields)
    for key in keys:
        vault.put(name, key, canary())
    for uid in uids:
        vault.grant(name, user=uid)


def fresh(vault, *uids, **more):
    """An integration that no other check knows; granted to ETL unless other users are named."""
    made.append(f"fresh/{len(made)}")
    make(vault, made[-1], *(uids or (ETL,)), **more)
    return made[-1]


def holders(vault, name, **more):
    return vault.call("holder.list", {"integration": name, **more})["holders"]


def pids(vault, name, **more):
    return sorted(holder["pid"] for holder in holders(vault, name, **more))


def kinds(vault, name):
    return [(holder["holder"], holder["version"]) for holder in holders(vault, name)]


def the_holder(vault, name):
    found = holders(vault, name)
    equal(len(found), 1, f"holders of {name}")
    return found[0]


def runs(vault, name, **more):
    return vault.call("run.list", {"integration": name, "limit": 1000, **more})["runs"]


def the_run(vault, name, run):
    return next(entry for entry in runs(vault, name) if entry["run"] == run)


def the_end(vault, name, run):
    entry = the_run(vault, name, run)
    return entry["state"], entry["exit_status"], entry["signal"]


def version_of(name, version, key="API_TOKEN", **more):
    return {"integration": name, "key": key, "version": version, **more}


def revoke(vault, name, version, **more):
    return vault.call("secret.revoke", version_of(name, version, **more), OPERATOR)


def must_be_in_use(vault, name, version, **more):
    """What the refusal to revoke it tells."""
    with vault.client(OPERATOR) as client:
        return client.must_refuse("secret.revoke", version_of(name, version, **more), "in_use")["data"]


def record_of_revoke(vault, name):
    return vault.audit(kind="secret.revoke", outcome="ok", integration=name)[-1]
