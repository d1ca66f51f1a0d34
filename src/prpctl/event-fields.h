/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/event.h"

/*
 * What an event says, field by field, whatever its type: the one table of which member of it is meant by a name. Its
 * variables are part of prpctl's interface (prpctl.1, "The command's environment").
 */
typedef enum {
  PRPCTL_FIELD_EVENT_TYPE,
  PRPCTL_FIELD_EVENT_ID,
  PRPCTL_FIELD_SEQUENCE,  /* "" where the relay gave it no number */
  PRPCTL_FIELD_TIMESTAMP, /* as the server sent it */
  PRPCTL_FIELD_RECEIVED,  /* seconds since 1970, with six decimals; likewise SINCE and UNTIL */
  PRPCTL_FIELD_PRP,
  PRPCTL_FIELD_PROJECT,
  PRPCTL_FIELD_AGENT,
  PRPCTL_FIELD_NAME,
  PRPCTL_FIELD_STATUS,
  PRPCTL_FIELD_PREVIOUS_STATUS,
  PRPCTL_FIELD_PRIORITY,
  PRPCTL_FIELD_PROGRESS,
  PRPCTL_FIELD_TASK,
  PRPCTL_FIELD_REASON,
  PRPCTL_FIELD_CODE,
  PRPCTL_FIELD_MESSAGE,
  PRPCTL_FIELD_CAUSE,    /* of a gap; likewise those below */
  PRPCTL_FIELD_CHANNELS, /* with spaces between */
  PRPCTL_FIELD_SINCE,
  PRPCTL_FIELD_UNTIL,
  PRPCTL_N_FIELDS,
} PrpctlField;

#define PRPCTL_FIELD_MAX_BYTES 4096 /* what is longer is cut off */

/* None is NULL once they were read; what the event does not say, or says in another type than a text or a number, is
 * empty. Valid UTF-8 without NUL; not made safe for a terminal. */
typedef struct {
  char *values[PRPCTL_N_FIELDS];
} PrpctlEventFields;

void prpctl_event_fields_read (PrpctlEventFields *ret_fields, const ClientEvent *event);
void prpctl_event_fields_clear (PrpctlEventFields *fields);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PrpctlEventFields, prpctl_event_fields_clear)

/* "PRP_EVENT_TYPE". Static. */
const char *prpctl_field_get_variable (PrpctlField field);
