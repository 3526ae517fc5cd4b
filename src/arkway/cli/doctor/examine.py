"""Which checks are there, and in which order do they come?"""

import time
from collections.abc import Iterator

from arkway.cli.doctor import gateway, home, ledger, machine, ports, settings, upstreams
from arkway.cli.doctor.finding import Finding, problem
from arkway.cli.flags import Place
from arkway.cli.live import ops_port_of
from arkway.store.entries import Account


def examine(here: Place, *, offline: bool) -> Iterator[Finding]:
    """Yield what every check says, in the order in which a start meets things."""
    before = machine.clock()
    directory = here.home
    try:
        yield from home.judge(home.look(directory))
    except OSError as error:
        yield problem("home", f"{directory}: {error.strerror}", "set ARKWAY_HOME to a directory")
    found = settings.look(here)
    server = found.draft.server
    running = gateway.look(ops_port_of(server), directory)
    yield from settings.judge(found, running.accounts)
    book, disk = ledger.look(directory)
    now_s, is_running = time.time(), running.status is not None
    yield from ledger.judge(book, now_s, is_running=is_running)
    if disk is not None:
        yield ledger.judge_disk(disk)
    yield from gateway.judge(running, found.view.revision)
    holder = running.pid or (book.holder.pid if book.holder else None)
    yield from ports.judge(settings.ports(found.draft), holder, ports.listener)
    yield from _accounts(found, running, offline=offline)
    accounts = len(_enabled(found))
    yield machine.judge_fds(
        machine.fds(running.pid),
        server.max_connections,
        accounts,
        found.draft.upstream.max_connections,
    )
    yield machine.judge_python(machine.python())
    yield machine.judge_clock(before, machine.clock(), book.last_row_s)


def _enabled(found: settings.Settings) -> list[Account]:
    return [each.account for each in found.view.accounts if each.account.enabled]


def _accounts(
    found: settings.Settings, running: gateway.Gateway, *, offline: bool
) -> Iterator[Finding]:
    """Yield what is said of each account, all of one together."""
    accounts = _enabled(found)
    origins = [(each.name, upstreams.origin(each.base_url, each.ca_file)) for each in accounts]
    lines = list(gateway.judge_accounts(running, [each.name for each in accounts]))
    if not offline:
        reached = upstreams.reach(at for _, at in origins)
        lines = [*upstreams.judge(origins, reached, time.time()), *lines]
    order = {f"account {each.name}": place for place, each in enumerate(accounts)}
    yield from sorted(lines, key=lambda each: order[each.check])
