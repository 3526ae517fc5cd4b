"""How long are this key's answers from this model? A decayed histogram of past ones. Pure.

Buckets grow by a quarter of an octave, so a percentile read from them is at most 19 % high and
never low. Old answers fade: the counts are halved whenever they come to FULL.
"""

from array import array
from bisect import bisect_left
from math import ceil

from arkway.model.ids import KeyId

STEPS_PER_OCTAVE = 4
_BUCKETS = 80  # up to 2**20 tokens, beyond every model's answer
_UPPER = [ceil(2 ** (step / STEPS_PER_OCTAVE)) for step in range(_BUCKETS)]
FULL = 256  # answers; the last few hundred decide
FEW = 20  # fewer answers than this say little about the next
PERCENTILE = 0.9
# Before any answer was seen: about what chat models write when nothing cuts them short.
PRIOR_OUTPUT_TOKENS = 1024
# Histograms of (key, model) pairs, about 250 bytes each; the least recently used go first.
MAX_HISTOGRAMS = 20_000


class AnswerLengths:
    """The lengths of recent answers, in tokens."""

    __slots__ = ("_counts", "_p90", "_since", "_total")

    def __init__(self) -> None:
        self._counts = array("H", bytes(2 * _BUCKETS))
        self._total = 0
        self._p90 = 0
        self._since = 0  # answers since the percentile was last worked out

    def learn(self, output_tokens: int) -> None:
        """Take one answer into account."""
        self._counts[_bucket(output_tokens)] += 1
        self._total += 1
        self._since += 1
        if self._total >= FULL:
            self._counts = array("H", [count >> 1 for count in self._counts])
            self._total = sum(self._counts)

    @property
    def is_telling(self) -> bool:
        """Whether enough answers were seen to go by them."""
        return self._total >= FEW

    def percentile(self) -> int:
        """Return a length that 9 of 10 recent answers do not pass. Unit: token.

        Asked for with every call, so it is worked out anew when a thirty-second of the answers is.
        """
        if self._since > self._total >> 5:
            self._since = 0
            above, most_above = 0, int(self._total * (1 - PERCENTILE) + 1e-9)
            for index in range(_BUCKETS - 1, -1, -1):
                above += self._counts[index]
                if above > most_above:
                    self._p90 = _UPPER[index]
                    break
        return self._p90 or PRIOR_OUTPUT_TOKENS


class Answers:
    """The lengths of answers by key and model, and by model alone."""

    def __init__(self) -> None:
        self._by_model: dict[str, AnswerLengths] = {}  # bounded by the models ever configured
        self._by_key: dict[tuple[KeyId, str], AnswerLengths] = {}  # least recently used first

    def __len__(self) -> int:
        return len(self._by_key)

    def learn(self, key_id: KeyId | None, model: str, output_tokens: int) -> None:
        """Take one answer into account; for the model alone where the key has no limits."""
        lengths = self._by_model.get(model)
        if lengths is None:
            lengths = self._by_model[model] = AnswerLengths()
        lengths.learn(output_tokens)
        if key_id is None:
            return
        pair = (key_id, model)
        lengths = self._by_key.pop(pair, None)
        if lengths is None:
            if len(self._by_key) >= MAX_HISTOGRAMS:
                del self._by_key[next(iter(self._by_key))]
            lengths = AnswerLengths()
        self._by_key[pair] = lengths
        lengths.learn(output_tokens)

    def likely(self, key_id: KeyId | None, model: str) -> int:
        """Return what the next answer will likely not pass: of the key, else of the model."""
        of_key = None if key_id is None else self._by_key.get((key_id, model))
        for lengths in (of_key, self._by_model.get(model)):
            if lengths is not None and lengths.is_telling:
                return lengths.percentile()
        return PRIOR_OUTPUT_TOKENS


def _bucket(output_tokens: int) -> int:
    """Return the first bucket whose upper edge is not below `output_tokens`."""
    return min(bisect_left(_UPPER, output_tokens), _BUCKETS - 1)
