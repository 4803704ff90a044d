"""Git hosting services: a class for each, with its webhooks and the pages of its repositories."""
