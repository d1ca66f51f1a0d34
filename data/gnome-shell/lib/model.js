// SPDX-License-Identifier: MIT
//
// What is known of the PRPs, put together from events. Pure: no bus, no clock, no widgets; times are handed in (µs since
// 1970). Bounded: of more than MAX_PRPS those that ended first go first, then those that were quiet for longest.
//
// A list that is made of events is only as good as the events that came. So each PRP knows when it was last heard of,
// and whether something may have been missed since (`doubt`): a gap of the relay on a channel that it may belong to, or
// a history that was lost. The next event about it takes the doubt away.
//
// All of it goes to plain data and back (`keep`, and the constructor), so that the lock screen, or the end of the
// session, forgets nothing.

const MAX_PRPS = 100;
const MAX_DELETED = 100; // names of PRPs that are gone, for the recent events that tell of them
const GAP_USEC = 24 * 3600 * 1e6; // a gap that long ago is not told any more
const STALE_USEC = 14 * 24 * 3600 * 1e6; // nothing heard for that long: not active, whatever its status was
const KEPT_VERSION = 1;

// Statuses are the service's own words; these are those that are understood. Any other one counts as work under way.
const ENDED = new Set(['completed', 'done', 'failed', 'cancelled', 'canceled', 'rejected', 'closed', 'archived', 'merged']);
const WAITING = new Set(['', 'pending', 'queued', 'draft', 'blocked', 'paused', 'on_hold']);

/**
 * @typedef {import('./event.js').RelayEvent} RelayEvent
 *
 * @typedef {object} Prp
 * @property {string} id
 * @property {string} name what it is called; its id where that is not known
 * @property {string} project
 * @property {string} status
 * @property {string} priority
 * @property {string} agent
 * @property {string} task what the agent does
 * @property {number|null} progress per cent, 0 … 100; null where none was told
 * @property {number} first number of the first event that told of it
 * @property {number} updated when it was last heard of
 * @property {number} ended when it ended; 0 as long as it has not
 * @property {boolean} doubt something may have been missed since
 *
 * @typedef {object} Gap
 * @property {number} since 1 or less: not known
 * @property {number} until
 *
 * @typedef {object} Cursor
 * @property {string} history HistoryId; empty at the very first start
 * @property {number} sequence
 */

/**
 * Whether the relay takes it as a channel's name.
 *
 * @param {string} text
 * @returns {boolean}
 */
export function isChannel(text) {
    return text.length <= 255 && /^[!-9;-~]+:[!-~]+$/.test(text);
}

/**
 * @param {number} progress
 * @returns {number}
 */
function clampProgress(progress) {
    return Number.isFinite(progress) ? Math.min(Math.max(progress, 0), 100) : 0;
}

/**
 * @param {Prp} prp
 * @param {string} channel
 * @returns {boolean}
 */
function mayBeOn(prp, channel) {
    const [kind, id] = [channel.slice(0, channel.indexOf(':')), channel.slice(channel.indexOf(':') + 1)];
    switch (kind) {
    case 'prp':
        return prp.id === id;
    case 'project':
        return prp.project === id || prp.project === '';
    case 'agent':
        return prp.agent === id;
    default:
        return true;
    }
}

/**
 * A PRP of which nothing is known.
 *
 * @param {string} id
 * @param {number} first
 * @returns {Prp}
 */
function makePrp(id, first) {
    return {
        id, name: id, project: '', status: '', priority: '', agent: '', task: '', progress: null, first, updated: 0, ended: 0,
        doubt: false,
    };
}

/**
 * Whether an object has all members of another one, of the same types.
 *
 * @param {any} object
 * @param {Record<string, any>} like
 * @returns {boolean}
 */
function isLike(object, like) {
    return typeof object === 'object' && object !== null &&
        Object.entries(like).every(([key, value]) => typeof object[key] === typeof value);
}

/**
 * Whether it is what keep() gives: it may come from a file, which anybody can write.
 *
 * @param {any} kept
 * @returns {boolean}
 */
