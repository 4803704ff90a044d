"""Date formats by language, in the layout that Django's FORMAT_MODULE_PATH expects."""
