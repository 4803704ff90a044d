"use strict";
// Updates the parts, rows and cells of the overview from the server while the page is visible.
// Without this script a reload updates the page.
(() => {
  const BUSY_PAUSE_MS = 1000;
  const PAUSE_MS = 5000;
  const LONG_PAUSE_MS = 10000;

  const overview = document.querySelector("[data-overview-url]");
  const table = overview.querySelector("[data-overview-rows]");
  const region = table.closest("[role='region']");
  const lost = overview.querySelector("[data-overview-note='lost']");
  const shown = new WeakMap(); // the HTML that the server last sent for an element
  let timer = null;
  let isAsking = false;
  let etag = "";
  let pause = BUSY_PAUSE_MS;

  const fill = (element, html) => {
    if (shown.get(element) === html) {
      return;
    }
    const isFirst = !shown.has(element);
    shown.set(element, html);
    if (isFirst && element.innerHTML === html) {
      return;
    }
    const links = [...element.querySelectorAll("a")];
    const place = links.indexOf(document.activeElement);
    element.innerHTML = html; // escaped by the server
    if (place >= 0) {
      (element.querySelectorAll("a")[place] || region).focus();
    }
  };

  const newRow = (key, columns) => {
    const row = document.createElement("tr");
    row.dataset.row = key;
    for (let column = 0; column < columns; column += 1) {
      const cell = document.createElement(column === 0 ? "th" : "td");
      if (column === 0) {
        cell.scope = "row";
      }
      row.append(cell);
    }
    return row;
  };

  const showRows = (rows) => {
    const wanted = new Set(rows.map(([number]) => String(number)));
    const known = new Map();
    for (const row of [...table.rows]) {
      if (wanted.has(row.dataset.row)) {
        known.set(row.dataset.row, row);
        continue;
      }
      if (row.contains(document.activeElement)) {
        region.focus();
      }
      row.remove();
    }
    let place = table.firstElementChild;
    for (const [number, columns] of rows) {
      const key = String(number);
      const row = known.get(key) || newRow(key, columns.length);
      columns.forEach((html, column) => fill(row.cells[column], html));
      if (row === place) {
        place = place.nextElementSibling;
      } else {
        table.insertBefore(row, place);
      }
    }
    region.hidden = rows.length === 0;
  };

  const show = (found) => {
    overview.querySelectorAll("[data-overview-part]").forEach((part) => {
      const html = found.parts[part.dataset.overviewPart];
      if (part.getAttribute("role") !== "status") {
        fill(part, html);
      } else if (part.textContent !== html) {
        part.textContent = html; // screen readers announce it, so only when it changes
      }
    });
    showRows(found.rows);
    pause = found.busy ? BUSY_PAUSE_MS : PAUSE_MS;
  };

  const ask = async () => {
    const headers = etag ? { "If-None-Match": etag } : {};
    const response = await fetch(overview.dataset.overviewUrl, { redirect: "error", cache: "no-store", headers });
    if (response.status === 304) {
      return;
    }
    if (!response.ok) {
      throw new Error(`status ${response.status}`);
    }
    show(await response.json());
    etag = response.headers.get("ETag") || "";
  };

  const poll = async () => {
    timer = null;
    if (isAsking || document.hidden) {
      return;
    }
    isAsking = true;
    let next = LONG_PAUSE_MS;
    try {
      await ask();
      lost.hidden = true;
      next = pause;
    } catch {
      lost.hidden = false;
    }
    isAsking = false;
    if (timer === null && !document.hidden) {
      timer = setTimeout(poll, next);
    }
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    timer = null;
    if (!document.hidden) {
      poll();
    }
  });
  timer = setTimeout(poll, BUSY_PAUSE_MS);
})();
