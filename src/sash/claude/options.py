"""The values of request options, judged by the types of the installed SDK: before anything is sent, or opened.

What the API would refuse for a misspelt key, a value of the wrong type or a literal that it does not know is an
InvalidOption that names it. With betas, keys and literals that the SDK does not know pass: betas add some without
notice ("Versioning"). Which values are legal together is the business of `sash.planning.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_type_hints

from sash.claude.loading import _load_anthropic, _load_parameters
from sash.errors import InvalidOption
from sash.model.fitting import Misfit, misfit
from sash.model.options import BETA, BODY

_OF_CALLS: Mapping[str, Any] = {
    "betas": Sequence[str],
    "extra_headers": Mapping[str, Any],
    "extra_query": Mapping[str, Any],
    "extra_body": Mapping[str, Any],
}


def check_values(options: Mapping[str, Any]) -> None:
    """Raise InvalidOption for the first value that its type does not allow. Names are checked already."""
    for name, value in options.items():
        wrong = _wrong(name, value)
        if wrong is not None and not (wrong.newer and options.get("betas")):
            raise _refused(name, wrong)


def _wrong(name: str, value: Any) -> Misfit | None:
    if name == "timeout":
        return _wrong_timeout(value)
    if name == "extra_headers" and isinstance(value, Mapping):
        given = {key: one for key, one in value.items() if not isinstance(one, _load_anthropic().Omit)}
        return misfit(Mapping[str, str], given)
    return misfit(_OF_CALLS[name] if name in _OF_CALLS else _of_body()[name], value)


def _wrong_timeout(value: Any) -> Misfit | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if (0 < value < float("inf")) if number else isinstance(value, _load_anthropic().Timeout):
        return None
    return Misfit(path=(), value=value, kinds=("seconds above 0", "an anthropic.Timeout"))


@cache
def _of_body() -> Mapping[str, Any]:
    """The type of each option that goes into the body, betas included."""
    hints = get_type_hints(_load_parameters())
    return {name: hints[name] for name in (*BODY, *BETA)}


def _refused(name: str, wrong: Misfit) -> InvalidOption:
    place = ".".join(map(str, (name, *wrong.path)))
    way = f" (what the installed SDK does not know goes in extra_body={{{name!r}: ...}})" if wrong.newer else ""
    return InvalidOption(f"{place}={wrong.value!r:.60}: {wrong.remedy}{way}", option=name, value=wrong.value)
