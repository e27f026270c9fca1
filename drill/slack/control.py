"""The control API: what a test, a drill or the page asks of the practice Slack, under `/control/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from drill.slack.api import Api
from drill.slack.courier import Receipt
from drill.slack.errors import CannotDo, SlackError
from drill.slack.interactions import Interactions
from drill.slack.workspace import Workspace


class Control:
    """Answers `/control/…`. What nobody could do is 409, what makes no sense 400."""

    def __init__(self, workspace: Workspace, interactions: Interactions, api: Api) -> None:
        self._workspace, self._hands, self._api = workspace, interactions, api

    def routes(self) -> list[web.RouteDef]:
        gets = (self.messages, self.views, self.state, self.calls)
        posts = (self.click, self.submit, self.close, self.command, self.say, self.remove, self.archive, self.fault, self.forge)
        return [
            *(web.get(f"/control/{answer.__name__}", answer) for answer in gets),
            *(web.post(f"/control/{act.__name__}", _safely(act)) for act in posts),
            web.delete("/control/fault", self.clear_faults),
        ]

    async def messages(self, request: web.Request) -> web.Response:
        """Every message, oldest first; `?channel=` narrows, whispers come after with `is_ephemeral`."""
        channel = request.query.get("channel")
        found = [{**m, "channel": c} for (c, _), m in self._workspace.messages.items() if channel in (None, c)]
        found.sort(key=lambda m: m["ts"])
        whispers = [whisper for whisper in self._workspace.whispers if channel in (None, whisper["channel"])]
        return web.json_response({"messages": [*found, *whispers]})

    async def views(self, request: web.Request) -> web.Response:
        """The modals that are open; `?user=` narrows, `?all=1` adds those that were."""
        views = self._hands.views
        shown = views.all() if request.query.get("all") == "1" else views.opened(request.query.get("user", ""))
        return web.json_response({"views": [views.described(view) for view in shown]})

    async def state(self, request: web.Request) -> web.Response:
        """All that one person sees; only the number of the last change when `?since=` names it."""
        revision = self._workspace.revision
        if request.query.get("since") == str(revision):
            return web.json_response({"revision": revision})
        user = request.query.get("user", "")
        return web.json_response({"revision": revision, **self._seen_by(user)})

    async def calls(self, request: web.Request) -> web.Response:
        """How often each Web API method was called, and how many apps are connected."""
        return web.json_response({"calls": self._api.calls, "sockets": self._api.sockets.connected})

    async def click(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{user, channel, ts, action_id}`, and `value` to choose an option, `block_id` where two have the same action id."""
        user, channel, ts, action_id = _needed(wanted, "user", "channel", "ts", "action_id")
        more = {"value": str(wanted.get("value", "")), "block_id": str(wanted.get("block_id", ""))}
        return _receipt(await self._hands.click(user, channel, ts, action_id, **more))

    async def submit(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{user, view_id, values}`."""
        user, view_id = _needed(wanted, "user", "view_id")
        return _receipt(await self._hands.submit(user, view_id, wanted.get("values") or {}))

    async def close(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{user, view_id}`."""
        receipt = await self._hands.close(*_needed(wanted, "user", "view_id"))
        return _receipt(receipt) if receipt else {"closed": True}

    async def command(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{user, channel, command, text}`."""
        user, channel, command = _needed(wanted, "user", "channel", "command")
        return _receipt(await self._hands.command(user, channel, command, str(wanted.get("text", ""))))

    async def say(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{user, channel, text, thread_ts?}`: write a message as a person."""
        user, channel, text = _needed(wanted, "user", "channel", "text")
        place, person = self._workspace.channel(channel), self._workspace.person(user)
        return {"message": self._workspace.say(place, person, text, str(wanted.get("thread_ts") or ""))}

    async def remove(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{channel, ts}`: delete a message, as an administrator of the workspace may."""
        channel, ts = _needed(wanted, "channel", "ts")
        self._workspace.remove(channel, self._workspace.message(channel, ts))
        return {"removed": True}

    async def archive(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{channel, undo?}`: archive a channel, or bring it back."""
        (channel,) = _needed(wanted, "channel")
        self._workspace.channel(channel).archived = not wanted.get("undo")
        return {"archived": self._workspace.channel(channel).archived}

    async def fault(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{kind, method?, times?, status?, retry_after?}`; see `drill.slack.faults.Fault`."""
        return {"fault": asdict(self._api.faults.order(wanted))}

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._api.faults.clear()
        return web.json_response({"cleared": True})

    async def forge(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`{how, …}` with the fields of a click or a submission; `replay` takes a `number` of what was sent, or the last."""
        (how,) = _needed(wanted, "how")
        return _receipt(await self._hands.forge(how, wanted))

    def _seen_by(self, user: str) -> dict[str, Any]:
        workspace, views = self._workspace, self._hands.views
        person = workspace.people.get(user)
        places = [c for c in workspace.channels.values() if not c.private or c.holds(user)]
        channels = [{**c.as_conversation(), "pinned": c.pinned, "topic": c.topic} for c in places]
        seen = {c.id for c in places}
        messages = [{**m, "channel": c} for (c, _), m in workspace.messages.items() if c in seen]
        whispers = [w for w in workspace.whispers if w["for"] == user]
        return {
            "team": workspace.team,
            "commands": sorted(self._hands.commands or ()),
            "channels": channels,
            "people": [_shown(p.as_user(workspace.team), p.title) for p in workspace.people.values()],
            "messages": sorted([*messages, *whispers], key=lambda m: m["ts"]),
            "views": [views.described(view) for view in views.opened(user)] if person else [],
        }


def _shown(user: dict[str, Any], title: str) -> dict[str, Any]:
    return {**user, "title": title}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return receipt.as_json()


def _needed(wanted: Mapping[str, Any], *names: str) -> list[str]:
    missing = [name for name in names if not wanted.get(name)]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    return [str(wanted[name]) for name in names]


def _safely(act: Any) -> Any:
    """Make a handler of a function from the posted object to an answer; its refusals become statuses."""

    async def handle(request: web.Request) -> web.Response:
        try:
            wanted = json.loads(await request.text() or "{}")
            if not isinstance(wanted, dict):
                raise ValueError("the body must be an object")  # noqa: TRY004
            return web.json_response(await act(wanted))
        except CannotDo as refused:
            return web.json_response({"error": str(refused)}, status=409)
        except SlackError as refused:
            return web.json_response({"error": refused.code, "messages": refused.messages}, status=409)
        except (ValueError, TypeError, KeyError, RecursionError) as wrong:
            return web.json_response({"error": str(wrong)}, status=400)

    return handle
