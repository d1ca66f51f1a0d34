// SPDX-License-Identifier: MIT
'use strict';
/*
 * A relay as a user would write it for Node: ws and dbus-next.
 *
 *     PRP_URL=ws://… PRP_TOKEN=… PRP_CHANNELS=a:1,b:2 run
 *
 * Owns dev.prp.Relay1 and sends the signals of dev.prp.Relay1.Events, with the same arguments as prp-relayd; says `ready`
 * when the channels are confirmed; ends on SIGTERM. It has no history, no holds, no renewal of tokens and no knowledge of
 * doubles: what it does it does as well as its libraries let it. JSON.parse knows no integers: one past 2^53 is a double
 * here, and 1.0 is 1. dbus-next has no flow control of its own, and writes each message by itself: the stream below it is
 * corked for a turn of the loop, and the WebSocket paused while more than 256 KiB wait for the bus.
 */
const WebSocket = require('ws');
const dbus = require('dbus-next');

const { Message, Variant } = dbus;

const NAME = 'dev.prp.Relay1';
const PATH = '/dev/prp/Relay1';
const EVENTS = 'dev.prp.Relay1.Events';
const INITIAL_DELAY_MSEC = 1000;
const MAX_DELAY_MSEC = 60000;
const STABLE_MSEC = 30000;
const PING_INTERVAL_MSEC = 30000;
const PONG_TIMEOUT_MSEC = 10000;
const MAX_MESSAGE_BYTES = 1 << 20;
const MAX_UNSENT_BYTES = 256 << 10;
const MAX_LEVELS = 16; // a bus drops whoever nests deeper than 64 containers

// Type → signal, signature, [member of data, is it needed].
const SIGNALS = new Map(Object.entries({
  'prp.created': ['PrpCreated', 'sssssa{sv}',
    [['id', true], ['projectId', true], ['name', false], ['status', false], ['priority', false]]],
  'prp.updated': ['PrpUpdated', 'sa{sa{sv}}a{sv}', [['id', true], ['changes', false]]],
  'prp.status_changed': ['PrpStatusChanged', 'ssssa{sv}',
    [['id', true], ['previousStatus', false], ['newStatus', false], ['reason', false]]],
  'prp.deleted': ['PrpDeleted', 'sssa{sv}', [['id', true], ['projectId', true], ['reason', false]]],
  'agent.assigned': ['AgentAssigned', 'sssa{sv}', [['agentId', true], ['prpId', true], ['priority', false]]],
  'agent.progress': ['AgentProgress', 'ssdsa{sv}',
    [['agentId', true], ['prpId', true], ['progress', false], ['currentTask', false]]],
  error: ['ServerError', 'ssa{sv}', [['code', false], ['message', false]]],
}));
const NOT_RELAYED = new Set(['connection.established', 'heartbeat', 'pong', 'subscription.confirmed', 'token_expired']);

// NUL, lone surrogates, noncharacters: D-Bus cannot carry them. They are written as escapes, or not in ASCII.
const UNBEARABLE = /[\0\p{Surrogate}\p{Noncharacter_Code_Point}]/gu;
const SUSPECT = /\\u|[^\t\n\r\x20-\x7e]/;

const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value);

/* __proto__ is a key like any other. An object without a prototype would do, but dbus-next takes it for no object. */
function set(object, key, value) {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else
    object[key] = value;
}

function scrub(value) {
  if (typeof value === 'string')
    return value.replace(UNBEARABLE, '\ufffd');
  if (Array.isArray(value))
    return value.map(scrub);
  if (!isObject(value))
    return value;
  const result = {};
  for (const key of Object.keys(value))
    set(result, key.replace(UNBEARABLE, '\ufffd'), scrub(value[key]));
  return result;
}

function toDict(value, level) {
  const result = {};
  for (const key of Object.keys(value))
    set(result, key, toVariant(value[key], level));
  return result;
}

function toVariant(value, level) {
  switch (typeof value) {
  case 'string':
    return new Variant('s', value);
  case 'number':
    return new Variant(Number.isSafeInteger(value) ? 'x' : 'd', value);
  case 'boolean':
    return new Variant('b', value);
  default:
    if (value === null)
      return new Variant('g', '');
    if (level >= MAX_LEVELS)
      return new Variant('s', JSON.stringify(value));
    if (Array.isArray(value))
      return new Variant('av', value.map(element => toVariant(element, level + 1)));
    return new Variant('a{sv}', toDict(value, level + 1));
  }
}

function toArgument(name, value) {
  if (name === 'progress')
    return typeof value === 'number' ? value : 0;
  if (name === 'changes') {
    const result = {};
    if (isObject(value))
      for (const key of Object.keys(value))
        set(result, key, isObject(value[key]) ? toDict(value[key], 4) : {});
    return result;
  }
  return typeof value === 'string' ? value : '';
}

let sequence = 0;

