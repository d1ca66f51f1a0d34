/* SPDX-License-Identifier: MIT */
#include "link/paced-stream.h"

#include <string.h>

#include "link/gauge.h"

/*
 * Whoever reads a WebSocket (libsoup) takes small pieces until a read would block, then waits on a source for more. Both
 * answers are ours to give, and that is all that is needed to pace it from below:
 *
 *  - reads are served from a buffer that is filled in bulk;
 *  - once the budget of this turn of the loop is handed out, a read "would block", and the source that is created then is
 *    ready in the next turn, so that other sources of the same priority have theirs in between;
 *  - while paused a read "would block" and no source is ever ready. The stream below is not even polled: a level-triggered
 *    descriptor with data in it would make the loop spin. Since sources look at the stream each time the loop prepares, those
 *    created before a pause rest during it, and those created during it wake up after it.
 *
 * When is a source ready? Not when the stream below says so, but unless it said that it would block: TLS and HTTP below
 * have buffers of their own, of which a descriptor knows nothing. So `base_blocked` is set by a read that found
 * nothing, and cleared by the child source which watches the stream below.
 *
 * The types: the input holds all of the reading side; the output passes writes through and notes that one worked; the
 * stream ties them together. Everything happens in one thread.
 */

#define RELAY_TYPE_PACED_INPUT (relay_paced_input_get_type ())
G_DECLARE_FINAL_TYPE (RelayPacedInput, relay_paced_input, RELAY, PACED_INPUT, GInputStream)
#define RELAY_TYPE_PACED_OUTPUT (relay_paced_output_get_type ())
G_DECLARE_FINAL_TYPE (RelayPacedOutput, relay_paced_output, RELAY, PACED_OUTPUT, GOutputStream)

struct _RelayPacedInput {
  GInputStream parent_instance;

  GPollableInputStream *base;
  RelayPacedStream *owner; /* for the callbacks; NULL when it is gone */
  const RelayPacedStreamEvents *events; /* NULL: nobody wants to know any more */
  gpointer user_data;

  guint8 *buffer; /* RELAY_PACED_STREAM_CHUNK_BYTES, of which start … end are not handed out yet */
  gsize start, end;
  gsize budget; /* bytes that may still be handed out in this turn */
  RelayGauge gauge;
  gboolean paused;
  gboolean draining;
  gboolean base_blocked;
  gboolean has_exceeded;
  gsize unproven; /* bytes that came since the stream below was empty */
  GPtrArray *sources; /* of PacedSource, borrowed: they leave when they are finalized */
};

struct _RelayPacedOutput {
  GOutputStream parent_instance;

  GPollableOutputStream *base;
  RelayPacedInput *input; /* is told of each write that worked */
};

struct _RelayPacedStream {
  GIOStream parent_instance;

  GIOStream *base;
  RelayPacedInput *input;
  RelayPacedOutput *output;
};

static void relay_paced_input_pollable_init (GPollableInputStreamInterface *iface);
static void relay_paced_output_pollable_init (GPollableOutputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (RelayPacedInput, relay_paced_input, G_TYPE_INPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM, relay_paced_input_pollable_init))
G_DEFINE_FINAL_TYPE_WITH_CODE (RelayPacedOutput, relay_paced_output, G_TYPE_OUTPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM, relay_paced_output_pollable_init))
G_DEFINE_FINAL_TYPE (RelayPacedStream, relay_paced_stream, G_TYPE_IO_STREAM)

/* ---- the source ---- */

typedef struct {
  GSource source;
  RelayPacedInput *input;
  GSource *base; /* child that watches the stream below; NULL while that is not to be read */
} PacedSource;

/* Would a read of this turn find something, as far as can be known without trying? */
static gboolean
input_is_ready (RelayPacedInput *input)
{
  if (input->draining)
    return !input->base_blocked;
  return !input->paused && (input->start < input->end || !input->base_blocked);
}

static void
source_update (PacedSource *paced)
{
  gboolean watch = !paced->input->paused || paced->input->draining;

  if (g_source_is_destroyed (&paced->source))
    return;
  if (watch && paced->base == NULL) {
    paced->base = g_pollable_input_stream_create_source (paced->input->base, NULL);
    g_source_set_dummy_callback (paced->base);
    g_source_add_child_source (&paced->source, paced->base);
  } else if (!watch && paced->base != NULL) {
    g_source_remove_child_source (&paced->source, paced->base);
    g_clear_pointer (&paced->base, g_source_unref);
  }
}

