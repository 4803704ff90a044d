"use strict";
// Keeps the cells of the overview as the server has them while the page is visible.
// Without this script the page shows the same after a reload.
(() => {
  const PAUSE_MS = 2000;
  const LONG_PAUSE_MS = 10000;

  const overview = document.querySelector("[data-overview-url]");
  const note = (name) => overview.querySelector(`[data-overview-note='${name}']`);
  const cells = new Map();
  overview.querySelectorAll("[data-cell]").forEach((cell) => {
    cells.set(cell.dataset.cell, { cell, shown: cell.innerHTML });
  });
  let timer = null;
  let isAsking = false;

  const show = (found) => {
    for (const [key, html] of Object.entries(found)) {
      const known = cells.get(key);
      if (known && known.shown !== html) {
        known.shown = html;
        known.cell.innerHTML = html; // made by the server, which escapes
      }
    }
    const keys = Object.keys(found);
    note("others").hidden = keys.length === cells.size && keys.every((key) => cells.has(key));
  };

  const poll = async () => {
    timer = null;
    if (isAsking || document.hidden) {
      return;
    }
    isAsking = true;
    let pause = PAUSE_MS;
    try {
      const response = await fetch(overview.dataset.overviewUrl, { redirect: "error", cache: "no-store" });
      if (!response.ok) {
        throw new Error(`status ${response.status}`);
      }
      show((await response.json()).cells);
      note("lost").hidden = true;
    } catch {
      note("lost").hidden = false;
      pause = LONG_PAUSE_MS;
    }
    isAsking = false;
    if (timer === null && !document.hidden) {
      timer = setTimeout(poll, pause);
    }
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    timer = null;
    if (!document.hidden) {
      poll();
    }
  });
  timer = setTimeout(poll, PAUSE_MS);
})();
