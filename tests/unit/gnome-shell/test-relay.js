// SPDX-License-Identifier: MIT
//
// The client, against a relay that does as it is told.

import {Bell} from '../../../data/gnome-shell/lib/bell.js';
import {Relay} from '../../../data/gnome-shell/lib/relay.js';
import {FakeBus, FakeRelay} from './fake-relay.js';
import {equal, run, settle, waitFor} from './tap.js';

const bus = new FakeBus();

/** A client with a listener that writes down what it is told; `cursor` is moved as the applet does it. */
class Client {
    constructor(cursor = {history: '', sequence: 0}, wanted = []) {
        this.cursor = cursor;
        this.events = [];
        this.slices = [];
        this.types = [];
        this.lost = 0;
        this.told = 0;
        this.relay = new Relay(cursor, 'to test', {
            statusChanged: () => this.told++,
            channelsChanged: () => this.told++,
            handle: events => {
                this.types.push(...events.map(event => event.type));
                this.slices.push(events.length);
                for (const event of events.filter(one => one.sequence > cursor.sequence)) {
                    this.events.push(event.sequence);
                    cursor.sequence = event.sequence;
                }
            },
            caughtUp: last => (cursor.sequence = Math.max(cursor.sequence, last)),
            lost: () => this.lost++,
        });
        this.relay.setWanted(wanted);
        this.relay.start();
    }

    get state() {
        return this.relay.status.state;
    }

    waitState(state) {
        return waitFor(() => this.state === state, () => `${state}; it is ${this.state}`);
    }

    waitEvents(...sequences) {
        const wanted = JSON.stringify(sequences);
        return waitFor(() => JSON.stringify(this.events) === wanted, () => `${wanted}; there is ${JSON.stringify(this.events)}`);
    }

    waitHeld(fake, ...channels) {
        const shown = () => JSON.stringify([...fake.held.values()]);
        return waitFor(() => shown() === JSON.stringify([channels]), () => `${channels} to be held; it is ${shown()}`);
    }
}

const range = (from, to) => [...Array(to - from + 1).keys()].map(i => from + i);

