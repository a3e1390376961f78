import assert from 'node:assert/strict'
import type { Attempt, OutboxEvent } from '@oncekey/core'
import fc from 'fast-check'
import type { StoreBehaviourGroup } from './fixture/store-behaviour.ts'
import {
  completionOf,
  fingerprintOf,
  responseOf,
  type StoreContext,
} from './fixture/store-context.ts'

/**
 * Random histories of claims and ends, some of them at once, against a model of one key. Operations
 * made at once may take effect in any order; that some order explains every answer is the test.
 */
export function model(): StoreBehaviourGroup {
  return {
    title: 'the model',
    behaviours: [
      {
        title: 'explains every answer, whatever is asked in whatever order, also at once',
        run: (context) =>
          fc.assert(
            fc.asyncProperty(histories(context), (history) => live(history, context)),
            { numRuns: context.modelRuns, interruptAfterTimeLimit: 20_000 },
          ),
      },
    ],
  }
}

// --- the model ---

interface Key {
  readonly state: 'free' | 'running' | 'finished'
  readonly request?: string
  readonly number: number
  /** The claim that owns the key. */
  readonly owner?: string | undefined
  readonly isLapsed?: boolean
  /** The owner has a transaction open: where that locks the row, a takeover has to wait for it. */
  readonly isLocked?: boolean
  readonly response?: string
}

const FREE: Key = { state: 'free', number: 0 }

/** What a key may answer, and what it is afterwards. */
type Possible = readonly (readonly [answer: string, key: Key])[]

function claimed(key: Key, asked: Asked, mode: string): Possible {
  const { id, operation } = asked
  if (operation.kind !== 'claim') return []
  const { request, whenUnknown } = operation
  const number = key.number + 1
  const run = [`run ${number}`, { state: 'running', request, number, owner: id }] as const
  const busy = ['in-progress', key] as const

  if (key.state === 'free') return [run]
  const isOutOfSight = key.state === 'running' && mode === 'transaction'
  if (key.request !== request) return isOutOfSight ? [['mismatch', key], busy] : [['mismatch', key]]
  if (key.state === 'finished') return [[`replay ${key.response}`, key]]
  if (!key.isLapsed) return [busy]
  const taken = whenUnknown === 'hold' ? (['unknown', key] as const) : run
  return key.isLocked ? [taken, busy] : [taken]
}

function ended(key: Key, { id, by, operation }: Asked, mode: string): Possible {
  const isOwner = key.state === 'running' && by !== undefined && key.owner === by.id
  switch (operation.kind) {
    case 'complete':
    case 'refuse':
      if (!isOwner) return [['superseded', key]]
      return [['stored', { ...key, state: 'finished', owner: undefined, response: id }]]
    case 'release':
      return [['done', isOwner ? FREE : key]]
    case 'abandon': {
      const lapsed = { ...key, owner: undefined, isLapsed: true, isLocked: false }
      if (!isOwner) return [['done', key]]
      return [['done', mode === 'transaction' ? FREE : lapsed]]
    }
    case 'renew':
      return isOwner ? [['held', { ...key, isLapsed: false }]] : [['stale', key]]
    case 'write':
      if (isOwner) return [['written', { ...key, isLocked: true }]]
      // Too late: refused, or accepted and never committed. After its own end, always refused.
      return by?.hasEnded
        ? [['refused', key]]
        : [
            ['refused', key],
            ['written', key],
          ]
    default:
      return []
  }
}

/** The key after these operations in some order that explains their answers. */
function explain(key: Key, answered: readonly Answered[], mode: string): Key | undefined {
  if (answered.length === 0) return key
  for (const one of answered) {
    const others = answered.filter((other) => other !== one)
    const possible =
      one.operation.kind === 'claim' ? claimed(key, one, mode) : ended(key, one, mode)
    for (const [answer, next] of possible) {
      const last = answer === one.answer ? explain(next, others, mode) : undefined
      if (last !== undefined) return last
    }
  }
  return undefined
}

// --- histories ---

type Operation =
  | {
      readonly kind: 'claim'
      readonly key: number
      readonly request: string
      readonly whenUnknown: 'retake' | 'hold'
    }
  | {
      readonly kind: 'complete' | 'refuse' | 'release' | 'abandon' | 'renew' | 'write'
      /** Counted back from the attempt that was won last. */
      readonly attempt: number
    }

/** What is done at once, or the end of every lease. */
type Step = readonly Operation[] | 'lapse'

function histories({ store, fixture }: StoreContext): fc.Arbitrary<Step[]> {
  const { mode, transactions, concurrency } = store.capabilities
  const ends = ['complete', 'complete', 'refuse', 'release', 'abandon'] as const
  const renewing = mode === 'lease' ? (['renew'] as const) : []
  const writing = transactions && fixture.written !== undefined ? (['write', 'write'] as const) : []
  const operation = fc.oneof(
    fc.record({
      kind: fc.constant('claim' as const),
      // A store with one session would wait for the attempt on the other key.
      key: fc.nat(concurrency === 'one' ? 0 : 1),
      request: fc.constantFrom('a', 'a', 'a', 'b'),
      whenUnknown: fc.constantFrom('retake', 'retake', 'hold'),
    }),
    fc.record({
      kind: fc.constantFrom(...ends, ...renewing, ...writing),
      attempt: fc.nat(3),
    }),
  )
  const atOnce = fc.array(operation, { minLength: 1, maxLength: 4 })
  const canLapse = mode === 'lease' && fixture.advance !== undefined
  const step = canLapse
    ? fc.oneof({ weight: 4, arbitrary: atOnce }, { weight: 1, arbitrary: fc.constant('lapse') })
    : atOnce
  return fc.array(step, { minLength: 3, maxLength: 20, size: 'max' })
}

