/* SPDX-License-Identifier: MIT */
#include "config/key-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "common/error.h"
#include "common/names.h"

/*
 * Lines are read by us and not by GKeyFile, whose language this is: GKeyFile takes the last of two equal keys in
 * silence, stops at the first fault, and quotes the line that it does not understand, which may well be a token that was
 * pasted into the wrong file. For the same reason the value of a key that we do not know is never shown.
 *
 * A file is read in two steps. First its lines: each is found its place, which is a key of a section, and what has none is
 * a fault. Then the values, in the order of the tables, so that faults do not come in the order of chance. A section is one
 * struct to be filled: that of a table without arguments, which may have many groups, or that of one group
 * [NAME ARGUMENT].
 */
typedef struct {
  const RelayKeyTable *table;
  char *argument;  /* NULL: of a table without */
  gpointer target; /* borrowed */
  guint *lines;    /* where each key stands; 0: it does not */
  char **values;   /* as in the file; NULL: left out, or empty */
} Section;

/* A table of groups [NAME ARGUMENT], whose sections come with the file. */
typedef struct {
  const RelayKeyTable *table;
  gpointer target;
  GHashTable *sections; /* argument → Section, borrowed */
  gboolean full;        /* and that was told */
} Family;

struct RelayKeyFile {
  char *path, *folder; /* absolute */
  gboolean must_exist;
  gboolean partial;
  GPtrArray *sections; /* of Section */
  GPtrArray *families; /* of Family */
  GPtrArray *faults;
  guint n_more_faults;
};

#define MAX_FAULTS 20      /* that are told; the rest is counted */
#define MAX_SHOWN_BYTES 80 /* of a value in a fault */
#define MAX_NAME_BYTES 64  /* of a group or key */

/* ---- faults ---- */

/* Takes @text. */
static void
add_fault (RelayKeyFile *file, char *text)
{
  if (file->faults->len < MAX_FAULTS)
    g_ptr_array_add (file->faults, text);
  else {
    file->n_more_faults++;
    g_free (text);
  }
}

static void
add_line_fault (RelayKeyFile *file, guint line, const char *reason)
{
  add_fault (file, g_strdup_printf ("%s:%u: %s", file->path, line, reason));
}

/* FILE: [Group] Key=value: reason */
static void
add_value_fault (RelayKeyFile *file, const Section *section, const RelayKey *key, const char *value, const char *reason)
{
  g_autofree char *shown = NULL;

  if (relay_key_hides (key, value))
    shown = g_strdup ("…");
  else if (strlen (value) > MAX_SHOWN_BYTES) {
    const char *end = g_utf8_find_prev_char (value, value + MAX_SHOWN_BYTES);

    shown = g_strdup_printf ("%.*s…", (int) (end - value), value);
  } else
    shown = g_strdup (value);

  for (char *p = shown; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  add_fault (file, g_strdup_printf ("%s: [%s%s%s] %s=%s: %s", file->path, key->group, section->argument != NULL ? " " : "",
                                    section->argument != NULL ? section->argument : "", key->name, shown, reason));
}

gboolean
relay_key_file_finish (RelayKeyFile *file, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (file->faults->len == 0)
    return TRUE;
  for (guint i = 0; i < file->faults->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "\n" : "", (const char *) file->faults->pdata[i]);
  if (file->n_more_faults > 0) {
    g_string_append_c (text, '\n');
    g_string_append_printf (text,
                            g_dngettext (GETTEXT_PACKAGE, "… and %u more fault", "… and %u more faults", file->n_more_faults),
                            file->n_more_faults);
  }
  g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, text->str);
  return FALSE;
}

/* ---- sections ---- */

static Section *
add_section (RelayKeyFile *file, const RelayKeyTable *table, const char *argument, gpointer target)
{
  Section *section = g_new0 (Section, 1);

  section->table = table;
  section->argument = g_strdup (argument);
  section->target = target;
  section->lines = g_new0 (guint, table->n_keys);
  section->values = g_new0 (char *, table->n_keys);
  g_ptr_array_add (file->sections, section);
  return section;
}

