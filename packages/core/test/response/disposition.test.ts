import { describe, expect, test } from 'vitest'
import { dispositionOf } from '../../src/response/disposition.ts'

const byStatus = (status: number, overrides = {}) =>
  dispositionOf({ status, headers: [] }, overrides)

const of = (disposition: string) =>
  Array.from({ length: 400 }, (_, i) => 200 + i).filter(
    (status) => byStatus(status) === disposition,
  )

describe('the disposition of a response', () => {
  test('is commit for every 2xx and 3xx', () => {
    expect(of('commit')).toEqual(Array.from({ length: 200 }, (_, i) => 200 + i))
  })

  test('is retry for every 5xx, and for the statuses that say "not now" or "not you"', () => {
    expect(of('retry').filter((status) => status < 500)).toEqual([
      401, 407, 408, 421, 423, 425, 429,
    ])
    expect(of('retry').filter((status) => status >= 500)).toHaveLength(100)
  })

  test('is refuse for every other 4xx', () => {
    expect(of('refuse')).toHaveLength(100 - 7)
    expect(of('refuse')).toEqual(expect.arrayContaining([400, 402, 403, 404, 409, 410, 422]))
  })

  test('follows an override for its status only', () => {
    const overrides = { 402: 'commit', 503: 'refuse', 200: 'retry' } as const
    expect(byStatus(402, overrides)).toBe('commit')
    expect(byStatus(503, overrides)).toBe('refuse')
    expect(byStatus(200, overrides)).toBe('retry')
    expect(byStatus(404, overrides)).toBe('refuse')
  })

  test('is retry for a 4xx that says when to come back, unless there is an override', () => {
    const later = { status: 409, headers: [['Retry-After', '5']] } as const
    expect(dispositionOf(later, {})).toBe('retry')
    expect(dispositionOf(later, { 409: 'refuse' })).toBe('refuse')
    expect(dispositionOf({ ...later, status: 202 }, {})).toBe('commit')
    expect(dispositionOf({ status: 409, headers: [['retry-after', null]] }, {})).toBe('refuse')
  })
})
