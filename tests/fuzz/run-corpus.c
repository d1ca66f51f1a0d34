/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include <glib.h>

/*
 * Runs a fuzz target over the files of the folders named on the command line, each whole, and then each cut short and with each
 * of its bytes changed: what libFuzzer would try first, where libFuzzer is not to be had. Of the variants every one is run, or,
 * where the first argument is a number, one of that many.
 */

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static guint stride = 1;

static void
run_variant (const char *text, gsize length)
{
  static guint n;

  if (n++ % stride == 0)
    LLVMFuzzerTestOneInput ((const guint8 *) text, length);
}

static void
run_variants (char *text, gsize length)
{
  static const char replacements[] = { '\0', '"', '\\', '{', '}', '[', ']', ',', ':', '\xff', '\x80', '9', '-', 'e', 'u', '\n' };

  LLVMFuzzerTestOneInput ((const guint8 *) text, length);
  for (gsize cut = 0; cut < length; cut++)
    run_variant (text, cut);
  for (gsize at = 0; at < length; at++) {
    char original = text[at];

    for (gsize i = 0; i < sizeof replacements; i++) {
      text[at] = replacements[i];
      run_variant (text, length);
    }
    text[at] = original;
  }
}

static guint
run_folder (const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &error);
  const char *name;
  guint n = 0;

  g_assert_no_error (error);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    g_autofree char *text = NULL;
    gsize length;

    g_file_get_contents (path, &text, &length, &error);
    g_assert_no_error (error);
    run_variants (text, length);
    n++;
  }
  return n;
}

int
main (int argc, char **argv)
{
  guint n = 0, first = 1;

  if (argc > 1 && g_ascii_isdigit (*argv[1]))
    stride = (guint) atoi (argv[first++]);
  for (int i = (int) first; i < argc; i++)
    n += run_folder (argv[i]);
  printf ("1..1\n%sok 1 - %u seeds with their variants\n", n > 0 ? "" : "not ", n);
  return n > 0 ? 0 : 1;
}
