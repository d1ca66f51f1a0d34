/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

#include "simulator/control.h"
#include "simulator/gate.h"
#include "simulator/hub.h"

/*
 * The HTTP side: the WebSocket's handshake, the token endpoint, the control, and a page that says what this is.
 * The only user of libsoup in here.
 */
#define SIM_WEBSOCKET_PATH "/v1/ws/prps"
#define SIM_TOKEN_PATH "/v1/oauth/token"
#define SIM_CONTROL_PATH "/control"

typedef struct SimServer SimServer;

/* @hub must outlive the server. @certificate: for TLS, or NULL. @sink: see sim_control_new. */
SimServer *sim_server_new (SimHub *hub, GTlsCertificate *certificate, SimTokenSink sink, gpointer user_data);
void sim_server_free (SimServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimServer, sim_server_free)

/* Listens on @address, a loopback address: anything else is refused with G_IO_ERROR_INVALID_ARGUMENT, as the
 * control knows no password. @port 0: any. */
gboolean sim_server_listen (SimServer *server, GInetAddress *address, guint16 port, GError **error);

/* What it listens on, with the port it got: "ws://127.0.0.1:8787/v1/ws/prps" with @scheme "ws" (or "http", which
 * become "wss" and "https" with TLS). Caller frees. */
char *sim_server_format_url (SimServer *server, const char *scheme, const char *path);
guint16 sim_server_get_port (SimServer *server);

/* Accepts nothing more. Present sessions stay. */
void sim_server_stop (SimServer *server);
