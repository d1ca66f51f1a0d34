/* SPDX-License-Identifier: MIT */
#include "store/type-names.h"

/* A few dozen types are what a service has; the limits are for one that sends another type with each event. */
struct RelayTypeNames {
  GHashTable *numbers;  /* name → number, as a pointer */
  GPtrArray *names;     /* number - 1 → name, owned */
  guint n_stored;
};

RelayTypeNames *
relay_type_names_new (void)
{
  RelayTypeNames *self = g_new0 (RelayTypeNames, 1);

  self->numbers = g_hash_table_new (g_str_hash, g_str_equal);
  self->names = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
relay_type_names_free (RelayTypeNames *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->numbers);
  g_ptr_array_unref (self->names);
  g_free (self);
}

guint8
relay_type_names_number (RelayTypeNames *self, const char *name, gsize length)
{
  char copy[RELAY_TYPE_NAME_MAX_BYTES + 1];
  gpointer number;

  if (length > RELAY_TYPE_NAME_MAX_BYTES)
    return 0;
  memcpy (copy, name, length);
  copy[length] = '\0';
  number = g_hash_table_lookup (self->numbers, copy);
  if (number == NULL && self->names->len < RELAY_TYPE_NAMES_MAX) {
    char *kept = g_strdup (copy);

    g_ptr_array_add (self->names, kept);
    number = GUINT_TO_POINTER (self->names->len);
    g_hash_table_insert (self->numbers, kept, number);
  }
  return (guint8) GPOINTER_TO_UINT (number);
}

const char *
relay_type_names_get (RelayTypeNames *self, guint8 number)
{
  return number > 0 && number <= self->names->len ? g_ptr_array_index (self->names, number - 1) : NULL;
}

guint
relay_type_names_get_n_stored (RelayTypeNames *self)
{
  return self->n_stored;
}

void
relay_type_names_set_stored (RelayTypeNames *self)
{
  self->n_stored = self->names->len;
}

gboolean
relay_type_names_load (RelayTypeNames *self, gint64 number, const char *name, gsize length)
{
  if (number != (gint64) self->names->len + 1 || relay_type_names_number (self, name, length) != number)
    return FALSE;
  self->n_stored = self->names->len;
  return TRUE;
}
