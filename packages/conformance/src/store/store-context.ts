import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type {
  Attempt,
  Claim,
  Completion,
  Decision,
  ErrorCode,
  OutboxEvent,
  Store,
  StoredResponse,
} from '@oncekey/core'
import { eventually } from '../eventually.ts'
import type { StoreFixture } from './store-fixture.ts'

/** What a behaviour is tested with: a fixture of its own and short words for the long way round. */
export interface StoreContext {
  readonly store: Store
  readonly fixture: StoreFixture
  /** Random histories that the model test goes through. */
  readonly modelRuns: number

  /** The store on the same data, as another process has it; the store itself where there is none. */
  another(): Promise<Store>

  /** A claim on a key of its own, with a long lease, that does not wait. */
  claim(differently?: Partial<Claim>): Claim
  /** The claim sent again by a client: same key and request, another token. */
  retry(claim: Claim, differently?: Partial<Claim>): Claim
  /** The same key with another request. */
  otherRequest(claim: Claim): Claim
  /** A lease that the test means to let run out. Milliseconds. */
  readonly shortLeaseMs: number
  /** Returns when the lease that this claim won has run out. */
  lapse(claim: Claim): Promise<void>

  begin(claim: Claim, store?: Store): Promise<Decision>
  /** Begins, and fails the test unless it wins the attempt. */
  run(claim: Claim, store?: Store): Promise<Attempt>
  open(): Promise<Attempt>
  /** Wins the attempt and completes it with a response of its own, which is returned. */
  finish(claim: Claim, completion?: Partial<Completion>): Promise<StoredResponse>

  /** A name that no other test uses. */
  name(): string
  write(attempt: Attempt, id: string): Promise<void>
  written(id: string): Promise<boolean>
  event(differently?: Partial<OutboxEvent>): OutboxEvent
  /** The ids of those of these events that are committed, in the order of commit. */
  committed(...events: readonly OutboxEvent[]): Promise<string[]>

  /** Ends what the test left running, so that the fixture can be closed. */
  end(): Promise<void>
}

/** Makes the context of one test. */
export function storeContext(fixture: StoreFixture, modelRuns: number): StoreContext {
  const { store } = fixture
  const mine = randomUUID().slice(0, 8)
  const attempts = new Set<Attempt>()
  let names = 0

  const shortLeaseMs = fixture.advance === undefined ? 250 : 60_000

  const name = (): string => {
    names += 1
    return `${mine}-${names}`
  }

  const claim = (differently?: Partial<Claim>): Claim => ({
    namespace: `conformance-${mine}`,
    scope: 'customer-1',
    key: name(),
    fingerprints: [fingerprintOf('a request')],
    token: randomUUID(),
    leaseMs: 60 * 60 * 1000,
    waitMs: 0,
    whenUnknown: 'retake',
    signal: new AbortController().signal,
    ...differently,
  })

  const retry = (first: Claim, differently?: Partial<Claim>): Claim => ({
    ...first,
    token: randomUUID(),
    leaseMs: 60 * 60 * 1000,
    // Another request has a connection of its own to be lost.
    signal: new AbortController().signal,
    ...differently,
  })

  const begin = (asked: Claim, on: Store = store): Promise<Decision> => {
    const asking = ask(asked, on)
    // A test that fails leaves its waiting claims behind, to be rejected when the fixture is closed.
    asking.catch(() => {})
    return asking
  }

  const ask = async (asked: Claim, on: Store): Promise<Decision> => {
    const decision = await on.begin(asked)
    if (decision.kind === 'run') attempts.add(decision.attempt)
    return decision
  }

  const run = async (asked: Claim, on: Store = store): Promise<Attempt> =>
    expectDecision(await begin(asked, on), 'run').attempt

  return {
    store,
    fixture,
    modelRuns,
    shortLeaseMs,
    claim,
    retry,
    begin,
    run,
    name,

    another: async () => (await fixture.another?.()) ?? store,

    otherRequest: (first) => retry(first, { fingerprints: [fingerprintOf('another request')] }),

    async lapse(first) {
      if (fixture.advance !== undefined) return fixture.advance(first.leaseMs + 1)
      await eventually('the lease to run out', async () => {
        const { kind } = await begin(retry(first, { whenUnknown: 'hold', waitMs: 0 }))
        return kind === 'unknown' ? true : undefined
      })
    },

    async open() {
      const attempt = await store.open({ leaseMs: 60_000 })
      attempts.add(attempt)
      return attempt
    },

    async finish(asked, completion) {
      const response = completion?.response ?? responseOf(name())
      const attempt = await run(asked)
      const outcome = await attempt.complete(completionOf({ ...completion, response }))
      assert.equal(outcome, 'stored')
      return response
    },

    async write(attempt, id) {
      assert.ok(fixture.write)
      await fixture.write(await attempt.transaction(), id)
    },

    async written(id) {
      assert.ok(fixture.written)
      return await fixture.written(id)
    },

    event: (differently) => {
      const id = randomUUID()
      return {
        id,
        type: 'order.created',
        source: '/conformance',
        subject: 'order-1',
        orderingKey: 'order-1',
        data: '{"id":"order-1"}',
        headers: {},
        occurredAt: new Date(),
        ...differently,
      }
    },

    async committed(...events) {
      assert.ok(fixture.events)
      const ids = new Set(events.map(({ id }) => id))
      return (await fixture.events()).map(({ id }) => id).filter((id) => ids.has(id))
    },

    async end() {
      await Promise.allSettled([...attempts].map((attempt) => attempt.release()))
    },
  }
}

