import assert from 'node:assert/strict'
import type { OutboxEvent } from '@oncekey/core'
import {
  completionOf,
  fingerprintOf,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'
import type { Operation, Step } from './histories.ts'
import { type Answered, type Asked, explain, FREE, type Key, type Won } from './key-model.ts'

const LEASE_MS = 60_000

export async function live(history: readonly Step[], context: StoreContext): Promise<void> {
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

  /** One operation per attempt at a time, because a handler does one thing at a time. */
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
