/* SPDX-License-Identifier: MIT */
#include "bus/reply.h"

#include "common/bus-source.h"
#include "common/error.h"

int
relay_reply_error (sd_bus_message *message, const GError *error)
{
  RelayError code = error->domain == RELAY_ERROR ? (RelayError) error->code : RELAY_ERROR_IO;

  return sd_bus_reply_method_errorf (message, relay_error_get_bus_name (code), "%s", error->message);
}

sd_bus_message *
relay_reply_copy_head (sd_bus_message *message)
{
  g_autoptr (sd_bus_message) head = NULL;
  guint64 cookie;

  if (sd_bus_message_new_method_call (sd_bus_message_get_bus (message), &head, NULL, sd_bus_message_get_path (message),
                                      sd_bus_message_get_interface (message), sd_bus_message_get_member (message)) < 0 ||
      sd_bus_message_set_sender (head, sd_bus_message_get_sender (message)) < 0 ||
      sd_bus_message_set_expect_reply (head, sd_bus_message_get_expect_reply (message)) < 0 ||
      sd_bus_message_get_cookie (message, &cookie) < 0 || sd_bus_message_seal (head, cookie, 0) < 0)
    return sd_bus_message_ref (message);
  return g_steal_pointer (&head);
}
