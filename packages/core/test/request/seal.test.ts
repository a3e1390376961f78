import { createCipheriv } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { StoredResponse } from '../../src/contracts/stored-response.ts'
import { checkSealKeys, seal, unseal } from '../../src/request/seal.ts'

const keys = {
  current: 'k1',
  keys: { k1: new Uint8Array(32).fill(1), k2: new Uint8Array(32).fill(2) },
}
const owner = { namespace: 'http', scope: 'customer-1', key: 'k-1', fingerprint: 'json1.k1:x' }
const { fingerprint, ...rest } = owner
const reader = { ...rest, fingerprints: [fingerprint], wasSealed: true }
const response: StoredResponse = {
  status: 201,
  headers: [
    ['content-type', 'text/plain'],
    ['x-many', 'a'],
    ['x-many', 'b'],
    ['x-removed', null],
  ],
  body: new TextEncoder().encode('card 4242'),
  seal: null,
}
const broken = expect.objectContaining({ code: 'seal-broken' })

describe('a sealed response', () => {
  test('opens to the original, byte for byte', () => {
    expect(unseal(seal(response, keys, owner), keys, reader)).toEqual(response)
  })

  test('distinguishes an empty body from none', () => {
    const empty = { ...response, body: new Uint8Array() }
    expect(unseal(seal(empty, keys, owner), keys, reader)).toEqual(empty)
  })

  test('shows its status and nothing else', () => {
    const sealed = seal(response, keys, owner)
    expect(sealed).toMatchObject({ status: 201, headers: [], seal: 'k1' })
    const text = Buffer.from(sealed.body as Uint8Array).toString('latin1')
    expect(text).not.toContain('4242')
    expect(text).not.toContain('text/plain')
  })

  test('never looks the same twice', () => {
    expect(seal(response, keys, owner).body).not.toEqual(seal(response, keys, owner).body)
  })

  test('has no body if none was stored', () => {
    const sealed = seal({ ...response, body: null }, keys, owner)
    expect(sealed).toEqual({ status: 201, headers: [], body: null, seal: 'k1' })
    expect(unseal(sealed, keys, reader)).toBe(sealed)
  })

  test.each([
    ['namespace', { ...reader, namespace: 'jobs' }],
    ['scope', { ...reader, scope: 'customer-2' }],
    ['key', { ...reader, key: 'k-2' }],
    ['fingerprint', { ...reader, fingerprints: ['json1.k1:y'] }],
    [
      'scope and key, with text shifted between them',
      { ...reader, scope: 'customer-1k', key: '-1' },
    ],
  ])('does not open when moved to a record of another %s', (_, other) => {
    expect(() => unseal(seal(response, keys, owner), keys, other)).toThrow(broken)
  })

  test('does not open under another status', () => {
    expect(() => unseal({ ...seal(response, keys, owner), status: 200 }, keys, reader)).toThrow(
      broken,
    )
  })

  test('does not open when any byte of it is changed', () => {
    const sealed = seal(response, keys, owner)
    for (let i = 0; i < (sealed.body as Uint8Array).length; i++) {
      const body = Uint8Array.from(sealed.body as Uint8Array)
      body[i] = (body[i] as number) ^ 1
      expect(() => unseal({ ...sealed, body }, keys, reader)).toThrow(broken)
    }
  })

  test('does not open when cut short, at any length', () => {
    const sealed = seal(response, keys, owner)
    for (let length = 0; length < (sealed.body as Uint8Array).length; length++) {
      const body = (sealed.body as Uint8Array).subarray(0, length)
      expect(() => unseal({ ...sealed, body }, keys, reader)).toThrow(broken)
    }
  })

  test('does not open with a tag of four bytes, which GCM accepts but can be guessed', () => {
    const cipher = createCipheriv('aes-256-gcm', keys.keys.k1, new Uint8Array(12))
    const parts = ['oncekey-seal-1', 'http', 'customer-1', 'k-1', fingerprint, '201']
    cipher.setAAD(Buffer.from(parts.map((part) => `${part.length}:${part}`).join('')))
    cipher.final()
    const tag = cipher.getAuthTag()
    const body = Buffer.concat([new Uint8Array(12), tag.subarray(0, 4)])
    expect(() => unseal({ status: 201, headers: [], body, seal: 'k1' }, keys, reader)).toThrow(
      broken,
    )
  })

  test('is not accepted without its seal as one from before sealing began', () => {
    const taken = { ...response, body: new TextEncoder().encode('forged') }
    expect(() => unseal(taken, keys, reader)).toThrow(broken)
    expect(() => unseal({ ...seal(response, keys, owner), seal: null }, keys, reader)).toThrow(
      broken,
    )
  })

  test('gives the cause when it does not open', () => {
    const sealed = seal(response, keys, owner)
    expect(() => unseal(sealed, { ...keys, keys: { k1: keys.keys.k2 } }, reader)).toThrow(
      expect.objectContaining({ code: 'seal-broken', cause: expect.any(Error) }),
    )
  })

  test('opens for any fingerprint of the request: a takeover after a rotation has two', () => {
    const fingerprints = ['json1.k2:new', fingerprint]
    expect(unseal(seal(response, keys, owner), keys, { ...reader, fingerprints })).toEqual(response)
  })
})

