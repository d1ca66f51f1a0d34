/* SPDX-License-Identifier: MIT */
#include "relayd/config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "common/error.h"
#include "common/http.h"
#include "common/names.h"

/*
 * One table lists the keys: where each is written, what it may be, what it is if it is left out. Lines are read by
 * us and not by GKeyFile, whose language this is: GKeyFile takes the last of two equal keys in silence, stops at
 * the first fault, and quotes the line that it does not understand, which may well be a token that was pasted into
 * the wrong file. For the same reason the value of a key that we do not know is never shown.
 *
 * All faults are collected, so that a file is put right in one go, and a struct leaves here only if there were
 * none.
 */
typedef enum {
  TYPE_URL,         /* char *: wss, or ws on loopback */
  TYPE_REFRESH_URL, /* char *: https, or http on loopback */
  TYPE_PATH,        /* char *: made absolute */
  TYPE_CA_FILE,     /* likewise, and it must be there */
  TYPE_TEXT,        /* char * */
  TYPE_COMMAND,     /* char **: argv */
  TYPE_SECONDS,     /* guint64 in µs */
  TYPE_DAYS,        /* likewise */
  TYPE_RATE,        /* double, per second */
  TYPE_COUNT,       /* guint */
  TYPE_BYTES,       /* gsize */
} Type;

typedef struct {
  const char *group, *name;
  Type type;
  gsize offset;                 /* in RelayConfig */
  double initial, minimum, maximum; /* of numbers, in the file's unit */
} Key;

#define FIELD(member) G_STRUCT_OFFSET (RelayConfig, connector.member)
#define OWN_FIELD(member) G_STRUCT_OFFSET (RelayConfig, member)

/* The limits of numbers are where they stop to make sense, or where memory would no longer be bounded. */
static const Key keys[] = {
  { "Server", "Url", TYPE_URL, FIELD (link.url) },
  { "Server", "CaFile", TYPE_CA_FILE, FIELD (link.ca_file) },
  { "Auth", "TokenFile", TYPE_PATH, FIELD (tokens.token_file) },
  { "Auth", "TokenCommand", TYPE_COMMAND, FIELD (tokens.token_command) },
  { "Auth", "RefreshUrl", TYPE_REFRESH_URL, FIELD (tokens.refresh_url) },
  { "Auth", "RefreshTokenFile", TYPE_PATH, FIELD (tokens.refresh_token_file) },
  { "Auth", "ClientId", TYPE_TEXT, FIELD (tokens.client_id) },
  { "Reconnect", "InitialDelaySec", TYPE_SECONDS, FIELD (initial_delay_usec), 1, 0.01, 3600 },
  { "Reconnect", "MaxDelaySec", TYPE_SECONDS, FIELD (max_delay_usec), 60, 0.01, 86400 },
  { "Reconnect", "MaxAttempts", TYPE_COUNT, FIELD (max_attempts), 0, 0, 1000000 },
  { "Heartbeat", "PingIntervalSec", TYPE_SECONDS, FIELD (link.ping_interval_usec), 30, 0.05, 3600 },
  { "Heartbeat", "PongTimeoutSec", TYPE_SECONDS, FIELD (link.pong_timeout_usec), 10, 0.05, 600 },
  { "Limits", "MaxMessageBytes", TYPE_BYTES, FIELD (link.max_message_bytes), 1048576, 1024,
    RELAY_CONFIG_MAX_MESSAGE_BYTES_MAX },
  { "Limits", "MaxChannels", TYPE_COUNT, OWN_FIELD (max_channels), 10000, 1, 100000 },
  { "Limits", "MaxHoldsPerClient", TYPE_COUNT, OWN_FIELD (max_holds_per_client), 100, 1, 10000 },
  { "Limits", "ActionsPerSec", TYPE_RATE, FIELD (actions_per_sec), 10, 1, 10000 },
  { "History", "MaxEvents", TYPE_COUNT, OWN_FIELD (max_events), 100000, 0, 10000000 },
  { "History", "MaxAgeDays", TYPE_DAYS, OWN_FIELD (max_age_usec), 30, 0, 36500 },
};

