"""What moves and what stays in a swap, as pure functions over a site's document.

Source: Azure's documentation "Set up staging environments", "What is swapped".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from local_azure.model import Site, Slot

V = TypeVar("V")

# Site configuration that belongs to the place and not to the code. Everything else in siteConfig moves.
STAYING_CONFIG = frozenset(
    {
        "autoSwapSlotName",
        "alwaysOn",
        "cors",
        "ipSecurityRestrictions",
        "ipSecurityRestrictionsDefaultAction",
        "scmIpSecurityRestrictions",
        "scmIpSecurityRestrictionsDefaultAction",
        "scmIpSecurityRestrictionsUseMain",
        "minTlsVersion",
        "scmMinTlsVersion",
        "numberOfWorkers",
        "preWarmedInstanceCount",
        "minimumElasticInstanceCount",
        "functionAppScaleLimit",
        "httpLoggingEnabled",
        "detailedErrorLoggingEnabled",
        "requestTracingEnabled",
        "logsDirectorySizeLimit",
        "publishingUsername",
        "ftpsState",
        "managedServiceIdentityId",
        "keyVaultReferenceIdentity",
    }
)
DEFAULT_STICKY_SUFFIX = "_EXTENSION_VERSION"
OVERRIDE = "WEBSITE_OVERRIDE_PRESERVE_DEFAULT_STICKY_SLOT_SETTINGS"


def setting(slot: Slot, name: str) -> str | None:
    """Return an app setting's value; names are compared without regard to case, as Azure does."""
    return next((value for key, value in slot.app_settings.items() if key.lower() == name.lower()), None)


def _keeps_defaults(first: Slot, second: Slot) -> bool:
    """Whether the platform's own sticky settings are in force: off only when both slots switch them off."""
    return not all((setting(slot, OVERRIDE) or "").lower() in ("0", "false") for slot in (first, second))


def _mixed(code: Mapping[str, V], place: Mapping[str, V], staying: Iterable[str], suffix: str | None) -> dict[str, V]:
    """Return the code's values for what moves, and the place's for what stays."""
    names = {name.lower() for name in staying}

    def stays(name: str) -> bool:
        return name.lower() in names or (suffix is not None and name.upper().endswith(suffix))

    moving = {name: value for name, value in code.items() if not stays(name)}
    return moving | {name: value for name, value in place.items() if stays(name)}


def dressed(site: Site, code: str, place: str) -> Slot:
    """Return slot `place` as it is with the code of slot `code`: its content and moving settings, the place's own rest.

    Name, ports, credentials, identity and state stay the place's.
    """
    mover, stayer = site.slots[code], site.slots[place]
    defaults = _keeps_defaults(mover, stayer)
    return stayer.changed(
        volume=mover.volume,
        app_settings=_mixed(
            mover.app_settings,
            stayer.app_settings,
            site.sticky.app_settings or [],
            DEFAULT_STICKY_SUFFIX if defaults else None,
        ),
        connection_strings=_mixed(
            mover.connection_strings, stayer.connection_strings, site.sticky.connection_strings or [], None
        ),
        site_config=_mixed(mover.site_config, stayer.site_config, STAYING_CONFIG, None),
    )


def swapped(site: Site, source: str, target: str) -> Site:
    """Return the site with the code of the two slots exchanged."""
    slots = {source: dressed(site, target, source), target: dressed(site, source, target)}
    return site.changed(slots={**site.slots, **slots})


def effective(site: Site, slot: str) -> Slot:
    """Return the slot as its process is to see it now: until the switch a swap's source wears the target's dress."""
    swap = site.swap
    if swap is not None and swap.source == slot and swap.applies:
        return dressed(site, slot, swap.target)
    return site.slots[slot]
