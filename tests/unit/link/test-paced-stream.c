/* SPDX-License-Identifier: MIT */
#include "link/paced-stream.h"

#include <string.h>
#include <sys/socket.h>

#include "tests/unit/link/ws-server.h"

#define LIMIT 100000
#define MSEC 1000

/* A paced stream on one end of a socket pair, and the other end. */
typedef struct {
  RelayPacedStream *stream;
  GPollableInputStream *input;
  GSocket *other;
  gsize heard;
  guint n_heard;
  gsize emptied; /* bytes told of so far */
  guint n_emptied;
  gboolean ended_below;
  guint n_exceeded;
  RelayPacedStreamExcess excess;
  /* What a waiting reader got. */
  GSource *source;
  GByteArray *got;
  guint n_turns;      /* in which it was woken */
  gsize most_in_turn;
  gboolean ended;
} Bed;

static void
on_heard (RelayPacedStream *stream, gsize bytes, gpointer user_data)
{
  Bed *bed = user_data;

  g_assert_true (stream == bed->stream);
  bed->heard += bytes;
  bed->n_heard++;
}

static void
on_exceeded (RelayPacedStream *stream, RelayPacedStreamExcess excess, gpointer user_data)
{
  Bed *bed = user_data;

  bed->n_exceeded++;
  bed->excess = excess;
}

static void
on_emptied (RelayPacedStream *stream, gsize bytes, gboolean ended, gpointer user_data)
{
  Bed *bed = user_data;

  bed->n_emptied++;
  bed->emptied += bytes;
  bed->ended_below = ended;
}

static const RelayPacedStreamEvents events = { .heard = on_heard, .emptied = on_emptied, .exceeded = on_exceeded };

static void
bed_init (Bed *bed)
{
  int fds[2];
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketConnection) base = NULL;
  g_autoptr (GError) error = NULL;
  int size = 4 * 1024 * 1024;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  setsockopt (fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  socket = g_socket_new_from_fd (fds[0], &error);
  g_assert_no_error (error);
  bed->other = g_socket_new_from_fd (fds[1], &error);
  g_assert_no_error (error);
  g_socket_set_blocking (bed->other, FALSE);
  base = g_socket_connection_factory_create_connection (socket);
  bed->stream = relay_paced_stream_new (G_IO_STREAM (base), LIMIT, &events, bed);
  bed->input = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (G_IO_STREAM (bed->stream)));
  bed->got = g_byte_array_new ();
}

static void
stop_reader (Bed *bed)
{
  if (bed->source != NULL)
    g_source_destroy (bed->source);
  g_clear_pointer (&bed->source, g_source_unref);
}

static void
bed_clear (Bed *bed)
{
  stop_reader (bed);
  g_clear_object (&bed->stream);
  g_clear_object (&bed->other);
  g_byte_array_unref (bed->got);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bed, bed_clear)

static void
write_all (Bed *bed, gconstpointer data, gsize length)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_socket_send (bed->other, data, length, NULL, &error), ==, length);
  g_assert_no_error (error);
}

static void
write_frame (Bed *bed, guint8 opcode, gboolean fin, gsize length)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (length, 'p');

  ws_append_frame (bytes, opcode, fin, payload, length);
  write_all (bed, bytes->data, bytes->len);
}

/* As libsoup does it: reads pieces of 1 KiB until it would block. Returns how much; *ret_end: was it the end? */
static gsize
read_turn (Bed *bed, gboolean *ret_end)
{
  guint8 buffer[1024];
  gsize sum = 0;

  for (;;) {
    g_autoptr (GError) error = NULL;
    gssize n = g_pollable_input_stream_read_nonblocking (bed->input, buffer, sizeof buffer, NULL, &error);

    if (n < 0)
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
    if (n <= 0) {
      *ret_end = n == 0;
      return sum;
    }
    g_byte_array_append (bed->got, buffer, (guint) n);
    sum += (gsize) n;
  }
}

