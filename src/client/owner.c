/* SPDX-License-Identifier: MIT */
#include "client/owner.h"

gboolean
client_owner_read_changed (sd_bus_message *message, const char *name, const char **ret_old_owner, const char **ret_new_owner)
{
  const char *changed, *old_owner, *new_owner;

  /* The bus writes the sender of all that it passes on, and lets nobody have this name. */
  if (g_strcmp0 (sd_bus_message_get_sender (message), "org.freedesktop.DBus") != 0 ||
      sd_bus_message_is_signal (message, "org.freedesktop.DBus", "NameOwnerChanged") <= 0)
    return FALSE;
  if (sd_bus_message_read (message, "sss", &changed, &old_owner, &new_owner) <= 0 || !g_str_equal (changed, name))
    return FALSE;
  *ret_old_owner = old_owner;
  *ret_new_owner = new_owner;
  return TRUE;
}
