"""Who tests an account for an operator? The gateway's own process, asked through the ops port.

    POST /accounts/test?account=NAME&revision=N[&model=NAME]     with a proof (`control.proof`)

The gateway makes the call (`arkway.trial`), since it has the credential in force and the ledger's
pen. A test says nothing to routing but this: an account that answered may be tried again.
"""

from urllib.parse import parse_qsl

from arkway.control.proof import is_proved
from arkway.ledger.entry import End
from arkway.model.catalogue import AccountSpec, ModelSpec
from arkway.model.errors import GatewayError
from arkway.model.outcome import Ending
from arkway.routing.slots import serves
from arkway.runtime.ops_io import OpsRequest
from arkway.runtime.plane import WorkerPlane
from arkway.strand import Strand
from arkway.telemetry.events import AttemptFinished
from arkway.trial import Trial, trial

# People press buttons; more at once is a script that has gone wrong.
MOST_AT_ONCE = 4
_MAX_FIELDS = 4
_QUOTED = 8  # letters and digits; what is shorter is a word that a credential happens to hold


class _Refused(Exception):
    """It is not done. Shapes: status, a word, a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Trials:
    """The tests under way."""

    def __init__(self, plane: WorkerPlane, key: bytes) -> None:
        self.plane, self._key = plane, key
        self._running: set[str] = set()  # accounts

    def take(self, request: OpsRequest) -> None:
        """Do what is asked, or say why not."""
        try:
            account, model = self._asked(request)
        except _Refused as refused:
            request.answer(refused.status, {"code": refused.code, "message": str(refused)})
            return
        self._running.add(account.id)
        _Running(trials=self, request=request, account=account, model=model).begin()

    def ended(self, running: "_Running", error: BaseException | None) -> None:
        """Learn that a test is over, and tell."""
        self._running.discard(running.account.id)
        result, answer = running.result, running.request.answer
        if result is not None:
            self._count(running, result)
            answer(200, _told(result, running.account))
        elif isinstance(error, GatewayError):
            answer(503, {"code": error.code, "message": str(error)})
        else:
            kind = type(error).__name__
            self.plane.log.event("error", "internal_error", kind=kind, where="account test")
            answer(500, {"code": "internal_error", "message": "The gateway failed on this test."})

    def _asked(self, request: OpsRequest) -> tuple[AccountSpec, ModelSpec]:
        plane = self.plane
        if not is_proved(self._key, request.target, request.proof, plane.unix_ms() // 1000):
            raise _Refused(403, "forbidden", "only this gateway's own processes may ask for it")
        query = request.target.partition("?")[2]
        try:
            fields = dict(parse_qsl(query, max_num_fields=_MAX_FIELDS))
            revision = int(fields["revision"])
            name = fields["account"]
        except (KeyError, ValueError):
            raise _Refused(400, "invalid_request", "needs an account and a revision") from None
        if plane.is_draining:
            raise _Refused(503, "draining", "the gateway is stopping")
        if plane.snapshot.revision < revision:
            raise _Refused(409, "behind", "the gateway has not taken the last change yet")
        account = next((each for each in plane.snapshot.accounts if each.id == name), None)
        if account is None:
            raise _Refused(404, "not_served", "the gateway does not have this account in use")
        model = self._model(account, fields.get("model"))
        if name in self._running or len(self._running) >= MOST_AT_ONCE:
            raise _Refused(429, "busy", "a test of it, or too many others, are under way")
        return account, model

    def _model(self, account: AccountSpec, name: str | None) -> ModelSpec:
        """Return the model of this name, or the cheapest one that the account serves.

        Those that the account has an id of its own for go first: somebody has set them up there.
        """
        models = self.plane.snapshot.models
        if name is not None:
            model = models.get(name)
            if model is None or not serves(account, model.name):
                raise _Refused(404, "model_not_served", "this account does not serve such a model")
            return model
        served = [model for model in {id(each): each for each in models.values()}.values()
                  if serves(account, model.name)]  # fmt: skip
        if not served:
            raise _Refused(404, "model_not_served", "this account serves no model")
        return min(served, key=lambda model: (model.name not in account.models, _rate(model)))

    def _count(self, running: "_Running", result: Trial) -> None:
        plane, failure = self.plane, result.failure
        error_class = "" if failure is None else failure.error_class.value
        plane.meter.on_trial(AttemptFinished(result.intent, result.end, error_class))
        if failure is None:
            plane.pool.called_back(running.account.id, running.model.name, plane.time())
            plane.parking.look()
        plane.log.event(
            "info",
            "account_tested",
            request_id=result.intent.request_id,
            account=running.account.id,
            ending=_ending(result),
            status=result.end.status,
            took_ms=result.took_ms,
        )


class _Running(Strand, kw_only=True):
    """The strand of one test."""

    trials: Trials
    request: OpsRequest
    account: AccountSpec
    model: ModelSpec
    result: Trial | None = None

    def begin(self) -> None:
        """Run to the first wait."""
        self.steps = self._run().__await__()
        self.resume()

    def on_end(self, error: BaseException | None) -> None:
        """Tell."""
        self.trials.ended(self, error)

    async def _run(self) -> None:
        self.result = await trial(self.trials.plane, self.account, self.model, self)


def _rate(model: ModelSpec) -> int:
    return 0 if model.price is None else model.price.input_nano + model.price.output_nano


def _ending(result: Trial) -> str:
    return (Ending.COMPLETED if result.failure is None else result.failure.ending).value


def _told(result: Trial, account: AccountSpec) -> dict[str, object]:
    """Return what an operator is told: names, numbers and codes, no text of the upstream."""
    intent, end, failure = result.intent, result.end, result.failure
    return {
        "request_id": intent.request_id,
        "account": intent.account,
        "model": intent.model,
        "upstream_model": intent.upstream_model,
        "is_ok": failure is None,
        "ending": _ending(result),
        "status": end.status,
        "code": _without_credential(result.upstream_code, account),
        "error_class": "" if failure is None else failure.error_class.value,
        "connected_ms": result.connected_ms,
        "took_ms": result.took_ms,
        "booked": _booked(end),
        "currency": intent.currency,
    }


def _booked(end: End) -> dict[str, object]:
    return {
        "kind": end.kind.value,
        "source": end.source.value,
        "uncached": end.uncached,
        "cached": end.cached,
        "created": end.created,
        "output": end.output,
        "reasoning": end.reasoning,
        "cost_nano": end.cost_nano,
    }


def _without_credential(code: str, account: AccountSpec) -> str:
    """Return an error code; one that quotes the credential back, or its beginning, is none."""
    said, secret = _letters(code), _letters(account.credential.reveal())
    quotes = bool(secret) and (secret in said or (len(said) >= _QUOTED and said in secret))
    return "" if quotes else code


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))
