import { describe, expect, test } from 'vitest'
import { watchedNames } from '../../src/dialing/watched-names.ts'

const OURS = 'name-servers-unavailable'

/** A lookup whose results a test sets by name: addresses, or the code of an error. */
function setUp(limitMs = 60_000) {
  const results = new Map<string, readonly string[] | string | undefined>()
  const watched = watchedNames(async (hostname) => {
    const result = results.get(hostname) ?? []
    if (typeof result !== 'string') return result
    throw Object.assign(new Error(`query ${result} ${hostname}`), { code: result })
  }, limitMs)
  const outcome = (hostname: string, result: readonly string[] | string) => {
    results.set(hostname, result)
    return watched(hostname).catch((error) => error.code)
  }
  return outcome
}

describe('a name that cannot be looked up', () => {
  test('is the fault of its customer, as long as no other cannot', async () => {
    const outcome = setUp()
    for (let n = 0; n < 5; n += 1) expect(await outcome('a.example', 'ESERVFAIL')).toBe('ESERVFAIL')
  })

  // A bug: while our own name servers were away, every delivery failed against its endpoint.
  test('is our fault if another could not be looked up before it, until one is answered', async () => {
    const outcome = setUp()
    expect(await outcome('a.example', 'ETIMEOUT')).toBe('ETIMEOUT')
    expect(await outcome('b.example', 'ETIMEOUT')).toBe(OURS)
    expect(await outcome('b.example', 'ETIMEOUT')).toBe(OURS)
    expect(await outcome('a.example', 'ESERVFAIL')).toBe(OURS)
    expect(await outcome('c.example', ['8.8.8.8'])).toEqual(['8.8.8.8'])
    expect(await outcome('a.example', 'ETIMEOUT')).toBe('ETIMEOUT')
    expect(await outcome('a.example', 'ETIMEOUT')).toBe('ETIMEOUT')
  })

  test.each<[string, readonly string[] | string]>([
    ['addresses', ['8.8.8.8']],
    ['no addresses', []],
    ['that there is no such name', 'ENOTFOUND'],
    ['that it has no such records', 'ENODATA'],
  ])('is the fault of its customer again after an answer: %s', async (_, answer) => {
    const outcome = setUp()
    await outcome('a.example', 'ESERVFAIL')
    await outcome('c.example', answer)
    expect(await outcome('b.example', 'ESERVFAIL')).toBe('ESERVFAIL')
    expect(await outcome('a.example', 'ESERVFAIL')).toBe(OURS)
    await outcome('c.example', answer)
    expect(await outcome('a.example', 'ESERVFAIL')).toBe('ESERVFAIL')
  })

  test.each<[string, string, readonly string[] | string]>([
    ['localhost, which nobody is asked for', 'localhost', ['127.0.0.1']],
    ['a resolver that refuses a name', 'c.example', 'forbidden-here'],
  ])('is judged as before after %s', async (_, hostname, result) => {
    const outcome = setUp()
    expect(await outcome('a.example', 'ESERVFAIL')).toBe('ESERVFAIL')
    expect(await outcome(hostname, result)).toEqual(result)
    expect(await outcome('b.example', 'ESERVFAIL')).toBe(OURS)
    expect(await outcome(hostname, result)).toEqual(result)
    expect(await outcome('a.example', 'ESERVFAIL')).toBe(OURS)
  })

  test.each([
    'ESERVFAIL',
    'EREFUSED',
    'ENOTIMP',
    'EFORMERR',
    'EBADRESP',
    'ETIMEOUT',
    'ECONNREFUSED',
    'EAI_AGAIN',
  ])('may be so because of %s', async (code) => {
    const outcome = setUp()
    expect(await outcome('a.example', code)).toBe(code)
    expect(await outcome('b.example', code)).toBe(OURS)
  })

  // A bug: two hosts whose own name servers were away were looked up at once, and what was answered
  // while they were did not count.
  test('is the fault of its customer if another was answered since the lookup began', async () => {
    const looking = new Map<string, (error: unknown) => void>()
    const watched = watchedNames(async (hostname) => {
      if (hostname === 'c.example') return ['8.8.8.8']
      return await new Promise((_, reject) => looking.set(hostname, reject))
    }, 60_000)
    const codes = (...hostnames: string[]) =>
      hostnames.map((hostname) => watched(hostname).catch(({ code }) => code))
    const fail = (hostname: string) =>
      looking.get(hostname)?.(Object.assign(new Error('queryA'), { code: 'ESERVFAIL' }))

    const both = codes('a.example', 'b.example')
    await watched('c.example')
    fail('a.example')
    fail('b.example')
    expect(await Promise.all(both)).toEqual(['ESERVFAIL', 'ESERVFAIL'])

    await watched('c.example')
    const since = codes('a.example', 'b.example')
    fail('a.example')
    fail('b.example')
    expect(await Promise.all(since)).toEqual(['ESERVFAIL', OURS])
  })

  test('names the failure in its message and as its cause', async () => {
    const watched = watchedNames(async () => {
      throw Object.assign(new Error('queryA EREFUSED'), { code: 'EREFUSED' })
    }, 60_000)
    await watched('a.example').catch(() => {})
    await expect(watched('b.example')).rejects.toMatchObject({
      message: expect.stringContaining('(EREFUSED)'),
      cause: { message: 'queryA EREFUSED' },
    })
  })
})

// A bug: servers that are silent were not met as such, since the time of the exchange was over
// before theirs.
test('a lookup without a result has failed after its limit', async () => {
  const watched = watchedNames(() => new Promise(() => {}), 20)
  await expect(watched('a.example')).rejects.toMatchObject({ code: 'ETIMEOUT' })
  await expect(watched('b.example')).rejects.toMatchObject({ code: OURS })
})
