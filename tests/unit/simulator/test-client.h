/* SPDX-License-Identifier: MIT */
#pragma once

#include <json-glib/json-glib.h>
#include <libsoup/soup.h>

/*
 * A client on libsoup's own WebSocket, for the modules that talk to one. Everything runs in the test's one loop;
 * who waits, waits for a condition, and fails the test if it does not come true in time.
 */
typedef struct {
  SoupWebsocketConnection *connection;
  GQueue texts; /* of char *: what came and was not taken yet */
  guint n_binary;
  guint n_pongs;
  gboolean is_closed;
  GError *error;
} TestClient;

typedef gboolean (*TestCondition) (gpointer user_data);
void test_wait_for (TestCondition condition, gpointer user_data);

/* Waits until the guint @n is at least @value; for counters that callbacks raise. */
void test_wait_for_count (const guint *n, guint value);

/* Two ends of a connection. */
void test_make_pair (GSocketConnection **ret_server, GSocketConnection **ret_client);

/* A client at the end @stream of a connection whose handshake is over. */
TestClient *test_client_new (GIOStream *stream);
TestClient *test_client_new_for_connection (SoupWebsocketConnection *connection);
void test_client_free (TestClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestClient, test_client_free)

void test_client_send (TestClient *client, const char *text);

/* The next message, whatever it is. Caller frees. */
char *test_client_next_text (TestClient *client);

/* The next message, which has to be JSON of the type @type. */
JsonObject *test_client_next (TestClient *client, const char *type);

/* Takes connection.established off, subscribes to @channels (as JSON: "\"prp:a\",\"prp:b\""), takes the answer
 * off. */
void test_client_subscribe (TestClient *client, const char *channels);

/* The next message has to be an error with @code; @request_id and @action may be NULL for none. */
void test_client_expect_error (TestClient *client, const char *code, const char *request_id, const char *action);

/* Waits for the end; returns the close code, 0 for none. */
guint test_client_wait_closed (TestClient *client);
