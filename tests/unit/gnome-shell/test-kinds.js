// SPDX-License-Identifier: MIT
import {eventFilter, KINDS, OTHER_KIND} from '../../../data/gnome-shell/lib/kinds.js';
import {equal, run} from './tap.js';

const filter = (...on) => eventFilter({get_boolean: key => on.includes(key)}, 8);
const all = Object.keys(KINDS);

run({
    'everything': () => {
        const {types, limit, matches} = filter(...all, OTHER_KIND);
        equal([types, limit, matches({type: 'prp.created'}), matches({type: 'x'})], [null, 8, true, true]);
    },
    'some': () => {
        const {types, limit, matches} = filter('event-created', 'event-gap');
        equal([types, limit], [['prp.created', 'relay.gap'], 8]);
        equal([matches({type: 'relay.gap'}), matches({type: 'error'}), matches({type: 'x'})], [true, false, false]);
    },
    'some, and what is none of them': () => {
        const {types, limit, matches} = filter('event-created', OTHER_KIND);
        equal([types, limit > 8], [null, true]);
        equal([matches({type: 'prp.created'}), matches({type: 'error'}), matches({type: 'x'})], [true, false, true]);
    },
    'nothing': () => equal(filter().limit, 0),
});
