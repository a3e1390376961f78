import { channel } from 'node:diagnostics_channel'

/** What test files may change in their process, and must put back. */
export interface ProcessState {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly folder: string
  readonly exitCode: typeof process.exitCode
  readonly globals: ReadonlyMap<string, unknown>
  readonly listeners: ReadonlyMap<string | symbol, readonly unknown[]>
  /** Those of the channels of ours that have any. */
  readonly subscribers: ReadonlyMap<string, readonly unknown[]>
}

export function processNow(): ProcessState {
  return {
    environment: { ...process.env },
    folder: process.cwd(),
    exitCode: process.exitCode,
    globals: new Map(REPLACEABLE.map((name) => [name, Reflect.get(globalThis, name)])),
    listeners: new Map(process.eventNames().map((name) => [name, process.rawListeners(name)])),
    subscribers: new Map(CHANNELS.map((name) => [name, subscribersOf(name)])),
  }
}

/** Names what is different after a test file, other than variables that it did not touch. */
export function leftIn(before: ProcessState, after: ProcessState): string[] {
  const variables = [...Object.keys(before.environment), ...Object.keys(after.environment)]
  const events = [...before.listeners.keys(), ...after.listeners.keys()]
  return [
    ...unique(variables)
      .filter((name) => before.environment[name] !== after.environment[name])
      .map((name) => `the variable ${name}`),
    ...REPLACEABLE.filter((name) => before.globals.get(name) !== after.globals.get(name)).map(
      (name) => `another ${name}`,
    ),
    ...unique(events)
      .filter((name) => !sameOf(before.listeners.get(name), after.listeners.get(name)))
      .map((name) => `other listeners of "${String(name)}"`),
    ...CHANNELS.filter(
      (name) => !sameOf(before.subscribers.get(name), after.subscribers.get(name)),
    ).map((name) => `other subscribers of "${name}"`),
    ...(before.folder === after.folder ? [] : [`the folder ${after.folder}`]),
    ...(before.exitCode === after.exitCode ? [] : [`the exit code ${after.exitCode}`]),
  ]
}

/** Globals that tests replace, by fake timers or stubs. */
const REPLACEABLE = [
  'AbortController',
  'Date',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'crypto',
  'fetch',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'setInterval',
  'setTimeout',
]

/** Node names no channels, so ours are listed. */
const CHANNELS = [
  'alert',
  'appended',
  'dead-letter',
  'decision',
  'delivery',
  'end',
  'error',
  'events-undone',
  'relay-error',
  'saga-alert',
  'saga-attempt',
  'saga-end',
  'saga-error',
  'saga-lost',
  'saga-recorded',
  'saga-step',
  'webhook-attempt',
  'webhook-endpoint',
  'webhook-error',
].map((name) => `oncekey:${name}`)

/** Node has no public way to list them; a channel without any has no list. */
function subscribersOf(name: string): readonly unknown[] {
  const { _subscribers: all } = channel(name) as { _subscribers?: readonly unknown[] }
  return [...(all ?? [])]
}

const unique = <One>(all: readonly One[]): One[] => [...new Set(all)]

function sameOf(some: readonly unknown[] = [], others: readonly unknown[] = []): boolean {
  return some.length === others.length && some.every((one, at) => one === others[at])
}
