// The API documentation: Swagger UI with kiok's OpenAPI document. It contacts no other host, and sends no cookies with "Try it out".
"use strict";

// The same theme as the admin's pages.
const chosen = localStorage.getItem("theme");
const system = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  const isDark = chosen === "dark" || (chosen !== "light" && system.matches);
  document.documentElement.classList.toggle("dark-mode", isDark);
};
system.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: document.getElementById("api").dataset.document,
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  withCredentials: false,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