#define SECONDS_PER_DAY 86400

#define MAX_FAULTS 20     /* that are told; the rest is counted */
#define MAX_SHOWN_BYTES 80 /* of a value in a fault */
#define MAX_NAME_BYTES 64  /* of a group or key */

typedef struct {
  RelayConfig *config;
  char *path, *folder;                /* of the file; absolute */
  guint lines[G_N_ELEMENTS (keys)];   /* where each key stands; 0: it does not */
  char *values[G_N_ELEMENTS (keys)];  /* as in the file; NULL: left out, or empty */
  GPtrArray *faults;
  guint n_more_faults;
} Loader;

/* -- faults --------------------------------------------------------------------------------------------------- */

/* Takes @text. */
static void
add_fault (Loader *loader, char *text)
{
  if (loader->faults->len < MAX_FAULTS)
    g_ptr_array_add (loader->faults, text);
  else {
    loader->n_more_faults++;
    g_free (text);
  }
}

static void
add_line_fault (Loader *loader, guint line, const char *reason)
{
  add_fault (loader, g_strdup_printf ("%s:%u: %s", loader->path, line, reason));
}

/* A file name that is none, and looks like a JSON Web Token. */
static gboolean
looks_like_token (const char *value)
{
  return g_str_has_prefix (value, "eyJ") && strchr (value, '/') == NULL;
}

/* May the value hold a secret? Then it is not shown. */
static gboolean
may_be_secret (const Key *key, const char *value)
{
  switch (key->type) {
  case TYPE_COMMAND:
    return TRUE;
  case TYPE_URL:
  case TYPE_REFRESH_URL:
    return strchr (value, '@') != NULL || strchr (value, '?') != NULL;
  default:
    return looks_like_token (value);
  }
}

/* FILE: [Group] Key=value: reason */
static void
add_value_fault (Loader *loader, const Key *key, const char *value, const char *reason)
{
  g_autofree char *shown = NULL;

  if (may_be_secret (key, value))
    shown = g_strdup ("…");
  else if (strlen (value) > MAX_SHOWN_BYTES) {
    const char *end = g_utf8_find_prev_char (value, value + MAX_SHOWN_BYTES);

    shown = g_strdup_printf ("%.*s…", (int) (end - value), value);
  } else
    shown = g_strdup (value);

  for (char *p = shown; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  add_fault (loader, g_strdup_printf ("%s: [%s] %s=%s: %s", loader->path, key->group, key->name, shown, reason));
}

static gboolean
set_error_from_faults (Loader *loader, GError **error)
{
  g_autofree char *text = NULL;

  if (loader->faults->len == 0)
    return FALSE;
  if (loader->n_more_faults > 0)
    g_ptr_array_add (loader->faults,
                     g_strdup_printf (g_dngettext (GETTEXT_PACKAGE, "… and %u more fault", "… and %u more faults",
                                                   loader->n_more_faults),
                                      loader->n_more_faults));
  g_ptr_array_add (loader->faults, NULL);
  text = g_strjoinv ("\n", (char **) loader->faults->pdata);
  g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, text);
  return TRUE;
}

/* -- lines ---------------------------------------------------------------------------------------------------- */

static gboolean
is_name (const char *text)
{
  gsize length = strlen (text);

  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '-' && *p != '_')
      return FALSE;
  return length > 0 && length <= MAX_NAME_BYTES;
}

static gboolean
is_group (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_equal (keys[i].group, name))
      return TRUE;
  return FALSE;
}

static void
take_key (Loader *loader, guint line, const char *group, const char *name, const char *value)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++) {
    if (!g_str_equal (keys[i].group, group) || !g_str_equal (keys[i].name, name))
      continue;
    if (loader->lines[i] != 0)
      add_fault (loader,
                 g_strdup_printf (_("%s: [%s] %s: stands twice, in lines %u and %u"), loader->path, group, name,
                                  loader->lines[i], line));
    else if (*value != '\0')
      loader->values[i] = g_strdup (value);
    loader->lines[i] = line;
    return;
  }
  /* The keys of an unknown group are not told one by one. */
  if (!is_group (group))
    return;
  /* Without a value it may be something else than a key: a token that was pasted there, padded with "=". */
  if (*value == '\0' || *value == '=')
    add_fault (loader, g_strdup_printf (_("%s: [%s] line %u: there is no such key"), loader->path, group, line));
  else
    add_fault (loader, g_strdup_printf (_("%s: [%s] %s: there is no such key"), loader->path, group, name));
}

