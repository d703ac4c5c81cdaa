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
    Periodic("mailings-tell", 30, "mailings.jobs.portal.tell", Queue.SYNC),
    Periodic("mailings-ask", 60, "mailings.jobs.portal.ask", Queue.SYNC),
    Periodic("mailings-read", 180, "mailings.jobs.receipts.read_mailboxes", Queue.SYNC),
    Periodic("mailings-replies", 60, "mailings.jobs.receipts.tell_replies", Queue.SYNC),
    Periodic("mailings-credit", 120, "mailings.jobs.receipts.credit", Queue.COMPUTE),
    Periodic("mailings-due", 10, "mailings.jobs.planning.due", Queue.INTERACTIVE),
    Periodic("mailings-finished", 30, "mailings.jobs.sending.tell", Queue.SYNC),
    Periodic("mailings-grow", 300, "mailings.jobs.planning.grow", Queue.COMPUTE),
    Periodic("mailings-consents", 300, "mailings.jobs.planning.follow_consents", Queue.COMPUTE),
)
