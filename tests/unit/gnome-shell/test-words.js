// SPDX-License-Identifier: MIT
import * as Words from '../../../data/gnome-shell/lib/words.js';
import {equal, run} from './tap.js';

const formatTime = usec => `@${usec}`;
const nameOf = id => ({prp_1: 'Implement <b>&"'})[id] ?? id;
const status = (state, more = {}) => ({state, code: '', text: '', nextAttempt: 0, lastAlive: 0, url: '', ...more});
const prp = more => ({
    id: 'prp_1', name: 'Name', project: '', status: 'active', priority: '', agent: '', task: '', progress: null, first: 1,
    updated: 5, ended: 0, doubt: false, ...more,
});
const say = (type, texts, numbers = {}) =>
    Words.eventSentence({sequence: 1, type, received: 1, texts, numbers, changes: [], channels: []}, nameOf, formatTime);

run({
    'templates': () => {
        equal(Words.fill('%s is %d%%', 'a', 5), 'a is 5%');
        equal(Words.fill('%2$s, then %1$s', 'a', 'b'), 'b, then a');
        equal(Words.fill('%s', '%s $1 %2$s'), '%s $1 %2$s');
        equal(Words.fill('%s and %s', 'a'), 'a and ');
    },

    'each state has a title; what is not good has words': () => {
        for (const state of ['connected', 'connecting', 'waiting', 'offline', 'unauthorized', 'disconnected', 'absent'])
            equal([state, Words.stateTitle(status(state), formatTime, 0) !== state], [state, true]);
        equal(Words.stateTitle(status('new one'), formatTime, 0), 'new one');
        for (const state of ['offline', 'unauthorized', 'disconnected', 'absent'])
            equal([state, Words.troubleText(status(state), '') !== ''], [state, true]);
        equal(Words.troubleText(status('connected'), ''), '');
        equal(Words.troubleText(status('waiting', {text: 'It rains.'}), ''), 'It rains.');
        equal(Words.troubleText(status('waiting', {text: 'It rains.'}), 'No.'), 'No.');
        equal(Words.indicatorName('Connected'), 'PRP relay: Connected');
        equal([Words.statusName('Connected', ''), Words.statusName('Offline', 'No.')], ['Connected', 'Offline: No.']);
    },

    'when it is tried again': () => {
        const title = nextAttempt => Words.stateTitle(status('waiting', {nextAttempt}), formatTime, 1e9);
        equal(title(1e9 + 61e6), 'Trying again at @1061000000');
        equal([title(1e9 + 60e6), title(0)], ['Trying again soon', 'Trying again soon']);
    },

    'until when it is right': () => {
        equal(Words.asOf(7, formatTime), 'Correct as of @7');
        equal(Words.asOf(0, formatTime), 'This may be out of date');
    },

    'gaps': () => {
        equal(Words.gapSentence({since: 5, until: 9}, formatTime), 'Events between @5 and @9 may have been missed.');
        equal(Words.gapSentence({since: 1, until: 9}, formatTime), 'Events until @9 may have been missed.');
        equal(Words.gapSentence({since: 5, until: 9}, () => '14:02'), 'Events at about 14:02 may have been missed.');
    },

    'PRPs': () => {
        equal(Words.prpDetails(prp({})), 'active');
        equal(Words.prpDetails(prp({agent: 'agent_1'})), 'active · agent_1');
        equal(Words.prpDetails(prp({agent: 'agent_1', task: 'Tests'})), 'active · agent_1 · Tests');
        equal(Words.prpDetails(prp({status: 'completed', agent: 'agent_1', task: 'Tests', ended: 1})), 'completed · agent_1');
        equal(Words.prpDetails(prp({status: 'in review'})), 'in review');
        equal(Words.prpDetails(prp({status: ''})), 'unknown');
        equal(Words.prpName(prp({agent: 'agent_1', progress: 45.9})), 'Name: active · agent_1, 45%');
        equal(Words.prpName(prp({progress: 45, ended: 1})), 'Name: active');
        equal([Words.doubtText(prp({}), formatTime), Words.doubtText(prp({doubt: true}), formatTime)],
            ['', 'May have changed since @5']);
        equal([Words.morePrps(1), Words.morePrps(2)], ['1 more PRP', '2 more PRPs']);
    },

    'events': () => {
        equal(say('prp.created', {id: 'prp_2', name: 'New'}), '“New” was created');
        equal(say('prp.created', {id: 'prp_2'}), '“prp_2” was created');
        equal(say('prp.updated', {id: 'prp_1'}), '“Implement <b>&"” was updated');
        equal(say('prp.status_changed', {id: 'prp_1', newStatus: 'completed'}), '“Implement <b>&"” is now completed');
        equal(say('prp.status_changed', {id: 'prp_1', newStatus: 'odd', reason: 'Why %s'}),
            '“Implement <b>&"” is now odd: Why %s');
        equal(say('prp.deleted', {id: 'prp_2', projectId: 'p'}), '“prp_2” was deleted');
        equal(say('prp.deleted', {id: 'prp_2', reason: 'Twice'}), '“prp_2” was deleted: Twice');
        equal(say('agent.assigned', {agentId: 'a', prpId: 'prp_2'}), 'a was assigned to “prp_2”');
        equal(say('agent.progress', {agentId: 'a', prpId: 'prp_2'}, {progress: 45.7}), 'a has done 45% of “prp_2”');
        equal(say('error', {code: 'RATE_LIMITED', message: 'Slowly.'}), 'The service reports an error: Slowly.');
        equal(say('error', {code: 'RATE_LIMITED'}), 'The service reports an error: RATE_LIMITED');
        equal(say('relay.gap', {}, {since: 5, until: 9}), 'Events between @5 and @9 may have been missed.');
        equal(say('team.created', {id: 'x'}), 'An event of type team.created');
        equal(Words.eventName('14:02', 'It rains'), '14:02: It rains');
    },

    'channels': () => {
        equal(Words.channelState({name: 'a:b', state: 'active', text: ''}), 'Active');
        equal(Words.channelState({name: 'a:b', state: 'pending', text: ''}), 'Pending');
        equal(Words.channelState({name: 'a:b', state: 'rejected', text: ''}), 'Rejected');
        equal(Words.channelName({name: 'a:b', state: 'rejected', text: 'No.'}), 'a:b: Rejected: No.');
        equal(Words.channelState({name: 'a:b', state: 'else', text: ''}), 'else');
        equal([Words.moreChannels(1), Words.moreChannels(5)], ['1 more channel', '5 more channels']);
    },
});
