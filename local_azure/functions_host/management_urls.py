"""The management URLs of an instance, and the durable client binding that carries them to the SDK."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote_plus

WEBHOOK_PATH = "/runtime/webhooks/durabletask"
ID_PLACEHOLDER = "INSTANCEID"


@dataclass(frozen=True)
class Required:
    """The query parameters that lead every URL to its hub, and the key that opens it."""

    hub_name: str
    connection_name: str
    code: str | None

    def __str__(self) -> str:
        query = f"taskHub={_escaped(self.hub_name)}&connection={_escaped(self.connection_name)}"
        return query if self.code is None else f"{query}&code={_escaped(self.code)}"


def management_urls(origin: str, instance_id: str, required: Required) -> dict[str, str]:
    """The URLs that a start answers with; `instance_id` is put in as it is, see `escaped_id`."""
    instance = f"{origin}{WEBHOOK_PATH}/instances/{instance_id}"
    return {
        "statusQueryGetUri": f"{instance}?{required}",
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{required}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}&{required}",
        "purgeHistoryDeleteUri": f"{instance}?{required}",
        "restartPostUri": f"{instance}/restart?{required}",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}&{required}",
        "resumePostUri": f"{instance}/resume?reason={{text}}&{required}",
    }


def client_binding(origin: str, rpc_base_url: str, required: Required) -> str:
    """The JSON from which the SDK makes a DurableOrchestrationClient."""
    code = f"code={_escaped(required.code or '')}"
    create = f"{origin}{WEBHOOK_PATH}/orchestrators/{{functionName}}[/{{instanceId}}]?{code}"
    urls = management_urls(origin, ID_PLACEHOLDER, required)
    rewind = f"{origin}{WEBHOOK_PATH}/instances/{ID_PLACEHOLDER}/rewind?reason={{text}}&{required}"
    return json.dumps(
        {
            "taskHubName": required.hub_name,
            "creationUrls": {
                "createNewInstancePostUri": create,
                "createAndWaitOnNewInstancePostUri": f"{create}&timeout={{timeoutInSeconds}}"
                "&pollingInterval={intervalInSeconds}",
            },
            "managementUrls": {"id": ID_PLACEHOLDER, **urls, "rewindPostUri": rewind},
            "baseUrl": f"{origin}{WEBHOOK_PATH}",
            "requiredQueryStringParameters": code,
            "rpcBaseUrl": rpc_base_url,
        }
    )


def escaped_id(instance_id: str) -> str:
    """An instance id as the extension escapes it in URLs (spaces become plus signs)."""
    return _escaped(instance_id)


def _escaped(text: str) -> str:
    return quote_plus(text, safe="!*()").replace("~", "%7E")