static gboolean
source_prepare (GSource *source, int *ret_timeout)
{
  PacedSource *paced = (PacedSource *) source;

  /* The loop prepares its sources once a turn. */
  paced->input->budget = RELAY_PACED_STREAM_BUDGET_BYTES;
  *ret_timeout = -1;
  return input_is_ready (paced->input);
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  PacedSource *paced = (PacedSource *) source;
  GPollableSourceFunc func = (GPollableSourceFunc) (void (*) (void)) callback;

  /* If it was the child that made us ready, then a read is worth a try; if not, a try does no harm. */
  paced->input->base_blocked = FALSE;
  return func != NULL ? func (G_OBJECT (paced->input), user_data) : G_SOURCE_REMOVE;
}

static void
source_finalize (GSource *source)
{
  PacedSource *paced = (PacedSource *) source;

  g_ptr_array_remove_fast (paced->input->sources, paced);
  g_clear_pointer (&paced->base, g_source_unref);
  g_clear_object (&paced->input);
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare,
  .dispatch = source_dispatch,
  .finalize = source_finalize,
};

static GSource *
relay_paced_input_create_source (GPollableInputStream *pollable, GCancellable *cancellable)
{
  RelayPacedInput *input = RELAY_PACED_INPUT (pollable);
  GSource *source = g_source_new (&source_funcs, sizeof (PacedSource));
  PacedSource *paced = (PacedSource *) source;

  g_source_set_static_name (source, "relay-paced-stream");
  paced->input = g_object_ref (input);
  g_ptr_array_add (input->sources, paced);
  source_update (paced);
  if (cancellable != NULL) {
    g_autoptr (GSource) cancelled = g_cancellable_source_new (cancellable);

    g_source_set_dummy_callback (cancelled);
    g_source_add_child_source (source, cancelled);
  }
  return source;
}

/* ---- reading ---- */

static gssize
would_block (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, g_strerror (EAGAIN));
  return -1;
}

static void
input_update_sources (RelayPacedInput *input)
{
  for (guint i = 0; i < input->sources->len; i++)
    source_update (g_ptr_array_index (input->sources, i));
}

static void
input_drain (RelayPacedInput *input)
{
  if (input->draining)
    return;
  input->draining = TRUE;
  input->start = input->end = 0;
  input_update_sources (input);
}

static void
input_exceed (RelayPacedInput *input, RelayPacedStreamExcess excess)
{
  gboolean first = !input->has_exceeded;

  input->has_exceeded = TRUE;
  input_drain (input);
  if (first && input->events != NULL && input->owner != NULL)
    input->events->exceeded (input->owner, excess, input->user_data);
}

static void
input_note_empty (RelayPacedInput *input, gboolean ended)
{
  gsize bytes = input->unproven;

  input->unproven = 0;
  if (!input->draining && input->events != NULL && input->events->emptied != NULL && input->owner != NULL)
    input->events->emptied (input->owner, bytes, ended, input->user_data);
}

/* Fills the empty buffer. As read_nonblocking. */
static gssize
input_fill (RelayPacedInput *input, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gssize n = g_pollable_input_stream_read_nonblocking (input->base, input->buffer, RELAY_PACED_STREAM_CHUNK_BYTES, NULL,
                                                       &local_error);

  input->base_blocked = g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  if (n == 0 || input->base_blocked)
    input_note_empty (input, n == 0);
  if (n < 0) {
    g_propagate_error (error, g_steal_pointer (&local_error));
    return n;
  }
  input->start = 0;
  input->end = (gsize) n;
  input->unproven += (gsize) n;
  if (n > 0 && input->events != NULL && input->owner != NULL)
    input->events->heard (input->owner, (gsize) n, input->user_data);
  return n;
}

/* Throws away what there is, within this turn's budget: blocks until the end. */
static gssize
input_read_away (RelayPacedInput *input, GError **error)
{
  while (input->budget > 0) {
    gssize n = input_fill (input, error);

    if (n <= 0)
      return n;
    input->budget -= MIN (input->budget, (gsize) n);
    input->start = input->end = 0;
  }
  return would_block (error);
}

