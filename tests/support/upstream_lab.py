"""What do tests of the upstream room hold in their hands? Accounts on a fake loop.

One place that constructs, so that tests read as what happens: `open`, `accept`, `deliver`, `end`.
"""

from arkway.model.call import Target
from arkway.model.catalogue import AccountSpec, Clocks, Dialect, Secret
from arkway.model.outcome import AttemptFailed
from arkway.upstream.accounts_io import READ_BYTES, Upstream, UpstreamLimits
from arkway.wire.outbox import Outbox
from support.fakes import FakeStrand

CLOCKS = Clocks(
    connect_s=5.0, first_token_s=20.0, plain_answer_s=30.0, between_chunks_s=10.0, total_s=100.0
)


def account(name="a", base_url="http://up.test:9011/v1", key="ark-secret", **fields):
    return AccountSpec(name, Dialect.ARK, base_url, Secret(key), **fields)


ID_LINE = b"x-client-request-id: 0190-id\r\n"


class Use:
    """An attempt with a strand that waits for it as the pipeline does, and what it came to."""

    def __init__(self, lab, attempt, *, finish_after=None):
        self.lab = lab
        self.attempt = attempt
        self.finish_after = finish_after  # the sink has all it needs once it saw this
        self.received = b""
        self.reads = 0
        self.status = None
        self.failure = None
        self.strand = FakeStrand.run(self._wait)

    async def _wait(self, strand):
        attempt = self.attempt
        try:
            await attempt.response(strand)
            self.status = attempt.status
            if attempt.is_stream and attempt.status == 200:
                attempt.sink = self._sink
                await attempt.ended(strand)
                self.failure = attempt.failure
            else:
                self.received = attempt.body()
        except AttemptFailed as failure:
            self.failure = failure
        finally:
            attempt.close()

    def _sink(self, data):
        self.received += data
        self.reads += 1
        self.attempt.has_token = True
        if self.finish_after is not None and self.finish_after in self.received:
            self.attempt.finish()

    @property
    def is_waiting(self):
        return not self.strand.endings

    @property
    def ending(self):
        return self.failure and self.failure.ending

    @property
    def transport(self):
        """The connection that the attempt was sent on."""
        return self.attempt.carrier._transport

    def leave(self):
        """Let the caller leave."""
        self.strand.throw(Gone())


class Gone(Exception):
    pass


class UpstreamLab:
    """The upstream room over a fake loop, with one account unless told otherwise."""

    def __init__(self, loop, *accounts, **limits):
        self.loop = loop
        self.outbox = Outbox(loop.call_soon)
        self.accounts = accounts or (account(),)
        read_buffer = memoryview(bytearray(READ_BYTES))
        self.upstream = Upstream(UpstreamLimits(**limits), read_buffer, "arkway/test", self.outbox)
        self.upstream.apply(self.accounts)

    def open(
        self, body=b"{}", *, at=0, stream=False, clocks=CLOCKS, finish_after=None, wants_new=False
    ):
        """Begin an attempt; let the loop turn, so that what can be sent has been."""
        target = Target(self.accounts[at], "m-1")
        attempt = self.upstream.open(target, body, ID_LINE, clocks, stream, wants_new)
        use = Use(self, attempt, finish_after=finish_after)
        self.loop.turn()
        return use

    def accept(self):
        """Let the connection that is being opened come about; return the upstream's side of it."""
        transport = self.loop.dials[-1].accept()
        self.loop.turn()
        return transport

    def sent(self, body=b"{}", **options):
        """Return an attempt on a new connection, and the connection."""
        use = self.open(body, **options)
        return use, self.accept()

    def wait(self, seconds):
        """Let time pass as the runtime does: clocks are judged often."""
        until_s = self.loop.now_s + seconds
        while self.loop.now_s < until_s:
            self.loop.now_s = min(until_s, self.loop.now_s + 0.1)
            self.upstream.sweep(self.loop.now_s)
            self.upstream.sweep_idle(self.loop.now_s)
            self.loop.turn()
