/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

#include "simulator/hub.h"

/*
 * The command line, read into a validated struct.
 */
typedef struct {
  gboolean show_version;
  guint16 port;
  GInetAddress *address;
  char **tokens; /* or NULL */
  char *token_file;
  char *refresh_token, *refresh_token_file;
  gboolean any_token;
  guint64 token_life_usec;
  SimHubSettings hub;
  GTlsCertificate *certificate; /* or NULL */
  char *port_file;
  gboolean quiet, verbose;
} SimOptions;

/* Reads @arguments (argv, NULL at its end, not changed). --help prints and exits. Error: G_OPTION_ERROR, or what a
 * file gave. */
SimOptions *sim_options_parse (char **arguments, GError **error);
void sim_options_free (SimOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimOptions, sim_options_free)
