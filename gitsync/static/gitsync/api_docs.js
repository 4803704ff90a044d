// The API documentation: Swagger UI with kiok's OpenAPI document. It contacts no other host, and sends no cookies with "Try it out".
"use strict";

SwaggerUIBundle({
  url: document.getElementById("api").dataset.document,
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  withCredentials: false,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
