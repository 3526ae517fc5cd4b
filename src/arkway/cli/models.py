"""Which models can callers name, and what do they cost? `arkway models`, `arkway prices`."""

from typing import Annotated

import msgspec
import typer

from arkway.cli.flags import JsonFlag, changing, examples, given, reading
from arkway.cli.output import print_json, print_table, remark
from arkway.store import models, prices
from arkway.store.entries import Model
from arkway.store.prices import PriceRecord

app = typer.Typer(help="Add and change the models callers can name.")
prices_app = typer.Typer(help="Show and set what models cost.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The public name.")]
_Aliases = Annotated[
    list[str] | None,
    typer.Option("--alias", metavar="NAME", help="Another name of it; repeatable. Or none."),
]


@app.command("list", epilog=examples("arkway models list", "arkway models list --json"))
def list_models(json: JsonFlag = False) -> None:
    """List the models, and whether each is served."""
    with reading() as connection:
        found, priced = models.list_all(connection), prices.current(connection)
    if json:
        print_json([_shown(model, priced) for model in found])
        return
    print_table(
        ("NAME", "UPSTREAM MODEL", "CONTEXT", "MAX OUTPUT", "ALIASES", "SERVED"),
        [
            (
                model.name,
                model.upstream_model,
                model.context_tokens,
                model.max_output_tokens,
                ", ".join(model.aliases),
                _served(model, priced),
            )
            for model in found
        ],
    )


@app.command(
    "add",
    epilog=examples(
        "arkway models add Doubao-Seed-1.6 --upstream-model doubao-seed-1-6-251015 \\",
        "    --context-tokens 262144 --max-output-tokens 32768",
    ),
)
def add(
    name: _Name,
    *,
    upstream_model: Annotated[
        str, typer.Option(metavar="ID", help="The upstream's id of it, sent as `model`.")
    ],
    context_tokens: Annotated[int, typer.Option(metavar="N", help="Context window.")],
    max_output_tokens: Annotated[int, typer.Option(metavar="N", help="Largest `max_tokens`.")],
    aliases: _Aliases = None,
    json: JsonFlag = False,
) -> None:
    """Add a model. It is served once it has a price."""
    raw = {
        "name": name,
        "upstream_model": upstream_model,
        "context_tokens": context_tokens,
        "max_output_tokens": max_output_tokens,
        **given({"aliases": aliases}),
    }
    with changing() as now:
        model = models.create(now, raw)
    if json:
        print_json(_shown(model, {}))
    else:
        print(f"added model {name}")
    remark(f"It is served once it has a price: arkway prices set '{name}' --input … --output …")


@app.command(
    "edit",
    epilog=examples(
        "arkway models edit Doubao-pro-32k --disable",
        "arkway models edit Doubao-1.5-pro-32k --alias doubao --first-token-s 60",
    ),
)
def edit(  # noqa: PLR0913  one parameter a flag
    name: _Name,
    *,
    upstream_model: Annotated[
        str | None, typer.Option(metavar="ID", help="The upstream's id of it.")
    ] = None,
    context_tokens: Annotated[int | None, typer.Option(metavar="N", help="Context window.")] = None,
    max_output_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Largest `max_tokens`.")
    ] = None,
    aliases: _Aliases = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether it is served.")
    ] = None,
    connect_s: Annotated[
        float | None, typer.Option(metavar="S", help="Overrides upstream.connect_s.")
    ] = None,
    first_token_s: Annotated[
        float | None, typer.Option(metavar="S", help="Overrides upstream.first_token_s.")
    ] = None,
    plain_answer_s: Annotated[
        float | None, typer.Option(metavar="S", help="Overrides upstream.plain_answer_s.")
    ] = None,
    between_chunks_s: Annotated[
        float | None, typer.Option(metavar="S", help="Overrides upstream.between_chunks_s.")
    ] = None,
    total_s: Annotated[
        float | None, typer.Option(metavar="S", help="Overrides upstream.total_s.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Change a model; what is not given stays."""
    raw = given(
        {
            "upstream_model": upstream_model,
            "context_tokens": context_tokens,
            "max_output_tokens": max_output_tokens,
            "aliases": aliases,
            "enabled": enabled,
            "connect_s": connect_s,
            "first_token_s": first_token_s,
            "plain_answer_s": plain_answer_s,
            "between_chunks_s": between_chunks_s,
            "total_s": total_s,
        }
    )
    with changing() as now:
        model = models.edit(now, name, raw)
        priced = prices.current(now.connection)
    if json:
        print_json(_shown(model, priced))
    else:
        print(f"changed model {model.name}")


@prices_app.command(
    "list",
    epilog=examples("arkway prices list", "arkway prices list --model Doubao-1.5-pro-32k --json"),
)
def list_prices(
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="All versions of this model's price, newest first."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """List the prices in force, per million tokens."""
    with reading() as connection:
        if model is None:
            found = list(prices.current(connection).values())
        else:
            found = prices.history(connection, models.get(connection, model).name)
    shown = [record.shown() for record in found]
    if json:
        print_json(shown)
        return
    names = ("model", "currency", "input", "cached_input", "output", "cache_creation", "version")
    heads = tuple(name.replace("_", " ").upper() for name in names)
    print_table(heads, [[_amount(record[name]) for name in names] for record in shown])


@prices_app.command(
    "set",
    epilog=examples(
        "arkway prices set Doubao-1.5-pro-32k --input 0.80 --cached-input 0.16 --output 2.00"
    ),
)
def set_price(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The public name.")],
    *,
    input_: Annotated[
        str, typer.Option("--input", metavar="CNY", help="Per million tokens of input.")
    ],
    output: Annotated[str, typer.Option(metavar="CNY", help="Per million tokens of output.")],
    cached_input: Annotated[
        str | None, typer.Option(metavar="CNY", help="Of cached input. Default: as input.")
    ] = None,
    cache_creation: Annotated[
        str | None, typer.Option(metavar="CNY", help="Of cache creation. Default: as input.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Give a model another price from now on; calls that run keep theirs."""
    amounts = {
        "input": input_,
        "output": output,
        "cached_input": cached_input,
        "cache_creation": cache_creation,
    }
    with changing() as now:
        record = prices.put(now, model, amounts)
    if json:
        print_json(record.shown())
    else:
        print(f"{record.model} costs this from now on (price version {record.version})")


def _amount(value: object) -> object:
    return "as input" if value is None else value


def _served(model: Model, priced: dict[str, PriceRecord]) -> str:
    if not model.enabled:
        return "no: disabled"
    return "yes" if model.name in priced else "no: it has no price"


def _shown(model: Model, priced: dict[str, PriceRecord]) -> dict[str, object]:
    is_served = model.enabled and model.name in priced
    return {**msgspec.to_builtins(model), "is_served": is_served}
