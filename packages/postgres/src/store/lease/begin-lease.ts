import type { Claim, Decision } from '@oncekey/core'
import { type ClaimKey, claimKey } from '../../sql/claim-key.ts'
import { patienceOf } from '../attempt/patience.ts'
import { decisionOf } from '../attempt/record.ts'
import { askLease, type LeaseReply } from './ask-lease.ts'
import type { LeaseState } from './lease-state.ts'
import { leasedAttempt } from './leased-attempt.ts'

/**
 * Decides a claim in lease mode. If a reply was lost and no handler runs in the end, the claim is
 * given back: the copy whose reply was lost may still be on its way, and would take the key as soon
 * as it is free.
 */
export async function beginLease<Tx>(store: LeaseState<Tx>, claim: Claim): Promise<Decision<Tx>> {
  const key = claimKey(store.schema, claim)
  const late = store.lateEnds.tried(key.id, claim.signal)
  if (late !== undefined && !(await late) && claim.signal.aborted) return IN_PROGRESS
  let isInDoubt = false
  const ask = (): Promise<LeaseReply> =>
    askLease(store, claim, key, () => {
      isInDoubt = true
    })
  try {
    const decision = await decide(store, claim, key, ask)
    if (decision.kind === 'run' || decision === ABANDONED) isInDoubt = false
    return decision
  } finally {
    if (isInDoubt) void store.giveBack(claim, key)
  }
}

/**
 * Always asks the database, even if the key runs in this process, because that attempt's lease may
 * have ended and another process may own the key. After waiting it asks again, for as long as the
 * claim has patience.
 */
async function decide<Tx>(
  store: LeaseState<Tx>,
  claim: Claim,
  key: ClaimKey,
  ask: () => Promise<LeaseReply>,
): Promise<Decision<Tx>> {
  if (claim.waitMs <= 0) return decided(store, claim, key, await ask())

  const patience = patienceOf(claim)
  // Watch before asking: an attempt that ends between the reply and the wait must not be missed.
  const watch = store.endings.watch(key.id)
  try {
    for (;;) {
      watch.reset()
      const reply = await ask()
      if (reply.state === 'run' && claim.signal.aborted && !store.own.has(claim.token)) {
        // The caller is gone, so no handler will run, and this claim must not keep the key.
        await store.giveBack(claim, key)
        return ABANDONED
      }
      if (reply.state !== 'in-progress' || patience.leftMs() === 0) {
        return decided(store, claim, key, reply)
      }
      const { namespace, scope } = claim
      const { number } = reply
      await watch.next({ ...key, namespace, scope, key: claim.key, number }, reply.left, patience)
      if (claim.signal.aborted) return decided(store, claim, key, reply)
    }
  } finally {
    watch.stop()
  }
}

function decided<Tx>(
  store: LeaseState<Tx>,
  claim: Claim,
  key: ClaimKey,
  reply: LeaseReply,
): Decision<Tx> {
  switch (reply.state) {
    case 'run':
      return store.own.get(claim.token) ?? leasedAttempt(store, claim, key, reply)
    case 'finished':
      return decisionOf(reply.record, claim)
    case 'mismatch':
      return { kind: 'mismatch' }
    case 'in-progress':
      return { kind: 'in-progress', retryAfterMs: Math.min(reply.left, 1_000) }
    case 'unknown':
      return { kind: 'unknown', attempt: reply.attempt, since: new Date(reply.since) }
  }
}

const IN_PROGRESS = { kind: 'in-progress', retryAfterMs: 1_000 } as const
/** The claim has been given back already. */
const ABANDONED = { ...IN_PROGRESS }
