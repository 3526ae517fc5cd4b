"""What does Ark make of a request? Accounts, models, limits and caches; pure: the caller has time.

`World.ask` returns an `Answer` to be played, which holds its limits until `World.end`, a fault in
its place (`Struck`), or why there is none (`Refused`). Hot path: a plain call passes here in about
4 µs.
"""

import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from arkway.simulate.ark.cache import Block, PromptCache
from arkway.simulate.ark.errors import STATUS_OF, Refusal, refusal
from arkway.simulate.ark.faults import KINDS, MODEL_PREFIX, Fault, Faults
from arkway.simulate.ark.limits import Full, Gate, Lease
from arkway.simulate.ark.prompt import (
    ROLES,
    BadDirective,
    Body,
    Wish,
    blocks_of,
    texts_of,
    tokens_of,
    wish_of,
)
from arkway.simulate.ark.settings import Account, Limits, Model, Settings

_decode_body = msgspec.json.Decoder(Body).decode


class AccountState:
    """One account while it runs."""

    def __init__(self, account: Account, settings: Settings) -> None:
        self.account = account
        self.settings = settings
        self.cache = PromptCache(settings.cache)
        self.gates = {model.id: Gate(self._limits(model.id)) for model in settings.models}
        self.requests = self.answered = self.struck = self.left = 0
        self.refused: dict[str, int] = {}  # by code: those of `errors`, so not many
        self.prompt_tokens = self.cached_tokens = self.completion_tokens = 0

    def _limits(self, model: str) -> Limits:
        return self.account.model_limits.get(model) or self.account.limits or self.settings.limits

    def change(self, account: Account) -> None:
        """Take other limits and models; what runs goes on."""
        self.account = account
        for model, gate in self.gates.items():
            gate.limits = self._limits(model)


@dataclass(slots=True)
class Answer:
    """What is to be played to a caller."""

    state: AccountState
    model: Model
    asked_model: str
    is_stream: bool
    prompt_tokens: int
    cached_tokens: int
    tokens: int  # of the answer
    finish: str
    echo: str
    first_token_s: float  # from arrival
    tokens_per_s: float  # 0: at once
    fault: Fault | None
    include_usage: bool
    chunk_usage: bool
    lease: Lease
    blocks: list[Block]
    tool: str = ""  # the function that finish "tool_calls" calls


@dataclass(slots=True)
class Struck:
    """A fault in the place of an answer."""

    state: AccountState
    asked_model: str
    is_stream: bool
    fault: Fault


@dataclass(slots=True)
class Refused:
    """No answer; whom it was meant for as far as known."""

    refusal: Refusal
    state: AccountState | None = None
    asked_model: str = ""
    is_stream: bool = False


