"use strict";
// The filters that Django's scripts add to a choice of many have a picture with a name but without a role.
window.addEventListener("load", () => {
  document.querySelectorAll(".search-label-icon[aria-label]").forEach((icon) => icon.setAttribute("role", "img"));
});