static gboolean
on_readable (GObject *stream, gpointer user_data)
{
  Bed *bed = user_data;
  gsize n = read_turn (bed, &bed->ended);

  g_assert_true (stream == G_OBJECT (bed->input));
  bed->n_turns++;
  bed->most_in_turn = MAX (bed->most_in_turn, n);
  return bed->ended ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
start_reader (Bed *bed)
{
  bed->source = g_pollable_input_stream_create_source (bed->input, NULL);
  g_source_set_callback (bed->source, G_SOURCE_FUNC (on_readable), bed, NULL);
  g_source_attach (bed->source, NULL);
}

/* ---- the budget ---- */

static void
test_bulk (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  start_reader (&bed);
  write_frame (&bed, 0x1, TRUE, 50000);
  ws_wait_for (bed.got->len == 50004);
  /* One read from below, 49 pieces out of it. */
  g_assert_cmpuint (bed.n_heard, ==, 1);
  g_assert_cmpuint (bed.heard, ==, 50004);
}

/* Empty is what the stream below is, neither the buffer nor the budget. */
static void
test_emptied (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  start_reader (&bed);
  for (guint i = 0; i < 3; i++)
    write_frame (&bed, 0x1, TRUE, 50000);
  ws_wait_for (bed.n_emptied > 0);
  g_assert_cmpuint (bed.got->len, ==, 3 * 50004);
  g_assert_cmpuint (bed.n_turns, >, 1);
  g_assert_cmpuint (bed.emptied, ==, 3 * 50004);
  g_assert_false (bed.ended_below);

  relay_paced_stream_set_paused (bed.stream, TRUE);
  bed.n_emptied = 0;
  write_frame (&bed, 0x1, TRUE, 100);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.n_emptied, ==, 0);
  relay_paced_stream_set_paused (bed.stream, FALSE);
  ws_wait_for (bed.n_emptied > 0);
  g_assert_cmpuint (bed.emptied, ==, 3 * 50004 + 102);

  write_frame (&bed, 0x1, TRUE, 100);
  g_socket_shutdown (bed.other, FALSE, TRUE, NULL);
  ws_wait_for (bed.ended);
  g_assert_true (bed.ended_below);
  g_assert_cmpuint (bed.emptied, ==, 3 * 50004 + 2 * 102);
}

/* What is thrown away was not heard. */
static void
test_emptied_draining (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  start_reader (&bed);
  relay_paced_stream_drain (bed.stream);
  write_frame (&bed, 0x1, TRUE, 100);
  ws_wait_for (bed.heard == 102);
  g_socket_shutdown (bed.other, FALSE, TRUE, NULL);
  ws_wait_for (bed.ended);
  g_assert_cmpuint (bed.n_emptied, ==, 0);
}

static gboolean
count_turn (gpointer user_data)
{
  ++*(guint *) user_data;
  return G_SOURCE_CONTINUE;
}

/* Another source of the same priority gets its turn after each budget. */
static void
test_budget (void)
{
  g_auto (Bed) bed = { 0 };
  guint n_others = 0;
  guint id;

  bed_init (&bed);
  for (guint i = 0; i < 8; i++)
    write_frame (&bed, 0x1, TRUE, 50000);
  start_reader (&bed);
  id = g_idle_add_full (G_PRIORITY_DEFAULT, count_turn, &n_others, NULL);
  while (bed.got->len < 8 * 50004)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
  g_assert_cmpuint (bed.most_in_turn, <=, RELAY_PACED_STREAM_BUDGET_BYTES);
  g_assert_cmpuint (bed.n_turns, >=, 8 * 50004 / RELAY_PACED_STREAM_BUDGET_BYTES);
  g_assert_cmpuint (n_others + 1, >=, bed.n_turns);
}