/* @line: without spaces around it. *group is replaced where it begins another. */
static void
take_line (Loader *loader, guint number, char *line, char **group)
{
  char *equals = strchr (line, '=');
  gsize length = strlen (line);

  if (*line == '\0' || *line == '#')
    return;

  if (line[0] == '[' && line[length - 1] == ']') {
    line[length - 1] = '\0';
    g_free (*group);
    *group = g_strdup (line + 1);
    if (!is_name (*group))
      add_line_fault (loader, number, _("this is no name of a group"));
    else if (!is_group (*group))
      add_fault (loader, g_strdup_printf (_("%s: [%s]: there is no such group"), loader->path, *group));
    return;
  }

  if (equals != NULL) {
    *equals = '\0';
    g_strchomp (line);
  }
  if (equals == NULL || !is_name (line))
    add_line_fault (loader, number, _("this is neither a [Group] nor a Key=value nor a comment (# …)"));
  else if (*group == NULL)
    add_fault (loader, g_strdup_printf (_("%s:%u: %s stands before any [Group]"), loader->path, number, line));
  else
    take_key (loader, number, *group, line, g_strchug (equals + 1));
}

static void
take_text (Loader *loader, const char *text, gsize length)
{
  static const char byte_order_mark[] = "\xef\xbb\xbf"; /* which some editors put first */
  g_auto (GStrv) lines = NULL;
  g_autofree char *group = NULL;

  if (!g_utf8_validate (text, (gssize) length, NULL)) { /* which allows no NUL either */
    add_fault (loader, g_strdup_printf (_("%s: this is no text in UTF-8"), loader->path));
    return;
  }
  if (g_str_has_prefix (text, byte_order_mark))
    text += strlen (byte_order_mark);
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    take_line (loader, i + 1, g_strstrip (lines[i]), &group); /* which takes the CR of a Windows line end, too */
}

/* -- values --------------------------------------------------------------------------------------------------- */

/* Digits, and a point with digits behind it where @fraction: no sign, no exponent, no locale, no "nan". */
static gboolean
read_number (const char *text, gboolean fraction, double *ret_number)
{
  const char *p = text;

  while (g_ascii_isdigit (*p))
    p++;
  if (p == text)
    return FALSE;
  if (fraction && *p == '.' && g_ascii_isdigit (p[1]))
    for (p++; g_ascii_isdigit (*p);)
      p++;
  if (*p != '\0')
    return FALSE;
  *ret_number = g_ascii_strtod (text, NULL);
  return TRUE;
}

static void
set_number (RelayConfig *config, const Key *key, double number)
{
  gpointer field = G_STRUCT_MEMBER_P (config, key->offset);

  if (key->type == TYPE_SECONDS)
    *(guint64 *) field = (guint64) llround (number * G_USEC_PER_SEC);
  else if (key->type == TYPE_DAYS)
    *(guint64 *) field = (guint64) llround (number * SECONDS_PER_DAY * G_USEC_PER_SEC);
  else if (key->type == TYPE_RATE)
    *(double *) field = number;
  else if (key->type == TYPE_COUNT)
    *(guint *) field = (guint) number;
  else
    *(gsize *) field = (gsize) number;
}

