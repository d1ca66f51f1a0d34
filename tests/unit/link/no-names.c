/* SPDX-License-Identifier: MIT */
#include "tests/unit/link/no-names.h"

#include <gio/gio.h>

typedef GResolver NoNames;
typedef GResolverClass NoNamesClass;

static GType no_names_get_type (void);
G_DEFINE_TYPE (NoNames, no_names, G_TYPE_RESOLVER)

static void
look_up (GResolver *resolver, const char *name, GResolverNameLookupFlags flags, GCancellable *cancellable,
         GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (resolver, cancellable, callback, user_data);

  g_task_return_new_error (task, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "There is no %s", name);
}

static GList *
look_up_finish (GResolver *resolver, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
no_names_init (NoNames *resolver)
{
}

static void
no_names_class_init (NoNamesClass *class)
{
  class->lookup_by_name_with_flags_async = look_up;
  class->lookup_by_name_with_flags_finish = look_up_finish;
}

void
no_names_install (void)
{
  g_autoptr (GResolver) resolver = g_object_new (no_names_get_type (), NULL);

  g_resolver_set_default (resolver);
}
