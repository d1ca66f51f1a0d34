// SPDX-License-Identifier: MIT
import {isChannel, Model} from '../../../data/gnome-shell/lib/model.js';
import {equal, run} from './tap.js';

const MINUTE = 60e6;
const DAY = 24 * 60 * MINUTE;

let sequence = 0;

/** An event as event.js gives it. */
function event(type, texts, {numbers = {}, changes = [], channels = [], at = undefined} = {}) {
    sequence++;
    return {sequence, type, received: at ?? sequence * 1e6, texts, numbers, changes, channels};
}

function feed(model, ...events) {
    for (const one of events)
        model.apply(one);
}

const created = (id, more = {}, options = {}) =>
    event('prp.created', {id, name: `Name of ${id}`, projectId: 'proj_1', status: 'pending', priority: 'high', ...more}, options);
const progress = (id, percent, options = {}) =>
    event('agent.progress', {prpId: id, agentId: 'agent_1', currentTask: 'Tests'}, {numbers: {progress: percent}, ...options});
const status = (id, newStatus, options = {}) => event('prp.status_changed', {id, newStatus}, options);
const list = (model, now = sequence * 1e6, ended = 15 * MINUTE) => model.list(now, ended);
const ids = (...args) => list(...args).map(prp => prp.id);

run({
    'the life of a PRP': () => {
        const model = new Model();
        feed(model, created('prp_1'));
        equal(list(model)[0], {
            id: 'prp_1', name: 'Name of prp_1', project: 'proj_1', status: 'pending', priority: 'high', agent: '', task: '',
            progress: null, first: sequence, updated: sequence * 1e6, ended: 0, doubt: false,
        });
        feed(model, event('agent.assigned', {prpId: 'prp_1', agentId: 'agent_1', priority: 'low'}));
        equal([list(model)[0].agent, list(model)[0].priority], ['agent_1', 'low']);
        feed(model, event('prp.updated', {id: 'prp_1'}, {changes: [
            {member: 'status', value: 'active'}, {member: 'name', value: 'Another'}, {member: 'colour', value: 'red'}]}));
        equal([list(model)[0].status, list(model)[0].name], ['active', 'Another']);
        feed(model, progress('prp_1', 45));
        equal([list(model)[0].progress, list(model)[0].task], [45, 'Tests']);
        feed(model, status('prp_1', 'completed'));
        equal([list(model)[0].status, list(model)[0].ended], ['completed', sequence * 1e6]);
        const later = sequence * 1e6 + 15 * MINUTE;
        equal(list(model, later - 1).length, 1);
        equal(list(model, later).length, 0);
        equal(list(model, sequence * 1e6, 0).length, 0);
        feed(model, event('prp.deleted', {id: 'prp_1', projectId: 'proj_1'}));
        equal(list(model).length, 0);
        equal(model.nameOf('prp_1'), 'Another');
    },

    'a PRP whose beginning was not seen': () => {
        const model = new Model();
        feed(model, progress('prp_1', 10));
        equal(list(model).map(prp => [prp.name, prp.agent, prp.progress]), [['prp_1', 'agent_1', 10]]);
        equal(model.nameOf('prp_9'), 'prp_9');
    },

    'an agent that does not know of the end yet': () => {
        const model = new Model();
        feed(model, created('prp_1'), event('prp.deleted', {id: 'prp_1'}), progress('prp_1', 90));
        equal(ids(model), []);
        feed(model, created('prp_1'));
        equal(ids(model), ['prp_1']);
    },

    'one that is taken up again': () => {
        const model = new Model();
        feed(model, created('prp_1'), status('prp_1', 'FAILED'));
        equal(list(model)[0].ended, sequence * 1e6);
        feed(model, status('prp_1', 'active'));
        equal(list(model)[0].ended, 0);
    },

    'an agent that is taken away, or another one': () => {
        const model = new Model();
        feed(model, created('prp_1'), progress('prp_1', 10), event('agent.assigned', {prpId: 'prp_1', agentId: 'agent_2'}));
        equal([list(model)[0].agent, list(model)[0].task], ['agent_2', '']);
        feed(model, event('prp.updated', {id: 'prp_1'}, {changes: [{member: 'assignedAgent', value: null}]}));
        equal(list(model)[0].agent, '');
    },

    'progress beyond all bounds': () => {
        const model = new Model();
        for (const [told, shown] of [[-5, 0], [0, 0], [33.3, 33.3], [100, 100], [1e9, 100], [NaN, 0], [Infinity, 0]]) {
            feed(model, progress('prp_1', told));
            equal(list(model)[0].progress, shown);
        }
    },

    'events without what they are about': () => {
        const model = new Model();
        feed(model, event('prp.created', {}), event('agent.progress', {agentId: 'a'}), event('prp.deleted', {}),
            event('unheard.of', {id: 'prp_1'}), event('prp.status_changed', {newStatus: 'active'}), event('', {}));
        equal(ids(model), []);
        equal(model.cursor.sequence, sequence);
    },

    'what was seen before has no effect': () => {
        const model = new Model();
        const old = status('prp_1', 'completed');
        feed(model, created('prp_1'), status('prp_1', 'active'), old);
        equal(list(model)[0].status, 'active');
    },

    'order: work, then what waits, then what ended; progress moves nothing': () => {
        const model = new Model();
        feed(model, created('waits'), created('works', {status: 'active'}), created('ended'), created('late', {status: 'active'}),
            status('ended', 'completed'));
        equal(ids(model), ['late', 'works', 'waits', 'ended']);
        feed(model, progress('works', 50));
        equal(ids(model), ['late', 'works', 'waits', 'ended']);
        feed(model, progress('waits', 1));
        equal(ids(model), ['late', 'works', 'waits', 'ended']);
    },

    'bounded: what ended goes first, then what was quiet for longest': () => {
        const model = new Model();
        feed(model, created('ended'), status('ended', 'completed'), created('quiet'));
        for (let i = 0; i < 98; i++)
            feed(model, created(`prp_${i}`));
        equal(list(model).length, 100);
        feed(model, created('one more'));
        equal([list(model).length, ids(model).includes('ended'), ids(model).includes('quiet')], [100, false, true]);
        feed(model, created('another'));
        equal([list(model).length, ids(model).includes('quiet')], [100, false]);
        for (let i = 0; i < 500; i++)
            feed(model, event('prp.deleted', {id: `gone_${i}`}));
        equal(model.keep().deleted.length, 100);
        equal(JSON.stringify(model.keep()).length < 100000, true);
    },

    'nothing heard for two weeks': () => {
        const model = new Model();
        feed(model, created('prp_1'));
        equal(ids(model, sequence * 1e6 + 14 * DAY - 1), ['prp_1']);
        equal(ids(model, sequence * 1e6 + 14 * DAY), []);
    },

    'a gap puts what may be on its channels in doubt, until it is heard again': () => {
        const doubt = (...channels) => {
            const model = new Model();
            feed(model, created('prp_1'), created('prp_2', {projectId: 'proj_2'}), progress('prp_2', 5));
            const until = sequence * 1e6;
            feed(model, event('relay.gap', {cause: 'TIMEOUT'}, {numbers: {since: until - 1, until}, channels}));
            return list(model).filter(prp => prp.doubt).map(prp => prp.id).sort();
        };
        equal(doubt('project:proj_1'), ['prp_1']);
        equal(doubt('project:proj_2', 'project:proj_3'), ['prp_2']);
        equal(doubt('prp:prp_2'), ['prp_2']);
        equal(doubt('agent:agent_1'), ['prp_2']);
        equal(doubt('agent:agent_9'), []);
        equal(doubt('team:x'), ['prp_1', 'prp_2']);
        equal(doubt(), ['prp_1', 'prp_2']);

        const model = new Model();
        feed(model, created('prp_1'));
        feed(model, event('relay.gap', {}, {numbers: {since: 1, until: sequence * 1e6}, channels: ['project:proj_1']}));
        equal(list(model)[0].doubt, true);
        feed(model, progress('prp_1', 5));
        equal(list(model)[0].doubt, false);
        // Heard after the gap already: events of that time came before it was told.
        feed(model, event('relay.gap', {}, {numbers: {since: 1, until: sequence * 1e6 - 1}, channels: ['project:proj_1']}));
        equal(list(model)[0].doubt, false);
    },

    'a gap is told until it was seen, and not for ever': () => {
        const model = new Model();
        equal(model.unseenGap(0), null);
        feed(model, event('relay.gap', {}, {numbers: {since: 5, until: 1000}, channels: ['prp:1']}));
        equal(model.unseenGap(2000), {since: 5, until: 1000});
        equal(model.unseenGap(1000 + DAY), null);
        model.markGapSeen();
        equal(model.unseenGap(2000), null);
        equal(new Model(model.keep()).unseenGap(2000), null);
        feed(model, event('relay.gap', {}, {numbers: {since: 1500, until: 1600}, channels: ['prp:1']}));
        equal(new Model(model.keep()).unseenGap(2000), {since: 1500, until: 1600});
    },

    'a history that was lost': () => {
        const model = new Model();
        feed(model, created('prp_1'));
        model.noteLoss(5000);
        equal([list(model)[0].doubt, model.unseenGap(5000)], [true, {since: 0, until: 5000}]);
    },

    'kept, and gone on from': () => {
        const model = new Model();
        model.cursor.history = 'history';
        model.setUrl('wss://a/');
        model.asOf = 5;
        feed(model, created('prp_1'), progress('prp_1', 45), created('prp_2'), event('prp.deleted', {id: 'prp_2'}));
        const kept = JSON.parse(JSON.stringify(model.keep()));
        const next = new Model(kept);
        equal(next.keep(), kept);
        equal([next.cursor, next.asOf, next.nameOf('prp_2')], [{history: 'history', sequence}, 5, 'Name of prp_2']);
        // They have nothing in common.
        feed(next, progress('prp_1', 60));
        equal([list(model)[0].progress, list(next)[0].progress], [45, 60]);
    },

    'kept by something else': () => {
        for (const kept of [undefined, null, 1, 'x', [], {}, {version: 0, prps: 1}, {version: 99}, {version: 1},
            {version: 1, prps: [null]}, {version: 1, prps: [], deleted: 5}])
            equal(new Model(kept).keep(), new Model().keep());

        const model = new Model();
        feed(model, created('prp_1'), event('relay.gap', {}, {numbers: {since: 1, until: 2}}), event('prp.deleted', {id: 'x'}));
        const kept = model.keep();
        const empty = new Model().keep();
        equal(new Model(kept).keep(), kept);
        for (const key of Object.keys(kept))
            equal([key, new Model({...kept, [key]: undefined}).keep()], [key, empty]);
        for (const key of Object.keys(kept.prps[0]))
            equal([key, new Model({...kept, prps: [{...kept.prps[0], [key]: {}}]}).keep()], [key, empty]);
        equal(new Model({...kept, prps: Array(101).fill(kept.prps[0])}).keep(), empty);
        equal(new Model({...kept, cursor: {history: 1, sequence: 1}}).keep(), empty);
    },

    'another service has other PRPs': () => {
        const model = new Model();
        model.setUrl('wss://a/');
        feed(model, created('prp_1'));
        model.setUrl('wss://a/');
        equal(ids(model), ['prp_1']);
        model.setUrl('wss://b/');
        equal([ids(model), model.nameOf('prp_1')], [[], 'prp_1']);
    },

    'names of channels': () => {
        for (const name of ['project:proj_1', 'a:b', 'prp:a:b', `x:${'y'.repeat(253)}`])
            equal([name, isChannel(name)], [name, true]);
        for (const name of ['', ':', 'project:', ':id', 'project', 'project: x', 'projekt:ä', 'a:b\n', `x:${'y'.repeat(254)}`])
            equal([name, isChannel(name)], [name, false]);
    },
});
