import { describe, expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import type { SealKeys } from '../../src/request/seal.ts'
import { sealedKeys } from '../../src/request/sealed-keys.ts'
import { post, response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { runOf, text } from './handler-runs.ts'

const k1 = new Uint8Array(32).fill(1)
const k2 = new Uint8Array(32).fill(2)
const NONE = undefined
const LISTED: SealKeys = { current: null, keys: { k1 } }
const SEALING: SealKeys = { current: 'k1', keys: { k1 } }
const NEXT: SealKeys = { current: 'k2', keys: { k1, k2 } }

const BODY = 'card 4242'
const name = { namespace: 'http', scope: 'customer-1', key: 'k-1' }

type Store = ReturnType<typeof memoryStore>

/** What a retry gets from a process with these keys. */
async function retried(store: Store, seal: SealKeys | undefined): Promise<string> {
  const options = seal === undefined ? {} : { seal }
  const begun = await createEngine({ store, ...options }).begin(post('k-1'))
  if (begun.kind === 'replay') return text(begun.response.body)
  return begun.kind === 'problem' ? begun.code : begun.kind
}

async function answered(store: Store, seal: SealKeys | undefined): Promise<void> {
  const options = seal === undefined ? {} : { seal }
  await (await runOf(createEngine({ store, ...options }))).complete(response(201, BODY))
}

async function abandoned(store: Store, seal: SealKeys | undefined): Promise<void> {
  const options = seal === undefined ? {} : { seal }
  await (await runOf(createEngine({ store, ...options }))).abandon()
}

const deploys: [string, SealKeys | undefined, SealKeys | undefined][] = [
  ['begins, when the key is listed', NONE, LISTED],
  ['begins, when the key becomes current', LISTED, SEALING],
  ['ends, when no key is current any more', SEALING, LISTED],
]

// A bug: `seal` sealed as soon as it was there, so a process without it beside one that had it took
// a retry for another request: 422, a new key, and the write happened twice.
describe.each(deploys)('sealing %s', (_, one, other) => {
  test.each([
    ['the old process answers, the new one is asked', one, other],
    ['the new process answers, the old one is asked', other, one],
  ])('%s: the retry gets the answer', async (_, first, second) => {
    const store = memoryStore()
    await answered(store, first)
    expect(await retried(store, second)).toBe(BODY)
  })

  test.each([
    ['the new process takes over from the old one', one, other],
    ['the old process takes over from the new one', other, one],
  ])('%s: the retry gets the answer from both', async (_, first, second) => {
    const store = memoryStore({ mode: 'lease' })
    await abandoned(store, first)
    await answered(store, second)
    expect([await retried(store, first), await retried(store, second)]).toEqual([BODY, BODY])
  })
})

test('sealing that begins in one deploy takes a retry for another request', async () => {
  const store = memoryStore()
  await answered(store, SEALING)
  expect(await retried(store, NONE)).toBe('key-reused')
})

test('with no key current, records are kept as without a seal', async () => {
  const store = memoryStore()
  await answered(store, LISTED)
  const kept = await store.keys.get(name, { body: true })
  expect(kept).toMatchObject({ fingerprint: expect.stringMatching(/^json1:/) })
  expect(kept?.response).toMatchObject({ seal: null, body: Buffer.from(BODY) })
})

// A bug: the seal was bound to the fingerprint of the attempt that answered, and the record has
// that of the first. Operators were told that a whole record had been changed, or moved.
describe.each([
  ['rotation of keys', SEALING, NEXT],
  ['start of sealing', LISTED, SEALING],
  ['end of sealing', SEALING, LISTED],
])('an attempt taken over across the %s', (_, first, second) => {
  test('is shown to operators', async () => {
    const store = memoryStore({ mode: 'lease' })
    await abandoned(store, first)
    await answered(store, second)
    const shown = await sealedKeys(store.keys, second).get(name, { body: true })
    expect(text(shown?.response?.body as Uint8Array)).toBe(BODY)
  })

  test('is replayed even if the record could not be looked at', async () => {
    const store = memoryStore({ mode: 'lease' })
    await abandoned(store, first)
    const get = () => Promise.reject(new Error('away'))
    const errors = await published('oncekey:error', () =>
      answered({ ...store, keys: { ...store.keys, get } }, second),
    )
    expect(errors).toMatchObject([{ during: 'complete', error: { message: 'away' } }])
    expect(await retried(store, second)).toBe(BODY)
  })

  test('is answered by an operator, and the retry gets that', async () => {
    const store = memoryStore({ mode: 'lease' })
    await abandoned(store, first)
    const given = { ...response(201, BODY), seal: null }
    const act = { actor: 'maria@shop.example', note: 'charged, see the gateway' }
    expect(await sealedKeys(store.keys, second).answer(name, given, act)).toBe('done')
    expect(await retried(store, second)).toBe(BODY)
  })
})
