"""Git hosting services: their webhooks, and the links to their pages."""
