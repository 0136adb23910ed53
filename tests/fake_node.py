"""A media node without media: the same HTTP contract, started like the real one (`python -m tests.fake_node`)."""

import argparse
import asyncio
import json
import os
from pathlib import Path

from aiohttp import web

from core.ids import new_id
from media import control

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
)


class FakeNode:
    """Believes every plan at once and shows what it names."""

    def __init__(self, token: str) -> None:
        self.token, self.epoch = token, new_id("epoch")
        self.plans: dict[str, control.RoomPlan] = {}
        self.puts: list[tuple[str, int]] = []
        self.readers: set[asyncio.Queue[control.Message]] = set()
        self.silent = False
        self.sizes: list[tuple[str, str, dict[str, int]]] = []
        self.legs: set[tuple[str, str, str]] = set()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.check])
        app.add_routes([
            web.get("/healthz", self.health), web.get("/events", self.events), web.get("/puts", self.list_puts),
            web.get("/metrics", self.metrics),
            web.put("/rooms/{room}", self.put), web.delete("/rooms/{room}", self.delete),
            web.post("/rooms/{room}/peers/{peer}/up", self.up), web.post("/rooms/{room}/peers/{peer}/down", self.down),
            web.put("/rooms/{room}/peers/{peer}/down", self.down_answer),
            web.post("/rooms/{room}/peers/{peer}/play", self.play),
            web.patch("/rooms/{room}/peers/{peer}/{leg:up|down|play}", self.restart),
            web.delete("/rooms/{room}/peers/{peer}/{leg:up|down|play}", self.delete_leg), web.get("/legs", self.list_legs),
            web.put("/rooms/{room}/peers/{peer}/sizes", self.put_sizes), web.get("/sizes", self.list_sizes),
            web.delete("/rooms/{room}/peers/{peer}", self.nothing), web.post("/fall-silent", self.fall_silent),
            web.post("/say", self.say_event),
        ])  # fmt: skip
        return app

    @web.middleware
    async def check(self, request: web.Request, handler) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return refuse(401, "token.wrong")
        while self.silent:
            await asyncio.sleep(0.1)
        return await handler(request)

    async def health(self, request: web.Request) -> web.Response:
        return say(control.Health(
            ok=True, epoch=self.epoch, rooms=len(self.plans), peers=0, room_ids=sorted(self.plans)
        ))  # fmt: skip

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=f"# HELP rooms_of Rooms\n# TYPE rooms_of gauge\nrooms_of {len(self.plans)}\n")

    async def list_puts(self, request: web.Request) -> web.Response:
        return web.json_response(self.puts)

    async def fall_silent(self, request: web.Request) -> web.Response:
        self.silent = True
        return web.Response(status=204)

    async def say_event(self, request: web.Request) -> web.Response:
        """Emit the event that a test sends."""
        self.emit(control.NODE_EVENT.validate_json(await request.read()))
        return web.Response(status=204)

    async def put(self, request: web.Request) -> web.Response:
        room, plan = request.match_info["room"], control.RoomPlan.model_validate_json(await request.read())
        self.puts.append((room, plan.version))
        before = self.plans.get(room) or control.RoomPlan(version=-1, slots={}, publishers=[])
        if plan.version >= before.version:
            self.plans[room] = plan
            for slot in sorted(set(plan.slots) | set(before.slots)):
                if plan.slots.get(slot) != before.slots.get(slot):
                    self.emit(
                        control.SlotSwitched(room=room, slot=slot, publication=plan.slots.get(slot), latency_ms=7)
                    )
            if plan.recording != before.recording:
                self.emit(control.RecorderState(room=room, state="started" if plan.recording else "finished"))
        now = self.plans[room]
        return say(control.RoomStatus(
            version=now.version, peers=sorted({peer for of, peer, _ in self.legs if of == room}),
            publications=sorted(f"{peer}/camera" for of, peer, leg in self.legs if (of, leg) == (room, "up")),
            shown=dict(now.slots), recording=now.recording
        ))  # fmt: skip

    async def delete(self, request: web.Request) -> web.Response:
        self.plans.pop(request.match_info["room"], None)
        return web.Response(status=204)

    async def up(self, request: web.Request) -> web.Response:
        plan = self.plans.get(request.match_info["room"])
        if plan is None:
            return refuse(404, "room.unknown")
        if request.match_info["peer"] not in plan.publishers:
            return refuse(403, "publish.not_planned")
        if "m=" not in control.UpOffer.model_validate_json(await request.read()).sdp:
            return refuse(422, "sdp.malformed")
        self._take(request, "up")
        return say(control.UpAnswer(sdp=SDP))

    def _take(self, request: web.Request, leg: str) -> None:
        key = request.match_info["room"], request.match_info["peer"], leg
        if key in self.legs:
            self._lose(*key, "replaced")
        self.legs.add(key)

    def _lose(self, room: str, peer: str, leg: str, reason: str) -> None:
        self.legs.discard((room, peer, leg))
        self.emit(control.PeerDown(room=room, peer=peer, leg=leg, reason=reason))

    async def play(self, request: web.Request) -> web.Response:
        if request.match_info["room"] not in self.plans:
            return refuse(404, "room.unknown")
        if "recvonly" not in control.PlayOffer.model_validate_json(await request.read()).sdp:
            return refuse(422, "sdp.sections")
        self._take(request, "play")
        return say(control.PlayAnswer(sdp=SDP))

    async def restart(self, request: web.Request) -> web.Response:
        if tuple(request.match_info[name] for name in ("room", "peer", "leg")) not in self.legs:
            return refuse(404, "leg.unknown")
        wanted = control.IceRestart.model_validate_json(await request.read())
        return say(control.IceRestarted(ufrag=f"after-{wanted.ufrag}", pwd="p" * 32))

    async def delete_leg(self, request: web.Request) -> web.Response:
        key = tuple(request.match_info[name] for name in ("room", "peer", "leg"))
        if key in self.legs:
            self._lose(*key, "left")
        return web.Response(status=204)

    async def list_legs(self, request: web.Request) -> web.Response:
        return web.json_response(sorted(self.legs))

    async def down(self, request: web.Request) -> web.Response:
        if request.match_info["room"] not in self.plans:
            return refuse(404, "room.unknown")
        wanted = control.DownRequest.model_validate_json(await request.read())
        return say(control.DownOffer(leg="leg_1", sdp=SDP, slots=wanted.slots))

    async def down_answer(self, request: web.Request) -> web.Response:
        answer = control.DownAnswer.model_validate_json(await request.read())
        return web.Response(status=204) if answer.leg == "leg_1" else refuse(409, "leg.old")

    async def put_sizes(self, request: web.Request) -> web.Response:
        if request.match_info["room"] not in self.plans:
            return refuse(404, "leg.unknown")
        wanted = control.Sizes.model_validate_json(await request.read())
        self.sizes.append((request.match_info["room"], request.match_info["peer"], wanted.heights))
        return web.Response(status=204)

    async def list_sizes(self, request: web.Request) -> web.Response:
        return web.json_response(self.sizes)

    async def nothing(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    def emit(self, event: control.Message) -> None:
        for queue in self.readers:
            queue.put_nowait(event)

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        queue: asyncio.Queue[control.Message] = asyncio.Queue()
        self.readers.add(queue)
        event: control.Message = control.Hello(epoch=self.epoch)
        try:
            while True:
                await response.write(event.model_dump_json().encode() + b"\n")
                try:
                    event = await asyncio.wait_for(queue.get(), 0.5)
                except TimeoutError:
                    event = control.Heartbeat(epoch=self.epoch)
        except ConnectionError:
            return response
        finally:
            self.readers.discard(queue)


def say(message: control.Message) -> web.Response:
    return web.json_response(message.model_dump())


def refuse(status: int, code: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": code}}, status=status)


async def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--data-dir", "--host", "--port", "--announce", "--control-port", "--state"):
        parser.add_argument(name)
    options = parser.parse_args()
    node = FakeNode((Path(options.data_dir) / "media-token").read_text())
    runner = web.AppRunner(node.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(options.control_port)).start()
    state = {"pid": os.getpid(), "control_url": f"http://127.0.0.1:{runner.addresses[0][1]}", "epoch": node.epoch}
    temporary = Path(options.state).with_suffix(".tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(options.state)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