static gssize
relay_paced_input_read_nonblocking (GPollableInputStream *pollable, void *buffer, gsize count, GError **error)
{
  /* The callbacks may drop the stream. */
  g_autoptr (RelayPacedInput) input = g_object_ref (RELAY_PACED_INPUT (pollable));
  gsize n;

  if (input->draining)
    return input_read_away (input, error);
  /* Asked before and not after handing out: the reader answers the pings it was handed before it reads on. */
  if (input->gauge.n_pings > RELAY_PACED_STREAM_MAX_PENDING_PINGS) {
    input_exceed (input, RELAY_PACED_STREAM_TOO_MANY_PINGS);
    return would_block (error);
  }
  if (input->paused || input->budget == 0)
    return would_block (error);
  if (input->start == input->end) {
    gssize filled = input_fill (input, error);

    if (filled <= 0)
      return filled;
    if (input->draining || input->paused) /* by a callback */
      return would_block (error);
  }

  n = MIN (MIN (count, input->end - input->start), input->budget);
  n = relay_gauge_take (&input->gauge, input->buffer + input->start, n);
  if (n == 0) {
    input_exceed (input, RELAY_PACED_STREAM_TOO_BIG);
    return would_block (error);
  }
  memcpy (buffer, input->buffer + input->start, n);
  input->start += n;
  input->budget -= n;
  return (gssize) n;
}

static gboolean
relay_paced_input_is_readable (GPollableInputStream *pollable)
{
  RelayPacedInput *input = RELAY_PACED_INPUT (pollable);

  if (input->budget == 0 || (input->paused && !input->draining))
    return FALSE;
  return (!input->draining && input->start < input->end) || g_pollable_input_stream_is_readable (input->base);
}

static gssize
relay_paced_input_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "A paced stream cannot be read blocking");
  return -1;
}

static void
relay_paced_input_finalize (GObject *object)
{
  RelayPacedInput *input = RELAY_PACED_INPUT (object);

  g_clear_object (&input->base);
  g_clear_pointer (&input->buffer, g_free);
  g_clear_pointer (&input->sources, g_ptr_array_unref);
  G_OBJECT_CLASS (relay_paced_input_parent_class)->finalize (object);
}

static void
relay_paced_input_init (RelayPacedInput *input)
{
  input->buffer = g_malloc (RELAY_PACED_STREAM_CHUNK_BYTES);
  input->budget = RELAY_PACED_STREAM_BUDGET_BYTES;
  input->sources = g_ptr_array_new ();
}

static void
relay_paced_input_class_init (RelayPacedInputClass *class)
{
  G_OBJECT_CLASS (class)->finalize = relay_paced_input_finalize;
  G_INPUT_STREAM_CLASS (class)->read_fn = relay_paced_input_read;
}

static void
relay_paced_input_pollable_init (GPollableInputStreamInterface *iface)
{
  iface->is_readable = relay_paced_input_is_readable;
  iface->create_source = relay_paced_input_create_source;
  iface->read_nonblocking = relay_paced_input_read_nonblocking;
}

/* ---- writing ---- */

static gssize
output_note (RelayPacedOutput *output, gssize written)
{
  if (written > 0)
    output->input->gauge.n_pings = 0;
  return written;
}

static gssize
relay_paced_output_write_nonblocking (GPollableOutputStream *pollable, const void *buffer, gsize count, GError **error)
{
  RelayPacedOutput *output = RELAY_PACED_OUTPUT (pollable);

  return output_note (output, g_pollable_output_stream_write_nonblocking (output->base, buffer, count, NULL, error));
}

static gssize
relay_paced_output_write (GOutputStream *stream, const void *buffer, gsize count, GCancellable *cancellable, GError **error)
{
  RelayPacedOutput *output = RELAY_PACED_OUTPUT (stream);

  return output_note (output, g_output_stream_write (G_OUTPUT_STREAM (output->base), buffer, count, cancellable, error));
}

static gboolean
relay_paced_output_flush (GOutputStream *stream, GCancellable *cancellable, GError **error)
{
  return g_output_stream_flush (G_OUTPUT_STREAM (RELAY_PACED_OUTPUT (stream)->base), cancellable, error);
}

static gboolean
relay_paced_output_is_writable (GPollableOutputStream *pollable)
{
  return g_pollable_output_stream_is_writable (RELAY_PACED_OUTPUT (pollable)->base);
}

static GSource *
relay_paced_output_create_source (GPollableOutputStream *pollable, GCancellable *cancellable)
{
  g_autoptr (GSource) base = g_pollable_output_stream_create_source (RELAY_PACED_OUTPUT (pollable)->base, NULL);

  return g_pollable_source_new_full (pollable, base, cancellable);
}

static void
relay_paced_output_finalize (GObject *object)
{
  RelayPacedOutput *output = RELAY_PACED_OUTPUT (object);

  g_clear_object (&output->base);
  g_clear_object (&output->input);
  G_OBJECT_CLASS (relay_paced_output_parent_class)->finalize (object);
}

