import { randomUUID } from 'node:crypto'
import { messageOf, OptionsError, tell, waitedFor, warnOnce } from '@oncekey/core'
import { carryOnce, carryRedrives } from '../dead-letters/carry-redrives.ts'
import { consumerRunner } from './consumer-runner.ts'
import { type RelayOptions, resolveRelayOptions } from './relay-options.ts'
import { askPauses } from './signals/ask-pauses.ts'
import { maintainNowAndThen } from './signals/maintain-now-and-then.ts'
import { onAppended } from './signals/wake.ts'
import { watchPauses } from './signals/watch-pauses.ts'
import { suspectTurns } from './suspects.ts'

/** Delivers the events of a log to consumers. */
export interface Relay {
  /** The id of this relay in the log. */
  readonly id: string
  /**
   * Runs one round for every consumer: takes slots, delivers the retries that are due (100 at most)
   * and one page of new events (`batchSize`), waits for the consumers, and moves the cursors.
   * Returns how many events were handled, failed attempts included. 0: there was nothing in the
   * slots that this relay got; there may be something in those of other relays. Only the
   * `attemptTimeoutMs` of its attempts limits how long a round takes, and their waits for a
   * transaction, which have the same limit; a call of `stop` ends it sooner. The relay keeps its
   * slots between rounds; call `stop` after the last one.
   *
   * A round that is called while `stop` is under way begins when that is over; one that `stop`
   * meets before it has begun handles nothing. Ends when the rounds of all consumers have, also if
   * one of them fails, and fails then with the first reason; further ones are published on
   * `oncekey:relay-error`. A consumer of which the log does not say whether it is paused has no
   * round, which is published there, too. Fails with `store-unavailable` if the log does not answer
   * within `leaseMs` what was asked before the last `stop`.
   */
  runOnce(): Promise<number>
  /**
   * Runs until `stop`. Failures of the log are published on `oncekey:relay-error` and retried. Asks
   * for nothing until the log has answered all that was asked before the last `stop`.
   */
  start(): void
  /**
   * Stops reading, waits up to `timeoutMs` for attempts to end, aborts the rest, writes the cursors
   * and releases the slots. While it waits, it renews the leases of these attempts. Aborted events
   * are delivered again, and their start is not counted.
   * `Infinity` waits for all attempts. If the log does not reply, `stop` resolves at most about a
   * second after `timeoutMs`, and the leases end by themselves. Milliseconds. @default 10_000
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
  const all = new Set(names)
  const { control } = resolved.log
  let state: 'idle' | 'round' | 'running' = 'idle'
  /** The calls of `stop` that are under way. */
  const stops = new Set<Promise<unknown>>()
  /** How often `stop` was called. */
  let stopped = 0
  const pauseThose = (paused: ReadonlySet<string>, known: ReadonlySet<string> = all): void => {
    for (const [at, name] of names.entries()) {
      if (known.has(name)) runners[at]?.pause(paused.has(name))
    }
  }
  let endBackground = async (): Promise<void> => {}
  /**
   * Asks what is paused and carries redrives, until the relay is stopped. Returns the consumers of
   * which the log says whether they are paused.
   */
  const beforeRound = async (isStopped: () => boolean): Promise<ReadonlySet<string>> => {
    const { paused, known, failures } = await askPauses(control, names, isStopped)
    // The pool may have been ended by now.
    if (isStopped()) return known
    if (known.size === 0) throw failures[0]
    if (failures.length > 0) backgroundFailed(id, 'pause', failures[0])
    pauseThose(paused, known)
    await carryOnce(resolved.log.deadLetters.redrives, (error) => {
      if (!isStopped()) backgroundFailed(id, 'redrive', error)
    })
    return known
  }

  return {
    id,

    async runOnce() {
      // A stop takes the slots away at its end, also from a round that began meanwhile.
      while (stops.size > 0) await Promise.allSettled(stops)
      if (state !== 'idle') throw misuse(state)
      state = 'round'
      const stoppedBefore = stopped
      const isStopped = (): boolean => stopped !== stoppedBefore
      try {
        const known = await beforeRound(isStopped)
        // Nobody would release what a round takes after the stop.
        if (isStopped()) return 0
        const those = names.flatMap((name, at) => (known.has(name) ? (runners[at] ?? []) : []))
        const rounds = await Promise.allSettled(those.map((runner) => runner.round()))
        const [failed, ...others] = rounds.filter((round) => round.status === 'rejected')
        for (const { reason } of others) backgroundFailed(id, 'round', reason)
        if (failed !== undefined) throw failed.reason
        return rounds.reduce((sum, round) => sum + ('value' in round ? round.value : 0), 0)
      } finally {
        state = 'idle'
      }
    },

    start() {
      if (stops.size > 0) throw misuse('stopping')
      if (state !== 'idle') throw misuse(state)
      state = 'running'
      // Until it is known which consumers are paused, all of them count as paused.
      pauseThose(all)
      const pauses = watchPauses({
        control,
        consumers: names,
        everyMs: resolved.maxPollMs,
        apply: pauseThose,
        failed: (error) => backgroundFailed(id, 'pause', error),
      })
      for (const runner of runners) runner.start()
      const endWake = onAppended(() => {
        for (const runner of runners) runner.wake()
      })
      const maintenance = maintainNowAndThen(resolved, (error) =>
        backgroundFailed(id, 'maintain', error),
      )
      const carried = carryRedrives(resolved.log.deadLetters.redrives, {
        carried() {
          for (const runner of runners) runner.retry()
        },
        failed: (error) => backgroundFailed(id, 'redrive', error),
      })
      endBackground = async () => {
        endWake()
        pauses.stop()
        await Promise.all([maintenance.stop(), carried.stop()])
      }
    },

    async stop({ timeoutMs = 10_000 } = {}) {
      waitedFor('relay.stop: timeoutMs', timeoutMs, 0)
      stopped += 1
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

function backgroundFailed(
  relay: string,
  during: 'redrive' | 'pause' | 'maintain' | 'round',
  error: unknown,
): void {
  const heard = tell('oncekey:relay-error', () => ({ relay, consumer: undefined, during, error }))
  if (heard) return
  const what = {
    redrive: 'carry redrives',
    pause: 'ask which consumers are paused',
    maintain: 'maintain the log',
    round: 'end the round of one more consumer',
  }[during]
  warnOnce(
    `relay-error:${during}`,
    `The relay could not ${what}, and goes on trying: ${messageOf(error)}`,
  )
}

function misuse(state: 'round' | 'running' | 'stopping'): OptionsError {
  return new OptionsError(MISUSE[state])
}

const MISUSE = {
  round: 'runOnce() is under way: await it before you call runOnce() or start() again.',
  running: 'This relay is already running: do not call runOnce() or start() again.',
  stopping: 'stop() is under way: await it before you call start() again.',
}
