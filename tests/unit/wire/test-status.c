/* SPDX-License-Identifier: MIT */
#include "wire/status.h"

#include "common/names.h"

#define FEATURES(...) ((const char *const[]){ __VA_ARGS__, NULL })

typedef struct {
  RelayStatus *status;
  RelayStatusFields announced;
  guint n_calls;
} Fixture;

static void
changed (const RelayStatus *status, RelayStatusFields fields, gpointer user_data)
{
  Fixture *f = user_data;

  g_assert_true (status == f->status);
  f->announced |= fields;
  f->n_calls++;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->status = relay_status_new ();
  relay_status_watch (f->status, changed, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_status_free (f->status);
}

/* Just these fields were announced, in one call; or, with 0, none. */
static void
expect (Fixture *f, RelayStatusFields fields)
{
  g_assert_cmpint (f->announced, ==, fields);
  g_assert_cmpuint (f->n_calls, ==, fields != 0 ? 1 : 0);
  f->announced = 0;
  f->n_calls = 0;
}

static void
test_new (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (f->status->state, ==, RELAY_STATE_DISCONNECTED);
  g_assert_cmpstr (f->status->error_code, ==, "");
  g_assert_cmpstr (f->status->error_text, ==, "");
  g_assert_cmpstr (f->status->url, ==, "");
  g_assert_cmpstr (f->status->connection_id, ==, "");
  g_assert_cmpstr (f->status->server_version, ==, "");
  g_assert_cmpuint (g_strv_length (f->status->features), ==, 0);
  expect (f, 0);
  relay_status_free (NULL);
}

/* Each setter announces its field when the value is another one, and only then. */
static void
test_setters (Fixture *f, gconstpointer data)
{
  for (guint round = 0; round < 2; round++) {
    gboolean first = round == 0;

    relay_status_set_state (f->status, RELAY_STATE_CONNECTING);
    expect (f, first ? RELAY_STATUS_STATE : 0);
    relay_status_set_next_attempt (f->status, 17);
    expect (f, first ? RELAY_STATUS_NEXT_ATTEMPT : 0);
    relay_status_set_attempts (f->status, 3);
    expect (f, first ? RELAY_STATUS_ATTEMPTS : 0);
    relay_status_set_url (f->status, "wss://prp.test/");
    expect (f, first ? RELAY_STATUS_URL : 0);
    relay_status_set_connected_since (f->status, 18);
    expect (f, first ? RELAY_STATUS_CONNECTED_SINCE : 0);
    relay_status_set_token_expires (f->status, 19);
    expect (f, first ? RELAY_STATUS_TOKEN_EXPIRES : 0);
    relay_status_set_reloaded (f->status, 20);
    expect (f, first ? RELAY_STATUS_RELOADED : 0);
  }
  g_assert_cmpint (f->status->state, ==, RELAY_STATE_CONNECTING);
  g_assert_cmpuint (f->status->next_attempt_usec, ==, 17);
  g_assert_cmpuint (f->status->attempts, ==, 3);
  g_assert_cmpstr (f->status->url, ==, "wss://prp.test/");
  g_assert_cmpuint (f->status->connected_since_usec, ==, 18);
  g_assert_cmpuint (f->status->token_expires_usec, ==, 19);
}

/* Two values that are one property: announced once, also if only one of them differs. */
static void
test_error (Fixture *f, gconstpointer data)
{
  relay_status_set_error (f->status, "DNS", "a");
  expect (f, RELAY_STATUS_LAST_ERROR);
  relay_status_set_error (f->status, "DNS", "a");
  expect (f, 0);
  relay_status_set_error (f->status, "DNS", "b");
  expect (f, RELAY_STATUS_LAST_ERROR);
  relay_status_set_error (f->status, "TLS", "b");
  expect (f, RELAY_STATUS_LAST_ERROR);
  g_assert_cmpstr (f->status->error_code, ==, "TLS");
  g_assert_cmpstr (f->status->error_text, ==, "b");
}

static void
expect_error (Fixture *f, const char *code, const char *text)
{
  g_assert_cmpstr (f->status->error_code, ==, code);
  g_assert_cmpstr (f->status->error_text, ==, text);
}

/* The connection's trouble hides the store's, whichever came first; what is hidden is not announced. */
static void
test_store_error (Fixture *f, gconstpointer data)
{
  relay_status_set_store_error (f->status, "STORE_FULL", "a");
  expect (f, RELAY_STATUS_LAST_ERROR);
  expect_error (f, "STORE_FULL", "a");
  relay_status_set_error (f->status, "", "");
  expect (f, 0);

  relay_status_set_error (f->status, "DNS", "b");
  expect (f, RELAY_STATUS_LAST_ERROR);
  expect_error (f, "DNS", "b");
  relay_status_set_store_error (f->status, "STORE_DAMAGED", "c");
  expect (f, 0);
  expect_error (f, "DNS", "b");

  relay_status_set_error (f->status, "", "");
  expect (f, RELAY_STATUS_LAST_ERROR);
  expect_error (f, "STORE_DAMAGED", "c");
  relay_status_set_store_error (f->status, "STORE_DAMAGED", "c");
  expect (f, 0);
  relay_status_set_error (f->status, "STORE_DAMAGED", "c");
  expect (f, 0);
  relay_status_set_store_error (f->status, "", "");
  expect (f, 0);
  relay_status_set_error (f->status, "", "");
  expect (f, RELAY_STATUS_LAST_ERROR);
  expect_error (f, "", "");
}

static void
test_server (Fixture *f, gconstpointer data)
{
  relay_status_set_server (f->status, "", "", NULL);
  expect (f, 0);
  relay_status_set_server (f->status, "conn_1", "1.0.0", FEATURES ("subscribe", "ping"));
  expect (f, RELAY_STATUS_SERVER);
  relay_status_set_server (f->status, "conn_1", "1.0.0", FEATURES ("subscribe", "ping"));
  expect (f, 0);
  relay_status_set_server (f->status, "conn_1", "1.0.1", FEATURES ("subscribe", "ping"));
  expect (f, RELAY_STATUS_SERVER);
  relay_status_set_server (f->status, "conn_2", "1.0.1", FEATURES ("subscribe", "ping"));
  expect (f, RELAY_STATUS_SERVER);
  relay_status_set_server (f->status, "conn_2", "1.0.1", FEATURES ("subscribe", "pong"));
  expect (f, RELAY_STATUS_SERVER);
  relay_status_set_server (f->status, "conn_2", "1.0.1", FEATURES ("subscribe"));
  expect (f, RELAY_STATUS_SERVER);
  g_assert_cmpstr (f->status->connection_id, ==, "conn_2");
  g_assert_cmpstr (f->status->server_version, ==, "1.0.1");
  g_assert_cmpuint (g_strv_length (f->status->features), ==, 1);
  g_assert_cmpstr (f->status->features[0], ==, "subscribe");
  relay_status_set_server (f->status, "conn_2", "1.0.1", NULL);
  expect (f, RELAY_STATUS_SERVER);
  g_assert_cmpuint (g_strv_length (f->status->features), ==, 0);
}

/* Its own value handed back is no change, and no use of what was just freed. */
static void
test_own_value (Fixture *f, gconstpointer data)
{
  relay_status_set_error (f->status, "DNS", "text");
  relay_status_set_server (f->status, "id", "version", FEATURES ("a"));
  f->announced = 0;
  f->n_calls = 0;
  relay_status_set_error (f->status, f->status->error_code, f->status->error_text);
  relay_status_set_store_error (f->status, f->status->error_code, f->status->error_text);
  relay_status_set_server (f->status, f->status->connection_id, f->status->server_version,
                           (const char *const *) f->status->features);
  expect (f, 0);
}

static void
count (const RelayStatus *status, RelayStatusFields fields, gpointer user_data)
{
  ++*(guint *) user_data;
}

/* Any number of watchers; who left hears nothing more, the others do. */
static void
test_watchers (Fixture *f, gconstpointer data)
{
  guint first = 0, second = 0;

  relay_status_watch (f->status, count, &first);
  relay_status_watch (f->status, count, &second);
  relay_status_set_attempts (f->status, 1);
  expect (f, RELAY_STATUS_ATTEMPTS);
  g_assert_cmpuint (first, ==, 1);
  g_assert_cmpuint (second, ==, 1);

  relay_status_unwatch (f->status, count, &first);
  relay_status_set_attempts (f->status, 2);
  expect (f, RELAY_STATUS_ATTEMPTS);
  g_assert_cmpuint (first, ==, 1);
  g_assert_cmpuint (second, ==, 2);

  relay_status_unwatch (f->status, changed, f);
  relay_status_unwatch (f->status, count, &second);
  relay_status_set_attempts (f->status, 3);
  expect (f, 0);
  g_assert_cmpuint (second, ==, 2);
  g_assert_cmpuint (f->status->attempts, ==, 3);
}

/* As design and XML have them. */
static void
test_names (void)
{
  static const char *const names[] = { "connecting", "connected", "waiting", "offline", "unauthorized", "disconnected" };

  for (guint state = RELAY_STATE_CONNECTING; state <= RELAY_STATE_DISCONNECTED; state++)
    g_assert_cmpstr (relay_state_to_string ((RelayState) state), ==, names[state]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/wire/status/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("new", test_new);
  ADD ("setters", test_setters);
  ADD ("error", test_error);
  ADD ("store-error", test_store_error);
  ADD ("server", test_server);
  ADD ("own-value", test_own_value);
  ADD ("watchers", test_watchers);
  g_test_add_func ("/wire/status/names", test_names);
  return g_test_run ();
}
