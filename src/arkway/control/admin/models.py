"""Models and their prices over the admin API."""

from typing import Annotated

import msgspec

from arkway.control.admin import shapes
from arkway.control.admin.cursors import ListQuery, page_of, write
from arkway.control.admin.operation import ADMINISTER, VIEW, Ask, Desk, Operation
from arkway.store import models, prices
from arkway.store.entries import Model
from arkway.store.fields import about

_MODELS = "/admin/v1/models"
_PRICES = "/admin/v1/prices"


class PricesQuery(ListQuery, frozen=True, kw_only=True):
    """Which prices are listed."""

    model: Annotated[
        str | None, about("All versions of this model's price, newest first.", "bills")
    ] = None


def _list(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        found = models.page(connection, page_of(ask.query, tuple[int, str]))
        priced = prices.current(connection)
    items = [_shown(model, model.name in priced) for model in found.items]
    return {"items": items, "next_cursor": write(found.after)}


def _create(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return _shown(models.create(now, ask.body), is_priced=False)


def _get(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        model = models.get(connection, ask.path["model"])
        return _shown(model, model.name in prices.current(connection))


def _edit(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        model = models.edit(now, ask.path["model"], ask.body)
        return _shown(model, model.name in prices.current(now.connection))


def _list_prices(desk: Desk, ask: Ask) -> object:
    wanted = ask.query.model
    part = page_of(ask.query, tuple[str] if wanted is None else tuple[int])
    with desk.reading() as connection:
        if wanted is None:
            found = prices.current_page(connection, part)
        else:
            name = models.get(connection, wanted).name
            found = prices.history_page(connection, name, part)
    return {"items": [each.shown() for each in found.items], "next_cursor": write(found.after)}


def _set_price(desk: Desk, ask: Ask) -> object:
    amounts = {name: value for name, value in ask.body.items() if name != "model"}
    with desk.changing(ask.by) as now:
        return prices.put(now, str(ask.body["model"]), amounts).shown()


def _shown(model: Model, is_priced: bool) -> dict[str, object]:
    return {**msgspec.to_builtins(model), "is_served": model.enabled and is_priced}


OPERATIONS = (
    Operation(
        name="list_models",
        method="GET",
        path=_MODELS,
        policy=VIEW,
        work=_list,
        summary="List the models, in the order they were made.",
        answer=shapes.listed("ModelList", shapes.ModelView),
        query=ListQuery,
    ),
    Operation(
        name="create_model",
        method="POST",
        path=_MODELS,
        policy=ADMINISTER,
        work=_create,
        summary="Add a model; it is served once it has a price.",
        answer=shapes.ModelView,
        body=shapes.NewModel,
        status=201,
    ),
    Operation(
        name="get_model",
        method="GET",
        path=f"{_MODELS}/{{model}}",
        policy=VIEW,
        work=_get,
        summary="Show a model, by its name or an alias.",
        answer=shapes.ModelView,
    ),
    Operation(
        name="edit_model",
        method="PATCH",
        path=f"{_MODELS}/{{model}}",
        policy=ADMINISTER,
        work=_edit,
        summary="Change a model; what is not given stays.",
        answer=shapes.ModelView,
        body=shapes.ModelChange,
    ),
    Operation(
        name="list_prices",
        method="GET",
        path=_PRICES,
        policy=VIEW,
        work=_list_prices,
        summary="List the prices in force, or all versions of one model's.",
        answer=shapes.listed("PriceList", shapes.PriceView),
        query=PricesQuery,
    ),
    Operation(
        name="set_price",
        method="POST",
        path=_PRICES,
        policy=ADMINISTER,
        work=_set_price,
        summary="Give a model another price from now on.",
        answer=shapes.PriceView,
        body=shapes.NewPrice,
        status=201,
    ),
)
