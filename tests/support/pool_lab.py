"""A pool with the arguments that most tests do not care about."""

from arkway.model.call import Call
from arkway.model.catalogue import AccountSpec, Dialect, ModelSpec, Secret
from arkway.model.errors import AccountsExhausted, UpstreamError
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.model.usage import Usage
from arkway.routing.ask import Size
from arkway.routing.lease import Lease
from arkway.routing.policy import RoutingPolicy
from arkway.routing.pool import Pool
from arkway.wire.common_body import CommonBody, CommonMessage

M, N = ModelSpec("M", "m-1", 262_144, 4096), ModelSpec("N", "n-1", 262_144, 4096)
SMALL = Size(20, 80)
NOW = 1000.0


def account(name, **fields):
    return AccountSpec(name, Dialect.ARK, "https://h", Secret(""), **fields)


def failed(error_class=ErrorClass.TRANSIENT, ending=Ending.REFUSED, reason="r", after_s=None):
    error = AccountsExhausted("m", retry_after_s=after_s) if after_s else UpstreamError("m")
    failure = AttemptFailed(ending, error_class, error, reason)
    failure.retry_after_s = after_s
    return failure


class Lab:
    """A pool with the arguments that most tests do not care about."""

    def __init__(self, accounts=3, **policy):
        if isinstance(accounts, int):
            accounts = tuple(account(f"a{at}") for at in range(accounts))
        self.accounts = accounts
        self.pool = Pool(b"s" * 32, RoutingPolicy(**policy))
        self.now_s = NOW

    def ask(self, text="hello", conversation=None, tenant="t", size=SMALL, model=M):
        messages = [CommonMessage("user", part) for part in text.split("|")]
        body = CommonBody(model.name, messages)
        call = Call(model, model.name, False, False, 1, body, len(text), conversation)
        return self.pool.ask(call, tenant, size, self.accounts)

    def choose(self, ask=None, tried=(), **kwargs):
        return self.pool.choose(ask or self.ask(), self.accounts, self.now_s, tried, **kwargs)

    def lease(self, *args, **kwargs):
        lease = self.choose(*args, **kwargs)
        assert isinstance(lease, Lease), lease
        return lease

    def serve(self, ask=None, cached=0, seconds=0.0, ttft_s=0.3):
        """One call from start to end; return its lease. `ttft_s` may depend on the lease."""
        lease = self.lease(ask)
        self.now_s += seconds
        usage = Usage(lease.ask.input_tokens, cached, lease.ask.output_tokens)
        ttft_s = ttft_s(lease) if callable(ttft_s) else ttft_s
        self.pool.succeed(lease, usage, ttft_s, self.now_s)
        return lease

    def fail_at(self, name, failure=None, model=M):
        """One call that is sent to `name`, and fails there."""
        others = {one.id for one in self.accounts} - {name}
        lease = self.lease(self.ask(model=model), tried=others | {"?"})
        assert lease.target.account.id == name
        return self.pool.fail(lease, failure or failed(), self.now_s)

    def state(self, name, model="M"):
        (found,) = (
            one for one in self.pool.health(self.now_s) if (one.account, one.model) == (name, model)
        )
        return found


def name(lease):
    return lease.target.account.id