/* Without data, or paused with data, the loop sleeps. */
static void
test_no_spinning (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  start_reader (&bed);
  for (guint round = 0; round < 2; round++) {
    guint n_iterations = 0;
    gint64 end = g_get_monotonic_time () + 100 * MSEC;
    g_autoptr (GSource) timer = g_timeout_source_new (100);

    g_source_set_dummy_callback (timer);
    g_source_attach (timer, NULL);
    for (; g_get_monotonic_time () < end; n_iterations++)
      g_main_context_iteration (NULL, TRUE);
    g_source_destroy (timer);
    g_assert_cmpuint (n_iterations, <, 10);

    relay_paced_stream_set_paused (bed.stream, TRUE);
    write_frame (&bed, 0x1, TRUE, 100);
  }
  g_assert_cmpuint (bed.got->len, ==, 0);
}

/* ---- pausing ---- */

/* The source is made before the pause or during it, and the data come before or during it: it wakes up on resume. */
static void
test_pause (gconstpointer data)
{
  guint variant = GPOINTER_TO_UINT (data);
  gboolean source_first = variant & 1, data_first = variant & 2, in_buffer = variant & 4;
  g_auto (Bed) bed = { 0 };
  guint8 byte;
  gsize before = 0;

  bed_init (&bed);
  if (source_first)
    start_reader (&bed);
  if (data_first)
    write_frame (&bed, 0x1, TRUE, 1000);
  if (data_first && in_buffer) {
    g_assert_cmpint (g_pollable_input_stream_read_nonblocking (bed.input, &byte, 1, NULL, NULL), ==, 1);
    before = 1;
  }
  relay_paced_stream_set_paused (bed.stream, TRUE);
  if (!source_first)
    start_reader (&bed);
  if (!data_first)
    write_frame (&bed, 0x1, TRUE, 1000);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.got->len, ==, 0);
  g_assert_false (g_pollable_input_stream_is_readable (bed.input));
  g_assert_true (relay_paced_stream_has_unread (bed.stream));

  relay_paced_stream_set_paused (bed.stream, FALSE);
  ws_wait_for (bed.got->len == 1004 - before);
  ws_run_for (20 * MSEC);
  g_assert_false (relay_paced_stream_has_unread (bed.stream));

  /* And goes on as if nothing had been. */
  write_frame (&bed, 0x1, TRUE, 1000);
  ws_wait_for (bed.got->len == 2008 - before);
}

static gboolean
on_readable_pause (GObject *stream, gpointer user_data)
{
  Bed *bed = user_data;
  guint8 byte;

  g_assert_cmpint (g_pollable_input_stream_read_nonblocking (bed->input, &byte, 1, NULL, NULL), ==, 1);
  bed->n_turns++;
  relay_paced_stream_set_paused (bed->stream, TRUE);
  return G_SOURCE_CONTINUE;
}

static void
test_pause_within (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  write_frame (&bed, 0x1, TRUE, 1000);
  bed.source = g_pollable_input_stream_create_source (bed.input, NULL);
  g_source_set_callback (bed.source, G_SOURCE_FUNC (on_readable_pause), &bed, NULL);
  g_source_attach (bed.source, NULL);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.n_turns, ==, 1);
  relay_paced_stream_set_paused (bed.stream, FALSE);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.n_turns, ==, 2);
}

/* Sources come and go in each turn in libsoup: those that are gone are not touched. */
static void
test_sources (void)
{
  g_auto (Bed) bed = { 0 };
  g_autoptr (GSource) kept = NULL;

  bed_init (&bed);
  kept = g_pollable_input_stream_create_source (bed.input, NULL);
  g_source_destroy (kept);
  for (guint i = 0; i < 10; i++) {
    start_reader (&bed);
    relay_paced_stream_set_paused (bed.stream, i % 2 == 0);
    stop_reader (&bed);
  }
  relay_paced_stream_set_paused (bed.stream, FALSE);
  start_reader (&bed);
  write_frame (&bed, 0x1, TRUE, 10);
  ws_wait_for (bed.got->len == 12);
}

