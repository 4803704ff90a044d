"use strict";
// A button with `data-copy` copies that text. Without access to the clipboard (http), it selects the text next to it.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const shown = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    if (shown.select) shown.select();
    else getSelection().selectAllChildren(shown);
    button.textContent = "Selected: press Ctrl+C";
  }
});
