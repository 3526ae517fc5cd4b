"""How does the book lie in its file? Tables, views and the statements over them.

`entries` is append-only and chained. `daily` is what the entries come to by day: kept in the
transaction that adds them, so that the two never differ. Its lines grow with days, keys, models and
accounts: a month of 1000 keys may have a million, so sums without keys and sums without accounts
are kept beside it. The views are for people with an SQL prompt; nothing of ours depends on them.
"""

from collections.abc import Iterator
from functools import cache

SCHEMA_VERSION = 2

# FULL: a commit returns after its fsync. WAL: one sequential write a commit, and readers never
# wait. A checkpoint at 4000 pages (16 MiB) rather than 1000: they come between commits. 4 MiB of
# cache: entries are added at the end of the table and of its index, and a day's sums are near.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA cache_size=-4096",
    "PRAGMA temp_store=MEMORY",
)

DIMENSIONS = ("day", "key", "tenant", "model", "account", "currency")
MEASURES = (
    "attempts",
    "settled",
    "estimated",
    "unknown",
    "uncached",
    "cached",
    "created",
    "output",
    "reasoning",
    "cost_nano",
)
# Table: its dimensions. The last one has all, and the others the sums of its lines.
SUMS: dict[str, tuple[str, ...]] = {
    "daily_models": ("day", "tenant", "model", "account", "currency"),
    "daily_keys": ("day", "key", "tenant", "model", "currency"),
    "daily": DIMENSIONS,
}


def _sums_table(name: str) -> str:
    texts = [f"{each} TEXT NOT NULL" for each in SUMS[name]]
    counts = [f"{each} INTEGER NOT NULL" for each in MEASURES]
    index = f"CREATE INDEX {name}_of_key ON {name}(key, day);" if "key" in SUMS[name] else ""
    columns = ",".join((*texts, *counts, f"PRIMARY KEY({','.join(SUMS[name])})"))
    return f"CREATE TABLE {name}({columns}) WITHOUT ROWID; {index}"


def summed_up(name: str) -> str:
    """Return the query of what a smaller table of sums has to hold."""
    group, sums = ",".join(SUMS[name]), ",".join(f"sum({each})" for each in MEASURES)
    return f"SELECT {group},{sums} FROM daily GROUP BY {group}"  # noqa: S608 - our own names


SMALLER = [name for name in SUMS if name != "daily"]
# A book of version 1 has `daily` alone.
FROM_VERSION_1 = " ".join(
    f"{_sums_table(name)} INSERT INTO {name} {summed_up(name)};" for name in SMALLER
)
SUMS_TABLES = " ".join(map(_sums_table, SUMS))
TABLES = """
CREATE TABLE entries(
  seq INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  is_end INTEGER NOT NULL,
  body TEXT NOT NULL,
  hash BLOB NOT NULL
);
CREATE UNIQUE INDEX entries_of ON entries(request_id, attempt, is_end);
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE VIEW intents AS SELECT seq, request_id, attempt,
  datetime((body->>'at_ms') / 1000, 'unixepoch') AS at, body->>'key' AS key,
  body->>'tenant' AS tenant, body->>'account' AS account, body->>'model' AS model,
  body->>'upstream_model' AS upstream_model, coalesce(body->>'stream', 0) AS stream,
  coalesce(body->>'hold_tokens', 0) AS hold_tokens, coalesce(body->>'hold_nano', 0) AS hold_nano
  FROM entries WHERE is_end = 0;
CREATE VIEW ends AS SELECT seq, request_id, attempt,
  datetime((body->>'at_ms') / 1000, 'unixepoch') AS at, body->>'kind' AS kind,
  body->>'outcome' AS outcome, body->>'source' AS source,
  coalesce(body->>'uncached', 0) AS uncached, coalesce(body->>'cached', 0) AS cached,
  coalesce(body->>'created', 0) AS created, coalesce(body->>'output', 0) AS output,
  coalesce(body->>'reasoning', 0) AS reasoning, coalesce(body->>'cost_nano', 0) AS cost_nano
  FROM entries WHERE is_end = 1;
"""

LAST = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1"
# An intent without an end, among the rows from a number on. That number is stored with the book,
# so that the look at a start is short however long the book is.
OPEN_HOLDS = """
SELECT i.seq, i.body FROM entries i WHERE i.seq >= ? AND i.is_end = 0 AND NOT EXISTS (
  SELECT 1 FROM entries e WHERE e.request_id = i.request_id AND e.attempt = i.attempt
  AND e.is_end = 1) ORDER BY i.seq
"""
# What the ends among some rows come to, in the words of `daily`: it says whether `rollup` and the
# file still agree. An end counts on the day of its intent.
SUMS_OF_ROWS = """
SELECT date((i.body->>'at_ms') / 1000, 'unixepoch') AS day, i.body->>'key', i.body->>'tenant',
  i.body->>'model', i.body->>'account', coalesce(i.body->>'currency', ''), count(*),
  sum(e.body->>'kind' = 'settle'),
  sum(e.body->>'kind' = 'settle' AND e.body->>'source' = 'estimate'),
  sum(e.body->>'kind' = 'unknown'), sum(coalesce(e.body->>'uncached', 0)),
  sum(coalesce(e.body->>'cached', 0)), sum(coalesce(e.body->>'created', 0)),
  sum(coalesce(e.body->>'output', 0)), sum(coalesce(e.body->>'reasoning', 0)),
  sum(coalesce(e.body->>'cost_nano', 0))
FROM entries e JOIN entries i
  ON i.request_id = e.request_id AND i.attempt = e.attempt AND i.is_end = 0
WHERE e.seq BETWEEN ? AND ? AND e.is_end = 1 AND day >= ?
GROUP BY 1, 2, 3, 4, 5, 6
"""
# The oldest row whose attempt has no end yet.
FIRST_OPEN = "first_open"
# What pruning leaves behind: the first row that is kept, the hash before it, and the first day
# whose rows are all there.
FIRST_SEQ, ANCHOR, PRUNED_BEFORE = "first_seq", "anchor", "pruned_before"
GET_META = "SELECT value FROM meta WHERE name = ?"
SET_META = "INSERT INTO meta VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"

# Rows a statement: 3072 parameters of the 32766 that SQLite takes, and one step of it outside the
# interpreter lock. In powers of two, so that ten statements serve every number of rows: SQLite
# takes as long to read one as to run it.
MAX_ROWS = 512


def statements(rows: int) -> Iterator[int]:
    """Yield how many rows each statement takes, so that they come to `rows`."""
    count = MAX_ROWS
    while rows:
        while count > rows:
            count //= 2
        yield count
        rows -= count


@cache
def insert_entries(rows: int) -> str:
    """Return the statement that appends `rows` entries; six parameters each."""
    return "INSERT INTO entries VALUES" + ",".join(["(?,?,?,?,?,?)"] * rows)


def _add_to(name: str) -> str:
    group = ",".join(SUMS[name])
    marks = ",".join("?" * (len(SUMS[name]) + len(MEASURES)))
    sums = ",".join(f"{each} = {each} + excluded.{each}" for each in MEASURES)
    return (
        f"INSERT INTO {name}({group},{','.join(MEASURES)}) VALUES({marks})"
        f" ON CONFLICT({group}) DO UPDATE SET {sums}"
    )


ADD_TO = {name: _add_to(name) for name in SUMS}
