/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Every public string of the relay, in one place: what other programs are written against. The D-Bus names
 * are documented, member by member, in dbus/.
 */

/* The bus. */
#define RELAY_BUS_NAME "dev.prp.Relay1"
#define RELAY_OBJECT_PATH "/dev/prp/Relay1"
#define RELAY_CHANNEL_PATH_PREFIX "/dev/prp/Relay1/channel"
#define RELAY_INTERFACE "dev.prp.Relay1"
#define RELAY_EVENTS_INTERFACE "dev.prp.Relay1.Events"
#define RELAY_HISTORY_INTERFACE "dev.prp.Relay1.History"
#define RELAY_CHANNEL_INTERFACE "dev.prp.Relay1.Channel"
#define RELAY_BUS_ERROR_PREFIX "dev.prp.Relay1.Error."

/* The server, from the protocol page. */
#define RELAY_DEFAULT_URL "wss://api.prp.dev/v1/ws/prps"

/* Files, below the XDG base directories. */
#define RELAY_CONFIG_SUBDIR "prp-relay"
#define RELAY_CONFIG_FILE "relay.conf"
/* What `prpctl login` writes where there is no keyring; besides relay.conf. */
#define RELAY_LOGIN_TOKEN_FILE "token"
#define RELAY_LOGIN_REFRESH_TOKEN_FILE "refresh-token"
#define RELAY_STATE_SUBDIR "prp-relay"
#define RELAY_STORE_FILE "relay.db"

/* The names under which systemd hands over credentials (systemd.exec(5), LoadCredential=). */
#define RELAY_CREDENTIAL_TOKEN "prp-token"
#define RELAY_CREDENTIAL_REFRESH_TOKEN "prp-refresh-token"

/* Values of the State property of dev.prp.Relay1. */
#define RELAY_STATE_NAME_CONNECTING "connecting"
#define RELAY_STATE_NAME_CONNECTED "connected"
#define RELAY_STATE_NAME_WAITING "waiting"
#define RELAY_STATE_NAME_OFFLINE "offline"
#define RELAY_STATE_NAME_UNAUTHORIZED "unauthorized"
#define RELAY_STATE_NAME_DISCONNECTED "disconnected"

/* Values of the State property of dev.prp.Relay1.Channel, and of the states that Subscribe and Hold return. */
#define RELAY_CHANNEL_STATE_NAME_PENDING "pending"
#define RELAY_CHANNEL_STATE_NAME_ACTIVE "active"
#define RELAY_CHANNEL_STATE_NAME_REJECTED "rejected"

/* Options of Hold. */
#define RELAY_HOLD_OPTION_APP_ID "app-id"
#define RELAY_HOLD_OPTION_REASON "reason"

/* Keys of the filter of ListEvents. */
#define RELAY_FILTER_TYPES "types"
#define RELAY_FILTER_PRP "prp"
#define RELAY_FILTER_AGENT "agent"
#define RELAY_FILTER_PROJECT "project"
#define RELAY_FILTER_SINCE "since"
#define RELAY_FILTER_NEWEST "newest"
