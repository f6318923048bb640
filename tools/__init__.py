"""Tools for developers: a real browser and a real terminal, for the tests of pages and the pictures in `docs/`."""
