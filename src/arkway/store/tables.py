"""Which tables has the store? In portable types: SQLite now, PostgreSQL later.

Lists and maps are JSON text; times are milliseconds or seconds of the Unix epoch; money is nano.
Changes of this file need a migration (tests/unit/store/test_migrations.py compares the two).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# One row: how often the store has changed, and when last. Workers find out by it.
revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("changed_unix_ms", BigInteger, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", Text, nullable=False),
)

tenants = Table(
    "tenants",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("created_unix_ms", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("tenant", String(128), ForeignKey("tenants.name"), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("expires_unix_s", BigInteger),
    Column("models", Text, nullable=False),
    Column("allowed_networks", Text, nullable=False),
    Column("denied_networks", Text, nullable=False),
    Column("requests_per_min", BigInteger),
    Column("tokens_per_min", BigInteger),
    Column("concurrency", BigInteger),
    Column("total_tokens", BigInteger),
    Column("budget_nano", BigInteger),
    Column("budget_period", String(16), nullable=False),
    Column("on_disconnect", String(16), nullable=False),
    Column("created_unix_ms", BigInteger, nullable=False),
    Column("revoked_unix_ms", BigInteger),
    Column("revision", BigInteger, nullable=False),  # of the store when this key last changed
    Index("ix_api_keys_revision", "revision"),
    # A revoked key stays for ever; its name may be given again.
    Index(
        "uq_api_keys_name",
        "name",
        unique=True,
        sqlite_where=text("revoked_unix_ms IS NULL"),
        postgresql_where=text("revoked_unix_ms IS NULL"),
    ),
)

# The texts that open a key: one, or two while a rotation overlaps.
api_key_digests = Table(
    "api_key_digests",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("key_id", String(32), ForeignKey("api_keys.id"), nullable=False, index=True),
    Column("expires_unix_s", BigInteger),  # of a text that was rotated out
    Column("created_unix_ms", BigInteger, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("dialect", String(16), nullable=False),
    Column("base_url", Text, nullable=False),
    Column("key_env", String(128)),
    Column("models", Text, nullable=False),
    Column("only_listed_models", Boolean, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("ca_file", Text),
    Column("enabled", Boolean, nullable=False),
    Column("is_draining", Boolean, nullable=False),
    Column("requests_per_min", BigInteger),
    Column("tokens_per_min", BigInteger),
    Column("in_flight", BigInteger),
    Column("model_limits", Text, nullable=False),
    Column("created_unix_ms", BigInteger, nullable=False),
)

account_credentials = Table(
    "account_credentials",
    metadata,
    Column("account", String(63), ForeignKey("accounts.name"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # nonce and AES-GCM ciphertext
    Column("created_unix_ms", BigInteger, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("upstream_model", String(128), nullable=False),
    Column("context_tokens", BigInteger, nullable=False),
    Column("max_output_tokens", BigInteger, nullable=False),
    Column("aliases", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("connect_s", Float),
    Column("first_token_s", Float),
    Column("plain_answer_s", Float),
    Column("between_chunks_s", Float),
    Column("total_s", Float),
    Column("created_unix_ms", BigInteger, nullable=False),
)

# Rows are only ever added: the ledger names the version it charged by.
prices = Table(
    "prices",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("model", String(128), ForeignKey("models.name"), nullable=False, index=True),
    Column("currency", String(3), nullable=False),
    Column("input_nano", BigInteger, nullable=False),  # nano per million tokens, as the others
    Column("cached_input_nano", BigInteger, nullable=False),
    Column("output_nano", BigInteger, nullable=False),
    Column("cache_creation_nano", BigInteger),
    Column("created_unix_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,  # a version is never given twice
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("unix_ms", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("noun", String(32), nullable=False),
    Column("noun_id", String(128), nullable=False),
    Column("before", Text, nullable=False),  # JSON of what changed, without secrets
    Column("after", Text, nullable=False),
    Index("ix_audit_log_noun", "noun", "noun_id"),
    sqlite_autoincrement=True,
)

# What opens the admin API; callers' keys never do. A revoked token stays, for the audit log.
admin_tokens = Table(
    "admin_tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("expires_unix_s", BigInteger),
    Column("created_unix_ms", BigInteger, nullable=False),
    Column("revoked_unix_ms", BigInteger),
    Index(
        "uq_admin_tokens_name",
        "name",
        unique=True,
        sqlite_where=text("revoked_unix_ms IS NULL"),
        postgresql_where=text("revoked_unix_ms IS NULL"),
    ),
)

# Browsers that have logged in with a token. A session that ended is gone.
admin_sessions = Table(
    "admin_sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),  # of what the cookie holds
    Column("token_id", String(32), ForeignKey("admin_tokens.id"), nullable=False, index=True),
    Column("address", String(64), nullable=False),
    Column("created_unix_ms", BigInteger, nullable=False),
    Column("seen_unix_ms", BigInteger, nullable=False),
    Column("ends_unix_ms", BigInteger, nullable=False),  # whatever happens
)
