/* SPDX-License-Identifier: MIT */
#pragma once

#include <libintl.h>
#include <locale.h>
#include <string.h>

#include <glib.h>
#include <glib/gstdio.h>

/*
 * A translation of one message, in force until it is freed. The file is as msgfmt makes it: a head, two tables with the length
 * and the place of each text, the texts; the first of which is the empty one, for which there is a description of the file.
 */
#define CATALOGUE_DESCRIPTION "Content-Type: text/plain; charset=UTF-8\n"

typedef struct {
  char *root, *language, *folder, *file;
} Catalogue;

static inline Catalogue *
catalogue_new (const char *domain, const char *message, const char *translation)
{
  Catalogue *catalogue = g_new0 (Catalogue, 1);
  const guint32 message_length = (guint32) strlen (message), description_length = (guint32) strlen (CATALOGUE_DESCRIPTION);
  const guint32 texts = 60, description_at = texts + 1 + message_length + 1;
  const guint32 head[] = { 0x950412de, 0, 2, 28, 44, 0, texts, /* the tables are at 28 and 44, and there is no third one */
                           0, texts, message_length, texts + 1,
                           description_length, description_at,
                           (guint32) strlen (translation), description_at + description_length + 1 };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *name = g_strconcat (domain, ".mo", NULL);

  catalogue->root = g_dir_make_tmp ("prp-test-XXXXXX", NULL);
  catalogue->language = g_build_filename (catalogue->root, "de", NULL);
  catalogue->folder = g_build_filename (catalogue->language, "LC_MESSAGES", NULL);
  catalogue->file = g_build_filename (catalogue->folder, name, NULL);

  g_byte_array_append (bytes, (const guint8 *) head, sizeof head);
  g_byte_array_append (bytes, (const guint8 *) "", 1);
  g_byte_array_append (bytes, (const guint8 *) message, message_length + 1);
  g_byte_array_append (bytes, (const guint8 *) CATALOGUE_DESCRIPTION, description_length + 1);
  g_byte_array_append (bytes, (const guint8 *) translation, (guint) strlen (translation) + 1);
  g_assert_cmpint (g_mkdir_with_parents (catalogue->folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (catalogue->file, (const char *) bytes->data, (gssize) bytes->len, NULL));

  g_setenv ("LANGUAGE", "de", TRUE);
  g_assert_nonnull (setlocale (LC_ALL, "C.UTF-8"));
  bindtextdomain (domain, catalogue->root);
  return catalogue;
}

static inline void
catalogue_free (Catalogue *catalogue)
{
  setlocale (LC_ALL, "C");
  g_unsetenv ("LANGUAGE");
  g_assert_cmpint (g_unlink (catalogue->file) | g_rmdir (catalogue->folder) | g_rmdir (catalogue->language) |
                     g_rmdir (catalogue->root),
                   ==, 0);
  g_free (catalogue->file);
  g_free (catalogue->folder);
  g_free (catalogue->language);
  g_free (catalogue->root);
  g_free (catalogue);
}
