import { describe, expect, test } from 'vitest'
import type { Decision } from '../../src/contracts/store.ts'
import type { Reconciliation } from '../../src/contracts/when-unknown.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { deferred } from '../../src/time/deferred.ts'
import { post, response } from '../support/post.ts'
import { attemptThat, storeThat } from '../support/stores.ts'

// A bug: what the function had found out about one attempt was done to the next one. Another
// process had taken the key over, charged, and lost its outcome; "nothing happened" charged again.
describe('what a whenUnknown function says about one attempt', () => {
  /** A lost attempt, and a process whose function is slow to say what it found. */
  async function slowToTell(found: Reconciliation) {
    const store = memoryStore({ mode: 'lease' })
    const lost = await createEngine({ store }).begin(post('k-1'))
    if (lost.kind !== 'run') throw new Error(lost.kind)
    await lost.run.abandon()
    const charges: string[] = []
    const lookUp = (): Reconciliation =>
      charges.length === 0 ? found : { status: 201, body: charges[0] ?? '' }
    const [isAsked, told] = [deferred<void>(), deferred<void>()]
    const asked: Date[] = []
    const slow = createEngine({
      store,
      async whenUnknown({ since }) {
        asked.push(since)
        const now = lookUp()
        isAsked.resolve()
        await told.promise
        return now
      },
    })
    const late = slow.begin(post('k-1'))
    await isAsked.promise
    return { store, charges, lookUp, told, asked, late }
  }

  test('is not done to the attempt that came after it: the function is asked again', async () => {
    const { store, charges, lookUp, told, asked, late } = await slowToTell('retake')
    const other = await createEngine({ store, whenUnknown: lookUp }).begin(post('k-1'))
    if (other.kind !== 'run') throw new Error(other.kind)
    charges.push('by attempt 2')
    await other.run.abandon()
    told.resolve()
    expect((await late).kind).toBe('replay')
    expect(asked).toHaveLength(2)
  })

  test('is not stored over the attempt that came after it either', async () => {
    const { store, charges, told, late } = await slowToTell({ status: 402, body: 'declined' })
    const other = await createEngine({ store }).begin(post('k-1'))
    if (other.kind !== 'run') throw new Error(other.kind)
    charges.push('by attempt 2')
    await other.run.abandon()
    told.resolve()
    expect(await late).toMatchObject({ kind: 'replay', response: { status: 201 } })
  })

  test('does not keep it from a key that was freed meanwhile', async () => {
    const { store, told, late } = await slowToTell('retake')
    const key = { namespace: 'http', scope: 'customer-1', key: 'k-1' }
    await store.keys.release(key, { actor: 'maria', note: 'nothing happened' })
    told.resolve()
    const begun = await late
    if (begun.kind !== 'run') throw new Error(begun.kind)
    expect(begun.run.context.attempt).toBe(1)
    await begun.run.abandon()
  })

  // A bug: whoever had waited for the function was told 409 outcome-unknown, retry never, although
  // those who had waited for that call got the answer.
  test('is not the answer if it is `hold` and the key was answered meanwhile', async () => {
    const { store, told, late } = await slowToTell('hold')
    const key = { namespace: 'http', scope: 'customer-1', key: 'k-1' }
    const found = { ...response(), seal: null }
    await store.keys.answer(key, found, { actor: 'maria', note: 'found at the gateway' })
    told.resolve()
    expect(await late).toMatchObject({ kind: 'replay', response: { status: 201 } })
  })

  test('lets the handler run if it is `hold` and the key was freed meanwhile', async () => {
    const { store, told, late } = await slowToTell('hold')
    const key = { namespace: 'http', scope: 'customer-1', key: 'k-1' }
    await store.keys.release(key, { actor: 'maria', note: 'nothing happened' })
    told.resolve()
    const begun = await late
    if (begun.kind !== 'run') throw new Error(begun.kind)
    await begun.run.abandon()
  })

  test('does not hold the attempt that came after it: the function is asked again', async () => {
    const { store, charges, told, asked, late } = await slowToTell('hold')
    const other = await createEngine({ store }).begin(post('k-1'))
    if (other.kind !== 'run') throw new Error(other.kind)
    charges.push('by attempt 2')
    await other.run.abandon()
    told.resolve()
    expect(await late).toMatchObject({ kind: 'replay', response: { status: 201 } })
    expect(asked).toHaveLength(2)
  })

  // A bug: these were told 409 outcome-unknown, retry never, although the next request would have
  // asked the function.
  test('is not the answer of those who waited for it, if the handler that ran was lost too', async () => {
    const store = memoryStore({ mode: 'lease' })
    const lost = await createEngine({ store }).begin(post('k-1'))
    if (lost.kind !== 'run') throw new Error(lost.kind)
    await lost.run.abandon()
    let asked = 0
    const engine = createEngine({
      store,
      waitMs: 10_000,
      async whenUnknown() {
        asked++
        return asked === 1 ? 'retake' : { status: 201, body: 'charged' }
      },
    })
    const [first, second] = [engine.begin(post('k-1')), engine.begin(post('k-1'))]
    const begun = await first
    if (begun.kind !== 'run') throw new Error(begun.kind)
    await begun.run.abandon()
    expect(await second).toMatchObject({ kind: 'replay', response: { status: 201 } })
    expect(asked).toBe(2)
  })

  test('is asked for three times at most, and then the client comes back', async () => {
    let attempt = 0
    const unknown = (): Decision => {
      attempt++
      return { kind: 'unknown', attempt: String(attempt), since: new Date(attempt) }
    }
    const store = storeThat({ mode: 'lease', begin: [unknown] })
    let asked = 0
    const engine = createEngine({
      store,
      whenUnknown() {
        asked++
        return 'retake'
      },
    })
    expect(await engine.begin(post('k-1'))).toMatchObject({ code: 'in-progress' })
    expect(asked).toBe(3)
    expect(store.claims.map(({ retakes }) => retakes)).toEqual([undefined, '1', '2', '3'])
  })

  test('is done if it is about the attempt that is still the last', async () => {
    const attempt = attemptThat()
    const store = storeThat({
      mode: 'lease',
      begin: [
        () => ({ kind: 'unknown', attempt: '1.7', since: new Date(0) }),
        () => ({ kind: 'run', attempt }),
      ],
    })
    const engine = createEngine({ store, whenUnknown: () => 'retake' })
    expect((await engine.begin(post('k-1'))).kind).toBe('run')
    expect(store.claims[1]).toMatchObject({ whenUnknown: 'retake', retakes: '1.7' })
  })
})
