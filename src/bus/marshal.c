/* SPDX-License-Identifier: MIT */
#include "bus/marshal.h"

#include <errno.h>
#include <string.h>

/*
 * D-Bus Specification, "Marshaling (Wire Format)" and "Message Format". Everything is aligned to its size, counted from the
 * beginning of the message; the header is padded to 8, so that the body's alignment is the message's. Padding is zero.
 */
enum {
  TYPE_SIGNAL = 4,
  FLAG_NO_REPLY_EXPECTED = 1, /* as sd-bus sets on a signal */
  PROTOCOL_VERSION = 1,

  FIELD_PATH = 1,
  FIELD_INTERFACE = 2,
  FIELD_MEMBER = 3,
  FIELD_SIGNATURE = 8,

  OFFSET_BODY_LENGTH = 4,
};

#define TRY(expression)                                                                             \
  G_STMT_START                                                                                      \
  {                                                                                                 \
    int try_r = (expression);                                                                       \
    if (try_r < 0)                                                                                  \
      return try_r;                                                                                 \
  }                                                                                                 \
  G_STMT_END

/* Pads to @alignment, then takes @n bytes. */
static inline int
take (RelayMarshal *m, gsize alignment, gsize n, guint8 **ret)
{
  gsize padding = -(gsize) (m->at - m->begin) & (alignment - 1);

  if (G_UNLIKELY ((gsize) (m->end - m->at) < padding || (gsize) (m->end - m->at) - padding < n))
    return -EMSGSIZE;
  for (; padding > 0; padding--)
    *m->at++ = 0;
  *ret = m->at;
  m->at += n;
  return 0;
}

static inline int
put (RelayMarshal *m, gsize size, const void *value)
{
  guint8 *to;

  TRY (take (m, size, size, &to));
  memcpy (to, value, size);
  return 0;
}

static inline int
put_signature (RelayMarshal *m, const char *signature)
{
  gsize length = strlen (signature);
  guint8 *to;

  TRY (take (m, 1, length + 2, &to));
  to[0] = (guint8) length;
  memcpy (to + 1, signature, length + 1);
  return 0;
}

int
relay_marshal_string_space (RelayMarshal *m, gsize length, char **ret_space)
{
  const guint32 length32 = (guint32) length;
  guint8 *to;

  /* Else the sum below might wrap. */
  if (G_UNLIKELY (length > (gsize) (m->end - m->at)))
    return -EMSGSIZE;
  TRY (take (m, sizeof length32, sizeof length32 + length + 1, &to));
  memcpy (to, &length32, sizeof length32);
  to[sizeof length32 + length] = '\0';
  *ret_space = (char *) to + sizeof length32;
  return 0;
}

static int
put_string (RelayMarshal *m, const char *string)
{
  gsize length = strlen (string);
  char *space;

  TRY (relay_marshal_string_space (m, length, &space));
  memcpy (space, string, length);
  return 0;
}

int
relay_marshal_basic (RelayMarshal *m, char type, const void *value)
{
  switch (type) {
  case 's':
    return put_string (m, value);
  case 'g':
    return put_signature (m, value);
  case 'b':
    return put (m, sizeof (guint32), &(guint32){ *(const int *) value != 0 });
  case 't':
  case 'x':
  case 'd':
    return put (m, sizeof (guint64), value);
  default:
    g_assert_not_reached ();
  }
}

int
relay_marshal_open (RelayMarshal *m, char type, const char *contents)
{
  guint8 *length = NULL, *first = NULL;

  g_assert (m->depth < RELAY_MARSHAL_MAX_DEPTH);
  switch (type) {
  case 'v':
    TRY (put_signature (m, contents));
    break;
  case 'e':
    TRY (take (m, 8, 0, &first));
    break;
  case 'a':
    TRY (take (m, sizeof (guint32), sizeof (guint32), &length));
    /* The padding before the first element stands there even if there is none, and is not counted. */
    TRY (take (m, contents[0] == '{' ? 8 : contents[0] == 's' ? 4 : 1, 0, &first));
    break;
  default:
    g_assert_not_reached ();
  }
  m->containers[m->depth].length = length;
  m->containers[m->depth].first = first;
  m->depth++;
  return 0;
}

void
relay_marshal_close (RelayMarshal *m)
{
  guint8 *length;
  guint32 bytes;

  m->depth--;
  length = m->containers[m->depth].length;
  if (length == NULL)
    return;
  bytes = (guint32) (m->at - m->containers[m->depth].first);
  memcpy (length, &bytes, sizeof bytes);
}

/* ---- the header ---- */

static int
put_field (RelayMarshal *m, guint8 code, char type, const char *value)
{
  const char signature[] = { type, '\0' };
  guint8 *to;

  TRY (take (m, 8, 1, &to));
  *to = code;
  TRY (put_signature (m, signature));
  return type == 'g' ? put_signature (m, value) : put_string (m, value);
}

int
relay_marshal_begin (RelayMarshal *m, guint8 *buffer, gsize size, guint32 serial, const char *path, const char *interface,
                     const char *member, const char *signature)
{
  guint8 *to, *length, *first;
  guint32 bytes;

  m->begin = m->at = buffer;
  m->end = buffer + size;
  m->depth = 0;

  TRY (take (m, 1, OFFSET_BODY_LENGTH + sizeof (guint32), &to));
  to[0] = G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B';
  to[1] = TYPE_SIGNAL;
  to[2] = FLAG_NO_REPLY_EXPECTED;
  to[3] = PROTOCOL_VERSION;
  TRY (put (m, sizeof serial, &serial));
  TRY (take (m, sizeof bytes, sizeof bytes, &length));
  first = m->at;
  TRY (put_field (m, FIELD_PATH, 'o', path));
  TRY (put_field (m, FIELD_INTERFACE, 's', interface));
  TRY (put_field (m, FIELD_MEMBER, 's', member));
  TRY (put_field (m, FIELD_SIGNATURE, 'g', signature));
  bytes = (guint32) (m->at - first);
  memcpy (length, &bytes, sizeof bytes);
  return take (m, 8, 0, &m->body);
}

void
relay_marshal_end (RelayMarshal *m)
{
  const guint32 bytes = (guint32) (m->at - m->body);

  memcpy (m->begin + OFFSET_BODY_LENGTH, &bytes, sizeof bytes);
}
