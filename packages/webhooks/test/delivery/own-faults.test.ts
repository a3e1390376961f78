import { expect, test } from 'vitest'
import { ownFaults } from '../../src/delivery/own-faults.ts'
import type { DeliveryVerdict } from '../../src/statements/verdicts.ts'

const verdict = (endpointId: string, changes: Partial<DeliveryVerdict>) =>
  ({
    sent: { endpointId },
    state: 'retry',
    status: null,
    unsent: false,
    delayMs: 0,
    ...changes,
  }) as DeliveryVerdict
const proxyAway = (endpointId: string) =>
  verdict(endpointId, { unsent: true, error: 'proxy-unavailable', delayMs: 60_000 })
const answered = (endpointId: string) => verdict(endpointId, { status: 500, error: 'status 500' })
const notFound = (endpointId: string) => verdict(endpointId, { error: 'ENOTFOUND' })

function setUp() {
  let at = 0
  const faults = ownFaults(() => at)
  return { faults, passes: (ms: number) => (at += ms) }
}

// A bug: one endpoint for which the proxy gave no answer made the worker leave all others, too.
test('a proxy that fails for one endpoint is not away: that endpoint is left alone', () => {
  const { faults, passes } = setUp()
  faults.saw(proxyAway('a'))
  faults.saw(proxyAway('a'))
  expect(faults.most()).toBe(Number.POSITIVE_INFINITY)
  expect(faults.endpoints()).toEqual(['a'])
  passes(5_000)
  expect(faults.endpoints()).toEqual([])
  faults.saw(proxyAway('a'))
  faults.saw(answered('b'))
  faults.saw(proxyAway('c'))
  expect(faults.most()).toBe(Number.POSITIVE_INFINITY)
  expect(faults.endpoints()).toEqual(['a', 'c'])
})

test('a proxy that fails for a second endpoint is away, and tried every five seconds', () => {
  const { faults, passes } = setUp()
  faults.saw(proxyAway('a'))
  faults.saw(proxyAway('b'))
  expect(faults.most()).toBe(0)
  passes(5_000)
  expect(faults.most()).toBe(1)
  expect(faults.endpoints()).toEqual([])
  // It is away for all of them, so the first one says as much as another.
  faults.saw(proxyAway('a'))
  expect(faults.most()).toBe(0)
  passes(5_000)
  expect(faults.most()).toBe(1)
})

// A bug: what had never reached the proxy counted as a sign that it was back.
test.each<[string, Partial<DeliveryVerdict>]>([
  ['a name that is not found', { error: 'ENOTFOUND' }],
  ['a forbidden address', { error: 'address-forbidden' }],
  ['a timeout', { error: 'timeout' }],
  ['a stop', { error: 'aborted' }],
  ['a clock that jumped', { error: 'clock-jumped', unsent: true }],
  ['a missing key', { error: 'seal-key-missing', unsent: true, delayMs: 60_000 }],
])('%s does not show that the proxy is back', (_, how) => {
  const { faults } = setUp()
  faults.saw(proxyAway('a'))
  faults.saw(verdict('c', how))
  faults.saw(proxyAway('b'))
  faults.saw(verdict('c', how))
  expect(faults.most()).toBe(0)
})

test.each<[string, Partial<DeliveryVerdict>]>([
  ['an answer', { status: 204, error: null }],
  ['a refusal by the proxy', { error: 'proxy-refused' }],
  ['an endpoint that speaks first', { error: 'spoke-first' }],
])('%s shows that the proxy is back', (_, how) => {
  const { faults, passes } = setUp()
  faults.saw(proxyAway('a'))
  faults.saw(proxyAway('b'))
  passes(5_000)
  faults.saw(verdict('c', how))
  expect(faults.most()).toBe(Number.POSITIVE_INFINITY)
  faults.saw(proxyAway('a'))
  expect(faults.most()).toBe(Number.POSITIVE_INFINITY)
})

test('an endpoint that cannot be signed for is left alone for as long as the verdict says', () => {
  const { faults, passes } = setUp()
  faults.saw(verdict('a', { error: 'seal-key-missing', unsent: true, delayMs: 60_000 }))
  faults.saw(notFound('a'))
  passes(59_999)
  expect(faults.endpoints()).toEqual(['a'])
  passes(1)
  expect(faults.endpoints()).toEqual([])
})
