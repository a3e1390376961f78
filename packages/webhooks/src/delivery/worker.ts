import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { endsWithin, type Redrives, waitedFor } from '@oncekey/core'
import { type CarriedRedrives, carryRedrives } from '@oncekey/outbox'
import type { ResolvedOptions } from '../options/options.ts'
import {
  type ClaimedDelivery,
  claimDeliveries,
  releaseDeliveries,
  releaseUnanswered,
} from '../statements/claims.ts'
import { runStatement } from '../statements/run-statement.ts'
import { tellError } from '../telemetry/channels.ts'
import { clockWatch } from './clock-watch.ts'
import { databaseClock } from './database-clock.ts'
import { deliveriesUnderWay, type LeasedDelivery } from './deliveries-under-way.ts'
import { createWake, type Wake } from './wake.ts'
import { resolveWorkerOptions, type WorkerOptions } from './worker-options.ts'

/**
 * Sends deliveries that are due. Any number of workers, in any number of processes, share the work.
 */
export interface WebhookWorker {
  /**
   * Sends the deliveries that are due at the time of the call. Resolves with the number of attempts
   * when all of them have ended.
   */
  deliverOnce(): Promise<number>
  /**
   * Works until stopped. Database failures are published on `oncekey:webhook-error` and retried. It
   * does nothing if the worker is started; while the worker is being stopped it starts it anew.
   */
  start(): void
  /**
   * Stops claiming, gives the attempts under way `timeoutMs` to end, aborts the rest, and records
   * every outcome. An aborted attempt counts neither as a try, nor as a failure of the endpoint,
   * nor as a sign of poison. If the database does not answer, this resolves at most half a second
   * after `timeoutMs`, and the leases run out by themselves.
   */
  stop(options?: {
    /** Milliseconds, or `Infinity`. @default 10_000 */
    readonly timeoutMs?: number
  }): Promise<void>
}

/**
 * A worker claims deliveries, sends them, and records the verdicts. Each claim takes a lease by the
 * database's clock and raises the epoch. A claim asks for as many deliveries as the concurrency
 * limit has room for. The worker claims again when a delivery has ended, when this process has
 * fanned out events, and at the latest after `pollMs`. `wakers` holds a callback for each started
 * worker, which is called when deliveries were scheduled.
 */
