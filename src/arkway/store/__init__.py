"""What has the operator decided about callers, accounts, models and prices? The control store.

    tables, migrations      the schema, and its versions
    engine, changes         a store opened; one transaction with its audit row and revision
    keys accounts models prices tenants audit    what can be asked and changed, each checked whole
    entries, schema         the rules of each parameter, in one place
    secret_io, credentials  the gateway's secret, and what is sealed with it
    read_io                 how a serving process reads: standard library only
    begin                   how a fresh home gets its store and first key, in a process of its own

SQLAlchemy and Alembic weigh 40 MiB, so nothing that `arkway serve` imports may import `engine` or
what stands on it (tests/unit/store/test_read_io.py holds that). Decided in ADR 0014.
"""
