// SPDX-License-Identifier: MIT
import GLib from 'gi://GLib';

import {makeShowable, unpackEvent, unpackSignal} from '../../../data/gnome-shell/lib/event.js';
import {makeEvent, toVariant} from './events.js';
import {equal, run} from './tap.js';

const unpack = (type, data) => unpackEvent(new GLib.Variant('a{sv}', makeEvent(7, type, data)));

run({
    'text of others is on one line, bounded, and turns nothing around': () => {
        equal(makeShowable(' a\n\tb\u0000c\u0085d\u2028e '), 'a b c d e');
        equal(makeShowable('a\u202eb\u2066c\u200fd'), 'abcd');
        equal(makeShowable('x'.repeat(1000)), `${'x'.repeat(199)}…`);
        equal([...makeShowable('😀'.repeat(1000))].length, 200);
        equal(makeShowable('<b>&"</b>'), '<b>&"</b>');
        equal(makeShowable('日本語 עברית'), '日本語 עברית');
    },

    'an event': () => {
        const event = unpack('agent.progress', {
            agentId: 'agent_1', prpId: 'prp_1', progress: 45, currentTask: 'Tests', completedTasks: ['a', 'b'],
        });
        equal(event, {
            sequence: 7, type: 'agent.progress', received: 7e6,
            texts: {prpId: 'prp_1', agentId: 'agent_1', currentTask: 'Tests'},
            numbers: {progress: 45}, changes: [], channels: [],
        });
        equal(unpack('agent.progress', {progress: 12.5}).numbers, {progress: 12.5});
    },

    'what is not of its type is as if it were not there': () => {
        equal(unpack('prp.created', {id: 1, name: null, status: ['active'], projectId: {}}).texts, {});
        equal(unpack('agent.progress', {progress: '45'}).numbers, {});
        equal(unpack('prp.created', 'not an object').texts, {});
        equal(unpack('prp.created', null).texts, {});
        equal(unpack('prp.updated', {id: 'prp_1', changes: 'all'}).changes, []);
        equal(unpack('relay.gap', {channels: {a: 1}}).channels, []);
        equal(unpackEvent(new GLib.Variant('a{sv}', {})),
            {sequence: 0, type: '', received: 0, texts: {}, numbers: {}, changes: [], channels: []});
        equal(unpackEvent(new GLib.Variant('a{sv}', {sequence: toVariant('1'), type: toVariant(1)})).type, '');
    },

    'changes, as many as are of use': () => {
        equal(unpack('prp.updated', {id: 'p', changes: {
            status: {old: 'pending', new: 'active'}, assignedAgent: {old: 'a', new: null}, tags: {new: [1]}, name: 'x',
        }}).changes.sort((a, b) => (a.member < b.member ? -1 : 1)), [
            {member: 'assignedAgent', value: null}, {member: 'name', value: null},
            {member: 'status', value: 'active'}, {member: 'tags', value: null},
        ]);
        const many = Object.fromEntries([...Array(1000).keys()].map(i => [`m${i}`, {new: 'x'}]));
        equal(unpack('prp.updated', {id: 'p', changes: many}).changes.length, 12);
    },

    'signals': () => {
        const dictionary = makeEvent(7, 'prp.deleted', {id: 'prp_1', projectId: 'p', reason: 'r'});
        equal(unpackSignal('PrpDeleted', new GLib.Variant('(sssa{sv})', ['prp_1', 'p', 'r', dictionary])),
            unpackEvent(new GLib.Variant('a{sv}', dictionary)));
        const gap = makeEvent(8, 'relay.gap', {since: 5, until: 6, cause: 'DNS', channels: ['prp:1'], sequence: 8}, 6);
        equal(unpackSignal('Gap', new GLib.Variant('(ttsast)', [5, 6, 'DNS', ['prp:1'], 8])),
            unpackEvent(new GLib.Variant('a{sv}', gap)));
    },

    'a gap, and as many of its channels as are of use': () => {
        const gap = unpack('relay.gap', {since: 1, until: 2, cause: 'TIMEOUT', channels: ['prp:1', 'prp:2'], sequence: 7});
        equal([gap.numbers, gap.texts, gap.channels], [{since: 1, until: 2}, {cause: 'TIMEOUT'}, ['prp:1', 'prp:2']]);
        equal(unpack('relay.gap', {channels: [...Array(1000).keys()].map(i => `prp:${i}`)}).channels.length, 50);
    },
});
