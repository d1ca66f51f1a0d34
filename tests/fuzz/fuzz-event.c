/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/signals.h"

/*
 * The way of hostile bytes: reader, event, D-Bus message. For libFuzzer (-Dfuzzers=true), and, linked with
 * run-corpus.c, a test over the seeds.
 *
 * Beyond not crashing: whatever is read can be made a message that sd-bus seals, and reading the same bytes again
 * gives the same tape.
 */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static sd_bus *
get_bus (void)
{
  static sd_bus *bus;
  int fds[2];

  /* Never spoken to; kept for all inputs. */
  if (bus == NULL) {
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    g_assert_cmpint (sd_bus_new (&bus), >=, 0);
    g_assert_cmpint (sd_bus_set_fd (bus, fds[0], fds[0]), >=, 0);
    g_assert_cmpint (sd_bus_start (bus), >=, 0);
  }
  return bus;
}

static void
check_signal (const RelayEvent *event)
{
  g_autoptr (sd_bus_message) message = NULL;
  int r = relay_signals_new (get_bus (), event, &message);

  g_assert_cmpint (r, >=, 0);
  g_assert_cmpint (sd_bus_message_seal (message, 1, 0), >=, 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_memdup2 (data, size);
  RelayJsonReader reader = { 0 }, again = { 0 };
  RelayEvent event;

  if (relay_event_read (&event, &reader, text, size, NULL)) {
    g_assert_true (relay_json_reader_read (&again, text, size, NULL));
    g_assert_cmpmem (reader.tape, reader.n_tokens * sizeof *reader.tape, again.tape, again.n_tokens * sizeof *again.tape);
    if (relay_event_kind_is_relayed (event.kind))
      check_signal (&event);
  }
  relay_json_reader_clear (&reader);
  relay_json_reader_clear (&again);
  return 0;
}
