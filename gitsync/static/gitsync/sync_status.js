"use strict";
// Updates the parts of each status panel from the server until the server reports it as settled. A panel with
// `data-goes-on` goes on, for changes that were not requested on this page, such as by a webhook; the server then only
// compares an ETag.
// Without this script a reload updates the page.
(() => {
  const PAUSE_MS = 1000;
  const LONG_PAUSE_MS = 5000;
  const SETTLED_PAUSE_MS = 1500;
  const PATIENCE_MS = 120000;

  const watch = (panel) => {
    const goesOn = "goesOn" in panel.dataset;
    let began = Date.now();
    let etag = "";
    const lost = panel.querySelector("[data-sync-part='lost']");

    const again = (failed) => {
      if (panel.dataset.settled === "true") {
        setTimeout(poll, SETTLED_PAUSE_MS);
        return;
      }
      const tired = failed || Date.now() - began > PATIENCE_MS;
      setTimeout(poll, tired ? LONG_PAUSE_MS : PAUSE_MS);
    };

    const poll = async () => {
      if (document.hidden) {
        again(false);
        return;
      }
      let status;
      try {
        const headers = etag ? { "If-None-Match": etag } : {};
        const response = await fetch(panel.dataset.syncStatusUrl, { redirect: "error", cache: "no-store", headers });
        if (response.status === 304) {
          lost.hidden = true;
          again(false);
          return;
        }
        if (!response.ok) {
          throw new Error(`status ${response.status}`);
        }
        status = await response.json();
        etag = response.headers.get("ETag") || "";
      } catch {
        lost.hidden = false;
        again(true);
        return;
      }
      lost.hidden = true;
      for (const [name, html] of Object.entries(status.parts)) {
        const part = panel.querySelector(`[data-sync-part="${name}"]`);
        if (part && (part.dataset.shown ?? part.innerHTML) !== html) {
          const place = [...part.querySelectorAll("a")].indexOf(document.activeElement);
          part.dataset.shown = html;
          part.innerHTML = html; // escaped by the server's templates
          part.querySelectorAll("a")[place]?.focus();
        }
      }
      if (panel.dataset.settled === "true") {
        began = Date.now();
      }
      panel.dataset.settled = String(status.settled);
      if (goesOn || !status.settled) {
        again(false);
      }
    };
    again(false);
  };

  document
    .querySelectorAll("[data-sync-status-url]:not([data-settled='true']), [data-sync-status-url][data-goes-on]")
    .forEach(watch);
})();