static void
relay_paced_output_init (RelayPacedOutput *output)
{
}

static void
relay_paced_output_class_init (RelayPacedOutputClass *class)
{
  G_OBJECT_CLASS (class)->finalize = relay_paced_output_finalize;
  G_OUTPUT_STREAM_CLASS (class)->write_fn = relay_paced_output_write;
  G_OUTPUT_STREAM_CLASS (class)->flush = relay_paced_output_flush;
}

static void
relay_paced_output_pollable_init (GPollableOutputStreamInterface *iface)
{
  iface->is_writable = relay_paced_output_is_writable;
  iface->create_source = relay_paced_output_create_source;
  iface->write_nonblocking = relay_paced_output_write_nonblocking;
}

/* ---- the stream ---- */

static GInputStream *
relay_paced_stream_get_input_stream (GIOStream *io_stream)
{
  return G_INPUT_STREAM (RELAY_PACED_STREAM (io_stream)->input);
}

static GOutputStream *
relay_paced_stream_get_output_stream (GIOStream *io_stream)
{
  return G_OUTPUT_STREAM (RELAY_PACED_STREAM (io_stream)->output);
}

static gboolean
relay_paced_stream_close (GIOStream *io_stream, GCancellable *cancellable, GError **error)
{
  return g_io_stream_close (RELAY_PACED_STREAM (io_stream)->base, cancellable, error);
}

static void
on_base_closed (GObject *base, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;

  if (g_io_stream_close_finish (G_IO_STREAM (base), result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

/* Closing may take a round trip (TLS): that of the stream below knows how not to block. The default would take a
 * thread for it. */
static void
relay_paced_stream_close_async (GIOStream *io_stream, int priority, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
  g_io_stream_close_async (RELAY_PACED_STREAM (io_stream)->base, priority, cancellable, on_base_closed,
                           g_task_new (io_stream, cancellable, callback, user_data));
}

static gboolean
relay_paced_stream_close_finish (GIOStream *io_stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
relay_paced_stream_finalize (GObject *object)
{
  RelayPacedStream *stream = RELAY_PACED_STREAM (object);

  if (stream->input != NULL)
    stream->input->owner = NULL;
  g_clear_object (&stream->output);
  g_clear_object (&stream->input);
  g_clear_object (&stream->base);
  G_OBJECT_CLASS (relay_paced_stream_parent_class)->finalize (object);
}

static void
relay_paced_stream_init (RelayPacedStream *stream)
{
}

static void
relay_paced_stream_class_init (RelayPacedStreamClass *class)
{
  GIOStreamClass *io_stream_class = G_IO_STREAM_CLASS (class);

  G_OBJECT_CLASS (class)->finalize = relay_paced_stream_finalize;
  io_stream_class->get_input_stream = relay_paced_stream_get_input_stream;
  io_stream_class->get_output_stream = relay_paced_stream_get_output_stream;
  io_stream_class->close_fn = relay_paced_stream_close;
  io_stream_class->close_async = relay_paced_stream_close_async;
  io_stream_class->close_finish = relay_paced_stream_close_finish;
}

RelayPacedStream *
relay_paced_stream_new (GIOStream *base, gsize max_message_bytes, const RelayPacedStreamEvents *events,
                        gpointer user_data)
{
  RelayPacedStream *stream = g_object_new (RELAY_TYPE_PACED_STREAM, NULL);

  stream->base = g_object_ref (base);
  stream->input = g_object_new (RELAY_TYPE_PACED_INPUT, NULL);
  stream->input->base = g_object_ref (G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (base)));
  stream->input->owner = stream;
  stream->input->events = events;
  stream->input->user_data = user_data;
  stream->input->gauge.max_message_bytes = max_message_bytes;
  stream->output = g_object_new (RELAY_TYPE_PACED_OUTPUT, NULL);
  stream->output->base = g_object_ref (G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (base)));
  stream->output->input = g_object_ref (stream->input);
  return stream;
}

void
relay_paced_stream_set_paused (RelayPacedStream *stream, gboolean paused)
{
  if (stream->input->paused == !!paused)
    return;
  stream->input->paused = !!paused;
  input_update_sources (stream->input);
}

void
relay_paced_stream_drain (RelayPacedStream *stream)
{
  input_drain (stream->input);
}

gboolean
relay_paced_stream_has_unread (RelayPacedStream *stream)
{
  return stream->input->start < stream->input->end || g_pollable_input_stream_is_readable (stream->input->base);
}

void
relay_paced_stream_disarm (RelayPacedStream *stream)
{
  stream->input->events = NULL;
}
