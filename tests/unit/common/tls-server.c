/* SPDX-License-Identifier: MIT */
#include "tests/unit/common/tls-server.h"

#include <errno.h>
#include <string.h>

#include <glib/gstdio.h>

#define GOOD_START "20200101000000Z"
#define GOOD_END "20991231235959Z"

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer of GCC 12 crashes over the thread-local storage of the thread in which glib-networking shakes
 * hands. */
const char *__asan_default_options (void);

const char *
__asan_default_options (void)
{
  return "intercept_tls_get_addr=0";
}
#endif

struct TlsAuthority {
  char *folder;
  char *ca_file;
  guint n_issued;
};

struct TlsServer {
  GSubprocess *process;
  GDataInputStream *output;
  guint16 port;
};

/* Runs openssl with the words of @arguments in the authority's folder. */
static void
run_openssl (TlsAuthority *authority, const char *arguments)
{
  g_autofree char *line = g_strdup_printf ("openssl %s", arguments);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) argv = NULL;
  g_autofree char *errors = NULL;
  int wait_status = -1;

  g_assert_true (g_shell_parse_argv (line, NULL, &argv, &error));
  g_spawn_sync (authority->folder, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
                &errors, &wait_status, &error);
  g_assert_no_error (error);
  if (wait_status != 0)
    g_error ("%s: %s", line, errors);
}

static char *
write_file (TlsAuthority *authority, const char *name, const char *content)
{
  g_autofree char *path = g_build_filename (authority->folder, name, NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, content, -1, &error);
  g_assert_no_error (error);
  return g_steal_pointer (&path);
}

TlsAuthority *
tls_authority_new (void)
{
  TlsAuthority *authority = g_new0 (TlsAuthority, 1);
  g_autoptr (GError) error = NULL;

  authority->folder = g_dir_make_tmp ("prp-relay-tls-XXXXXX", &error);
  g_assert_no_error (error);
  g_free (write_file (authority, "index.txt", ""));
  g_free (write_file (authority, "serial", "01"));
  g_free (write_file (authority, "ca.conf",
                      "[ca]\ndefault_ca=authority\n"
                      "[authority]\ndir=.\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\npolicy=any\n"
                      "default_md=sha256\nunique_subject=no\n[any]\ncommonName=supplied\n"));
  run_openssl (authority,
               "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem "
               "-subj '/CN=Test authority' -days 3650");
  run_openssl (authority,
               "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr "
               "-subj /CN=server");
  authority->ca_file = g_build_filename (authority->folder, "ca.pem", NULL);
  return authority;
}

void
tls_authority_free (TlsAuthority *authority)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (authority == NULL)
    return;
  dir = g_dir_open (authority->folder, 0, NULL);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (authority->folder, name, NULL);

    g_unlink (path);
  }
  g_rmdir (authority->folder);
  g_free (authority->folder);
  g_free (authority->ca_file);
  g_free (authority);
}

const char *
tls_authority_get_ca_file (TlsAuthority *authority)
{
  return authority->ca_file;
}

char *
tls_authority_issue (TlsAuthority *authority, const char *host, const char *start, const char *end)
{
  g_autofree char *name = g_strdup_printf ("cert-%u.pem", ++authority->n_issued);
  g_autofree char *extension = g_strdup_printf ("subjectAltName=DNS:%s\n", host);
  g_autofree char *arguments = NULL;

  g_free (write_file (authority, "extension", extension));
  arguments = g_strdup_printf ("ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key -in server.csr "
                               "-out %s "
                               "-extfile extension -startdate %s -enddate %s",
                               name, start != NULL ? start : GOOD_START, end != NULL ? end : GOOD_END);
  run_openssl (authority, arguments);
  return g_build_filename (authority->folder, name, NULL);
}

char *
tls_authority_issue_self_signed (TlsAuthority *authority)
{
  g_autofree char *name = g_strdup_printf ("cert-%u.pem", ++authority->n_issued);
  g_autofree char *arguments = g_strdup_printf ("req -x509 -key server.key -out %s -subj /CN=localhost -days 3650 "
                                                "-addext subjectAltName=DNS:localhost",
                                                name);

  run_openssl (authority, arguments);
  return g_build_filename (authority->folder, name, NULL);
}

TlsServer *
tls_server_new (TlsAuthority *authority, const char *certificate, ...)
{
  g_autoptr (GSubprocessLauncher) launcher =
    g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                               G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  TlsServer *server = g_new0 (TlsServer, 1);
  g_autoptr (GError) error = NULL;
  g_autofree char *line = NULL;
  const char *argument;
  va_list arguments;

  for (gsize i = 0; i < 2; i++)
    g_ptr_array_add (argv, (gpointer) ((const char *[]){ "openssl", "s_server" })[i]);
  for (gsize i = 0; i < 6; i++)
    g_ptr_array_add (argv, (gpointer) ((const char *[]){ "-accept", "127.0.0.1:0", "-key", "server.key", "-cert",
                                                         certificate })[i]);
  va_start (arguments, certificate);
  while ((argument = va_arg (arguments, const char *)) != NULL)
    g_ptr_array_add (argv, (gpointer) argument);
  va_end (arguments);
  g_ptr_array_add (argv, NULL);

  g_subprocess_launcher_set_cwd (launcher, authority->folder);
  server->process = g_subprocess_launcher_spawnv (launcher, (const char *const *) argv->pdata, &error);
  g_assert_no_error (error);
  server->output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (server->process));

  line = tls_server_read_until (server, "ACCEPT ");
  server->port = (guint16) g_ascii_strtoull (strrchr (line, ':') + 1, NULL, 10);
  g_assert_cmpuint (server->port, !=, 0);
  return server;
}

void
tls_server_free (TlsServer *server)
{
  if (server == NULL)
    return;
  g_subprocess_force_exit (server->process);
  g_subprocess_wait (server->process, NULL, NULL);
  g_object_unref (server->output);
  g_object_unref (server->process);
  g_free (server);
}

guint16
tls_server_get_port (TlsServer *server)
{
  return server->port;
}

static void
on_line (GObject *stream, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

char *
tls_server_read_until (TlsServer *server, const char *prefix)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (;;) {
    g_autoptr (GAsyncResult) result = NULL;
    g_autoptr (GError) error = NULL;
    g_autofree char *line = NULL;

    /* The loop must turn: it may be our own end of the connection that it waits for. */
    g_data_input_stream_read_line_async (server->output, G_PRIORITY_DEFAULT, NULL, on_line, &result);
    while (result == NULL)
      g_main_context_iteration (NULL, TRUE);
    line = g_data_input_stream_read_line_finish (server->output, result, NULL, &error);
    g_assert_no_error (error);
    if (line == NULL)
      g_error ("openssl s_server ended before it printed “%s”: %s", prefix, text->str);
    g_string_append_printf (text, "%s\n", line);
    if (g_str_has_prefix (line, prefix))
      return g_string_free (g_steal_pointer (&text), FALSE);
  }
}