run({
    'no relay, a relay, another one, none': async () => {
        const client = new Client({history: '', sequence: 0}, ['prp:1']);
        equal(client.state, 'absent');
        let fake = new FakeRelay(bus);
        await client.waitState('connected');
        equal([client.relay.status.url, client.relay.status.lastAlive], ['wss://example.org/', 5e6]);
        await client.waitHeld(fake, 'prp:1');
        fake.stop();
        await client.waitState('absent');
        equal(client.relay.channels, [{name: 'prp:1', state: 'pending', text: ''}]);
        fake = new FakeRelay(bus);
        await client.waitState('connected');
        await client.waitHeld(fake, 'prp:1');
        client.relay.destroy();
        await waitFor(() => fake.held.size === 0, () => 'the hold to be released');
        fake.stop();
    },

    'states and troubles': async () => {
        const fake = new FakeRelay(bus);
        const client = new Client();
        await client.waitState('connected');
        fake.set({State: ['s', 'waiting'], LastError: ['(ss)', ['DNS', 'No\nname']], NextAttempt: ['t', 7e6]});
        await client.waitState('waiting');
        equal([client.relay.status.code, client.relay.status.text, client.relay.status.nextAttempt], ['DNS', 'No name', 7e6]);
        client.relay.disconnect();
        client.relay.connect();
        await waitFor(() => fake.count('Connect') === 1 && fake.count('Disconnect') === 1, () => 'both calls');
        client.relay.destroy();
        fake.stop();
    },

    'nobody to connect': async () => {
        const client = new Client();
        await waitFor(() => client.told > 0, () => 'the first word');
        equal(client.state, 'absent');
        client.relay.connect();
        await waitFor(() => client.relay.failure !== '', () => 'a failure');
        equal(client.relay.failure.includes('GDBus.Error'), false);
        client.relay.destroy();
    },

    'holds: what is wanted changes, without a moment without': async () => {
        const fake = new FakeRelay(bus);
        const client = new Client({history: '', sequence: 0}, ['prp:1', 'prp:2']);
        await client.waitHeld(fake, 'prp:1', 'prp:2');
        equal(fake.calls.find(([name]) => name === 'Hold'), ['Hold', ['prp:1', 'prp:2'], ['app-id', 'reason']]);
        client.relay.setWanted(['prp:2', 'prp:3']);
        await client.waitHeld(fake, 'prp:2', 'prp:3');
        const order = fake.calls.filter(([name]) => name === 'Hold' || name === 'Release').map(([name]) => name);
        equal(order, ['Hold', 'Hold', 'Release']);
        client.relay.setWanted(['prp:2', 'prp:3']);
        await settle();
        equal(fake.count('Hold'), 2);
        client.relay.setWanted([]);
        await waitFor(() => fake.held.size === 0, () => 'no hold');
        equal(fake.count('Hold'), 2);
        client.relay.destroy();
        fake.stop();
    },

    'a hold that is answered when nobody wants it any more': async () => {
        const fake = new FakeRelay(bus);
        fake.waitingHolds = [];
        const client = new Client({history: '', sequence: 0}, ['prp:1']);
        await waitFor(() => fake.waitingHolds.length === 1, () => 'Hold');
        client.relay.destroy();
        const {told} = client;
        fake.answerHolds();
        await waitFor(() => fake.count('Release') === 1, () => 'Release');
        equal([fake.held.size, client.told - told], [0, 0]);
        fake.stop();
    },

    'channels that are refused': async () => {
        const fake = new FakeRelay(bus);
        fake.rejects.add('prp:2');
        const client = new Client({history: '', sequence: 0}, ['prp:1', 'prp:2']);
        const shown = () => JSON.stringify(client.relay.channels);
        const rejected = '[{"name":"prp:1","state":"active","text":""},{"name":"prp:2","state":"rejected","text":""}]';
        await waitFor(() => shown() === rejected, shown);
        equal(client.relay.channelsInAll, 2);
        // On another connection it may be granted.
        fake.rejects.clear();
        fake.set({State: ['s', 'waiting']});
        await client.waitState('waiting');
        fake.set({State: ['s', 'connected']});
        await client.waitHeld(fake, 'prp:1', 'prp:2');
        await waitFor(() => shown() === rejected.replace('rejected', 'active'), shown);
        client.relay.destroy();
        fake.stop();
    },

    'all of them refused': async () => {
        const fake = new FakeRelay(bus);
        fake.refuses = 'There is no such channel';
        const client = new Client({history: '', sequence: 0}, ['prp:1']);
        const shown = () => JSON.stringify(client.relay.channels);
        await waitFor(() => shown() === '[{"name":"prp:1","state":"rejected","text":"There is no such channel"}]', shown);
        client.relay.destroy();
        fake.stop();
    },

    'channels of others, and very many of them': async () => {
        const fake = new FakeRelay(bus);
        fake.setChannel('prp:b', 'active');
        fake.setChannel('prp:a', 'pending', 'Full');
        const client = new Client();
        const shown = () => JSON.stringify(client.relay.channels);
        await waitFor(() => shown() === '[{"name":"prp:a","state":"pending","text":"Full"},{"name":"prp:b","state":"active","text":""}]',
            shown);
        fake.setChannel('prp:a', 'active');
        await waitFor(() => client.relay.channels[0].state === 'active', shown);
        const before = fake.count('GetManagedObjects');
        for (let i = 0; i < 1000; i++)
            fake.setChannel(`prp:${i}`, 'active');
        await waitFor(() => client.relay.channelsInAll === 1002, () => `1002; there are ${client.relay.channelsInAll}`);
        equal(client.relay.channels.length, 200);
        equal(fake.count('GetManagedObjects') - before < 20, true);
        client.relay.destroy();
        fake.stop();
    },

    'the first start takes the last events, not all': async () => {
        const fake = new FakeRelay(bus);
        for (let i = 0; i < 2000; i++)
            fake.add(i < 10 ? 'prp.created' : 'agent.progress', {}, {isSignalled: false});
        const client = new Client();
        await client.waitEvents(...range(1, 10), ...range(1501, 2000));
        await waitFor(() => client.cursor.sequence === 2000, () => 'the cursor');
        equal([client.cursor.history, client.lost], ['first', 0]);
        fake.add('prp.created', {});
        await waitFor(() => client.events.includes(2001), () => 'what comes then');
        client.relay.destroy();
        fake.stop();
    },

    'from the cursor on, page by page, a slice a turn': async () => {
        const fake = new FakeRelay(bus);
        fake.pageEvents = 30;
        for (let i = 0; i < 100; i++)
            fake.add(i % 2 ? 'prp.updated' : 'other', {}, {isSignalled: false});
        const client = new Client({history: 'first', sequence: 50});
        await client.waitEvents(...range(51, 100).filter(n => n % 2 === 0));
        await waitFor(() => client.cursor.sequence === 100, () => 'the cursor');
        equal([client.lost, Math.max(...client.slices)], [0, 10]);
        fake.add('prp.updated', {});
        await waitFor(() => client.cursor.sequence === 101, () => 'what comes then');
        client.relay.destroy();
        fake.stop();
    },

    'a flood is listed, not listened to': async () => {
        const fake = new FakeRelay(bus);
        const client = new Client({history: 'first', sequence: 0});
        await waitFor(() => fake.count('ListEvents') === 1, () => 'the first list');
        for (let i = 0; i < 2000; i++)
            fake.add('prp.updated', {});
        await client.waitEvents(...range(1, 2000));
        equal(fake.count('ListEvents') < 100, true);
        client.relay.destroy();
        fake.stop();
    },

    'nothing is missed while the relay is restarted, or we are away': async () => {
        const fake = new FakeRelay(bus);
        const client = new Client({history: 'first', sequence: 0});
        fake.add('prp.updated', {});
        await client.waitEvents(1);
        client.relay.destroy();
        fake.add('prp.updated', {});
        await settle();
        equal(client.events, [1]);
        const back = new Client(client.cursor);
        await back.waitEvents(2);
        fake.stop();
        await back.waitState('absent');
        const next = new FakeRelay(bus);
        next.lastSequence = 2;
        next.add('prp.updated', {}, {isSignalled: false});
        await back.waitEvents(2, 3);
        equal(back.lost, 0);
        back.relay.destroy();
        next.stop();
    },

    'a history that was cleared, is another one, or does not reach back': async () => {
        const fake = new FakeRelay(bus);
        fake.add('prp.created', {});
        const client = new Client({history: 'first', sequence: 0});
        await client.waitEvents(1);
        fake.clear();
        fake.add('prp.created', {});
        await waitFor(() => client.lost === 1 && client.cursor.history === 'after first', () => `it to be noticed; ${client.lost}`);
        await waitFor(() => client.cursor.sequence === 2, () => 'what is in the new one');
        client.relay.destroy();

        const far = new Client({history: 'after first', sequence: 900});
        await waitFor(() => far.lost === 1 && far.cursor.sequence === 2, () => 'a cursor beyond the end to be noticed');
        far.relay.destroy();

        fake.lastSequence = 50;
        fake.firstSequence = 40;
        fake.add('prp.created', {}, {isSignalled: false});
        const near = new Client({history: 'after first', sequence: 2});
        await waitFor(() => near.lost === 1 && near.cursor.sequence === 51, () => 'the hole to be noticed');
        near.relay.destroy();
        fake.stop();
    },

    'a relay without a history is listened to': async () => {
        const fake = new FakeRelay(bus);
        fake.keepsNothing = true;
        fake.add('prp.created', {});
        const client = new Client({history: 'first', sequence: 0});
        await waitFor(() => client.cursor.sequence === 1, () => 'the beginning');
        for (let i = 0; i < 50; i++)
            fake.add('prp.updated', {});
        await client.waitEvents(...range(2, 51));
        fake.addGap(5, 6, ['prp:1']);
        await client.waitEvents(...range(2, 52));
        equal([client.types[50], client.lost], ['relay.gap', 0]);
        // With more at once than are kept: it is said, and it goes on.
        for (let i = 0; i < 2000; i++)
            fake.add('prp.updated', {});
        await waitFor(() => client.lost > 0, () => 'it to be said');
        fake.keepsNothing = false;
        fake.add('prp.updated', {});
        await waitFor(() => client.cursor.sequence === 2053, () => 'a history to be used again');
        equal(client.events.length < 2052, true);
        client.relay.destroy();
        fake.stop();
    },

    'the newest events, in order': async () => {
        const fake = new FakeRelay(bus);
        for (let i = 0; i < 50; i++)
            fake.add(i % 2 ? 'prp.updated' : 'error', {message: `${i}`}, {isSignalled: false});
        const client = new Client();
        const bell = new Bell(0, async () => {});
        equal(await client.relay.listNewest(5, null, bell), []);
        await client.waitState('connected');
        const events = await client.relay.listNewest(15, ['error'], bell);
        equal(events.map(event => event.sequence), range(21, 49).filter(n => n % 2 === 1));
        equal(events[14].texts.message, '48');
        client.relay.destroy();
        bell.destroy();
        fake.stop();
    },

    'a hundred times on and off: nothing is left': async () => {
        const fake = new FakeRelay(bus);
        fake.add('prp.created', {});
        const cursor = {history: 'first', sequence: 0};
        const clients = [];
        for (let i = 0; i < 100; i++) {
            const client = new Client(cursor, ['prp:1']);
            clients.push(client);
            // Now and then it is so short that nothing has come of it.
            if (i % 3 > 0)
                await waitFor(() => client.state === 'connected' && (i % 3 > 1 || fake.held.size > 0), () => 'it to begin');
            client.relay.destroy();
        }
        const told = clients.map(client => client.told);
        await waitFor(() => fake.held.size === 0 && fake.count('Hold') === fake.count('Release'), () =>
            `no hold; ${fake.count('Hold')}, ${fake.count('Release')}`);
        const lists = fake.count('ListEvents');
        fake.add('prp.created', {});
        fake.set({State: ['s', 'offline']});
        fake.setChannel('prp:9', 'active');
        await settle();
        equal(fake.count('ListEvents'), lists);
        equal(clients.map(client => client.told), told);
        fake.stop();
    },

    'the bus ends': async () => {
        const client = new Client();
        await waitFor(() => client.told > 0, () => 'the first word');
        const fake = new FakeRelay(bus);
        await client.waitState('connected');
        bus.stop();
        await client.waitState('absent');
        client.relay.connect();
        await waitFor(() => client.relay.failure !== '', () => 'a failure');
        client.relay.destroy();
        await settle();
        fake.stop();
    },
});
