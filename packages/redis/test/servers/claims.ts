import { randomUUID } from 'node:crypto'
import type {
  Attempt,
  Claim,
  Completion,
  Decision,
  OncekeyError,
  OutboxEvent,
  Store,
  StoredResponse,
} from '@oncekey/core'
import { expect } from 'vitest'

/** A claim on a fresh key. */
export function claimOf(differently: Partial<Claim> = {}): Claim {
  return {
    namespace: 'http',
    scope: 'customer-1',
    key: randomUUID(),
    fingerprints: ['json1:the-request'],
    token: randomUUID(),
    leaseMs: 60_000,
    waitMs: 0,
    whenUnknown: 'retake',
    signal: new AbortController().signal,
    ...differently,
  }
}

/** The claim of a client that sends its request again. */
export function retryOf(claim: Claim, differently: Partial<Claim> = {}): Claim {
  return { ...claim, token: randomUUID(), ...differently }
}

export function completionOf(differently: Partial<Completion> = {}): Completion {
  return { response: responseOf('done'), events: [], writes: 'keep', ...differently }
}

export function responseOf(text: string): StoredResponse {
  return {
    status: 201,
    headers: [['content-type', 'text/plain']],
    body: new TextEncoder().encode(text),
    seal: null,
  }
}

export function eventOf(differently: Partial<OutboxEvent> = {}): OutboxEvent {
  return {
    id: randomUUID(),
    type: 'order.created',
    source: '/http',
    subject: 'order-1',
    orderingKey: 'order-1',
    data: '{"id":1}',
    headers: {},
    occurredAt: new Date(),
    ...differently,
  }
}

/** Begins, and expects to win the attempt. */
export async function run(store: Store<never>, claim: Claim): Promise<Attempt<never>> {
  const decision = await store.begin(claim)
  if (decision.kind !== 'run') throw new Error(`The claim was answered ${decision.kind}`)
  return decision.attempt
}

export async function kindOf(store: Store<never>, claim: Claim): Promise<Decision['kind']> {
  return (await store.begin(claim)).kind
}

/** Begins again, and expects a replay of this text. */
export async function expectReplay(store: Store<never>, claim: Claim, text: string): Promise<void> {
  const decision = await store.begin(retryOf(claim))
  expect(decision).toMatchObject({ kind: 'replay', response: { status: 201 } })
  if (decision.kind !== 'replay') return
  expect(new TextDecoder().decode(decision.response.body ?? undefined)).toBe(text)
}

/** The error with which a call rejected. */
export async function errorOf(work: Promise<unknown>): Promise<OncekeyError> {
  return work.then(
    (value) => {
      throw new Error(`It was answered ${JSON.stringify(value)}`)
    },
    (error) => error,
  )
}
