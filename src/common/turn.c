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

static gboolean
timer_dispatch (GSource *source G_GNUC_UNUSED, GSourceFunc func, gpointer user_data)
{
  return func (user_data);
}

GSource *
relay_timer_new (const char *name, GSourceFunc func, gpointer user_data)
{
  static GSourceFuncs funcs = { .dispatch = timer_dispatch };
  GSource *source = g_source_new (&funcs, sizeof (GSource));

  g_source_set_callback (source, func, user_data, NULL);
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
relay_turn_free (GSource *turn)
{
  if (turn == NULL)
    return;
  g_source_destroy (turn);
  g_source_unref (turn);
}
