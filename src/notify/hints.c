/* SPDX-License-Identifier: MIT */
#include "notify/hints.h"

#include "config/notifications.h"

void
notify_traits_clear (NotifyTraits *traits)
{
  g_free (traits->name);
  *traits = (NotifyTraits){ 0 };
}

void
notify_traits_set (NotifyTraits *traits, const char *name, const char *const *capabilities)
{
  static const char *const none[] = { NULL };
  /* Xfce makes a button of it; dunst and mako list it in the menu that is all there is of actions. */
  static const char *const listing[] = { "Xfce Notify Daemon", "dunst", "mako", NULL };

  notify_traits_clear (traits);
  if (capabilities == NULL)
    capabilities = none;
  traits->name = g_strdup (name);
  traits->has_actions = g_strv_contains (capabilities, "actions");
  traits->has_body_markup = g_strv_contains (capabilities, "body-markup");
  traits->lists_default = g_strv_contains (listing, traits->name);
}

/*
 * The hint `value` is in no specification. These draw a bar beside the text. xfce4-notifyd draws a bar in place of title,
 * text and buttons; most others ignore it.
 */
static gboolean
draws_value (const NotifyTraits *traits)
{
  static const char *const names[] = { "dunst", "mako", "fnott", NULL };

  return traits->name != NULL && g_strv_contains (names, traits->name);
}

/* GNOME Shell opens its banner anew for each change of a notification, unless that is of low urgency. */
static gboolean
pops_up_for_changes (const NotifyTraits *traits)
{
  return g_strcmp0 (traits->name, "gnome-shell") == 0;
}

static NotifyUrgency
get_urgency (RelayPriority priority, gboolean is_quiet, const NotifyTraits *traits)
{
  if (priority == RELAY_PRIORITY_CRITICAL)
    return NOTIFY_URGENCY_CRITICAL;
  if (priority == RELAY_PRIORITY_LOW || (is_quiet && pops_up_for_changes (traits)))
    return NOTIFY_URGENCY_LOW;
  return NOTIFY_URGENCY_NORMAL;
}

void
notify_hints_of_card (const NotifyCard *card, gboolean is_quiet, const NotifyTraits *traits, NotifyHints *ret_hints)
{
  *ret_hints = (NotifyHints){
    .urgency = get_urgency (relay_priority_from_string (card->priority), is_quiet, traits),
    .category = "x-prp.card",
    .value = NOTIFY_NO_VALUE,
    .suppress_sound = is_quiet,
    .expire_msec = -1,
  };
  if (draws_value (traits) && notify_card_is_underway (card))
    ret_hints->value = (int) CLAMP (card->progress, 0, 100);
}

void
notify_hints_of_digest (guint priority, gboolean is_quiet, const NotifyTraits *traits, NotifyHints *ret_hints)
{
  *ret_hints = (NotifyHints){
    .urgency = get_urgency ((RelayPriority) priority, is_quiet, traits),
    .category = "x-prp.digest",
    .value = NOTIFY_NO_VALUE,
    .suppress_sound = is_quiet,
    .expire_msec = -1,
  };
}

void
notify_hints_of_trouble (gboolean stays, NotifyHints *ret_hints)
{
  *ret_hints = (NotifyHints){
    .urgency = NOTIFY_URGENCY_NORMAL,
    .category = "x-prp.trouble",
    .value = NOTIFY_NO_VALUE,
    .expire_msec = stays ? 0 : -1,
  };
}
