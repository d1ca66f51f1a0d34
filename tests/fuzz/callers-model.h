/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "wire/subscriptions.h"

/*
 * What callers were promised, written down from nothing but their calls and the answers to them: which calls are still to be
 * answered, and which holds there are. Each answer is checked as it comes.
 */
typedef struct CallersModel CallersModel;

CallersModel *callers_model_new (guint max_holds_per_client);
void callers_model_free (CallersModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CallersModel, callers_model_free)

/* @call was sent with this cookie of the connection. */
void callers_model_add_call (CallersModel *model, guint64 cookie, sd_bus_message *call);

/* An answer arrived: to a call that expects one, from the right caller, for the first time; of a known kind. */
void callers_model_take_reply (CallersModel *model, sd_bus_message *reply);

/* @name has left the bus, and its holds with it. Its calls may be answered or not. */
void callers_model_leave (CallersModel *model, const char *name);

/* Calls of those who are there that have no answer. */
guint callers_model_get_n_open (CallersModel *model);

/* Is a hold for each that the channel counts, and none else? Only where no call is open. */
void callers_model_check_holds (CallersModel *model, RelaySubscriptions *subscriptions);
