"""A forked process does not use its parent's connections, is told so, and leaves them unharmed. Each in a process of its own."""

from __future__ import annotations

import pytest

from tests.postgres.forked_programs import at, run

SYNC = """
store = open_store(url)
store.initialize()
store.append("parent", NEW, expected_version=0)
"""

SYNC_ENDS = """
for n in range(1, 20):
    assert store.append("parent", NEW, expected_version=n).first_version == n + 1
assert store.pool_status()["used"] == 0
store.close()
"""


@pytest.mark.parametrize("more", ["", "&wakeups=true", "&transaction_pooler=true"])
def test_a_child_s_calls_are_refused_and_the_parent_s_go_on(postgres_url: str, schema: str, more: str) -> None:
    run(
        at(postgres_url, schema, more),
        SYNC,
        """
        def child():
            for call in (
                lambda: store.append("child", NEW, expected_version=ANY),
                store.head_position,
                lambda: list(store.read_all()),
                lambda: list(store.read_stream("parent")),
                store.ping,
                store.initialize,
                lambda: store.transaction().__enter__(),
                lambda: store.checkpoints.load("x"),
                store.subscribe,
                lambda: store.subscription("s", print),
                lambda: store.bind(object()),
            ):
                with refused():
                    call()
            with open_store(url) as own:  # what it is told to do
                own.append("child", NEW, expected_version=0)

        assert forked(child) == 0
        assert store.stream_info("child").version == 1
        """,
        SYNC_ENDS,
    )


@pytest.mark.parametrize("how", ["store.close()", "forget()", "pass", "store.__exit__(None, None, None)"])
def test_a_child_that_ends_leaves_the_parent_s_sessions_alone(postgres_url: str, schema: str, how: str) -> None:
    """libpq's farewell and a socket's shutdown would end them."""
    run(
        at(postgres_url, schema),
        SYNC,
        f"""
        def forget():
            global store
            del store
            gc.collect()

        def child():
            {how}

        pid = store._backend.lend(lambda it: it.info.backend_pid)
        assert forked(child) == 0
        assert store._backend.lend(lambda it: it.info.backend_pid) == pid
        """,
        SYNC_ENDS,
    )


def test_threads_that_append_while_others_fork(postgres_url: str, schema: str) -> None:
    """Whatever lock a thread has at that moment: the child has no such thread, and must not wait for it."""
    run(
        at(postgres_url, schema),
        SYNC,
        """
        going, done = True, []
        def work(stream):
            n = 0
            while going:
                n = store.append(stream, NEW, expected_version=n).last_version
            done.append(n)
        threads = [threading.Thread(target=work, args=(f"t-{number}",)) for number in range(6)]
        for thread in threads:
            thread.start()

        def child():
            with refused():
                store.append("child", NEW, expected_version=ANY)
            store.close()

        for _ in range(15):
            assert forked(child) == 0
        going = False
        for thread in threads:
            thread.join()
        assert len(done) == 6 and all(done)
        """,
        SYNC_ENDS,
    )


@pytest.mark.parametrize("pool", ["own", "the caller's"])
def test_a_child_leaves_the_block_that_its_parent_began(postgres_url: str, schema: str, pool: str) -> None:
    run(
        at(postgres_url, schema),
        SYNC,
        f"""
        import psycopg_pool
        from mink_postgres import PostgresEventStore
        pool = psycopg_pool.ConnectionPool({postgres_url!r}, min_size=1, open=True)
        pool.wait()
        used = store if {pool == "own"} else PostgresEventStore(pool=pool, schema={schema!r})
        pid = None
        try:
            with used.transaction() as tx:
                tx.append("in", NEW, expected_version=0)
                pid = os.fork()
                if pid:
                    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
                    tx.append("in", NEW, expected_version=1)
        except UsageError as error:
            assert not pid and "forked" in str(error)
            os._exit(7)
        assert pid and store.stream_info("in").version == 2
        pool.close()
        """,
        SYNC_ENDS,
        says="error ignored in rollback",  # psycopg, in the child
    )


