"""How is a setting described? Units, ranges and text rules that several settings share.

A rule is a `msgspec.Meta`: `parse` validates with it, `settings` puts it into words.
"""

from typing import Annotated, Any

from msgspec import Meta

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
MINUTE_S = 60.0
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

# A duration of 0 would mean "at once" or "never" depending on whom one asks; the smallest useful
# one is a tick of a test.
SHORTEST_S = 0.01


def about(what: str, why: str, **rule: Any) -> Meta:
    """Return the documentation and the rule of one setting.

    Shapes:  rule: keywords of `msgspec.Meta` (`ge`, `le`, `pattern`), or `extra` with `rule`, the
             rule in words where a pattern would not explain itself.
    """
    extra = {"why": why, **rule.pop("extra", {})}
    return Meta(description=what, extra=extra, **rule)


# No control characters (they would break log lines and TOML) and no lone surrogates (bytes of a
# command line that were not UTF-8). msgspec searches, so patterns are anchored; `\Z`, because `$`
# also matches before a final newline.
_LABEL = Meta(
    pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]{1,128}\Z",
    extra={"rule": "string, 1 to 128 characters, no control characters"},
)
_FILE_PATH = Meta(
    pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]{1,4096}\Z",  # 4096: PATH_MAX of Linux
    extra={"rule": "string, a path; a relative one starts at this file's directory", "path": True},
)
Label = Annotated[str, _LABEL]
FilePath = Annotated[str, _FILE_PATH]
Port = Annotated[int, Meta(ge=0, le=65535)]
Size = Annotated[int, Meta(ge=KIB, le=GIB)]
Duration = Annotated[float, Meta(ge=SHORTEST_S, le=HOUR_S)]
LongDuration = Annotated[float, Meta(ge=SHORTEST_S, le=DAY_S)]
Connections = Annotated[int, Meta(ge=1, le=1_000_000)]
