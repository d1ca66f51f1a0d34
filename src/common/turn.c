/* SPDX-License-Identifier: MIT */
#include "common/turn.h"

typedef struct {
  GSource source;
  void (*func) (gpointer user_data);
  gpointer user_data;
} Turn;

static gboolean
turn_dispatch (GSource *source, GSourceFunc callback G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
  Turn *self = (Turn *) source;

  /* Disarmed first: the function may arm it again. */
  g_source_set_ready_time (source, -1);
  self->func (self->user_data);
  return G_SOURCE_CONTINUE;
}

GSource *
relay_turn_new (const char *name, void (*func) (gpointer user_data), gpointer user_data)
{
  static GSourceFuncs funcs = { .dispatch = turn_dispatch };
  GSource *source = g_source_new (&funcs, sizeof (Turn));
  Turn *self = (Turn *) source;

  self->func = func;
  self->user_data = user_data;
  g_source_set_static_name (source, name);
  g_source_attach (source, NULL);
  return source;
}

void
relay_turn_arm (GSource *turn)
{
  if (g_source_get_ready_time (turn) != 0)
    g_source_set_ready_time (turn, 0);
}

void
relay_turn_arm_at (GSource *turn, gint64 monotonic_usec)
{
  g_source_set_ready_time (turn, MAX (monotonic_usec, 0));
}

void
relay_turn_arm_in (GSource *turn, guint64 delay_usec)
{
  gint64 now = g_get_monotonic_time ();

  relay_turn_arm_at (turn, delay_usec < (guint64) (G_MAXINT64 - now) ? now + (gint64) delay_usec : G_MAXINT64);
}

void
relay_turn_disarm (GSource *turn)
{
  g_source_set_ready_time (turn, -1);
}

void
relay_turn_free (GSource *turn)
{
  if (turn == NULL)
    return;
  g_source_destroy (turn);
  g_source_unref (turn);
}