static void
section_free (gpointer data)
{
  Section *section = data;

  for (gsize i = 0; i < section->table->n_keys; i++)
    g_free (section->values[i]);
  g_free (section->values);
  g_free (section->lines);
  g_free (section->argument);
  g_free (section);
}

static void
family_free (gpointer data)
{
  Family *family = data;

  g_hash_table_unref (family->sections);
  g_free (family);
}

static gboolean
has_group (const RelayKeyTable *table, const char *name)
{
  for (gsize i = 0; i < table->n_keys; i++)
    if (g_str_equal (table->keys[i].group, name))
      return TRUE;
  return FALSE;
}

/* The section that has the group @name, without an argument. */
static Section *
find_section (RelayKeyFile *file, const char *name)
{
  for (guint i = 0; i < file->sections->len; i++) {
    Section *section = file->sections->pdata[i];

    if (section->argument == NULL && has_group (section->table, name))
      return section;
  }
  return NULL;
}

static Family *
find_family (RelayKeyFile *file, const char *name)
{
  for (guint i = 0; i < file->families->len; i++) {
    Family *family = file->families->pdata[i];

    if (has_group (family->table, name))
      return family;
  }
  return NULL;
}

/* The section of the group [@name @argument]. NULL: there can be none, which was told. */
static Section *
get_member (RelayKeyFile *file, Family *family, guint line, const char *name, const char *argument)
{
  Section *section = g_hash_table_lookup (family->sections, argument);
  g_autoptr (GError) error = NULL;
  gpointer target;

  if (section != NULL)
    return section;
  if (g_hash_table_size (family->sections) == family->table->max_members) {
    if (!family->full)
      add_fault (file, g_strdup_printf (_("%s:%u: there are more than %u groups [%s …]"), file->path, line,
                                        family->table->max_members, name));
    family->full = TRUE;
    return NULL;
  }
  target = family->table->member (argument, family->target, &error);
  if (target == NULL) {
    add_line_fault (file, line, error->message);
    return NULL;
  }
  section = add_section (file, family->table, argument, target);
  g_hash_table_insert (family->sections, section->argument, section);
  return section;
}

/* ---- lines ---- */

/* Where a line stands: behind the header of a group, of which there may be no section. */
typedef struct {
  char *group; /* without its argument; NULL: before the first group */
  Section *section;
} Place;

static void
place_clear (Place *place)
{
  g_free (place->group);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, place_clear)

static gboolean
is_name (const char *text)
{
  gsize length = strlen (text);

  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '-' && *p != '_')
      return FALSE;
  return length > 0 && length <= MAX_NAME_BYTES;
}

/* @header: what stands in the brackets. */
static void
take_group (RelayKeyFile *file, guint line, const char *header, Place *place)
{
  const char *space = strchr (header, ' ');
  g_autofree char *argument = space != NULL ? g_strstrip (g_strdup (space)) : NULL;
  g_autofree char *name = space != NULL ? g_strndup (header, (gsize) (space - header)) : NULL;
  Family *family = name != NULL && *argument != '\0' ? find_family (file, name) : NULL;

  g_free (place->group);
  if (family != NULL) {
    place->group = g_steal_pointer (&name);
    place->section = get_member (file, family, line, place->group, argument);
    return;
  }
  place->group = g_strdup (header);
  place->section = find_section (file, header);
  if (!is_name (header))
    add_line_fault (file, line, _("this is no name of a group"));
  else if (place->section == NULL && !file->partial)
    add_fault (file, g_strdup_printf (_("%s: [%s]: there is no such group"), file->path, header));
}

/* Without a value, what stands before it may be something else than a key: a token that was pasted there, padded with "=". */
static gboolean
is_padding (const char *value)
{
  return *value == '\0' || *value == '=';
}

