import { randomUUID } from 'node:crypto'
import {
  callLater,
  type Maintenance,
  messageOf,
  OptionsError,
  tell,
  waitedFor,
  warnOnce,
} from '@oncekey/core'
import { carryRedrives } from '../dead-letters/carry-redrives.ts'
import { consumerRunner } from './consumer-runner.ts'
import {
  type RelayOptions,
  type ResolvedRelayOptions,
  resolveRelayOptions,
} from './relay-options.ts'
import { suspectTurns } from './suspects.ts'
import { onAppended } from './wake.ts'
import { watchPauses } from './watch-pauses.ts'

/** Delivers the events of a log to consumers. */
export interface Relay {
  /** The id of this relay in the log. */
  readonly id: string
  /**
   * Runs one round for every consumer: takes slots, delivers the events that there are, waits for
   * the consumers, and moves the cursors. Returns how many events were handled, 0 if there were
   * none. The relay keeps its slots between rounds; call `stop` after the last one. A round that is
   * called while `stop` is under way begins when that is over.
   */
  runOnce(): Promise<number>
  /** Runs until `stop`. Failures of the log are published on `oncekey:relay-error` and retried. */
  start(): void
  /**
   * Stops reading, waits up to `timeoutMs` for attempts to end, aborts the rest, writes the cursors
   * and releases the slots. Aborted events are delivered again, and their start is not counted.
   * `Infinity` waits for all attempts. If the log does not reply, `stop` resolves about a second
   * later, and the leases end by themselves. Milliseconds. @default 10_000
   */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>
}

/**
 * Creates a relay. Any number of relays, in any number of processes, share the work. Throws
 * `OptionsError`.
 *
 * @example
 * ```ts
 * const relay = createRelay({ log: postgresLog({ client: pool }), consumers: [shipping, email] })
 * relay.start()
 * process.once('SIGTERM', () => relay.stop())
 * ```
 */
export function createRelay<Tx>(options: RelayOptions<Tx>): Relay {
  const resolved = resolveRelayOptions(options)
  const id = `relay-${randomUUID()}`
  const turns = suspectTurns()
  const runners = resolved.consumers.map((consumer) =>
    consumerRunner({ relay: id, options: resolved, consumer, turns }),
  )
  const names = resolved.consumers.map(({ name }) => name)
  let state: 'idle' | 'round' | 'running' = 'idle'
  /** The calls of `stop` that are under way. */
  const stops = new Set<Promise<unknown>>()
  const pauseThose = (paused: ReadonlySet<string>): void => {
    for (const [at, runner] of runners.entries()) runner.pause(paused.has(names[at] ?? ''))
  }
  let endBackground = async (): Promise<void> => {}

  return {
    id,

    async runOnce() {
      // A stop takes the slots away at its end, also from a round that began meanwhile.
      while (stops.size > 0) await Promise.allSettled(stops)
      if (state !== 'idle') throw misuse(state)
      state = 'round'
      try {
        pauseThose(new Set(await resolved.log.control.paused(names)))
        await resolved.log.deadLetters.redrives?.carry()
        const handled = await Promise.all(runners.map((runner) => runner.round()))
        return handled.reduce((sum, count) => sum + count, 0)
      } finally {
        state = 'idle'
      }
    },

    start() {
      if (stops.size > 0) throw misuse('stopping')
      if (state !== 'idle') throw misuse(state)
      state = 'running'
      // Until it is known which consumers are paused, all of them count as paused.
      pauseThose(new Set(names))
      const pauses = watchPauses({
        control: resolved.log.control,
        consumers: names,
        everyMs: resolved.maxPollMs,
        apply: pauseThose,
        failed: (error) => backgroundFailed(id, 'pause', error),
      })
      for (const runner of runners) runner.start()
      const endWake = onAppended(() => {
        for (const runner of runners) runner.wake()
      })
      const endMaintenance = maintainNowAndThen(id, resolved)
      const carried = carryRedrives(resolved.log.deadLetters.redrives, {
        carried() {
          for (const runner of runners) runner.retry()
        },
        failed: (error) => backgroundFailed(id, 'redrive', error),
      })
      endBackground = async () => {
        endWake()
        endMaintenance()
        pauses.stop()
        await carried.stop()
      }
    },

    async stop({ timeoutMs = 10_000 } = {}) {
      waitedFor('relay.stop: timeoutMs', timeoutMs, 0)
      const ending = endBackground()
      endBackground = async () => {}
      const stopping = Promise.all([ending, ...runners.map((runner) => runner.stop(timeoutMs))])
      stops.add(stopping)
      try {
        await stopping
      } finally {
        stops.delete(stopping)
        // A round that waits for the log may outlast the stop. It ends by itself.
        if (state === 'running') state = 'idle'
      }
    },
  }
}

function maintainNowAndThen<Tx>(
  relay: string,
  { log, maintainEveryMs }: ResolvedRelayOptions<Tx>,
): () => void {
  if (maintainEveryMs === 0) return () => {}
  let over = false
  let timer = callLater(maintain, maintainEveryMs * Math.random()).unref()

  async function maintain(): Promise<void> {
    try {
      reportConsumers(await log.maintain())
    } catch (error) {
      const heard = tell('oncekey:relay-error', () => ({
        relay,
        consumer: undefined,
        during: 'maintain',
        error,
      }))
      if (!heard)
        warnOnce('relay-error:maintain', `The log could not be maintained: ${messageOf(error)}`)
    }
    if (over) return
    timer = callLater(maintain, maintainEveryMs).unref()
  }

  return () => {
    over = true
    timer.cancel()
  }
}

function backgroundFailed(relay: string, during: 'redrive' | 'pause', error: unknown): void {
  const heard = tell('oncekey:relay-error', () => ({ relay, consumer: undefined, during, error }))
  if (heard) return
  const what = { redrive: 'carry redrives', pause: 'ask which consumers are paused' }[during]
  warnOnce(
    `relay-error:${during}`,
    `The relay could not ${what}, and goes on trying: ${messageOf(error)}`,
  )
}

function reportConsumers({ missing, abandoned }: Maintenance): void {
  for (const { consumer, lastSeenAt } of missing) {
    const text =
      `No relay has run consumer "${consumer}" since ${lastSeenAt.toISOString()}, and the log keeps ` +
      'events for it. If it was removed or renamed, call `await log.retire(name)`.'
    const ageMs = Date.now() - lastSeenAt.getTime()
    const heard = tell('oncekey:alert', () => ({
      source: 'consumers',
      kind: 'missing-consumer',
      about: consumer,
      value: ageMs,
      threshold: 0,
      text,
    }))
    if (!heard) warnOnce(`missing-consumer:${consumer}`, text)
  }
  for (const consumer of abandoned) {
    warnOnce(
      `abandoned-consumer:${consumer}`,
      `Consumer "${consumer}" has been missing for so long that the log no longer keeps events for it.`,
    )
  }
}

function misuse(state: 'round' | 'running' | 'stopping'): OptionsError {
  return new OptionsError(MISUSE[state])
}

const MISUSE = {
  round: 'runOnce() is under way: await it before you call runOnce() or start() again.',
  running: 'This relay is already running: do not call runOnce() or start() again.',
  stopping: 'stop() is under way: await it before you call start() again.',
}