// --- one history lived through ---

interface Won {
  readonly id: string
  readonly key: number
  readonly attempt: Attempt
  hasEnded: boolean
  readonly writes: string[]
}

interface Asked {
  readonly id: string
  readonly key: number
  readonly operation: Operation
  readonly by?: Won
}

type Answered = Asked & { readonly answer: string }

const LEASE_MS = 60_000

async function live(history: readonly Step[], context: StoreContext): Promise<void> {
  const { store, fixture, claim, retry, begin, name, event, write } = context
  const { mode } = store.capabilities
  const firsts = [claim({ leaseMs: LEASE_MS }), claim({ leaseMs: LEASE_MS })]
  const won: Won[] = []
  const expectedWrites = new Map<string, boolean>()
  const events: OutboxEvent[] = []
  const committed: string[] = []
  let keys: Key[] = [FREE, FREE]

  for (const step of history) {
    if (step === 'lapse') {
      await fixture.advance?.(LEASE_MS + 1)
      keys = keys.map((key) => (key.state === 'running' ? { ...key, isLapsed: true } : key))
      continue
    }
    const asked = ask(step)
    const answered = await Promise.all(
      asked.map(async (one) => ({ ...one, answer: await answer(one) })),
    )
    keys = keys.map((key, index) => {
      const onKey = answered.filter((one) => one.key === index)
      const next = explain(key, onKey, mode)
      assert.ok(next, `${JSON.stringify(key)} does not explain ${onKey.map(shown).join(', ')}`)
      return next
    })
  }
  for (const { attempt } of won) await attempt.release()
  await lookBehind()

  /** Of each attempt one operation at a time: it is the handler's, which does one thing at once. */
  function ask(operations: readonly Operation[]): Asked[] {
    const busy = new Set<Won>()
    const asked: Asked[] = []
    for (const operation of operations) {
      if (operation.kind === 'claim') {
        asked.push({ id: name(), key: operation.key, operation })
        continue
      }
      const by = won.at(-1 - operation.attempt)
      const isCompletion = operation.kind === 'complete' || operation.kind === 'refuse'
      if (by === undefined || busy.has(by) || (by.hasEnded && isCompletion)) continue
      busy.add(by)
      asked.push({ id: name(), key: by.key, operation, by })
    }
    return asked
  }

  async function answer({ id, key, operation, by }: Asked): Promise<string> {
    if (operation.kind === 'claim') {
      const { request, whenUnknown } = operation
      const fingerprints = [fingerprintOf(request)] as const
      const first = firsts[key] ?? claim()
      const decision = await begin(retry(first, { leaseMs: LEASE_MS, fingerprints, whenUnknown }))
      if (decision.kind === 'replay') {
        return `replay ${new TextDecoder().decode(decision.response.body ?? undefined)}`
      }
      if (decision.kind !== 'run') return decision.kind
      won.push({ id, key, attempt: decision.attempt, hasEnded: false, writes: [] })
      return `run ${decision.attempt.number}`
    }
    assert.ok(by)
    switch (operation.kind) {
      case 'complete':
      case 'refuse':
        return complete(by, id, operation.kind === 'complete')
      case 'renew':
        return by.attempt.renew(LEASE_MS)
      case 'write':
        return put(by, id)
      default:
        await by.attempt[operation.kind]()
        by.hasEnded = true
        return 'done'
    }
  }

  async function complete(by: Won, id: string, keeps: boolean): Promise<string> {
    const given = keeps ? [event(), event()] : []
    const outcome = await by.attempt.complete(
      completionOf({
        response: responseOf(id),
        events: given,
        writes: keeps ? 'keep' : 'undo',
      }),
    )
    by.hasEnded = true
    events.push(...given)
    if (outcome === 'stored') {
      committed.push(...given.map((each) => each.id))
      if (keeps) for (const row of by.writes) expectedWrites.set(row, true)
    }
    return outcome
  }

  async function put(by: Won, id: string): Promise<string> {
    expectedWrites.set(id, false)
    try {
      await write(by.attempt, id)
      by.writes.push(id)
      return 'written'
    } catch (error) {
      if ((error as { code?: unknown }).code === 'transaction-over') return 'refused'
      throw error
    }
  }

  async function lookBehind(): Promise<void> {
    for (const [id, isThere] of expectedWrites) {
      assert.equal(await context.written(id), isThere, `the write ${id} is there`)
    }
    if (fixture.events === undefined) return
    const found = await context.committed(...events)
    assert.deepEqual(found.toSorted(), committed.toSorted(), 'the events committed')
  }
}

function shown({ id, operation, by, answer }: Answered): string {
  return `${JSON.stringify(operation)} as ${id}${by ? ` by ${by.id}` : ''}: ${answer}`
}
