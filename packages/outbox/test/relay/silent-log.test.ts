import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test, vi } from 'vitest'
import { logOf, quick } from './quick-relay.ts'

// A bug: stop() waited for `timeoutMs` twice, for the attempts and then for the log.
test('a relay whose attempts do not end and whose log is silent stops a second after timeoutMs', async () => {
  const { emit, log } = logOf()
  await emit('one')
  let isSilent = false
  const silent: typeof log = new Proxy(log, {
    get(of, name) {
      const member = Reflect.get(of, name)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => (isSilent ? new Promise<never>(() => {}) : member(...given))
    },
  })
  let isUnderWay = false
  const handle = () => {
    isUnderWay = true
    return new Promise<never>(() => {})
  }
  const consumers = [consumer({ name: 'a', handle })]
  const running = createRelay({ ...quick, log: silent, consumers })
  running.start()
  await waitFor(() => isUnderWay, { what: 'the event to be under way' })
  isSilent = true
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    let isStopped = false
    const stopping = running.stop({ timeoutMs: 10_000 }).then(() => {
      isStopped = true
    })
    await vi.advanceTimersByTimeAsync(9_900)
    expect(isStopped).toBe(false)
    await vi.advanceTimersByTimeAsync(1_200)
    expect(isStopped).toBe(true)
    await stopping
  } finally {
    vi.useRealTimers()
  }
})
