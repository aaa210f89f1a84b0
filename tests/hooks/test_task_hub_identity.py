"""A hub whose storage is bound by identity, read over TLS with a token from an Azurite that asks for one."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local_azure.azurite import EXECUTABLE, Ports, free_ports

ROOT = Path(__file__).resolve().parents[2]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(encoding))
    key_file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return certificate_file, key_file


@pytest.fixture(scope="module")
def guarded_azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ports, Path]]:
    """An Azurite over TLS that accepts bearer tokens."""
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
    ports = Ports(*free_ports(3))
    command = [str(EXECUTABLE), "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--loose"]
    command += ["--inMemoryPersistence", "--oauth", "basic", "--cert", str(certificate), "--key", str(key)]
    for service in ("blob", "queue", "table"):
        command += [f"--{service}Port", str(getattr(ports, service))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for port in (ports.blob, ports.queue, ports.table):
            wait_for(port)
        yield ports, certificate
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def proofs(ports: Ports, certificate: Path, hub: str, hours: float) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.support.identity_proof"]
    command += [
        str(ports.blob),
        str(ports.queue),
        str(ports.table),
        str(hours),
        f"Identity{'Good' if hours > 0 else 'Late'}",
    ]
    environment = {**os.environ, "SSL_CERT_FILE": str(certificate), "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_a_hub_bound_by_identity_is_read_with_a_token(guarded_azurite: tuple[Ports, Path]) -> None:
    empty, busy = proofs(*guarded_azurite, "Accepted", hours=1)
    assert empty["state"] == "drained"
    assert busy["state"] == "busy"


def test_a_token_that_is_not_accepted_is_unknown(guarded_azurite: tuple[Ports, Path]) -> None:
    assert {verdict["state"] for verdict in proofs(*guarded_azurite, "Expired", hours=-1)} == {"unknown"}
