"use strict";
// Leaves empty fields of a list's form out of the address, so that it can be shared. The server ignores them too.
document.getElementById("changelist-search")?.addEventListener("submit", (event) => {
  const empty = [...event.target.elements].filter((field) => field.name && !field.value && !field.disabled);
  empty.forEach((field) => {
    field.disabled = true;
  });
  // The page may be shown again from the browser's cache.
  window.addEventListener("pagehide", () => empty.forEach((field) => {
    field.disabled = false;
  }), { once: true });
});
