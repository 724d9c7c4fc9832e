#!/usr/bin/env python3
"""Looks at pages of a running setpoint with headless Chromium.

    check.py [--screenshots DIRECTORY] NAME[*]=URL...

A file: URL is a report: nothing but the file itself may be read, and nothing in it is live.

Each page is opened as a person would: wide and light, dark on a phone of 360 pixels, and with JavaScript
off; with a * behind its name also wide and dark, at 1200 pixels, on a laptop, and light on a phone. What is wrong is printed, a line each; exit code 1 when there is any. Needs the Debian
package chromium, or another browser named by CHROMIUM, and the packages of tests/requirements.txt.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import urllib.parse

import axe_playwright_python
from playwright.sync_api import sync_playwright

AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# What a browser has to do before a page is there, counted and not timed, for a busy machine is slow at anything. The most
# at the time of writing: 3,505 elements (a list of 100 variants), 326 kB (a variant with two weeks of hours), 5 files.
# A list that is not cut into pages has ten times as many elements with 1,000 variants.
MOST = {"elements": 4000, "kilobytes": 400, "files": 6}
WORK = """() => {
  const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  return {
    elements: document.getElementsByTagName('*').length,
    kilobytes: Math.ceil(all.reduce((sum, entry) => sum + entry.decodedBodySize, 0) / 1000),
    files: all.length,
  };
}"""
VIEWS = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "desk": {"viewport": {"width": 1200, "height": 800}, "color_scheme": "light"},
    "laptop": {"viewport": {"width": 1024, "height": 768}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light", "has_touch": True},
    "phone-dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True},
}


def chromium():
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    return found or sys.exit("no Chromium: install the package chromium, or name one by CHROMIUM")


class Look:
    """One page in one view, and what is wrong with it."""

    def __init__(self, browser, name, url, view, screenshots):
        self.where = f"{name} ({view})"
        self.wrong = []
        self.origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
        # The policy of the pages forbids what axe does; it is checked by its own means.
        context = browser.new_context(**VIEWS[view], bypass_csp=True)
        self.page = context.new_page()
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.say(f"console: {m.text}"))
        self.page.on("pageerror", lambda error: self.say(f"script: {error}"))
        self.page.on("request", self.note_request)
        # A report is a file, and needs nothing but itself.
        self.is_file = url.startswith("file:")
        self.url = url
        self.page.on("requestfailed", lambda r: self.say(f"request failed: {r.url}"))
        self.page.goto(url, wait_until="load")
        # Right away: later, what the page refreshes would be counted with it.
        for what, found in self.page.evaluate(WORK).items():
            if not 0 < found <= MOST[what]:
                self.say(f"{what} of the page: {found} (at most {MOST[what]})")
        if screenshots:
            for full in (False, True):
                kind = "-full" if full else ""
                self.page.screenshot(path=screenshots / f"{name}-{view}{kind}.png", full_page=full)
        self.look(view)
        context.close()

    def say(self, what):
        self.wrong.append(f"{self.where}: {what}")

    def note_request(self, request):
        allowed = request.url == self.url if self.is_file else request.url.startswith(self.origin + "/")
        if not allowed:
            self.say(f"asks another origin: {request.url}")

    def look(self, view):
        page = self.page
        wide = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        if wide[0] > wide[1]:
            self.say(f"scrolls sideways: {wide[0]} of {wide[1]} pixels; {self.culprits()}")
        page.evaluate(AXE)
        found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        for violation in found["violations"]:
            nodes = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
            self.say(f"axe {violation['impact']}: {violation['id']}: {violation['help']}: {nodes}")
        if view == "light" and not self.is_file:
            self.keyboard()
            self.live()

    def culprits(self):
        return self.page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                 .filter((e) => e.getBoundingClientRect().right > innerWidth + 1
                   && getComputedStyle(e).position !== 'absolute')
                 .slice(0, 4).map((e) => e.outerHTML.slice(0, 90)).join(' | ')"""
        )

    def keyboard(self):
        self.page.keyboard.press("Tab")
        first = self.page.evaluate("() => document.activeElement.getAttribute('href')")
        if first != "#main":
            self.say(f"the first stop of the Tab key is {first}, not the content")

    def live(self):
        """What was shown is replaced by what the server says now."""
        page = self.page
        parts = page.locator("[data-live]").count()
        if parts < 2:
            self.say(f"{parts} parts of the page are live")
            return
        page.evaluate("() => document.querySelectorAll('[data-live]').forEach((e) => e.prepend('OLD-NEWS'))")
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        try:
            page.wait_for_function("() => !document.body.textContent.includes('OLD-NEWS')", timeout=20000)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is said)
            self.say(f"does not refresh: {str(error).splitlines()[0]}")
        age = page.locator("#age").inner_text()
        if "old" not in age and "ended" not in age:
            self.say(f"does not say how old it is: {age!r}")


def policy_holds(browser, name, url):
    """Under its own content security policy, with nothing bypassed; and without JavaScript."""
    wrong = []
    context = browser.new_context()
    page = context.new_page()
    page.on("console", lambda m: m.type in ("error", "warning") and wrong.append(f"{name} (policy): console: {m.text}"))
    page.goto(url, wait_until="load")
    whole = page.locator("main").inner_text()
    context.close()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url, wait_until="load")
    bare = page.locator("main").inner_text()
    context.close()
    if whole != bare:
        wrong.append(f"{name}: says something else without JavaScript")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screenshots", type=pathlib.Path)
    parser.add_argument("pages", nargs="+", metavar="NAME=URL")
    arguments = parser.parse_args()
    if arguments.screenshots:
        arguments.screenshots.mkdir(parents=True, exist_ok=True)
    wrong, looked = [], 0
    with sync_playwright() as playwright:
        # No sandbox: as root, in a container, there is none to be had; the pages are our own.
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for page in arguments.pages:
            name, url = page.split("=", 1)
            # A name with a `*` is looked at in every view, others where most goes wrong.
            views = VIEWS if name.endswith("*") else ("light", "phone-dark")
            name = name.rstrip("*")
            for view in views:
                wrong += Look(browser, name, url, view, arguments.screenshots).wrong
                looked += 1
            wrong += policy_holds(browser, name, url)
        browser.close()
    for line in wrong:
        print(line)
    print(json.dumps({"pages": len(arguments.pages), "views": looked, "wrong": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