export function createWorker(
  options: ResolvedOptions,
  given: WorkerOptions,
  wakers: Set<() => void>,
  redrives: Redrives | undefined,
): WebhookWorker {
  const worker = resolveWorkerOptions(given, options)
  const watchClock = clockWatch(options)
  const name = randomUUID()
  const claims = { underWay: 0, areUnanswered: false }
  let givingBack: Promise<void> | undefined
  let period = newWorkPeriod()
  const ending = new Set<WorkPeriod>()
  const underWay = deliveriesUnderWay(options, {
    most: worker.concurrency,
    ended: () => period.wake.now(),
  })

  return {
    async deliverOnce() {
      // If the worker is stopped during the redrive and started again, this claim must not belong
      // to the new period.
      const own = period
      await redrives?.carry()
      const claimed = await claim(own)
      await Promise.all(claimed.map((leased) => underWay.send(leased, own.aborter.signal)))
      return claimed.length
    },

    start() {
      if (period.loop !== undefined) return
      const { wake } = period
      wakers.add(wake.now)
      period.loop = work(period)
      period.carried = carryRedrives(redrives, {
        carried: wake.now,
        failed: (error) => tellError({ error, during: 'redrive', deliveryIds: [] }),
      })
    },

    async stop({ timeoutMs = 10_000 } = {}) {
      waitedFor('worker.stop: timeoutMs', timeoutMs, 0)
      const stopped = period
      // Whoever starts the worker from now on starts a period that this stop does not end.
      period = newWorkPeriod()
      stopped.isStopping = true
      ending.add(stopped)
      wakers.delete(stopped.wake.now)
      stopped.wake.now()
      const ended = Promise.all([stopped.loop, stopped.carried?.stop()]).then(underWay.allEnded)
      if (!(await endsWithin(ended, timeoutMs))) {
        // Also those for which an earlier call is still waiting.
        for (const each of ending) each.aborter.abort()
        await endsWithin(ended, CLOSING_MS)
      }
      ending.delete(stopped)
    },
  }

  async function work(own: WorkPeriod): Promise<void> {
    let idleMs = LEAST_POLL_MS
    while (!own.isStopping) {
      const claimed = await claimOrTell(own)
      for (const leased of claimed) void underWay.send(leased, own.aborter.signal)
      const reason = await own.wake.after(jittered(idleMs))
      // The worker may be woken just before the fan-out that woke it commits, so it polls again
      // soon after waking.
      if (claimed.length > 0 || reason === 'called') idleMs = LEAST_POLL_MS
      else idleMs = Math.min(idleMs * 2, worker.pollMs)
    }
  }

  async function claimOrTell(own: WorkPeriod): Promise<LeasedDelivery[]> {
    try {
      return await claim(own)
    } catch (error) {
      tellError({ error, during: 'claim', deliveryIds: [] })
      return []
    }
  }

  async function claim(own: WorkPeriod): Promise<LeasedDelivery[]> {
    const [limit, mostBytes] = [underWay.free(), underWay.freeBytes()]
    if (limit <= 0 || mostBytes <= 0) return []
    await watchClock()
    if (claims.areUnanswered && claims.underWay === 0) {
      givingBack ??= giveBackUnheard()
      await givingBack
    }
    // Measured from before the statement, so that our lease ends no later than the database's.
    const leaseEnd = performance.now() + worker.leaseMs
    const statement = claimDeliveries(options.schema, {
      limit,
      perEndpoint: worker.endpointConcurrency,
      underWay: underWay.perEndpoint,
      leaseMs: worker.leaseMs,
      breakerFailures: options.policy.breakerFailures,
      mostUnfinished: worker.maxUnfinished,
      mostBytes,
      worker: name,
    })
    const rows = await heard(() => runStatement(options, statement))
    const clock = databaseClock(rows[0]?.now_ms ?? 0)
    const claimed = rows.map(({ delivery }) => JSON.parse(delivery) as ClaimedDelivery)
    // The reply took so long that too little of the lease is left to send and to record the
    // outcome.
    const isLate = leaseEnd - performance.now() < options.timeoutMs
    if (!isLate && !own.isStopping) {
      return claimed.map((delivery) => ({ delivery, leaseEnd, clock }))
    }
    await giveBack(claimed)
    return []
  }

  /**
   * A claim that gets no answer may be committed. Its deliveries would count as sent by a worker
   * that died, and after enough of that be dead as poison: they are given back before the next
   * claim.
   */
  async function heard<Rows>(claim: () => Promise<Rows>): Promise<Rows> {
    claims.underWay += 1
    try {
      return await claim()
    } catch (error) {
      claims.areUnanswered = true
      throw error
    } finally {
      claims.underWay -= 1
    }
  }

  /**
   * Once for all who claim meanwhile, so that nothing is claimed before it is over: it would give
   * back what is claimed after the ids were read.
   */
  async function giveBackUnheard(): Promise<void> {
    try {
      await runStatement(options, releaseUnanswered(options.schema, name, underWay.ids()))
      claims.areUnanswered = false
    } finally {
      givingBack = undefined
    }
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
 * The time from one start to the next stop. After a stop that timed out, a claim may still be under
 * way. It belongs to the period in which it began, so its deliveries are given back even if the
 * worker was started again.
 */
interface WorkPeriod {
  isStopping: boolean
  loop: Promise<void> | undefined
  carried: CarriedRedrives | undefined
  readonly aborter: AbortController
  readonly wake: Wake
}

function newWorkPeriod(): WorkPeriod {
  const aborter = new AbortController()
  // Every delivery under way adds a listener, so there is no limit on their number.
  setMaxListeners(0, aborter.signal)
  return { isStopping: false, loop: undefined, carried: undefined, aborter, wake: createWake() }
}

/** Varies a wait at random, so that workers that were started together do not poll together. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}

const LEAST_POLL_MS = 25
/** The time that `stop` allows for recording aborted attempts. Milliseconds. */
const CLOSING_MS = 500