static void
take_key (RelayKeyFile *file, guint line, const Place *place, const char *name, const char *value)
{
  Section *section = place->section;
  g_autofree char *header = NULL;

  /* The keys of an unknown group are not told one by one. */
  if (section == NULL)
    return;
  header = section->argument == NULL ? g_strdup (place->group) : g_strdup_printf ("%s %s", place->group, section->argument);
  for (gsize i = 0; i < section->table->n_keys; i++) {
    const RelayKey *key = &section->table->keys[i];

    if (!g_str_equal (key->group, place->group) || !g_str_equal (key->name, name))
      continue;
    if (section->lines[i] != 0)
      add_fault (file, g_strdup_printf (_("%s: [%s] %s: stands twice, in lines %u and %u"), file->path, header, name,
                                        section->lines[i], line));
    else if (*value != '\0')
      section->values[i] = g_strdup (value);
    section->lines[i] = line;
    return;
  }
  if (is_padding (value))
    add_fault (file, g_strdup_printf (_("%s: [%s] line %u: there is no such key"), file->path, header, line));
  else
    add_fault (file, g_strdup_printf (_("%s: [%s] %s: there is no such key"), file->path, header, name));
}

/* @line: without spaces around it. */
static void
take_line (RelayKeyFile *file, guint number, char *line, Place *place)
{
  char *equals = strchr (line, '='), *value = equals != NULL ? equals + 1 : NULL;
  gsize length = strlen (line);

  if (*line == '\0' || *line == '#')
    return;

  if (line[0] == '[' && line[length - 1] == ']') {
    line[length - 1] = '\0';
    take_group (file, number, line + 1, place);
    return;
  }

  if (equals != NULL) {
    *equals = '\0';
    g_strchomp (line);
    g_strchug (value);
  }
  if (equals == NULL || !is_name (line) || (place->group == NULL && is_padding (value)))
    add_line_fault (file, number, _("this is neither a [Group] nor a Key=value nor a comment (# …)"));
  else if (place->group == NULL)
    add_fault (file, g_strdup_printf (_("%s:%u: %s stands before any [Group]"), file->path, number, line));
  else
    take_key (file, number, place, line, value);
}

static void
take_text (RelayKeyFile *file, const char *text, gsize length)
{
  static const char byte_order_mark[] = "\xef\xbb\xbf"; /* which some editors put first */
  g_auto (GStrv) lines = NULL;
  g_auto (Place) place = { NULL, NULL };

  if (!g_utf8_validate (text, (gssize) length, NULL)) { /* which allows no NUL either */
    add_fault (file, g_strdup_printf (_("%s: this is no text in UTF-8"), file->path));
    return;
  }
  if (g_str_has_prefix (text, byte_order_mark))
    text += strlen (byte_order_mark);
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    take_line (file, i + 1, g_strstrip (lines[i]), &place); /* which takes the CR of a Windows line end, too */
}

/* ---- the file ---- */

/* Reads no more than the limit, whatever kind of file it is. *ret_text is NULL where there is none. */
static gboolean
read_file (const char *path, char **ret_text, gsize *ret_length, GError **error)
{
  g_autofree char *text = g_malloc (RELAY_KEY_FILE_MAX_BYTES + 2);
  gsize length = 0;
  gssize n = 0;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    *ret_text = NULL;
    *ret_length = 0;
    return TRUE;
  }
  while (fd >= 0 && length <= RELAY_KEY_FILE_MAX_BYTES) {
    n = read (fd, text + length, RELAY_KEY_FILE_MAX_BYTES + 1 - length);
    if (n == 0 || (n < 0 && errno != EINTR))
      break;
    length += n > 0 ? (gsize) n : 0;
  }
  if (fd < 0 || n < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("%s: the file cannot be read: %s"), path,
                 g_strerror (errno));
    if (fd >= 0)
      close (fd);
    return FALSE;
  }
  close (fd);
  if (length > RELAY_KEY_FILE_MAX_BYTES) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("%s: the file is larger than %d bytes"), path,
                 RELAY_KEY_FILE_MAX_BYTES);
    return FALSE;
  }
  text[length] = '\0';
  *ret_text = g_steal_pointer (&text);
  *ret_length = length;
  return TRUE;
}

