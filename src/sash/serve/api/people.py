"""Users: what is known of them, and how they are forgotten."""

from __future__ import annotations

from functools import partial

from sash.conversation.workers import worker
from sash.serve.api.endpoints import Endpoint, EndpointCall
from sash.serve.api.schemas import Done, EntryIn, EntryOut, ForgottenOut, ProfileOut, Reason

USER = "/api/users/{user:name}"


def profile(call: EndpointCall) -> ProfileOut:
    """What holds."""
    known = call.store.profile(call.path["user"], namespace=call.namespace).entries()
    return ProfileOut(entries=[EntryOut.of(entry) for entry in known])


def keep(call: EndpointCall) -> EntryOut:
    """One more entry."""
    told: EntryIn = call.body
    known = call.store.profile(call.path["user"], namespace=call.namespace)
    return EntryOut.of(known.set(told.text, kind=told.kind))  # type: ignore[arg-type]


def remove(call: EndpointCall) -> Done:
    """End an entry."""
    call.store.profile(call.path["user"], namespace=call.namespace).remove(call.path["entry"])
    return Done()


async def forget(call: EndpointCall) -> ForgottenOut:
    """All of a user."""
    reason: Reason = call.body
    gone = await worker(
        partial(call.store.forget_user, call.path["user"], namespace=call.namespace, reason=reason.reason)
    )
    call.serving.talks.forget(call.namespace)
    return ForgottenOut(conversations=gone.conversations, turns=gone.turns, files=gone.files, entries=gone.entries)


ENDPOINTS = (
    Endpoint(
        method="GET", path=f"{USER}/profile", handler=profile, summary="What is known of a user", answer=ProfileOut
    ),
    Endpoint(
        method="POST", path=f"{USER}/profile", handler=keep, summary="Keep something about a user", body=EntryIn,
        answer=EntryOut,
    ),
    Endpoint(
        method="DELETE", path=f"{USER}/profile/{{entry:number}}", handler=remove, summary="End an entry", answer=Done
    ),
    Endpoint(
        method="POST", path=f"{USER}/forget", handler=forget, summary="Remove a user for good, audited", body=Reason,
        answer=ForgottenOut,
    ),
)  # fmt: skip
