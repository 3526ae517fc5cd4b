"""Has the configuration changed, and is the change good? Reload of models, accounts and keys.

No thread, no timer: the runtime calls `poll` (each 0.5 s). A good change is applied whole; a bad
one changes nothing, and each of its problems is reported once.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from arkway.control.config import Config
from arkway.control.files_io import Stamp, stamp
from arkway.control.options import ServeOptions
from arkway.control.problems import Problem
from arkway.control.provision import Provisioned, provision
from arkway.control.settings import RESTART_SECTIONS, SCALARS
from arkway.model.catalogue import Snapshot

_Stamps = dict[Path, Stamp | None]


class Reloader:
    """Watches the files behind a running configuration.

    A file that was replaced (another inode: how editors and `arkway keys create` save) is read
    on the next poll; one written in place is read once it has stood still for a poll, so that
    half a file is not taken for the whole.
    A configuration file that vanishes is reported, and what it said stays in force.
    """

    def __init__(
        self,
        running: Provisioned,
        options: ServeOptions,
        environ: Mapping[str, str],
        apply: Callable[[Snapshot], None],
        report: Callable[[Problem], None],
    ) -> None:
        self._running = running.config  # process settings stay these until a restart
        self._path = running.loaded.path
        self._options = options
        self._environ = environ
        self._apply = apply
        self._report = report
        self._read = running.stamps  # of the files as they were when they were read
        self._seen = running.stamps  # of the files at the last poll
        self._reported = set(running.warnings)  # told at the start

    def poll(self) -> bool:
        """Look at the files once; return whether a new snapshot was applied.

        Cost:    one `stat` a file when nothing changed.
        """
        before, self._seen = self._seen, {path: stamp(path) for path in self._read}
        if self._seen == self._read or _is_being_written(before, self._seen):
            return False
        if self._seen[self._path] is None and self._read[self._path] is not None:
            self._read = self._seen
            hint = "what it said stays in force"
            self._tell([Problem(str(self._path), "is no longer there", hint)])
            return False
        return self._reload()

    def _reload(self) -> bool:
        found = provision(self._options, self._environ, self._running)
        self._read = self._seen = found.stamps
        if found.snapshot is None:
            self._tell(found.problems)
            return False
        notices = (*_needing_restart(self._running, found.config), *found.warnings)
        self._tell(notices)
        self._reported = set(notices)  # what was cured may be told again
        self._apply(found.snapshot)
        return True

    def _tell(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if problem not in self._reported:
                self._reported.add(problem)
                self._report(problem)


def _is_being_written(before: _Stamps, now: _Stamps) -> bool:
    """Return whether a file changed in place since the last look."""
    return any(
        (old := before.get(path)) is not None
        and new is not None
        and old != new
        and old.inode == new.inode
        for path, new in now.items()
    )


def _needing_restart(running: Config, found: Config) -> list[Problem]:
    """Return a problem for each process setting that the file now gives another value."""
    return [
        Problem(setting.dotted, "needs a restart", "the old value stays in force")
        for setting in SCALARS
        if setting.table in RESTART_SECTIONS
        and getattr(getattr(running, setting.table), setting.key)
        != getattr(getattr(found, setting.table), setting.key)
    ]
