"""Mail services that serve many domains as one: a pace counts them together."""

from __future__ import annotations

SERVICES = {
    "gmail.com": ("gmail.com", "googlemail.com"),
    "mail.ru": ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru", "xmail.ru"),
    "yandex.ru": (
        *("yandex.ru", "ya.ru", "narod.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua"),
        *(
            "yandex.uz",
            "yandex.az",
            "yandex.ge",
            "yandex.lt",
            "yandex.lv",
            "yandex.md",
            "yandex.tj",
        ),
        *("yandex.tm", "yandex.ee", "yandex.fr", "yandex.net", "yandex.com.am", "yandex.com.ge"),
        *("yandex.co.il", "yandex.com.tr", "yandex.kg"),
    ),
    "rambler.ru": ("rambler.ru", "lenta.ru", "autorambler.ru", "myrambler.ru", "ro.ru"),
    "outlook.com": (
        *("outlook.com", "hotmail.com", "live.com", "msn.com", "live.ru", "hotmail.co.uk"),
        *("hotmail.fr", "hotmail.de", "outlook.de", "outlook.fr"),
    ),
    "yahoo.com": (
        *("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de"),
        "yahoo.co.in",
    ),
    "icloud.com": ("icloud.com", "me.com", "mac.com"),
}
GROUP_OF = {domain: group for group, domains in SERVICES.items() for domain in domains}


def group(address: str) -> str:
    """The mail service of a normalised address; a domain of its own is its own service."""
    domain = address.rpartition("@")[2]
    return GROUP_OF.get(domain, domain)


def named(group: str, text: str) -> bool:
    """Whether a server's words speak of this mail service."""
    low = text.lower()
    return any(domain in low for domain in (group, *SERVICES.get(group, ())))
