"""Modals, and the address for Socket Mode."""

from __future__ import annotations

from drill.slack.blocks import check_view
from drill.slack.errors import SlackError
from drill.slack.methods.registry import TIER_4, Answer, Call, method
from drill.slack.views import View


@method("views.open", tier=TIER_4)
def open_view(call: Call) -> Answer:
    """Open a modal for whoever made the trigger."""
    view = _view(call)
    return {"view": call.views.open(call.given.needed("trigger_id"), view)}


@method("views.push", tier=TIER_4)
def push_view(call: Call) -> Answer:
    """Open a modal on top of another."""
    view = _view(call)
    return {"view": call.views.push(call.given.needed("trigger_id"), view)}


@method("views.update", tier=TIER_4)
def update_view(call: Call) -> Answer:
    """Replace an open modal's content."""
    view_id, external_id = call.given.text("view_id"), call.given.text("external_id")
    if bool(view_id) == bool(external_id):
        raise SlackError("invalid_arguments", ["either view_id or external_id must be given"])
    view = _view(call)
    return {"view": call.views.update(view, view_id=view_id, external_id=external_id, hash_=call.given.text("hash"))}


@method("apps.connections.open", for_app=True)
def open_connection(call: Call) -> Answer:
    """An address for one web socket."""
    return {"url": call.new_socket()}


def _view(call: Call) -> View:
    return check_view(call.given.structure("view", "invalid_arguments"))
