import { expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import type { Seal } from '../../src/request/seal.ts'
import { sealedKeys } from '../../src/request/sealed-keys.ts'
import { json, post, response } from '../support/post.ts'

const given = { current: 'k1', keys: { k1: new Uint8Array(32).fill(1) } }
const act = { actor: 'maria@shop.example', note: 'charged, see the gateway' }
const name = { namespace: 'http', scope: 'customer-1', key: 'k-1' }
const card = { ...response(201, '{"card":"4242"}'), seal: null }

async function unknownKey(seal: Seal) {
  const store = memoryStore({ mode: 'lease' })
  const engine = createEngine({ store, seal })
  const begun = await engine.begin(post('k-1'))
  if (begun.kind !== 'run') throw new Error(begun.kind)
  await begun.run.abandon()
  return { store, engine, keys: store.keys }
}

// A bug: the response was stored in the clear, and the engine then refused it as one whose seal was
// taken off.
test.each<[string, Seal]>([
  ['given as they are', given],
  ['of a vault', async () => given],
])('what an operator answers is sealed, and the retry gets it: keys %s', async (_, seal) => {
  const { keys, engine } = await unknownKey(seal)
  expect(await sealedKeys(keys, seal).answer(name, card, act)).toBe('done')
  const kept = await keys.get(name, { body: true })
  expect(kept?.response).toMatchObject({ status: 201, headers: [], seal: 'k1' })
  expect(Buffer.from(kept?.response?.body ?? []).toString('latin1')).not.toContain('4242')
  const retried = await engine.begin(post('k-1'))
  if (retried.kind !== 'replay') throw new Error(retried.kind)
  expect(json(retried.response)).toEqual({ card: '4242' })
})

test('a sealed body is opened for whoever has the key, and only where it is asked for', async () => {
  const { keys } = await unknownKey(given)
  const opening = sealedKeys(keys, given)
  await opening.answer(name, card, act)
  expect((await opening.get(name))?.response).toMatchObject({ body: null, seal: 'k1' })
  const shown = await opening.get(name, { body: true })
  expect(shown?.response).toMatchObject({ headers: card.headers, body: card.body, seal: null })
  const other = { current: 'k2', keys: { k2: new Uint8Array(32).fill(2) } }
  await expect(sealedKeys(keys, other).get(name, { body: true })).rejects.toMatchObject({
    code: 'seal-key-missing',
  })
})

test('a key that is not unknown is told as it is', async () => {
  const { keys } = await unknownKey(given)
  const sealing = sealedKeys(keys, given)
  expect(await sealing.answer({ ...name, key: 'other' }, card, act)).toBe('absent')
  await sealing.answer(name, card, act)
  expect(await sealing.answer(name, card, act)).toBe('finished')
})

test('keys that cannot be are refused at once', () => {
  const { keys } = memoryStore({ mode: 'lease' })
  expect(() => sealedKeys(keys as never, { current: 'k9', keys: {} })).toThrow('seal.current')
})
