"""`python -m kiok.server COMMAND`: manage.py for an installed package."""

from kiok.server.entry import main

if __name__ == "__main__":
    main()
