"""The worker process: takes the jobs of one queue and runs each in a forked child."""

from __future__ import annotations

import inspect
import logging
import time
from contextlib import suppress
from types import TracebackType

from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue as RqQueue
from rq import Worker
from rq.exceptions import DeserializationError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from core import embedded, queue
from core.config import Settings
from core.log import bound
from core.queue import Queue

log = logging.getLogger(__name__)

# A worker that dies leaves its job "started"; these decide how soon that is noticed.
_WORKER_SECONDS = 30
_MONITORING_SECONDS = 5
_MAINTENANCE_SECONDS = 30
_REDIS_PAUSE_SECONDS = 1


def run(settings: Settings, queue_name: Queue | str, *, burst: bool = False) -> None:
    """Work until SIGTERM, which lets the running job finish; `burst`: until the queue is empty.

    Whatever jobs need must be set up before: a job runs in a fork of this process, which should
    hold no open database connection. While Redis is away, the worker waits for it.
    """
    name = Queue(queue_name)
    redis_url = embedded.resolve(settings).redis_url
    logging.getLogger("rq.worker").addFilter(_not_a_job_failure)
    log.info("worker started", extra={"queue": name.value})
    while not _work(name, redis_url, burst=burst) and not burst:
        log.warning("worker lost Redis, trying again", extra={"queue": name.value})
    log.info("worker stopped", extra={"queue": name.value})


def _work(name: Queue, redis_url: str, *, burst: bool) -> bool:
    """One life of an RQ worker; True when it was asked to stop."""
    try:
        worker = _Worker(
            [name.value],
            connection=queue.connection(redis_url),
            serializer=JSONSerializer,
            worker_ttl=_WORKER_SECONDS,
            job_monitoring_interval=_MONITORING_SECONDS,
            maintenance_interval=_MAINTENANCE_SECONDS,
            exception_handlers=[_log_failure],
            log_job_description=False,
        )
        worker.work(burst=burst, logging_level="WARNING")
        if not worker.stopping and not burst:
            time.sleep(_REDIS_PAUSE_SECONDS)
    except RedisError:
        time.sleep(_REDIS_PAUSE_SECONDS)
        return False
    except StopRequested:  # SIGTERM came outside work()
        return True
    return worker.stopping


class _Worker(Worker):
    """RQ's worker, with one line in the log for each job and a heartbeat of ours."""

    max_connection_wait_time = 5.0

    @property
    def stopping(self) -> bool:
        """Whether a signal asked for the end."""
        return bool(self._stop_requested or self._shutdown_requested_date)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        super().heartbeat(timeout, pipeline)
        with suppress(RedisError):  # the worker's own calls report a lost Redis
            queue.beat(self.connection, f"worker-{self.queues[0].name}")

    def perform_job(self, job: Job, queue_: RqQueue, execution: Execution) -> bool:
        queue.started(job)
        began = time.monotonic()
        with bound(job=job.id, queue=queue_.name, **_portal(job)):
            done = super().perform_job(job, queue_, execution)
            if done:
                seconds = round(time.monotonic() - began, 3)
                log.info("job done", extra={"function": job.func_name, "seconds": seconds})
        return done


def _log_failure(
    job: Job,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> bool:
    """RQ calls this for errors in a job and for jobs whose worker died."""
    function = "unreadable"
    with suppress(DeserializationError):
        function = str(job.func_name)
    log.error(
        "job failed", exc_info=(kind, error, trace), extra={"function": function, "id": job.id}
    )
    return False


def _not_a_job_failure(record: logging.LogRecord) -> bool:
    """RQ writes failures too, over many lines and without the portal; ours is enough."""
    return "exception raised while executing" not in str(record.msg)


def _portal(job: Job) -> dict[str, int | str]:
    """The job's `portal_id`, when its function has such a parameter."""
    with suppress(Exception):
        values = inspect.signature(job.func).bind(*job.args, **job.kwargs).arguments
        return {"portal": values["portal_id"]} if "portal_id" in values else {}
    return {}
