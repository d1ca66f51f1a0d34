/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Text on its way to a descriptor that may be slow or gone.
 */
typedef struct {
  int fd;
  GString *pending;
  gsize n_written; /* of pending */
} PrpctlOutput;

void prpctl_output_init (PrpctlOutput *output, int fd);
void prpctl_output_clear (PrpctlOutput *output);

gboolean prpctl_output_is_empty (const PrpctlOutput *output);

/* Writes as much as cannot block once poll() has said POLLOUT. Returns 0, or a negative errno (-EPIPE: nobody reads). */
int prpctl_output_write_some (PrpctlOutput *output);

/* Writes all, waiting as long as it takes. Returns 0 or a negative errno. */
int prpctl_output_drain (PrpctlOutput *output);
