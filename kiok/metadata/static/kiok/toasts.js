"use strict";
// Shows the messages of the last action in a corner of the screen. A success disappears by itself, unless it is pointed
// at; a warning or an error stays until it is closed. Without this script the messages are above the page.
document.addEventListener("DOMContentLoaded", () => {
  const SHOWN_MS = 12000;
  const list = document.querySelector(".messagelist");
  if (!list) return;
  list.classList.add("kiok-toasts");
  for (const message of list.children) {
    const close = document.createElement("button");
    close.type = "button";
    close.className = "kiok-close";
    close.textContent = "Close";
    close.addEventListener("click", () => message.remove());
    message.append(" ", close);
    if (message.matches(".warning, .error")) continue;
    const end = () => (message.matches(":hover, :focus-within") ? setTimeout(end, SHOWN_MS) : message.remove());
    setTimeout(end, SHOWN_MS);
  }
});
