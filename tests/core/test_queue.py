"""The queue and its workers: JSON only, one waiting job per id, a line in the log per job."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import rq
from redis import Redis
from support import jobs as traces

from core import queue
from core.embedded.place import settle
from core.embedded.redis import RedisServer
from core.queue import Jobs, Queue

ROOT = Path(__file__).parents[2]

WORKER = """
import sys
from pathlib import Path
from core import log, worker
from core.config import Settings

log.configure("INFO")
settings = Settings(data_dir=Path("unused"), database_url="unused", redis_url=sys.argv[1])
worker.run(settings, sys.argv[2], burst=sys.argv[3] == "burst")
"""


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def jobs(redis_url):
    connection = queue.connection(redis_url)
    yield Jobs(connection)
    connection.close()


def start_worker(url: str, name: str, mode: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, name, mode],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stderr=subprocess.PIPE,
        text=True,
    )


def work(url: str, name: Queue = Queue.SYNC) -> list[dict]:
    """Run a worker until the queue is empty; its log."""
    process = start_worker(url, name, "burst")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return [json.loads(line) for line in errors.splitlines()]


@contextmanager
def working(url: str, name: Queue = Queue.SYNC):
    process = start_worker(url, name, "on")
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def traced(redis: Redis) -> list[str]:
    return redis.lrange("trace", 0, -1)


def test_a_worker_runs_what_its_queue_holds(jobs, redis, redis_url):
    jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "by function")
    jobs.enqueue(Queue.SYNC, "support.jobs.trace", redis_url, "by name")
    jobs.enqueue(Queue.COMPUTE, traces.trace, redis_url, "another queue")
    assert queue.length(jobs.redis, Queue.SYNC) == 2

    log = work(redis_url)

    assert traced(redis) == ["by function", "by name"]
    assert queue.length(jobs.redis, Queue.SYNC) == 0
    assert queue.length(jobs.redis, Queue.COMPUTE) == 1
    assert [line["event"] for line in log].count("job done") == 2
    assert len(list(redis.scan_iter("rq:job:job-*"))) == 1  # the compute job alone


def test_the_log_names_job_and_portal(jobs, redis_url):
    jobs.enqueue(Queue.SYNC, traces.fetch, 7, redis_url, job_id="fetch-7")
    [line] = [line for line in work(redis_url) if line["event"] == "job done"]
    assert line["portal"] == 7
    assert line["job"].startswith("fetch-7-")
    assert line["queue"] == "sync"
    assert line["function"] == "support.jobs.fetch"
    assert line["seconds"] >= 0


def test_a_failure_is_logged_once_without_secrets_and_blocks_nothing(jobs, redis, redis_url):
    jobs.enqueue(Queue.SYNC, traces.fail, redis_url, job_id="failing")
    log = work(redis_url)
    [line] = [line for line in log if line["level"] == "error"]
    assert line["event"] == "job failed"
    assert "ValueError" in line["error"]
    assert "abcdef0123456789" not in json.dumps(log)
    assert not list(redis.scan_iter("rq:job:*"))
    assert jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "after", job_id="failing")


def test_one_job_of_an_id_waits_at_a_time(jobs, redis, redis_url):
    assert jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "first", job_id="portal-1")
    assert not jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "second", job_id="portal-1")
    assert jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "other", job_id="portal-2")
    work(redis_url)
    assert traced(redis) == ["first", "other"]
    assert jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "third", job_id="portal-1")


def test_a_job_may_enqueue_itself_under_its_own_id(jobs, redis, redis_url):
    jobs.enqueue(Queue.SYNC, traces.again, redis_url, 2, job_id="slices")
    work(redis_url)
    assert traced(redis) == ["left 2", "left 1", "left 0"]


def test_a_job_that_redis_lost_does_not_block_its_id(jobs, redis, redis_url):
    jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "lost", job_id="portal-1")
    for key in redis.scan_iter("rq:*"):
        redis.delete(key)
    assert jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "found", job_id="portal-1")
    work(redis_url)
    assert traced(redis) == ["found"]


def test_a_killed_worker_does_not_block_the_id_of_its_job(jobs, redis, redis_url):
    with working(redis_url) as worker:
        jobs.enqueue(Queue.SYNC, traces.slow, redis_url, job_id="portal-1")
        until(lambda: traced(redis) == ["began"])
        worker.kill()
    assert jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "next", job_id="portal-1")
    work(redis_url)
    assert "next" in traced(redis)
    until(lambda: "ended" in traced(redis))  # its child outlives it: jobs must stand that


@pytest.mark.parametrize("job_id", ["", "портал", "a:b", "a b", "x" * 101])
def test_ids_rq_would_choke_on_are_refused(jobs, job_id):
    with pytest.raises(ValueError, match="job id"):
        jobs.enqueue(Queue.SYNC, traces.trace, job_id=job_id)


def test_a_function_workers_cannot_import_is_refused(jobs):
    with pytest.raises(ValueError, match="can't import"):
        jobs.enqueue(Queue.SYNC, lambda: None)


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickled_job_is_never_loaded(jobs, redis, redis_url, tmp_path):
    target = tmp_path / "boom"
    rq.Queue("sync", connection=jobs.redis).enqueue("support.jobs.trace", Bomb(target))
    jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "the next one")
    work(redis_url)
    assert not target.exists()
    assert traced(redis) == ["the next one"]


def test_sigterm_lets_the_running_job_finish(jobs, redis, redis_url):
    with working(redis_url) as worker:
        jobs.enqueue(Queue.SYNC, traces.slow, redis_url)
        until(lambda: traced(redis) == ["began"])
        jobs.enqueue(Queue.SYNC, traces.trace, redis_url, "not taken")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    assert traced(redis) == ["began", "ended"]
    assert worker.returncode == 0
    assert queue.length(jobs.redis, Queue.SYNC) == 1


def test_living_workers_are_heard(jobs, redis_url):
    assert queue.beats(jobs.redis) == {}
    with working(redis_url, Queue.COMPUTE):
        until(lambda: "worker-compute" in queue.beats(jobs.redis))
    queue.beat(jobs.redis, "ticker")
    assert queue.beats(jobs.redis).keys() == {"worker-compute", "ticker"}
    assert all(moment.tzinfo for moment in queue.beats(jobs.redis).values())


def test_a_worker_outlives_redis(scratch):
    folder = Path(tempfile.mkdtemp(dir=scratch))
    folder.chmod(0o711)
    server = RedisServer(settle(folder))
    server.ensure()
    try:
        with working(server.url) as worker:
            with Redis.from_url(server.url, decode_responses=True) as redis:
                until(lambda: "worker-sync" in queue.beats(redis))
            server.stop()
            time.sleep(3)
            assert worker.poll() is None
            server.ensure()
            with Redis.from_url(server.url, decode_responses=True) as redis:
                Jobs(redis).enqueue(Queue.SYNC, traces.trace, server.url, "back")
                until(lambda: traced(redis) == ["back"])
    finally:
        server.stop()