function isKept(kept) {
    if (!isLike(kept, {version: 0, isGapSeen: false, url: '', asOf: 0}) || kept.version !== KEPT_VERSION)
        return false;
    const {progress: _progress, ...prp} = makePrp('', 0);
    return Array.isArray(kept.prps) && kept.prps.length <= MAX_PRPS && Array.isArray(kept.deleted) &&
        isLike(kept.cursor, {history: '', sequence: 0}) && (kept.gap === null || isLike(kept.gap, {since: 0, until: 0})) &&
        kept.prps.every((/** @type {any} */ one) =>
            isLike(one, prp) && (one.progress === null || typeof one.progress === 'number')) &&
        kept.deleted.every((/** @type {any} */ one) =>
            Array.isArray(one) && typeof one[0] === 'string' && typeof one[1] === 'string');
}

export class Model {
    /**
     * @param {any} [kept] what keep() gave, or anything else, which is then not used
     */
    constructor(kept) {
        /** @type {Map<string, Prp>} */
        this._prps = new Map();
        /** @type {Map<string, string>} */
        this._deleted = new Map();
        /** @type {Gap|null} the last one */
        this.gap = null;
        this._isGapSeen = false; // by the person
        /** @type {Cursor} */
        this.cursor = {history: '', sequence: 0};
        /** @type {string} whose PRPs these are */
        this.url = '';
        /** @type {number} what is here was right at that time; 0 if not known */
        this.asOf = 0;
        if (isKept(kept))
            this._restore(kept);
    }

    /** @param {any} kept */
    _restore(kept) {
        for (const prp of kept.prps)
            this._prps.set(prp.id, {...prp});
        this._deleted = new Map(kept.deleted);
        this.gap = kept.gap;
        this._isGapSeen = kept.isGapSeen;
        this.cursor = {...kept.cursor};
        this.url = kept.url;
        this.asOf = kept.asOf;
    }

    /** Plain data, for another Model to go on from. */
    keep() {
        return {
            version: KEPT_VERSION,
            prps: [...this._prps.values()].map(prp => ({...prp})),
            deleted: [...this._deleted],
            gap: this.gap,
            isGapSeen: this._isGapSeen,
            cursor: {...this.cursor},
            url: this.url,
            asOf: this.asOf,
        };
    }

    /**
     * Another service has other PRPs.
     *
     * @param {string} url
     */
    setUrl(url) {
        if (this.url !== '' && this.url !== url) {
            this._prps.clear();
            this._deleted.clear();
        }
        this.url = url;
    }

    /**
     * Takes an event in; those that were seen before have no effect.
     *
     * @param {RelayEvent} event
     */
    apply(event) {
        if (event.sequence <= this.cursor.sequence)
            return;
        this.cursor.sequence = event.sequence;
        const {texts} = event;
        switch (event.type) {
        case 'prp.created':
            this._change(texts.id, event, prp => {
                prp.name = texts.name || prp.id;
                prp.project = texts.projectId ?? '';
                prp.priority = texts.priority ?? '';
                prp.status = texts.status ?? '';
            });
            break;
        case 'prp.updated':
            this._change(texts.id, event, prp => this._update(prp, event));
            break;
        case 'prp.status_changed':
            this._change(texts.id, event, prp => (prp.status = texts.newStatus ?? ''));
            break;
        case 'prp.deleted':
            this._delete(texts.id);
            break;
        case 'agent.assigned':
            this._change(texts.prpId, event, prp => {
                if (prp.agent !== texts.agentId)
                    prp.task = '';
                prp.agent = texts.agentId ?? '';
                prp.priority = texts.priority || prp.priority;
            });
            break;
        case 'agent.progress':
            this._change(texts.prpId, event, prp => {
                prp.agent = texts.agentId ?? prp.agent;
                prp.task = texts.currentTask ?? '';
                prp.progress = clampProgress(event.numbers.progress ?? 0);
            });
            break;
        case 'relay.gap':
            this._noteGap(event);
            break;
        }
    }

