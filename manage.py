#!/usr/bin/env python3
"""Management commands: `./manage.py COMMAND [--config FILE]`; `./manage.py help` lists them."""

from kiok.server.entry import main

if __name__ == "__main__":
    main()
