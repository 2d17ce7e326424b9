"""Expected answers: plain values, and matchers where more than one thing is right.

difference(expected, found) is None when they agree, and says where and how they differ otherwise.
"""
import base64
import binascii
import re
import time


class Matcher:
    """A place in an expected answer that more than one thing may fill."""

    def difference(self, found):
        raise NotImplementedError


class Anything(Matcher):
    def difference(self, found):
        return None


class Either(Matcher):
    def __init__(self, *values):
        self.values = values

    def difference(self, found):
        wrongs = [difference(value, found) for value in self.values]
        return None if None in wrongs else f" is {short(found)}, none of {self.values}"


class Text(Matcher):
    """Some text of this form."""

    def __init__(self, pattern):
        self.pattern = re.compile(pattern, re.S)

    def difference(self, found):
        right = isinstance(found, str) and self.pattern.fullmatch(found)
        return None if right else f" is {short(found)}, not like {self.pattern.pattern}"


class AtLeast(Matcher):
    def __init__(self, least):
        self.least = least

    def difference(self, found):
        right = isinstance(found, int) and found >= self.least
        return None if right else f" is {short(found)}, not a number from {self.least}"


class SameTime(Matcher):
    """A time that somebody gave; the answer may write it with or without a fraction."""

    def __init__(self, text):
        self.seconds = seconds_of(text)

    def difference(self, found):
        right = isinstance(found, str) and seconds_of(found) == self.seconds
        return None if right else f" is {short(found)}, not the time {self.seconds}"


class During(Matcher):
    """The time of something that was asked for and answered within these seconds."""

    SLACK = 0.05  # the daemon reads its clock once a turn, and a coarse one

    def __init__(self, begin, end):
        self.begin, self.end = begin, end
        self.earliest = self.latest = None

    def until(self, later):
        return During(self.begin, later.end)

    def difference(self, found):
        if self.earliest is None:
            self.earliest, self.latest = text_of(self.begin - self.SLACK), text_of(self.end + self.SLACK)
        if isinstance(found, str) and len(found) == 24 and self.earliest <= found <= self.latest:
            return None
        return f" is {short(found)}, not between {self.earliest} and {self.latest}"


class Rows(Matcher):
    """Rows that are told apart by these members: all that must be there, perhaps others, nothing else."""

    def __init__(self, members, rows, optional=(), in_order=False):
        self.members, self.rows, self.optional, self.in_order = members, rows, optional, in_order

    def key_of(self, row):
        return tuple(row.get(member) for member in self.members)

    def difference(self, found):
        if not isinstance(found, list):
            return f" is {short(found)}, no list"
        must = {self.key_of(row): row for row in self.rows}
        may = {self.key_of(row): row for row in self.optional}
        keys = [self.key_of(row) for row in found]
        if len(set(keys)) != len(keys) or not set(must) <= set(keys) <= set(must) | set(may):
            return f" has {keys} instead of {list(must)} and perhaps {list(may)}"
        if self.in_order and [key for key in keys if key in must] != list(must):
            return f" has the order {keys} instead of {list(must)}"
        for key, row in zip(keys, found):
            if wrong := difference(must.get(key) or may.get(key), row):
                return f"{list(key)}{wrong}"
        return None


class Members(Matcher):
    """A list of single values in any order: all of these, perhaps some of those."""

    def __init__(self, must, may=()):
        self.must, self.may = set(must), set(may)

    def difference(self, found):
        right = isinstance(found, list) and len(set(found)) == len(found)
        if right and self.must <= set(found) <= self.must | self.may:
            return None
        return f" is {short(found)} instead of {sorted(self.must)} and perhaps {sorted(self.may)}"


class Entry(Matcher):
    """One entry of a fetched environment, whose value is compared byte for byte."""

    def __init__(self, key, version, value, expires_at):
        self.row = {"key": key, "version": version, "expires_at": expires_at and SameTime(expires_at)}
        self.value = value

    def get(self, member):
        return self.row.get(member)

    def difference(self, found):
        try:
            value = value_bytes(found.get("value"), found.get("encoding", "utf8"))
        except ValueError as error:
            return f".value is not readable: {error}"
        if value != self.value:
            return f".value is {short(value)} instead of {short(self.value)}"
        if self.row["expires_at"] is None and "expires_at" in found:
            return ".expires_at is there, though the version has none"
        return difference(self.row, found)


def difference(expected, found):
    """None, or where and how what was found differs; members that are not expected do not count."""
    if isinstance(expected, Matcher):
        return expected.difference(found)
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return f" is {short(found)}, no object"
        for key, value in expected.items():
            if wrong := difference(value, found.get(key)):
                return f".{key}{wrong}"
        return None
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return f" is {short(found)} instead of {short(expected)}"
        for number, (one, other) in enumerate(zip(expected, found)):
            if wrong := difference(one, other):
                return f"[{number}]{wrong}"
        return None
    if type(expected) is type(found) and expected == found:
        return None
    return f" is {short(found)} instead of {short(expected)}"


def short(thing):
    text = repr(thing)
    return text if len(text) <= 300 else text[:300] + "…"


def text_of(seconds):
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


def seconds_of(text):
    """Seconds since 1970 of an RFC 3339 time in UTC, None for anything else."""
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", text)
    if not match:
        return None
    days = 0
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    shifted = year - (month <= 2)  # the year begins in March, so that a leap day is its last one
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400
    days += (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1 - 719468
    fraction = float("0." + (match.group(7) or "0"))
    return days * 86400 + hour * 3600 + minute * 60 + second + fraction


def value_bytes(text, encoding):
    """The bytes of a value on the wire; ValueError for what is no canonical base64."""
    if encoding != "base64":
        return text.encode()
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not canonical")
    return raw
