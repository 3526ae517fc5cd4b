"""Which models can callers name? Rows of the catalogue; each is served once it has a price."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, insert, select, update

from arkway.store import tables
from arkway.store.changes import Change
from arkway.store.entries import Model
from arkway.store.paging import Found, Page, read_page
from arkway.store.problems import NotFound, Problem, Refused, did_you_mean
from arkway.store.rows import from_row, to_row
from arkway.store.schema import read_entry


def create(change: Change, raw: Mapping[str, object]) -> Model:
    """Make a model; it is served once `prices.put` gives it a price.

    Errors:  Refused, with every problem.
    """
    problems: list[Problem] = []
    model = read_entry(Model, raw, None, problems)
    others = list_all(change.connection)
    if model is not None:
        problems += _disagreements(model, others)
        if any(model.name == each.name for each in others):
            problems.append(Problem("name", f'"{model.name}" exists already'))
    if model is None or problems:
        raise Refused(*problems)
    row = {**to_row(model), "created_unix_ms": change.now_ms}
    change.connection.execute(insert(tables.models).values(row))
    change.record("create", ("model", model.name), {}, msgspec.to_builtins(model))
    return model


def edit(change: Change, name: str, raw: Mapping[str, object]) -> Model:
    """Change the parameters in `raw` of the model `name`. Its name stays: calls and rows know it.

    Errors:  Refused, with every problem.
    """
    before = get(change.connection, name)
    problems = _fixed_name(raw)
    model = read_entry(Model, raw, before, problems)
    assert model is not None, "an entry laid over another one is whole"
    others = [each for each in list_all(change.connection) if each.name != before.name]
    problems += _disagreements(model, others)
    if problems:
        raise Refused(*problems)
    there = tables.models.c.name == before.name
    change.connection.execute(update(tables.models).where(there).values(to_row(model)))
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(model)
    change.record("edit", ("model", model.name), old, new)
    return model


def _fixed_name(raw: Mapping[str, object]) -> list[Problem]:
    return [Problem("name", "cannot be changed")] if "name" in raw else []


def get(connection: Connection, name: str) -> Model:
    """Return the model of this name or alias.

    Errors:  NotFound, with the nearest name.
    """
    models = list_all(connection)
    for model in models:
        if name == model.name or name in model.aliases:
            return model
    hint = did_you_mean(name, (model.name for model in models))
    raise NotFound(Problem("model", "is not a model here", hint))


def list_all(connection: Connection) -> list[Model]:
    """Return the models in the order they were made."""
    rows = connection.execute(
        select(tables.models).order_by(tables.models.c.created_unix_ms, tables.models.c.name)
    )
    return [from_row(Model, row) for row in rows.mappings()]


def page(connection: Connection, part: Page) -> Found[Model]:
    """Return a part of `list_all`."""
    table = tables.models
    order = (table.c.created_unix_ms, table.c.name)
    rows, after = read_page(connection, select(table), order, part)
    return Found([from_row(Model, row) for row in rows], after)


def named(
    models: Iterable[Model], listed: Iterable[str], parameter: str, problems: list[Problem]
) -> tuple[str, ...]:
    """Return the names of the models that `listed` means, aliases resolved, each once."""
    by_any = {name: each.name for each in models for name in (each.name, *each.aliases)}
    for name in listed:
        if name not in by_any:
            hint = did_you_mean(name, by_any)
            problems.append(Problem(parameter, f'"{name}" is not a model here', hint))
    return tuple(dict.fromkeys(by_any[name] for name in listed if name in by_any))


def _disagreements(model: Model, others: Iterable[Model]) -> list[Problem]:
    problems = []
    if model.max_output_tokens > model.context_tokens:
        problems.append(Problem("max_output_tokens", "is larger than context_tokens"))
    taken = {name for each in others for name in (each.name, *each.aliases)}
    if model.name in {name for each in others for name in each.aliases}:
        problems.append(Problem("name", f'"{model.name}" is already the alias of a model'))
    own = Counter((model.name, *model.aliases))
    problems += [
        Problem("aliases", f'"{alias}" is already the name or alias of a model')
        for alias in dict.fromkeys(model.aliases)
        if alias in taken or own[alias] > 1
    ]
    return problems
