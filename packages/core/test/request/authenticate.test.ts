import { describe, expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import type { Authenticate } from '../../src/request/authenticate.ts'
import { json, post, response } from '../support/post.ts'
import { storeThat } from '../support/stores.ts'

const sent = new TextEncoder().encode('{"type":"paid"}')
const signed = post('msg-1', {
  headers: { 'x-signature': 'right' },
  fingerprintInput: () => ({
    method: 'POST',
    target: '/hooks',
    contentType: 'application/json',
    body: { kind: 'bytes', bytes: sent },
  }),
})
const forged = {
  ...signed,
  header: (name: string) => (name === 'idempotency-key' ? ['msg-1'] : []),
}

const checkSignature: Authenticate = ({ header }) => {
  if (header('x-signature')[0] !== 'right') throw new OncekeyError('not-authentic', 'forged')
}

describe('authenticate', () => {
  test('gets the request and the received bytes', async () => {
    const seen: unknown[] = []
    const engine = createEngine({
      store: storeThat(),
      authenticate: ({ method, header }, bytes) =>
        void seen.push(method, header('x-signature'), bytes),
    })
    await engine.begin(signed)
    expect(seen).toEqual(['POST', ['right'], sent])
  })

  test('keeps a forged request away from the store, with or without a key', async () => {
    const store = storeThat()
    const engine = createEngine({ store, authenticate: checkSignature, required: false })
    for (const request of [forged, { ...forged, header: () => [] }]) {
      const begun = await engine.begin(request)
      if (begun.kind !== 'problem') throw new Error(begun.kind)
      expect(begun.response.status).toBe(401)
      expect(json(begun.response)).toMatchObject({ code: 'not-authentic', retry: 'never' })
    }
    expect(store.claims).toEqual([])
  })

  test('runs before a replay too', async () => {
    const engine = createEngine({ store: storeThat(), authenticate: checkSignature })
    const first = await engine.begin(signed)
    if (first.kind !== 'run') throw new Error(first.kind)
    await first.run.complete(response())
    expect((await engine.begin(forged)).kind).toBe('problem')
  })

  test('that throws another error passes it to the app, and nothing runs', async () => {
    const store = storeThat()
    const bug = new TypeError('secrets is not iterable')
    const authenticate = () => Promise.reject(bug)
    await expect(createEngine({ store, authenticate }).begin(signed)).rejects.toBe(bug)
    expect(store.claims).toEqual([])
  })

  test('fails if only a parser saw the body', async () => {
    const engine = createEngine({ store: storeThat(), authenticate: checkSignature })
    await expect(engine.begin(post('msg-1'))).rejects.toMatchObject({ code: 'body-unseen' })
  })

  test('has to be a function', () => {
    const authenticate = true as unknown as Authenticate
    expect(() => createEngine({ store: storeThat(), authenticate })).toThrow(
      'authenticate must be a function, not true',
    )
  })
})