describe('rotating keys', () => {
  test('seals with the current one and opens with any that is listed', () => {
    const old = seal(response, keys, owner)
    const rotated = { ...keys, current: 'k2' }
    expect(unseal(old, rotated, reader)).toEqual(response)
    expect(seal(response, rotated, owner).seal).toBe('k2')
  })

  test.each([
    ['a key no longer listed', { current: 'k2', keys: { k2: keys.keys.k2 } }],
    ['no seal option at all', undefined],
  ])('cannot open with %s, and says which key is missing', (_, remaining) => {
    expect(() => unseal(seal(response, keys, owner), remaining, reader)).toThrow(
      expect.objectContaining({
        code: 'seal-key-missing',
        message:
          'A stored response is sealed with the key "k1", which seal.keys does not list. Keep a retired key listed until its records are purged.',
      }),
    )
  })

  test('leaves responses stored before sealing began unchanged', () => {
    const before = { ...reader, fingerprints: ['json1:x'], wasSealed: false }
    expect(unseal(response, keys, before)).toBe(response)
  })
})

describe('seal keys', () => {
  const key = new Uint8Array(32)

  test.each([
    ['an unlisted current key', { current: 'k3', keys: { k1: key } }, /seal\.current is "k3"/],
    [
      'a current key that every object has',
      { current: 'toString', keys: { k1: key } },
      /"toString"/,
    ],
    ['no keys', { current: 'k1' }, /write `seal: \{ current: 'k1', keys: \{ k1: key \} \}`/],
    ['nothing', null, /seal\.current is "undefined"/],
    ['a key of 16 bytes', { current: 'k', keys: { k: key.subarray(16) } }, /must be 32 bytes/],
    ['a key as text', { current: 'k', keys: { k: 'x'.repeat(32) } }, /crypto\.randomBytes\(32\)/],
    ['an old key of the wrong size', { current: 'k', keys: { k: key, o: key.subarray(1) } }, /"o"/],
    ['an id with a dot', { current: 'k.1', keys: { 'k.1': key } }, /1 to 32 characters/],
    ['an id that is too long', { current: 'k'.repeat(33), keys: { ['k'.repeat(33)]: key } }, /32/],
  ])('are refused with %s', (_, impossible, message) => {
    expect(() => checkSealKeys(impossible as never)).toThrow(
      expect.objectContaining({ code: 'options-invalid', message: expect.stringMatching(message) }),
    )
  })

  test('are taken as a Buffer', () => {
    expect(checkSealKeys({ current: 'k', keys: { k: Buffer.alloc(32) } })).toBeDefined()
  })
})
