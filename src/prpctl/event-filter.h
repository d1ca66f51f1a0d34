/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/event-fields.h"

/*
 * Which events somebody wants to see: by type, by what they are about, by the channels they would come on.
 *
 * An event does not say on which channel it came, and not always to which project a PRP belongs. So for channels the
 * rule is: left out is what is known to be about something else. Which project a PRP is of is learned from every event
 * that says both, also from those that are left out.
 */
typedef struct PrpctlEventFilter PrpctlEventFilter;

#define PRPCTL_EVENT_FILTER_MAX_KNOWN_PRPS 10000

/* Each may be NULL, for any. @types: shell globs, of which one has to match; @channels: likewise channels. */
PrpctlEventFilter *prpctl_event_filter_new (const char *const *types, const char *prp, const char *agent,
                                            const char *project, const char *const *channels);
void prpctl_event_filter_free (PrpctlEventFilter *filter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlEventFilter, prpctl_event_filter_free)

/* Is the event wanted? To be asked of every event in order. */
gboolean prpctl_event_filter_pass (PrpctlEventFilter *filter, const PrpctlEventFields *fields);
