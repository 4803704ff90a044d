"use strict";
// Shows every time in the viewer's time zone and keeps "3 minutes ago" current. Without this script times are in UTC.
//
// kiok.metadata.admin.display renders <time datetime="..."> with the parts data-time="relative", "exact" and "full".
// Times on Django's own pages, in the format of settings.DATETIME_FORMAT, are converted to such elements here.
(() => {
  const FRESH_MS = 10000;
  const SECONDS = { year: 31557600, month: 2629800, week: 604800, day: 86400, hour: 3600, minute: 60 };
  const PLAIN = /^\s*(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC\s*$/;
  const PLACES = ".readonly, #result_list .kiok-cell, #change-history th, .tabular td p";

  const parts = (when, options) => {
    const format = new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", ...options });
    return Object.fromEntries(format.formatToParts(when).map((part) => [part.type, part.value]));
  };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const dayOf = (when, timeZone) => {
    const at = parts(when, { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
    return `${at.year}-${at.month}-${at.day}`;
  };
  const clockOf = (when, timeZone, withSeconds) => {
    const second = withSeconds ? { second: "2-digit" } : {};
    const at = parts(when, { timeZone, hour: "2-digit", minute: "2-digit", timeZoneName: "short", ...second });
    return [at.hour, at.minute, ...(withSeconds ? [at.second] : [])].join(":") + ` ${at.timeZoneName}`;
  };

  const full = (when) => `${dayOf(when)} ${clockOf(when, undefined, true)}`;
  const exact = (when, now) => {
    const clock = clockOf(when);
    return dayOf(when) === dayOf(now) ? clock : `${dayOf(when)} ${clock}`;
  };
  const title = (when) => {
    const name = parts(when, { timeZoneName: "long" }).timeZoneName;
    return `${full(when)}, ${name} (${zone}); ${dayOf(when, "UTC")} ${clockOf(when, "UTC", true)}`;
  };

  const words = (when, now) => {
    const seconds = Math.abs(now - when) / 1000;
    const isPast = when <= now;
    if (seconds < 60) {
      return isPast ? "just now" : "in less than a minute";
    }
    const [unit, size] = Object.entries(SECONDS).find(([, length]) => seconds >= length);
    const number = Math.floor(seconds / size);
    const span = `${number}\u00a0${unit}${number === 1 ? "" : "s"}`; // the same format as Django's
    return isPast ? `${span} ago` : `in ${span}`;
  };

  const write = (element, text) => {
    if (element && element.textContent !== text) {
      element.textContent = text;
    }
  };
  const show = (element, now) => {
    const when = new Date(element.dateTime);
    if (Number.isNaN(when.getTime())) {
      return;
    }
    const part = (name) => element.querySelector(`[data-time='${name}']`);
    write(part("relative"), words(when, now));
    write(part("exact"), exact(when, now));
    write(part("full"), full(when));
    if (!element.hasAttribute("aria-live")) {
      // Screen readers must not announce the passing of time in a live region.
      element.setAttribute("aria-live", "off");
      element.title = title(when);
    }
  };

  const wrap = (cell) => {
    const found = cell.children.length === 0 && PLAIN.exec(cell.textContent);
    if (found) {
      const element = document.createElement("time");
      element.dateTime = `${found[1]}T${found[2]}Z`;
      const shown = document.createElement("span");
      shown.dataset.time = "full";
      shown.textContent = cell.textContent.trim();
      element.append(shown);
      cell.replaceChildren(element);
    }
  };

  const showAll = (root) => {
    const now = new Date();
    root.querySelectorAll(PLACES).forEach(wrap);
    root.querySelectorAll("time[datetime]").forEach((element) => show(element, now));
  };

  showAll(document);
  setInterval(() => {
    if (!document.hidden) {
      showAll(document);
    }
  }, FRESH_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      showAll(document);
    }
  });
  // Observe elements that other scripts insert. This script inserts only text.
  new MutationObserver((changes) => {
    const elements = changes.flatMap((change) => [...change.addedNodes]).filter((node) => node.nodeType === Node.ELEMENT_NODE);
    if (elements.length) {
      const parents = new Set(elements.filter((node) => node.isConnected).map((node) => node.parentElement));
      parents.forEach((parent) => parent && showAll(parent));
    }
  }).observe(document.body, { childList: true, subtree: true });
})();
