"""Continuation tokens as clients see them: the store's own, wrapped into one text."""

from __future__ import annotations

import base64
import binascii
import json

from local_azure.engine.errors import BadContinuationToken
from local_azure.engine.table_client import Token


def encode_token(token: Token | None) -> str | None:
    """Wrap a token; None after the last page."""
    if not token:
        return None
    return base64.b64encode(json.dumps(token).encode()).decode()


def decode_token(token: str | None) -> Token | None:
    """Unwrap it. Raises BadContinuationToken."""
    if not token:
        return None
    try:
        decoded = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadContinuationToken("expected a token that an earlier page gave, found another") from error
    if not isinstance(decoded, dict):
        raise BadContinuationToken("expected a token that an earlier page gave, found another")
    return decoded
