"""A headless Chromium, driven from outside by the DevTools protocol over a pair of pipes.  The page needs no script for it."""
import base64
import collections
import json
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time

from coffer_test import WAIT_SECONDS, equal

CHROMIUM = "/usr/bin/chromium"


def png_size(data):
    equal(data[:8], b"\x89PNG\r\n\x1a\n", "the beginning of a PNG")
    return struct.unpack(">II", data[16:24])


class Browser:
    """One browser with one page.  What the page says to the console, and what its policy refused, is in messages."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="coffer-browser-", dir="/tmp")
        self.messages = []
        self.events = collections.deque()
        self.received = b""
        self.next_id = 1
        self.session = None
        read, self.write_fd = os.pipe()
        self.read_fd, write = os.pipe()

        def ends():
            # At fixed numbers, as the protocol wants them; first out of the way of each other.
            high = [os.dup(fd) for fd in (read, write)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn,consider-using-with
            [
                CHROMIUM,
                "--headless=new",
                "--no-sandbox",  # the tests run as root
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--hide-scrollbars",
                f"--user-data-dir={self.profile}",
                "--remote-debugging-pipe",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=ends,
            close_fds=False,
        )
        os.close(read)
        os.close(write)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)
        os.close(self.write_fd)
        os.close(self.read_fd)
        shutil.rmtree(self.profile, ignore_errors=True)

    def read_message(self, deadline):
        while b"\0" not in self.received:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.read_fd], [], [], left)[0], "the browser does not answer"
            data = os.read(self.read_fd, 1 << 20)
            assert data, "the browser has ended"
            self.received += data
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)

    def take_event(self, message):
        method, params = message["method"], message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.messages.append(str(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.messages.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.messages.append(params["entry"]["text"])
        self.events.append(method)

    def ask(self, method, seconds=2 * WAIT_SECONDS, **params):
        number, self.next_id = self.next_id, self.next_id + 1
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_fd, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            reply = self.read_message(deadline)
            if reply.get("id") == number:
                assert "error" not in reply, f"{method}: {reply['error']}"
                return reply["result"]
            if "method" in reply:
                self.take_event(reply)

    def show(self, path, width, height=900, seconds=2 * WAIT_SECONDS):
        """Opens a file in a window of this size and waits until it is there."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.messages.clear()
        self.ask("Page.navigate", seconds, url="file://" + path)
        deadline = time.monotonic() + seconds
        while "Page.loadEventFired" not in self.events:
            self.take_event(self.read_message(deadline))

    def media(self, scheme, medium=""):
        self.ask(
            "Emulation.setEmulatedMedia",
            media=medium,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def evaluate(self, expression):
        reply = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    def screenshot(self, whole=True):
        """A PNG of the whole page, or of the window."""
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=whole, format="png")["data"])

    def pdf(self):
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
