/* SPDX-License-Identifier: MIT */
#pragma once

#include <ftw.h>
#include <stdio.h>

#include <glib.h>

/*
 * A home of the test's own, gone at its end. (G_TEST_OPTION_ISOLATE_DIRS does the same, but loses memory, which the search
 * for leaks finds.)
 */

static int
isolated_remove (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  return remove (path);
}

/* To be called first: GLib remembers where the folders are. */
static char *
isolated_set_up (void)
{
  char *home = g_dir_make_tmp ("prpctl-home-XXXXXX", NULL);
  g_autofree char *config = g_build_filename (home, "config", NULL);
  g_autofree char *runtime = g_build_filename (home, "run", NULL);

  g_assert_nonnull (home);
  g_setenv ("HOME", home, TRUE);
  g_setenv ("XDG_CONFIG_HOME", config, TRUE);
  g_setenv ("XDG_RUNTIME_DIR", runtime, TRUE);
  return home;
}

/* Takes @home. */
static void
isolated_tear_down (char *home)
{
  g_assert_cmpint (nftw (home, isolated_remove, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
  g_free (home);
}
