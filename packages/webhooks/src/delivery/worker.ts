import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { CLOSING_MS, endsWithin, type Redrives, unansweredTakes, waitedFor } from '@oncekey/core'
import { type CarriedRedrives, carryOnce, carryRedrives } from '@oncekey/outbox'
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
   * when all of them have ended. A call that `stop` meets before it has claimed sends nothing.
   */
  deliverOnce(): Promise<number>
  /**
   * Works until stopped. Database failures are published on `oncekey:webhook-error` and retried. It
   * does nothing if the worker is started; while the worker is being stopped it starts it anew.
   */
  start(): void
  /**
   * Stops claiming, gives the attempts under way `timeoutMs` (10 s) to end, aborts the rest, and
   * records every outcome. An aborted attempt counts neither as a try, nor as a failure of the
   * endpoint, nor as a sign of poison. If the database does not answer, this resolves at most half
   * a second after `timeoutMs`, and the leases run out by themselves.
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
  /** What claims are marked with, and what is given back is found by. */
  let name = randomUUID()
  /** Whether a claim is under way that may bring a suspect. Two would bring two. */
  let asksForSuspect = false
  let period = newWorkPeriod()
  const ending = new Set<WorkPeriod>()
  const underWay = deliveriesUnderWay(options, {
    most: worker.concurrency,
    ended: () => period.wake.now(),
  })
  const unanswered = unansweredTakes(
    () => runStatement(options, releaseUnanswered(options.schema, name, underWay.ids())),
    {
      leaseMs: worker.leaseMs,
      left() {
        name = randomUUID()
      },
    },
  )

  return {
    async deliverOnce() {
      // If the worker is stopped during the redrive and started again, this claim must not belong
      // to the new period.
      const own = period
      const beginning = beginRound(own)
      own.beginnings.add(beginning)
      const sent = await beginning.finally(() => own.beginnings.delete(beginning))
      await Promise.all(sent)
      return sent.length
    },

    start() {
      if (period.loop !== undefined) return
      const { wake } = period
      wakers.add(wake.now)
      period.loop = work(period)
      period.carried = carryRedrives(redrives, {
        carried: wake.now,
        failed: redriveFailed,
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
      // Here and below also what an earlier call is still waiting for.
      const ended = Promise.all([...ending].map(claimsNoMore))
        .then(underWay.allEnded)
        .then(giveBackUnanswered)
        .finally(() => ending.delete(stopped))
      if (!(await endsWithin(ended, timeoutMs))) {
        for (const each of ending) each.aborter.abort()
        await endsWithin(ended, CLOSING_MS)
      }
    },
  }

  /** Carries the redrives, claims, and begins to send what was claimed. */
  async function beginRound(own: WorkPeriod): Promise<Promise<void>[]> {
    // If that fails, what is due is sent all the same.
    await carryOnce(redrives, redriveFailed)
    const claimed = await claim(own)
    return claimed.map((leased) => underWay.send(leased, own.aborter.signal))
  }

  /** Resolves when a period that was stopped has claimed for the last time. */
  async function claimsNoMore({ loop, carried, beginnings }: WorkPeriod): Promise<void> {
    await Promise.all([loop, carried?.stop(), Promise.allSettled(beginnings)])
  }

  /** The worker may not be used any more, so this is not left to its next claim. */
  async function giveBackUnanswered(): Promise<void> {
    try {
      await endsWithin(unanswered.giveBack(), GIVING_BACK_MS)
    } catch (error) {
      tellError({ error, during: 'release', deliveryIds: [] })
    }
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
    let leaseEnd = 0
    const ask = async () => {
      // Measured from before the statement, so that our lease ends no later than the database's.
      leaseEnd = performance.now() + worker.leaseMs
      const takesSuspect = !asksForSuspect && !underWay.hasSuspect()
      const statement = claimDeliveries(options.schema, {
        limit,
        perEndpoint: worker.endpointConcurrency,
        underWay: underWay.perEndpoint(),
        leaseMs: worker.leaseMs,
        breakerFailures: options.policy.breakerFailures,
        mostUnfinished: worker.maxUnfinished,
        suspectFrom: worker.suspectFrom,
        takesSuspect,
        mostBytes,
        worker: name,
      })
      if (!takesSuspect) return await runStatement(options, statement)
      asksForSuspect = true
      try {
        return await runStatement(options, statement)
      } finally {
        // Until then, what it brought is under way.
        setImmediate(() => {
          asksForSuspect = false
        })
      }
    }
    // After a stop nobody would wait for the answer.
    const rows = await unanswered.taking(ask, { isOver: () => own.isStopping })
    if (rows === undefined) return []
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
  /** The rounds of `deliverOnce` that have not claimed yet. */
  readonly beginnings: Set<Promise<unknown>>
  readonly aborter: AbortController
  readonly wake: Wake
}

function newWorkPeriod(): WorkPeriod {
  const aborter = new AbortController()
  // Every delivery under way adds a listener, so there is no limit on their number.
  setMaxListeners(0, aborter.signal)
  return {
    isStopping: false,
    loop: undefined,
    carried: undefined,
    beginnings: new Set(),
    aborter,
    wake: createWake(),
  }
}

function redriveFailed(error: unknown): void {
  tellError({ error, during: 'redrive', deliveryIds: [] })
}

/** Varies a wait at random, so that workers that were started together do not poll together. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}

const LEAST_POLL_MS = 25
/** The time that `stop` allows for giving back what was claimed without an answer. Milliseconds. */
const GIVING_BACK_MS = 1_000
