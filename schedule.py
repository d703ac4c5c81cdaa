"""Every periodic job in one list."""

from core.queue import Queue
from core.ticker import Periodic

SCHEDULE = (
    Periodic("sweep", 10, "integration.jobs.sweep", Queue.SYNC),
    Periodic("follow", 2, "segments.jobs.follow", Queue.COMPUTE),
)
