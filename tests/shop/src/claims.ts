import { randomUUID } from 'node:crypto'
import type { Claim, Store } from '@oncekey/core'

export const NAME = { namespace: 'http', scope: 'customer-7' } as const

function claimOf(key: string, leaseMs: number, scope: string): Claim {
  return {
    namespace: NAME.namespace,
    scope,
    key,
    fingerprints: ['json1:abc'],
    token: randomUUID(),
    leaseMs,
    waitMs: 0,
    whenUnknown: 'hold',
    signal: new AbortController().signal,
  }
}

/** Leaves a key whose attempt has ended without an outcome, on a store in lease mode. */
export async function leaveUnknown(
  store: Pick<Store<unknown>, 'begin'>,
  key: string,
  scope: string = NAME.scope,
): Promise<void> {
  const decision = await store.begin(claimOf(key, 60_000, scope))
  if (decision.kind !== 'run') throw new Error(`${key} is ${decision.kind}.`)
  await decision.attempt.abandon()
}

export async function finish(
  store: Pick<Store<unknown>, 'begin'>,
  key: string,
  body: string,
  scope: string = NAME.scope,
  headers: readonly (readonly [string, string])[] = [],
): Promise<void> {
  const decision = await store.begin(claimOf(key, 60_000, scope))
  if (decision.kind !== 'run') throw new Error(`${key} is ${decision.kind}.`)
  await decision.attempt.complete({
    response: {
      status: 201,
      headers: [['content-type', 'application/json'], ...headers],
      body: new TextEncoder().encode(body),
      seal: null,
    },
    events: [],
    writes: 'keep',
  })
}
