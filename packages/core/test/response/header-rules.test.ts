import { describe, expect, test } from 'vitest'
import { isReplayed } from '../../src/response/header-rules.ts'

describe('a header of the stored response', () => {
  test.each([
    ['content-type'],
    ['location'],
    ['etag'],
    ['last-modified'],
    ['cache-control'],
    ['content-language'],
    ['content-disposition'],
    ['link'],
    ['vary'],
    ['retry-after'],
    ['x-order-id'],
    ['x-request-cost'],
  ])('is replayed if it describes the response: %s', (name) => {
    expect(isReplayed(name, undefined)).toBe(true)
  })

  test.each([
    [
      'identity and session',
      ['set-cookie', 'set-cookie2', 'www-authenticate', 'proxy-authenticate'],
    ],
    [
      'the connection',
      ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer', 'te'],
    ],
    ['this message', ['date', 'age', 'content-length', 'strict-transport-security']],
    ['this request', ['x-request-id', 'x-correlation-id', 'traceparent', 'tracestate']],
    ['its timing', ['server-timing', 'x-response-time', 'x-runtime']],
    ['who may read it', ['access-control-allow-origin', 'access-control-expose-headers']],
    ['counters', ['ratelimit', 'ratelimit-limit', 'ratelimit-policy', 'x-ratelimit-remaining']],
    ['counters with a hyphen', ['x-rate-limit-reset']],
  ])('is not replayed if it describes %s', (_, names) => {
    expect(names.filter((name) => isReplayed(name, undefined))).toEqual([])
  })

  test('follows replayHeader if that returns a boolean', () => {
    const override = (name: string) =>
      name === 'set-cookie' ? true : name === 'etag' ? false : undefined
    expect(isReplayed('set-cookie', override)).toBe(true)
    expect(isReplayed('etag', override)).toBe(false)
    expect(isReplayed('date', override)).toBe(false)
    expect(isReplayed('location', override)).toBe(true)
  })
})