/** A fingerprint of the form the engine makes. */
export function fingerprintOf(request: string, tag = 'json1'): string {
  return `${tag}:${Buffer.from(request).toString('base64url')}`
}

/** A response with this text as its body. */
export function responseOf(text: string, differently?: Partial<StoredResponse>): StoredResponse {
  return {
    status: 201,
    headers: [['content-type', 'text/plain']],
    body: new TextEncoder().encode(text),
    seal: null,
    ...differently,
  }
}

/** A completion that keeps the writes and has no events, unless told otherwise. */
export function completionOf(differently?: Partial<Completion>): Completion {
  return { response: responseOf('done'), events: [], writes: 'keep', ...differently }
}

/** The decision, known to be of that kind; fails the test otherwise. */
export function expectDecision<Kind extends Decision['kind']>(
  decision: Decision,
  kind: Kind,
): Extract<Decision, { kind: Kind }> {
  assert.equal(decision.kind, kind, `the answer is \`${decision.kind}\`, expected \`${kind}\``)
  return decision as Extract<Decision, { kind: Kind }>
}

/** Fails the test unless the decision replays this response, byte for byte. */
export function expectReplay(decision: Decision, response: StoredResponse): void {
  const { response: replayed } = expectDecision(decision, 'replay')
  assert.equal(replayed.status, response.status, 'status')
  assert.deepEqual(
    replayed.headers.map(([name, value]) => [name, value]),
    response.headers.map(([name, value]) => [name, value]),
    'headers',
  )
  assert.ok(replayed.body instanceof Uint8Array, 'the body is bytes')
  assert.ok(response.body instanceof Uint8Array)
  assert.ok(
    Buffer.compare(replayed.body, response.body) === 0,
    `body: ${replayed.body.length} bytes ${shown(replayed.body)}, expected ${response.body.length} bytes ${shown(response.body)}`,
  )
  assert.equal(replayed.seal, response.seal, 'seal')
}

/** Fails the test unless this throws an error with that code. */
export async function expectError(code: ErrorCode, act: () => unknown): Promise<void> {
  await assert.rejects(
    async () => await act(),
    (error) => {
      assert.equal((error as { code?: unknown }).code, code, `threw ${error}`)
      return true
    },
  )
}

/** How often each kind of answer was given. */
export function countKinds(
  decisions: readonly Decision[],
): Partial<Record<Decision['kind'], number>> {
  const counts: Partial<Record<Decision['kind'], number>> = {}
  for (const { kind } of decisions) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

function shown(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 16)).toString('hex')
}
