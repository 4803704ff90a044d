"use strict";
// A button with `data-copy` copies the text before it. Without access to the clipboard (http), it selects that text.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const shown = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(shown.value ?? shown.textContent);
    button.textContent = "Copied";
  } catch {
    if (shown.select) shown.select();
    else getSelection().selectAllChildren(shown);
    button.textContent = "Selected: press Ctrl+C";
  }
});
