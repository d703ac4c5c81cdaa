"""One of several processes that find the same token expired at the same moment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from core.config import Settings
from core.crypto import Vault
from core.database import make_engine, make_sessions
from core.http import Http
from integration.bitrix.oauth import OAuthServer
from integration.tokens import PortalAuth


def renew_at(moment: float, settings: Settings, portal_id: int, stale: str, answers: str) -> None:
    """Wait for the moment, renew, leave the token in a file of the folder `answers`."""
    engine = make_engine(settings.database_url)
    http = Http(allow_private=True, trusted=settings.b24_oauth_urls)
    oauth = OAuthServer(http, settings.b24_oauth_urls)
    vault = Vault(settings.encryption_keys)
    auth = PortalAuth(make_sessions(engine), vault, oauth, settings, portal_id)
    auth.token()
    ready: Any = Path(answers)
    time.sleep(max(0.0, moment - time.time()))
    token = auth.renew(stale)
    (ready / f"{id(auth)}-{time.time_ns()}").write_text(token)
    engine.dispose()
