"""Every periodic job in one list."""

from core.queue import Queue
from core.ticker import Periodic

SCHEDULE = (
    Periodic("sweep", 10, "integration.jobs.sweep", Queue.SYNC),
    Periodic("check", 30, "integration.jobs.check", Queue.SYNC),
    Periodic("watch", 300, "integration.jobs.watch", Queue.INTERACTIVE),
    Periodic("follow", 2, "segments.jobs.follow", Queue.COMPUTE),
    Periodic("look", 120, "segments.jobs.look", Queue.COMPUTE),
    Periodic("rescore", 60, "segments.jobs.rescore", Queue.COMPUTE),
    Periodic("pull", 30, "integration.jobs.pull", Queue.SYNC),
    Periodic("bind", 6 * 3600, "integration.jobs.bind", Queue.SYNC),
    Periodic("forget", 3600, "integration.jobs.forget", Queue.SYNC),
)
