// The API's documentation: Swagger UI over our own document. It sends nothing to another host, and no cookie with a trial.
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
