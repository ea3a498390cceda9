"""The numbers to beat: each a ratio to something measured in the same rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_benchmarks import floors, memory
from mink_benchmarks.appends import Appends, BesideALockedStream, HotStreams, TenEvents
from mink_benchmarks.bulk import BulkImport, RawCopy
from mink_benchmarks.goal_parts import Parts
from mink_benchmarks.growth import GOAL_EVENTS, Growth
from mink_benchmarks.judging import Goal, Group
from mink_benchmarks.live_delivery import Delivery
from mink_benchmarks.reads import Reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.samples import Case


GROUPS = (
    "one",
    "tasks",
    "ten",
    "locked",
    "hot",
    "threads",
    "bulk",
    "replay",
    "stream",
    "memory",
    "delivery",
    "wake-ups",
    "growth",
)
"""The names of the groups."""
_AS_JSON = "payloads as json"
"""Rows beside the numbers to beat, for stores whose columns are json; what they are compared with is of jsonb."""


class Plan(Parts):
    """Makes the groups on one server."""

    def groups(self) -> dict[str, Callable[[], Group]]:
        """Every group, by name; made when it is measured."""
        makers = (
            self.one_writer,
            self.tasks,
            self.ten_events,
            self.locked,
            self.hot,
            self.threads,
            self.bulk,
            self.replay,
            self.stream,
            self.memory,
            self.delivery,
            self.wakeups,
            self.growth,
        )
        return dict(zip(GROUPS, makers, strict=True))

    def one_writer(self) -> Group:
        """One caller, one event."""
        group = Group("one", [])
        floor = self._floor(group, 1)
        group.cases += [
            floors.psycopg_call(self.server, self.workload),
            Appends("mink psycopg, 1", self._target(), self.workload, 1),
            floors.asyncpg_call(self.server, self.workload),
            Appends("mink asyncpg, 1", self._target(driver="asyncpg"), self.workload, 1),
            Appends("mink psycopg async, 1", self._target(driver="psycopg"), self.workload, 1),
            Appends("mink psycopg, 1, json", self._target(json_type="json"), self.workload, 1),
            Appends("mink asyncpg, 1, json", self._target(driver="asyncpg", json_type="json"), self.workload, 1),
        ]
        peer = self._eventsourcing(group, 1)
        self._against(group, "1 thread, 1 event: of the pgbench floor", "mink psycopg, 1", floor, 0.80)
        self._against(group, "1 thread, 1 event: of eventsourcing's default", "mink psycopg, 1", peer, 2.4)
        self._go_mink(group, "1 thread, 1 event", "mink psycopg, 1", floor, 1, 2.2)
        bare = "asyncpg, bare function, 1"
        self._against(group, "1 task, 1 event: of the bare function by asyncpg", "mink asyncpg, 1", bare, 0.90)
        what = f"1 thread, 1 event, {_AS_JSON}: of the pgbench floor"
        self._against(group, what, "mink psycopg, 1, json", floor, 0.80)
        what = f"1 task, 1 event, {_AS_JSON}: of the bare function by asyncpg"
        self._against(group, what, "mink asyncpg, 1, json", bare, 0.90)
        return group

    def tasks(self) -> Group:
        """Sixty-four tasks, one event."""
        group = Group("tasks", [])
        floor = self._floor(group, 64)
        group.cases += [
            Appends("mink asyncpg, 64", self._target(driver="asyncpg"), self.workload, 64),
            Appends("mink psycopg async, 64", self._target(driver="psycopg"), self.workload, 64),
            Appends("mink asyncpg, 64, json", self._target(driver="asyncpg", json_type="json"), self.workload, 64),
        ]
        peer, uma = self._eventsourcing(group, 64), self._umadb(group, 64)
        self._against(group, "64 tasks, 1 event: of the pgbench floor at 64", "mink asyncpg, 64", floor, 3)
        self._against(group, "64 tasks, 1 event: of eventsourcing's default", "mink asyncpg, 64", peer, 20)
        self._against(group, "64 tasks, 1 event: of UmaDB", "mink asyncpg, 64", uma, 3.5)
        self._go_mink(group, "64 tasks, 1 event", "mink asyncpg, 64", floor, 64, 7)
        self._against(
            group, f"64 tasks, 1 event, {_AS_JSON}: of the pgbench floor at 64", "mink asyncpg, 64, json", floor, 3
        )
        group.goals.append(Goal("64 tasks, 1 event: p99, ms", "mink asyncpg, 64", 10, measure="p99"))
        return group

    def locked(self) -> Group:
        """One stream held by another transaction for as long as it is measured."""
        schema = self.server.new_schema("mink")
        cases: list[Case] = [
            Appends("63 tasks", self._target(driver="asyncpg"), self.workload, 63),
            BesideALockedStream(
                "63 tasks beside a locked stream",
                self._target(driver="asyncpg", schema=schema),
                self.workload,
                63,
                self.server.url,
                schema,
            ),
        ]
        what = "one stream locked by another transaction: p99 of the others, of without"
        return Group("locked", cases, [Goal(what, cases[1].name, 2, cases[0].name, measure="p99 ratio")])

    def hot(self) -> Group:
        """Ten hot streams, sixty-four tasks that try again after a conflict; grouped and not."""
        cases: list[Case] = [
            HotStreams("hot streams, grouped", self._target(driver="asyncpg"), self.workload, 64),
            HotStreams(
                "hot streams, not grouped", self._target(driver="asyncpg", group_commits=False), self.workload, 64
            ),
        ]
        what = "ten hot streams, 64 tasks with retries: stored, of not grouped"
        return Group("hot", cases, [Goal(what, cases[0].name, 1, cases[1].name)])

    def ten_events(self) -> Group:
        """Sixty-four tasks, ten events an append."""
        group = Group("ten", [])
        floor = self._floor(group, 16, 10)
        group.cases.append(TenEvents("mink asyncpg, 64, ten", self._target(driver="asyncpg"), self.workload, 64))
        uma = self._umadb(group, 16, 10)
        self._against(group, "64 tasks, 10 events: of the pgbench floor at 16", "mink asyncpg, 64, ten", floor, 1.7)
        self._against(group, "64 tasks, 10 events: of UmaDB at 16", "mink asyncpg, 64, ten", uma, 2)
        as_json = TenEvents(
            "mink asyncpg, 64, ten, json", self._target(driver="asyncpg", json_type="json"), self.workload, 64
        )
        group.cases.append(as_json)
        self._against(group, f"64 tasks, 10 events, {_AS_JSON}: of the pgbench floor at 16", as_json.name, floor, 1.7)
        return group

    def threads(self) -> Group:
        """Threads on the sync store."""
        group = Group("threads", [])
        for writers, at_least in ((16, 1.2), (64, 2.0)):
            floor = self._floor(group, writers)
            name = f"mink psycopg, {writers}"
            group.cases.append(Appends(name, self._target(), self.workload, writers))
            self._against(group, f"{writers} threads, 1 event: of the pgbench floor", name, floor, at_least)
            as_json = Appends(f"{name}, json", self._target(json_type="json"), self.workload, writers)
            group.cases.append(as_json)
            what = f"{writers} threads, 1 event, {_AS_JSON}: of the pgbench floor"
            self._against(group, what, as_json.name, floor, at_least)
        return group

    def bulk(self) -> Group:
        """Bulk import against raw COPY."""
        group = Group("bulk", [])
        schema = self.server.new_schema("bulk")
        raw = RawCopy("raw COPY", self.server, self.workload, schema)
        own = BulkImport("mink import_events", self.server, self.workload, schema)
        group.cases += [raw, own]
        group.goals.append(Goal("bulk import: of raw COPY into the same schema", own.name, 0.9, raw.name))
        return group

    def replay(self) -> Group:
        """The whole log, in pages; of columns of jsonb, which the drivers' own pages are of, and of json."""
        events, schema = 100_000, self.server.new_schema("log")
        floor = {
            "decoding page by page, asyncpg": floors.asyncpg_pages(
                "asyncpg, pages decoded", self.server, schema, decode=True
            ),
            "pages left as text": floors.asyncpg_pages("asyncpg, pages as text", self.server, schema, decode=False),
            "decoding page by page, psycopg": floors.psycopg_pages(
                "psycopg, pages decoded", self.server, schema, decode=True
            ),
        }
        rows = (
            ("asyncpg", "", 1.4, "decoding page by page, asyncpg"),
            ("asyncpg", ", data not touched", 1.0, "pages left as text"),
            ("psycopg", "", 1.5, "decoding page by page, psycopg"),
        )
        group = Group("replay", [])
        for schema_of, kind in ((schema, ""), (self.server.new_schema("json"), f", {_AS_JSON}")):
            for driver, left, at_least, beside in rows:
                name = f"mink {driver}, replay{kind}{left}"
                target = self._target(
                    driver="asyncpg" if driver == "asyncpg" else "",
                    schema=schema_of,
                    json_type="json" if kind else "jsonb",
                )
                group.cases.append(Reads(name, target, self.workload, events=events, how="replay", touch=not left))
                if not kind:
                    group.cases.append(floor[beside])
                what = f"replay, {driver}{kind}{left}: of {beside.partition(',')[0]}"
                group.goals.append(Goal(what, name, at_least, floor[beside].name))
        return group

    def stream(self) -> Group:
        """One stream of a hundred events."""
        schema = self.server.new_schema("log")
        group = Group("stream", [])
        for name, driver in (("mink psycopg, stream", ""), ("mink asyncpg, stream", "asyncpg")):
            target = self._target(driver=driver, schema=schema)
            group.cases.append(Reads(name, target, self.workload, events=20_000, how="stream"))
        if self.eventsourcing:
            from mink_benchmarks.peers import eventsourcing_recorder  # noqa: PLC0415 -- an extra

            peer = eventsourcing_recorder.StreamReads(self.server, self.workload)
            group.cases.append(peer)
            for door in ("psycopg", "asyncpg"):
                what = f"stream of 100, {door}: of eventsourcing with json.loads"
                self._against(group, what, f"mink {door}, stream", peer.name, 1.3)
        else:
            group.missing.append("eventsourcing is not installed: pip install 'mink-eventstore[peers]'")
        return group

    def memory(self) -> Group:
        """The memory adapter."""
        cases = memory.cases(self.workload)
        group = Group("memory", [*cases, floors.json_loads(self.workload)])
        group.goals = [
            Goal("memory: appends of prebuilt events a second", "memory, appends", 200_000, measure="rate"),
            Goal("memory: replay, data not touched, events a second", "memory, replay", 3_000_000, measure="rate"),
            Goal("memory: replay, touched: of the decoder alone", "memory, replay, touched", 0.8, "decoder alone"),
        ]
        return group

    def delivery(self) -> Group:
        """From the append to a live subscriber."""
        group = Group("delivery", [])
        own = Delivery("mink asyncpg, delivery", self._target(driver="asyncpg", wakeups=True), self.workload)
        group.cases.append(own)
        if self.eventsourcing:
            from mink_benchmarks.peers import eventsourcing_recorder  # noqa: PLC0415 -- an extra

            peer = eventsourcing_recorder.Delivery(self.server, self.workload)
            group.cases.append(peer)
            what = "delivery at 500 appends/s: p50, of eventsourcing's"
            group.goals.append(Goal(what, own.name, 1, peer.name, measure="p50 ratio"))
        group.goals += [
            Goal("delivery at 500 appends/s: p50, ms", own.name, 2, measure="p50"),
            Goal("delivery at 500 appends/s: p99, ms", own.name, 8, measure="p99"),
        ]
        return group

    def wakeups(self) -> Group:
        """What wake-ups cost the appends."""
        group = Group("wake-ups", [])
        for writers in (16, 64):
            off, on = (
                Appends(
                    f"wake-ups {word}, {writers}",
                    self._target(driver="asyncpg", wakeups=word == "on"),
                    self.workload,
                    writers,
                )
                for word in ("off", "on")
            )
            group.cases += [off, on]
            group.goals.append(Goal(f"{writers} tasks, wake-ups on: of off", on.name, 0.95, off.name))
        return group

    def growth(self) -> Group:
        """A log of thirty million events beside one of a million."""
        group = Group("growth", [])
        logs = Growth(self.server, self.workload, lambda _: None)
        if not logs.reaches(GOAL_EVENTS):
            group.missing.append(
                f"no log of {GOAL_EVENTS:,} events is there: mink bench growth --folder F --to {GOAL_EVENTS}, then "
                "mink bench goals --only growth --folder F"
            )
            return group
        still, grows = logs.cases(GOAL_EVENTS, ["appends"])
        group.cases += [still, grows]
        what = "appends, 64 tasks, at 30 million events: of those at 1 million"
        self._against(group, what, grows.name, still.name, 0.7)
        return group