def test_a_read_that_was_begun_is_not_gone_on_with(postgres_url: str, schema: str) -> None:
    """Its next page is on its way, in answer to the parent."""
    run(
        at(postgres_url, schema),
        SYNC,
        """
        store.append("many", [NewEvent("Made", {}) for _ in range(5000)], expected_version=0)
        reading = store.read_all()
        first = [next(reading) for _ in range(10)]

        def child():
            with refused():
                list(reading)

        assert forked(child) == 0
        assert [event.global_position for event in [*first, *reading]] == list(range(1, 5002))
        """,
        SYNC_ENDS,
    )


def test_a_store_that_was_not_opened_is_the_child_s(postgres_url: str, schema: str) -> None:
    """As of a server that loads the application, then forks: gunicorn's preload."""
    run(
        at(postgres_url, schema),
        SYNC,
        """
        lazy = open_store(url)
        worker = lazy.subscription("s", print)
        owner = worker.owner

        def child():
            assert worker.owner != owner, "two processes would be one worker"
            lazy.append("child", NEW, expected_version=0)
            with worker:
                pass
            lazy.close()

        assert forked(child) == 0
        assert lazy.append("child", NEW, expected_version=1).first_version == 2
        assert worker.owner == owner
        lazy.close()
        """,
        SYNC_ENDS,
    )


@pytest.mark.parametrize("lock", ["_lock", "_leaving"])
def test_what_a_thread_was_opening_or_closing_is_the_parent_s(postgres_url: str, schema: str, lock: str) -> None:
    """The child has not that thread, and does not wait for it."""
    run(
        at(postgres_url, schema),
        SYNC,
        f"""
        other = open_store(url)

        def child():
            with refused():
                other.append("child", NEW, expected_version=ANY)
            other.close()

        with other.{lock}:
            assert forked(child) == 0
        assert other.append("child", NEW, expected_version=0).first_version == 1
        other.close()
        """,
        SYNC_ENDS,
    )


def test_a_worker_in_the_child_has_ended(postgres_url: str, schema: str) -> None:
    run(
        at(postgres_url, schema),
        SYNC,
        """
        seen = threading.Event()
        worker = store.subscription("s", lambda event: seen.set(), poll_interval=0.01)
        worker.start()
        assert seen.wait(50)

        def child():
            assert worker.wait()
            worker.close()

        assert forked(child) == 0
        assert not worker.wait(0.1)
        worker.close()
        """,
        SYNC_ENDS,
    )


@pytest.mark.parametrize("given", ["pool", "connection"])
def test_so_is_what_the_caller_gave(postgres_url: str, schema: str, given: str) -> None:
    run(
        at(postgres_url, schema),
        SYNC,
        f"""
        import psycopg, psycopg_pool
        from mink_postgres import PostgresEventStore
        plain = url.partition("?schema")[0].partition("&schema")[0]
        pool = psycopg_pool.ConnectionPool(plain, min_size=1, open=True)
        connection = psycopg.connect(plain, autocommit=True)
        closed = psycopg_pool.ConnectionPool(plain, min_size=1, open=False)
        theirs = PostgresEventStore({given}={given}, schema={schema!r})
        bound = store.bind(connection)
        lazy = PostgresEventStore(pool=closed, schema={schema!r})

        def child():
            with refused():
                theirs.append("child", NEW, expected_version=ANY)
            with refused():
                bound.append("child", NEW, expected_version=ANY)
            theirs.close()
            closed.open()
            lazy.append("child", NEW, expected_version=0)
            closed.close()
            os._exit(0)  # the pool of the caller's waits for its threads otherwise

        assert forked(child) == 0
        for n in range(10):
            theirs.append("theirs", NEW, expected_version=n)
            bound.append("bound", NEW, expected_version=n)
        pool.close()
        connection.close()
        """,
        SYNC_ENDS,
    )
