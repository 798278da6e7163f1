"""Carries out the plan of a soak against real processes, and watches meanwhile what they say of themselves.

May import: tests, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter, defaultdict
from collections.abc import Awaitable, Collection, Iterable, Mapping
from contextlib import suppress
from itertools import count
from random import Random
from typing import assert_never

import psycopg
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from store import schema
from store.call_keys import conversation_of
from store.database import reading
from tests.faults.faultproxy import FaultProxy, Link
from tests.faults.flooder import Flooder, Refused, initiate, tell, vaic
from tests.faults.scene import Node, Scene
from tests.faults.soak_plan import ClockStep, Crash, Damage, Fault, Flood, LinkFault, Move, Outage, OutageKind
from tests.store.garbage import spoil
from tests.store.postgres import PostgresServer

# What a flooder says of a flood that was not let in, as in an outage.
REFUSED = "refused"
# Damaged columns, as "lease.status", by conversation.
Spoiled = Mapping[str, Collection[str]]
# What the log says of a call that was accepted and then ended, because its id belongs to another one.
_NO_LEASE = re.compile(r"another process, or another credential, has this conversation's lease\s+conversation=(\S+)")
LOOK_EVERY_S = 0.5


def break_link(link: Link, how: int, chance: Random) -> None:
    """What a network does to a socket. how: below soak_plan.LINK_FAULTS."""
    match how:
        case 0:
            link.reset()
        case 1:
            link.blackhole()
        case 2:
            link.stall()
        case 3:
            link.half_close()
        case 4:
            link.slow(30_000)
        case _:
            link.cut_after(chance.randrange(5000))


def set_up_clock(server: PostgresServer, database: str) -> None:
    """Give a database a clock that can be set: it is found before the system's."""
    with server.connection(database) as connection:
        connection.execute("CREATE TABLE public.soak_clock (ahead interval NOT NULL)")
        connection.execute("INSERT INTO public.soak_clock VALUES ('0 s')")
        connection.execute(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            "'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM public.soak_clock)'"
        )
        connection.execute(f"ALTER DATABASE {database} SET search_path = public, pg_catalog".encode())


class SoakStore:
    """A database that can be lost in several ways. proxy: through which the daemons reach it."""

    def __init__(self, server: PostgresServer, database: str, proxy: FaultProxy) -> None:
        self._server = server
        self._database = database
        self._proxy = proxy

    async def away(self, outage: Outage) -> None:
        how: OutageKind = outage.how
        match how:
            case "paused":
                self._server.signal(signal.SIGSTOP)
                await asyncio.sleep(outage.for_s)
                self._server.signal(signal.SIGCONT)
            case "stopped":
                await asyncio.to_thread(self._server.stop, "immediate")
                await asyncio.sleep(outage.for_s)
                await asyncio.to_thread(self._server.start)
            case "cut":
                self._proxy.refuses = True
                self._proxy.reset()
                await asyncio.sleep(outage.for_s)
                self._proxy.refuses = False
            case "dark":
                self._proxy.came = Link.blackhole
                for link in self._proxy.links:
                    link.blackhole()
                await asyncio.sleep(outage.for_s)
                self._proxy.came = lambda _: None
                self._proxy.reset()
            case _:
                assert_never(how)

    def set_clock(self, ahead_s: float) -> None:
        with self._server.connection(self._database) as connection:
            connection.execute("UPDATE public.soak_clock SET ahead = make_interval(secs => %s)", (ahead_s,))


def refused_leases(nodes: Iterable[Node]) -> Counter[str]:
    """How many calls of each id were ended by a process because another one had a call with that id."""
    return Counter(each for node in nodes for each in _NO_LEASE.findall(node.log.read_text()))


