/* SPDX-License-Identifier: MIT */
#pragma once

#include "../bus-fixture.h"
#include "bus/service.h"

/* The service between a real bus and a server that the test plays itself. */
typedef struct {
  BusFixture bus;
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  RelayService *service;

  gboolean trying, reload_fails, congested;
  guint connects, disconnects, reloads, congestions;
  GHashTable *stored;
  guint n_uncommitted; /* changes of it */
  guint n_signals;      /* of events, that the client heard */
  guint n_changes;      /* PropertiesChanged */
  guint n_added, n_removed;

  GPtrArray *history;    /* texts of events; the sequence of each is its index + 1 */
  RelayJsonReader reader;
  char *history_id;
  guint scan_rows;       /* that one step of a scan looks at */
  guint n_scans;
  gboolean history_fails, newest_stalls; /* a scan with `newest` looks at nothing */
} ServiceFixture;


/* Adds an event to the history: received in µs the same number as its sequence, which is returned. */
guint64 service_fixture_add_event (ServiceFixture *f, const char *text);

/* For g_test_add; @data is not used. The client hears every signal below the root object. */
void service_fixture_set_up (ServiceFixture *f, gconstpointer data);
void service_fixture_tear_down (ServiceFixture *f, gconstpointer data);

/* The server's side: sends what is due; returns the channels of the subscribe, which must be there. Caller frees. */
char **service_fixture_take_subscribe (ServiceFixture *f);

/* Are there @n_channels wanted? */
gboolean service_fixture_has_request (ServiceFixture *f, guint n_channels);

/* Sends what is due, and refuses it. */
void service_fixture_refuse_next (ServiceFixture *f, const char *code);
void service_fixture_confirm (ServiceFixture *f, const char *channel);

/* The caller's side: a method with an `as` of one or two names; @b may be NULL. */
sd_bus_message *service_fixture_call_as (ServiceFixture *f, const char *member, const char *a, const char *b);

/* Consumes @reply. */
void service_fixture_assert_error (sd_bus_message *reply, const char *name);

/* The a{ss} at this place of @reply, as "name=state name=state ". */
void service_fixture_assert_states (sd_bus_message *reply, const char *expected);

/* As call_as, without waiting. The slot is the caller's. */
sd_bus_slot *service_fixture_start_as (ServiceFixture *f, sd_bus_message **ret_reply, const char *member, const char *a, const char *b);

/* Subscribe or, with a @reason, Hold, of prp:0, prp:1, … As many as that are
 * allowed from then on. */
sd_bus_slot *service_fixture_start_many (ServiceFixture *f, sd_bus_message **ret_reply, guint n_channels, const char *reason);

/* A Hold with app-id org.example.App and a reason. */
sd_bus_slot *service_fixture_start_hold (ServiceFixture *f, sd_bus *bus, sd_bus_message **ret_reply, const char *channel);
