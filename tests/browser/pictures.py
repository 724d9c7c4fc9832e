#!/usr/bin/env python3
"""Makes the pictures of the README: docs/images/page.png and variant.png from a demo, plan.svg from docs/plan.md.

    pictures.py [SETPOINT]

SETPOINT is the program, target/debug/setpoint by default. Needs what check.py needs.
"""

import html
import pathlib
import re
import subprocess
import sys

from playwright.sync_api import sync_playwright

from check import chromium

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
# The signs of a plan, in the colours of a terminal.
COLOURS = {"+": "#7ee2a8", "~": "#f2c55c", "!": "#c9a7ff", "?": "#ff8f86", "=": "#8b98a9", ".": "#8b98a9"}
LINE, CHARACTER, MARGIN, MOST = 19, 7.83, 18, 150


def plan():
    """The first block of docs/plan.md, which a test keeps equal to what the program prints."""
    lines = (ROOT / "docs" / "plan.md").read_text().split("```\n")[1].splitlines()
    shown = [line if len(line) <= MOST else line[: MOST - 1] + "\u2026" for line in lines]
    width = MARGIN * 2 + CHARACTER * max(map(len, shown))
    height = MARGIN * 2 + LINE * len(shown)
    rows = []
    for number, line in enumerate(shown):
        sign = re.match(r" *([-+~!?=.]) ", line)
        colour = COLOURS.get(sign.group(1), "#d5dde8") if sign else "#d5dde8"
        y = MARGIN + LINE * number + 14
        rows.append(f'<text x="{MARGIN}" y="{y}" fill="{colour}" xml:space="preserve">{html.escape(line)}</text>')
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        'aria-label="The output of setpoint plan" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'
        f'monospace" font-size="13"><rect width="{width:.0f}" height="{height}" rx="10" fill="#10161f"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )
    (IMAGES / "plan.svg").write_text(svg)


def pages(program):
    """The fleet and one variant of a demo, some simulated hours after its start."""
    command = [program, "demo", "--serve", "--speed", "600", "--minutes", "400", "--listen", "127.0.0.1:0"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = next(m.group(1) for line in demo.stdout if (m := re.search(r"Still at (http://\S+)/", line)))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 730})
            page.goto(f"{address}/")
            page.screenshot(path=IMAGES / "page.png")
            page.set_viewport_size({"width": 1280, "height": 860})
            page.get_by_role("link", name="doc-embedder").click()
            page.wait_for_selector(".answers")
            page.screenshot(path=IMAGES / "variant.png")
            browser.close()
    finally:
        demo.terminate()
        demo.wait()


def main():
    plan()
    pages(sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target" / "debug" / "setpoint"))
    for name in ("plan.svg", "page.png", "variant.png"):
        size = (IMAGES / name).stat().st_size
        print(f"docs/images/{name}: {size} bytes")
        if size > 200_000:
            sys.exit(f"docs/images/{name} is larger than 200,000 bytes")


if __name__ == "__main__":
    main()