    /**
     * @param {Prp} prp
     * @param {RelayEvent} event
     */
    _update(prp, event) {
        for (const {member, value} of event.changes) {
            if (member === 'name')
                prp.name = value || prp.id;
            else if (member === 'status')
                prp.status = value ?? '';
            else if (member === 'priority')
                prp.priority = value ?? '';
            else if (member === 'assignedAgent')
                prp.agent = value ?? '';
        }
    }

    /**
     * @param {string|undefined} id
     * @param {RelayEvent} event
     * @param {(prp: Prp) => void} change
     */
    _change(id, event, change) {
        // What is told of a PRP after its end, by an agent that does not know yet, does not bring it back.
        if (!id || this._deleted.has(id) && event.type !== 'prp.created')
            return;
        this._deleted.delete(id);
        const prp = this._prps.get(id) ?? makePrp(id, event.sequence);
        change(prp);
        prp.updated = event.received;
        prp.doubt = false;
        if (!ENDED.has(prp.status.toLowerCase()))
            prp.ended = 0;
        else if (prp.ended === 0)
            prp.ended = event.received;
        this._prps.set(id, prp);
        if (this._prps.size > MAX_PRPS)
            this._forgetOne();
    }

    _forgetOne() {
        let oldest = null;
        for (const prp of this._prps.values()) {
            if (oldest === null || (prp.ended > 0 && oldest.ended === 0) ||
                ((prp.ended > 0) === (oldest.ended > 0) && prp.updated < oldest.updated))
                oldest = prp;
        }
        if (oldest !== null)
            this._prps.delete(oldest.id);
    }

    /** @param {string|undefined} id */
    _delete(id) {
        if (!id)
            return;
        this._deleted.set(id, this.nameOf(id));
        this._prps.delete(id);
        if (this._deleted.size > MAX_DELETED)
            this._deleted.delete([...this._deleted.keys()][0]);
    }

    /** @param {RelayEvent} event */
    _noteGap(event) {
        const {since = 0, until = 0} = event.numbers;
        this.gap = {since, until};
        this._isGapSeen = false;
        for (const prp of this._prps.values()) {
            if (prp.updated <= until && (event.channels.length === 0 || event.channels.some(c => mayBeOn(prp, c))))
                prp.doubt = true;
        }
    }

    /**
     * Events are missing, and nobody knows which.
     *
     * @param {number} nowUsec
     */
    noteLoss(nowUsec) {
        this.gap = {since: 0, until: nowUsec};
        this._isGapSeen = false;
        for (const prp of this._prps.values())
            prp.doubt = true;
    }

    /**
     * @param {number} nowUsec
     * @returns {Gap|null} what the person should be told
     */
    unseenGap(nowUsec) {
        return this.gap !== null && !this._isGapSeen && nowUsec - this.gap.until < GAP_USEC ? this.gap : null;
    }

    markGapSeen() {
        this._isGapSeen = true;
    }

    /**
     * @param {string} id
     * @returns {string} its name, or else the id
     */
    nameOf(id) {
        return this._prps.get(id)?.name ?? this._deleted.get(id) ?? id;
    }

    /**
     * The PRPs to show: work under way, then what waits, then what ended; in each of them the latest first. Progress
     * does not move a PRP, so that rows keep their places.
     *
     * @param {number} nowUsec
     * @param {number} endedUsec for how long those that ended are shown; 0: not at all
     * @returns {Prp[]}
     */
    list(nowUsec, endedUsec) {
        const rank = (/** @type {Prp} */ prp) => {
            if (prp.ended > 0)
                return 2;
            return WAITING.has(prp.status.toLowerCase()) && prp.progress === null ? 1 : 0;
        };
        return [...this._prps.values()]
            .filter(prp => prp.ended > 0 ? nowUsec - prp.ended < endedUsec : nowUsec - prp.updated < STALE_USEC)
            .sort((a, b) => rank(a) - rank(b) || b.ended - a.ended || b.first - a.first);
    }
}
