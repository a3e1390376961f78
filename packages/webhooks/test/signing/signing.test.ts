import { generateKeyPair, generateSecret, signWebhook, verifyWebhook } from '@oncekey/webhooks'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'

const body = '{"type":"order.created","data":{"id":"ö-1"}}'

/** A delivery as a receiver sees it. */
function delivery(headers: object, sent: string | Uint8Array = body) {
  const lines = new Headers(headers as Record<string, string>)
  return { header: (name: string) => lines.get(name), body: sent }
}

function codeOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

describe('a signature', () => {
  test("matches the specification's own test vector", () => {
    const headers = signWebhook({
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: new Date(1614265330 * 1000),
      body: '{"test": 2432232314}',
      secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    })
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  test('is accepted by the reference library, whose signatures we accept', () => {
    const secret = generateSecret()
    const reference = new Webhook(secret)
    const ours = signWebhook({ id: 'msg-1', body, secrets: [secret] })
    expect(reference.verify(body, { ...ours })).toEqual(JSON.parse(body))

    const now = new Date()
    const theirs = {
      'webhook-id': 'msg-2',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': reference.sign('msg-2', now, body),
    }
    expect(verifyWebhook({ ...delivery(theirs), secrets: [secret] }).id).toBe('msg-2')
  })

  test('over an id with a dot is refused, because it would also fit another id and another body', () => {
    const secret = generateSecret()
    const { 'webhook-signature': signature } = signWebhook({
      id: 'a',
      timestamp: new Date(1790000000 * 1000),
      body: '1790000000.5',
      secrets: [secret],
    })
    const moved = {
      'webhook-id': 'a.1790000000',
      'webhook-timestamp': '1790000000',
      'webhook-signature': signature,
    }
    const now = new Date(1790000000 * 1000)
    expect(codeOf(() => verifyWebhook({ ...delivery(moved, '5'), secrets: [secret], now }))).toBe(
      'not-authentic',
    )
  })

  test('of an ed25519 key is checked with its public half', () => {
    const { secret, publicKey } = generateKeyPair()
    const headers = signWebhook({ id: 'msg-1', body, secrets: [secret] })
    expect(headers['webhook-signature']).toMatch(/^v1a,[\w+/]{86}==$/)
    expect(verifyWebhook({ ...delivery(headers), secrets: [publicKey] }).id).toBe('msg-1')
    const other = generateKeyPair().publicKey
    expect(codeOf(() => verifyWebhook({ ...delivery(headers), secrets: [other] }))).toBe(
      'not-authentic',
    )
  })

  test('covers any bytes', () => {
    const secret = generateSecret()
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const headers = signWebhook({ id: 'msg-1', body: bytes, secrets: [secret] })
    expect(verifyWebhook({ ...delivery(headers, bytes), secrets: [secret] }).id).toBe('msg-1')
    const changed = bytes.with(255, 0)
    expect(codeOf(() => verifyWebhook({ ...delivery(headers, changed), secrets: [secret] }))).toBe(
      'not-authentic',
    )
  })
})

describe('while secrets are rotated', () => {
  const [older, newer] = [generateSecret(), generateSecret()]

  test('a receiver that knows either secret accepts a delivery', () => {
    const headers = signWebhook({ id: 'msg-1', body, secrets: [newer, older] })
    for (const secret of [older, newer]) {
      expect(verifyWebhook({ ...delivery(headers), secrets: [secret] }).id).toBe('msg-1')
      expect(new Webhook(secret).verify(body, { ...headers })).toBeTruthy()
    }
  })

  test('a receiver that knows both secrets accepts either', () => {
    for (const secret of [older, newer]) {
      const headers = signWebhook({ id: 'msg-1', body, secrets: [secret] })
      expect(verifyWebhook({ ...delivery(headers), secrets: [newer, older] }).id).toBe('msg-1')
    }
  })
})

describe('is not authentic', () => {
  const secret = generateSecret()
  const genuine = signWebhook({ id: 'msg-1', body, secrets: [secret] })
  const forgeries: Record<string, object> = {
    'with another id': { ...genuine, 'webhook-id': 'msg-2' },
    'with another timestamp': {
      ...genuine,
      'webhook-timestamp': String(Number(genuine['webhook-timestamp']) + 1),
    },
    'with a timestamp that is not a number': { ...genuine, 'webhook-timestamp': 'now' },
    'without a signature': { ...genuine, 'webhook-signature': '' },
    'with a signature cut short': {
      ...genuine,
      'webhook-signature': genuine['webhook-signature'].slice(0, -8),
    },
    'with the right signature under another version': {
      ...genuine,
      'webhook-signature': genuine['webhook-signature'].replace('v1,', 'v1a,'),
    },
    'with an empty signature': { ...genuine, 'webhook-signature': 'v1,' },
    'without an id': { ...genuine, 'webhook-id': '' },
  }
  test.each(Object.entries(forgeries))('%s', (_, headers) => {
    expect(codeOf(() => verifyWebhook({ ...delivery(headers), secrets: [secret] }))).toBe(
      'not-authentic',
    )
  })

  test('with a timestamp further in the past or the future than tolerated', () => {
    const at = (seconds: number) =>
      new Date(Number(genuine['webhook-timestamp']) * 1000 + seconds * 1000)
    const verified = (now: Date) =>
      codeOf(() => verifyWebhook({ ...delivery(genuine), secrets: [secret], now }))
    expect([at(-300), at(300)].map(verified)).toEqual(
      Array(2).fill(expect.objectContaining({ id: 'msg-1' })),
    )
    expect([at(-301), at(301)].map(verified)).toEqual(['not-authentic', 'not-authentic'])
  })
})

describe('bad input', () => {
  test.each([
    'secret',
    'whsec_',
    'whsec_c2hvcnQ=',
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    'whpk_c2hvcnQ=',
    `whsec_${'é'.repeat(40)}`,
  ])('%s is not a secret', (secret) => {
    expect(codeOf(() => signWebhook({ id: 'msg-1', body, secrets: [secret] }))).toBe(
      'options-invalid',
    )
  })

  test('a secret that is too long to sign with is one that a sender may have issued', () => {
    const secret = `whsec_${Buffer.alloc(75).toString('base64')}`
    const headers = signWebhook({ id: 'msg-1', body, secrets: [generateSecret()] })
    expect(codeOf(() => verifyWebhook({ ...delivery(headers), secrets: [secret] }))).toBe(
      'not-authentic',
    )
  })

  test('an error message never shows a secret', () => {
    const secret = 'whsec_c2hvcnQ='
    expect(() => signWebhook({ id: 'msg-1', body, secrets: [secret] })).toThrow(
      /^(?!.*c2hvcnQ).*24 to 64 bytes/,
    )
  })

  test.each(['', 'a.b', 'a b', 'ö', 'x'.repeat(256)])('"%s" is not an id', (id) => {
    expect(codeOf(() => signWebhook({ id, body, secrets: [generateSecret()] }))).toBe(
      'event-invalid',
    )
  })

  test.each<[string, object]>([
    ['a tolerance of NaN, such as Number(undefined)', { toleranceSeconds: Number.NaN }],
    ['a tolerance in words', { toleranceSeconds: '5 minutes' }],
    ['no tolerance at all', { toleranceSeconds: 0 }],
    ['an invalid clock', { now: new Date('today') }],
    ['a body that was parsed', { body: { type: 'invoice.paid' } }],
    ['a body that was not read', { body: undefined }],
    ['no secrets', { secrets: [] }],
    ['one secret without a list', { secrets: generateSecret() }],
    ['an undefined secret', { secrets: [undefined] }],
  ])('refuses %s, and says what to write', (_, bad) => {
    const secret = generateSecret()
    const headers = signWebhook({ id: 'msg-1', body, secrets: [secret], timestamp: new Date(0) })
    const verified = () =>
      verifyWebhook({ ...delivery(headers), secrets: [secret], now: new Date(0), ...bad })
    expect(codeOf(verified)).toBe('options-invalid')
  })

  test('refuses to sign with an invalid timestamp, or a body that is neither text nor bytes', () => {
    const secrets = [generateSecret()]
    for (const bad of [{ timestamp: new Date('now') }, { body: { type: 'x' } as never }]) {
      expect(codeOf(() => signWebhook({ id: 'msg-1', body, secrets, ...bad }))).toBe(
        'options-invalid',
      )
    }
  })

  test('refuses to sign with a public key or without secrets', () => {
    const { publicKey } = generateKeyPair()
    for (const secrets of [[publicKey], []]) {
      expect(codeOf(() => signWebhook({ id: 'msg-1', body, secrets }))).toBe('options-invalid')
    }
  })
})
