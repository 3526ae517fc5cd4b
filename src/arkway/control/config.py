"""Which settings are there? The schema: types, ranges, defaults and reasons, in one place.

Validation (`parse`), environment names (`settings`), docs/config.md (`tools/gen_docs.py`) and
`arkway config show` all read these classes; a rule is written here and nowhere else.
Field order is the order of the documentation. Read `process.py` for the fields; what can change
while traffic runs is in the store (`arkway.store.entries`).
"""

from msgspec import Struct

from arkway.control.process import Control, Limits, Local, Log, Server, Telemetry, Upstream
from arkway.control.routing import Routing
from arkway.store.builtin import BUILTIN_MODELS

__all__ = [
    "BUILTIN_MODELS",
    "Config",
    "Control",
    "Limits",
    "Local",
    "Log",
    "Routing",
    "Server",
    "Telemetry",
    "Upstream",
]


class Config(Struct, frozen=True, kw_only=True):
    """Everything the file can say, validated whole."""

    server: Server = Server()
    limits: Limits = Limits()
    upstream: Upstream = Upstream()
    routing: Routing = Routing()
    control: Control = Control()
    log: Log = Log()
    telemetry: Telemetry = Telemetry()
    local: Local = Local()
