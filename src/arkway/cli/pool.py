"""How does a whole pool of accounts change at once? `arkway accounts apply`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from arkway.cli.flags import JsonFlag, changing, rehearsing
from arkway.cli.output import USAGE, Failure, print_json, remark
from arkway.control.pool_file import apply_pool, read_pool


def apply(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="TOML with [[accounts]] tables.")],
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove accounts that the file does not name.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonFlag = False,
) -> None:
    """Make the accounts what a file says, after showing what that changes.

    What a table leaves out is at its default; a sealed credential that is not given again stays.
    Tables have the parameters of docs/config.md, and `key_file`: a file to read the credential
    from, now. All or nothing. A running gateway follows within a second; calls under way finish.
    """
    try:
        tables, base = read_pool(path), path.absolute().parent
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", status=USAGE) from None
    with rehearsing() as now:
        differences = apply_pool(now, tables, base, prune=prune)
    if json:
        print_json(
            [{"action": d.action, "name": d.name, "changes": d.changes} for d in differences]
        )
    else:
        for each in differences:
            print("\n".join(each.lines()))
    if not differences:
        remark("nothing to change")
        return
    if dry_run:
        return
    if not yes:
        _ask(len(differences))
    with changing() as now:
        if apply_pool(now, tables, base, prune=prune) != differences:
            raise Failure("the accounts have changed meanwhile: nothing was done; look again")
    remark(f"changed {len(differences)} accounts" if len(differences) > 1 else "changed 1 account")


def _ask(count: int) -> None:
    """Ask whether to go on.

    Errors:  Failure when there is nobody to ask; typer.Abort when the answer is no.
    """
    if not sys.stdin.isatty():
        raise Failure("nothing was changed: say --yes where nobody can be asked", status=USAGE)
    typer.confirm(f"Change {count} account{'s' * (count > 1)}?", abort=True, err=True)