static void
test_cancelled (void)
{
  g_auto (Bed) bed = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  bed_init (&bed);
  relay_paced_stream_set_paused (bed.stream, TRUE);
  bed.source = g_pollable_input_stream_create_source (bed.input, cancellable);
  g_source_set_callback (bed.source, G_SOURCE_FUNC (on_readable), &bed, NULL);
  g_source_attach (bed.source, NULL);
  ws_run_for (20 * MSEC);
  g_assert_cmpuint (bed.n_turns, ==, 0);
  g_cancellable_cancel (cancellable);
  ws_wait_for (bed.n_turns > 0);
}

/* ---- limits ---- */

static void
test_too_big (void)
{
  g_auto (Bed) bed = { 0 };
  gsize good;

  bed_init (&bed);
  start_reader (&bed);
  write_frame (&bed, 0x1, TRUE, LIMIT);
  good = LIMIT + 10;
  ws_wait_for (bed.got->len == good);
  g_assert_cmpuint (bed.n_exceeded, ==, 0);

  write_frame (&bed, 0x1, FALSE, LIMIT);
  write_frame (&bed, 0x9, TRUE, 0);
  write_frame (&bed, 0x0, TRUE, 1);
  good += LIMIT + 10 + 2;
  ws_wait_for (bed.n_exceeded == 1);
  g_assert_cmpint (bed.excess, ==, RELAY_PACED_STREAM_TOO_BIG);
  /* All that came before is handed out, of the bad frame no more than part of its header. */
  g_assert_cmpuint (bed.got->len, ==, good + 1);

  /* What follows is read and thrown away; pausing makes no difference to that. */
  relay_paced_stream_set_paused (bed.stream, TRUE);
  for (guint i = 0; i < 20; i++) {
    gsize before = bed.heard;

    write_frame (&bed, 0x1, TRUE, 90000);
    ws_wait_for (bed.heard >= before + 90004);
  }
  g_assert_cmpuint (bed.got->len, ==, good + 1);
  g_assert_cmpuint (bed.n_exceeded, ==, 1);
  g_assert_false (bed.ended);
  g_socket_close (bed.other, NULL);
  ws_wait_for (bed.ended);
}

static void
test_pings (void)
{
  g_auto (Bed) bed = { 0 };
  GOutputStream *output;
  static const guint8 pong[] = { 0x8a, 0 };

  bed_init (&bed);
  output = g_io_stream_get_output_stream (G_IO_STREAM (bed.stream));
  start_reader (&bed);
  for (guint i = 0; i < RELAY_PACED_STREAM_MAX_PENDING_PINGS; i++)
    write_frame (&bed, 0x9, TRUE, 0);
  ws_wait_for (bed.got->len == 2 * RELAY_PACED_STREAM_MAX_PENDING_PINGS);
  ws_run_for (20 * MSEC);
  g_assert_cmpuint (bed.n_exceeded, ==, 0);

  /* One answer that could be written, and all is forgiven. */
  g_assert_cmpint (g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (output), pong, 2, NULL, NULL), ==, 2);
  for (guint i = 0; i < RELAY_PACED_STREAM_MAX_PENDING_PINGS; i++)
    write_frame (&bed, 0x9, TRUE, 0);
  ws_wait_for (bed.got->len == 4 * RELAY_PACED_STREAM_MAX_PENDING_PINGS);
  ws_run_for (20 * MSEC);
  g_assert_cmpuint (bed.n_exceeded, ==, 0);

  write_frame (&bed, 0x9, TRUE, 0);
  write_frame (&bed, 0x9, TRUE, 0);
  ws_wait_for (bed.n_exceeded == 1);
  g_assert_cmpint (bed.excess, ==, RELAY_PACED_STREAM_TOO_MANY_PINGS);
}

static void
test_disarmed (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  relay_paced_stream_disarm (bed.stream);
  start_reader (&bed);
  write_frame (&bed, 0x1, TRUE, LIMIT + 1);
  g_socket_close (bed.other, NULL);
  ws_wait_for (bed.ended);
  g_assert_cmpuint (bed.n_exceeded, ==, 0);
  g_assert_cmpuint (bed.heard, ==, 0);
}

