"""Each test here runs on SQLite and on a real PostgreSQL unless it says why it does not."""

from tests.databases import postgres_url, reg, registry_url, sqlite_url

__all__ = ["postgres_url", "reg", "registry_url", "sqlite_url"]
