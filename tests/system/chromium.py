# SPDX-License-Identifier: Apache-2.0
"""A page in headless Chromium over its debugging pipe (JSON texts that end with a zero byte, on file descriptors 3 and 4): Python's own library only."""
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")


def find():
    return next((p for p in map(shutil.which, NAMES) if p), None)


class Page:
    def __init__(self, program, folder):
        to, self.write = os.pipe()
        self.read, back = os.pipe()
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run", "--remote-debugging-pipe",
                   "--user-data-dir=" + folder, "about:blank"]
        self.log = open(folder + ".log", "wb")
        self.process = subprocess.Popen(["sh", "-c", f'exec "$@" 3<&{to} 4>&{back}', "sh", *command], pass_fds=(to, back), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(to)
        os.close(back)
        self.text, self.calls, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")

    def message(self, until):
        while b"\0" not in self.text:
            if not select.select([self.read], [], [], max(until - time.monotonic(), 0))[0]:
                raise TimeoutError("Chromium does not answer")
            part = os.read(self.read, 1 << 16)
            if not part:
                raise EOFError("Chromium has ended")
            self.text += part
        one, self.text = self.text.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.calls += 1
        request = {"id": self.calls, "method": method, "params": params, **({"sessionId": self.session} if self.session else {})}
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]
        until = time.monotonic() + 60
        while True:
            m = self.message(until)
            if m.get("id") == self.calls:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]
            self.events.append(m)

    def value(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            raise RuntimeError(f"{expression}: {r['exceptionDetails']}")
        return r["result"].get("value")

    def open(self, path, width, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url="file://" + path)
        until = time.monotonic() + 60
        while self.value("location.pathname + document.readyState") != path + "complete":
            if time.monotonic() > until:
                raise TimeoutError(f"{path} does not load")
            time.sleep(0.02)

    def complaints(self):
        """errors, warnings and words of the page's script"""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(e["params"])[:300] for e in self.events if e.get("method") in kinds]

    def requests(self):
        """addresses that the page asked for, itself left out"""
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [u for u in asked if not u.startswith("data:") and not u.endswith(".html")]

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(20)
        except (OSError, EOFError, TimeoutError, RuntimeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()
