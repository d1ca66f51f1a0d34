/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

/*
 * For tests: a certificate authority of our own, and foreign TLS servers (`openssl s_server`) with certificates
 * that are good or bad in one way each. Failures end the test.
 */
typedef struct TlsAuthority TlsAuthority;

/* Makes an authority and the key of its servers in a new folder below the system's for temporary files. */
TlsAuthority *tls_authority_new (void);
void tls_authority_free (TlsAuthority *authority); /* removes the folder */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TlsAuthority, tls_authority_free)

/* The PEM file of its own certificate. */
const char *tls_authority_get_ca_file (TlsAuthority *authority);
/* A PEM file with a certificate for @host (a DNS name), valid from @start to @end ("YYYYMMDDHHMMSSZ"; NULL: good).
 * Caller frees. */
char *tls_authority_issue (TlsAuthority *authority, const char *host, const char *start, const char *end);
/* A PEM file with a certificate for localhost that signs itself. Caller frees. */
char *tls_authority_issue_self_signed (TlsAuthority *authority);

typedef struct TlsServer TlsServer;

/* `openssl s_server` on a free port of 127.0.0.1, with further @arguments (a NULL-ended list); ready on return. */
TlsServer *tls_server_new (TlsAuthority *authority, const char *certificate, ...) G_GNUC_NULL_TERMINATED;
void tls_server_free (TlsServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TlsServer, tls_server_free)

guint16 tls_server_get_port (TlsServer *server);
/* What it printed from now on up to and with a line that begins with @prefix: without -www or -WWW that is what
 * the client sent, and what became of the connection. Caller frees. */
char *tls_server_read_until (TlsServer *server, const char *prefix);
