"""The control port: HTTP/JSON in, node out. Every error is `{"error": {"code", "message"}}`."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import BaseModel, ValidationError

from core.errors import N_, AppError, Invalid, NotAllowed
from media import control
from media.metrics import exposition
from media.node import Node

HEARTBEAT_S = 2.0
MAX_BODY = 200_000  # bytes; the largest message is an SDP of 60,000 characters
NODE: web.AppKey[Node] = web.AppKey("node", Node)
Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(node: Node, token: str) -> web.Application:
    """Return the control application.

    token: the bearer token every request must carry.
    """
    app = web.Application(middlewares=[_errors, _bearer(token)], client_max_size=MAX_BODY)
    app[NODE] = node
    app.add_routes(
        [
            web.put("/rooms/{room}", put_room),
            web.delete("/rooms/{room}", delete_room),
            web.post("/rooms/{room}/peers/{peer}/up", post_up),
            web.post("/rooms/{room}/peers/{peer}/down", post_down),
            web.put("/rooms/{room}/peers/{peer}/down", put_down),
            web.post("/rooms/{room}/peers/{peer}/play", post_play),
            web.patch("/rooms/{room}/peers/{peer}/{leg:up|down|play}", patch_leg),
            web.put("/rooms/{room}/peers/{peer}/sizes", put_sizes),
            web.delete("/rooms/{room}/peers/{peer}", delete_peer),
            web.delete("/rooms/{room}/peers/{peer}/{leg:up|down|play}", delete_leg),
            web.get("/events", get_events),
            web.get("/metrics", get_metrics),
            web.get("/healthz", get_health),
        ]
    )
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AppError as error:
        message = error.message % error.params if error.params else error.message
        return web.json_response({"error": {"code": error.code, "message": message}}, status=error.status)


def _bearer(token: str) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            return web.json_response({"error": {"code": "token.wrong", "message": "Wrong token."}}, status=401)
        return await handler(request)

    return check


async def _read(request: web.Request, kind: type[Body]) -> Body:
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Invalid("message.invalid", N_("%(where)s: %(reason)s"), where=where, reason=str(first["msg"])) from error


def _names(request: web.Request) -> tuple[str, str]:
    room, peer = request.match_info["room"], request.match_info.get("peer", "")
    for name in filter(None, (room, peer)):
        if len(name) > 40 or not name.replace("_", "").isalnum():
            raise NotAllowed("name.malformed", N_("This is not the id of a room or a participant."))
    return room, peer


async def put_room(request: web.Request) -> web.Response:
    """Take a room's plan."""
    room, _ = _names(request)
    status = await request.app[NODE].put(room, await _read(request, control.RoomPlan))
    return web.json_response(status.model_dump())


async def delete_room(request: web.Request) -> web.Response:
    """Close a room."""
    request.app[NODE].delete(_names(request)[0])
    return web.Response(status=204)


async def post_up(request: web.Request) -> web.Response:
    """Take a publishing leg's offer."""
    room, peer = _names(request)
    offer = await _read(request, control.UpOffer)
    answer = request.app[NODE].room(room).up(peer, offer.sdp)
    return web.json_response(control.UpAnswer(sdp=answer).model_dump())


async def post_down(request: web.Request) -> web.Response:
    """Make a receiving leg's offer."""
    room, peer = _names(request)
    wanted = await _read(request, control.DownRequest)
    leg = request.app[NODE].room(room).down(peer, wanted.slots)
    offer = control.DownOffer(leg=leg.id, sdp=leg.offer, slots=[slot.name for slot in leg.slots])
    return web.json_response(offer.model_dump())


async def put_down(request: web.Request) -> web.Response:
    """Take a receiving leg's answer."""
    room, peer = _names(request)
    answer = await _read(request, control.DownAnswer)
    request.app[NODE].room(room).answered(peer, answer.leg, answer.sdp)
    return web.Response(status=204)


async def post_play(request: web.Request) -> web.Response:
    """Take a player's offer."""
    room, peer = _names(request)
    offer = await _read(request, control.PlayOffer)
    answer = request.app[NODE].room(room).play(peer, offer.sdp)
    return web.json_response(control.PlayAnswer(sdp=answer).model_dump())


async def patch_leg(request: web.Request) -> web.Response:
    """Restart a leg's ICE."""
    room, peer = _names(request)
    wanted = await _read(request, control.IceRestart)
    ice = request.app[NODE].room(room).restart(peer, request.match_info["leg"], wanted.ufrag)
    return web.json_response(control.IceRestarted(ufrag=ice.ufrag, pwd=ice.pwd).model_dump())


async def put_sizes(request: web.Request) -> web.Response:
    """Take what a page can use."""
    room, peer = _names(request)
    wanted = await _read(request, control.Sizes)
    request.app[NODE].room(room).resize(peer, wanted.heights)
    return web.Response(status=204)


async def delete_peer(request: web.Request) -> web.Response:
    """Close a participant's legs."""
    room, peer = _names(request)
    found = request.app[NODE].rooms.get(room)
    if found is not None:
        found.drop(peer, "left")
    return web.Response(status=204)


async def delete_leg(request: web.Request) -> web.Response:
    """Close one leg of a participant."""
    room, peer = _names(request)
    found = request.app[NODE].rooms.get(room)
    if found is not None:
        found.drop_leg(peer, request.match_info["leg"], "left")
    return web.Response(status=204)


async def get_events(request: web.Request) -> web.StreamResponse:
    """Stream events, one JSON object a line, until the reader goes."""
    node = request.app[NODE]
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    await response.prepare(request)
    with node.reader() as queue:
        events: list[control.Message] = [control.Hello(epoch=node.epoch)]
        while True:
            try:
                await response.write(b"".join(event.model_dump_json().encode() + b"\n" for event in events))
            except (ConnectionError, asyncio.CancelledError):
                return response
            try:
                events = [await asyncio.wait_for(queue.get(), HEARTBEAT_S)]
            except TimeoutError:
                events = [control.Heartbeat(epoch=node.epoch)]
            while not queue.empty():
                events.append(queue.get_nowait())  # one write for all that came meanwhile


async def get_metrics(request: web.Request) -> web.Response:
    """Prometheus text."""
    return web.Response(body=exposition(request.app[NODE]), headers={"Content-Type": "text/plain; version=0.0.4"})


async def get_health(request: web.Request) -> web.Response:
    """Say that the node lives."""
    node = request.app[NODE]
    peers = sum(len(set(room.ups) | set(room.downs)) for room in node.rooms.values())
    health = control.Health(
        ok=True, epoch=node.epoch, rooms=len(node.rooms), peers=peers, room_ids=sorted(node.rooms),
        viewers=sum(len(room.downs) for room in node.rooms.values()), load=round(node.load, 3),
    )  # fmt: skip
    return web.json_response(health.model_dump())
