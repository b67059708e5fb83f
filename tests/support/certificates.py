"""Certificates for TLS listeners, made with openssl as PEM files in one folder."""

import subprocess
from pathlib import Path

# Elliptic curves take a moment, where RSA takes seconds.
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def authority(folder: Path, name: str) -> Path:
    """Create a certificate that may sign others: ``NAME.pem``, with ``NAME.key`` beside it."""
    pem = folder / f"{name}.pem"
    _openssl("req", "-x509", *_KEY, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", pem)
    return pem


def signed(folder: Path, name: str, by: str, *, days: int = 1, names: str = "IP:127.0.0.1") -> Path:
    """
    Create a certificate for one place alone, with its key in the same file ``NAME.pem``.

    Args:
        folder: the folder of the authority and of the new certificate.
        name: the common name, which no client reads.
        by: the name of the `authority` that signs it.
        days: the days for which it is valid, from now.
        names: the place, as openssl writes it.
    """
    key, request, pem = (folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
    extension = folder / "names"
    extension.write_text(f"subjectAltName={names}\n")
    _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    _openssl(
        *("x509", "-req", "-in", request, "-days", str(days), "-extfile", extension),
        *("-CA", folder / f"{by}.pem", "-CAkey", folder / f"{by}.key", "-CAcreateserial", "-out", pem),
    )
    pem.write_text(key.read_text() + pem.read_text())
    return pem


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