/* ---- the rest of a stream ---- */

static void
test_end (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  start_reader (&bed);
  write_frame (&bed, 0x1, TRUE, 80000);
  g_socket_close (bed.other, NULL);
  ws_wait_for (bed.ended);
  g_assert_cmpuint (bed.got->len, ==, 80010);
}

static void
test_writing (void)
{
  g_auto (Bed) bed = { 0 };
  GOutputStream *output;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSource) source = NULL;
  char buffer[16];
  gssize n;

  bed_init (&bed);
  output = g_io_stream_get_output_stream (G_IO_STREAM (bed.stream));
  g_assert_true (g_pollable_output_stream_is_writable (G_POLLABLE_OUTPUT_STREAM (output)));
  g_assert_true (g_output_stream_write_all (output, "blocking ", 9, NULL, NULL, &error));
  g_assert_true (g_output_stream_flush (output, NULL, &error));
  n = g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (output), "not", 3, NULL, &error);
  g_assert_cmpint (n, ==, 3);
  g_assert_cmpint (g_socket_receive (bed.other, buffer, sizeof buffer, NULL, &error), ==, 12);
  g_assert_cmpmem (buffer, 12, "blocking not", 12);

  /* Full, then with room again: its source tells. */
  do {
    g_clear_error (&error);
    n = g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (output), buffer, sizeof buffer, NULL, &error);
  } while (n > 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_assert_false (g_pollable_output_stream_is_writable (G_POLLABLE_OUTPUT_STREAM (output)));
  source = g_pollable_output_stream_create_source (G_POLLABLE_OUTPUT_STREAM (output), NULL);
  g_source_set_dummy_callback (source);
  g_source_attach (source, NULL);
  while (g_socket_receive (bed.other, buffer, sizeof buffer, NULL, NULL) > 0)
    ;
  ws_wait_for (g_pollable_output_stream_is_writable (G_POLLABLE_OUTPUT_STREAM (output)));
  g_source_destroy (source);
}

static void
on_closed (GObject *stream, GAsyncResult *result, gpointer user_data)
{
  g_assert_true (g_io_stream_close_finish (G_IO_STREAM (stream), result, NULL));
  *(gboolean *) user_data = TRUE;
}

static void
test_close (void)
{
  g_auto (Bed) bed = { 0 };
  gboolean closed = FALSE;
  char byte;

  bed_init (&bed);
  g_io_stream_close_async (G_IO_STREAM (bed.stream), G_PRIORITY_DEFAULT, NULL, on_closed, &closed);
  ws_wait_for (closed);
  g_assert_true (g_io_stream_is_closed (G_IO_STREAM (bed.stream)));
  g_assert_cmpint (g_socket_receive (bed.other, &byte, 1, NULL, NULL), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/paced-stream/bulk", test_bulk);
  g_test_add_func ("/paced-stream/emptied", test_emptied);
  g_test_add_func ("/paced-stream/emptied/draining", test_emptied_draining);
  g_test_add_func ("/paced-stream/budget", test_budget);
  g_test_add_func ("/paced-stream/no-spinning", test_no_spinning);
  for (guint i = 0; i < 8; i++) {
    g_autofree char *path = g_strdup_printf ("/paced-stream/pause/%u", i);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_pause);
  }
  g_test_add_func ("/paced-stream/pause-within", test_pause_within);
  g_test_add_func ("/paced-stream/sources", test_sources);
  g_test_add_func ("/paced-stream/cancelled", test_cancelled);
  g_test_add_func ("/paced-stream/too-big", test_too_big);
  g_test_add_func ("/paced-stream/pings", test_pings);
  g_test_add_func ("/paced-stream/disarmed", test_disarmed);
  g_test_add_func ("/paced-stream/end", test_end);
  g_test_add_func ("/paced-stream/writing", test_writing);
  g_test_add_func ("/paced-stream/close", test_close);
  return g_test_run ();
}
