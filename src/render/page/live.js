// Replaces what the server marks as live with what it says now, and tells how old it is. The page is
// whole without this.
"use strict";
(() => {
  const PERIOD_MS = 15000;
  const age = () => document.getElementById("age");
  // When the age that the server tells was right, on a clock that only runs forward.
  let told = performance.now();
  let trouble = "";
  let on = true;

  function words(ms) {
    const seconds = Math.max(0, Math.round(ms / 1000));
    if (seconds < 120) return `${seconds} s old`;
    if (seconds < 7200) return `${Math.floor(seconds / 60)} min old`;
    return `${Math.floor(seconds / 3600)} h old`;
  }

  function tell() {
    const element = age();
    if (!element || !element.dataset.age) return;
    if (!element.title) element.title = element.textContent;
    const old = 1000 * Number(element.dataset.age) + performance.now() - told;
    element.textContent = words(old) + (trouble ? `: ${trouble}` : "");
    document.getElementById("fresh").classList.toggle("late", trouble !== "" || element.dataset.late !== undefined);
  }

  function focused() {
    const element = document.activeElement;
    return element && element.getAttribute("href");
  }

  function replace(fresh) {
    const href = focused();
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = old.id && fresh.getElementById(old.id);
      if (!next || next.isEqualNode(old)) continue;
      for (const details of old.querySelectorAll("details[id]")) {
        const same = next.querySelector(`#${CSS.escape(details.id)}`);
        if (same) same.open = details.open;
      }
      old.replaceWith(document.adoptNode(next));
      if (href && document.activeElement === document.body) {
        const again = [...document.querySelectorAll("a")].find((a) => a.getAttribute("href") === href);
        if (again) again.focus({ preventScroll: true });
      }
    }
    toggle();
  }

  async function refresh() {
    if (!on || document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PERIOD_MS) });
      if (answer.ok) {
        const text = await answer.text();
        told = performance.now();
        replace(new DOMParser().parseFromString(text, "text/html"));
        trouble = "";
      } else {
        trouble = `the server answers ${answer.status}`;
      }
    } catch {
      trouble = "the server does not answer";
    }
    tell();
  }

  // A display that changes by itself can be stopped (WCAG 2.2.2).
  function toggle() {
    const again = document.getElementById("again");
    if (!again) return;
    again.textContent = on ? "live: stop" : "stopped: go on";
    again.setAttribute("role", "button");
    again.onclick = (event) => {
      event.preventDefault();
      on = !on;
      toggle();
      refresh();
    };
  }

  toggle();
  tell();
  setInterval(tell, 1000);
  setInterval(refresh, PERIOD_MS);
  document.addEventListener("visibilitychange", refresh);
})();
