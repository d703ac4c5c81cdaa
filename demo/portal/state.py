"""The state of one emulated portal: its applications, webhooks, switches, clock and helpers."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from demo.portal.events import Events, OfflineRow
from demo.portal.faults import Faults
from demo.portal.journal import Journal
from demo.portal.limits import Limits, LimitSettings
from demo.portal.tokens import TokenBook

if TYPE_CHECKING:
    from demo.portal.store import Store


@dataclass
class Placement:
    """A widget an application has bound; `user_id` 0 means for everybody."""

    placement: str
    handler: str
    title: str = ""
    description: str = ""
    group_name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    lang_all: dict[str, Any] = field(default_factory=dict)
    user_id: int = 0


@dataclass
class EventHandler:
    """A subscription; `auth_type` 0 = tokens of the acting user, else of that user."""

    id: int
    event: str
    handler: str
    auth_type: int = 0
    offline: bool = False
    connector: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class App:
    """A registered local application."""

    client_id: str
    client_secret: str
    id: int
    title: str
    handler_url: str
    install_url: str | None = None
    menu_title: str = ""
    scopes: set[str] = field(default_factory=set)
    application_token: str = ""
    installed: bool = False
    api_only: bool = False
    placements: list[Placement] = field(default_factory=list)
    event_handlers: list[EventHandler] = field(default_factory=list)
    offline: list[OfflineRow] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    user_options: dict[int, dict[str, Any]] = field(default_factory=dict)
    userfield_types: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Options:
    """Behaviour switches: where real portals differ from each other, or a test wants another one.

    Set by POST /control/options under these names.
    """

    language: str = "ru"  # what the portal tells applications of its pages' language
    # transport
    mode: str = "cloud"  # "box": no `operating` in `time`
    bucket_first: bool = False  # refuse by the bucket before looking at the token
    sleep: bool = False  # really spend the simulated seconds
    wall_clock: float = 0.0  # requests of more simulated seconds die with an HTML 504; 0 = never
    payment_required: bool = False  # OAuth and REST refuse everything: the portal is not paid
    rest_disabled: bool = False  # the plan has no REST for applications
    closed: bool = False  # the portal has been deleted
    barred_users: tuple[
        int, ...
    ] = ()  # employees an administrator keeps from using the application
    merge_tells: bool = True  # False: a merge brings no event about the deletion of the losers
    old_frame: bool = False  # frame posts without SERVER_ENDPOINT, APPLICATION_TOKEN and _SCOPE
    refresh_scope_app: bool = False  # token answers say scope "app", as boxes do
    # events
    event_copies: int = 1  # 0 = all lost, 2 = each delivered twice
    event_tokens: bool = True
    event_refresh_token: bool = False
    event_handler_id: bool = True
    event_shuffle: bool = False  # deliver after a random short pause, out of order
    offline_data: bool = True  # False: EVENT_DATA and EVENT_ADDITIONAL are false
    offline_extended: bool = True
    auth_connector: bool = True
    # data methods
    item_total_zero: bool = False  # crm.item.list at start=-1: total 0 instead of none
    classic_total_zero: bool = True
    tz_skew_seconds: int = 0  # added to createdTime/updatedTime of crm.item.*
    original_uf_defect: bool = False  # useOriginalUfNames + select gives empty rows
    php_empty_to_null: bool = False  # crm.item.update turns 0/"" into null
    skip_unchanged: bool = True  # crm.item.update without changes does not touch the row
    userfield_limit: int = 1016
    userfield_add_500: bool = False  # the field is created, the answer is 500


class Portal:
    """Everything one portal knows, shared by the REST server, the OAuth server and the pages."""

    def __init__(
        self,
        store: Store,
        *,
        domain: str = "127.0.0.1:8899",
        oauth_url: str = "http://127.0.0.1:8900",
        scheme: str = "http",
        member_id: str = "",
        time_zone: str = "Europe/Moscow",
        limits: LimitSettings | None = None,
        license_name: str = "ru_pro100",
    ) -> None:
        self.domain = domain
        self.scheme = scheme
        self.oauth_url = oauth_url
        self.member_id = member_id or hashlib.md5(domain.encode()).hexdigest()  # noqa: S324
        self.time_zone = ZoneInfo(time_zone)
        self.license = license_name
        self.events = Events(self)
        self._home = domain
        self._default_limits = limits or LimitSettings()
        self._last_id = 0
        self.apps: dict[str, App] = {}
        self.removed_apps: set[str] = set()
        self.webhooks: dict[tuple[int, str], frozenset[str]] = {}
        self.tokens = TokenBook()
        self.reset(store, keep_apps=False)

    def reset(self, store: Store, *, keep_apps: bool) -> None:
        """Start afresh with other data; applications and webhooks may outlive it."""
        self.store = store
        self.domain = self._home
        self.old_domains: set[str] = set()
        self.limits = Limits(replace(self._default_limits))
        self.faults = Faults()
        self.options = Options()
        self.log = Journal()
        self.notifications: list[dict[str, Any]] = []
        self.clock_offset = 0.0
        self.events.forget()
        if not keep_apps:
            self.apps.clear()
            self.removed_apps.clear()
            self.webhooks.clear()
            self.tokens = TokenBook()

    @property
    def url(self) -> str:
        """The portal's own address, without a trailing slash."""
        return f"{self.scheme}://{self.domain}"

    @property
    def language(self) -> str:
        """The language of its pages, in two letters."""
        return self.options.language

    @property
    def client_endpoint(self) -> str:
        """Where REST methods are called."""
        return f"{self.url}/rest/"

    @property
    def server_endpoint(self) -> str:
        """Where the OAuth server answers `app.info`."""
        return f"{self.oauth_url}/rest/"

    @property
    def counters(self) -> dict[str, int]:
        """Calls per method, errors as `error:<code>`, and whatever else was counted."""
        return self.log.counters

    def timestamp(self) -> float:
        """The portal's clock in unix seconds; tests may shift it."""
        return time.time() + self.clock_offset

    def now(self) -> datetime:
        """The portal's clock, aware UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def next_id(self) -> int:
        """A number for a new application, handler or queue row."""
        self._last_id += 1
        return self._last_id

    def user(self, user_id: int) -> dict[str, Any] | None:
        """The canonical row of an active user."""
        row = self.store.tables["user"].get(user_id)
        if row is None or row.get("ACTIVE") in ("N", False):
            return None
        return row

    def is_admin(self, user_id: int) -> bool:
        """Whether this user administers the portal."""
        row = self.user(user_id)
        return row is not None and "Y" in (row.get("IS_ADMIN"), row.get("ADMIN"))

    def app_by_id(self, app_id: int) -> App | None:
        """An application by its number on the portal."""
        return next((a for a in self.apps.values() if a.id == app_id), None)

    def field_types(self) -> frozenset[str]:
        """Types of fields that applications draw: only of those whose installation is finished."""
        return frozenset(
            f"rest_{app.id}_{code}"
            for app in self.apps.values()
            if app.installed
            for code in app.userfield_types
        )

    def placements(self, code: str, user_id: int) -> list[tuple[App, Placement]]:
        """Widgets to show at a place: only of applications whose installation is finished."""
        return [
            (app, placement)
            for app in self.apps.values()
            if app.installed
            for placement in app.placements
            if placement.placement == code and placement.user_id in (0, user_id)
        ]
