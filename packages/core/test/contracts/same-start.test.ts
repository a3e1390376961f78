import { describe, expect, test } from 'vitest'
import { checkSameStart } from '../../src/index.ts'

// A bug: neither whether a time was given nor the times of a window counted, so another window
// under a known name started nothing and said nothing.
describe('a start under a known name', () => {
  const letters = (filter: object) =>
    ({ id: '7', kind: 'dead-letters', filter, limit: null }) as const
  const window = (since: string) =>
    ({ id: '7', kind: 'window', filter: { endpointId: 'e', since }, limit: null }) as const

  test('is the same where only the times of its filter differ', () => {
    const known = letters({ origin: 'mailer', deadAfter: '2026-11-29T04:30:00.000Z' })
    const asked = letters({ deadAfter: new Date(), origin: 'mailer', type: undefined })
    expect(() => checkSameStart(known, asked)).not.toThrow()
    expect(() => checkSameStart(window('2026-11-29'), window('2026-11-29'))).not.toThrow()
  })

  test.each([
    ['another origin', letters({ origin: 'mailer' }), letters({ origin: 'printer' })],
    ['a time that the first had not', letters({}), letters({ deadBefore: new Date() })],
    ['another limit', letters({}), { ...letters({}), limit: 7 }],
    ['another window', window('2026-11-29'), window('2026-11-28')],
    ['letters for a window', letters({}), { ...letters({}), kind: 'window' } as const],
  ])('is refused with %s', (_, known, asked) => {
    expect(() => checkSameStart(known, asked)).toThrow('is the name of redrive 7')
  })
})