class Watch:
    """What the processes said of themselves. outages: when they began and ended, in the loop's time.

    unready, dead: (when, which process) /readyz or /livez said no. looks: how many.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self.outages: list[tuple[float, float]] = []
        self.unready: list[tuple[float, int]] = []
        self.dead: list[tuple[float, int]] = []
        self.looks: list[tuple[float, int]] = []
        self.memory_mb: dict[int, list[float]] = defaultdict(list)

    async def keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for number, node in enumerate(self._nodes):
                at_s = loop.time()
                ready, alive = (await node.get("/readyz"))[0] == 200, (await node.get("/livez"))[0] == 200
                self.looks.append((at_s, number))
                if not ready:
                    self.unready.append((at_s, number))
                if not alive:
                    self.dead.append((at_s, number))
                self.memory_mb[number].append(node.memory_mb())
            await asyncio.sleep(LOOK_EVERY_S)


class Faults:
    """Does what a plan says. done: how often, by kind. spoiled: what was damaged.

    floods_s: how long those went on that were let in. kept_out: when one was not let in, and which, of those that no
    other fault can have kept out.
    """

    def __init__(
        self, scene: Scene, store: SoakStore, watch: Watch, flooder: Flooder, models_port: int, seed: int
    ) -> None:
        self._scene = scene
        self._store = store
        self._watch = watch
        self._models = ("127.0.0.1", models_port)
        self._chance = Random(f"{seed} faults")
        self._numbers = count(1)
        self._flooder = flooder
        self._flooding = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self.done: Counter[str] = Counter()
        self.spoiled: dict[str, list[str]] = defaultdict(list)
        self.kept_out: list[tuple[float, str]] = []
        self.floods_s: dict[str, float] = {}
        self.away_s: list[float] = []

    async def carry_out(self, plan: list[tuple[float, Fault]], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for at_s, fault in plan:
            await asyncio.sleep(max(0.0, began_s + at_s - loop.time()))
            self._begin(fault)
        await asyncio.sleep(max(0.0, began_s + seconds - loop.time()))
        await asyncio.gather(*self._under_way)

    def _begin(self, fault: Fault) -> None:
        first, last = self._scene.nodes[0], self._scene.nodes[-1]
        match fault:
            case Outage():
                self._also(self._lose_store(fault))
            case Damage():
                self._also(asyncio.to_thread(self._damage, fault))
            case Flood():
                self._also(self._flood(fault))
            case ClockStep(clock="database"):
                self._also(asyncio.to_thread(self._step, fault))
            case ClockStep():
                (first if fault.clock == "first" else last).set_clock(fault.ahead_s)
                self.done[f"clock of {fault.clock} process"] += 1
            case Crash():
                first.crash(fault.actor, "*", fault.way)
                self.done[f"crash of {fault.actor}"] += 1
            case LinkFault():
                links = self._links(fault)
                if links:
                    break_link(links[int(fault.pick * len(links))], fault.how, self._chance)
                    self.done[f"fault of a {fault.side} link"] += 1
            case Move():
                first.vaic.target = (last if fault.last else first).address
                self.done["move"] += 1
            case _:
                assert_never(fault)

    def _links(self, fault: LinkFault) -> list[Link]:
        return self._scene.vaic.links if fault.side == "vaic" else self._scene.model.to(self._models)

    def _also(self, what: Awaitable[None]) -> None:
        task = asyncio.ensure_future(what)
        self._under_way.add(task)

    async def _lose_store(self, outage: Outage) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await self._store.away(outage)
        self._watch.outages.append((began_s, loop.time()))
        self.away_s.append(loop.time() - began_s)
        self.done[f"outage: {outage.how}"] += 1

    def _step(self, step: ClockStep) -> None:
        # In an outage there is no clock to set.
        with suppress(psycopg.OperationalError):
            self._store.set_clock(step.ahead_s)
            self.done["clock of the database"] += 1

    def _damage(self, damage: Damage) -> None:
        """Damage a row of a caller's call, of one that is in progress if there are any."""
        table = schema.metadata.tables[damage.table]
        column, lease = table.c.conversation_id, schema.lease.c
        query = select(column).where(column.like("book-%")).distinct().order_by(column)
        in_progress = query.where(column.in_(select(lease.conversation_id).where(lease.status == "open")))
        with reading(self._scene.database) as connection:
            keys = list(connection.scalars(in_progress)) or list(connection.scalars(query))
        if not keys:
            return
        key = keys[int(damage.pick * len(keys))]
        # First, so that nobody expects it to be whole in between.
        spoiled, what = self.spoiled[conversation_of(key)], f"{damage.table}.{damage.column}"
        spoiled.append(what)
        where = f"conversation_id = '{key}'"
        if damage.table == "call_event":
            # The newest row so far.
            where += f" AND seq = (SELECT max(seq) FROM call_event WHERE {where})"  # noqa: S608 - ours
        try:
            spoil(self._scene.database, table, damage.column, damage.garbage, where)
        except OperationalError:  # another may hold the row, frozen with its transaction by an outage
            spoiled.remove(what)
        else:
            self.done[f"damage: {damage.table}"] += 1

    # --- floods ---

    async def _flood(self, flood: Flood) -> None:
        name = f"flood-{next(self._numbers)}"
        async with self._flooding:
            began_s = asyncio.get_running_loop().time()
            said = await self._flooded(flood, self._scene.nodes[-1 if flood.last else 0], name)
        if said == REFUSED:
            self.done["flood that was not let in"] += 1
            # Crashes and broken sockets of the first process may end a call before it floods.
            if flood.side == "door" or (flood.side == "call" and flood.last):
                self.kept_out.append((began_s, f"{name}: {flood.side}, {flood.kind}"))
        else:
            self.done[f"flood: {flood.side}"] += 1
            self.floods_s[f"{name}: {flood.side}, {flood.kind}"] = float(said)

    async def _flooded(self, flood: Flood, node: Node, name: str) -> str:
        """For how many s it went on, or that it was not let in."""
        match flood.side:
            case "door":
                self._flooder.starts("vaic", node.port, flood.kind)
            case "call":
                self._flooder.starts("vaic", node.port, flood.kind, initiate(name))
            case "model":
                return await self._flood_as_model(node, flood, name)
            case _:
                assert_never(flood.side)
        return await self._flooder.says()

    async def _flood_as_model(self, node: Node, flood: Flood, name: str) -> str:
        """Flood the next session that the process dials: that of a call of its own, or of one that is redialled."""
        node.model.yields()  # a proxy that relays a flood would delay the calls that it relays too
        try:
            self._flooder.starts("model", node.model.port, flood.kind, flood.settles)
            assert await self._flooder.says() == "listens"
            try:
                connection = await asyncio.to_thread(vaic, node.address, initiate(name))
            except (Refused, OSError):
                return await self._flooder.says()
            with connection, suppress(OSError):
                said = await self._flooder.says()
                reason = "client-disconnected"
                tell(connection, {"type": "session.end", "conversationId": name, "reasonCode": reason})
            return said
        finally:
            await node.model.listens_again()