static void
take_number (Loader *loader, const Key *key, const char *value)
{
  gboolean fraction = key->type == TYPE_SECONDS || key->type == TYPE_DAYS || key->type == TYPE_RATE;
  g_autofree char *reason = NULL;
  char minimum[G_ASCII_DTOSTR_BUF_SIZE], maximum[G_ASCII_DTOSTR_BUF_SIZE];
  double number;

  if (read_number (value, fraction, &number) && number >= key->minimum && number <= key->maximum) {
    set_number (loader->config, key, number);
    return;
  }
  g_ascii_formatd (minimum, sizeof minimum, "%.9g", key->minimum);
  g_ascii_formatd (maximum, sizeof maximum, "%.9g", key->maximum);
  if (key->type == TYPE_SECONDS)
    reason = g_strdup_printf (_("must be a number of seconds from %s to %s"), minimum, maximum);
  else if (key->type == TYPE_DAYS)
    reason = g_strdup_printf (_("must be a number of days from %s to %s"), minimum, maximum);
  else if (key->type == TYPE_BYTES)
    reason = g_strdup_printf (_("must be a whole number of bytes from %s to %s"), minimum, maximum);
  else if (key->type == TYPE_COUNT)
    reason = g_strdup_printf (_("must be a whole number from %s to %s"), minimum, maximum);
  else
    reason = g_strdup_printf (_("must be a number from %s to %s"), minimum, maximum);
  add_value_fault (loader, key, value, reason);
}

static void
take_path (Loader *loader, const Key *key, const char *value, char **field)
{
  g_autofree char *path = NULL;

  if (looks_like_token (value)) {
    add_value_fault (loader, key, value,
                     _("this looks like a token: write it into a file, and the name of the file here"));
    return;
  }
  if (value[0] == '~' && value[1] != '/') {
    add_value_fault (loader, key, value, _("of a user's home, only your own is understood (~/)"));
    return;
  }
  path = value[0] == '~' ? g_build_filename (g_get_home_dir (), value + 2, NULL)
                         : g_canonicalize_filename (value, loader->folder);
  if (key->type == TYPE_CA_FILE && access (path, R_OK) < 0) {
    g_autofree char *reason = g_strdup_printf (_("the file cannot be read: %s"), g_strerror (errno));

    add_value_fault (loader, key, value, reason);
    return;
  }
  *field = g_steal_pointer (&path);
}

