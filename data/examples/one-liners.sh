#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The relay from a terminal or a script, with the tools that every desktop has. This is a list to copy from: run as a
# whole it only says so. Commands that end with "monitor" go on until Ctrl-C. (With prpctl all of it is shorter; see
# prpctl(1). What there is on the bus is described in dev.prp.Relay1(5).)
set -eu
echo "This is a list to copy from: ${0}" && exit 0

# -- the relay

# How is it? And why?
busctl --user get-property dev.prp.Relay1 /dev/prp/Relay1 dev.prp.Relay1 State LastError

# All that it says of itself.
gdbus introspect --session --dest dev.prp.Relay1 --object-path /dev/prp/Relay1 --only-properties

# Connect now, whatever it was waiting for.
busctl --user call dev.prp.Relay1 /dev/prp/Relay1 dev.prp.Relay1 Connect

# Microseconds to the server and back.
gdbus call --session --dest dev.prp.Relay1 --object-path /dev/prp/Relay1 --method dev.prp.Relay1.Ping

# -- channels

# Subscribe for good, until Unsubscribe. The answer says what became of each channel.
busctl --user call dev.prp.Relay1 /dev/prp/Relay1 dev.prp.Relay1 Subscribe as 2 project:proj_123456 agent:agent_001
gdbus call --session --dest dev.prp.Relay1 --object-path /dev/prp/Relay1 --method dev.prp.Relay1.Subscribe "['prp:prp_789012']"

# All channels, with their state and who wants them, as JSON.
busctl --user --json=pretty call dev.prp.Relay1 /dev/prp/Relay1 org.freedesktop.DBus.ObjectManager GetManagedObjects

# One of them: the colon and all else that a path cannot have in it is written as _3a and so on.
busctl --user get-property dev.prp.Relay1 /dev/prp/Relay1/channel/project_3aproj_5f123456 dev.prp.Relay1.Channel State

# No more of it.
busctl --user call dev.prp.Relay1 /dev/prp/Relay1 dev.prp.Relay1 Unsubscribe as 1 prp:prp_789012

# -- events, as they come

# All of them.
gdbus monitor --session --dest dev.prp.Relay1 --object-path /dev/prp/Relay1

# By the first argument: the bus passes on what is about one PRP, and wakes nobody for the others.
dbus-monitor --session "type='signal',interface='dev.prp.Relay1.Events',arg0='prp_789012'"

# By the second: in AgentAssigned and AgentProgress that is the PRP, and the agent is the first.
dbus-monitor --session "type='signal',interface='dev.prp.Relay1.Events',member='AgentProgress',arg1='prp_789012'"

# By the third: in PrpStatusChanged that is the new status. One JSON object a line.
busctl --user --json=short --match="interface='dev.prp.Relay1.Events',member='PrpStatusChanged',arg2='completed'" monitor

# The ids of all PRPs that are completed.
busctl --user --json=short --match="interface='dev.prp.Relay1.Events',member='PrpStatusChanged',arg2='completed'" monitor |
    jq --unbuffered --raw-output 'select(.member == "PrpStatusChanged") | .payload.data[0]'

# What may have been missed: since, until, why, on which channels.
busctl --user --match="interface='dev.prp.Relay1.Events',member='Gap'" monitor

# -- events that were

# The newest 10 about one PRP.
busctl --user --json=short call dev.prp.Relay1 /dev/prp/Relay1 dev.prp.Relay1.History \
    ListEvents 'tua{sv}' 0 10 2 newest b true prp s prp_789012 | jq '.data[0][]'

# Those of some types, from the beginning on.
gdbus call --session --dest dev.prp.Relay1 --object-path /dev/prp/Relay1 \
    --method dev.prp.Relay1.History.ListEvents 0 10 "{'types': <['prp.created', 'relay.*']>}"

# Where the history begins and ends, and which it is.
busctl --user get-property dev.prp.Relay1 /dev/prp/Relay1 dev.prp.Relay1.History HistoryId FirstSequence LastSequence
