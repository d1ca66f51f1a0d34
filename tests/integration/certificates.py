# SPDX-License-Identifier: MIT
"""Certificates for a session of tests, made with openssl: a private CA, and what it has signed."""

import collections
import ssl
import subprocess

Certificate = collections.namedtuple("Certificate", "cert key")


class Certificates:
    def __init__(self, directory):
        self._directory = directory
        self._ca = self._make_self_signed("ca", "-addext", "basicConstraints=critical,CA:TRUE")
        self.ca_file = self._ca.cert
        own = "DNS:localhost,IP:127.0.0.1"
        self.good = self._sign("good", own, days=2)
        self.expired = self._sign("expired", own, days=-1)
        self.elsewhere = self._sign("elsewhere", "DNS:relay.test,IP:10.99.0.1", days=2)
        self.other_host = self._sign("other-host", "DNS:somewhere-else.example", days=2)
        self.self_signed = self._make_self_signed("self-signed", "-addext", f"subjectAltName={own}")

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=self._directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _path(self, name):
        return self._directory / name

    def _make_self_signed(self, name, *extensions):
        made = Certificate(self._path(f"{name}.pem"), self._path(f"{name}.key"))
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", f"/CN={name}",
                      "-keyout", made.key, "-out", made.cert, *extensions)
        return made

    def _sign(self, name, subject_alt_name, days):
        made = Certificate(self._path(f"{name}.pem"), self._path(f"{name}.key"))
        request, extensions = self._path(f"{name}.csr"), self._path(f"{name}.ext")
        extensions.write_text(f"subjectAltName={subject_alt_name}\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", made.key,
                      "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self._ca.cert, "-CAkey", self._ca.key,
                      "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", made.cert)
        return made


def server_context(certificate, maximum=None):
    """For a server that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    if maximum is not None:
        context.maximum_version = maximum
    return context
