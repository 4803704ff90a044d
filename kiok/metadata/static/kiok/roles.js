"use strict";
// The icon in the filter of Django's multiple select has a label but no role.
window.addEventListener("load", () => {
  document.querySelectorAll(".search-label-icon[aria-label]").forEach((icon) => icon.setAttribute("role", "img"));
});
