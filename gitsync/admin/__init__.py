"""The admin pages of Git Sync. `site` holds the site, `pages` registers every page."""