RelayKeyFile *
relay_key_file_new (const char *path)
{
  RelayKeyFile *file = g_new0 (RelayKeyFile, 1);

  file->path = path != NULL
                 ? g_canonicalize_filename (path, NULL)
                 : g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR, RELAY_CONFIG_FILE, NULL);
  file->folder = g_path_get_dirname (file->path);
  file->must_exist = path != NULL;
  file->sections = g_ptr_array_new_with_free_func (section_free);
  file->families = g_ptr_array_new_with_free_func (family_free);
  file->faults = g_ptr_array_new_with_free_func (g_free);
  return file;
}

void
relay_key_file_free (RelayKeyFile *file)
{
  if (file == NULL)
    return;
  g_ptr_array_unref (file->families);
  g_ptr_array_unref (file->sections);
  g_ptr_array_unref (file->faults);
  g_free (file->path);
  g_free (file->folder);
  g_free (file);
}

void
relay_key_file_add (RelayKeyFile *file, const RelayKeyTable *table, gpointer target)
{
  Family *family;

  if (table->member == NULL) {
    add_section (file, table, NULL, target);
    return;
  }
  family = g_new0 (Family, 1);
  family->table = table;
  family->target = target;
  family->sections = g_hash_table_new (g_str_hash, g_str_equal);
  g_ptr_array_add (file->families, family);
}

void
relay_key_file_set_partial (RelayKeyFile *file)
{
  file->partial = TRUE;
}

static void
take_value (RelayKeyFile *file, const Section *section, gsize i)
{
  const RelayKey *key = &section->table->keys[i];
  g_autofree char *reason = NULL;

  if (section->values[i] != NULL)
    reason = relay_key_take (key, section->values[i], file->folder, section->target);
  if (reason != NULL)
    add_value_fault (file, section, key, section->values[i], reason);
}

gboolean
relay_key_file_read (RelayKeyFile *file, GError **error)
{
  g_autofree char *text = NULL;
  gsize length = 0;

  if (!read_file (file->path, &text, &length, error))
    return FALSE;
  if (text == NULL && file->must_exist) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("%s: there is no such file"), file->path);
    return FALSE;
  }
  if (text != NULL)
    take_text (file, text, length);
  for (guint i = 0; i < file->sections->len; i++) {
    const Section *section = file->sections->pdata[i];

    for (gsize j = 0; j < section->table->n_keys; j++)
      take_value (file, section, j);
  }
  return TRUE;
}

/* The section without argument that @key belongs to, and its place there. */
static const Section *
find_key (RelayKeyFile *file, const RelayKey *key, gsize *ret_i)
{
  for (guint i = 0; i < file->sections->len; i++) {
    const Section *section = file->sections->pdata[i];

    if (section->argument == NULL && key >= section->table->keys && key < section->table->keys + section->table->n_keys) {
      *ret_i = (gsize) (key - section->table->keys);
      return section;
    }
  }
  g_assert_not_reached ();
}

const char *
relay_key_file_get (RelayKeyFile *file, const RelayKey *key)
{
  gsize i = 0;
  const Section *section = find_key (file, key, &i);

  return section->values[i];
}

void
relay_key_file_add_fault (RelayKeyFile *file, const RelayKey *key, const char *reason)
{
  gsize i = 0;
  const Section *section = find_key (file, key, &i);

  g_assert (section->values[i] != NULL);
  add_value_fault (file, section, key, section->values[i], reason);
}
