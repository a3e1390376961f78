import type { Claim, Decision } from '@oncekey/core'
import { answerOf, askDatabase, findRecord } from './ask-database.ts'
import { busy } from './busy.ts'
import { type ClaimKey, claimKey } from './claim-key.ts'
import { patienceOf } from './patience.ts'
import type { Place } from './places.ts'
import { decisionOf } from './record.ts'
import type { LeasedJson } from './statements/find-record.ts'
import type { Answer, StoreState } from './store-state.ts'
import { waitElsewhere } from './wait-elsewhere.ts'

/**
 * Answers a claim: from this process where the key runs in it, else from the database, and again
 * after waiting for as long as the claim has patience.
 */
export async function begin<Tx>(store: StoreState<Tx>, claim: Claim): Promise<Decision<Tx>> {
  const key = claimKey(store.schema, claim)
  const patience = patienceOf(claim)
  const arrival = store.questions.now()

  for (;;) {
    const running = store.running.get(key.id)
    if (running !== undefined) {
      if (running.token === claim.token) return running.decision
      if (!claim.fingerprints.includes(running.fingerprint)) return { kind: 'mismatch' }
      if (!(await patience.outlasts(running.ended))) return IN_PROGRESS
      continue
    }

    let answer = await store.questions.ask(key.id, arrival, () => ask(store, claim, key))
    if (answer?.kind === 'in-progress' && patience.leftMs() > 0) {
      answer = await waitElsewhere(store, claim, key, patience)
    }
    switch (answer?.kind) {
      case undefined:
      case 'outdated':
        continue
      case 'run':
        return answer.decision
      case 'finished':
        return decisionOf(answer.record, claim)
      case 'leased':
        return leasedDecision(answer.leased, claim)
      case 'in-progress':
      case 'withdrawn':
        return IN_PROGRESS
    }
  }
}

/** Of an attempt of a store in lease mode, which is not waited for: stores of two modes meet in a deploy. */
function leasedDecision({ fingerprint, lapsed, since }: LeasedJson, claim: Claim): Decision<never> {
  if (!claim.fingerprints.includes(fingerprint)) return { kind: 'mismatch' }
  return lapsed && claim.whenUnknown === 'hold'
    ? { kind: 'unknown', since: new Date(since) }
    : IN_PROGRESS
}

const IN_PROGRESS = { kind: 'in-progress', retryAfterMs: 1_000 } as const

/** At once where there is a place: what the database says now. */
async function ask<Tx>(store: StoreState<Tx>, claim: Claim, key: ClaimKey): Promise<Answer<Tx>> {
  const place = store.attempts.tryTake()
  if (place !== undefined) return await askDatabase(store, claim, key, place)

  const { acquireTimeoutMs, attempts, client, maxConcurrent } = store
  const turn = attempts.take({ timeoutMs: acquireTimeoutMs, signal: claim.signal })
  if (client.concurrency === 'many' && !(await comesWithin(READ_AFTER_MS, turn))) {
    // Handlers have every place, maybe for long. What is finished is answered all the same.
    const found = await findRecord(store, claim).catch((error) => {
      giveUp(turn)
      throw error
    })
    if (found?.state === 'finished') {
      giveUp(turn)
      return answerOf(found)
    }
  }
  const taken = await turn
  if (taken !== undefined) return await askDatabase(store, claim, key, taken)
  if (claim.signal.aborted) return { kind: 'withdrawn' }
  throw busy(maxConcurrent, acquireTimeoutMs)
}

/**
 * Under load a place comes free in some milliseconds. To read beside it at once is a statement more
 * for every request that queues: 16 at once on 10 places had, by processor time, 0.51 of the bare
 * transaction's throughput with it, and 0.62 without.
 */
const READ_AFTER_MS = 100

/** The place that somebody is still queueing for goes to the next as soon as it comes. */
function giveUp(turn: Promise<Place | undefined>): void {
  void turn.then((late) => late?.())
}

function comesWithin(ms: number, event: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    const came = (): void => {
      clearTimeout(timer)
      resolve(true)
    }
    event.then(came, came)
  })
}
