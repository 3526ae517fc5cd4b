"""Which settings has the process? The sections of the file, read as data.

One `Setting` a field (`arkway.store.schema`). Loading, documentation and `arkway config show` walk
the same list.
"""

import msgspec

from arkway.control.process import Control, Limits, Local, Log, Server, Telemetry, Upstream
from arkway.control.routing import Routing
from arkway.store.schema import ENV_PREFIX, Setting, settings_of

__all__ = ["ENV_PREFIX", "RESTART_SECTIONS", "SCALARS", "SCALAR_BY_PATH", "SCALAR_BY_VARIABLE"]

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": Server,
    "limits": Limits,
    "upstream": Upstream,
    "routing": Routing,
    "control": Control,
    "log": Log,
    "telemetry": Telemetry,
    "local": Local,
}
RESTART_SECTIONS = tuple(SECTIONS)  # fixed while a process runs

SCALARS: tuple[Setting, ...] = tuple(
    setting for table, struct in SECTIONS.items() for setting in settings_of(table, struct)
)
SCALAR_BY_PATH: dict[str, Setting] = {setting.dotted: setting for setting in SCALARS}
SCALAR_BY_VARIABLE: dict[str, Setting] = {setting.variable: setting for setting in SCALARS}
