"""Has anything changed, and is the change good? Reload of models, accounts and keys.

No thread, no timer: the runtime calls `poll` (each 0.1 s). A change of the store was checked when
it was made, so it is applied at once; an account whose credential cannot be found here is left
out, and said so once. A change of the configuration file asks for a restart.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from arkway.control.config import Config
from arkway.control.files_io import Stamp, stamp
from arkway.control.load import load
from arkway.control.options import ServeOptions
from arkway.control.provision import Provisioned, built_from, named_files
from arkway.control.settings import SCALARS
from arkway.model.catalogue import Snapshot
from arkway.store.problems import Problem
from arkway.store.version import StoreRefused

# Files are of people, whose second is not divided; the store is looked at on every poll.
FILES_EVERY_POLLS = 5

_Stamps = dict[Path, Stamp | None]


class Reloader:
    """Watches the store and the files behind a running configuration.

    A file that was replaced (another inode: how editors save) is read on the next look; one
    written in place is read once it has stood still for a look, so that half a file is not taken
    for the whole.
    """

    def __init__(
        self,
        running: Provisioned,
        options: ServeOptions,
        environ: Mapping[str, str],
        apply: Callable[[Snapshot], None],
        report: Callable[[Problem], None],
    ) -> None:
        assert running.reader is not None, "what is served has a store"
        self._running = running.config  # process settings stay these until a restart
        self._path = running.loaded.path
        self._reader = running.reader
        self._view = running.view
        self._options = options
        self._environ = environ
        self._apply = apply
        self._report = report
        self._polls = 0
        self._read = running.stamps  # of the files as they were when they were read
        self._seen = running.stamps  # of the files at the last look
        self._told = {origin: set(running.warnings) for origin in ("file", "store")}

    def poll(self) -> bool:
        """Look once; return whether a new snapshot was applied.

        Cost:    a look at shared memory when nothing changed; each FILES_EVERY_POLLS polls, one
                 `stat` a file as well.
        """
        self._polls += 1
        is_files_turn = self._polls % FILES_EVERY_POLLS == 0
        authorities_changed = is_files_turn and self._look_at_files()
        try:
            view = self._reader.read(self._view) if self._reader.has_changed() else self._view
        except (StoreRefused, OSError) as error:
            self._tell("store", [Problem(str(self._reader.path), str(error))])
            return False
        if view is self._view and not authorities_changed:
            return False
        self._view = view
        self._read |= {name: stamp(name) for name in named_files(view) if name not in self._read}
        self._seen = dict(self._read)
        built = built_from(self._running, view, self._reader, self._environ)
        left_out = [
            Problem(each.path, each.message, each.hint or "the account is left out")
            for each in built.problems
        ]
        self._tell("store", [*left_out, *built.warnings])
        self._apply(built.snapshot)
        return True

    def _look_at_files(self) -> bool:
        """Report on a changed configuration file; return whether another file has changed."""
        before, self._seen = self._seen, {path: stamp(path) for path in self._read}
        if self._seen == self._read or _is_being_written(before, self._seen):
            return False
        old, self._read = self._read, self._seen
        if old[self._path] != self._read[self._path]:
            self._report_file()
        return any(old[path] != self._read[path] for path in old if path != self._path)

    def _report_file(self) -> None:
        if self._read[self._path] is None:
            hint = "what it said stays in force"
            self._tell("file", [Problem(str(self._path), "is no longer there", hint)])
            return
        options = self._options
        found = load(options.home, options.config_path, self._environ, options.overrides)
        if found.config is None:
            self._tell("file", found.problems)
        else:
            self._tell("file", [*_needing_restart(self._running, found.config), *found.warnings])

    def _tell(self, origin: str, problems: Iterable[Problem]) -> None:
        """Report what was not true at the last look; what was cured may be told again."""
        now = list(problems)
        for problem in now:
            if problem not in self._told[origin]:
                self._report(problem)
        self._told[origin] = set(now)


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
        if getattr(getattr(running, setting.table), setting.key)
        != getattr(getattr(found, setting.table), setting.key)
    ]