function toSignal(message) {
  const data = isObject(message.data) ? message.data : {};
  const event = toDict(message, 1);
  event.id ??= new Variant('s', '');
  event.timestamp ??= new Variant('s', '');
  event.data ??= new Variant('a{sv}', {});
  event.sequence = new Variant('t', ++sequence);
  event.received = new Variant('t', Math.round((performance.timeOrigin + performance.now()) * 1000));
  const known = SIGNALS.get(message.type);
  if (known === undefined || known[2].some(([name, needed]) => needed && typeof data[name] !== 'string'))
    return Message.newSignal(PATH, EVENTS, 'OtherEvent', 'sa{sv}', [message.type, event]);
  const body = known[2].map(([name]) => toArgument(name, data[name]));
  body.push(event);
  return Message.newSignal(PATH, EVENTS, known[0], known[1], body);
}

function parse(text) {
  const message = JSON.parse(text);
  if (!isObject(message) || typeof message.type !== 'string')
    throw new SyntaxError('not an event');
  return SUSPECT.test(text) ? scrub(message) : message;
}

class Relay {
  constructor(bus) {
    this.bus = bus;
    this.stream = bus._connection.stream; // there is no public name for it
    this.channels = (process.env.PRP_CHANNELS ?? '').split(',').filter(channel => channel !== '');
    this.attempt = 0;
    this.corked = false;
    this.stopped = null; // called when the connection is closed, once there is to be no other
    this.connect();
  }

  connect() {
    const began = Date.now();
    this.timer = null;
    this.wanted = new Set(this.channels);
    this.socket = new WebSocket(process.env.PRP_URL, {
      headers: { Authorization: `Bearer ${process.env.PRP_TOKEN}` },
      perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES, handshakeTimeout: 20000,
    });
    this.socket.on('open', () => {
      this.socket.send(JSON.stringify({ id: 'subscribe-1', action: 'subscribe', payload: { channels: this.channels } }));
      this.watch(this.socket);
    });
    this.socket.on('message', (data, isBinary) => { if (!isBinary) this.receive(data.toString()); });
    this.socket.on('error', error => console.error(`the connection failed: ${error.message}`)); // then comes close
    this.socket.on('close', () => {
      clearInterval(this.heartbeat);
      clearTimeout(this.silence);
      if (this.stopped !== null) {
        this.stopped();
        return;
      }
      // Full jitter, which begins anew after 30 s of being connected.
      if (Date.now() - began > STABLE_MSEC)
        this.attempt = 0;
      const ceiling = Math.min(MAX_DELAY_MSEC, INITIAL_DELAY_MSEC * 2 ** this.attempt++);
      this.timer = setTimeout(() => this.connect(), Math.max(200, Math.random() * ceiling));
    });
  }

  /* A peer that answers no ping is gone. */
  watch(socket) {
    this.heartbeat = setInterval(() => {
      socket.ping();
      this.silence = setTimeout(() => socket.terminate(), PONG_TIMEOUT_MSEC);
    }, PING_INTERVAL_MSEC);
    socket.on('pong', () => clearTimeout(this.silence));
  }

  receive(text) {
    let message;
    try {
      message = parse(text);
    } catch (error) {
      console.error(`a message is skipped: ${error.message}`);
      return;
    }
    if (!NOT_RELAYED.has(message.type)) {
      this.emit(toSignal(message));
    } else if (message.type === 'subscription.confirmed' && this.wanted.size > 0) {
      for (const channel of message.data.subscribedChannels)
        this.wanted.delete(channel);
      if (this.wanted.size === 0)
        console.log('ready');
    } else if (message.type === 'token_expired') {
      this.socket.close();
    }
  }

  emit(signal) {
    if (!this.corked) {
      this.corked = true;
      this.stream.cork();
      setImmediate(() => this.uncork());
    }
    this.bus.send(signal);
  }

  uncork() {
    this.corked = false;
    this.stream.uncork();
    if (this.stream.writableLength > MAX_UNSENT_BYTES && !this.socket.isPaused) {
      const paused = this.socket;
      paused.pause();
      this.stream.once('drain', () => paused.resume());
    }
  }

  stop(stopped) {
    this.stopped = stopped;
    if (this.timer !== null) {
      clearTimeout(this.timer);
      stopped();
    } else {
      this.socket.resume(); // the answer to our close is behind what was not read
      this.socket.close(1001);
    }
  }
}

async function main() {
  const bus = dbus.sessionBus();
  bus.on('error', error => {
    console.error(`the bus is gone: ${error.message}`);
    process.exit(1);
  });
  bus._connection.on('end', () => process.exit(1));
  if (await bus.requestName(NAME, dbus.NameFlag.DO_NOT_QUEUE) !== dbus.RequestNameReply.PRIMARY_OWNER) {
    console.error(`${NAME} is taken`);
    process.exit(1);
  }
  const relay = new Relay(bus);
  process.on('SIGTERM', () => relay.stop(() => process.exit(0)));
}

main();
