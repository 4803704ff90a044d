"use strict";
// The key "/" moves to the search box, unless a text is being entered.
document.addEventListener("keydown", (event) => {
  const isEntering = event.target.closest("input, textarea, select, [contenteditable]");
  const box = document.getElementById("kiok-search");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isEntering || !box) return;
  event.preventDefault();
  box.focus();
  box.select();
});