/* What g_shell_parse_argv says about a fault is not passed on: it quotes the command. */
static void
take_command (Loader *loader, const Key *key, const char *value, char ***field)
{
  g_auto (GStrv) argv = NULL;
  g_autoptr (GError) error = NULL;
  gboolean parsed = g_shell_parse_argv (value, NULL, &argv, &error);

  if (!parsed && !g_error_matches (error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
    add_value_fault (loader, key, value, _("a quotation mark or a backslash has no counterpart"));
  else if (!parsed || *argv[0] == '\0')
    add_value_fault (loader, key, value, _("this names no program"));
  else {
    if (g_str_has_prefix (argv[0], "~/")) {
      char *program = g_build_filename (g_get_home_dir (), argv[0] + 2, NULL);

      g_free (argv[0]);
      argv[0] = program;
    }
    *field = g_steal_pointer (&argv);
  }
}

static void
take_url (Loader *loader, const Key *key, const char *value, char **field)
{
  g_autoptr (GError) error = NULL;
  gboolean websocket = key->type == TYPE_URL;

  if (relay_http_check_url (value, websocket ? "wss" : "https", websocket ? "ws" : "http", &error)) {
    g_free (*field);
    *field = g_strdup (value);
  } else
    add_value_fault (loader, key, value, error->message);
}

static void
take_text_value (Loader *loader, const Key *key, const char *value, char **field)
{
  for (const char *p = value; *p != '\0'; p++)
    if (!g_ascii_isprint (*p)) { /* RFC 6749 appendix A.1 */
      add_value_fault (loader, key, value, _("there is a special character in it"));
      return;
    }
  *field = g_strdup (value);
}

static void
take_value (Loader *loader, const Key *key, const char *value)
{
  gpointer field = G_STRUCT_MEMBER_P (loader->config, key->offset);

  switch (key->type) {
  case TYPE_URL:
  case TYPE_REFRESH_URL:
    take_url (loader, key, value, field);
    break;
  case TYPE_PATH:
  case TYPE_CA_FILE:
    take_path (loader, key, value, field);
    break;
  case TYPE_TEXT:
    take_text_value (loader, key, value, field);
    break;
  case TYPE_COMMAND:
    take_command (loader, key, value, field);
    break;
  case TYPE_SECONDS:
  case TYPE_DAYS:
  case TYPE_RATE:
  case TYPE_COUNT:
  case TYPE_BYTES:
    take_number (loader, key, value);
    break;
  default:
    g_assert_not_reached ();
  }
}

/* What no key shows by itself. */
static void
check_together (Loader *loader)
{
  RelayConnectorOptions *connector = &loader->config->connector;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++) {
    const char *value = loader->values[i];

    if (keys[i].offset == FIELD (initial_delay_usec) &&
        connector->initial_delay_usec > connector->max_delay_usec) {
      if (value != NULL)
        add_value_fault (loader, &keys[i], value, _("must not be more than MaxDelaySec"));
      else
        connector->initial_delay_usec = connector->max_delay_usec; /* not the user's number: give way */
    }
    if (keys[i].offset == FIELD (tokens.refresh_token_file) && value != NULL &&
        connector->tokens.token_file != NULL &&
        g_strcmp0 (connector->tokens.refresh_token_file, connector->tokens.token_file) == 0)
      add_value_fault (loader, &keys[i], value, _("must not be the TokenFile: each holds a token of its own"));
  }
}

/* -- the file ------------------------------------------------------------------------------------------------- */

/* Reads no more than the limit, whatever kind of file it is. *ret_text is NULL where there is none. */
static gboolean
read_file (const char *path, char **ret_text, gsize *ret_length, GError **error)
{
  g_autofree char *text = g_malloc (RELAY_CONFIG_MAX_FILE_BYTES + 2);
  gsize length = 0;
  gssize n = 0;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    *ret_text = NULL;
    *ret_length = 0;
    return TRUE;
  }
  while (fd >= 0 && length <= RELAY_CONFIG_MAX_FILE_BYTES) {
    n = read (fd, text + length, RELAY_CONFIG_MAX_FILE_BYTES + 1 - length);
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
  if (length > RELAY_CONFIG_MAX_FILE_BYTES) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("%s: the file is larger than %d bytes"), path,
                 RELAY_CONFIG_MAX_FILE_BYTES);
    return FALSE;
  }
  text[length] = '\0';
  *ret_text = g_steal_pointer (&text);
  *ret_length = length;
  return TRUE;
}

static RelayConfig *
config_new (void)
{
  RelayConfig *config = g_new0 (RelayConfig, 1);

  config->connector.link.url = g_strdup (RELAY_DEFAULT_URL);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].type >= TYPE_SECONDS)
      set_number (config, &keys[i], keys[i].initial);
  return config;
}

static void
loader_clear (Loader *loader)
{
  relay_config_free (loader->config);
  g_free (loader->path);
  g_free (loader->folder);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    g_free (loader->values[i]);
  g_ptr_array_unref (loader->faults);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Loader, loader_clear)

RelayConfig *
relay_config_load (const char *path, GError **error)
{
  g_auto (Loader) loader = { .config = config_new (), .faults = g_ptr_array_new_with_free_func (g_free) };
  g_autofree char *text = NULL;
  gsize length = 0;

  loader.path = path != NULL
                  ? g_canonicalize_filename (path, NULL)
                  : g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR, RELAY_CONFIG_FILE, NULL);
  loader.folder = g_path_get_dirname (loader.path);

  if (!read_file (loader.path, &text, &length, error))
    return NULL;
  if (text == NULL && path != NULL) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("%s: there is no such file"), loader.path);
    return NULL;
  }
  if (text != NULL)
    take_text (&loader, text, length);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (loader.values[i] != NULL)
      take_value (&loader, &keys[i], loader.values[i]);
  check_together (&loader);
  if (set_error_from_faults (&loader, error))
    return NULL;

  /* One set of authorities for both, the service and the endpoint that gives its tokens. */
  loader.config->connector.tokens.ca_file = g_strdup (loader.config->connector.link.ca_file);
  return g_steal_pointer (&loader.config);
}

void
relay_config_free (RelayConfig *config)
{
  if (config == NULL)
    return;
  relay_connector_options_clear (&config->connector);
  g_free (config);
}