@dataclass
class World:
    """All accounts."""

    settings: Settings
    states: dict[str, AccountState] = field(init=False)  # by name
    faults: Faults = field(init=False)

    def __post_init__(self) -> None:
        accounts = self.settings.every_account()
        self.states = {account.name: AccountState(account, self.settings) for account in accounts}
        self._by_key = {state.account.key: state for state in self.states.values()}
        self._models = {model.id: model for model in self.settings.models}
        self._in_flight = dict.fromkeys(self._models, 0)  # of all accounts together
        self.faults = Faults(self.settings.seed)
        self.faults.set(self.settings.faults, 0.0)

    def ask(
        self, key: str, only: AccountState | None, raw: bytes, now_s: float
    ) -> Answer | Struck | Refused:
        """Return what becomes of a request that has arrived whole.

        Shapes:  key: the bearer token; only: the account whose port it came to.
        """
        state = self._by_key.get(key)
        if state is None or (only is not None and only is not state):
            account_id = only.account.account_id if only else "unknown"
            return Refused(refusal("AuthenticationError", account_id, ""), only)
        state.requests += 1
        try:
            body = _decode_body(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            return self._refuse(state, _invalid(str(error)))
        return self._ask(state, body, now_s)

    def _ask(self, state: AccountState, body: Body, now_s: float) -> Answer | Struck | Refused:
        asked, is_stream = body.model or "", bool(body.stream)
        problem = _problem(body)
        if problem is not None:
            return self._refuse(state, problem, asked, is_stream)
        texts = texts_of(body)
        try:
            wish = wish_of(texts[-1])
            fault = wish.fault or _named_fault(asked)
        except BadDirective as error:
            return self._refuse(state, _invalid(str(error), "messages"), asked, is_stream)
        model = self._resolve(state, asked)
        dated = model.id if isinstance(model, Model) else asked
        if fault is None:
            fault = self.faults.pick(now_s, state.account.name, (asked, dated), is_stream)
        if fault is not None and fault.is_instead:
            state.struck += 1
            return Struck(state, asked, is_stream, fault)
        if isinstance(model, Refusal):
            return self._refuse(state, model, asked, is_stream)
        return self._answer(state, model, (body, texts, wish, fault), now_s)

    def _answer(
        self,
        state: AccountState,
        model: Model,
        asked: tuple[Body, list[bytes], Wish, Fault | None],
        now_s: float,
    ) -> Answer | Refused:
        body, texts, wish, fault = asked
        settings, is_stream = self.settings, bool(body.stream)
        name = body.model or ""
        prompt_tokens = tokens_of(texts, settings.tokenizer)
        limit = body.max_tokens or body.max_completion_tokens
        problem = _beyond(model, prompt_tokens, limit)
        if problem is not None:
            return self._refuse(state, problem, name, is_stream)
        most = limit or model.default_output_tokens
        held = prompt_tokens + min(most, settings.estimated_output_tokens)
        lease = self._take(state, model, held, now_s)
        if isinstance(lease, Refusal):
            return self._refuse(state, lease, name, is_stream)
        blocks, cached = self._cached(state, model, (body, texts, prompt_tokens), now_s)
        tokens, finish = self._length(wish, texts[-1], limit, most)
        if fault is not None and fault.kind == "content_filter":
            tokens, finish = min(tokens, fault.after_tokens), "content_filter"
        options = body.stream_options
        return Answer(
            state=state,
            model=model,
            asked_model=name,
            is_stream=is_stream,
            prompt_tokens=prompt_tokens,
            cached_tokens=cached,
            tokens=tokens,
            finish=finish,
            echo=wish.echo,
            first_token_s=self._first_token_s(state, wish, prompt_tokens - cached),
            tokens_per_s=self._tokens_per_s(state, wish),
            fault=fault,
            include_usage=bool(options and options.include_usage),
            chunk_usage=bool(options and options.chunk_include_usage),
            lease=lease,
            blocks=blocks,
            tool=_first_tool(body) if finish == "tool_calls" else "",
        )

    def first_token(self, answer: Answer, now_s: float) -> None:
        """Learn that the prompt is computed: from now on it is cached."""
        if answer.blocks:
            answer.state.cache.keep(answer.blocks, now_s)

    def end(self, answer: Answer, tokens: int, has_left: bool) -> None:
        """Learn that an answer is over after `tokens`: what was generated is charged."""
        state = answer.state
        self._in_flight[answer.model.id] -= 1
        state.gates[answer.model.id].settle(answer.lease, answer.prompt_tokens + tokens)
        state.prompt_tokens += answer.prompt_tokens
        state.cached_tokens += answer.cached_tokens
        state.completion_tokens += tokens
        if has_left:
            state.left += 1
        elif answer.fault is not None:
            state.struck += 1
        else:
            state.answered += 1

    def _refuse(
        self, state: AccountState, why: Refusal, asked: str = "", is_stream: bool = False
    ) -> Refused:
        state.refused[why.code] = state.refused.get(why.code, 0) + 1
        return Refused(why, state, asked, is_stream)

    def _resolve(self, state: AccountState, asked: str) -> Model | Refusal:
        account = state.account
        if asked.startswith(MODEL_PREFIX):
            return self.settings.models[0]
        found = self._models.get(account.endpoints.get(asked, asked))
        code = ""
        if found is None:
            code = "InvalidEndpointOrModel.NotFound"
        elif found.id in account.not_open:
            code = "ModelNotOpen"
        elif asked == found.id and not account.takes_model_ids:
            code = "InvalidEndpointOrModel.ModelIDAccessDisabled"
        elif code == "":
            return found
        return refusal(code, account.account_id, asked)

    def _take(
        self, state: AccountState, model: Model, tokens: int, now_s: float
    ) -> Lease | Refusal:
        """Return what a call holds: a place of all accounts' and the account's own limits."""
        account_id, shared = state.account.account_id, model.shared_in_flight
        if shared is not None and self._in_flight[model.id] >= shared:
            return refusal("ServerOverloaded", account_id, model.id)
        taken = state.gates[model.id].take(now_s, tokens)
        if isinstance(taken, Full):
            why = refusal(taken.code, account_id, model.id)
            return Refusal(why.status, why.code, why.message, "", taken.retry_after_s)
        self._in_flight[model.id] += 1
        return taken

    def _cached(
        self,
        state: AccountState,
        model: Model,
        prompt: tuple[Body, list[bytes], int],
        now_s: float,
    ) -> tuple[list[Block], int]:
        """Return the prompt's blocks and how many of its tokens are cached."""
        body, texts, tokens = prompt
        cache = self.settings.cache
        if not cache.enabled or tokens < cache.block_tokens:
            return [], 0
        blocks = blocks_of(body, texts, model.id, cache.block_tokens, self.settings.tokenizer)
        return blocks, state.cache.find(blocks, now_s)

    def _length(self, wish: Wish, text: bytes, limit: int | None, most: int) -> tuple[int, str]:
        """Return how long the answer is, and why it ends: "length" where the limit is reached."""
        answers = self.settings.answers
        if wish.tokens is not None:
            tokens = wish.tokens
        elif answers.length == "fixed":
            tokens = answers.tokens
        elif answers.length == "random":
            span = answers.max_tokens - answers.min_tokens + 1
            tokens = answers.min_tokens + zlib.crc32(text, self.settings.seed & 0xFFFFFFFF) % span
        else:
            tokens = most
        is_cut = tokens > most or tokens == limit
        return min(tokens, most), wish.finish or ("length" if is_cut else "stop")

    def _first_token_s(self, state: AccountState, wish: Wish, uncached: int) -> float:
        timing = self.settings.timing
        if wish.first_token_s is not None:
            return wish.first_token_s
        prefill_s = uncached / timing.prefill_tokens_per_s if timing.prefill_tokens_per_s else 0.0
        return (timing.first_token_s + prefill_s) * state.account.slowness

    def _tokens_per_s(self, state: AccountState, wish: Wish) -> float:
        if wish.tokens_per_s is not None:
            return wish.tokens_per_s
        return self.settings.timing.tokens_per_s / state.account.slowness


def _problem(body: Body) -> Refusal | None:
    """Return what is wrong with a request whatever the model."""
    if not body.model:
        return _missing("model")
    if not body.messages:
        return _missing("messages")
    for message in body.messages:
        if message.role not in ROLES:
            return _invalid(f"the role must be one of {', '.join(ROLES)}", "messages.role")
        if not message.content and not message.tool_calls and message.role == "assistant":
            return _invalid("an assistant message needs content or tool_calls", "messages.content")
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        return _invalid("max_tokens and max_completion_tokens exclude each other", "max_tokens")
    return None


def _beyond(model: Model, prompt_tokens: int, limit: int | None) -> Refusal | None:
    """Return what is too much for `model`."""
    if limit is not None and not 0 <= limit <= model.max_output_tokens:
        return _invalid(
            f"expected a value <= {model.max_output_tokens}, but got {limit}", "max_tokens"
        )
    if prompt_tokens > model.context_tokens:
        return _invalid(
            f"Total tokens of image and text exceed max message tokens: {prompt_tokens} > "
            f"{model.context_tokens}",
            "messages",
        )
    return None


def _missing(name: str) -> Refusal:
    text = f"The request failed because it is missing `{name}` parameter."
    return Refusal(400, "MissingParameter", text, name)


def _invalid(why: str, name: str = "") -> Refusal:
    text = f"The parameter `{name}` specified in the request is not valid: {why}."
    return Refusal(400, "InvalidParameter", text, name)


def _named_fault(model: str) -> Fault | None:
    """Return the fault that a model of the name `sim-fault-KIND` or `sim-fault-CODE` asks for."""
    if not model.startswith(MODEL_PREFIX):
        return None
    what = model.removeprefix(MODEL_PREFIX)
    raw: dict[str, Any] = {"kind": what}
    if what.isascii() and what.isdigit():
        raw = {"kind": "error", "status": int(what)}
    elif what in STATUS_OF:
        raw = {"kind": "error", "code": what}
    elif what not in KINDS or what == "refuse":
        raise BadDirective(f"there is no fault {what}")
    try:
        return msgspec.convert(raw, Fault)
    except msgspec.ValidationError as error:
        raise BadDirective(str(error)) from None


def _first_tool(body: Body) -> str:
    for tool in body.tools or ():
        if isinstance(tool, dict) and isinstance(tool.get("function"), dict):
            return str(tool["function"].get("name", ""))
    return "none"
