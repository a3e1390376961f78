import { setMaxListeners } from 'node:events'
import { endsWithin, waitedFor } from '@oncekey/core'
import { tellError } from './channels.ts'
import type { ResolvedOptions } from './options.ts'
import { type LeasedDelivery, places } from './places.ts'
import { runStatement } from './run-statement.ts'
import { type ClaimedDelivery, claimDeliveries } from './statements/claim-deliveries.ts'
import { releaseDeliveries } from './statements/release-deliveries.ts'
import { wakeup } from './wakeup.ts'
import { resolveWorkerOptions, type WorkerOptions } from './worker-options.ts'

/** Sends what is due. Any number of them, in any number of processes, share the work. */
export interface WebhookWorker {
  /** Sends what is due now, once, and resolves with how many attempts that were when all have ended. */
  deliverOnce(): Promise<number>
  /** Works until stopped. Failures of the database are told on `oncekey:webhook-error` and tried again. */
  start(): void
  /**
   * Claims nothing more, lets what is under way end for so long, aborts the rest, and writes how it all
   * went. An attempt that it aborts is no try, no failure of the endpoint, and no sign of poison. Beside a
   * database that does not answer it resolves half a second later at most; leases then do the rest.
   */
  stop(options?: {
    /** Milliseconds, or `Infinity`. @default 10_000 */
    readonly timeoutMs?: number
  }): Promise<void>
}

/**
 * A delivery is claimed (a lease by the database's clock, and a new epoch), sent, and settled. A claim
 * asks for as many as there are free places. There is more to do when a place was freed, when events
 * were fanned out in this process, or after a while: `woken` is how the others tell.
 */
export function createWorker(
  options: ResolvedOptions,
  given: WorkerOptions,
  woken: Set<() => void>,
): WebhookWorker {
  const worker = resolveWorkerOptions(given, options)
  const wake = wakeup()
  let run = newRun()
  const taken = places(options, {
    size: worker.concurrency,
    signal: () => run.aborter.signal,
    freed: wake.now,
  })

  return {
    async deliverOnce() {
      const claimed = await claim(run)
      await Promise.all(claimed.map(taken.take))
      return claimed.length
    },

    start() {
      if (run.loop !== undefined) return
      woken.add(wake.now)
      run.loop = work(run)
    },

    async stop({ timeoutMs = 10_000 } = {}) {
      waitedFor('worker.stop: timeoutMs', timeoutMs, 0)
      const stopped = run
      stopped.isStopping = true
      woken.delete(wake.now)
      wake.now()
      const ended = Promise.resolve(stopped.loop).then(taken.allFreed)
      if (!(await endsWithin(ended, timeoutMs))) {
        stopped.aborter.abort()
        await endsWithin(ended, CLOSING_MS)
      }
      if (run === stopped) run = newRun()
    },
  }

  async function work(own: Run): Promise<void> {
    let idleMs = LEAST_POLL_MS
    while (!own.isStopping) {
      const claimed = await claimOrTell(own)
      for (const leased of claimed) void taken.take(leased)
      const reason = await wake.after(jittered(idleMs))
      // Who was woken may have come too early: what was fanned out is committed in a moment.
      if (claimed.length > 0 || reason === 'called') idleMs = LEAST_POLL_MS
      else idleMs = Math.min(idleMs * 2, worker.pollMs)
    }
  }

  async function claimOrTell(own: Run): Promise<LeasedDelivery[]> {
    try {
      return await claim(own)
    } catch (error) {
      tellError({ error, during: 'claim', deliveryIds: [] })
      return []
    }
  }

  async function claim(own: Run): Promise<LeasedDelivery[]> {
    const limit = taken.free()
    if (limit <= 0) return []
    // From before the question: our lease is over no later than the database's.
    const leaseEnd = performance.now() + worker.leaseMs
    const rows = await runStatement(
      options,
      claimDeliveries(options.schema, {
        limit,
        perEndpoint: worker.endpointConcurrency,
        underWay: taken.perEndpoint,
        leaseMs: worker.leaseMs,
        breakerFailures: options.policy.breakerFailures,
        mostUnfinished: worker.maxUnfinished,
      }),
    )
    const claimed = rows.map(({ delivery }) => JSON.parse(delivery) as ClaimedDelivery)
    // An answer that was long on its way: there is no time left to send, and to write down the outcome.
    const isLate = leaseEnd - performance.now() < options.timeoutMs
    if (!isLate && !own.isStopping) return claimed.map((delivery) => ({ delivery, leaseEnd }))
    await giveBack(claimed)
    return []
  }

  async function giveBack(claimed: readonly ClaimedDelivery[]): Promise<void> {
    if (claimed.length === 0) return
    try {
      await runStatement(options, releaseDeliveries(options.schema, claimed))
    } catch (error) {
      tellError({ error, during: 'release', deliveryIds: claimed.map(({ id }) => id) })
    }
  }
}

/**
 * From one start to the next stop. A stop that did not wait for a claim leaves it to its own run: what
 * comes of it is given back, also when the worker has been started again.
 */
interface Run {
  isStopping: boolean
  loop: Promise<void> | undefined
  readonly aborter: AbortController
}

function newRun(): Run {
  const aborter = new AbortController()
  // Every delivery under way listens to it.
  setMaxListeners(0, aborter.signal)
  return { isStopping: false, loop: undefined, aborter }
}

/** So that workers which were started together do not ask together. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}

const LEAST_POLL_MS = 25
/** For writing down what was aborted. */
const CLOSING_MS = 500
