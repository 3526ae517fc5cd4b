"""What should an operator do about an account that did not answer? A sentence for each case. Pure.

By how the attempt ended, then by the class of the upstream's error (docs/errors.md).
"""

from arkway.model.outcome import Ending, ErrorClass

ADVICE: dict[str, str] = {
    "fine": "It works. If it was out, it is tried again.",
    "unreachable": "It could not be reached: check the base URL, the name server, the way there "
    "and, for https, the certificate.",
    "silent": "It was reached and did not answer as it should: look whether the base URL is its "
    "API's.",
    ErrorClass.CALLER: "The account works, and takes no request like this one: test another model.",
    ErrorClass.MODERATION: "The account works; its moderation refused the test's one word.",
    ErrorClass.ACCOUNT_LIMITED: "The account works and is at a limit: wait, or ask the upstream "
    "for more.",
    ErrorClass.POOL_LIMITED: "The upstream's compute pool is overloaded: wait; another account "
    "would say the same.",
    ErrorClass.BROKEN: "The upstream refuses the account: check its credential, its balance and "
    "its standing.",
    ErrorClass.MODEL_BROKEN: "This model is not open to the account: open it at the upstream, "
    "correct the model's id here, or test another model.",
    ErrorClass.MODEL_DOUBTFUL: "Nothing is there: check the base URL's path and the model's id "
    "here.",
    ErrorClass.TRANSIENT: "The upstream has a fault of its own: test again in a while.",
}


def case_of(ending: str, error_class: str) -> str:
    """Return which sentence of ADVICE fits.

    Shapes:  ending: of `Ending`; error_class: of `ErrorClass`, or empty.
    """
    match Ending(ending):
        case Ending.COMPLETED:
            return "fine"
        case Ending.NOT_SENT:
            return "unreachable"
        case Ending.REFUSED:
            return ErrorClass(error_class).value
        case _:
            return "silent"


def advice(ending: str, error_class: str) -> str:
    """Return what to do, in English."""
    return ADVICE[case_of(ending, error_class)]
