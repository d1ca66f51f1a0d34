/* SPDX-License-Identifier: MIT */
#pragma once

#include "store/store.h"

/*
 * A store with real files, in a directory of the test's own. What has to be done to a process (to kill it, to take
 * its rights or its disk space) is done to a child; its exit status tells how it went.
 */
typedef struct {
  char *top;       /* removed at the end */
  char *directory; /* of the store; not made yet */
  char *path;      /* of relay.db in it */
} StoreFixture;

void fixture_set_up (StoreFixture *f, gconstpointer data);
void fixture_tear_down (StoreFixture *f, gconstpointer data);
char *fixture_in_directory (StoreFixture *f, const char *name);
gboolean fixture_exists (StoreFixture *f, const char *name);
RelayStore *fixture_open_good (StoreFixture *f);
/* @code, @words: of the trouble that there is then; the words are a pattern. */
RelayStore *fixture_open_troubled (StoreFixture *f, gboolean persistent, const char *code, const char *words);
void fixture_expect_trouble (RelayStore *store, const char *code, const char *words);
void fixture_commit (RelayStore *store);
void fixture_expect_durable (RelayStore *store, const char *expected);
void fixture_sql (const char *path, const char *text);
void fixture_expect_now (guint64 sequence);
void fixture_count (gpointer user_data);
void fixture_put (StoreFixture *f, const char *name, const char *contents, gssize length);
void fixture_expect_contents (StoreFixture *f, const char *name, const char *contents);
void fixture_make_store (StoreFixture *f);
void fixture_in_child (StoreFixture *f, void (*part) (StoreFixture *f));
void fixture_set_full (gboolean full);

#define FIXTURE_ADD(path, function) \
  g_test_add ("/store/" path, StoreFixture, NULL, fixture_set_up, function, fixture_tear_down)
