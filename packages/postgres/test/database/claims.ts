import { randomUUID } from 'node:crypto'
import type {
  Attempt,
  Claim,
  Completion,
  Decision,
  OutboxEvent,
  StoredResponse,
} from '@oncekey/core'

/** A claim on a fresh key, unless `of` says otherwise. */
export function claimOf(overrides: Partial<Claim> = {}): Claim {
  return {
    namespace: 'http',
    scope: 'tenant-1',
    key: randomUUID(),
    fingerprints: ['json1:abc'],
    token: randomUUID(),
    leaseMs: 60_000,
    waitMs: 0,
    whenUnknown: 'retake',
    signal: new AbortController().signal,
    ...overrides,
  }
}

/** The same request again: a new token, and the rest unchanged. */
export function again(claim: Claim, overrides: Partial<Claim> = {}): Claim {
  const { signal } = new AbortController()
  return { ...claim, token: randomUUID(), signal, ...overrides }
}

export function responseOf(text: string, overrides: Partial<StoredResponse> = {}): StoredResponse {
  return {
    status: 201,
    headers: [['content-type', 'application/json']],
    body: Buffer.from(text),
    seal: null,
    ...overrides,
  }
}

export function kept(text: string, events: readonly OutboxEvent[] = []): Completion {
  return { response: responseOf(text), events, writes: 'keep' }
}

export function refused(text: string): Completion {
  return { response: responseOf(text, { status: 422 }), events: [], writes: 'undo' }
}

export function eventOf(overrides: Partial<OutboxEvent> = {}): OutboxEvent {
  return {
    id: randomUUID(),
    type: 'order.created',
    source: '/orders',
    subject: 'order-1',
    orderingKey: 'order-1',
    data: '{"total":12}',
    headers: {},
    occurredAt: new Date('2026-01-02T03:04:05.678Z'),
    ...overrides,
  }
}

/** The attempt of a decision that won; any other decision fails the test. */
export function attemptOf<Tx>(decision: Decision<Tx>): Attempt<Tx> {
  if (decision.kind === 'run') return decision.attempt
  throw new Error(`Expected the claim to win, but it was answered ${decision.kind}`)
}

/** A decision as text, with the body, for comparisons. */
export function said(decision: Decision): string {
  if (decision.kind !== 'replay') return decision.kind
  return `replay ${decision.response.status} ${decision.response.body?.toString()}`
}
